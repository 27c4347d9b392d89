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

/// The recalibration estimated from these spells.
pub(crate) fn recalibration(spells: &[Spell], settings: &RecalibrationSettings) -> Recalibration {
    let n_stretches = settings.stretches as usize;
    let stretch = settings.hazard_max / settings.stretches as f64;
    let (mut seen, mut expected) = (vec![0.0; n_stretches], vec![0.0; n_stretches]);
    let of = |hazard: f64| ((hazard / stretch) as usize).min(n_stretches - 1);
    for spell in spells {
        let (entered, left) = (spell.hazard_at(spell.entered), spell.hazard_at(spell.left));
        if spell.delivered {
            seen[of(left)] += 1.0;
        }
        let lived = of(entered)..=of(left);
        for (position, expected) in
            expected.iter_mut().enumerate().filter(|(p, _)| lived.contains(p))
        {
            let low = position as f64 * stretch;
            let high = if position + 1 == n_stretches { f64::INFINITY } else { low + stretch };
            *expected += (left.min(high) - entered.max(low)).max(0.0);
        }
    }
    let ratio = |(seen, expected): (&f64, &f64)| {
        let ratio = (seen + settings.prior_deliveries) / (expected + settings.prior_deliveries);
        // Nothing seen of nothing expected says nothing.
        let ratio = if ratio.is_nan() { 1.0 } else { ratio };
        Recalibration::bounded(libm::pow(ratio, settings.damping))
    };
    Recalibration {
        stretch: stretch as f32,
        ratios: seen.iter().zip(&expected).map(ratio).collect(),
    }
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
            })
        };
        (0..n).filter_map(spell).collect()
    }

    fn settings() -> RecalibrationSettings {
        RecalibrationSettings { damping: 1.0, prior_deliveries: 0.0, ..Default::default() }
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

    fn any_number() -> impl Strategy<Value = f64> {
        prop_oneof![proptest::num::f64::ANY, -2.0f64..500.0, Just(0.0)]
            .prop_filter("finite", |number| number.is_finite())
    }

    proptest! {
        #[test]
        fn any_finite_spells_make_a_valid_correction(
            spells in proptest::collection::vec(
                (proptest::array::uniform9(any_number()), any_number(), any_number(), any::<bool>()), 0..40),
            (damping, prior_deliveries) in (0.0f64..=1.0, 0.0f64..100.0),
            (stretches, hazard_max) in (1u32..20, 0.1f64..10.0),
        ) {
            let spell = |(quantiles, entered, left, delivered)| {
                Spell { quantiles, entered, left, delivered }
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
