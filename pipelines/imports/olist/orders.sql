-- One row for each version of an order: placed, then paid, then (some) cancelled.
WITH
  -- The middle of a postal prefix, from the points that lie in Brazil.
  place AS (
    SELECT
      geolocation_zip_code_prefix AS prefix,
      MEDIAN(geolocation_lat) AS lat,
      MEDIAN(geolocation_lng) AS lon
    FROM geolocation
    WHERE geolocation_lat BETWEEN -34 AND 6 AND geolocation_lng BETWEEN -75 AND -33
    GROUP BY geolocation_zip_code_prefix
  ),
  -- The source does not say when an order was cancelled. The promised date gives nothing away
  -- before its time; what is known to have happened after it moves it back.
  facts AS (
    SELECT
      order_id,
      customer_id,
      order_purchase_timestamp AS ordered_at,
      order_approved_at AS paid_at,
      order_estimated_delivery_date AS promised_at,
      CASE WHEN order_status IN ('canceled', 'unavailable') THEN GREATEST(
        order_estimated_delivery_date,
        order_purchase_timestamp,
        order_approved_at,
        order_delivered_carrier_date,
        order_delivered_customer_date
      ) END AS cancelled_at
    FROM orders
  ),
  -- Two versions never share an instant: of a tie only the later status is kept.
  versions AS (
    SELECT order_id, 'placed' AS status, ordered_at AS recorded_at, NULL AS known_paid_at
    FROM facts
    WHERE paid_at IS NULL OR paid_at <> ordered_at
    UNION ALL
    SELECT order_id, 'paid' AS status, paid_at AS recorded_at, paid_at AS known_paid_at
    FROM facts
    WHERE paid_at IS NOT NULL AND (cancelled_at IS NULL OR paid_at <> cancelled_at)
    UNION ALL
    SELECT order_id, 'cancelled' AS status, cancelled_at AS recorded_at, paid_at AS known_paid_at
    FROM facts
    WHERE cancelled_at IS NOT NULL
  )
SELECT
  versions.order_id AS order_id,
  versions.recorded_at AS recorded_at,
  facts.ordered_at AS ordered_at,
  versions.known_paid_at AS paid_at,
  versions.status AS status,
  customers.customer_zip_code_prefix AS destination_zone,
  customers.customer_state AS destination_region,
  place.lat AS destination_lat,
  place.lon AS destination_lon,
  CASE customers.customer_state
    WHEN 'AC' THEN 'America/Rio_Branco'
    WHEN 'AM' THEN 'America/Manaus'
    WHEN 'RR' THEN 'America/Boa_Vista'
    WHEN 'RO' THEN 'America/Porto_Velho'
    WHEN 'MT' THEN 'America/Cuiaba'
    WHEN 'MS' THEN 'America/Campo_Grande'
    WHEN 'PA' THEN 'America/Belem'
    WHEN 'AP' THEN 'America/Belem'
    WHEN 'TO' THEN 'America/Araguaina'
    WHEN 'BA' THEN 'America/Bahia'
    WHEN 'PE' THEN 'America/Recife'
    WHEN 'AL' THEN 'America/Maceio'
    WHEN 'SE' THEN 'America/Maceio'
    WHEN 'MA' THEN 'America/Fortaleza'
    WHEN 'PI' THEN 'America/Fortaleza'
    WHEN 'CE' THEN 'America/Fortaleza'
    WHEN 'RN' THEN 'America/Fortaleza'
    WHEN 'PB' THEN 'America/Fortaleza'
    ELSE 'America/Sao_Paulo'
  END AS destination_time_zone,
  facts.promised_at AS promised_at
FROM versions
JOIN facts ON versions.order_id = facts.order_id
JOIN customers ON facts.customer_id = customers.customer_id
LEFT JOIN place ON customers.customer_zip_code_prefix = place.prefix
