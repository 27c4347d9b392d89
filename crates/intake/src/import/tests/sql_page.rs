//! `docs/import-sql.md`: the SQL of an import, each function with an example and what that gives,
//! made by running them. `RENEW_SNAPSHOTS=1` writes the page.

use polars::prelude::{AnyValue, DataFrame};
use polars::sql::SQLContext;

use super::super::description::Source;
use super::super::source;
use super::*;

/// The rows that the examples read.
const ROWS: &str = "\
zip,city,units,price,at,paid,log
01067,dresden,3,12.5,2026-03-28 13:45:10,2026-04-01,10;20;30
10115,Berlin,1,7.25,2026-03-28 14:00:00,2026-04-02,10
,,2,,2026-03-29 09:30:00,,
";

/// By kind, expressions of which each uses another function; of aggregates all rows are read, of all
/// else the first is shown.
const EXAMPLES: &[(&str, &[&str])] = &[
    (
        "Texts",
        &[
            "zip || '-' || city",
            "UPPER(city)",
            "LOWER(city)",
            "LENGTH(city)",
            "CHAR_LENGTH(city)",
            "CHARACTER_LENGTH(city)",
            "OCTET_LENGTH(city)",
            "BIT_LENGTH(city)",
            "UPPER(LEFT(city, 1)) || LOWER(SUBSTR(city, 2))",
            "LEFT(zip, 2)",
            "RIGHT(zip, 2)",
            "SUBSTR(zip, 2, 3)",
            "SUBSTRING(zip FROM 2 FOR 3)",
            "LPAD('67', 5, '0')",
            "RPAD(zip, 7, 'x')",
            "LTRIM('  a ')",
            "RTRIM(' a  ')",
            "TRIM('  a  ')",
            "REPLACE(city, 'd', 'D')",
            "REVERSE(zip)",
            "CONCAT(zip, ' ', city)",
            "CONCAT_WS(' ', zip, city)",
            "SPLIT_PART(log, ';', 2)",
            "STRING_TO_ARRAY(log, ';')",
            "STRPOS(log, ';')",
            "POSITION(';' IN log)",
            "STARTS_WITH(zip, '01')",
            "ENDS_WITH(zip, '67')",
            "REGEXP_LIKE(zip, '^[0-9]{5}$')",
            "NORMALIZE(city)",
            "city LIKE 'd%'",
            "city ILIKE 'D_esden'",
            "zip RLIKE '^0'",
        ],
    ),
    (
        "Dates and times",
        &[
            "STRPTIME('28/03/2026 13:45 +0100', '%d/%m/%Y %H:%M %z')",
            "STRPTIME('28/03/2026', '%d/%m/%Y')",
            "STRFTIME(at, '%Y-%m')",
            "DATE('2026-03-28')",
            "DATE('28/03/2026', '%d/%m/%Y')",
            "TIME('13:45:10')",
            "TIMESTAMP('2026-03-28 13:45:10')",
            "DATE_PART('hour', at)",
            "EXTRACT(YEAR FROM at)",
            "CAST(at AS DATE)",
            "at::date",
            "at + INTERVAL '2 days 3 hours'",
            "at - INTERVAL '30 minutes'",
            "paid - at",
            "DATE '2026-03-28'",
            "TIMESTAMP '2026-03-28 13:45:10'",
            "at < STRPTIME('2026-03-29 00:00 +0000', '%Y-%m-%d %H:%M %z')",
        ],
    ),
    (
        "Choices",
        &[
            "CASE WHEN units > 2 THEN 'many' ELSE 'few' END",
            "IF(units > 2, 'many', 'few')",
            "COALESCE(NULL, city)",
            "IFNULL(NULL, city)",
            "NULLIF(city, 'dresden')",
            "GREATEST(units, 5)",
            "LEAST(units, 5)",
            "units BETWEEN 1 AND 3",
            "zip IN ('01067', '10115')",
            "city IS NULL",
        ],
    ),
    (
        "Numbers",
        &[
            "CAST('3' AS BIGINT)",
            "CAST(units AS DOUBLE)",
            "CAST(units AS VARCHAR)",
            "TRY_CAST('three' AS BIGINT)",
            "CAST(REPLACE('12,50', ',', '.') AS DOUBLE)",
            "units / 2",
            "units // 2",
            "units % 2",
            "ABS(-1.5)",
            "ROUND(price, 0)",
            "CEIL(price)",
            "CEILING(price)",
            "FLOOR(price)",
            "TRUNC(price)",
            "MOD(units, 2)",
            "DIV(units, 2)",
            "SIGN(price)",
            "SQRT(16.0)",
            "CBRT(27.0)",
            "POW(2, 3)",
            "POWER(2, 3)",
            "EXP(0.0)",
            "LN(1.0)",
            "LOG(8.0, 2)",
            "LOG2(8.0)",
            "LOG10(100.0)",
            "LOG1P(0.0)",
            "PI()",
            "BITAND(units, 2)",
            "BITOR(units, 4)",
            "BITXOR(units, 1)",
            "BITNOT(units)",
            "DEGREES(0.0)",
            "RADIANS(180.0)",
            "SIN(0.0)",
            "COS(0.0)",
            "TAN(0.0)",
            "COT(1.0)",
            "ASIN(0.0)",
            "ACOS(1.0)",
            "ATAN(0.0)",
            "ATAN2(0.0, 1.0)",
            "SIND(30.0)",
            "COSD(60.0)",
            "TAND(45.0)",
            "COTD(45.0)",
            "ASIND(1.0)",
            "ACOSD(1.0)",
            "ATAND(1.0)",
            "ATAN2D(1.0, 1.0)",
        ],
    ),
    (
        "Aggregates, with GROUP BY or over all rows",
        &[
            "COUNT(*)",
            "COUNT(DISTINCT city)",
            "SUM(units)",
            "TOTAL(units)",
            "MIN(at)",
            "MAX(at)",
            "AVG(units)",
            "MEDIAN(units)",
            "QUANTILE_CONT(units, 0.9)",
            "QUANTILE_DISC(units, 0.9)",
            "FIRST(zip)",
            "LAST(city)",
            "STDDEV(units)",
            "STDEV(units)",
            "STDDEV_SAMP(units)",
            "STDEV_SAMP(units)",
            "VAR(units)",
            "VAR_SAMP(units)",
            "VARIANCE(units)",
            "CORR(units, price)",
            "COVAR(units, price)",
            "COVAR_POP(units, price)",
            "COVAR_SAMP(units, price)",
            "STRING_AGG(city, ', ')",
            "ARRAY_AGG(units)",
        ],
    ),
    (
        "Windows",
        &[
            "ROW_NUMBER() OVER (ORDER BY at)",
            "LAG(zip) OVER (ORDER BY at)",
            "LEAD(zip) OVER (ORDER BY at)",
            "FIRST_VALUE(zip) OVER (ORDER BY at)",
            "LAST_VALUE(units) OVER (ORDER BY at)",
            "SUM(units) OVER (ORDER BY at)",
            "MAX(units) OVER (PARTITION BY city)",
            "COUNT(*) OVER (PARTITION BY city)",
        ],
    ),
    (
        "Lists",
        &[
            "ARRAY_CONTAINS(STRING_TO_ARRAY(log, ';'), '20')",
            "ARRAY_GET(STRING_TO_ARRAY(log, ';'), 1)",
            "ARRAY_LENGTH(STRING_TO_ARRAY(log, ';'))",
            "ARRAY_LOWER(STRING_TO_ARRAY(log, ';'))",
            "ARRAY_UPPER(STRING_TO_ARRAY(log, ';'))",
            "ARRAY_MEAN(ARRAY_AGG(units))",
            "ARRAY_SUM(ARRAY_AGG(units))",
            "ARRAY_REVERSE(STRING_TO_ARRAY(log, ';'))",
            "ARRAY_LENGTH(ARRAY_UNIQUE(ARRAY_AGG(units)))",
            "ARRAY_TO_STRING(STRING_TO_ARRAY(log, ';'), '+')",
            "UNNEST(STRING_TO_ARRAY(log, ';'))",
        ],
    ),
];

