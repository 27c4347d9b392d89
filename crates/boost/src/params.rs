//! The parameters of training: as written ([`Params`]) and as checked ([`CheckedParams`]), which is
//! what training takes.

use serde::{Deserialize, Serialize};

use crate::Error;

/// Parameters of training as written, not yet checked.
///
/// The defaults were chosen for nine quantiles of delivery times. Trees of means and probabilities
/// do well with fewer rows in a leaf.
///
/// ```
/// use boost::Params;
///
/// let params = Params { rounds: 300, learning_rate: 0.05, ..Params::default() };
/// assert!(params.check().is_ok());
/// let refused = Params { learning_rate: 0.0, ..Params::default() }.check().unwrap_err();
/// assert_eq!(
///     refused.to_string(),
///     "parameter learning_rate must be above 0 and at most 1, found 0"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// Boosting rounds, each of which grows a tree, 1 to 100,000. Default 80.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 100_000)))]
    pub rounds: u32,
    /// What each leaf's step is multiplied by (shrinkage), above 0 and at most 1. Default 0.13.
    #[cfg_attr(feature = "schema", schemars(range(max = 1), extend("exclusiveMinimum" = 0)))]
    pub learning_rate: f64,
    /// The largest number of leaves of a tree, 2 to 4,096. Default 31.
    #[cfg_attr(feature = "schema", schemars(range(min = 2, max = 4_096)))]
    pub leaves: u32,
    /// The smallest number of rows of a leaf, from 1. Default 200: extreme quantiles of smaller leaves overfit.
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub rows_in_leaf_min: u32,
    /// The largest number of bins of a column, 2 to 255; missing values have one more. Default 255.
    #[cfg_attr(feature = "schema", schemars(range(min = 2, max = 255)))]
    pub bins_max: u16,
    /// The share of the rows that the splits of a tree are chosen on, above 0 and at most 1; the
    /// values of its leaves are computed from all rows. Default 1.
    #[cfg_attr(feature = "schema", schemars(range(max = 1), extend("exclusiveMinimum" = 0)))]
    pub row_fraction_per_tree: f64,
    /// The share of the columns that a tree may use, above 0 and at most 1. Default 1.
    #[cfg_attr(feature = "schema", schemars(range(max = 1), extend("exclusiveMinimum" = 0)))]
    pub feature_fraction_per_tree: f64,
    /// The share of the tree's columns that a split may use, above 0 and at most 1. Default 0.6.
    #[cfg_attr(feature = "schema", schemars(range(max = 1), extend("exclusiveMinimum" = 0)))]
    pub feature_fraction_per_split: f64,
    /// L2 regularisation: added to the sum of hessians of each leaf (the count, where every hessian
    /// is 1) in gains, and in leaf values of means and log-odds, from 0. Default 1.
    #[cfg_attr(feature = "schema", schemars(range(min = 0)))]
    pub l2: f64,
    /// How many rows with the node's mean gradient are added to each category before categories are
    /// sorted by theirs, from 0. Default 10.
    #[cfg_attr(feature = "schema", schemars(range(min = 0)))]
    pub category_smoothing: f64,
    /// How many times the gain expected from noise alone is subtracted from the gains of categorical
    /// splits, from 0: the order of many categories is mostly noise, and splitting along it gains
    /// even where they do not differ. Default 3.
    #[cfg_attr(feature = "schema", schemars(range(min = 0)))]
    pub category_noise: f64,
    /// The gain that a split must exceed, from 0. Default 0.
    #[cfg_attr(feature = "schema", schemars(range(min = 0)))]
    pub gain_min: f64,
    /// How many of the last rows are held out to decide when to stop; right-censored ones among them
    /// have no part in the loss. Together with `early_stopping_rounds`. Default 0.
    pub early_stopping_rows: u32,
    /// Training stops after so many rounds without a lower loss of the held-out rows; the model then
    /// has the trees of its best round. Default 0: training never stops early.
    pub early_stopping_rounds: u32,
    /// Limit of the memory that training may use beside its columns, in MiB; a training that would
    /// need more is refused before it begins. Default none.
    pub memory_mib: Option<u64>,
    /// Seed of the random samples of rows and columns. Default 0.
    pub seed: u64,
    /// Threads, 1 to 1,024; none: those of rayon's current pool. It changes no byte of the model.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1_024)))]
    pub threads: Option<usize>,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            rounds: 80,
            learning_rate: 0.13,
            leaves: 31,
            rows_in_leaf_min: 200,
            bins_max: 255,
            row_fraction_per_tree: 1.0,
            feature_fraction_per_tree: 1.0,
            feature_fraction_per_split: 0.6,
            l2: 1.0,
            category_smoothing: 10.0,
            category_noise: 3.0,
            gain_min: 0.0,
            early_stopping_rows: 0,
            early_stopping_rounds: 0,
            memory_mib: None,
            seed: 0,
            threads: None,
        }
    }
}

