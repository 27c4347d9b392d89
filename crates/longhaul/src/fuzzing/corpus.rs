//! The inputs that fuzzing begins with: `tests/corpus/<target>/`, and what is shipped.
//!
//! The name of a file says what it stands for: of a control object it is its path with `__` for `/`,
//! of a file of a table it begins with the table. What follows `--` tells inputs of one kind apart:
//! each that once panicked, hung or took too much memory stays here.

use std::path::{Path, PathBuf};

use terms::AsOf;

/// The tables of which there is a file.
pub(super) const TABLES: [&str; 4] = ["orders", "shipments", "nodes", "legs"];

/// Its day.
fn day_of(table: &str) -> &'static str {
    if table == "nodes" { "2025-09-02" } else { "2025-09-12" }
}

/// An input.
#[derive(Debug, Clone)]
pub(super) struct Seed {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

fn root() -> PathBuf {
    let crate_folder = std::env::var_os("CARGO_MANIFEST_DIR").expect("run by cargo");
    Path::new(&crate_folder).join("../..")
}

/// The folder of the inputs of a target.
pub(super) fn folder(target: &str) -> PathBuf {
    root().join("tests/corpus").join(target)
}

/// All inputs of a target, by name.
pub(super) fn seeds(target: &str) -> Vec<Seed> {
    let mut seeds = read(&folder(target), "");
    seeds.extend(match target {
        "contract" => read(&root().join("schemas"), ".odcs.yaml"),
        "declaration" => read(&root().join("pipelines/features"), ".toml"),
        "pipeline" => read(&root().join("pipelines"), ".toml"),
        _ => Vec::new(),
    });
    assert!(!seeds.is_empty(), "no inputs of {target}");
    seeds
}

fn read(folder: &Path, ending: &str) -> Vec<Seed> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path()).filter(|path| path.is_file());
    let mut seeds: Vec<Seed> = paths
        .map(|path| Seed {
            name: path.file_name().expect("a name").to_string_lossy().into_owned(),
            bytes: std::fs::read(&path).expect("a file"),
        })
        .filter(|seed| seed.name.ends_with(ending))
        .collect();
    seeds.sort_by(|a, b| a.name.cmp(&b.name));
    seeds
}

/// The as-of of checks of the tables.
pub(super) fn as_of() -> AsOf {
    "2025-09-14".parse().expect("a day")
}

/// What a seed stands for: its name without what tells it apart.
pub(super) fn kind_of(name: &str) -> &str {
    name.split_once("--").map_or(name, |(kind, _)| kind)
}

/// Where a control object is.
pub(super) fn path_of_control(name: &str) -> String {
    kind_of(name).replace("__", "/")
}

/// Where the file of a table is.
pub(super) fn path_of_table(table: &str) -> String {
    format!("tables/{table}/recorded_on={}/part-0000.parquet", day_of(table))
}

/// The file of parity vectors among those of a model.
pub(super) const VECTORS: &str = "vectors.parquet";

/// A sound file of a table.
pub(super) fn file_of(table: &str) -> Vec<u8> {
    std::fs::read(folder("parquet").join(table)).expect("a file of each table")
}

/// The files of an import in one text: each after a line `=== <name>`, of which only names that an
/// import of the corpus has are taken.
pub(super) fn files_of(text: &[u8]) -> Vec<(&'static str, &[u8])> {
    const NAMES: [&str; 5] = ["import.toml", "orders.sql", "shipments.sql", "a.csv", "b.parquet"];
    const MARK: &[u8] = b"=== ";
    let is_mark =
        |at: &usize| text[*at..].starts_with(MARK) && (*at == 0 || text[*at - 1] == b'\n');
    let starts: Vec<usize> = (0..text.len()).filter(is_mark).collect();
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let parts = starts.iter().zip(ends).map(|(&start, end)| &text[start + MARK.len()..end]);
    parts
        .filter_map(|part| {
            let name = NAMES.into_iter().find(|name| part.starts_with(name.as_bytes()))?;
            Some((name, part.get(name.len() + 1..).unwrap_or_default()))
        })
        .collect()
}

