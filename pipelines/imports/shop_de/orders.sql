-- One row an order. Of some the delivery address is that of the invoice.
WITH
  places AS (
    SELECT
      ordernumber,
      date,
      deliverydatepromised,
      shippingcosts,
      COALESCE(delivpostcode, invoicepostcode) AS postcode
    FROM sales
  )
SELECT
  CAST(ordernumber AS VARCHAR) AS order_id,
  date AS recorded_at,
  date AS ordered_at,
  'placed' AS status,
  COALESCE(postcode, 'unknown') AS destination_zone,
  COALESCE(SUBSTR(postcode, 1, 1), 'unknown') AS destination_region,
  'UTC' AS destination_time_zone,
  CASE shippingcosts WHEN '1' THEN 'paid shipping' ELSE 'free shipping' END AS ship_option,
  deliverydatepromised AS promised_at
FROM places
