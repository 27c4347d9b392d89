//! The gates that a model must pass before it may be published, and their verdict.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Error, Metrics, baseline};

/// Limits of the gates.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GateSettings {
    /// The 80% interval covers at least this share of outcomes.
    pub coverage_80_min: f64,
    /// The 80% interval covers at most this share of outcomes: otherwise it is needlessly wide.
    pub coverage_80_max: f64,
    /// At least so many rows have a known outcome.
    pub rows_min: usize,
    /// With fewer rows what was predicted night by night is not compared: a difference of a few percent
    /// is noise then.
    pub nightly_rows_min: usize,
    /// Mean pinball may exceed the champion's by at most this share of it.
    pub worse_than_champion_max: f64,
    /// A model that is a baseline itself (the family `baseline`) need not beat the baselines: it may be
    /// worse than the best of them by at most this share.
    pub baseline_worse_max: f64,
}

impl Default for GateSettings {
    fn default() -> Self {
        Self {
            coverage_80_min: 0.65,
            coverage_80_max: 0.92,
            rows_min: 100,
            nightly_rows_min: 500,
            worse_than_champion_max: 0.02,
            baseline_worse_max: 0.1,
        }
    }
}

/// Whether a model may be published, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// Whether every gate passed.
    pub passed: bool,
    /// The gates, in a fixed order.
    pub gates: Vec<Gate>,
}

/// One gate: what was compared, and whether it passed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Gate {
    /// A name for machines.
    pub name: String,
    /// What is compared, with its unit, for people.
    pub says: String,
    /// Whether it passed.
    pub passed: bool,
    /// What was found.
    pub found: f64,
    /// What was needed.
    pub needed: Needed,
}

/// The values with which a gate passes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Needed {
    /// Less than this.
    Below(f64),
    /// This or less.
    AtMost(f64),
    /// This or more.
    AtLeast(f64),
    /// From the first to the second, both included.
    Within(f64, f64),
}

impl Needed {
    /// Whether the gate passes with `found`; not-a-number never passes.
    fn allows(self, found: f64) -> bool {
        match self {
            Self::Below(bound) => found < bound,
            Self::AtMost(bound) => found <= bound,
            Self::AtLeast(bound) => found >= bound,
            Self::Within(low, high) => low <= found && found <= high,
        }
    }
}

impl fmt::Display for Needed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Below(bound) => write!(f, "below {}", plain(*bound)),
            Self::AtMost(bound) => write!(f, "at most {}", plain(*bound)),
            Self::AtLeast(bound) => write!(f, "at least {}", plain(*bound)),
            Self::Within(low, high) => write!(f, "from {} to {}", plain(*low), plain(*high)),
        }
    }
}

