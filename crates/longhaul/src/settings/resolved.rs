//! Resolving the settings: which of the flags, the environment, the pipeline file and the defaults
//! sets a key, and the files that the settings name.
//!
//! Precedence: flag, then `LONGHAUL__SECTION__KEY`, then the file, then the default. Each value
//! remembers its origin. An unknown key is an error that suggests the nearest one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use features::Declaration;
use intake::Contract;
use store::StoreSettings;
use terms::AsOf;
use toml::{Table, Value};

use super::OutOfRange;
use super::dotted_key::{flatten, set};
use super::network::NetworkSection;
use super::operations::OperationsSection;
use super::pipeline_file::Settings;
use super::schema;
use crate::flags::Global;
use crate::refusal::Refusal;

const ENV_PREFIX: &str = "LONGHAUL__";

/// Tables whose keys are names of features, which only training can verify.
const FEATURE_KEYED: [&str; 1] = ["train.monotone."];

/// The key whose default depends on the network.
const MATURITY_DAYS: &str = "train.maturity_days";

/// The tables that are checked.
const TABLES: [&str; 5] = ["orders", "shipments", "nodes", "legs", "holidays"];

/// Those whose contract a folder of contracts may lack; the shipped contract applies then.
const TABLES_OPTIONAL: [&str; 3] = ["nodes", "legs", "holidays"];

/// The settings of a pipeline, and the origin of each.
#[derive(Debug)]
pub(crate) struct Resolved {
    /// The values.
    pub(crate) settings: Settings,
    /// By key, what set it; a key at its default is absent.
    origins: BTreeMap<String, String>,
    /// The folder of the pipeline file.
    folder: PathBuf,
    /// The environment.
    variables: BTreeMap<String, String>,
}

impl Resolved {
    /// Resolves the settings of `pipeline` (all defaults if none is given).
    ///
    /// # Errors
    /// If the file cannot be read, is not TOML, or has a key that does not exist.
    pub(crate) fn new(
        pipeline: Option<&Path>,
        global: &Global,
        variables: BTreeMap<String, String>,
    ) -> Result<Self, Refusal> {
        let mut table = Table::new();
        let mut origins = BTreeMap::new();
        let mut folder = PathBuf::from(".");
        if let Some(path) = pipeline {
            table = read_file(path)?;
            for key in flatten(&table).keys() {
                origins.insert(key.clone(), path.display().to_string());
            }
            table.entry("name").or_insert_with(|| {
                Value::String(path.file_stem().unwrap_or_default().to_string_lossy().into_owned())
            });
            folder = path.parent().unwrap_or(Path::new(".")).to_owned();
        }
        for (name, text) in &variables {
            if let Some(key) = name.strip_prefix(ENV_PREFIX) {
                let key = key.to_lowercase().replace("__", ".");
                set(&mut table, &key, text, name)?;
                origins.insert(key, name.clone());
            }
        }
        for assignment in &global.set {
            let (key, text) = assignment.split_once('=').ok_or_else(|| Refusal::Usage {
                what: format!("--set {assignment}: expected KEY=VALUE"),
            })?;
            set(&mut table, key, text, "--set")?;
            origins.insert(key.to_owned(), "--set".to_owned());
        }
        if let Some(url) = &global.store {
            set(&mut table, "store.url", &format!("{url:?}"), "--store")?;
            origins.insert("store.url".to_owned(), "--store".to_owned());
        }
        refuse_unknown(&table, &origins)?;
        let mut settings: Settings =
            Value::Table(table).try_into().map_err(|error: toml::de::Error| {
                let place = pipeline.map_or_else(String::new, |path| path.display().to_string());
                Refusal::Configuration { place, problem: error.to_string().trim().to_owned() }
            })?;
        let checked = (settings.network.check())
            .and_then(|()| settings.limits.check())
            .and_then(|()| settings.operations.check())
            .and_then(|()| settings.evaluate.check())
            .and_then(|()| settings.score.check());
        checked.map_err(|OutOfRange { key, problem }| {
            let origin = origins.get(key).map(String::as_str).unwrap_or("default");
            Refusal::Configuration { place: format!("{key} ({origin})"), problem }
        })?;
        if pipeline.is_some() && !is_pipeline_name(&settings.name) {
            let origin = origins.get("name").map_or("the file's", String::as_str);
            return Err(Refusal::Configuration {
                place: format!("name ({origin})"),
                problem: format!(
                    "expected 1 to 64 letters, digits, `-`, `_` and `.`, not 16 hexadecimal digits \
                     as in a model id, found {:?}",
                    settings.name
                ),
            });
        }
        settings.train.lost_after_days = settings.network.lost_after_days as u32;
        if !origins.contains_key(MATURITY_DAYS) {
            settings.train.maturity_days = settings.network.maturity_days();
            if let Some(origin) = origins.get(NetworkSection::LOST_AFTER_DAYS) {
                let origin = format!("half of {}, {origin}", NetworkSection::LOST_AFTER_DAYS);
                origins.insert(MATURITY_DAYS.to_owned(), origin);
            }
        }
        Ok(Self { settings, origins, folder, variables })
    }