/// Parameters each of which is in its range; it dereferences to [`Params`].
///
/// ```
/// use boost::{CheckedParams, Params};
///
/// let checked: CheckedParams = Params::default().check()?;
/// assert_eq!(checked.leaves, 31);
/// # Ok::<(), boost::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct CheckedParams(Params);

impl Params {
    /// Checks every parameter against its range.
    ///
    /// # Errors
    /// [`Error::Param`] with the first parameter outside its range.
    pub fn check(self) -> Result<CheckedParams, Error> {
        let threads = self.threads.unwrap_or(1);
        let whole = |name, found: usize, min: usize, max: usize, expected| {
            if (min..=max).contains(&found) {
                Ok(())
            } else {
                Err(Error::Param { name, found: found as f64, expected })
            }
        };
        let share = |name, found: f64| {
            if found > 0.0 && found <= 1.0 {
                Ok(())
            } else {
                Err(Error::Param { name, found, expected: "above 0 and at most 1" })
            }
        };
        let at_least_zero = |name, found: f64| {
            if found >= 0.0 && found.is_finite() {
                Ok(())
            } else {
                Err(Error::Param { name, found, expected: "at least 0 and finite" })
            }
        };
        whole("rounds", self.rounds as usize, 1, 100_000, "1 to 100000")?;
        share("learning_rate", self.learning_rate)?;
        whole("leaves", self.leaves as usize, 2, 4_096, "2 to 4096")?;
        whole("rows_in_leaf_min", self.rows_in_leaf_min as usize, 1, usize::MAX, "at least 1")?;
        whole("bins_max", self.bins_max as usize, 2, 255, "2 to 255")?;
        share("row_fraction_per_tree", self.row_fraction_per_tree)?;
        share("feature_fraction_per_tree", self.feature_fraction_per_tree)?;
        share("feature_fraction_per_split", self.feature_fraction_per_split)?;
        at_least_zero("l2", self.l2)?;
        at_least_zero("category_smoothing", self.category_smoothing)?;
        at_least_zero("category_noise", self.category_noise)?;
        at_least_zero("gain_min", self.gain_min)?;
        if (self.early_stopping_rows == 0) != (self.early_stopping_rounds == 0) {
            let (name, found) = ("early_stopping_rounds", self.early_stopping_rounds.into());
            let expected = "above 0 together with early_stopping_rows, or both 0";
            return Err(Error::Param { name, found, expected });
        }
        whole("threads", threads, 1, 1_024, "1 to 1024")?;
        Ok(CheckedParams(self))
    }
}

impl std::ops::Deref for CheckedParams {
    type Target = Params;

    fn deref(&self) -> &Params {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_pass_the_check() {
        assert!(Params::default().check().is_ok());
    }

    #[track_caller]
    fn refused(params: Params, message: &str) {
        assert_eq!(params.check().unwrap_err().to_string(), message);
    }

    #[test]
    fn a_parameter_out_of_range_is_refused_by_name_and_value() {
        let good = Params::default;
        refused(Params { rounds: 0, ..good() }, "parameter rounds must be 1 to 100000, found 0");
        refused(
            Params { learning_rate: f64::NAN, ..good() },
            "parameter learning_rate must be above 0 and at most 1, found NaN",
        );
        refused(
            Params { bins_max: 256, ..good() },
            "parameter bins_max must be 2 to 255, found 256",
        );
        refused(
            Params { l2: -1.0, ..good() },
            "parameter l2 must be at least 0 and finite, found -1",
        );
        refused(
            Params { early_stopping_rounds: 5, ..good() },
            "parameter early_stopping_rounds must be above 0 together with early_stopping_rows, or both 0, found 5",
        );
        refused(
            Params { threads: Some(0), ..good() },
            "parameter threads must be 1 to 1024, found 0",
        );
    }
}