/// Statements, each with another clause.
const STATEMENTS: &[&str] = &[
    "WITH many AS (SELECT * FROM sales WHERE units > 1) SELECT zip FROM many",
    "SELECT zip FROM sales UNION ALL SELECT city FROM sales",
    "SELECT zip FROM sales UNION SELECT city FROM sales",
    "SELECT DISTINCT city FROM sales",
    "SELECT * EXCLUDE (log) FROM sales",
    "SELECT a.zip FROM sales AS a JOIN sales AS b ON a.zip = b.zip",
    "SELECT a.zip FROM sales AS a JOIN sales AS b ON a.units > b.units",
    "SELECT a.zip FROM sales AS a LEFT JOIN sales AS b ON a.zip = b.zip AND a.units = b.units",
    "SELECT a.zip FROM sales AS a FULL JOIN sales AS b ON a.zip = b.zip",
    "SELECT a.zip FROM sales AS a CROSS JOIN sales AS b",
    "SELECT zip FROM sales SEMI JOIN sales AS b ON sales.zip = b.zip",
    "SELECT zip FROM sales ANTI JOIN sales AS b ON sales.zip = b.zip",
    "SELECT zip FROM sales WHERE zip IN (SELECT zip FROM sales WHERE units > 1)",
    "SELECT city, SUM(units) AS n FROM sales GROUP BY city HAVING SUM(units) > 1",
    "SELECT zip FROM (SELECT zip FROM sales) AS t ORDER BY zip LIMIT 1",
];

