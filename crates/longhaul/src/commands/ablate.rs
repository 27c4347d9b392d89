//! The command `features ablate`: for each group of features, how much worse a backtest is without
//! it, and how long the group takes to build.

use std::time::Instant;

use anyhow::Result;
use features::{Declaration, Group};
use serde_json::{Value, json};
use terms::{FeatureList, Matrix};

use crate::command_output::envelope;
use crate::folds::{Span, mean_pinball_days};
use crate::report::{Reporter, table};
use crate::settings::Resolved;
use crate::stage::RunContext;
use crate::stages::{self, FeatureSet};

/// A build is timed so many times, and the fastest counts.
const BUILDS: usize = 3;

/// What a group gains and costs.
struct Ablation {
    group: Group,
    /// Time to build the group alone, over that of no feature.
    build_ms: f64,
    /// Mean pinball loss in days without it.
    without: f64,
}

/// Leaves out one group of features after the other.
///
/// # Errors
/// If a stage or a training fails.
#[expect(clippy::disallowed_methods, reason = "the time that a group takes to build is a result")]
pub(crate) fn run(context: &RunContext<'_>, resolved: &Resolved, span: Span) -> Result<()> {
    let (checked, features) = stages::features_of(context, resolved)?;
    let declared = checked.declared(resolved)?;
    let mut feature_set = FeatureSet::read(context, resolved, &features)?;

    let tables = checked.read_all(context)?;
    let build_ms = |declared: &Declaration| -> Result<f64> {
        let mut fastest = f64::INFINITY;
        for _ in 0..BUILDS {
            let started = Instant::now();
            features::build(&tables, declared, context.as_of)?;
            fastest = fastest.min(started.elapsed().as_secs_f64() * 1000.0);
        }
        Ok(fastest)
    };
    // The first build also warms up caches and allocator, and would seem to cost more.
    features::build(&tables, &declared, context.as_of)?;
    let nothing_ms = build_ms(&declared.only(None))?;
    let all = mean_pinball_days(context, resolved, &feature_set, span)?;
    let whole = std::mem::take(&mut feature_set.matrix);
    let mut ablations = Vec::new();
    for group in declared.groups() {
        context.reporter.progress(format!("without {}", group.name));
        feature_set.matrix = without(&whole, &group.features);
        let without = mean_pinball_days(context, resolved, &feature_set, span)?;
        let build_ms = (build_ms(&declared.only(Some(&group.name)))? - nothing_ms).max(0.0);
        ablations.push(Ablation { group, build_ms, without });
    }
    ablations.sort_by(|a, b| b.without.total_cmp(&a.without));
    print(&ablations, all, nothing_ms, context.reporter);
    Ok(())
}

/// The matrix without some features.
fn without(matrix: &Matrix, left_out: &[String]) -> Matrix {
    let features = matrix.features.0.iter().zip(&matrix.columns);
    let (features, columns) = features
        .filter(|(feature, _)| !left_out.contains(&feature.name))
        .map(|(feature, column)| (feature.clone(), column.clone()))
        .unzip();
    Matrix { features: FeatureList(features), columns }
}

fn print(ablations: &[Ablation], all: f64, nothing_ms: f64, reporter: &Reporter) {
    let groups: Vec<Value> = ablations
        .iter()
        .map(|Ablation { group, build_ms, without }| {
            json!({
                "group": group.name,
                "features": group.features,
                "build_ms": build_ms,
                "mean_pinball_days_without": without,
                "gain_days": without - all,
            })
        })
        .collect();
    let result = json!({
        "mean_pinball_days": all,
        "build_ms_of_no_feature": nothing_ms,
        "groups": groups,
    });
    reporter.result(&envelope("features ablate", result), || {
        let rows: Vec<Vec<String>> = ablations
            .iter()
            .map(|Ablation { group, build_ms, without }| {
                vec![
                    group.name.clone(),
                    group.features.len().to_string(),
                    format!("{build_ms:.0}"),
                    format!("{without:.4}"),
                    format!("{:+.2}%", 100.0 * (without / all - 1.0)),
                ]
            })
            .collect();
        let header = ["without", "features", "build, ms", "mean pinball, days", "gain of it"];
        format!("with all: mean pinball {all:.4} days\n\n{}", table(&header, &rows))
    });
}
