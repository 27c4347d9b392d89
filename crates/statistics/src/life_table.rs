//! The distribution of a duration from what happened at each age in a period: a life table.

/// Time at risk of an age interval below which its hazard is that of the interval before it, in
/// widths of the interval: so few were observed there that the hazard would be noise.
const EXPOSURE_MIN: f64 = 3.0;

/// What happened in a period in one age interval.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct AgeInterval {
    /// Width of the interval, above 0.
    pub width: f64,
    /// Time that was spent at risk in it, over all, in the unit of the width.
    pub at_risk: f64,
    /// How many events happened in it.
    pub events: f64,
}

/// The quantile at `level` of the duration of somebody who lives through all ages at the hazards
/// of the period: of a synthetic cohort. The hazard is constant within an interval, and beyond the
/// last one goes on. `None` if no interval has events enough to begin with.
///
/// It needs no duration to have ended: those at risk count with the time for which they were.
///
/// Source: Preston, Heuveline and Guillot, Demography, 2001, chapter 3 (period life tables);
/// the estimate of a constant hazard is events over time at risk.
///
/// ```
/// use statistics::{AgeInterval, life_table_quantile};
///
/// let interval = |at_risk, events| AgeInterval { width: 10.0, at_risk, events };
/// // Nothing happens in the first ten hours, then one event an hour for each ten at risk.
/// let table = [interval(500.0, 0.0), interval(500.0, 50.0), interval(200.0, 20.0)];
/// let median = life_table_quantile(&table, 0.5).unwrap();
/// assert!((median - (10.0 + 10.0 * 2.0_f64.ln())).abs() < 1e-9);
/// ```
pub fn life_table_quantile(table: &[AgeInterval], level: f64) -> Option<f64> {
    let mut left = -libm::log(1.0 - level);
    let mut start = 0.0;
    let mut hazard = None;
    for interval in table {
        hazard = hazard_of(interval).or(hazard);
        let of_interval = hazard.unwrap_or(0.0);
        if of_interval * interval.width >= left {
            return Some(start + left / of_interval);
        }
        left -= of_interval * interval.width;
        start += interval.width;
    }
    hazard.filter(|&hazard| hazard > 0.0).map(|hazard| start + left / hazard)
}

/// The share whose duration ends within the ages of the table, as in [`life_table_quantile`].
///
/// ```
/// use statistics::{AgeInterval, life_table_share};
///
/// let interval = |at_risk, events| AgeInterval { width: 10.0, at_risk, events };
/// let table = [interval(500.0, 0.0), interval(500.0, 50.0)];
/// assert!((life_table_share(&table) - (1.0 - (-1.0_f64).exp())).abs() < 1e-12);
/// ```
pub fn life_table_share(table: &[AgeInterval]) -> f64 {
    let mut hazard = None;
    let mut sum = 0.0;
    for interval in table {
        hazard = hazard_of(interval).or(hazard);
        sum += hazard.unwrap_or(0.0) * interval.width;
    }
    1.0 - libm::exp(-sum)
}

/// Events over time at risk; `None` where too few were.
fn hazard_of(interval: &AgeInterval) -> Option<f64> {
    (interval.at_risk >= EXPOSURE_MIN * interval.width)
        .then(|| interval.events.max(0.0) / interval.at_risk)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[(f64, f64)]) -> Vec<AgeInterval> {
        rows.iter().map(|&(at_risk, events)| AgeInterval { width: 6.0, at_risk, events }).collect()
    }

    #[test]
    fn a_thin_interval_has_the_hazard_of_the_one_before() {
        let whole = table(&[(600.0, 10.0), (600.0, 60.0), (600.0, 60.0), (600.0, 60.0)]);
        let thin = table(&[(600.0, 10.0), (600.0, 60.0), (17.0, 17.0), (0.0, 0.0)]);
        for level in [0.3, 0.6, 0.8] {
            let found = life_table_quantile(&thin, level).unwrap();
            assert!((found - life_table_quantile(&whole, level).unwrap()).abs() < 1e-9);
        }
    }

    #[test]
    fn beyond_the_last_interval_its_hazard_goes_on() {
        let constant = table(&[(600.0, 6.0); 3]);
        let found = life_table_quantile(&constant, 0.9).unwrap();
        assert!((found - 100.0 * 10.0_f64.ln()).abs() < 1e-9, "{found}");
        assert_eq!(life_table_quantile(&table(&[(600.0, 0.0); 3]), 0.5), None);
        assert_eq!(life_table_quantile(&[], 0.5), None);
    }

    #[test]
    fn an_event_taken_back_is_no_negative_hazard() {
        let corrected = table(&[(600.0, 60.0), (600.0, -1.0), (600.0, 60.0)]);
        let found = life_table_quantile(&corrected, 0.6).unwrap();
        assert!(found > 12.0 && found < 18.0, "{found}");
    }
}