/// What other databases have and this one has not, and what to write instead.
const NOT_THERE: &[(&str, &str)] = &[
    ("DATE_TRUNC('day', at)", "CAST(at AS DATE)"),
    ("DATEDIFF('day', at, paid)", "paid - at, which is a duration"),
    ("DATE_ADD(at, 1)", "at + INTERVAL '1 day'"),
    ("TO_TIMESTAMP(zip)", "STRPTIME"),
    ("TO_DATE('28/03/2026', 'DD/MM/YYYY')", "DATE('28/03/2026', '%d/%m/%Y')"),
    ("at AT TIME ZONE 'Europe/Berlin'", "local_times in import.toml"),
    ("NOW()", "the time of the extract, as a column of the file"),
    ("REGEXP_REPLACE(zip, '0', '')", "REPLACE, SPLIT_PART, SUBSTR"),
    ("REGEXP_EXTRACT(zip, '0')", "SPLIT_PART, SUBSTR"),
    ("TO_CHAR(units)", "CAST(units AS VARCHAR)"),
    ("ISNULL(city, '')", "COALESCE(city, '')"),
    ("RANK() OVER (ORDER BY at)", "ROW_NUMBER()"),
    ("DENSE_RANK() OVER (ORDER BY at)", "ROW_NUMBER()"),
    ("INITCAP(city)", "UPPER(LEFT(city, 1)) || LOWER(SUBSTR(city, 2))"),
    ("BIT_COUNT(units)", "nothing"),
    ("(SELECT MAX(units) FROM sales)", "CROSS JOIN of the query"),
    ("EXISTS (SELECT 1 FROM sales)", "SEMI JOIN, or IN"),
];

/// Names of functions that are no names of their own in the page.
const ELSEWHERE: &[(&str, &str)] = &[
    ("read_csv", "refused: an import reads its declared sources"),
    ("read_parquet", "refused: an import reads its declared sources"),
    ("bit_and", "written BITAND"),
    ("bit_or", "written BITOR"),
    ("bit_xor", "written BITXOR"),
    ("columns", "names columns by a pattern, and gives no value"),
];

fn context() -> SQLContext {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("sales.csv"), ROWS).unwrap();
    let described = "file = \"sales.csv\"\ntext = [\"zip\"]\nlocal_times = [\"at\", \"paid\"]\n\
                     local_time_zone = \"UTC\"";
    let described: Source = toml::from_str(described).unwrap();
    let read = source::read("sales", &described, folder.path(), Path::new("import.toml"));
    let context = SQLContext::new();
    context.register("sales", read.unwrap());
    context
}

