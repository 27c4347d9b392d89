//! What a pipeline file can set, and the defaults: one struct for each section of the TOML file.

use std::path::PathBuf;

use learn::FamilyName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits::LimitsSection;
use super::network::NetworkSection;
use super::operations::OperationsSection;
use super::{OutOfRange, check_ranges};

/// A pipeline file, with defaults for everything that it does not set.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// The pipeline's name; default: the file's stem.
    pub(crate) name: String,
    /// The as-of when no flag gives one; empty: today.
    pub(crate) as_of: String,
    /// Where tables, runs and models are stored.
    pub(crate) store: StoreSection,
    /// For how long shipments of the network are followed.
    pub(crate) network: NetworkSection,
    /// How long a run waits, and may take.
    pub(crate) limits: LimitsSection,
    /// Whom a run tells how it went.
    pub(crate) operations: OperationsSection,
    /// The simulated network, for `simulate`.
    pub(crate) simulate: simulate::NetworkSettings,
    /// The check stage: the tables against their contracts.
    pub(crate) check: CheckSection,
    /// The features stage: what is known of a shipment when it is ordered.
    pub(crate) features: FeaturesSection,
    /// The train stage: families of quantile regressors, and the gate before them.
    pub(crate) train: learn::Settings,
    /// The evaluate stage: the hold-out on which the families are judged.
    pub(crate) evaluate: EvaluateSection,
    /// The publish stage: the bundle of a model.
    pub(crate) publish: PublishSection,
    /// The score stage: predictions for open shipments.
    pub(crate) score: ScoreSection,
    /// Backtests: models of past origins, as if it were then.
    pub(crate) backtest: BacktestSection,
}

/// The section `[store]`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct StoreSection {
    /// A folder (relative to where the program is started), `file:///…` or `s3://…`.
    pub(crate) url: String,
}

/// The section `[check]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CheckSection {
    /// A folder of contracts, relative to the pipeline file; empty: the shipped ones.
    pub(crate) contracts: PathBuf,
}

/// The section `[features]`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct FeaturesSection {
    /// The declaration file, relative to the pipeline file.
    pub(crate) declaration: PathBuf,
}

/// The section `[evaluate]`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct EvaluateSection {
    /// Length of the hold-out in days of orders.
    #[schemars(range(min = 1, max = 3_650))]
    pub(crate) holdout_days: u32,
    /// Days between the end of the hold-out and the as-of, so that most outcomes have matured; absent:
    /// from data, those after which 99% of recent orders are delivered, at most those until one is lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 3_650))]
    pub(crate) maturity_days: Option<u32>,
    /// Rounds of the block bootstrap.
    #[schemars(range(min = 0, max = 100_000))]
    pub(crate) bootstrap_rounds: u32,
    /// Order days in a row that the bootstrap draws together.
    #[schemars(range(min = 0, max = 3_650))]
    pub(crate) bootstrap_block_days: u32,
    /// The gates that a model must pass to be published.
    pub(crate) gates: evaluate::GateSettings,
}

impl EvaluateSection {
    /// Checks the ranges: beyond them days cannot be counted, or rounds not be ended.
    ///
    /// # Errors
    /// The first setting that is out of its range.
    pub(super) fn check(&self) -> Result<(), OutOfRange> {
        let ranges = [
            ("evaluate.holdout_days", self.holdout_days.into(), 1..=3_650),
            ("evaluate.maturity_days", self.maturity_days.unwrap_or_default().into(), 0..=3_650),
            ("evaluate.bootstrap_rounds", self.bootstrap_rounds.into(), 0..=100_000),
            ("evaluate.bootstrap_block_days", self.bootstrap_block_days.into(), 0..=3_650),
        ];
        check_ranges(ranges, "")
    }
}

/// The section `[publish]`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PublishSection {
    /// Whether bundles hold the model in the formats of others, too (ONNX with MLmodel, LightGBM's text),
    /// and the rows that prove them; `longhaul models export` writes them in any case.
    pub(crate) exports: bool,
}

/// The section `[score]`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ScoreSection {
    /// Whether the prediction of an open shipment is conditioned on its being open still.
    pub(crate) given_still_open: bool,
    /// Recent shipments that a lane of the speed table needs; for one of fewer a coarser lane answers.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(crate) lane_shipments_min: u32,
}

impl ScoreSection {
    /// Checks the ranges.
    ///
    /// # Errors
    /// The first setting that is out of its range.
    pub(super) fn check(&self) -> Result<(), OutOfRange> {
        let shipments_min = self.lane_shipments_min.into();
        check_ranges([("score.lane_shipments_min", shipments_min, 1..=1_000_000)], "")
    }
}

/// The section `[backtest]`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct BacktestSection {
    /// The family that is trained at each origin; unless it is set, the first of `train.families`.
    pub(crate) family: Option<FamilyName>,
}

impl Settings {
    /// The family that a backtest trains.
    pub(crate) fn backtest_family(&self) -> FamilyName {
        let first = self.train.families.first().copied();
        self.backtest.family.or(first).unwrap_or(FamilyName::Baseline)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: String::new(),
            as_of: String::new(),
            store: StoreSection::default(),
            network: NetworkSection::default(),
            limits: LimitsSection::default(),
            operations: OperationsSection::default(),
            simulate: simulate::NetworkSettings::default(),
            check: CheckSection::default(),
            features: FeaturesSection::default(),
            train: learn::Settings::default(),
            evaluate: EvaluateSection::default(),
            publish: PublishSection { exports: true },
            score: ScoreSection { given_still_open: true, lane_shipments_min: 5 },
            backtest: BacktestSection { family: None },
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
            maturity_days: None,
            bootstrap_rounds: 200,
            bootstrap_block_days: 7,
            gates: evaluate::GateSettings::default(),
        }
    }
}

impl Default for PublishSection {
    fn default() -> Self {
        Settings::default().publish
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