    /// The as-of: the flag's, the file's, or today's UTC midnight.
    ///
    /// # Errors
    /// If the file's is not a date.
    pub(crate) fn as_of(&self, flag: Option<AsOf>) -> Result<AsOf, Refusal> {
        match (flag, self.settings.as_of.as_str()) {
            (Some(as_of), _) => Ok(as_of),
            (None, "") => Ok(today()),
            (None, text) => text.parse().map_err(|error: terms::AsOfError| {
                Refusal::Configuration { place: "as_of".to_owned(), problem: error.to_string() }
            }),
        }
    }

    /// The store's settings, with the environment's `AWS_*`.
    ///
    /// # Errors
    /// If the URL or a variable is invalid.
    #[expect(clippy::disallowed_methods, reason = "a store is relative to the current folder")]
    pub(crate) fn store(&self) -> Result<StoreSettings, store::Error> {
        let here = std::env::current_dir().unwrap_or_default();
        let url = store::url_of(&self.settings.store.url, &here)?;
        let settings = StoreSettings::resolve(&url, &self.variables)?;
        Ok(settings.with_limits(self.settings.limits.of_store()))
    }

    /// The contracts of the tables: those of the folder that the settings name, or the shipped ones.
    ///
    /// # Errors
    /// If one cannot be read or is not a contract.
    #[expect(clippy::disallowed_methods, reason = "the settings name files beside their own")]
    pub(crate) fn contracts(&self) -> anyhow::Result<Vec<Contract>> {
        let folder = &self.settings.check.contracts;
        let read = |table: &str| -> anyhow::Result<Contract> {
            let path = self.folder.join(folder).join(format!("{table}.odcs.yaml"));
            let is_in_folder = !folder.as_os_str().is_empty()
                && (path.exists() || !TABLES_OPTIONAL.contains(&table));
            match Contract::shipped(table) {
                Some(shipped) if !is_in_folder => Ok(shipped?),
                _ => Ok(Contract::parse(&path.display().to_string(), &read_text(&path)?)?),
            }
        };
        TABLES.into_iter().map(read).collect()
    }

    /// The file of the declaration of the features.
    pub(crate) fn declaration_path(&self) -> PathBuf {
        self.folder.join(&self.settings.features.declaration)
    }

    /// The declaration of the features, with the limits of the network, and its text.
    ///
    /// # Errors
    /// If the file cannot be read or is not a declaration.
    pub(crate) fn declaration(&self) -> anyhow::Result<(Declaration, String)> {
        let path = self.declaration_path();
        let text = read_text(&path)
            .map_err(|error| anyhow::Error::new(error).context("features.declaration"))?;
        let declared = Declaration::read(&text)
            .map_err(|error| anyhow::Error::new(error).context(path.display().to_string()))?;
        Ok((declared.with_limits(self.settings.network.limits()), text))
    }

    /// Every key and its value, with `<set>` for one that is a secret.
    pub(crate) fn values(&self) -> BTreeMap<String, Value> {
        let table = Table::try_from(&self.settings).unwrap_or_default();
        let mut values = flatten(&table);
        if let Some(secret) = values.get_mut(OperationsSection::WEBHOOK)
            && secret.as_str() != Some("")
        {
            *secret = Value::String("<set>".to_owned());
        }
        values
    }

