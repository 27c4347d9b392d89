-- One shipment an order, from the one warehouse. A delivery is known once its day is over: it happened at
-- some time of that day, which the source does not say. An order without a delivery stays open: the
-- source does not say when, or whether, it was given up.
WITH
  facts AS (
    SELECT
      CAST(ordernumber AS VARCHAR) AS order_id,
      date AS ordered_at,
      deliverydatereal AS delivered_at,
      CASE deliverytype WHEN '1' THEN 'collection' ELSE 'dispatch' END AS service,
      numberitems AS n_units,
      CAST(weight AS DOUBLE) AS weight_g,
      CASE GREATEST(w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10)
        WHEN 0 THEN 'none'
        WHEN w0 THEN 'w0'
        WHEN w1 THEN 'w1'
        WHEN w2 THEN 'w2'
        WHEN w3 THEN 'w3'
        WHEN w4 THEN 'w4'
        WHEN w5 THEN 'w5'
        WHEN w6 THEN 'w6'
        WHEN w7 THEN 'w7'
        WHEN w8 THEN 'w8'
        WHEN w9 THEN 'w9'
        ELSE 'w10'
      END AS item_category
    FROM sales
  ),
  versions AS (
    SELECT order_id, 'created' AS status, ordered_at AS recorded_at, NULL AS known_delivered_at
    FROM facts
    UNION ALL
    SELECT
      order_id, 'delivered' AS status,
      delivered_at + INTERVAL '23 hours 59 minutes 59 seconds' AS recorded_at,
      delivered_at AS known_delivered_at
    FROM facts
    WHERE delivered_at IS NOT NULL
  )
SELECT
  versions.order_id AS shipment_id,
  versions.order_id AS order_id,
  versions.recorded_at AS recorded_at,
  versions.status AS status,
  'warehouse' AS origin_node_id,
  'warehouse' AS origin_zone,
  'warehouse' AS origin_region,
  facts.service AS service,
  facts.n_units AS n_units,
  facts.weight_g AS weight_g,
  facts.item_category AS item_category,
  versions.known_delivered_at AS delivered_at
FROM versions
JOIN facts ON versions.order_id = facts.order_id
