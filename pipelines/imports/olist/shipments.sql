-- One shipment for each order and seller; one row for each of its versions: created, then in
-- transit, then delivered, or cancelled with its order. When it has to be handed over is decided
-- when the order is approved, which may be days later: from then on the versions have it.
WITH
  place AS (
    SELECT
      geolocation_zip_code_prefix AS prefix,
      MEDIAN(geolocation_lat) AS lat,
      MEDIAN(geolocation_lng) AS lon
    FROM geolocation
    WHERE geolocation_lat BETWEEN -34 AND 6 AND geolocation_lng BETWEEN -75 AND -33
    GROUP BY geolocation_zip_code_prefix
  ),
  packed AS (
    SELECT
      items.order_id AS order_id,
      items.seller_id AS seller_id,
      items.order_item_id AS order_item_id,
      items.shipping_limit_date AS ship_by_at,
      items.price AS price,
      items.freight_value AS freight,
      products.product_category_name AS category,
      products.product_weight_g AS weight_g,
      products.product_length_cm * products.product_height_cm * products.product_width_cm AS volume_cm3,
      GREATEST(products.product_length_cm, products.product_height_cm, products.product_width_cm) AS longest_side_cm
    FROM items
    LEFT JOIN products ON items.product_id = products.product_id
    ORDER BY items.order_id, items.order_item_id
  ),
  -- Sums are rounded, so that the order in which threads add does not show.
  parcels AS (
    SELECT
      order_id,
      seller_id,
      COUNT(*) AS n_units,
      ROUND(SUM(weight_g), 3) AS weight_g,
      ROUND(SUM(volume_cm3), 3) AS volume_cm3,
      MAX(longest_side_cm) AS longest_side_cm,
      FIRST(category) AS item_category,
      ROUND(SUM(price), 2) AS item_value,
      ROUND(SUM(freight), 2) AS freight_value,
      MAX(ship_by_at) AS ship_by_at
    FROM packed
    GROUP BY order_id, seller_id
  ),
  facts AS (
    SELECT
      order_id,
      order_purchase_timestamp AS ordered_at,
      order_approved_at AS approved_at,
      order_delivered_carrier_date AS handed_over_at,
      order_delivered_customer_date AS delivered_at,
      CASE WHEN order_status IN ('canceled', 'unavailable') THEN GREATEST(
        order_estimated_delivery_date,
        order_purchase_timestamp,
        order_approved_at,
        order_delivered_carrier_date,
        order_delivered_customer_date
      ) END AS cancelled_at
    FROM orders
  ),
  -- Two versions never share an instant: of a tie only the later status is kept. A delivery
  -- before its handover is kept as the source has it, in one version, for the contract to judge.
  versions AS (
    SELECT
      order_id, 'created' AS status, ordered_at AS recorded_at,
      NULL AS handed_over_at, NULL AS delivered_at
    FROM facts
    WHERE (handed_over_at IS NULL OR handed_over_at <> ordered_at)
      AND (delivered_at IS NULL OR delivered_at <> ordered_at)
    UNION ALL
    SELECT
      order_id, 'created' AS status, approved_at AS recorded_at,
      NULL AS handed_over_at, NULL AS delivered_at
    FROM facts
    WHERE approved_at > ordered_at
      AND (handed_over_at IS NULL OR approved_at < handed_over_at)
      AND (delivered_at IS NULL OR approved_at < delivered_at)
      AND (cancelled_at IS NULL OR approved_at < cancelled_at)
    UNION ALL
    SELECT
      order_id, 'in_transit' AS status, handed_over_at AS recorded_at,
      handed_over_at, NULL AS delivered_at
    FROM facts
    WHERE handed_over_at IS NOT NULL
      AND (delivered_at IS NULL OR handed_over_at < delivered_at)
      AND (cancelled_at IS NULL OR handed_over_at <> cancelled_at)
    UNION ALL
    SELECT order_id, 'delivered' AS status, delivered_at AS recorded_at, handed_over_at, delivered_at
    FROM facts
    WHERE delivered_at IS NOT NULL AND (cancelled_at IS NULL OR delivered_at <> cancelled_at)
    UNION ALL
    SELECT order_id, 'cancelled' AS status, cancelled_at AS recorded_at, handed_over_at, delivered_at
    FROM facts
    WHERE cancelled_at IS NOT NULL
  )
SELECT
  parcels.order_id || '_' || parcels.seller_id AS shipment_id,
  parcels.order_id AS order_id,
  versions.recorded_at AS recorded_at,
  versions.status AS status,
  parcels.seller_id AS origin_node_id,
  sellers.seller_zip_code_prefix AS origin_zone,
  sellers.seller_state AS origin_region,
  place.lat AS origin_lat,
  place.lon AS origin_lon,
  parcels.n_units AS n_units,
  parcels.weight_g AS weight_g,
  parcels.volume_cm3 AS volume_cm3,
  parcels.longest_side_cm AS longest_side_cm,
  parcels.item_category AS item_category,
  parcels.item_value AS item_value,
  parcels.freight_value AS freight_value,
  CASE WHEN versions.recorded_at >= facts.approved_at THEN parcels.ship_by_at END AS ship_by_at,
  versions.handed_over_at AS handed_over_at,
  versions.delivered_at AS delivered_at
FROM parcels
JOIN versions ON parcels.order_id = versions.order_id
JOIN facts ON parcels.order_id = facts.order_id
JOIN sellers ON parcels.seller_id = sellers.seller_id
LEFT JOIN place ON sellers.seller_zip_code_prefix = place.prefix
