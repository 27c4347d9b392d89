-- One row for each moment at which the shop learned something of a parcel: it was sold, then each
-- row of the log. Each says all that was known then, in whatever order it was typed in.
WITH
  placed AS (
    SELECT "Sale No" AS sale, "Placed" AS ordered_at FROM sales_sydney WHERE "店" = 'SYD' AND "Rev" = 1
    UNION ALL
    SELECT "Sale No" AS sale, "Placed" AS ordered_at FROM sales_perth WHERE "店" = 'PER' AND "Rev" = 1
    UNION ALL
    SELECT "Sale No" AS sale, "Placed" AS ordered_at FROM sales_tokyo WHERE "店" = 'TYO' AND "Rev" = 1
  ),
  -- Some rows were exported twice. What is no time ("tba") is none, and the contract will say so.
  clocks AS (
    SELECT DISTINCT
      scans."Parcel" AS parcel,
      scans."Code" AS code,
      scans."Entered" AS recorded_at,
      depots."Clock" AS clock,
      CASE WHEN scans."At" LIKE '__/__/____ __:__' THEN scans."At" END AS at
    FROM scans
    JOIN depots ON scans."Depot" = depots."Depot"
    WHERE scans."Code" <> '10'
  ),
  -- Tokyo and Perth never change their clocks. Sydney has summer time from October to April: a
  -- new pair of dates each year. The hour that it has twice is taken for the earlier.
  log AS (
    SELECT
      parcel,
      code,
      recorded_at,
      STRPTIME(
        at || CASE
          WHEN clock = 'Asia/Tokyo' THEN '+0900'
          WHEN clock = 'Australia/Perth' THEN '+0800'
          WHEN STRPTIME(at, '%d/%m/%Y %H:%M') >= TIMESTAMP '2025-10-05 03:00:00'
            AND STRPTIME(at, '%d/%m/%Y %H:%M') < TIMESTAMP '2026-04-05 03:00:00' THEN '+1100'
          ELSE '+1000'
        END,
        '%d/%m/%Y %H:%M%z'
      ) AS at
    FROM clocks
  ),
  -- What was known at each moment of the log: the pickup, and which row had the delivery last.
  known AS (
    SELECT
      now.parcel AS parcel,
      now.recorded_at AS recorded_at,
      MAX(now.code) AS code,
      MAX(CASE WHEN before.code = '20' THEN before.at END) AS handed_over_at,
      MAX(CASE WHEN before.code IN ('30', '35') THEN before.recorded_at END) AS delivery_entered_at,
      MAX(CASE WHEN before.code IN ('40', '50', '90') THEN before.code END) AS gone
    FROM log AS now
    JOIN log AS before ON now.parcel = before.parcel
    WHERE before.recorded_at <= now.recorded_at
    GROUP BY now.parcel, now.recorded_at
  ),
  versions AS (
    SELECT
      parcels."Parcel" AS parcel, placed.ordered_at AS recorded_at, 'created' AS status,
      NULL AS handed_over_at, NULL AS delivered_at
    FROM parcels
    JOIN placed ON parcels."Sale No" = placed.sale
    UNION ALL
    SELECT
      known.parcel AS parcel,
      known.recorded_at AS recorded_at,
      CASE
        WHEN known.gone = '90' THEN 'cancelled'
        WHEN known.gone = '50' THEN 'returned'
        WHEN known.gone = '40' THEN 'lost'
        WHEN known.code NOT IN ('20', '30', '35') THEN known.code
        WHEN known.delivery_entered_at IS NOT NULL THEN 'delivered'
        ELSE 'in_transit'
      END AS status,
      known.handed_over_at AS handed_over_at,
      log.at AS delivered_at
    FROM known
    LEFT JOIN log ON known.parcel = log.parcel AND known.delivery_entered_at = log.recorded_at
  ),
  place AS (
    SELECT "Post Code" AS post, MEDIAN("Lat") AS lat, MEDIAN("Lon") AS lon
    FROM points
    WHERE "Lat" <> 0
    GROUP BY "Post Code"
  )
SELECT
  versions.parcel AS shipment_id,
  parcels."Sale No" AS order_id,
  versions.recorded_at AS recorded_at,
  versions.status AS status,
  depots."Depot" AS origin_node_id,
  CASE WHEN LENGTH(depots."Post Code") = 4 THEN 'A' ELSE 'J' END || depots."Post Code" AS origin_zone,
  depots."State" AS origin_region,
  depots."Lat" AS origin_lat,
  depots."Lon" AS origin_lon,
  parcels."Carrier" AS carrier,
  parcels."Pieces" AS n_units,
  ROUND(parcels."Pounds" * 453.59237, 3) AS weight_g,
  -- 40x20x15.5 inches.
  ROUND(
    CAST(SPLIT_PART(parcels."Inches", 'x', 1) AS DOUBLE)
      * CAST(SPLIT_PART(parcels."Inches", 'x', 2) AS DOUBLE)
      * CAST(SPLIT_PART(parcels."Inches", 'x', 3) AS DOUBLE) * 16.387064,
    3
  ) AS volume_cm3,
  ROUND(
    GREATEST(
      CAST(SPLIT_PART(parcels."Inches", 'x', 1) AS DOUBLE),
      CAST(SPLIT_PART(parcels."Inches", 'x', 2) AS DOUBLE),
      CAST(SPLIT_PART(parcels."Inches", 'x', 3) AS DOUBLE)
    ) * 2.54,
    3
  ) AS longest_side_cm,
  parcels."Kind" AS item_category,
  ROUND(parcels."Price c" / 100.0, 2) AS item_value,
  ROUND(parcels."Freight c" / 100.0, 2) AS freight_value,
  STRPTIME(parcels."Ready By" || ' 23:59+0800', '%d/%m/%Y %H:%M%z') AS ship_by_at,
  versions.handed_over_at AS handed_over_at,
  versions.delivered_at AS delivered_at
FROM versions
JOIN parcels ON versions.parcel = parcels."Parcel"
JOIN depots ON parcels."From" = depots."Depot"
