//! Files as people have them: packed, of other encodings and line ends, with rows that are no rows.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use polars::prelude::{CsvReader, ParquetReader, ParquetWriter, SerReader as _};

use super::*;

impl Folder {
    /// The import with these bytes as its source, under another name if there is one.
    fn with_source(name: &str, bytes: &[u8], settings: &str) -> Self {
        let folder = Self::new();
        fs::remove_file(folder.0.path().join("sales.csv")).unwrap();
        fs::write(folder.0.path().join(name), bytes).unwrap();
        let file = format!("file = {name:?}\n{settings}");
        folder.write("import.toml", &IMPORT.replace("file = \"sales.csv\"", &file));
        folder
    }

    /// The import gives what it gives from the usual file.
    #[track_caller]
    fn gives_the_same(&self) {
        let (expected, found) = (memory(), memory());
        Self::new().import(&expected, false).unwrap();
        self.import(&found, false).unwrap();
        assert_eq!(tables(&found), tables(&expected));
    }
}

/// The files of the tables, without the commit, which names the folder of the import.
fn tables(store: &Store) -> Vec<(String, Bytes)> {
    contents(store).into_iter().filter(|(path, _)| !path.contains("_commits/")).collect()
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The sales with another region's name in the last column but one.
fn with_names(names: [&str; 4]) -> String {
    let mut lines = SALES.lines();
    let header = format!("{},name\n", lines.next().unwrap());
    let rows = lines.zip(names).map(|(line, name)| format!("{line},{name}\n"));
    header + &rows.collect::<String>()
}

#[test]
fn line_ends_of_every_kind_and_blank_lines_give_the_same_rows() {
    for end in ["\r", "\r\n", "\n\n", "\r\r\n"] {
        let text = SALES.replace('\n', end);
        Folder::with_source("sales.csv", text.as_bytes(), "").gives_the_same();
    }
}

#[test]
fn packed_files_are_read_and_a_damaged_one_is_named() {
    let whole = packed(SALES.as_bytes());
    Folder::with_source("sales.csv.gz", &whole, "").gives_the_same();
    // Whatever it is called.
    Folder::with_source("sales.csv", &whole, "").gives_the_same();
    Folder::with_source("sales.gz", &whole, "").gives_the_same();
    Folder::with_source("sales.csv.gz", SALES.as_bytes(), "").gives_the_same();

    let cut = Folder::with_source("sales.csv.gz", &whole[..whole.len() / 2], "");
    let error = cut.fails(
        "source \"sales\" sales.csv.gz: expected a whole gzip file, found: incomplete deflate stream",
        ErrorClass::Contract,
    );
    assert!(error.hint().unwrap().contains("copy the file again"));
}

#[test]
fn parquet_may_be_packed_and_is_known_by_its_first_bytes() {
    let mut frame = CsvReader::new(std::io::Cursor::new(SALES)).finish().unwrap();
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut frame).unwrap();
    // A number has no zeros in front.
    let without_zero = SALES.replace("01067", "1067");
    let (expected, found) = (memory(), memory());
    Folder::with_source("sales.csv", without_zero.as_bytes(), "").import(&expected, false).unwrap();
    let packed = Folder::with_source("sales.parquet.gz", &packed(&bytes), "");
    packed.import(&found, false).unwrap();
    assert_eq!(tables(&found), tables(&expected));

    let error = Folder::with_source("sales.csv", &bytes, "")
        .fails("source \"sales\" sales.csv: expected CSV, found Parquet", ErrorClass::Contract);
    assert!(error.hint().unwrap().contains("format = \"parquet\" into [sources.sales]"));
    Folder::with_source("sales.xlsx", b"PK\x03\x04\x14\x00", "").fails(
        "source \"sales\" sales.xlsx: expected CSV, found a zip archive, or a workbook of a \
         spreadsheet",
        ErrorClass::Contract,
    );
}