/// A number with at most four decimals, without trailing zeros.
pub(crate) fn plain(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl Gate {
    pub(crate) fn new(name: &str, says: String, found: f64, needed: Needed) -> Self {
        Self { name: name.into(), says, passed: needed.allows(found), found, needed }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let result = if self.passed { "passed" } else { "refused" };
        let Self { name, says, found, needed, .. } = self;
        write!(f, "{name} {result}: {says}: found {}, needed {needed}", plain(*found))
    }
}

impl Verdict {
    /// Compares the model of a name with the best of the baselines (which may differ by metric) and with
    /// the champion, if there is one.
    ///
    /// # Errors
    /// If there is no baseline.
    pub fn of(
        (name, model): (&str, &Metrics),
        champion: Option<&Metrics>,
        baselines: &[(&str, &Metrics)],
        settings: &GateSettings,
    ) -> Result<Self, Error> {
        let (mae_baseline, mae) = least(baselines, |metrics| metrics.mae_days)?;
        let (pinball_baseline, pinball) = least(baselines, |metrics| metrics.mean_pinball_days)?;
        let needed = |of_best: f64| match name {
            baseline::FAMILY => Needed::AtMost(of_best * (1.0 + settings.baseline_worse_max)),
            _ => Needed::Below(of_best),
        };
        let mut gates = vec![
            Gate::new(
                "rows_judged",
                "shipments whose outcome is known".into(),
                model.rows as f64,
                Needed::AtLeast(settings.rows_min as f64),
            ),
            Gate::new(
                "mae_beats_baselines",
                format!("mean absolute error of the median, days; best baseline is {mae_baseline}"),
                model.mae_days,
                needed(mae),
            ),
            Gate::new(
                "mean_pinball_beats_baselines",
                format!("mean pinball loss, days; best baseline is {pinball_baseline}"),
                model.mean_pinball_days,
                needed(pinball),
            ),
            Gate::new(
                "coverage_80_in_band",
                "share of outcomes inside the 80% interval".into(),
                model.interval_80.coverage,
                Needed::Within(settings.coverage_80_min, settings.coverage_80_max),
            ),
        ];
        if let Some(champion) = champion {
            let allowed = champion.mean_pinball_days * (1.0 + settings.worse_than_champion_max);
            gates.push(Gate::new(
                "not_worse_than_champion",
                format!(
                    "mean pinball loss, days; the champion's is {}",
                    plain(champion.mean_pinball_days)
                ),
                model.mean_pinball_days,
                Needed::AtMost(allowed),
            ));
        }
        Ok(Self { passed: gates.iter().all(|gate| gate.passed), gates })
    }
}

/// The smallest value of a metric, and the name of the baseline that has it.
fn least<'a>(
    baselines: &[(&'a str, &Metrics)],
    metric: impl Fn(&Metrics) -> f64,
) -> Result<(&'a str, f64), Error> {
    baselines
        .iter()
        .map(|(name, metrics)| (*name, metric(metrics)))
        .min_by(|(_, one), (_, other)| one.total_cmp(other))
        .ok_or(Error::NoBaseline)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Interval, metrics_of};

    /// Metrics in which only what the gates read differs.
    fn metrics(rows: usize, mae_days: f64, mean_pinball_days: f64, coverage: f64) -> Metrics {
        let shipments = crate::Shipments {
            ordered_at: vec![terms::Instant::from_micros(0)],
            outcomes: vec![terms::Outcome::Delivered(60.0)],
            promised_hours: vec![None],
            grain: terms::Grain::Instant,
            segments: Vec::new(),
        };
        let forecast = crate::Forecast { hours: vec![[60.0; 9]], ..crate::Forecast::default() };
        let settings = crate::Settings::default();
        let metrics = metrics_of(&shipments, &forecast, &settings).unwrap();
        let interval_80 = Interval { coverage, ..metrics.interval_80 };
        let mean_pinball_hours = 24.0 * mean_pinball_days;
        Metrics { rows, mae_days, mean_pinball_days, mean_pinball_hours, interval_80, ..metrics }
    }

    #[track_caller]
    fn check(model: &Metrics, champion: Option<&Metrics>, refused: &[&str]) {
        let (promise, lane) = (metrics(500, 3.0, 2.0, 0.0), metrics(500, 4.0, 1.5, 0.8));
        let baselines = [("promise", &promise), ("lane", &lane)];
        let verdict =
            Verdict::of(("boost", model), champion, &baselines, &GateSettings::default()).unwrap();
        let found: Vec<_> = verdict.gates.iter().filter(|gate| !gate.passed).collect();
        let found: Vec<&str> = found.iter().map(|gate| gate.name.as_str()).collect();
        assert_eq!(found, refused);
        assert_eq!(verdict.passed, refused.is_empty());
    }

    #[test]
    fn each_gate_passes_on_its_boundary_or_not() {
        check(&metrics(500, 2.9, 1.4, 0.65), None, &[]);
        check(&metrics(500, 2.9, 1.4, 0.92), None, &[]);
        check(&metrics(99, 2.9, 1.4, 0.8), None, &["rows_judged"]);
        check(&metrics(500, 3.0, 1.4, 0.8), None, &["mae_beats_baselines"]);
        check(&metrics(500, 2.9, 1.5, 0.8), None, &["mean_pinball_beats_baselines"]);
        check(&metrics(500, 2.9, 1.4, 0.6499), None, &["coverage_80_in_band"]);
        check(&metrics(500, 2.9, 1.4, 0.9201), None, &["coverage_80_in_band"]);
        check(&metrics(500, 2.9, f64::NAN, 0.8), None, &["mean_pinball_beats_baselines"]);
    }

    #[test]
    fn the_champion_may_be_a_little_better() {
        let model = metrics(500, 2.9, 1.02, 0.8);
        check(&model, Some(&metrics(500, 9.0, 1.0, 0.1)), &[]);
        check(&model, Some(&metrics(500, 9.0, 0.99, 0.1)), &["not_worse_than_champion"]);
    }

    #[test]
    fn a_model_that_is_a_baseline_may_be_a_little_worse_than_the_best_of_them() {
        let best = metrics(500, 3.0, 1.0, 0.8);
        let verdict = |name: &str, pinball: f64| {
            let model = metrics(500, 3.2, pinball, 0.8);
            let settings = GateSettings::default();
            Verdict::of((name, &model), None, &[("lane", &best)], &settings).unwrap().passed
        };
        assert!(verdict("baseline", 1.09) && !verdict("baseline", 1.11));
        assert!(!verdict("boost", 1.09));
    }

    #[test]
    fn a_gate_states_what_was_found_and_needed() {
        let baseline = metrics(500, 3.0, 2.0, 0.0);
        let model = metrics(500, 2.5, 1.4, 0.8);
        let settings = GateSettings::default();
        let verdict =
            Verdict::of(("boost", &model), None, &[("promise", &baseline)], &settings).unwrap();
        assert_eq!(
            verdict.gates[1].to_string(),
            "mae_beats_baselines passed: mean absolute error of the median, days; \
             best baseline is promise: found 2.5, needed below 3"
        );
    }

    #[test]
    fn without_a_baseline_there_is_no_verdict() {
        let model = metrics(500, 2.5, 1.4, 0.8);
        let verdict = Verdict::of(("boost", &model), None, &[], &GateSettings::default());
        assert!(matches!(verdict, Err(Error::NoBaseline)));
    }
}
