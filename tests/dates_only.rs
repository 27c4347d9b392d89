//! A shop whose orders and deliveries have dates and no times of day, as the import guide says to bring
//! it in: written by hand here, in Latin-1, packed, with German dates.

use std::io::Write as _;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::program::{Folder, longhaul, read_frame, root};

const IMPORT: &str = r#"
[sources.sales]
file = "sales.csv.gz"
separator = ";"
encoding = "latin1"
text = ["plz", "bestellt", "geliefert"]
nulls = ["00.00.0000"]

[targets.orders]
sql = "orders.sql"

[targets.shipments]
sql = "shipments.sql"
"#;

const ORDERS: &str = "
WITH days AS (
  SELECT nr, plz, ort, STRPTIME(bestellt || ' 00:00+0000', '%d.%m.%Y %H:%M%z') AS day FROM sales
)
SELECT CAST(nr AS VARCHAR) AS order_id, day AS recorded_at, day AS ordered_at, 'placed' AS status,
  plz AS destination_zone, ort AS destination_region, 'UTC' AS destination_time_zone
FROM days";

const SHIPMENTS: &str = "
WITH
  days AS (
    SELECT CAST(nr AS VARCHAR) AS id, STRPTIME(bestellt || ' 00:00+0000', '%d.%m.%Y %H:%M%z') AS ordered_at,
      STRPTIME(geliefert || ' 00:00+0000', '%d.%m.%Y %H:%M%z') AS arrived_at
    FROM sales
  ),
  versions AS (
    SELECT id, 'created' AS status, ordered_at AS recorded_at, NULL AS delivered_at FROM days
    UNION ALL
    SELECT id, 'delivered' AS status,
      arrived_at + INTERVAL '23 hours 59 minutes 59 seconds' AS recorded_at, arrived_at AS delivered_at
    FROM days WHERE arrived_at IS NOT NULL
  )
SELECT id AS shipment_id, id AS order_id, recorded_at, status, 'lager' AS origin_node_id,
  'lager' AS origin_zone, 'lager' AS origin_region, 1 AS n_units, delivered_at
FROM versions";

/// Ten orders a day from 1 January on, each delivered after one to five days; the last ones are open.
fn sales(days: i32) -> Vec<u8> {
    let day = |day: i32| {
        let date = terms::Day::since_epoch(20_454 + day).date();
        date.format("%d.%m.%Y").to_string()
    };
    let mut text = String::from("nr;plz;ort;bestellt;geliefert\n");
    for n in 0..days * 10 {
        let (ordered, took) = (n / 10, 1 + (n * 7 + n / 10) % 5);
        let delivered =
            if ordered + took < days { day(ordered + took) } else { "00.00.0000".into() };
        text += &format!("{n};0{};K\u{f6}ln;{};{delivered}\n", 1067 + n % 7, day(ordered));
    }
    // Latin-1: each character is its byte.
    text.chars().map(|c| u8::try_from(u32::from(c)).expect("Latin-1")).collect()
}

#[test]
fn a_shop_with_dates_only_has_forecasts_of_whole_days() {
    let (folder, store) = (Folder::empty(), Folder::empty());
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, bytes).expect("a file");
    };
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(&sales(150)).expect("packed");
    write("sales.csv.gz", &packed.finish().expect("packed"));
    for (name, text) in
        [("import.toml", IMPORT), ("orders.sql", ORDERS), ("shipments.sql", SHIPMENTS)]
    {
        write(&format!("imports/laden/{name}"), text.as_bytes());
    }
    let declaration = root().join("pipelines/features/default.toml");
    let pipeline = format!(
        "[features]\ndeclaration = {declaration:?}\n[train]\nfamilies = [\"baseline\"]\n[evaluate]\n\
         bootstrap_rounds = 20\n"
    );
    write("laden.toml", pipeline.as_bytes());
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();

    let imported = longhaul(&[
        "import",
        "laden",
        "--imports",
        &path("imports"),
        "--from",
        folder.url(),
        "--store",
        store.url(),
        "--json",
    ]);
    let tables = imported.ok().json()["tables"].clone();
    assert_eq!(
        (tables[0]["rows"].as_u64(), tables[0]["last"].as_str()),
        (Some(1500), Some("2026-05-30"))
    );

    // The day after the last one.
    let as_of = ["--store", store.url(), "--as-of", "2026-05-31", "--json"];
    let stage =
        |verb: &str| longhaul(&[&[verb, &path("laden.toml")], &as_of[..]].concat()).ok().json();
    let check = stage("check");
    assert_eq!(check["summary"]["rows_quarantined"], 0);
    assert_eq!(check["summary"]["reasons"], serde_json::json!({}));
    stage("run");
    let scored = stage("score");
    let predictions =
        Path::new(scored["folder"].as_str().expect("a folder")).join("predictions.parquet");
    let frame = read_frame(&store.path().join(predictions));
    assert!(frame.height() > 10, "{}", frame.height());
    for level in ["hours_p05", "hours_p50", "hours_p95"] {
        let hours = frame.column(level).expect(level).cast(&polars::prelude::DataType::Float64);
        for hours in hours.expect("numbers").f64().expect("numbers").iter().flatten() {
            assert!((hours / 24.0).fract().abs() < 1e-6, "{level}: {hours}");
            assert!((24.0..=24.0 * 7.0).contains(&hours), "{level}: {hours}");
        }
    }
}
