//! What the flags, the environment and the pipeline file mean together.
//!
//! Precedence: flag, then `LONGHAUL__SECTION__KEY`, then the file, then the default. Each value
//! remembers where it came from. An unknown key is an error that suggests the nearest one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use features::Declaration;
use intake::Contract;
use learn::FamilyName;
use serde::{Deserialize, Serialize};
use store::StoreSettings;
use terms::AsOf;
use toml::{Table, Value};

use crate::flags::Global;
use crate::refusal::Refusal;

const ENV_PREFIX: &str = "LONGHAUL__";

/// Tables whose keys are names of features, which training knows.
const FEATURE_KEYED: [&str; 1] = ["train.monotone."];

/// Keys without a default.
const OPTIONAL: [&str; 3] = ["train.history_days", "train.boost.threads", "train.boost.memory_mib"];

/// The tables that are checked.
const TABLES: [&str; 5] = ["orders", "shipments", "nodes", "legs", "holidays"];

/// Those that a folder of contracts need not describe: there the shipped ones hold.
const TABLES_OPTIONAL: [&str; 3] = ["nodes", "legs", "holidays"];

/// Everything that a pipeline file can say, with defaults.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// The pipeline's name; default: the file's.
    pub(crate) name: String,
    /// The as-of when no flag gives one; empty: today.
    pub(crate) as_of: String,
    /// Where things are kept.
    pub(crate) store: StoreSection,
    /// The invented network, for `simulate`.
    pub(crate) simulate: simulate::NetworkSettings,
    /// How is checked.
    pub(crate) check: CheckSection,
    /// Which features.
    pub(crate) features: FeaturesSection,
    /// How is trained.
    pub(crate) train: learn::Settings,
    /// How is judged.
    pub(crate) evaluate: EvaluateSection,
    /// How is scored.
    pub(crate) score: ScoreSection,
    /// How is tested backwards.
    pub(crate) backtest: BacktestSection,
}

/// Where things are kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct StoreSection {
    /// A folder (relative to where the program is started), `file:///…` or `s3://…`.
    pub(crate) url: String,
}

/// How is checked.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CheckSection {
    /// A folder of contracts, relative to the pipeline file; empty: the shipped ones.
    pub(crate) contracts: PathBuf,
}

/// Which features.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct FeaturesSection {
    /// The declaration file, relative to the pipeline file.
    pub(crate) declaration: PathBuf,
}

/// How is judged.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct EvaluateSection {
    /// Orders of so many days are held out.
    pub(crate) holdout_days: u32,
    /// The hold-out ends so many days before the as-of, when most outcomes are known.
    pub(crate) maturity_days: u32,
    /// Rounds of the block bootstrap.
    pub(crate) bootstrap_rounds: u32,
    /// What a model must reach to be published.
    pub(crate) gates: evaluate::GateSettings,
}

/// How is scored.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ScoreSection {
    /// Whether the prediction of an open shipment uses that it is still open.
    pub(crate) given_still_open: bool,
}

/// How is tested backwards.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct BacktestSection {
    /// The family that is trained at each origin.
    pub(crate) family: FamilyName,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: String::new(),
            as_of: String::new(),
            store: StoreSection::default(),
            simulate: simulate::NetworkSettings::default(),
            check: CheckSection::default(),
            features: FeaturesSection::default(),
            train: learn::Settings::default(),
            evaluate: EvaluateSection::default(),
            score: ScoreSection { given_still_open: true },
            backtest: BacktestSection { family: FamilyName::Boost },
        }
    }
}

impl Default for StoreSection {
    fn default() -> Self {
        Self { url: "store".to_owned() }
    }
}

impl Default for FeaturesSection {
    fn default() -> Self {
        Self { declaration: PathBuf::from("features/default.toml") }
    }
}

impl Default for EvaluateSection {
    fn default() -> Self {
        Self {
            holdout_days: 28,
            maturity_days: 21,
            bootstrap_rounds: 200,
            gates: evaluate::GateSettings::default(),
        }
    }
}

impl Default for ScoreSection {
    fn default() -> Self {
        Settings::default().score
    }
}

impl Default for BacktestSection {
    fn default() -> Self {
        Settings::default().backtest
    }
}

/// Settings, and where each came from.
#[derive(Debug)]
pub(crate) struct Resolved {
    /// What they mean.
    pub(crate) settings: Settings,
    /// For each key that is not at its default, what set it.
    pub(crate) origins: BTreeMap<String, String>,
    /// The folder of the pipeline file.
    folder: PathBuf,
    variables: BTreeMap<String, String>,
}