fn run(context: &mut SQLContext, sql: &str) -> Result<DataFrame, String> {
    let run = crate::contained::contained(|| context.execute(sql).and_then(|plan| plan.collect()));
    run?.map_err(|error| error.to_string())
}

/// A value as the page shows it.
fn shown(value: &AnyValue<'_>) -> String {
    match value {
        AnyValue::String(text) => format!("'{text}'"),
        AnyValue::StringOwned(text) => format!("'{text}'"),
        AnyValue::List(values) => {
            let values: Vec<String> = values.iter().map(|value| shown(&value)).collect();
            format!("[{}]", values.join(", "))
        }
        AnyValue::Null => "NULL".to_owned(),
        other => other.to_string(),
    }
}

fn result(context: &mut SQLContext, expression: &str) -> Result<String, String> {
    let frame = run(context, &format!("SELECT {expression} AS v FROM sales"))?;
    Ok(shown(&frame.columns()[0].get(0).unwrap()))
}

/// Lines of two columns.
fn aligned(lines: &[(String, String)]) -> String {
    let width = lines.iter().map(|(left, _)| left.chars().count()).max().unwrap_or(0);
    let lines = lines.iter().map(|(left, right)| {
        let blanks = " ".repeat(width - left.chars().count());
        format!("{left}{blanks}   {right}\n")
    });
    format!("```\n{}```\n", lines.collect::<String>())
}

fn page() -> String {
    let mut context = context();
    let mut page = format!(
        "# The SQL of an import\n\n\
         An import's SQL is that of Polars. Here is every function that it has, each with an example \
         and what that gives; statements; and what one looks for and does not find. The page is made \
         by running them: `RENEW_SNAPSHOTS=1 cargo test --workspace --lib the_page_of_sql` writes it, \
         and the same test fails if it is not so any more.\n\n\
         The examples read these rows, with `text = [\"zip\"]`, `local_times = [\"at\", \"paid\"]` and \
         `local_time_zone = \"UTC\"`; where several rows come out, the first is shown:\n\n\
         ```\n{ROWS}```\n"
    );
    for (kind, expressions) in EXAMPLES {
        let lines = expressions.iter().map(|expression| {
            let result = result(&mut context, expression);
            ((*expression).to_owned(), result.unwrap_or_else(|why| panic!("{expression}: {why}")))
        });
        page += &format!("\n## {kind}\n\n{}", aligned(&lines.collect::<Vec<_>>()));
    }
    page += "\n## Statements\n\n```\n";
    for sql in STATEMENTS {
        run(&mut context, sql).unwrap_or_else(|why| panic!("{sql}: {why}"));
        page += &format!("{sql}\n");
    }
    page += "```\n\n## What is not there\n\nEach of these is an error; on the right is what does it.\n\n";
    let lines = NOT_THERE.iter().map(|(expression, instead)| {
        let found = result(&mut context, expression);
        assert!(found.is_err(), "{expression} is there: {found:?}");
        ((*expression).to_owned(), (*instead).to_owned())
    });
    page + &aligned(&lines.collect::<Vec<_>>())
}

#[test]
fn the_page_of_sql_is_up_to_date_and_names_every_function() {
    let page = page();
    for name in polars::sql::keywords::all_functions() {
        let is_elsewhere = ELSEWHERE.iter().any(|(other, _)| *other == name);
        let is_named = page.contains(&format!("{}(", name.to_uppercase()));
        assert!(is_named || is_elsewhere, "{name} is not in the page");
    }
    let crate_folder = std::env::var_os("CARGO_MANIFEST_DIR").expect("run by cargo");
    let path = Path::new(&crate_folder).join("../../docs/import-sql.md");
    if std::env::var_os("RENEW_SNAPSHOTS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(page == kept, "docs/import-sql.md is out of date: RENEW_SNAPSHOTS=1 writes it");
}
