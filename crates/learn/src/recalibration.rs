//! Estimation of the recalibration by period: deliveries that were seen in the last weeks over those
//! that were expected, by stretch of the predicted cumulative hazard (`scorer::Recalibration` has
//! the source).
//!
//! The forecasts are those of a model of some weeks ago, for the orders that followed it: it has
//! not seen them. An order that is still open counts with the hazard that it has lived through, so
//! nothing has to mature.

use scorer::{Recalibration, cumulative_hazard};
use terms::{LEVELS, N_LEVELS};

use crate::settings::RecalibrationSettings;

/// A shipment in a period of calendar time. Units: those of the quantiles.
pub(crate) struct Spell {
    /// Quantiles as they were predicted, ascending.
    pub(crate) quantiles: [f64; N_LEVELS],
    /// Its age when it entered the period.
    pub(crate) entered: f64,
    /// Its age when it left the period or was delivered.
    pub(crate) left: f64,
    /// Whether it was delivered.
    pub(crate) delivered: bool,
    /// In which week of the period it was ordered, from 0.
    pub(crate) week: usize,
}

impl Spell {
    /// The predicted cumulative hazard at an age; beyond the last quantile that of the last piece
    /// goes on.
    fn hazard_at(&self, age: f64) -> f64 {
        let above = self.quantiles.partition_point(|&quantile| quantile <= age).min(N_LEVELS - 1);
        let (low, from) = match above {
            0 => (0.0, 0.0),
            above => (self.quantiles[above - 1], cumulative_hazard(LEVELS[above - 1])),
        };
        // Quantiles may be equal; the hazard between them is then large, and not without end.
        let width = (self.quantiles[above] - low).max(1e-6);
        let slope = (cumulative_hazard(LEVELS[above]) - from) / width;
        (from + slope * (age - low)).max(0.0)
    }
}

/// Deliveries of one stretch, by week of the orders.
#[derive(Debug, Clone, Copy, Default)]
struct Deliveries {
    seen: f64,
    expected: f64,
}

/// The recalibration estimated from these spells.
pub(crate) fn recalibration(spells: &[Spell], settings: &RecalibrationSettings) -> Recalibration {
    let n_stretches = settings.stretches as usize;
    let stretch = settings.hazard_max / settings.stretches as f64;
    let n_weeks = spells.iter().map(|spell| spell.week + 1).max().unwrap_or_default();
    let mut weeks = vec![vec![Deliveries::default(); n_weeks]; n_stretches];
    let of = |hazard: f64| ((hazard / stretch) as usize).min(n_stretches - 1);
    for spell in spells {
        let (entered, left) = (spell.hazard_at(spell.entered), spell.hazard_at(spell.left));
        if spell.delivered {
            weeks[of(left)][spell.week].seen += 1.0;
        }
        let lived = of(entered)..=of(left);
        for (position, weeks) in weeks.iter_mut().enumerate().filter(|(p, _)| lived.contains(p)) {
            let low = position as f64 * stretch;
            let high = if position + 1 == n_stretches { f64::INFINITY } else { low + stretch };
            weeks[spell.week].expected += (left.min(high) - entered.max(low)).max(0.0);
        }
    }
    let ratio = |weeks: &Vec<Deliveries>| {
        let prior = settings.prior_deliveries;
        let seen: f64 = weeks.iter().map(|week| week.seen).sum();
        let expected: f64 = weeks.iter().map(|week| week.expected).sum();
        let ratio = (seen + prior) / (expected + prior);
        // Nothing seen of nothing expected says nothing.
        let ratio = if ratio.is_nan() { 1.0 } else { ratio };
        Recalibration::bounded(libm::pow(ratio, settings.damping * lasting(weeks, settings)))
    };
    Recalibration { stretch: stretch as f32, ratios: weeks.iter().map(ratio).collect() }
}

