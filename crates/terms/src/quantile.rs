//! The quantile levels that are predicted, and the loss that judges them.

/// Levels of the predicted quantiles, ascending.
pub const LEVELS: [f64; N_LEVELS] = [0.05, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 0.95];

/// How many quantiles are predicted.
pub const N_LEVELS: usize = 9;

/// Position of the median in [`LEVELS`].
pub const MEDIAN: usize = 4;

/// For how many days P(delivered within d days) is given; [`crate::DayGrid`] says which.
pub const DAYS_AHEAD: usize = 60;

/// Pinball loss of one predicted quantile, in the unit of the outcome.
///
/// Source: Koenker and Bassett, Regression Quantiles, Econometrica 46(1), 1978.
pub fn pinball_loss(level: f64, predicted: f64, actual: f64) -> f64 {
    let miss = actual - predicted;
    if miss >= 0.0 { level * miss } else { (level - 1.0) * miss }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pinball_weighs_a_low_guess_by_the_level() {
        assert_eq!(pinball_loss(0.9, 10.0, 20.0), 9.0);
        assert!((pinball_loss(0.9, 20.0, 10.0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn levels_ascend_around_the_median() {
        assert!(LEVELS.is_sorted_by(|a, b| a < b));
        assert_eq!(LEVELS[MEDIAN], 0.5);
    }
}
