-- One row for each moment at which the shop learned something of a sale: it was placed, it was
-- changed (a later row of the file), its payment came. Each says all that was known then.
WITH
  -- Every row by the clock of its own shop.
  sales AS (
    SELECT * FROM sales_sydney WHERE "店" = 'SYD'
    UNION ALL
    SELECT * FROM sales_perth WHERE "店" = 'PER'
    UNION ALL
    SELECT * FROM sales_tokyo WHERE "店" = 'TYO'
  ),
  -- A date without a time is over when its last minute is over at the last of the shops, Perth,
  -- which never changes its clocks. A date that is taken for its first minute would be too early.
  facts AS (
    SELECT
      "Sale No" AS sale,
      "Rev" AS rev,
      "Placed" AS ordered_at,
      COALESCE("Changed", "Placed") AS entered_at,
      STRPTIME("Paid" || ' 23:59+0800', '%d/%m/%Y %H:%M%z') AS paid_at,
      STRPTIME("Promised" || ' 23:59+0800', '%d/%m/%Y %H:%M%z') AS promised_at,
      "Post Code" AS post,
      "State" AS state,
      "Speed" AS speed,
      "St" AS st
    FROM sales
  ),
  -- The file does not say when a payment became known: at the end of its day, at the latest.
  moments AS (
    SELECT sale, entered_at AS recorded_at FROM facts
    UNION
    SELECT sale, paid_at AS recorded_at FROM facts WHERE paid_at IS NOT NULL
  ),
  -- The last row of the sale that was there at each moment.
  last_rows AS (
    SELECT moments.sale AS sale, moments.recorded_at AS recorded_at, MAX(facts.rev) AS rev
    FROM moments
    JOIN facts ON moments.sale = facts.sale
    WHERE facts.entered_at <= moments.recorded_at
    GROUP BY moments.sale, moments.recorded_at
  ),
  -- The middle of a post code; one of the points is in the sea.
  place AS (
    SELECT "Post Code" AS post, MEDIAN("Lat") AS lat, MEDIAN("Lon") AS lon
    FROM points
    WHERE "Lat" <> 0
    GROUP BY "Post Code"
  )
SELECT
  last_rows.sale AS order_id,
  last_rows.recorded_at AS recorded_at,
  facts.ordered_at AS ordered_at,
  CASE WHEN facts.paid_at <= last_rows.recorded_at THEN facts.paid_at END AS paid_at,
  CASE
    WHEN facts.st = 'X' THEN 'cancelled'
    WHEN facts.st <> 'O' THEN facts.st
    WHEN facts.paid_at <= last_rows.recorded_at THEN 'paid'
    ELSE 'placed'
  END AS status,
  -- Keys of features are the first two and three characters: A20 is Sydney, J06 Hokkaido's middle.
  CASE WHEN LENGTH(facts.post) = 4 THEN 'A' ELSE 'J' END || facts.post AS destination_zone,
  facts.state AS destination_region,
  place.lat AS destination_lat,
  place.lon AS destination_lon,
  CASE facts.state
    WHEN 'NSW' THEN 'Australia/Sydney'
    WHEN 'VIC' THEN 'Australia/Melbourne'
    WHEN 'QLD' THEN 'Australia/Brisbane'
    WHEN 'SA' THEN 'Australia/Adelaide'
    WHEN 'NT' THEN 'Australia/Darwin'
    WHEN 'WA' THEN 'Australia/Perth'
    ELSE 'Asia/Tokyo'
  END AS destination_time_zone,
  CASE facts.speed WHEN 'E' THEN 'express' WHEN 'N' THEN 'normal' END AS ship_option,
  facts.promised_at AS promised_at
FROM last_rows
JOIN facts ON last_rows.sale = facts.sale AND last_rows.rev = facts.rev
LEFT JOIN place ON facts.post = place.post