#[test]
fn another_encoding_is_named_with_its_place_and_read_if_it_is_said() {
    let names = ["Dresden", "Berlin", "", "München"];
    let latin1: Vec<u8> = with_names(names).chars().map(|c| c as u8).collect();
    let error = Folder::with_source("sales.csv", &latin1, "").fails(
        "source \"sales\" sales.csv: column \"name\" row 4 (line 5): expected text in UTF-8, found \
         the bytes FC 6E 63 68 after \"M\"",
        ErrorClass::Contract,
    );
    let hint = error.hint().unwrap();
    assert!(hint.contains("[sources.sales]") && hint.contains("encoding = \"windows-1252\""));

    let region = |folder: &Folder| {
        folder.write("orders.sql", &ORDERS.replace("'BE' AS", "COALESCE(name, '-') AS"));
        let store = memory();
        folder.import(&store, false).unwrap();
        let (_, bytes) = contents(&store)
            .into_iter()
            .find(|(path, _)| path.contains("orders/recorded_on=2026-03-29"))
            .unwrap();
        let frame = ParquetReader::new(std::io::Cursor::new(bytes)).finish().unwrap();
        let region = frame.column("destination_region").unwrap().str().unwrap().get(0);
        region.unwrap().to_owned()
    };
    for label in ["latin1", "iso-8859-1", "windows-1252"] {
        let set = format!("encoding = {label:?}");
        assert_eq!(region(&Folder::with_source("sales.csv", &latin1, &set)), "München");
    }
    let sjis =
        [with_names(["a", "b", "c", "@"]).replace("@\n", "").as_bytes(), b"\x88\xae\x90\xec\n"]
            .concat();
    let read = region(&Folder::with_source("sales.csv", &sjis, "encoding = \"shift_jis\""));
    assert_eq!(read, "旭川");
    // What a spreadsheet saves as Unicode text.
    let utf16: Vec<u8> = std::iter::once(0xfeff)
        .chain(with_names(names).replace(',', "\t").encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    let tabs = Folder::with_source("sales.txt", &utf16, "separator = \"\\t\"");
    assert_eq!(region(&tabs), "München");

    Folder::with_source("sales.csv", &latin1, "encoding = \"latin-9000\"").fails(
        "import.toml: sources.sales.encoding: expected one such as utf-8, windows-1252, latin1, \
         shift_jis or utf-16le, found \"latin-9000\"",
        ErrorClass::Configuration,
    );
}

#[test]
fn a_row_of_another_length_is_named_and_short_ones_are_read_if_it_is_said() {
    let short = SALES.replace("3,10115,1,2026-03-28 00:30:00,,", "3,10115,1,2026-03-28 00:30:00");
    let error = Folder::with_source("sales.csv", short.as_bytes(), "").fails(
        "source \"sales\" sales.csv: row 3 (line 4): expected 6 fields separated by ',', as the \
         header has, found 4",
        ErrorClass::Contract,
    );
    assert!(error.hint().unwrap().contains("null_padding = true in [sources.sales]"));
    Folder::with_source("sales.csv", short.as_bytes(), "null_padding = true").gives_the_same();

    let long = SALES.replace("2,10115,2,", "2,10115, Berlin,2,");
    let error = Folder::with_source("sales.csv", long.as_bytes(), "null_padding = true").fails(
        "source \"sales\" sales.csv: row 2 (line 3): expected 6 fields separated by ',', as the \
         header has, found 7",
        ErrorClass::Contract,
    );
    assert!(error.hint().unwrap().contains("quotation marks"));
    let open = SALES.replace("2,10115,2,", "2,\"10115,2,");
    Folder::with_source("sales.csv", open.as_bytes(), "").fails(
        "source \"sales\" sales.csv: row 2 (line 3): expected a closing quotation mark, found the \
         end of the file",
        ErrorClass::Contract,
    );
}

#[test]
fn another_separator_is_guessed_and_long_lists_of_columns_are_short() {
    let semicolons = SALES.replace(',', ";");
    let error = Folder::with_source("sales.csv", semicolons.as_bytes(), "").fails(
        "source \"sales\" sales.csv: column \"zip\": not among id;zip;units;bought;sent;arrived",
        ErrorClass::Contract,
    );
    let hint = error.hint().unwrap();
    assert!(hint.contains("separator = \";\" into [sources.sales]"), "{hint}");

    // Twenty thousand columns.
    let more = |line: &str, value: &str| format!("{line},{}\n", vec![value; 20_000].join(","));
    let mut lines = SALES.lines();
    let names: Vec<String> = (0..20_000).map(|n| format!("c{n}")).collect();
    let header = format!("{},{}\n", lines.next().unwrap(), names.join(","));
    let wide = header + &lines.map(|line| more(line, "1")).collect::<String>();
    let folder = Folder::with_source("sales.csv", wide.as_bytes(), "");
    folder.write("orders.sql", &ORDERS.replace("bought AS ordered_at", "Bought AS ordered_at"));
    let error = folder.fails("orders.sql: cannot be computed", ErrorClass::Configuration);
    let why = std::error::Error::source(&error).unwrap();
    let why = why.source().unwrap_or(why).to_string();
    assert!(why.contains("unable to find column \"Bought\"; valid columns: bought, "), "{why}");
    assert!(why.contains(" and 19996 more") && why.len() < 1_000, "{} {why}", why.len());
}

#[test]
fn a_pipe_or_a_folder_is_no_file() {
    let folder = Folder::new();
    fs::remove_file(folder.0.path().join("sales.csv")).unwrap();
    fs::create_dir(folder.0.path().join("sales.csv")).unwrap();
    folder.fails(
        "source \"sales\" sales.csv: expected a file, found a folder, a pipe or a device",
        ErrorClass::Contract,
    );
}

#[test]
fn polars_finds_the_same_rows() {
    let mut random = statistics::SplitMix64::new(5);
    let folder = Folder::new();
    let described = "file = \"sales.csv\"\ntext = []\nnull_padding = true";
    let described: super::super::description::Source = toml::from_str(described).unwrap();
    let parts =
        ["a", "b", ",", ",", "\n", "\r", "\r\n", "\"", "\"x,y\"", "\"x\ny\"", "\"x\"\"y\"", "1"];
    let (mut read, mut refused) = (0, 0);
    for _ in 0..3_000 {
        let n = 1 + random.next_u64() % 25;
        let part = |_| parts[random.next_u64() as usize % parts.len()];
        let text = "h,i\n".to_owned() + &(0..n).map(part).collect::<String>();
        let Ok(rows) = super::super::csv_rows::checked(text.as_bytes().to_vec(), b',', true) else {
            refused += 1;
            continue;
        };
        let rows = String::from_utf8(rows).unwrap();
        folder.write("sales.csv", &text);
        let frame = super::super::source::read("s", &described, folder.0.path(), Path::new("d"));
        // Quotation marks within quotation marks that are not doubled.
        let Ok(frame) = frame else { continue };
        let frame = frame.collect().unwrap();
        read += 1;
        let quotes = |line: &str| line.matches('"').count();
        let (mut expected, mut open) = (0, 0);
        for line in rows.lines() {
            open += quotes(line);
            expected += usize::from(open % 2 == 0);
        }
        // Elsewhere a quotation mark is a character like others.
        let is_plain = !rows.contains("a\"") && !rows.contains("b\"") && !rows.contains("1\"");
        if is_plain {
            assert_eq!(frame.height() + 1, expected, "{text:?} {rows:?}");
        }
    }
    assert!(read > 500 && refused > 500, "{read} {refused}");
}
