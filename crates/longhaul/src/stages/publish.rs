//! The publish stage: writes the model of the best family as a bundle, and makes it champion if it
//! passed the gates.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use artifact::{Bundle, Promotion};
use serde::{Deserialize, Serialize};
use terms::AsOf;

use crate::refusal::Refusal;
use crate::settings::Resolved;
use crate::stage::{self, Output, RunContext, StageResult};
use crate::stages::bundle::{self, PublishInputs};
use crate::stages::{evaluate, train};

/// The summary in the stage's manifest.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// Id of the bundle.
    pub(crate) model_id: String,
    /// The family of its regressors.
    pub(crate) family: String,
    /// Whether it became champion.
    pub(crate) promoted: bool,
}

/// The result of the stage, and whether the gates refused the model.
pub(crate) struct Published {
    /// The result of the stage.
    pub(crate) result: StageResult,
    /// The model, if it passed.
    pub(crate) model: Option<String>,
    /// The gates that refused the model, if any did.
    pub(crate) refused: Option<Refusal>,
}

/// Writes the bundle of the best family and, if it passed, moves the pointer to it.
///
/// # Errors
/// If the store fails, or another run moved the pointer meanwhile.
pub(crate) fn run(
    context: &RunContext<'_>,
    resolved: &Resolved,
    night: PublishInputs<'_>,
) -> Result<Published> {
    let (train, evaluate) = (night.train, night.evaluate);
    let evaluated = with_a_model(evaluate.summary()?, &train.summary()?, context.as_of);
    let inputs = BTreeMap::from([
        ("train".to_owned(), train.manifest.id.clone()),
        ("evaluate".to_owned(), evaluate.manifest.id.clone()),
        ("publish".to_owned(), serde_json::to_string(&resolved.settings.publish)?),
        ("contracts".to_owned(), serde_json::to_string(&night.checked.contract_versions())?),
    ]);
    let result = stage::run(context, "publish", inputs, || {
        let mut bundle = bundle::bundle(context, resolved, night, &evaluated)?;
        bundle.manifest = artifact::write(context.store, &bundle)?;
        let (promoted, line) = if evaluated.passed {
            promote(context, &bundle)?
        } else {
            (false, "the gates refused it; the champion stays".to_owned())
        };
        let model_id = bundle.model_id().to_owned();
        let line = format!("model {model_id} ({}): {line}", evaluated.family);
        let summary = Summary { model_id, family: evaluated.family.clone(), promoted };
        Ok(Output { files: BTreeMap::new(), summary: serde_json::to_value(&summary)?, line })
    })?;
    let Summary { model_id, .. } = result.summary()?;
    Ok(match evaluated.passed {
        true => Published { result, model: Some(model_id), refused: None },
        false => {
            let evaluate::Summary { refused: gates, way_out, .. } = evaluated;
            let refused = Refusal::GateRefused { model_id, gates, way_out };
            Published { result, model: None, refused: Some(refused) }
        }
    })
}

/// What was evaluated, of a family that was trained: if the best one could not be trained as of tonight,
/// the next one, which is kept and refused.
fn with_a_model(
    mut evaluated: evaluate::Summary,
    trained: &train::Summary,
    as_of: AsOf,
) -> evaluate::Summary {
    if trained.families.contains_key(&evaluated.family) {
        return evaluated;
    }
    let best = std::mem::take(&mut evaluated.family);
    let reason = trained.left_out.iter().find(|one| one.name == best);
    let reason = reason.map_or("it was not trained", |one| one.reason.as_str());
    evaluated.passed = false;
    evaluated
        .refused
        .push(format!("{best}, the best of the families, has no model as of {as_of}: {reason}"));
    let by_score = evaluated.scores.iter().map(|score| &score.name);
    let mut others = by_score.chain(trained.families.keys());
    let next = others.find(|name| trained.families.contains_key(*name));
    evaluated.family = next.cloned().unwrap_or_default();
    evaluated
}

/// Makes the bundle champion, unless the champion is as of a later moment.
fn promote(context: &RunContext<'_>, bundle: &Bundle) -> Result<(bool, String)> {
    let lease = context.lease.context("a model is published under the lease of its pipeline")?;
    let promote = |is_held: &mut dyn FnMut() -> bool| {
        artifact::promote(context.store, bundle, lease.fence(), is_held)
    };
    match lease.while_held(promote)? {
        Ok(Promotion::Promoted { previous: None }) => Ok((true, "the first champion".to_owned())),
        Ok(Promotion::Promoted { previous: Some(before) }) => {
            Ok((true, format!("champion, in place of {before}")))
        }
        Ok(Promotion::AlreadyCurrent) => Ok((true, "champion already".to_owned())),
        Err(artifact::Error::Withdrawn { reason, .. }) => {
            Ok((false, format!("kept, and withdrawn by hand: {reason}; the champion stays")))
        }
        Err(artifact::Error::Older { champion, champion_as_of, .. }) => {
            Ok((false, format!("kept; the champion {champion} is newer, as of {champion_as_of}")))
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::left_out::LeftOut;

    fn evaluated() -> evaluate::Summary {
        let score = |name: &str| {
            serde_json::json!({
                "name": name, "mae_days": 1.0, "mean_pinball_days": 1.0, "coverage_80": 0.8,
            })
        };
        let summary = serde_json::json!({
            "family": "boost", "passed": true, "refused": [], "rows": 900, "open_share": 0.0,
            "first_day": "", "last_day": "", "left_out": [],
            "scores": [score("boost"), score("promise"), score("forest"), score("baseline")],
        });
        serde_json::from_value(summary).expect("a summary")
    }

    fn trained(names: &[&str]) -> train::Summary {
        let basis = serde_json::json!({ "basis": "disabled" });
        let sizes = serde_json::json!({
            "rows": 1, "excluded": 0, "never_delivered": 0, "observed": 1, "open": 0, "gate": 1,
            "gate_over_2d": 1, "calibration": basis, "recalibration": basis, "tail": "assumed",
        });
        let sizes: learn::Sizes = serde_json::from_value(sizes).expect("sizes");
        let reason = "no memory".to_owned();
        train::Summary {
            in_flight: None,
            families: names.iter().map(|name| ((*name).to_owned(), sizes.clone())).collect(),
            left_out: vec![LeftOut { name: "boost".to_owned(), reason }],
        }
    }

    #[test]
    fn a_best_family_without_a_model_is_refused_and_the_next_one_kept() {
        let as_of = "2026-03-01".parse().expect("a date");
        let found = with_a_model(evaluated(), &trained(&["boost", "forest"]), as_of);
        assert!(found.passed && found.family == "boost" && found.refused.is_empty());
        let found = with_a_model(evaluated(), &trained(&["baseline", "forest"]), as_of);
        assert_eq!((found.passed, found.family.as_str()), (false, "forest"));
        let expected = "boost, the best of the families, has no model as of 2026-03-01: no memory";
        assert_eq!(found.refused, [expected]);
    }
}
