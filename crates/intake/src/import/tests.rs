//! A small import, and each kind of error in one.
#![expect(clippy::disallowed_methods, reason = "test code")]

use std::fs;

use terms::ErrorClass;

use super::*;
use crate::fixture::{at, check_anew, contents, contracts, find, memory};

mod sources;
mod sql_page;

const IMPORT: &str = r#"
[sources.sales]
file = "sales.csv"
text = ["zip"]
local_times = ["bought", "sent", "arrived"]
local_time_zone = "Europe/Berlin"

[targets.orders]
sql = "orders.sql"

[targets.shipments]
sql = "shipments.sql"
"#;

const ORDERS: &str = "
SELECT id AS order_id, bought AS recorded_at, bought AS ordered_at, 'placed' AS status,
  LPAD(zip, 5, '0') AS destination_zone, 'BE' AS destination_region
FROM sales";

const SHIPMENTS: &str = "
WITH versions AS (
  SELECT id, bought AS recorded_at, 'created' AS status, NULL AS sent, NULL AS arrived, units, zip
  FROM sales
  UNION ALL
  SELECT id, arrived AS recorded_at, 'delivered' AS status, sent, arrived, units, zip
  FROM sales WHERE arrived IS NOT NULL
)
SELECT 's' || id AS shipment_id, id AS order_id, recorded_at, status, 'w1' AS origin_node_id,
  zip AS origin_zone, 'BE' AS origin_region, units AS n_units, sent AS handed_over_at,
  arrived AS delivered_at
FROM versions";

/// Sale 4 is bought in the hour that 2026-03-29 does not have.
const SALES: &str = "\
id,zip,units,bought,sent,arrived
1,01067,1,2026-03-27 08:00:00,2026-03-27 18:00:00,2026-03-30 10:00:00
2,10115,2,2026-03-27 08:30:00,2026-03-28 18:00:00,2026-03-30 10:00:00
3,10115,1,2026-03-28 00:30:00,,
4,99817,1,2026-03-29 02:30:00,2026-03-29 12:00:00,2026-03-31 09:00:00
";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        let files = [
            ("import.toml", IMPORT),
            ("orders.sql", ORDERS),
            ("shipments.sql", SHIPMENTS),
            ("sales.csv", SALES),
        ];
        files.into_iter().for_each(|(name, text)| folder.write(name, text));
        folder
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).unwrap();
    }

    fn import(&self, store: &Store, force: bool) -> Result<ImportReport, Error> {
        import(store, self.0.path(), self.0.path(), &contracts(), force)
    }

    /// The import fails with this message, in which the folder's own path is left out, and writes
    /// nothing.
    #[track_caller]
    fn fails(&self, message: &str, class: ErrorClass) -> Error {
        let store = memory();
        let error = self.import(&store, false).unwrap_err();
        let folder = format!("{}/", self.0.path().display());
        assert_eq!(error.to_string().replace(&folder, ""), message);
        assert_eq!(error.class(), class);
        assert_eq!(contents(&store).len(), 0);
        error
    }

    #[track_caller]
    fn fails_with(&self, name: &str, text: &str, message: &str, class: ErrorClass) {
        let before = fs::read_to_string(self.0.path().join(name)).unwrap();
        self.write(name, text);
        self.fails(message, class);
        self.write(name, &before);
    }
}

