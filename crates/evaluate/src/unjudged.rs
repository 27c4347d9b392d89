//! The evaluation of what cannot be judged: no outcome is known yet, or no delivery that a baseline could
//! be made of. It has no metrics, and one gate, which says what is missing and refuses.

use std::collections::BTreeMap;

use terms::Outcome;

use crate::evaluation::{Counts, Evaluation, SCHEMA_VERSION};
use crate::verdict::{Gate, Needed};
use crate::{Error, GateSettings, Settings, Shipments, Verdict};

impl Evaluation {
    /// The evaluation of `model` where [`evaluate`](crate::evaluate) or a
    /// [baseline](crate::baseline) ended with `error`.
    ///
    /// # Errors
    /// With `error`, if it does not say that something is missing.
    pub fn unjudged(
        error: Error,
        model: &str,
        shipments: &Shipments,
        (settings, gates): (&Settings, &GateSettings),
    ) -> Result<Self, Error> {
        let gate = match error {
            Error::NothingMatured { rows } => Gate::new(
                "rows_judged",
                format!("shipments whose outcome is known, of {rows} in the hold-out"),
                0.0,
                Needed::AtLeast(gates.rows_min as f64),
            ),
            Error::NoHistory { .. } | Error::NoBaseline => Gate::new(
                "baselines_known",
                "deliveries known at the start of the hold-out, of which baselines are made".into(),
                0.0,
                Needed::AtLeast(1.0),
            ),
            other => return Err(other),
        };
        Ok(Self {
            schema_version: SCHEMA_VERSION,
            model: model.to_owned(),
            best_baseline: None,
            settings: *settings,
            counts: counts(shipments),
            verdict: Some(Verdict { passed: false, gates: vec![gate] }),
            overall: Vec::new(),
            over_two_days: Vec::new(),
            segments: Vec::new(),
            weeks: Vec::new(),
            nightly: None,
            speed_table: None,
            in_flight: None,
            cut_off: Vec::new(),
            grain: shipments.grain,
            about: BTreeMap::new(),
        })
    }
}

fn counts(shipments: &Shipments) -> Counts {
    let n = |is: fn(&Outcome) -> bool| shipments.outcomes.iter().filter(|o| is(o)).count();
    let open = n(|outcome| matches!(outcome, Outcome::Censored(_)));
    let known = n(|outcome| matches!(outcome, Outcome::Delivered(_)));
    Counts {
        rows: shipments.len(),
        judged: 0,
        open,
        excluded: shipments.len() - open - known,
        open_share: open as f64 / (open + known).max(1) as f64,
        weight_sum: 0.0,
        weights_bounded: 0,
        over_two_days: 0,
        first_day: String::new(),
        last_day: String::new(),
        order_days: 0,
    }
}

#[cfg(test)]
mod tests {
    use terms::{AsOf, Day};

    use super::*;
    use crate::{ReportExtras, report};

    #[test]
    fn what_cannot_be_judged_is_refused_with_what_is_missing_and_has_a_report() {
        let day = Day::since_epoch(9);
        let shipments = Shipments {
            ordered_at: vec![day.start(); 3],
            outcomes: vec![Outcome::Censored(5.0), Outcome::Excluded, Outcome::Delivered(60.0)],
            promised_hours: vec![None; 3],
            grain: terms::Grain::Instant,
            segments: Vec::new(),
        };
        let unjudged = |error| {
            let settings = (&Settings::default(), &GateSettings::default());
            Evaluation::unjudged(error, "baseline", &shipments, settings)
        };
        let no_history = Error::NoHistory { baseline: "b".into(), origin: AsOf::start_of(day) };
        for (error, name) in [
            (Error::NothingMatured { rows: 3 }, "rows_judged"),
            (no_history, "baselines_known"),
            (Error::NoBaseline, "baselines_known"),
        ] {
            let evaluation = unjudged(error).unwrap();
            let verdict = evaluation.verdict.as_ref().unwrap();
            assert!(!verdict.passed);
            assert_eq!(verdict.gates[0].name, name);
            assert_eq!((evaluation.counts.open, evaluation.counts.excluded), (1, 1));
            let page = report(&evaluation, &ReportExtras::default());
            assert!(page.ends_with("</html>") && page.contains(name));
            assert!(!page.contains("NaN") && !page.contains("inf"), "{page}");
            let text = evaluation.to_json().unwrap();
            assert_eq!(serde_json::from_str::<Evaluation>(&text).unwrap(), evaluation);
        }
        let other = Error::NoCandidate { candidates: 0, chosen: None };
        assert!(matches!(unjudged(other), Err(Error::NoCandidate { .. })));
    }
}
