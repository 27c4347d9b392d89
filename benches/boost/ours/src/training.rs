//! Training of a model from columns, outcomes and parameters, for each kind of target.

use anyhow::Result;
use boost::{Columns, Model, Params, Target};

use crate::objective::Objective;

/// Trains a model. Without `observed` every outcome is observed; with it the others are
/// right-censored, and their values are lower bounds.
pub fn train(
    columns: Columns<'_>,
    values: &[f32],
    observed: Option<&[bool]>,
    objective: &Objective,
    params: &Params,
) -> Result<Model> {
    let params = params.clone().check()?;
    let (all, over): (Vec<bool>, Vec<bool>);
    let target = match objective {
        Objective::Squared => Target::Mean { values },
        Objective::Quantiles(levels) => {
            all = vec![true; if observed.is_some() { 0 } else { values.len() }];
            Target::Quantiles { values, observed: observed.unwrap_or(&all), levels }
        }
        Objective::Over(hours) => {
            over = values.iter().map(|value| value > hours).collect();
            Target::Probability { outcomes: &over }
        }
    };
    Ok(boost::train(&columns, &target, &params)?)
}
