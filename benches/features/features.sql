-- The features of pipelines/features/default.toml as of a night, over the checked tables.
--
-- Variables, which theirs.py sets: `store`, the store's folder; `check_file`, what the check found;
-- `as_of`, the night; `reach_days`: what is recorded of an order so many days after it was first
-- recorded is no history.
--
-- Instants are microseconds and days are days since the epoch, UTC. Totals are integers, so sums
-- are exact; what is made of them is done in doubles, and cast to a float once.


-- Arithmetic ----------------------------------------------------------------------------------

CREATE MACRO day_of(instant) AS (instant // 86_400_000_000)::INTEGER;

CREATE MACRO one_if(condition) AS coalesce(condition, false)::BIGINT;

-- Hours, from instants.
CREATE MACRO hours_between(earlier, later) AS (later - earlier)::DOUBLE / 3_600_000_000;

-- What a span adds to totals: seconds, and squares of whole minutes; nothing if it has no end.
CREATE MACRO seconds(earlier, later) AS coalesce((later - earlier) // 1_000_000, 0);
CREATE MACRO minutes_squared(earlier, later) AS
  coalesce(((later - earlier) // 60_000_000) * ((later - earlier) // 60_000_000), 0);

CREATE MACRO mean(n, total) AS CASE WHEN n > 0 THEN total::DOUBLE / n::DOUBLE END;

CREATE MACRO mean_hours(n, total) AS mean(n, total) / 3600;

-- How long those that are open have been so at the start of a day, from seconds since the epoch.
CREATE MACRO mean_age_hours(day, n, total) AS
  CASE WHEN n > 0 THEN (n * day * 86_400 - total)::DOUBLE / n::DOUBLE / 3600 END;

-- The mean, as if five more had the coarser key's.
CREATE MACRO shrunk_mean(n, total, coarse) AS
  CASE
    WHEN n > 0 AND coarse IS NOT NULL THEN (total::DOUBLE + 5 * coarse) / (n::DOUBLE + 5)
    WHEN n > 0 THEN total::DOUBLE / n::DOUBLE
    ELSE coarse
  END;

-- The standard deviation in hours, from seconds and squares of minutes.
CREATE MACRO sd_hours(n, total, squares) AS
  CASE WHEN n > 1 THEN
    sqrt(greatest(squares::DOUBLE / n::DOUBLE
      - (total::DOUBLE / 60 / n::DOUBLE) * (total::DOUBLE / 60 / n::DOUBLE), 0)) / 60
  END;

-- `least` alone would take a point that is not known for one at the other end of the earth.
CREATE MACRO distance_km(lat_a, lon_a, lat_b, lon_b) AS
  CASE WHEN lat_a + lon_a + lat_b + lon_b IS NOT NULL THEN
    2 * 6371.0088::DOUBLE * asin(least(1, sqrt(
      sin(radians(lat_b - lat_a) / 2) * sin(radians(lat_b - lat_a) / 2)
      + cos(radians(lat_a)) * cos(radians(lat_b))
        * (sin(radians(lon_b - lon_a) / 2) * sin(radians(lon_b - lon_a) / 2)))))
  END;


-- The checked tables --------------------------------------------------------------------------

-- Rows that are not to be used: those in quarantine, and those that a rule drops.
CREATE TABLE bad_rows AS
WITH
  checked AS (
    SELECT unnest(map_values(tables)) AS checked_table
    FROM read_json(getvariable('check_file'), columns = {
      tables: 'MAP(VARCHAR, STRUCT("table" VARCHAR, files STRUCT(
        path VARCHAR,
        quarantined STRUCT("row" BIGINT, "key" VARCHAR, recorded_at BIGINT)[],
        dropped BIGINT[])[]))'
    }, maximum_object_size = 1_000_000_000)
  ),
  files AS (
    SELECT checked_table."table" AS table_name, unnest(checked_table.files) AS file FROM checked
  ),
  quarantined AS (
    SELECT table_name, file.path AS path, unnest(file.quarantined) AS bad FROM files
  )
SELECT
  table_name,
  getvariable('store') || '/' || path AS filename,
  bad."row" AS file_row_number,
  bad."key" AS key,
  bad.recorded_at AS recorded_at
FROM quarantined
UNION ALL
SELECT
  table_name,
  getvariable('store') || '/' || file.path,
  unnest(file.dropped),
  NULL,
  NULL
FROM files;

-- Columns that a source may lack are null then.
CREATE TABLE order_columns (
  order_id VARCHAR, recorded_at TIMESTAMPTZ, ordered_at TIMESTAMPTZ, status VARCHAR,
  destination_zone VARCHAR, destination_region VARCHAR, destination_lat DOUBLE,
  destination_lon DOUBLE, destination_time_zone VARCHAR, ship_option VARCHAR,
  promised_at TIMESTAMPTZ
);
CREATE TABLE shipment_columns (
  shipment_id VARCHAR, order_id VARCHAR, recorded_at TIMESTAMPTZ, status VARCHAR,
  origin_node_id VARCHAR, origin_zone VARCHAR, origin_region VARCHAR, origin_lat DOUBLE,
  origin_lon DOUBLE, carrier VARCHAR, service VARCHAR, n_units BIGINT, weight_g DOUBLE,
  volume_cm3 DOUBLE, longest_side_cm DOUBLE, item_category VARCHAR, item_value DOUBLE,
  freight_value DOUBLE, ship_by_at TIMESTAMPTZ, handed_over_at TIMESTAMPTZ,
  delivered_at TIMESTAMPTZ
);

CREATE VIEW order_rows AS
WITH
  stored AS (
    FROM order_columns
    UNION ALL BY NAME
    FROM read_parquet(
      getvariable('store') || '/tables/orders/*/*.parquet',
      hive_partitioning = true, filename = true, file_row_number = true)
  )
SELECT
  * REPLACE (
    epoch_us(recorded_at) AS recorded_at,
    epoch_us(ordered_at) AS ordered_at,
    epoch_us(promised_at) AS promised_at)
FROM stored
ANTI JOIN (FROM bad_rows WHERE table_name = 'orders') AS bad USING (filename, file_row_number)
WHERE recorded_on < getvariable('as_of') AND recorded_at < getvariable('as_of');

CREATE VIEW shipment_rows AS
WITH
  stored AS (
    FROM shipment_columns
    UNION ALL BY NAME
    FROM read_parquet(
      getvariable('store') || '/tables/shipments/*/*.parquet',
      hive_partitioning = true, filename = true, file_row_number = true)
  )
SELECT
  * REPLACE (
    epoch_us(recorded_at) AS recorded_at,
    epoch_us(ship_by_at) AS ship_by_at,
    epoch_us(handed_over_at) AS handed_over_at,
    epoch_us(delivered_at) AS delivered_at)
FROM stored
ANTI JOIN (FROM bad_rows WHERE table_name = 'shipments') AS bad USING (filename, file_row_number)
WHERE recorded_on < getvariable('as_of') AND recorded_at < getvariable('as_of');

-- Nodes, from the day after each version was recorded up to the day of the next one.
CREATE TABLE node_spans AS
SELECT
  node_id AS node,
  kind AS origin_kind,
  time_zone AS origin_time_zone,
  daily_capacity::FLOAT AS origin_daily_capacity,
  day_of(epoch_us(recorded_at)) AS node_day,
  lead(node_day) OVER (PARTITION BY node_id ORDER BY recorded_at) AS next_node_day
FROM node_rows
ANTI JOIN (FROM bad_rows WHERE table_name = 'nodes') AS bad USING (filename, file_row_number)
WHERE recorded_on < getvariable('as_of') AND recorded_at < getvariable('as_of');


-- What was known when an order was placed: first versions only --------------------------------

CREATE TABLE first_orders AS
WITH first AS (SELECT order_id, min(recorded_at) AS recorded_at FROM order_rows GROUP BY order_id)
SELECT
  order_id, ordered_at, promised_at, ship_option, destination_zone, destination_region,
  destination_lat, destination_lon, destination_time_zone,
  day_of(recorded_at) AS order_first_day
FROM order_rows
SEMI JOIN first USING (order_id, recorded_at);

-- What the table says of each shipment while history listens to its order. States: 0 waits,
-- 1 handed over, 2 delivered, 3 excluded (cancelled, lost, returned, or with a version in quarantine).
CREATE TABLE shipment_versions AS
SELECT
  shipment_id,
  recorded_at,
  CASE
    WHEN status IN ('cancelled', 'lost', 'returned') THEN 3
    WHEN status = 'delivered' AND delivered_at IS NULL THEN 3
    WHEN delivered_at IS NOT NULL THEN 2
    WHEN handed_over_at IS NOT NULL THEN 1
    ELSE 0
  END::TINYINT AS state,
  CASE WHEN state IN (1, 2) THEN handed_over_at END AS handed_over_at,
  CASE WHEN state = 2 THEN delivered_at END AS delivered_at
FROM shipment_rows
JOIN first_orders USING (order_id)
WHERE day_of(recorded_at) >= order_first_day
  AND day_of(recorded_at) < order_first_day + getvariable('reach_days');

-- One row a shipment: its keys of history, which have no nulls, and the features that are facts of
-- the order or parts of its local time.
CREATE TABLE placed AS
WITH
  first AS (SELECT shipment_id, min(recorded_at) AS recorded_at FROM shipment_versions GROUP BY shipment_id),
  first_shipments AS (FROM shipment_rows SEMI JOIN first USING (shipment_id, recorded_at)),
  known AS (
    SELECT
      s.*, o.* EXCLUDE (order_id),
      timezone(coalesce(destination_time_zone, 'UTC'), make_timestamptz(ordered_at))
        AS ordered_local,
      timezone(origin_time_zone, make_timestamptz(ordered_at)) AS ordered_at_origin,
      n.origin_kind,
      n.origin_daily_capacity,
      day_of(least(ordered_at, recorded_at)) AS known_before
    FROM first_shipments AS s
    JOIN first_orders AS o USING (order_id)
    LEFT JOIN node_spans AS n ON node = origin_node_id
      AND node_day < day_of(least(ordered_at, recorded_at))
      AND coalesce(next_node_day >= day_of(least(ordered_at, recorded_at)), true)
  )
SELECT
  (row_number() OVER ())::INTEGER AS shipment,
  shipment_id,
  order_id,
  ordered_at,
  recorded_at,
  order_first_day,
  day_of(ordered_at) AS ordered_day,
  -- History knows what was recorded before this day.
  known_before AS day,

  origin_node_id AS node,
  coalesce(origin_region, '') AS from_region,
  coalesce(destination_region, '') AS to_region,
  coalesce(carrier, '') AS with_carrier,
  coalesce(service, '') AS with_service,
  left(origin_zone, 2) AS from_zone2,
  left(destination_zone, 2) AS to_zone2,
  left(destination_zone, 3) AS to_zone3,
  destination_zone AS to_zone,

  hours_between(ordered_at, promised_at)::FLOAT AS promised_hours,
  n_units::FLOAT AS n_units,
  weight_g::FLOAT AS weight_g,
  volume_cm3::FLOAT AS volume_cm3,
  longest_side_cm::FLOAT AS longest_side_cm,
  item_value::FLOAT AS item_value,
  freight_value::FLOAT AS freight_value,
  (CASE WHEN freight_value + item_value > 0
    THEN freight_value / (freight_value + item_value) END)::FLOAT AS freight_share,
  hours_between(ordered_at, ship_by_at)::FLOAT AS ship_by_hours,
  distance_km(origin_lat, origin_lon, destination_lat, destination_lon)::FLOAT AS distance_km,
  origin_lat::FLOAT AS origin_lat,
  origin_lon::FLOAT AS origin_lon,
  destination_lat::FLOAT AS destination_lat,
  destination_lon::FLOAT AS destination_lon,
  (origin_region IS NOT DISTINCT FROM destination_region)::FLOAT AS same_region,
  -- Of the order, known when this one was first recorded.
  (count(*) OVER (PARTITION BY order_id ORDER BY recorded_at))::FLOAT AS n_shipments,

  origin_region,
  destination_region,
  carrier,
  service,
  ship_option,
  item_category,
  origin_kind,
  origin_daily_capacity,

  hour(ordered_at_origin)::FLOAT + minute(ordered_at_origin)::FLOAT / 60::FLOAT
    AS ordered_origin_hour,
  (isodow(ordered_at_origin) - 1)::FLOAT AS ordered_origin_weekday,
  -- The benchmark's stores have no table of holidays.
  NULL::FLOAT AS ordered_origin_workdays,
  NULL::FLOAT AS ordered_destination_workdays,
  NULL::FLOAT AS ordered_destination_days_to_holiday,
  hour(ordered_local)::FLOAT + minute(ordered_local)::FLOAT / 60::FLOAT AS ordered_hour,
  (isodow(ordered_local) - 1)::FLOAT AS ordered_weekday,
  day(ordered_local)::FLOAT AS ordered_day_of_month
FROM known;


-- What was known of each shipment, from which day to which ------------------------------------

-- `until` is the day of the next version, `…_before` is what the version before it said.
CREATE TABLE timeline AS
WITH
  -- Of versions recorded at once the last source has the last word.
  versions AS (
    SELECT shipment, t.recorded_at, 0 AS source, state, handed_over_at, delivered_at
    FROM shipment_versions AS t
    JOIN placed USING (shipment_id)
    UNION ALL
    -- A cancelled order takes its shipments with it, those to come too.
    SELECT shipment, greatest(o.recorded_at, p.recorded_at), 1, 3, NULL, NULL
    FROM order_rows AS o
    JOIN placed AS p USING (order_id)
    WHERE status = 'cancelled'
      AND day_of(o.recorded_at) < order_first_day + getvariable('reach_days')
    UNION ALL
    -- A version in quarantine excludes a shipment that is known.
    SELECT shipment, bad.recorded_at, 2, 3, NULL, NULL
    FROM bad_rows AS bad
    JOIN placed AS p ON shipment_id = key
    WHERE table_name = 'shipments'
      AND bad.recorded_at < epoch_us(getvariable('as_of'))
      AND bad.recorded_at > p.recorded_at
      AND day_of(bad.recorded_at) < order_first_day + getvariable('reach_days')
  )
SELECT
  shipment,
  day_of(recorded_at) AS day,
  lead(day_of(recorded_at)) OVER by_record AS until,
  -- A stock forgets what has been in it for 60 days.
  day_of(first_value(recorded_at) OVER by_record) + 60 AS last_counted_day,
  state,
  handed_over_at,
  delivered_at,
  lag(state) OVER by_record AS state_before,
  lag(handed_over_at) OVER by_record AS handed_over_before,
  lag(delivered_at) OVER by_record AS delivered_before
FROM versions
WINDOW by_record AS (PARTITION BY shipment ORDER BY recorded_at, source);


-- What each day changes, by key ---------------------------------------------------------------

-- A version takes back what the one before it said, and adds what it says itself, on the day of its
-- record. One grouping set for each finest key; the columns of other keys are null in it.
CREATE TABLE changes AS
WITH
  differences AS (
    SELECT
      shipment, day, handed_over_at, handed_over_before, delivered_at, delivered_before,
      one_if(state_before IS NULL) AS ordered,
      one_if(day < last_counted_day AND state = 0)
        - one_if(day < last_counted_day AND state_before = 0) AS unshipped,
      one_if(day < last_counted_day AND state = 1)
        - one_if(day < last_counted_day AND state_before = 1) AS in_transit
    FROM timeline
    UNION ALL BY NAME
    SELECT
      shipment, last_counted_day AS day,
      -one_if(state = 0) AS unshipped,
      -one_if(state = 1) AS in_transit
    FROM timeline
    WHERE state IN (0, 1) AND day < last_counted_day AND (until IS NULL OR until >= last_counted_day)
  )
SELECT
  differences.day AS day,
  node, from_region, to_region, with_carrier, with_service, from_zone2, to_zone2, to_zone,
  sum(ordered) AS ordered,
  sum(unshipped) AS unshipped,
  sum(in_transit) AS in_transit,
  sum(unshipped + in_transit) AS open_n,
  -- When those that are open were ordered.
  sum((unshipped + in_transit) * (ordered_at // 1_000_000)) AS open_s,
  sum(one_if(handed_over_at IS NOT NULL) - one_if(handed_over_before IS NOT NULL)) AS handling_n,
  sum(seconds(ordered_at, handed_over_at) - seconds(ordered_at, handed_over_before)) AS handling_s,
  sum(minutes_squared(ordered_at, handed_over_at)
    - minutes_squared(ordered_at, handed_over_before)) AS handling_q,
  sum(one_if(delivered_at IS NOT NULL) - one_if(delivered_before IS NOT NULL)) AS delivery_n,
  sum(seconds(ordered_at, delivered_at) - seconds(ordered_at, delivered_before)) AS delivery_s,
  sum(one_if(delivered_at - ordered_at <= 172_800_000_000)
    - one_if(delivered_before - ordered_at <= 172_800_000_000)) AS within_two_days,
  sum(one_if(delivered_at - handed_over_at IS NOT NULL)
    - one_if(delivered_before - handed_over_before IS NOT NULL)) AS transit_n,
  sum(seconds(handed_over_at, delivered_at)
    - seconds(handed_over_before, delivered_before)) AS transit_s,
  sum(minutes_squared(handed_over_at, delivered_at)
    - minutes_squared(handed_over_before, delivered_before)) AS transit_q
FROM differences
JOIN placed USING (shipment)
GROUP BY GROUPING SETS (
  (differences.day, node),
  (differences.day, from_region, to_region, with_carrier, with_service),
  (differences.day, from_zone2, to_zone2),
  (differences.day, to_zone)
);

-- Known once, when the order is so many days old, of each shipment that is not excluded by then.
CREATE TABLE asked_at_age AS
SELECT
  from_region,
  to_region,
  ordered_day + age AS day,
  count(*) FILTER (age = 5) AS by_day_5_n,
  count(*) FILTER (age = 5 AND state = 2) AS by_day_5_s,
  count(*) FILTER (age = 10) AS by_day_10_n,
  count(*) FILTER (age = 10 AND state = 2) AS by_day_10_s,
  count(*) FILTER (age = 20) AS by_day_20_n,
  count(*) FILTER (age = 20 AND state = 2) AS by_day_20_s
FROM timeline
JOIN placed USING (shipment)
CROSS JOIN (VALUES (5), (10), (20)) AS ages (age)
WHERE state <> 3 AND timeline.day < ordered_day + age
  AND (until IS NULL OR until >= ordered_day + age)
GROUP BY ALL;

-- Coarser keys are sums of finer ones.
CREATE TABLE lane_changes AS
SELECT
  from_region, to_region, day,
  sum(COLUMNS(* EXCLUDE (from_region, to_region, day)))
FROM (
  SELECT * EXCLUDE (node, with_carrier, with_service, from_zone2, to_zone2, to_zone)
  FROM changes
  WHERE from_region IS NOT NULL
  UNION ALL BY NAME
  FROM asked_at_age
)
GROUP BY ALL;

CREATE TABLE region_changes AS
SELECT to_region, day, sum(COLUMNS(* EXCLUDE (from_region, to_region, day)))
FROM lane_changes
GROUP BY ALL;

CREATE TABLE network_changes AS
SELECT day, sum(COLUMNS(* EXCLUDE (to_region, day)))
FROM region_changes
GROUP BY ALL;


-- History, by key and day of an order ---------------------------------------------------------

-- Days that are looked up are days without changes of their own: a window is a frame that ends on
-- the day before.

CREATE TABLE by_node AS
WITH
  days AS (
    SELECT node, day, ordered, handling_n, handling_s, handling_q, delivery_n, delivery_s, unshipped
    FROM changes
    WHERE node IS NOT NULL
    UNION ALL BY NAME
    SELECT DISTINCT node, day, true AS is_asked FROM placed
  ),
  sums AS (
    SELECT
      node,
      day,
      is_asked,
      sum(ordered) OVER d7 AS ordered_7,
      sum(unshipped) OVER always AS unshipped,
      sum(handling_n) OVER d14 AS handling_n_14,
      sum(handling_s) OVER d14 AS handling_s_14,
      sum(handling_n) OVER d60 AS handling_n_60,
      sum(handling_s) OVER d60 AS handling_s_60,
      sum(handling_q) OVER d60 AS handling_q_60,
      sum(handling_n) OVER d400 AS handling_n_400,
      sum(handling_s) OVER d400 AS handling_s_400,
      sum(delivery_n) OVER d60 AS delivery_n_60,
      sum(delivery_s) OVER d60 AS delivery_s_60,
      sum(delivery_n) OVER d400 AS delivery_n_400,
      sum(delivery_s) OVER d400 AS delivery_s_400
    FROM days
    WINDOW
      always AS (PARTITION BY node ORDER BY day RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
      d7 AS (PARTITION BY node ORDER BY day RANGE BETWEEN 7 PRECEDING AND 1 PRECEDING),
      d14 AS (PARTITION BY node ORDER BY day RANGE BETWEEN 14 PRECEDING AND 1 PRECEDING),
      d60 AS (PARTITION BY node ORDER BY day RANGE BETWEEN 60 PRECEDING AND 1 PRECEDING),
      d400 AS (PARTITION BY node ORDER BY day RANGE BETWEEN 400 PRECEDING AND 1 PRECEDING)
  )
SELECT
  node,
  day,
  mean_hours(handling_n_14, handling_s_14)::FLOAT AS origin_node_id_handling_hours_mean_14d,
  coalesce(handling_n_14, 0)::FLOAT AS origin_node_id_handling_hours_count_14d,
  mean_hours(handling_n_60, handling_s_60)::FLOAT AS origin_node_id_handling_hours_mean_60d,
  coalesce(handling_n_60, 0)::FLOAT AS origin_node_id_handling_hours_count_60d,
  mean_hours(handling_n_400, handling_s_400)::FLOAT AS origin_node_id_handling_hours_mean_400d,
  coalesce(handling_n_400, 0)::FLOAT AS origin_node_id_handling_hours_count_400d,
  sd_hours(handling_n_60, handling_s_60, handling_q_60)::FLOAT
    AS origin_node_id_handling_hours_sd_60d,
  mean_hours(delivery_n_60, delivery_s_60)::FLOAT AS origin_node_id_delivery_hours_mean_60d,
  coalesce(delivery_n_60, 0)::FLOAT AS origin_node_id_delivery_hours_count_60d,
  mean_hours(delivery_n_400, delivery_s_400)::FLOAT AS origin_node_id_delivery_hours_mean_400d,
  coalesce(delivery_n_400, 0)::FLOAT AS origin_node_id_delivery_hours_count_400d,
  coalesce(unshipped, 0)::FLOAT AS origin_node_id_unshipped_count,
  coalesce(ordered_7, 0)::FLOAT AS origin_node_id_ordered_count_7d
FROM sums
WHERE is_asked;

CREATE TABLE by_lane AS
WITH
  days AS (
    FROM lane_changes
    UNION ALL BY NAME
    SELECT DISTINCT from_region, to_region, day, true AS is_asked FROM placed
  ),
  sums AS (
    SELECT
      from_region,
      to_region,
      day,
      is_asked,
      sum(delivery_n) OVER d14 AS delivery_n_14,
      sum(delivery_s) OVER d14 AS delivery_s_14,
      sum(delivery_n) OVER d60 AS delivery_n_60,
      sum(delivery_s) OVER d60 AS delivery_s_60,
      sum(transit_n) OVER d14 AS transit_n_14,
      sum(transit_s) OVER d14 AS transit_s_14,
      sum(transit_q) OVER d14 AS transit_q_14,
      sum(transit_n) OVER d60 AS transit_n_60,
      sum(transit_s) OVER d60 AS transit_s_60,
      sum(transit_q) OVER d60 AS transit_q_60,
      sum(within_two_days) OVER d60 AS within_two_days_60,
      sum(by_day_10_n) OVER d14 AS by_day_10_n_14,
      sum(by_day_10_s) OVER d14 AS by_day_10_s_14,
      sum(transit_n) OVER d30 AS transit_n_30,
      sum(transit_s) OVER d30 AS transit_s_30,
      sum(transit_n) OVER d400 AS transit_n_400,
      sum(transit_s) OVER d400 AS transit_s_400
    FROM days
    WINDOW
      d14 AS (PARTITION BY from_region, to_region ORDER BY day
        RANGE BETWEEN 14 PRECEDING AND 1 PRECEDING),
      d30 AS (PARTITION BY from_region, to_region ORDER BY day
        RANGE BETWEEN 30 PRECEDING AND 1 PRECEDING),
      d60 AS (PARTITION BY from_region, to_region ORDER BY day
        RANGE BETWEEN 60 PRECEDING AND 1 PRECEDING),
      d400 AS (PARTITION BY from_region, to_region ORDER BY day
        RANGE BETWEEN 400 PRECEDING AND 1 PRECEDING)
  )
SELECT
  from_region,
  to_region,
  day,
  mean_hours(delivery_n_14, delivery_s_14)::FLOAT
    AS origin_region_destination_region_delivery_hours_mean_14d,
  coalesce(delivery_n_14, 0)::FLOAT AS origin_region_destination_region_delivery_hours_count_14d,
  mean_hours(delivery_n_60, delivery_s_60)::FLOAT
    AS origin_region_destination_region_delivery_hours_mean_60d,
  coalesce(delivery_n_60, 0)::FLOAT AS origin_region_destination_region_delivery_hours_count_60d,
  mean_hours(transit_n_14, transit_s_14)::FLOAT
    AS origin_region_destination_region_transit_hours_mean_14d,
  sd_hours(transit_n_14, transit_s_14, transit_q_14)::FLOAT
    AS origin_region_destination_region_transit_hours_sd_14d,
  mean_hours(transit_n_60, transit_s_60)::FLOAT
    AS origin_region_destination_region_transit_hours_mean_60d,
  sd_hours(transit_n_60, transit_s_60, transit_q_60)::FLOAT
    AS origin_region_destination_region_transit_hours_sd_60d,
  mean(delivery_n_60, within_two_days_60)::FLOAT
    AS origin_region_destination_region_within_two_days_mean_60d,
  -- What falls back on the destination, and what finer lanes fall back on.
  by_day_10_n_14 AS lane_by_day_10_n,
  by_day_10_s_14 AS lane_by_day_10_s,
  mean(transit_n_30, transit_s_30) AS lane_transit_mean_30,
  mean(transit_n_400, transit_s_400) AS lane_transit_mean_400
FROM sums
WHERE is_asked;

CREATE TABLE by_lane_of_zones AS
WITH
  days AS (
    SELECT from_zone2, to_zone2, day, transit_n, transit_s
    FROM changes
    WHERE from_zone2 IS NOT NULL
    UNION ALL BY NAME
    SELECT DISTINCT from_zone2, to_zone2, day, true AS is_asked FROM placed
  ),
  sums AS (
    SELECT
      from_zone2,
      to_zone2,
      day,
      is_asked,
      sum(transit_n) OVER d30 AS zones_transit_n_30,
      sum(transit_s) OVER d30 AS zones_transit_s_30,
      sum(transit_n) OVER d400 AS zones_transit_n_400,
      sum(transit_s) OVER d400 AS zones_transit_s_400
    FROM days
    WINDOW
      d30 AS (PARTITION BY from_zone2, to_zone2 ORDER BY day
        RANGE BETWEEN 30 PRECEDING AND 1 PRECEDING),
      d400 AS (PARTITION BY from_zone2, to_zone2 ORDER BY day
        RANGE BETWEEN 400 PRECEDING AND 1 PRECEDING)
  )
SELECT * EXCLUDE (is_asked) FROM sums WHERE is_asked;

CREATE TABLE by_lane_and_carrier AS
WITH
  days AS (
    SELECT from_region, to_region, with_carrier, with_service, day, transit_n, transit_s
    FROM changes
    WHERE from_region IS NOT NULL
    UNION ALL BY NAME
    SELECT DISTINCT
      from_region, to_region, with_carrier, with_service, day, true AS is_asked
    FROM placed
  ),
  sums AS (
    SELECT
      from_region,
      to_region,
      with_carrier,
      with_service,
      day,
      is_asked,
      sum(transit_n) OVER d7 AS transit_n_7,
      sum(transit_s) OVER d7 AS transit_s_7,
      sum(transit_n) OVER d30 AS transit_n_30,
      sum(transit_s) OVER d30 AS transit_s_30
    FROM days
    WINDOW
      d7 AS (PARTITION BY from_region, to_region, with_carrier, with_service ORDER BY day
        RANGE BETWEEN 7 PRECEDING AND 1 PRECEDING),
      d30 AS (PARTITION BY from_region, to_region, with_carrier, with_service ORDER BY day
        RANGE BETWEEN 30 PRECEDING AND 1 PRECEDING)
  )
SELECT
  from_region,
  to_region,
  with_carrier,
  with_service,
  day,
  mean_hours(transit_n_7, transit_s_7)::FLOAT
    AS origin_region_destination_region_carrier_service_transit_hours_mean_7d,
  mean_hours(transit_n_30, transit_s_30)::FLOAT
    AS origin_region_destination_region_carrier_service_transit_hours_mean_30d
FROM sums
WHERE is_asked;

CREATE TABLE by_zone AS
WITH
  days AS (
    SELECT to_zone, day, transit_n, transit_s FROM changes WHERE to_zone IS NOT NULL
    UNION ALL BY NAME
    SELECT DISTINCT to_zone, day, true AS is_asked FROM placed
  ),
  sums AS (
    SELECT
      to_zone,
      day,
      is_asked,
      sum(transit_n) OVER d400 AS zone_transit_n_400,
      sum(transit_s) OVER d400 AS zone_transit_s_400
    FROM days
    WINDOW d400 AS (PARTITION BY to_zone ORDER BY day RANGE BETWEEN 400 PRECEDING AND 1 PRECEDING)
  )
SELECT * EXCLUDE (is_asked) FROM sums WHERE is_asked;

CREATE TABLE by_zone3 AS
WITH
  days AS (
    SELECT
      left(to_zone, 3) AS to_zone3, day, sum(transit_n) AS transit_n, sum(transit_s) AS transit_s
    FROM changes
    WHERE to_zone IS NOT NULL
    GROUP BY ALL
    UNION ALL BY NAME
    SELECT DISTINCT to_zone3, day, true AS is_asked FROM placed
  ),
  sums AS (
    SELECT
      to_zone3,
      day,
      is_asked,
      sum(transit_n) OVER d30 AS zone3_transit_n_30,
      sum(transit_s) OVER d30 AS zone3_transit_s_30,
      sum(transit_n) OVER d400 AS zone3_transit_n_400,
      sum(transit_s) OVER d400 AS zone3_transit_s_400
    FROM days
    WINDOW
      d30 AS (PARTITION BY to_zone3 ORDER BY day RANGE BETWEEN 30 PRECEDING AND 1 PRECEDING),
      d400 AS (PARTITION BY to_zone3 ORDER BY day RANGE BETWEEN 400 PRECEDING AND 1 PRECEDING)
  )
SELECT * EXCLUDE (is_asked) FROM sums WHERE is_asked;

CREATE TABLE by_zone2 AS
WITH
  days AS (
    SELECT
      left(to_zone, 2) AS to_zone2, day, sum(transit_n) AS transit_n, sum(transit_s) AS transit_s
    FROM changes
    WHERE to_zone IS NOT NULL
    GROUP BY ALL
    UNION ALL BY NAME
    SELECT DISTINCT to_zone2, day, true AS is_asked FROM placed
  ),
  sums AS (
    SELECT
      to_zone2,
      day,
      is_asked,
      sum(transit_n) OVER d14 AS transit_n_14,
      sum(transit_s) OVER d14 AS transit_s_14,
      sum(transit_n) OVER d60 AS transit_n_60,
      sum(transit_s) OVER d60 AS transit_s_60
    FROM days
    WINDOW
      d14 AS (PARTITION BY to_zone2 ORDER BY day RANGE BETWEEN 14 PRECEDING AND 1 PRECEDING),
      d60 AS (PARTITION BY to_zone2 ORDER BY day RANGE BETWEEN 60 PRECEDING AND 1 PRECEDING)
  )
SELECT
  to_zone2,
  day,
  mean_hours(transit_n_14, transit_s_14)::FLOAT AS destination_zone2_transit_hours_mean_14d,
  coalesce(transit_n_14, 0)::FLOAT AS destination_zone2_transit_hours_count_14d,
  mean_hours(transit_n_60, transit_s_60)::FLOAT AS destination_zone2_transit_hours_mean_60d,
  coalesce(transit_n_60, 0)::FLOAT AS destination_zone2_transit_hours_count_60d
FROM sums
WHERE is_asked;

CREATE TABLE by_region AS
WITH
  days AS (
    FROM region_changes
    UNION ALL BY NAME
    SELECT DISTINCT to_region, day, true AS is_asked FROM placed
  ),
  sums AS (
    SELECT
      to_region,
      day,
      is_asked,
      sum(open_n) OVER always AS open_n,
      sum(open_s) OVER always AS open_s,
      sum(by_day_10_n) OVER d7 AS by_day_10_n_7,
      sum(by_day_10_s) OVER d7 AS by_day_10_s_7,
      sum(by_day_10_n) OVER d14 AS by_day_10_n_14,
      sum(by_day_10_s) OVER d14 AS by_day_10_s_14,
      sum(transit_n) OVER d30 AS transit_n_30,
      sum(transit_s) OVER d30 AS transit_s_30,
      sum(transit_n) OVER d400 AS transit_n_400,
      sum(transit_s) OVER d400 AS transit_s_400
    FROM days
    WINDOW
      always AS (PARTITION BY to_region ORDER BY day
        RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
      d7 AS (PARTITION BY to_region ORDER BY day RANGE BETWEEN 7 PRECEDING AND 1 PRECEDING),
      d14 AS (PARTITION BY to_region ORDER BY day RANGE BETWEEN 14 PRECEDING AND 1 PRECEDING),
      d30 AS (PARTITION BY to_region ORDER BY day RANGE BETWEEN 30 PRECEDING AND 1 PRECEDING),
      d400 AS (PARTITION BY to_region ORDER BY day RANGE BETWEEN 400 PRECEDING AND 1 PRECEDING)
  )
SELECT
  to_region,
  day,
  coalesce(open_n, 0)::FLOAT AS destination_region_open_count,
  mean_age_hours(day, open_n, open_s)::FLOAT AS destination_region_open_mean,
  mean(by_day_10_n_7, by_day_10_s_7)::FLOAT AS destination_region_delivered_by_day_10_mean_7d,
  mean(by_day_10_n_14, by_day_10_s_14) AS region_by_day_10_mean,
  mean(transit_n_30, transit_s_30) AS region_transit_mean_30,
  mean(transit_n_400, transit_s_400) AS region_transit_mean_400
FROM sums
WHERE is_asked;

CREATE TABLE by_network AS
WITH
  days AS (
    FROM network_changes
    UNION ALL BY NAME
    SELECT DISTINCT day, true AS is_asked FROM placed
  ),
  sums AS (
    SELECT
      day,
      is_asked,
      sum(in_transit) OVER always AS in_transit,
      sum(open_n) OVER always AS open_n,
      sum(open_s) OVER always AS open_s,
      sum(ordered) OVER d7 AS ordered_7,
      sum(delivery_n) OVER d3 AS delivery_n_3,
      sum(delivery_s) OVER d3 AS delivery_s_3,
      sum(delivery_n) OVER d7 AS delivery_n_7,
      sum(delivery_s) OVER d7 AS delivery_s_7,
      sum(delivery_n) OVER d30 AS delivery_n_30,
      sum(delivery_s) OVER d30 AS delivery_s_30,
      sum(transit_n) OVER d3 AS transit_n_3,
      sum(transit_s) OVER d3 AS transit_s_3,
      sum(transit_n) OVER d7 AS transit_n_7,
      sum(transit_s) OVER d7 AS transit_s_7,
      sum(transit_n) OVER d30 AS transit_n_30,
      sum(transit_s) OVER d30 AS transit_s_30,
      sum(handling_n) OVER d3 AS handling_n_3,
      sum(handling_s) OVER d3 AS handling_s_3,
      sum(handling_n) OVER d7 AS handling_n_7,
      sum(handling_s) OVER d7 AS handling_s_7,
      sum(handling_n) OVER d30 AS handling_n_30,
      sum(handling_s) OVER d30 AS handling_s_30,
      sum(by_day_5_n) OVER d3 AS by_day_5_n_3,
      sum(by_day_5_s) OVER d3 AS by_day_5_s_3,
      sum(by_day_5_n) OVER d7 AS by_day_5_n_7,
      sum(by_day_5_s) OVER d7 AS by_day_5_s_7,
      sum(by_day_10_n) OVER d3 AS by_day_10_n_3,
      sum(by_day_10_s) OVER d3 AS by_day_10_s_3,
      sum(by_day_10_n) OVER d7 AS by_day_10_n_7,
      sum(by_day_10_s) OVER d7 AS by_day_10_s_7,
      sum(by_day_20_n) OVER d7 AS by_day_20_n_7,
      sum(by_day_20_s) OVER d7 AS by_day_20_s_7
    FROM days
    WINDOW
      always AS (ORDER BY day RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
      d3 AS (ORDER BY day RANGE BETWEEN 3 PRECEDING AND 1 PRECEDING),
      d7 AS (ORDER BY day RANGE BETWEEN 7 PRECEDING AND 1 PRECEDING),
      d30 AS (ORDER BY day RANGE BETWEEN 30 PRECEDING AND 1 PRECEDING)
  )
SELECT
  day,
  mean_hours(delivery_n_3, delivery_s_3)::FLOAT AS everywhere_delivery_hours_mean_3d,
  coalesce(delivery_n_3, 0)::FLOAT AS everywhere_delivery_hours_count_3d,
  mean_hours(delivery_n_7, delivery_s_7)::FLOAT AS everywhere_delivery_hours_mean_7d,
  coalesce(delivery_n_7, 0)::FLOAT AS everywhere_delivery_hours_count_7d,
  mean_hours(delivery_n_30, delivery_s_30)::FLOAT AS everywhere_delivery_hours_mean_30d,
  coalesce(delivery_n_30, 0)::FLOAT AS everywhere_delivery_hours_count_30d,
  mean_hours(transit_n_3, transit_s_3)::FLOAT AS everywhere_transit_hours_mean_3d,
  mean_hours(transit_n_7, transit_s_7)::FLOAT AS everywhere_transit_hours_mean_7d,
  mean_hours(transit_n_30, transit_s_30)::FLOAT AS everywhere_transit_hours_mean_30d,
  mean_hours(handling_n_3, handling_s_3)::FLOAT AS everywhere_handling_hours_mean_3d,
  mean_hours(handling_n_7, handling_s_7)::FLOAT AS everywhere_handling_hours_mean_7d,
  mean_hours(handling_n_30, handling_s_30)::FLOAT AS everywhere_handling_hours_mean_30d,
  coalesce(ordered_7, 0)::FLOAT AS everywhere_ordered_count_7d,
  coalesce(in_transit, 0)::FLOAT AS everywhere_in_transit_count,
  coalesce(open_n, 0)::FLOAT AS everywhere_open_count,
  mean_age_hours(day, open_n, open_s)::FLOAT AS everywhere_open_mean,
  mean(by_day_5_n_3, by_day_5_s_3)::FLOAT AS everywhere_delivered_by_day_5_mean_3d,
  mean(by_day_5_n_7, by_day_5_s_7)::FLOAT AS everywhere_delivered_by_day_5_mean_7d,
  mean(by_day_10_n_3, by_day_10_s_3)::FLOAT AS everywhere_delivered_by_day_10_mean_3d,
  mean(by_day_10_n_7, by_day_10_s_7)::FLOAT AS everywhere_delivered_by_day_10_mean_7d,
  mean(by_day_20_n_7, by_day_20_s_7)::FLOAT AS everywhere_delivered_by_day_20_mean_7d
FROM sums
WHERE is_asked;


-- All of it, one row a shipment ---------------------------------------------------------------

CREATE VIEW features AS
SELECT
  shipment_id,
  order_id,
  make_timestamptz(ordered_at) AS ordered_at,
  make_timestamptz(recorded_at) AS recorded_at,
  placed.* EXCLUDE (
    shipment, shipment_id, order_id, ordered_at, recorded_at, order_first_day, ordered_day, day,
    node, from_region, to_region, with_carrier, with_service, from_zone2, to_zone2, to_zone3,
    to_zone),
  by_node.* EXCLUDE (node, day),
  by_lane.* EXCLUDE (from_region, to_region, day, lane_by_day_10_n, lane_by_day_10_s,
    lane_transit_mean_30, lane_transit_mean_400),
  by_lane_and_carrier.* EXCLUDE (from_region, to_region, with_carrier, with_service, day),
  by_zone2.* EXCLUDE (to_zone2, day),
  by_region.* EXCLUDE (to_region, day, region_by_day_10_mean, region_transit_mean_30,
    region_transit_mean_400),
  by_network.* EXCLUDE (day),

  -- Means of sparse keys, shrunk towards those of coarser ones.
  (shrunk_mean(zones_transit_n_30, zones_transit_s_30, lane_transit_mean_30) / 3600)::FLOAT
    AS origin_zone2_destination_zone2_transit_hours_mean_30d,
  coalesce(zones_transit_n_30, 0)::FLOAT
    AS origin_zone2_destination_zone2_transit_hours_count_30d,
  (shrunk_mean(zones_transit_n_400, zones_transit_s_400, lane_transit_mean_400) / 3600)::FLOAT
    AS origin_zone2_destination_zone2_transit_hours_mean_400d,
  coalesce(zones_transit_n_400, 0)::FLOAT
    AS origin_zone2_destination_zone2_transit_hours_count_400d,
  (shrunk_mean(zone3_transit_n_30, zone3_transit_s_30, region_transit_mean_30) / 3600)::FLOAT
    AS destination_zone3_transit_hours_mean_30d,
  coalesce(zone3_transit_n_30, 0)::FLOAT AS destination_zone3_transit_hours_count_30d,
  (shrunk_mean(zone3_transit_n_400, zone3_transit_s_400, region_transit_mean_400) / 3600)::FLOAT
    AS destination_zone3_transit_hours_mean_400d,
  coalesce(zone3_transit_n_400, 0)::FLOAT AS destination_zone3_transit_hours_count_400d,
  (shrunk_mean(zone_transit_n_400, zone_transit_s_400,
    mean(zone3_transit_n_400, zone3_transit_s_400)) / 3600)::FLOAT
    AS destination_zone_transit_hours_mean_400d,
  coalesce(zone_transit_n_400, 0)::FLOAT AS destination_zone_transit_hours_count_400d,
  shrunk_mean(lane_by_day_10_n, lane_by_day_10_s, region_by_day_10_mean)::FLOAT
    AS origin_region_destination_region_delivered_by_day_10_mean_14d
-- Left joins are done in this order; others might first join two histories by their days alone.
FROM placed
LEFT JOIN by_node USING (node, day)
LEFT JOIN by_lane USING (from_region, to_region, day)
LEFT JOIN by_lane_of_zones USING (from_zone2, to_zone2, day)
LEFT JOIN by_lane_and_carrier USING (from_region, to_region, with_carrier, with_service, day)
LEFT JOIN by_zone USING (to_zone, day)
LEFT JOIN by_zone3 USING (to_zone3, day)
LEFT JOIN by_zone2 USING (to_zone2, day)
LEFT JOIN by_region USING (to_region, day)
LEFT JOIN by_network USING (day);
