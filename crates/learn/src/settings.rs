//! The settings of training, as written in a pipeline file, and their ranges.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ensemble_settings::{EnsembleSettings, SearchSettings};
use crate::error::Error;

/// The families of regressors.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum FamilyName {
    /// Gradient boosting of all quantiles at once; learns from right-censored rows too.
    Boost,
    /// The mean of boosting and a random forest while deliveries are few, and boosting alone from
    /// `train.ensemble.deliveries_max` on.
    Ensemble,
    /// Random forest.
    Forest,
    /// Extremely randomised trees.
    ExtraTrees,
    /// What lanes did: the family that can always be trained. It competes without being named.
    Baseline,
}

/// The settings of training.
///
/// ```
/// let settings = learn::Settings { rows_min: 0, ..learn::Settings::default() };
/// let error = settings.check().unwrap_err();
/// assert_eq!(error.to_string(), "setting train.rows_min: expected at least 1, found 0");
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The families that are trained and compared.
    #[schemars(length(min = 1, max = 5))]
    pub families: Vec<FamilyName>,
    /// The boosted regressor. Its `seed` is added to `train.seed`.
    pub boost: boost::Params,
    /// Monotone constraints of the boosted quantiles: whether they rise or fall with a feature, by
    /// its name.
    pub monotone: BTreeMap<String, boost::Direction>,
    /// The ensemble of boosting and a random forest.
    pub ensemble: EnsembleSettings,
    /// The search for the sizes of an ensemble.
    pub search: SearchSettings,
    /// Random forest and extra trees.
    pub forest: ForestSettings,
    /// The gate: which shipments take more than two days.
    pub gate: GateSettings,
    /// The conformal correction.
    pub calibration: CalibrationSettings,
    /// The correction by what was delivered in the last weeks.
    pub recalibration: RecalibrationSettings,
    /// What delivery times are multiples of.
    pub time_scale: TimeScaleSettings,
    /// A feature that differs between days by at least this share of its variance tells of the whole
    /// network and not of a shipment: trees would recognise weeks by it, and do not see it. The
    /// calendar is aside.
    #[schemars(range(min = 0, max = 1))]
    pub network_share_min: f64,
    /// Only orders of so many days before the origin are used; unless it is set, all are.
    #[schemars(range(min = 1, max = 36_500))]
    pub history_days: Option<u32>,
    /// An order older than this is matured: its outcome is known, but for exceptions. Unless it is set,
    /// it is half of `network.lost_after_days`.
    #[schemars(range(min = 1, max = 36_500))]
    pub maturity_days: u32,
    /// A shipment that is open for so many days is lost: of orders so long ago all fates are known. It
    /// is the network's (`network.lost_after_days`), not a setting of training.
    #[serde(skip, default = "lost_after_days")]
    pub lost_after_days: u32,
    /// With fewer observed deliveries nothing is trained.
    #[schemars(range(min = 1))]
    pub rows_min: usize,
    /// Rounds after which the boosted regressor leaves a checkpoint, from which a training that was
    /// killed goes on; 0: none.
    pub checkpoint_rounds: u32,
    /// Seed of every choice.
    pub seed: u64,
}

/// Settings of the two families of forests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ForestSettings {
    /// Trees.
    #[schemars(range(min = 1, max = 10_000))]
    pub trees: u32,
    /// Splits on a path from the root to a leaf, at most.
    #[schemars(range(min = 1, max = 30))]
    pub depth: u16,
    /// Rows that the structure is learned from; quantiles of the leaves are of all matured rows.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub rows_sampled: usize,
    /// Sampled rows of a leaf at least.
    #[schemars(range(min = 1))]
    pub rows_in_leaf_min: usize,
    /// The share of the features that are candidates for a split.
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0))]
    pub feature_fraction: f64,
}