/// Which share of the logarithm of a ratio is expected to last, from 0 to 1: the less, the more the
/// weeks differ that it is the mean of, as those of a strike and of the weeks after it do.
///
/// Shapes: the deliveries of each week. Source: shrinkage of the mean of a random-effects model with a
/// normal prior; its variance is that between the weeks, each with the weight of what it expected.
fn lasting(weeks: &[Deliveries], settings: &RecalibrationSettings) -> f64 {
    let prior = settings.prior_deliveries / weeks.len().max(1) as f64;
    let ln_ratio = |week: &Deliveries| libm::log((week.seen + prior) / (week.expected + prior));
    let known = weeks.iter().map(|week| (week.expected, ln_ratio(week)));
    let known: Vec<(f64, f64)> =
        known.filter(|(weight, ln)| *weight > 0.0 && ln.is_finite()).collect();
    let total: f64 = known.iter().map(|(weight, _)| weight).sum();
    let mean = known.iter().map(|(weight, ln)| weight * ln).sum::<f64>() / total;
    let squares = known.iter().map(|(weight, ln)| weight * (ln - mean) * (ln - mean));
    let variance = squares.sum::<f64>() / total;
    // So many weeks of equal weight would say as much.
    let n = total * total / known.iter().map(|(weight, _)| weight * weight).sum::<f64>();
    let of_mean = variance / (n - 1.0);
    let prior = settings.lasting_sd * settings.lasting_sd;
    let share = prior / (prior + of_mean);
    // One week says nothing of others.
    if n > 1.0 && share.is_finite() { share } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use statistics::SplitMix64;

    /// Predicted: exponential with a mean of 100.
    fn predicted() -> [f64; N_LEVELS] {
        LEVELS.map(|level| 100.0 * cumulative_hazard(level))
    }

    /// Of shipments that in truth have so many times the hazard, what a period of 200 hours sees.
    fn spells(factor: f64, n: usize) -> Vec<Spell> {
        let mut random = SplitMix64::new(3);
        let mut uniform = move || random.unit();
        let spell = |_| {
            let ordered = -600.0 + 800.0 * uniform();
            let delivered = 100.0 / factor * cumulative_hazard(uniform());
            let (entered, open_until) = ((-ordered).max(0.0), 200.0 - ordered);
            (delivered > entered && open_until > entered).then_some(Spell {
                quantiles: predicted(),
                entered,
                left: delivered.min(open_until),
                delivered: delivered <= open_until,
                week: (uniform() * 4.0) as usize,
            })
        };
        (0..n).filter_map(spell).collect()
    }

    fn settings() -> RecalibrationSettings {
        // Weeks of few deliveries differ by chance.
        let lasting_sd = 100.0;
        RecalibrationSettings {
            damping: 1.0,
            lasting_sd,
            prior_deliveries: 0.0,
            ..Default::default()
        }
    }

    #[test]
    fn open_shipments_and_late_entries_do_not_bias_the_ratio() {
        for factor in [0.6, 1.0, 1.5] {
            let found = recalibration(&spells(factor, 240_000), &settings());
            assert!(found.check().is_ok());
            for ratio in &found.ratios {
                assert!((f64::from(*ratio) / factor - 1.0).abs() < 0.08, "{factor}: {found:?}");
            }
            let median = found.apply(0.0, predicted())[terms::MEDIAN];
            let truth = 100.0 / factor * 2.0_f64.ln();
            assert!((median / truth - 1.0).abs() < 0.03, "{factor}: {median} {truth}");
        }
    }

    #[test]
    fn few_deliveries_and_damping_keep_the_ratio_near_one() {
        let few = recalibration(
            &spells(2.0, 50),
            &RecalibrationSettings { prior_deliveries: 1000.0, ..settings() },
        );
        assert!(few.ratios.iter().all(|ratio| (ratio - 1.0).abs() < 0.03), "{few:?}");
        let half = RecalibrationSettings { damping: 0.5, ..settings() };
        let half = recalibration(&spells(1.5, 60_000), &half);
        assert!((half.ratios[0] - 1.5_f32.sqrt()).abs() < 0.05, "{half:?}");
        assert!(recalibration(&[], &RecalibrationSettings::default()).is_identity());
    }

    #[test]
    fn a_stretch_that_nobody_lived_through_is_not_corrected() {
        // Without a prior, 0 / 0 deliveries made a ratio that is no number.
        let found = recalibration(&[], &settings());
        assert!(found.check().is_ok() && found.is_identity(), "{found:?}");
    }

    #[test]
    fn of_weeks_that_differ_little_is_expected_to_last() {
        let of_weeks = |factors: [f64; 4]| {
            let spells = factors.iter().enumerate().flat_map(|(week, &factor)| {
                spells(factor, 40_000).into_iter().map(move |spell| Spell { week, ..spell })
            });
            let settings = RecalibrationSettings { damping: 1.0, ..Default::default() };
            f64::from(recalibration(&spells.collect::<Vec<_>>(), &settings).ratios[0]).ln()
        };
        let steady = of_weeks([0.7; 4]);
        assert!((steady / 0.7_f64.ln() - 1.0).abs() < 0.1, "{steady}");
        // A strike, and what waited is worked off: the mean is that of the steady weeks, nearly.
        let moved = of_weeks([1.0, 0.2, 0.4, 1.2]);
        assert!(moved < -0.01 && moved > 0.5 * steady, "{moved} {steady}");
    }

    fn any_number() -> impl Strategy<Value = f64> {
        prop_oneof![proptest::num::f64::ANY, -2.0f64..500.0, Just(0.0)]
            .prop_filter("finite", |number| number.is_finite())
    }

    proptest! {
        #[test]
        fn any_finite_spells_make_a_valid_correction(
            spells in proptest::collection::vec(
                (
                    (proptest::array::uniform9(any_number()), any_number(), any_number()),
                    (any::<bool>(), 0usize..5),
                ), 0..40),
            (damping, prior_deliveries) in (0.0f64..=1.0, 0.0f64..100.0),
            (stretches, hazard_max) in (1u32..20, 0.1f64..10.0),
        ) {
            let spell = |((quantiles, entered, left), (delivered, week))| {
                Spell { quantiles, entered, left, delivered, week }
            };
            let spells: Vec<Spell> = spells.into_iter().map(spell).collect();
            for prior_deliveries in [prior_deliveries, 0.0] {
                let settings = RecalibrationSettings {
                    damping, prior_deliveries, stretches, hazard_max, ..Default::default()
                };
                let found = recalibration(&spells, &settings);
                prop_assert!(found.check().is_ok(), "{found:?}");
            }
        }
    }
}