impl Resolved {
    /// Resolves the settings of `pipeline` (all defaults if none is given).
    ///
    /// # Errors
    /// If the file cannot be read, is no TOML, or names a key that does not exist.
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
            for key in flat(&table).keys() {
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
        let settings: Settings =
            Value::Table(table).try_into().map_err(|error: toml::de::Error| {
                let place = pipeline.map_or_else(String::new, |path| path.display().to_string());
                Refusal::Configuration { place, problem: error.to_string().trim().to_owned() }
            })?;
        Ok(Self { settings, origins, folder, variables })
    }

    /// The moment whose knowledge may be used: the flag's, the file's, or today's UTC midnight.
    ///
    /// # Errors
    /// If the file's is no date.
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
    /// If the URL or a variable makes no sense.
    pub(crate) fn store(&self) -> Result<StoreSettings, store::Error> {
        let here = std::env::current_dir().unwrap_or_default();
        let url = store::url_of(&self.settings.store.url, &here)?;
        StoreSettings::resolve(&url, &self.variables)
    }

    /// The contracts of the tables.
    ///
    /// # Errors
    /// If one cannot be read or is no contract.
    pub(crate) fn contracts(&self) -> anyhow::Result<Vec<Contract>> {
        let folder = &self.settings.check.contracts;
        let read = |table: &str| -> anyhow::Result<Contract> {
            let path = self.folder.join(folder).join(format!("{table}.odcs.yaml"));
            let is_theirs = !folder.as_os_str().is_empty()
                && (path.exists() || !TABLES_OPTIONAL.contains(&table));
            match Contract::shipped(table) {
                Some(shipped) if !is_theirs => Ok(shipped?),
                _ => Ok(Contract::parse(&path.display().to_string(), &read_text(&path)?)?),
            }
        };
        TABLES.into_iter().map(read).collect()
    }

    /// The declared features, and the text that declares them.
    ///
    /// # Errors
    /// If the file cannot be read or is no declaration.
    pub(crate) fn declaration(&self) -> anyhow::Result<(Declaration, String)> {
        let path = self.folder.join(&self.settings.features.declaration);
        let text = read_text(&path)?;
        let declared = Declaration::read(&text)
            .map_err(|error| anyhow::Error::new(error).context(path.display().to_string()))?;
        Ok((declared, text))
    }

    /// Every key, its value and its origin.
    pub(crate) fn show(&self) -> Vec<(String, String, String)> {
        let table = Table::try_from(&self.settings).unwrap_or_default();
        flat(&table)
            .into_iter()
            .map(|(key, value)| {
                let origin = self.origins.get(&key).cloned();
                (key, value.to_string(), origin.unwrap_or_else(|| "default".to_owned()))
            })
            .collect()
    }
}

/// Today's UTC midnight. The only clock that decides anything; a stage is given its as-of.
fn today() -> AsOf {
    AsOf::start_of(terms::Instant::from_micros(chrono::Utc::now().timestamp_micros()).day())
}

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

/// Sets one dotted key; the text is TOML, or else a string.
fn set(table: &mut Table, key: &str, text: &str, origin: &str) -> Result<(), Refusal> {
    let value = format!("value = {text}")
        .parse::<Table>()
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(text.to_owned()));
    let mut table = table;
    let mut parts = key.split('.').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            table.insert(part.to_owned(), value);
            break;
        }
        let entry = table.entry(part).or_insert_with(|| Value::Table(Table::new()));
        table = entry.as_table_mut().ok_or_else(|| Refusal::Configuration {
            place: origin.to_owned(),
            problem: format!("key {key:?}: {part:?} is a value and has no keys"),
        })?;
    }
    Ok(())
}

/// All leaves of a table by their dotted key.
fn flat(table: &Table) -> BTreeMap<String, Value> {
    fn walk(prefix: &str, table: &Table, leaves: &mut BTreeMap<String, Value>) {
        for (name, value) in table {
            let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            match value {
                Value::Table(inner) => walk(&key, inner, leaves),
                value => {
                    leaves.insert(key, value.clone());
                }
            }
        }
    }
    let mut leaves = BTreeMap::new();
    walk("", table, &mut leaves);
    leaves
}

fn refuse_unknown(table: &Table, origins: &BTreeMap<String, String>) -> Result<(), Refusal> {
    let known = Table::try_from(Settings::default()).unwrap_or_default();
    let known: Vec<String> = flat(&known).into_keys().chain(OPTIONAL.map(str::to_owned)).collect();
    for key in flat(table).into_keys() {
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
        assert_eq!(origin("evaluate.maturity_days"), "default");
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
