//! The commands `models promote` and `models rollback`: a person chooses the champion.

use anyhow::Result;
use serde_json::json;
use store::Store;

use crate::command_output::{CommandOutput, envelope};
use crate::lease::Lease;
use crate::machine::Clock;
use crate::refusal::Refusal;

/// Makes a model of a pipeline champion, or the one before the champion if none is given, and says
/// what that withdraws.
///
/// # Errors
/// If the model is not there whole, is another pipeline's, or did not pass the gates; if there is no
/// champion before; if the store fails.
pub(crate) fn choose(
    store: &Store,
    (lease, clock): (&Lease, &dyn Clock),
    pipeline: &str,
    model_id: Option<&str>,
    reason: &str,
) -> Result<CommandOutput> {
    if reason.trim().is_empty() {
        let what = "--reason: expected why the champion changes, found nothing".to_owned();
        return Err(Refusal::Usage { what }.into());
    }
    let (command, model_id) = match model_id {
        Some(model_id) => ("models promote", model_id.to_owned()),
        None => ("models rollback", before(store, pipeline)?),
    };
    let bundle = artifact::read(store, &model_id)?;
    let about = &bundle.manifest.about;
    if about.pipeline != pipeline {
        let problem = format!("expected one of the pipeline {pipeline}, found {}", about.pipeline);
        return Err(Refusal::Input { place: format!("model {model_id}"), problem }.into());
    }
    if !about.passed {
        return Err(Refusal::NotPassed { model_id }.into());
    }
    let now = clock.now();
    let decision = lease.while_held(|is_held| {
        artifact::choose(store, &bundle, (reason, &now), lease.fence(), is_held)
    })??;
    let (before, withdrawn) = match &decision {
        Some(decision) => (decision.before.as_deref(), &decision.withdrawn[..]),
        None => (None, &[][..]),
    };
    let text = match &decision {
        None => format!("{model_id} is the champion of {pipeline} already"),
        Some(_) => {
            let of = before.map_or_else(String::new, |before| format!(", in place of {before}"));
            let withdrawn = match withdrawn {
                [] => String::new(),
                ids => format!("\nwithdrawn: {}", ids.join(", ")),
            };
            let as_of = about.as_of;
            format!("{model_id}, as of {as_of}, is the champion of {pipeline}{of}{withdrawn}")
        }
    };
    let result = json!({
        "pipeline": pipeline,
        "champion": model_id,
        "before": before,
        "withdrawn": withdrawn,
        "reason": decision.as_ref().map(|decision| &decision.reason),
    });
    Ok(CommandOutput { json: envelope(command, result), text, refused: None })
}

/// The champion to go back to.
fn before(store: &Store, pipeline: &str) -> Result<String> {
    let missing = |expected: String, hint: &str| Refusal::Missing {
        what: artifact::pointer_path(pipeline),
        expected,
        hint: hint.to_owned(),
    };
    let Some(champion) = artifact::current(store, pipeline)? else {
        let expected = format!("a champion in {}", store.url());
        return Err(missing(expected, "longhaul run publishes one").into());
    };
    let before = artifact::before(store, &champion, pipeline)?;
    let refused = || {
        let expected = format!("a model that passed before {}", champion.model_id);
        missing(expected, "longhaul models list shows those that there are")
    };
    Ok(before.ok_or_else(refused)?)
}