/// Settings of the boosted gate and of the readable one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GateSettings {
    /// Trees of the boosted gate.
    #[schemars(range(min = 1, max = 100_000))]
    pub rounds: u32,
    /// The share of each tree's step that is added.
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0))]
    pub learning_rate: f64,
    /// Leaves of a tree at most.
    #[schemars(range(min = 2, max = 4_096))]
    pub leaves: u32,
    /// Rows of a leaf at least.
    #[schemars(range(min = 1))]
    pub rows_in_leaf_min: u32,
    /// With fewer rows of either class the gate is a constant.
    #[schemars(range(min = 1))]
    pub rows_of_class_min: usize,
    /// Orders of so many days before the origin are left out, delivered or not: it is known of the
    /// fast ones only whether they took more than two days.
    #[schemars(range(min = 2, max = 60))]
    pub undecided_days: u32,
    /// Depth of the readable tree.
    #[schemars(range(min = 1, max = 6))]
    pub rules_depth: u32,
    /// Rows that the readable tree is trained on, at most.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub rules_rows: usize,
}

/// Settings of the conformal correction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CalibrationSettings {
    /// Whether there is a correction.
    pub enabled: bool,
    /// Days of matured orders that it is learned from.
    #[schemars(range(min = 1, max = 36_500))]
    pub days: u32,
    /// With fewer rows there is no correction.
    #[schemars(range(min = 1))]
    pub rows_min: usize,
    /// Shrinkage: a correction estimated from n rows has the weight n / (n + this).
    #[schemars(range(min = 0))]
    pub shrink_rows: f64,
    /// The share of the correction of spread (each level relative to the median) that is applied.
    #[schemars(range(min = 0, max = 1))]
    pub damping: f64,
    /// The share of the correction of location (the median) that is applied. Outcomes take weeks
    /// to mature, and by then the network has moved on: on Olist, half of it costs 3% of mean
    /// pinball (ARCHITECTURE.md).
    #[schemars(range(min = 0, max = 1))]
    pub location_damping: f64,
    /// Bands of the predicted median with their own factors, of equal numbers of rows.
    #[schemars(range(min = 1, max = 50))]
    pub bands: usize,
}

/// Settings of the recalibration by period.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RecalibrationSettings {
    /// Whether there is one.
    pub enabled: bool,
    /// The period in days: a model as of its beginning predicts the orders of it.
    #[schemars(range(min = 1, max = 36_500))]
    pub days: u32,
    /// With fewer deliveries in the period there is none.
    pub deliveries_min: usize,
    /// The share of the logarithm of the ratios that is applied.
    #[schemars(range(min = 0, max = 1))]
    pub damping: f64,
    /// The standard deviation of the logarithm of ratios that last. Where those of single weeks differ
    /// by more, less of their mean is applied: their mean is not what the next week will be.
    #[schemars(range(min = 0.001, max = 1000))]
    pub lasting_sd: f64,
    /// Deliveries that are added to those seen and to those expected in each stretch.
    #[schemars(range(min = 0))]
    pub prior_deliveries: f64,
    /// Stretches of predicted cumulative hazard, of equal length, each with a ratio of its own.
    #[schemars(range(min = 1, max = 100))]
    pub stretches: u32,
    /// The cumulative hazard up to which there are stretches.
    #[schemars(range(min = 0.1, max = 10))]
    pub hazard_max: f64,
}

impl Default for RecalibrationSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            days: 28,
            deliveries_min: 100,
            damping: 0.7,
            lasting_sd: 0.2,
            prior_deliveries: 22.5,
            stretches: 8,
            hazard_max: 3.2,
        }
    }
}

/// Settings of the time scale on which the regressor learns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TimeScaleSettings {
    /// Whether delivery times are multiples of the level of the network, if the features have it.
    pub level: bool,
    /// The weight of a second regressor, which learns hours that are no multiples of the level, from
    /// 0 (there is none) to 1 (it is the only one).
    #[schemars(range(min = 0, max = 1))]
    pub hours_weight: f64,
    /// Whether they are in working hours, if the features have what a clock needs.
    pub clock: bool,
    /// A category of the features whose clocks differ, for example `destination_region`.
    pub clock_by: Option<String>,
    /// Shrinkage: the weekdays of a category with n deliveries have the weight n / (n + this).
    #[schemars(range(min = 0))]
    pub clock_shrink_deliveries: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            families: vec![FamilyName::Ensemble],
            boost: boost::Params::default(),
            monotone: BTreeMap::new(),
            ensemble: EnsembleSettings::default(),
            search: SearchSettings::default(),
            forest: ForestSettings::default(),
            gate: GateSettings::default(),
            calibration: CalibrationSettings::default(),
            recalibration: RecalibrationSettings::default(),
            time_scale: TimeScaleSettings::default(),
            network_share_min: 0.5,
            history_days: None,
            maturity_days: 30,
            lost_after_days: lost_after_days(),
            rows_min: 200,
            checkpoint_rounds: 0,
            seed: 0,
        }
    }
}