#[test]
fn an_import_gives_checked_tables_by_the_utc_day_they_were_recorded_on() {
    let (folder, store) = (Folder::new(), memory());
    let report = folder.import(&store, false).unwrap();
    let [orders, shipments] = report.tables.as_slice() else { panic!("{report:?}") };
    assert_eq!((orders.rows, orders.partitions_written), (4, 2));
    assert_eq!((shipments.rows, shipments.partitions_written), (7, 4));
    assert_eq!(shipments.last.to_string(), "2026-03-31");

    let as_of = at("2026-04-01");
    let checked = check_anew(&store, &contracts(), as_of).unwrap();
    assert_eq!(checked.tables["shipments"].rows_ok, 7);
    let contract = crate::fixture::contract("orders");
    let read = crate::check::checked_frame::read_checked(
        &store,
        &contract,
        &checked.tables["orders"],
        None,
        as_of,
    );
    let read = read.unwrap();
    let text = |name: &str| {
        let column = read.column(name).unwrap();
        (0..4).map(|row| column.get(row).unwrap().str_value().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(text("destination_zone"), ["01067", "10115", "10115", "99817"]);
    assert_eq!(
        text("ordered_at"),
        [
            "2026-03-27 07:00:00 UTC",
            "2026-03-27 07:30:00 UTC",
            "2026-03-27 23:30:00 UTC",
            "2026-03-29 01:30:00 UTC",
        ]
    );
}

#[test]
fn a_second_import_leaves_everything_alone_and_another_needs_force() {
    let (folder, store) = (Folder::new(), memory());
    folder.import(&store, false).unwrap();
    let before = contents(&store);
    let again = folder.import(&store, false).unwrap();
    assert_eq!((again.tables[0].partitions_written, again.tables[0].partitions_same), (0, 2));
    assert_eq!(contents(&store), before);

    folder.write("sales.csv", &SALES.replace("99817,1", "99817,3"));
    let error = folder.import(&store, false).unwrap_err();
    assert_eq!(
        error.to_string(),
        "shipments tables/shipments/recorded_on=2026-03-29/part-0000.parquet: expected the same \
         bytes as are there, found others (2 of 4 partitions differ)"
    );
    assert_eq!(error.class(), ErrorClass::Contract);
    assert_eq!(contents(&store), before);
    let forced = folder.import(&store, true).unwrap();
    assert_eq!((forced.tables[1].partitions_written, forced.tables[1].partitions_same), (2, 2));
}

#[test]
fn the_order_of_rows_in_a_source_does_not_matter() {
    let (folder, store, other) = (Folder::new(), memory(), memory());
    folder.import(&store, false).unwrap();
    let mut lines: Vec<&str> = SALES.lines().collect();
    lines[1..].reverse();
    folder.write("sales.csv", &lines.join("\n"));
    folder.import(&other, false).unwrap();
    assert_eq!(contents(&store), contents(&other));
}

#[test]
fn a_wrong_description_is_named() {
    let folder = Folder::new();
    folder.fails_with(
        "import.toml",
        &IMPORT.replace("local_time_zone = \"Europe/Berlin\"", ""),
        "import.toml: sources.sales.local_time_zone: expected an IANA name like \
         America/Sao_Paulo, found none",
        ErrorClass::Configuration,
    );
    folder.fails_with(
        "import.toml",
        &IMPORT.replace("Europe/Berlin", "Berlin"),
        "import.toml: sources.sales.local_time_zone: expected an IANA name like \
         America/Sao_Paulo, found \"Berlin\"",
        ErrorClass::Configuration,
    );
    folder.fails_with(
        "import.toml",
        &IMPORT.replace("targets.orders", "targets.order"),
        "import.toml: targets: expected shipments, orders, found order",
        ErrorClass::Configuration,
    );
    folder.fails_with(
        "import.toml",
        &IMPORT.replace("text =", "texts ="),
        "import.toml: expected the description of an import",
        ErrorClass::Configuration,
    );
    fs::remove_file(folder.0.path().join("import.toml")).unwrap();
    folder.fails("import.toml: cannot be read", ErrorClass::Configuration);
}

#[test]
fn a_wrong_source_is_named() {
    let folder = Folder::new();
    folder.fails_with(
        "sales.csv",
        &SALES.replacen("zip", "plz", 1),
        "source \"sales\" sales.csv: column \"zip\": not among id, plz, units, bought, sent, arrived",
        ErrorClass::Contract,
    );
    folder.fails_with(
        "sales.csv",
        &SALES.replace("2026-03-28 00:30:00", "yesterday"),
        "source \"sales\" sales.csv: column \"bought\" row 3: expected a local time like \
         2018-01-31 13:45:00, found \"yesterday\"",
        ErrorClass::Contract,
    );
    fs::remove_file(folder.0.path().join("sales.csv")).unwrap();
    let error = folder.fails("source \"sales\" sales.csv: cannot be read", ErrorClass::Input);
    let folder = folder.0.path().display().to_string();
    assert!(error.hint().unwrap().contains(&folder));
}

#[test]
fn a_wrong_statement_is_named() {
    let folder = Folder::new();
    folder.fails_with(
        "orders.sql",
        "SELEKT 1",
        "orders.sql: cannot be computed",
        ErrorClass::Configuration,
    );
    let unknown = ORDERS.replace("FROM sales", "FROM sails");
    folder.fails_with(
        "orders.sql",
        &unknown,
        "orders.sql: cannot be computed",
        ErrorClass::Configuration,
    );
    let none = format!("{ORDERS} WHERE units > 99");
    folder.fails_with(
        "orders.sql",
        &none,
        "orders.sql: expected rows, found none",
        ErrorClass::Contract,
    );
    folder.fails_with(
        "orders.sql",
        &ORDERS.replace("'placed' AS status,", ""),
        "orders.sql: column \"status\": expected text, found no such column",
        ErrorClass::Contract,
    );
    folder.fails_with(
        "orders.sql",
        &ORDERS.replace("'placed' AS status,", "'placed' AS status, sent AS payed_at,"),
        "orders.sql: column \"payed_at\": expected one of order_id, recorded_at, ordered_at, \
         paid_at, status, destination_zone, destination_region, destination_lat, \
         destination_lon, destination_time_zone, ship_option, promised_at, found a column that \
         the contract does not name",
        ErrorClass::Contract,
    );
    folder.fails_with(
        "orders.sql",
        &ORDERS.replace("bought AS ordered_at", "zip AS ordered_at"),
        "orders.sql: column \"ordered_at\": expected timestamp in UTC with microseconds, found \
         str",
        ErrorClass::Contract,
    );
    folder.fails_with(
        "orders.sql",
        &ORDERS.replace("bought AS recorded_at", "sent AS recorded_at"),
        "orders.sql: column \"recorded_at\": expected an instant in every row, found 1 rows \
         without",
        ErrorClass::Contract,
    );
}

#[test]
fn a_wrong_statement_says_why_without_the_plan() {
    let folder = Folder::new();
    let why = |condition: &str| {
        folder.write("orders.sql", &format!("{ORDERS} WHERE {condition}"));
        let error = folder.fails("orders.sql: cannot be computed", ErrorClass::Configuration);
        std::error::Error::source(&error).unwrap().to_string()
    };
    let compared = why("STRPTIME(zip, '%d/%m/%Y') >= '2026-03-28'");
    assert_eq!(compared, "cannot compare 'date/datetime/time' to a string value");
    assert!(!why("STRPTIME(zip, '%d/%m/%Y') IS NULL").contains("plan"));
}

#[test]
fn a_time_in_another_format_is_read_in_sql_with_its_offset() {
    let (folder, store) = (Folder::new(), memory());
    let written = SALES.replace("2026-03-28 00:30:00", "28/03/2026 00:30");
    folder.write("sales.csv", &written);
    let message = "source \"sales\" sales.csv: column \"bought\" row 3: expected a local time like \
                   2018-01-31 13:45:00, found \"28/03/2026 00:30\"";
    assert!(folder.fails(message, ErrorClass::Contract).hint().unwrap().contains("STRPTIME"));

    folder.write("sales.csv", "id,zip,written\n1,01067,28/03/2026 00:30\n");
    folder.write("import.toml", &IMPORT.replace("[\"bought\", \"sent\", \"arrived\"]", "[]"));
    let description = "[targets.shipments]\nsql = \"shipments.sql\"\n";
    let only_orders = fs::read_to_string(folder.0.path().join("import.toml")).unwrap();
    folder.write("import.toml", &only_orders.replace(description, ""));
    let read = |time: &str| ORDERS.replace("bought AS", &format!("{time} AS"));
    folder.write("orders.sql", &read("STRPTIME(written, '%d/%m/%Y %H:%M')"));
    let message = "orders.sql: column \"recorded_at\": expected timestamp in UTC with \
                   microseconds, found timestamp without zone";
    assert!(folder.fails(message, ErrorClass::Contract).hint().unwrap().contains("STRPTIME"));

    folder.write("orders.sql", &read("STRPTIME(written || '+0900', '%d/%m/%Y %H:%M%z')"));
    let report = folder.import(&store, false).unwrap();
    // Half past midnight in Tokyo is the day before in UTC.
    assert_eq!(report.tables[0].first.to_string(), "2026-03-27");
}

#[test]
fn sql_reads_its_declared_sources_alone_and_is_not_endless() {
    let folder = Folder::new();
    for function in ["read_csv('/etc/passwd')", "\"READ_CSV\" ('/etc/passwd')"] {
        folder.write("orders.sql", &ORDERS.replace("FROM sales", &format!("FROM {function}")));
        let error = import(&memory(), folder.0.path(), folder.0.path(), &contracts(), false);
        let error = error.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Configuration);
        assert!(error.to_string().to_lowercase().contains("the function read_csv"), "{error}");
    }
    let long = vec!["zip"; 20_000].join(" || ");
    folder.write("orders.sql", &ORDERS.replace("LPAD(zip", &format!("LPAD({long}")));
    folder.fails(
        "orders.sql: expected at most 5000 words and signs, found more",
        ErrorClass::Configuration,
    );
    // As long as it may be, it is computed.
    let long = vec!["id"; 100].join(" + ");
    let wide = format!("{long} < 0 AS ignored");
    folder.write("orders.sql", &format!("SELECT {wide} FROM sales"));
    let error = import(&memory(), folder.0.path(), folder.0.path(), &contracts(), false);
    assert!(error.unwrap_err().to_string().contains("\"ignored\""));
}

#[test]
fn instants_that_no_clock_shows_are_refused_by_row() {
    let folder = Folder::new();
    folder.write("sales.csv", &SALES.replace("2026-03-28 00:30:00", "+262142-12-31 23:00:00"));
    let message = "source \"sales\" sales.csv: column \"bought\" row 3: expected a local time like \
                   2018-01-31 13:45:00, found \"+262142-12-31 23:00:00\"";
    folder.fails(message, ErrorClass::Contract);
    // What systems write for none is imported, and its rows are for the check.
    folder.write("sales.csv", &SALES.replace("2026-03-28 00:30:00", "0001-01-01 00:00:00"));
    let store = memory();
    assert_eq!(folder.import(&store, false).unwrap().tables[0].first.to_string(), "0000-12-31");
    let checked = find(&store, &contracts(), at("2026-04-02"));
    let error = checked.unwrap_err().to_string();
    assert!(error.contains("recorded_at_range 1"), "{error}");
}

#[test]
fn whatever_is_altered_in_a_description_it_is_read_or_refused() {
    let random = &mut statistics::SplitMix64::new(11);
    let letters: Vec<char> = "[]{}=\"'.,# \n0a".chars().collect();
    let folder = Folder::new();
    let mut refused = 0;
    for _ in 0..150 {
        let mut text: Vec<char> = IMPORT.chars().collect();
        for _ in 0..=random.next_u64() % 3 {
            let at = random.next_u64() as usize % text.len();
            text[at] = letters[random.next_u64() as usize % letters.len()];
        }
        folder.write("import.toml", &text.into_iter().collect::<String>());
        if let Err(error) = import(&memory(), folder.0.path(), folder.0.path(), &contracts(), false)
        {
            refused += 1;
            assert_ne!(error.class(), ErrorClass::Internal, "{error}");
        }
    }
    assert!(refused > 50, "{refused}");
    folder.write("import.toml", &("a = ".to_owned() + &"[".repeat(100_000)));
    let error = import(&memory(), folder.0.path(), folder.0.path(), &contracts(), false);
    assert_eq!(error.unwrap_err().class(), ErrorClass::Configuration);
}

#[test]
#[ignore = "needs the Olist CSVs: make test-olist DIR=…"]
fn olist_is_imported_and_its_odd_rows_are_quarantined() {
    let from = std::env::var_os("OLIST_DIR").expect("OLIST_DIR names the folder of the CSVs");
    let folder = std::env::var_os("CARGO_MANIFEST_DIR").expect("run by cargo");
    let folder = Path::new(&folder).join("../../pipelines/imports/olist");
    let (target, as_of) = (tempfile::tempdir().unwrap(), at("2018-06-01"));
    let url = format!("file://{}", target.path().display());
    let settings = store::StoreSettings::resolve(&url, &Default::default()).unwrap();
    let store = Store::open(&settings).unwrap();
    import(&store, &folder, Path::new(&from), &contracts(), false).unwrap();

    let found = find(&store, &contracts(), as_of).unwrap();
    crate::quarantine::copies::write_quarantine(&store, &found).unwrap();
    let checked = found.check;
    let reasons = |table: &str| {
        let found = &checked.tables[table];
        assert_eq!(found.rows_in, found.rows_ok + found.rows_quarantined + found.rows_dropped);
        let reasons = found.reasons.iter().map(|(rule, rows)| (rule.as_str(), *rows));
        (found.rows_in, reasons.collect::<Vec<_>>())
    };
    assert_eq!(reasons("orders"), (160_448, vec![]));
    let odd = vec![
        ("delivered_before_handover", 42),
        ("delivered_yet_cancelled", 6),
        ("handed_over_before_ordered", 68),
    ];
    assert_eq!(reasons("shipments"), (315_738, odd));
}