/// How a corpus is made: from the store of a night of the network of the simulation.
mod made {
    use std::sync::Arc;

    use arrow::array::{
        ArrayRef, DictionaryArray, Int32Array, RecordBatch, StringArray, UInt64Array,
    };
    use arrow::compute::take;
    use arrow::datatypes::Int32Type;
    use parquet::arrow::ArrowWriter;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use parquet::arrow::arrow_writer::ArrowWriterOptions;
    use parquet::basic::{Compression, Encoding, ZstdLevel};
    use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder, WriterVersion};
    use parquet::schema::types::ColumnPath;

    use crate::fuzzing::corpus::{TABLES, VECTORS, folder, path_of_table, read};
    use crate::simulation::Network;

    /// Rows of a file of a table.
    const ROWS: usize = 12;

    fn write(target: &str, name: &str, bytes: &[u8]) {
        let folder = folder(target);
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join(name), bytes).expect("a file");
    }

    #[test]
    #[ignore = "writes tests/corpus anew, after a change of a format"]
    fn the_corpus_is_written_anew() {
        // What was found is kept; the rest has names that change with formats.
        for target in ["control", "bundle", "parquet"] {
            for seed in read(&folder(target), "").iter().filter(|seed| !seed.name.contains("--")) {
                std::fs::remove_file(folder(target).join(&seed.name)).expect("removed");
            }
        }
        let (network, storage, end) = Network::with_tables(&["simulate.legs=true"]);
        let _ = network.run_undisturbed(&storage, end);
        for (path, bytes) in storage.objects() {
            let is_control = path.ends_with("/manifest.json")
                || path.ends_with("/current.json")
                || path.ends_with("/latest.json")
                || path.ends_with("/inputs.json")
                || ["tables/_commits/", "locks/", "state/nights/", "state/check/"]
                    .iter()
                    .any(|folder| path.starts_with(folder));
            let name = path.rsplit('/').next().expect("a name");
            let is_of_model = ["features.json", "mixture.json"].contains(&name)
                || (name.ends_with(".bin") && path.starts_with("models/"));
            if is_control {
                write("control", &path.replace('/', "__"), &bytes);
            } else if path.starts_with("models/") && is_of_model {
                write("bundle", name, &bytes);
            } else if path.starts_with("models/") && name == VECTORS {
                write("bundle", name, &few_vectors(&bytes));
            }
            if let Some(table) = TABLES.into_iter().find(|table| path == path_of_table(table)) {
                let rows = rows_of(&bytes);
                rewrite(table, &rows);
                if table == "orders" {
                    write("parquet", "orders--one-long-text", &one_long_text(&rows));
                    write("parquet", "orders--shared-beginnings", &shared_beginnings(&rows));
                }
            }
        }
    }

    /// The first of some parity vectors, with what the file says of itself.
    fn few_vectors(bytes: &[u8]) -> Vec<u8> {
        let bytes = bytes::Bytes::copy_from_slice(bytes);
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).expect("a Parquet file");
        let pairs = reader.metadata().file_metadata().key_value_metadata().cloned();
        let mut batches = reader.with_batch_size(16).build().expect("a Parquet file");
        let rows = batches.next().expect("rows").expect("rows");
        let zstd = Compression::ZSTD(ZstdLevel::default());
        let properties =
            WriterProperties::builder().set_compression(zstd).set_key_value_metadata(pairs).build();
        let mut writer =
            ArrowWriter::try_new(Vec::new(), rows.schema(), Some(properties)).expect("a writer");
        writer.write(&rows).expect("rows");
        writer.into_inner().expect("a file")
    }

    /// 100,000 rows that all refer to one text of a dictionary: 14 GB, once it is decoded.
    fn one_long_text(rows: &RecordBatch) -> Vec<u8> {
        let text = StringArray::from(vec!["a".repeat(140_000)]);
        let keys = Int32Array::from(vec![0; 100_000]);
        let texts = DictionaryArray::<Int32Type>::try_new(keys, Arc::new(text)).expect("texts");
        with_zones(rows, Arc::new(texts), WriterProperties::builder())
    }

    /// 60,000 rows whose texts share all but their last letter: 3.6 GB, once they are decoded.
    fn shared_beginnings(rows: &RecordBatch) -> Vec<u8> {
        let texts = StringArray::from(vec!["a".repeat(60_000)]);
        let keys = Int32Array::from(vec![0; 60_000]);
        let texts = DictionaryArray::<Int32Type>::try_new(keys, Arc::new(texts)).expect("texts");
        let column = ColumnPath::from("destination_zone");
        let properties = WriterProperties::builder()
            .set_dictionary_enabled(false)
            .set_column_encoding(column, Encoding::DELTA_BYTE_ARRAY);
        with_zones(rows, Arc::new(texts), properties)
    }

    /// A file of the first row as often as there are zones, with these, and each with its own key: rows
    /// that share theirs are refused before their texts are used.
    fn with_zones(
        rows: &RecordBatch,
        zones: ArrayRef,
        properties: WriterPropertiesBuilder,
    ) -> Vec<u8> {
        let first = UInt64Array::from(vec![0; zones.len()]);
        let keys = StringArray::from_iter_values((0..zones.len()).map(|n| format!("o{n}")));
        let keys: ArrayRef = Arc::new(keys);
        let schema = rows.schema();
        let columns = schema.fields().iter().zip(rows.columns()).map(|(field, column)| {
            let values = match field.name().as_str() {
                "destination_zone" => zones.clone(),
                "order_id" => keys.clone(),
                _ => take(column, &first, None).expect("a row"),
            };
            (field.name(), values)
        });
        let rows = RecordBatch::try_from_iter(columns).expect("rows");
        let zstd = Compression::ZSTD(ZstdLevel::default());
        let properties = properties.set_compression(zstd).build();
        // Without the types of Arrow, so that a dictionary is one of texts.
        let options = ArrowWriterOptions::new().with_properties(properties);
        let options = options.with_skip_arrow_metadata(true);
        let mut bytes = Vec::new();
        let writer = ArrowWriter::try_new_with_options(&mut bytes, rows.schema(), options);
        let mut writer = writer.expect("a writer");
        writer.write(&rows).expect("rows");
        writer.close().expect("a file");
        bytes
    }

    fn rows_of(file: &bytes::Bytes) -> RecordBatch {
        let reader = ParquetRecordBatchReaderBuilder::try_new(file.clone()).expect("Parquet");
        let rows = reader.with_batch_size(ROWS).build().expect("rows").next();
        rows.expect("rows").expect("rows")
    }

    /// Some rows, written as others write files.
    fn rewrite(table: &str, rows: &RecordBatch) {
        let zstd = Compression::ZSTD(ZstdLevel::default());
        let forms = [
            ("", Compression::SNAPPY, WriterVersion::PARQUET_1_0, 5),
            ("--plain", Compression::UNCOMPRESSED, WriterVersion::PARQUET_1_0, 1000),
            ("--zstd", zstd, WriterVersion::PARQUET_2_0, 1000),
            // Version 2 without dictionaries writes differences.
            ("--delta", Compression::UNCOMPRESSED, WriterVersion::PARQUET_2_0, 1000),
        ];
        for (kind, compression, version, group) in forms {
            if !kind.is_empty() && table != "shipments" {
                continue;
            }
            let properties = WriterProperties::builder()
                .set_compression(compression)
                .set_writer_version(version)
                .set_dictionary_enabled(kind.is_empty())
                .set_max_row_group_row_count(Some(group));
            let mut bytes = Vec::new();
            let writer = ArrowWriter::try_new(&mut bytes, rows.schema(), Some(properties.build()));
            let mut writer = writer.expect("a writer");
            writer.write(rows).expect("rows");
            writer.close().expect("a file");
            write("parquet", &format!("{table}{kind}"), &bytes);
        }
    }
}