fn lost_after_days() -> u32 {
    60
}

impl Default for ForestSettings {
    fn default() -> Self {
        Self {
            trees: 60,
            depth: 12,
            rows_sampled: 20_000,
            rows_in_leaf_min: 20,
            feature_fraction: 0.3,
        }
    }
}

impl Default for GateSettings {
    fn default() -> Self {
        Self {
            rounds: 100,
            learning_rate: 0.1,
            leaves: 15,
            rows_in_leaf_min: 100,
            rows_of_class_min: 50,
            undecided_days: 3,
            rules_depth: 3,
            rules_rows: 20_000,
        }
    }
}

impl Default for TimeScaleSettings {
    fn default() -> Self {
        Self {
            level: true,
            hours_weight: 0.35,
            clock: true,
            clock_by: None,
            clock_shrink_deliveries: 2000.0,
        }
    }
}

impl Default for CalibrationSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            days: 28,
            rows_min: 100,
            shrink_rows: 500.0,
            damping: 1.0,
            location_damping: 0.0,
            bands: 3,
        }
    }
}

impl Settings {
    /// Checks every setting against its range, those of the boosted models too.
    ///
    /// # Errors
    /// With the first setting out of range.
    pub fn check(&self) -> Result<(), Error> {
        let (forest, gate, calibration) = (&self.forest, &self.gate, &self.calibration);
        within("families", self.families.len() as f64, 1.0, 5.0, "one to five names")?;
        let days = "1 to 36500 days";
        within("history_days", self.history_days.unwrap_or(1).into(), 1.0, 36_500.0, days)?;
        within("maturity_days", self.maturity_days.into(), 1.0, 36_500.0, days)?;
        within("network_share_min", self.network_share_min, 0.0, 1.0, "0 to 1")?;
        within("rows_min", self.rows_min as f64, 1.0, f64::MAX, "at least 1")?;
        within("ensemble.forest_weight", self.ensemble.forest_weight, 0.0, 1.0, "0 to 1")?;
        let deliveries = self.ensemble.deliveries_max as f64;
        within("ensemble.deliveries_max", deliveries, 1.0, f64::MAX, "at least 1")?;
        within("search.days", self.search.days.into(), 1.0, 36_500.0, days)?;
        let deliveries = self.search.deliveries_min as f64;
        within("search.deliveries_min", deliveries, 1.0, f64::MAX, "at least 1")?;
        within("forest.trees", forest.trees.into(), 1.0, 10_000.0, "1 to 10000")?;
        within("forest.depth", forest.depth.into(), 1.0, 30.0, "1 to 30")?;
        within("forest.rows_sampled", forest.rows_sampled as f64, 1.0, 1e6, "1 to 1000000")?;
        let rows = forest.rows_in_leaf_min as f64;
        within("forest.rows_in_leaf_min", rows, 1.0, f64::MAX, "at least 1")?;
        let share = "above 0 and at most 1";
        within("forest.feature_fraction", forest.feature_fraction, f64::MIN_POSITIVE, 1.0, share)?;
        within("gate.undecided_days", gate.undecided_days.into(), 2.0, 60.0, "2 to 60 days")?;
        let rows = gate.rows_of_class_min as f64;
        within("gate.rows_of_class_min", rows, 1.0, f64::MAX, "at least 1")?;
        within("gate.rules_depth", gate.rules_depth.into(), 1.0, 6.0, "1 to 6")?;
        within("gate.rules_rows", gate.rules_rows as f64, 1.0, 1e6, "1 to 1000000")?;
        within("calibration.days", calibration.days.into(), 1.0, 36_500.0, days)?;
        let rows = calibration.rows_min as f64;
        within("calibration.rows_min", rows, 1.0, f64::MAX, "at least 1")?;
        let shrink = calibration.shrink_rows;
        within("calibration.shrink_rows", shrink, 0.0, f64::MAX, "at least 0")?;
        within("calibration.damping", calibration.damping, 0.0, 1.0, "0 to 1")?;
        let location = calibration.location_damping;
        within("calibration.location_damping", location, 0.0, 1.0, "0 to 1")?;
        let recalibration = &self.recalibration;
        within("recalibration.days", recalibration.days.into(), 1.0, 36_500.0, days)?;
        within("recalibration.damping", recalibration.damping, 0.0, 1.0, "0 to 1")?;
        within(
            "recalibration.lasting_sd",
            recalibration.lasting_sd,
            0.001,
            1000.0,
            "0.001 to 1000",
        )?;
        let prior = recalibration.prior_deliveries;
        within("recalibration.prior_deliveries", prior, 0.0, f64::MAX, "at least 0")?;
        let stretches = recalibration.stretches.into();
        within("recalibration.stretches", stretches, 1.0, 100.0, "1 to 100")?;
        within("recalibration.hazard_max", recalibration.hazard_max, 0.1, 10.0, "0.1 to 10")?;
        within("time_scale.hours_weight", self.time_scale.hours_weight, 0.0, 1.0, "0 to 1")?;
        let shrink = self.time_scale.clock_shrink_deliveries;
        within("time_scale.clock_shrink_deliveries", shrink, 0.0, f64::MAX, "at least 0")?;
        within("calibration.bands", calibration.bands as f64, 1.0, 50.0, "1 to 50")?;
        let refused = |step| move |source| Error::Boost { step, source };
        self.boost.clone().check().map_err(refused("boost"))?;
        self.gate_params().check().map_err(refused("gate"))?;
        Ok(())
    }

