//! What a model learns to predict, and what is refused about it.

use rayon::prelude::*;

use crate::Error;

/// The largest number of quantile levels.
const LEVELS_MAX: usize = 255;

/// What a model learns to predict. Shapes: one value, flag or outcome for each row.
///
/// ```
/// use boost::{Columns, Params, Target, train};
///
/// let columns = [vec![1.0, 2.0, 3.0, 4.0]];
/// let columns = Columns::new(&columns, &[false]);
/// let params = Params { rounds: 1, ..Params::default() }.check()?;
/// // The third outcome is right-censored: it exceeds 2.
/// let target = Target::Quantiles {
///     values: &[1.0, 3.0, 2.0, 5.0],
///     observed: &[true, true, false, true],
///     levels: &[0.25, 0.75],
/// };
/// // A model of quantiles begins with those of Kaplan and Meier.
/// assert_eq!(train(&columns, &target, &params)?.base(), [1.0, 5.0]);
/// let event = Target::Probability { outcomes: &[true, true, false, false] };
/// assert_eq!(train(&columns, &event, &params)?.base(), [0.0]);
/// # Ok::<(), boost::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// Quantiles of a number that may be right-censored (pinball loss).
    Quantiles {
        /// The outcome of each row; of a right-censored row its lower bound.
        values: &'a [f32],
        /// Whether the outcome was observed; if not, the row is right-censored.
        observed: &'a [bool],
        /// The levels to predict in rising order, each between 0 and 1.
        levels: &'a [f64],
    },
    /// The mean of a number (squared error).
    Mean {
        /// The outcome of each row.
        values: &'a [f32],
    },
    /// The log-odds of an event (logistic loss).
    Probability {
        /// Whether the event happened, for each row.
        outcomes: &'a [bool],
    },
}

/// Every so many sorted outcomes form the list that is searched first.
const SEARCHED_ROWS: usize = 256;

impl Target<'_> {
    /// Checks lengths, levels and values.
    pub(crate) fn check(&self, n_rows: usize) -> Result<(), Error> {
        let length = |what, found| {
            if found == n_rows {
                Ok(())
            } else {
                Err(Error::Length { what, found, expected: n_rows })
            }
        };
        match self {
            Self::Quantiles { values, observed, levels } => {
                check_levels(levels)?;
                length("target values", values.len())?;
                length("observed", observed.len())?;
                check_finite(values)
            }
            Self::Mean { values } => {
                length("target values", values.len())?;
                check_finite(values)
            }
            Self::Probability { outcomes } => length("target outcomes", outcomes.len()),
        }
    }

    /// For each of the first `n` rows the number whose mean orders categories: for quantiles the
    /// share of outcomes below the row's (of a right-censored row halfway from there to 1),
    /// otherwise the outcome.
    pub(crate) fn signal(&self, n: usize) -> Vec<f32> {
        match self {
            Self::Quantiles { values, observed, .. } => {
                let mut sorted = values[..n].to_vec();
                sorted.par_sort_unstable_by(f32::total_cmp);
                // First among a few that stay in the cache.
                let few: Vec<f32> = sorted.iter().copied().step_by(SEARCHED_ROWS).collect();
                let below = |value: f32| {
                    let end = few.partition_point(|&other| other < value) * SEARCHED_ROWS;
                    let start = end.saturating_sub(SEARCHED_ROWS);
                    start + sorted[start..end.min(n)].partition_point(|&other| other < value)
                };
                let rows = values[..n].par_iter().zip(&observed[..n]);
                rows.map(|(&value, &observed)| {
                    let share = below(value) as f32 / n as f32;
                    if observed { share } else { (share + 1.0) / 2.0 }
                })
                .collect()
            }
            Self::Mean { values } => values[..n].to_vec(),
            Self::Probability { outcomes } => {
                outcomes[..n].iter().map(|&outcome| u8::from(outcome).into()).collect()
            }
        }
    }

    /// Checks that the rows to learn from, the first `n_trained`, have an observed outcome.
    pub(crate) fn check_observed(&self, n_trained: usize) -> Result<(), Error> {
        match self {
            Self::Quantiles { observed, .. } if !observed[..n_trained].contains(&true) => {
                Err(Error::NothingObserved { rows: n_trained })
            }
            _ => Ok(()),
        }
    }
}

fn check_levels(levels: &[f64]) -> Result<(), Error> {
    if levels.is_empty() {
        return Err(Error::Empty { what: "quantile levels" });
    }
    if LEVELS_MAX < levels.len() {
        let found = levels.len();
        return Err(Error::TooMany { what: "quantile levels", found, max: LEVELS_MAX });
    }
    for (index, &found) in levels.iter().enumerate() {
        if !(found > 0.0 && found < 1.0) {
            return Err(Error::Level { index, found });
        }
        if index > 0 && levels[index - 1] >= found {
            return Err(Error::LevelsUnsorted { index, found, before: levels[index - 1] });
        }
    }
    Ok(())
}

fn check_finite(values: &[f32]) -> Result<(), Error> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(row) => Err(Error::TargetNotFinite { row, found: values[row] }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn target_refused(target: Target<'_>, message: &str) {
        assert_eq!(target.check(2).unwrap_err().to_string(), message);
    }

    #[test]
    fn the_signal_of_quantiles_is_the_share_below() {
        for n in [1, SEARCHED_ROWS, 3 * SEARCHED_ROWS + 1] {
            // Some are equal, and the last is censored.
            let values: Vec<f32> = (0..n).map(|row| (row * 7919 % n / 2) as f32).collect();
            let observed: Vec<bool> = (0..n).map(|row| row + 1 < n || n == 1).collect();
            let target = Target::Quantiles { values: &values, observed: &observed, levels: &[0.5] };
            for (row, signal) in target.signal(n).into_iter().enumerate() {
                let below = values.iter().filter(|&&other| other < values[row]).count();
                let share = below as f32 / n as f32;
                assert_eq!(signal, if observed[row] { share } else { (share + 1.0) / 2.0 });
            }
        }
    }

    #[test]
    fn targets_that_cannot_be_learned_are_refused() {
        let quantiles =
            |levels| Target::Quantiles { values: &[1.0; 2], observed: &[true; 2], levels };
        target_refused(quantiles(&[]), "no quantile levels");
        target_refused(
            quantiles(&[0.5, 1.0]),
            "quantile level 1 must be above 0 and below 1, found 1",
        );
        target_refused(
            quantiles(&[f64::NAN]),
            "quantile level 0 must be above 0 and below 1, found NaN",
        );
        target_refused(
            quantiles(&[0.5, 0.5]),
            "quantile levels must rise, found 0.5 at 1 after 0.5",
        );
        target_refused(
            Target::Quantiles { values: &[1.0; 2], observed: &[true], levels: &[0.5] },
            "observed must have length 2, found 1",
        );
        let censored =
            Target::Quantiles { values: &[1.0; 2], observed: &[false; 2], levels: &[0.5] };
        assert_eq!(
            censored.check_observed(2).unwrap_err().to_string(),
            "none of the 2 outcomes has been observed"
        );
        target_refused(
            Target::Mean { values: &[1.0, f32::NAN] },
            "target of row 1 must be finite, found NaN",
        );
        target_refused(
            Target::Probability { outcomes: &[true] },
            "target outcomes must have length 2, found 1",
        );
    }
}