    /// Every key, its value and its origin.
    pub(crate) fn show(&self) -> Vec<(String, String, String)> {
        self.values()
            .into_iter()
            .map(|(key, value)| {
                let origin = self.origins.get(&key).cloned();
                (key, value.to_string(), origin.unwrap_or_else(|| "default".to_owned()))
            })
            .collect()
    }
}

/// Whether a name can be that of a pipeline: it is part of paths in the store, beside ids of models.
fn is_pipeline_name(name: &str) -> bool {
    let is_id = name.len() == 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=64).contains(&name.len())
        && !name.starts_with('.')
        && !is_id
        && name.bytes().all(is_allowed)
}

/// Today's UTC midnight. No result depends on any other reading of the clock: a stage gets its
/// as-of as an argument.
#[expect(clippy::disallowed_methods, reason = "the default as-of is today")]
fn today() -> AsOf {
    AsOf::start_of(terms::Instant::from_micros(chrono::Utc::now().timestamp_micros()).day())
}

#[expect(clippy::disallowed_methods, reason = "the settings name files beside their own")]
fn read_text(path: &Path) -> Result<String, Refusal> {
    std::fs::read_to_string(path).map_err(|error| Refusal::Configuration {
        place: path.display().to_string(),
        problem: format!("expected a file that can be read, found: {error}"),
    })
}

fn read_file(path: &Path) -> Result<Table, Refusal> {
    read_text(path)?.parse().map_err(|error: toml::de::Error| Refusal::Configuration {
        place: path.display().to_string(),
        problem: error.to_string().trim().to_owned(),
    })
}

/// Every key that a pipeline file can set, but those that are named after features.
pub(crate) fn known_keys() -> Vec<String> {
    schema::names()
}