    /// Parameters of the boosted regressor.
    pub(crate) fn boost_params(&self) -> boost::Params {
        let seed = self.boost.seed.wrapping_add(self.seed);
        boost::Params { seed, ..self.boost.clone() }
    }

    /// Parameters of the boosted gate.
    pub(crate) fn gate_params(&self) -> boost::Params {
        boost::Params {
            rounds: self.gate.rounds,
            learning_rate: self.gate.learning_rate,
            leaves: self.gate.leaves,
            rows_in_leaf_min: self.gate.rows_in_leaf_min,
            threads: self.boost.threads,
            seed: self.seed,
            ..boost::Params::default()
        }
    }
}

fn within(
    key: &'static str,
    found: f64,
    from: f64,
    to: f64,
    expected: &'static str,
) -> Result<(), Error> {
    // Not-a-number is in no range.
    if (from..=to).contains(&found) { Ok(()) } else { Err(Error::Setting { key, expected, found }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use terms::ErrorClass;

    #[test]
    fn the_defaults_pass_and_unknown_keys_do_not() {
        assert!(Settings::default().check().is_ok());
        let written = r#"{"families": ["boost", "extra_trees"], "gate": {"rules_depth": 2}}"#;
        let settings: Settings = serde_json::from_str(written).unwrap();
        assert_eq!(settings.families, [FamilyName::Boost, FamilyName::ExtraTrees]);
        assert_eq!(settings.gate.rules_depth, 2);
        assert_eq!(settings.gate.rounds, GateSettings::default().rounds);
        assert!(serde_json::from_str::<Settings>(r#"{"gates": {}}"#).is_err());
    }

    #[test]
    fn a_setting_out_of_range_is_named() {
        let mut settings = Settings::default();
        settings.calibration.damping = f64::NAN;
        let error = settings.check().unwrap_err();
        let expected = "setting train.calibration.damping: expected 0 to 1, found NaN";
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.class(), ErrorClass::Configuration);
    }
}