/// Refuses a key that does not exist.
fn refuse_unknown(table: &Table, origins: &BTreeMap<String, String>) -> Result<(), Refusal> {
    let known = known_keys();
    for key in flatten(table).into_keys() {
        if !known.contains(&key) && !FEATURE_KEYED.iter().any(|table| key.starts_with(table)) {
            let nearest = known
                .iter()
                .max_by(|a, b| {
                    strsim::jaro_winkler(a, &key).total_cmp(&strsim::jaro_winkler(b, &key))
                })
                .cloned();
            let place = origins.get(&key).cloned().unwrap_or_default();
            return Err(Refusal::UnknownKey { place, key, nearest });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::LogFormat;
    use terms::ErrorClass;

    fn global(set: &[&str]) -> Global {
        Global {
            store: None,
            set: set.iter().map(|&text| text.to_owned()).collect(),
            json: false,
            quiet: false,
            log_format: LogFormat::Text,
        }
    }

    #[test]
    fn a_flag_beats_a_variable_and_each_says_where_it_came_from() {
        let variables = BTreeMap::from([
            ("LONGHAUL__TRAIN__SEED".to_owned(), "5".to_owned()),
            ("LONGHAUL__EVALUATE__HOLDOUT_DAYS".to_owned(), "9".to_owned()),
        ]);
        let resolved = Resolved::new(None, &global(&["train.seed=7"]), variables).unwrap();
        assert_eq!(resolved.settings.train.seed, 7);
        assert_eq!(resolved.settings.evaluate.holdout_days, 9);
        let shown = resolved.show();
        let origin = |key: &str| shown.iter().find(|(k, ..)| k == key).unwrap().2.clone();
        assert_eq!(origin("train.seed"), "--set");
        assert_eq!(origin("evaluate.holdout_days"), "LONGHAUL__EVALUATE__HOLDOUT_DAYS");
        assert_eq!(origin("evaluate.bootstrap_rounds"), "default");
    }

    #[test]
    fn numbers_that_cannot_be_counted_to_and_keys_without_end_are_refused() {
        let long = format!("{}=1", vec!["a"; 30_000].join("."));
        for (set, words) in [
            ("evaluate.holdout_days=4294967295", "expected 1 to 3650"),
            ("evaluate.bootstrap_rounds=4294967295", "expected 0 to 100000"),
            (long.as_str(), "expected a key of at most 8 parts, found 30000"),
        ] {
            let error = Resolved::new(None, &global(&[set]), BTreeMap::new()).unwrap_err();
            assert_eq!(error.class(), ErrorClass::Configuration);
            assert!(error.to_string().contains(words), "{error}");
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a pipeline is a file")]
    fn whatever_is_altered_in_a_pipeline_it_is_read_or_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("altered.toml");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Resolved::new(Some(&path), &global(&[]), BTreeMap::new())
        };
        let pipeline = include_str!("../../../../pipelines/demo.toml");
        assert!(read(pipeline).is_ok());
        let mut random = statistics::SplitMix64::new(13);
        let letters: Vec<char> = "[]{}=\"'.,# \n09ae-".chars().collect();
        let mut refused = 0;
        for _ in 0..300 {
            let mut text: Vec<char> = pipeline.chars().collect();
            for _ in 0..=random.next_u64() % 3 {
                let at = random.next_u64() as usize % text.len();
                text[at] = letters[random.next_u64() as usize % letters.len()];
            }
            if let Err(error) = read(&text.into_iter().collect::<String>()) {
                refused += 1;
                assert_eq!(error.class(), ErrorClass::Configuration, "{error}");
            }
        }
        assert!(refused > 100, "{refused}");
        for deep in ["a = ".to_owned() + &"[".repeat(100_000), vec!["a"; 30_000].join(".") + " = 1"]
        {
            assert!(read(&deep).is_err());
        }
    }

    #[test]
    fn a_direction_is_keyed_by_its_feature_and_an_unset_limit_is_known() {
        let set = ["train.monotone.distance_km=rising", "train.boost.memory_mib=4096"];
        let resolved = Resolved::new(None, &global(&set), BTreeMap::new()).unwrap();
        let shown = resolved.show();
        let direction = shown.iter().find(|(key, ..)| key == "train.monotone.distance_km").unwrap();
        assert_eq!((direction.1.as_str(), direction.2.as_str()), ("\"rising\"", "--set"));
        assert_eq!(resolved.settings.train.boost.memory_mib, Some(4096));
        let wrong = global(&["train.monotone.distance_km=up"]);
        let refused = Resolved::new(None, &wrong, BTreeMap::new()).unwrap_err().to_string();
        assert!(refused.contains("`rising`"), "{refused}");
    }

    #[test]
    fn orders_mature_in_half_of_the_days_after_which_they_are_lost_unless_it_is_set() {
        let resolved = |set: &[&str]| Resolved::new(None, &global(set), BTreeMap::new());
        let slow = ["network.lost_after_days=180", "network.history_days=240"];
        let found = resolved(&slow).unwrap();
        assert_eq!(found.settings.train.maturity_days, 90);
        let shown = found.show();
        let shown = shown.iter().find(|(key, ..)| key == "train.maturity_days").unwrap();
        assert_eq!(shown.2, "half of network.lost_after_days, --set");
        assert_eq!(found.settings.network.limits().history_days, 240);
        let set = [&slow[..], &["train.maturity_days=50"]].concat();
        assert_eq!(resolved(&set).unwrap().settings.train.maturity_days, 50);
        assert_eq!(resolved(&[]).unwrap().settings.train.maturity_days, 30);

        let error = resolved(&slow[..1]).unwrap_err();
        assert_eq!(error.class(), ErrorClass::Configuration);
        let expected = "network.history_days (default): expected at least 180 days";
        assert!(error.to_string().starts_with(expected), "{error}");
    }

    #[test]
    fn an_unknown_key_suggests_the_near_one() {
        let error =
            Resolved::new(None, &global(&["evaluate.holdout_day=7"]), BTreeMap::new()).unwrap_err();
        assert_eq!(error.class(), ErrorClass::Configuration);
        assert!(error.to_string().contains("evaluate.holdout_day"), "{error}");
        assert!(error.hint().unwrap().contains("evaluate.holdout_days"));
    }

    #[test]
    fn a_wrong_type_is_refused() {
        let error =
            Resolved::new(None, &global(&["train.seed=many"]), BTreeMap::new()).unwrap_err();
        assert_eq!(error.class(), ErrorClass::Configuration);
        assert!(error.to_string().contains("seed") || error.to_string().contains("u64"), "{error}");
    }
}
