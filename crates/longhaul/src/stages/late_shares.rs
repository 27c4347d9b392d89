//! Lanes and carriers that have become later: the share of late ones among the deliveries that were
//! recorded in the last week, against the four weeks before.
//!
//! Late is after the promise, where most deliveries have one; otherwise after the median that the model
//! gives them as of their order, which about half of them are when nothing changes.

use std::collections::BTreeMap;

use anyhow::Result;
use features::{Delivery, PROMISED_HOURS};
use scorer::Scorer;
use serde::{Deserialize, Serialize};
use terms::{AsOf, MEDIAN, Matrix};

use crate::report::table;
use crate::stages::features::FeatureSet;
use crate::stages::holdout::credible_promise;
use crate::stages::lanes::Lanes;

/// The days of this week, and of the weeks before.
const WEEK_DAYS: i64 = 7;
const BEFORE_DAYS: i64 = 28;

/// With fewer deliveries on either side nothing is said.
const DELIVERIES_MIN: usize = 30;

/// A rise by fewer standard errors is noise.
const STANDARD_ERRORS_MIN: f64 = 2.0;

/// So many lanes and so many carriers are named.
const NAMED_MAX: usize = 5;

/// What has become later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct LateShares {
    /// Later than what.
    pub(crate) later_than: LaterThan,
    /// Lanes and carriers by the rise of their share, the largest first.
    pub(crate) worse: Vec<Worse>,
}

/// What a late delivery came after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LaterThan {
    /// The promise.
    Promise,
    /// The median of the model, as of the order.
    Median,
}

/// A lane or a carrier with more late deliveries than before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Worse {
    /// `lane` or `carrier`.
    pub(crate) by: String,
    /// Its carrier, or the parts of the lane.
    pub(crate) name: String,
    pub(crate) deliveries: usize,
    pub(crate) late_share: f64,
    pub(crate) deliveries_before: usize,
    pub(crate) late_share_before: f64,
}

/// How many deliveries there are, and how many of them are late.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    deliveries: usize,
    late: usize,
}

impl Tally {
    fn share(self) -> f64 {
        self.late as f64 / self.deliveries as f64
    }
}

/// Of a lane or a carrier: the weeks before, this week.
type Weeks = [Tally; 2];

/// Compares the last week with the weeks before. Shapes: `matrix` has the rows of the feature set.
///
/// As of: deliveries recorded before `as_of`.
///
/// # Errors
/// If the feature set lacks a column, or the matrix is not the scorer's.
pub(super) fn late_shares(
    (feature_set, lanes): (&FeatureSet, &Lanes),
    matrix: &Matrix,
    scorer: &Scorer,
    as_of: AsOf,
) -> Result<LateShares> {
    let week = as_of.plus_days(-WEEK_DAYS).instant();
    let since = as_of.plus_days(-WEEK_DAYS - BEFORE_DAYS).instant();
    let mut deliveries = feature_set.outcomes.deliveries(as_of);
    deliveries.retain(|delivery| delivery.recorded_at >= since);
    let promised = feature_set.frame.numbers(PROMISED_HOURS)?;
    let promised = |delivery: &Delivery| credible_promise(promised[delivery.row]);
    let n_promised = deliveries.iter().filter(|delivery| promised(delivery).is_some()).count();
    let (later_than, expected) = if n_promised * 2 > deliveries.len() {
        (LaterThan::Promise, deliveries.iter().map(promised).collect())
    } else {
        let rows: Vec<usize> = deliveries.iter().map(|delivery| delivery.row).collect();
        let scored = scorer.score(&matrix.take(&rows))?;
        (LaterThan::Median, scored.iter().map(|scored| Some(scored.hours[MEDIAN])).collect())
    };
    let expected: Vec<Option<f32>> = expected;
    let declared = lanes.declared();
    let (mut by_lane, mut carriers) = (BTreeMap::new(), BTreeMap::new());
    for (delivery, expected) in deliveries.iter().zip(expected) {
        let Some(expected) = expected else { continue };
        let is_recent = usize::from(delivery.recorded_at >= week);
        let count = |weeks: &mut BTreeMap<String, Weeks>, name: String| {
            let tally = &mut weeks.entry(name).or_default()[is_recent];
            tally.deliveries += 1;
            tally.late += usize::from(delivery.hours > expected);
        };
        let lane = lanes.of_row(delivery.row);
        let parts: Vec<&str> =
            declared.iter().map(|name| lane.text(name).unwrap_or("unknown")).collect();
        if !parts.is_empty() {
            count(&mut by_lane, parts.join(" · "));
        }
        if let Some(carrier) = lane.carrier {
            count(&mut carriers, carrier.to_owned());
        }
    }
    let worse = [worse("lane", &by_lane), worse("carrier", &carriers)].concat();
    Ok(LateShares { later_than, worse })
}

/// Those that rose by more than noise, the largest rise first.
fn worse(by: &str, weeks: &BTreeMap<String, Weeks>) -> Vec<Worse> {
    let is_enough = |tally: &Tally| tally.deliveries >= DELIVERIES_MIN;
    let rose = |&(_, [before, now]): &(&String, &Weeks)| {
        let n = [before.deliveries, now.deliveries].map(|n| n as f64);
        let pooled = (before.late + now.late) as f64 / (n[0] + n[1]);
        let error = (pooled * (1.0 - pooled) * (1.0 / n[0] + 1.0 / n[1])).sqrt();
        now.share() - before.share() > STANDARD_ERRORS_MIN * error
    };
    let enough = weeks.iter().filter(|(_, weeks)| weeks.iter().all(is_enough));
    let mut worse: Vec<Worse> = enough
        .filter(rose)
        .map(|(name, [before, now])| Worse {
            by: by.to_owned(),
            name: name.clone(),
            deliveries: now.deliveries,
            late_share: now.share(),
            deliveries_before: before.deliveries,
            late_share_before: before.share(),
        })
        .collect();
    let rise = |worse: &Worse| worse.late_share - worse.late_share_before;
    worse.sort_by(|a, b| rise(b).total_cmp(&rise(a)));
    worse.truncate(NAMED_MAX);
    worse
}

impl LateShares {
    /// A table for people; empty if nothing has become later.
    pub(super) fn text(&self) -> String {
        if self.worse.is_empty() {
            return String::new();
        }
        let than = match self.later_than {
            LaterThan::Promise => "their promise",
            LaterThan::Median => "the model's median",
        };
        let percent = |share: f64, n: usize| format!("{:.0}% of {n}", 100.0 * share);
        let rows: Vec<Vec<String>> = (self.worse.iter())
            .map(|worse| {
                let now = percent(worse.late_share, worse.deliveries);
                let before = percent(worse.late_share_before, worse.deliveries_before);
                vec![format!("{} {}", worse.by, worse.name), now, before]
            })
            .collect();
        let header = [&*format!("later than {than}"), "this week", "four weeks before"];
        format!("\n\n{}", table(&header, &rows))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weeks(of: &[(&str, [usize; 4])]) -> BTreeMap<String, Weeks> {
        let tally = |deliveries, late| Tally { deliveries, late };
        let weeks = of.iter().map(|&(name, [n_before, before, n, late])| {
            (name.to_owned(), [tally(n_before, before), tally(n, late)])
        });
        weeks.collect()
    }

    #[test]
    fn those_are_named_that_rose_by_more_than_noise_the_largest_rise_first() {
        let found = worse(
            "carrier",
            &weeks(&[
                ("rose", [400, 40, 100, 25]),
                ("rose more", [400, 40, 100, 60]),
                ("rose a little", [400, 40, 100, 12]),
                ("fell", [400, 200, 100, 10]),
                ("few", [400, 40, 29, 29]),
                ("few before", [29, 0, 400, 400]),
                ("all late, as before", [400, 400, 100, 100]),
            ]),
        );
        let names: Vec<&str> = found.iter().map(|worse| worse.name.as_str()).collect();
        assert_eq!(names, ["rose more", "rose"]);
        assert_eq!((found[1].deliveries, found[1].deliveries_before), (100, 400));
        assert_eq!((found[1].late_share, found[1].late_share_before), (0.25, 0.1));
        let text = LateShares { later_than: LaterThan::Promise, worse: found }.text();
        assert!(text.contains("carrier rose more") && text.contains("60% of 100"), "{text}");
        let none = LateShares { later_than: LaterThan::Median, worse: Vec::new() };
        assert_eq!(none.text(), "");
    }

    #[test]
    fn no_more_are_named_than_somebody_can_look_after() {
        let names: Vec<String> = (0..20).map(|n| format!("lane {n:02}")).collect();
        let all: Vec<(&str, [usize; 4])> =
            names.iter().enumerate().map(|(n, name)| (&**name, [100, 10, 100, 40 + n])).collect();
        let found = worse("lane", &weeks(&all));
        assert_eq!((found.len(), found[0].name.as_str()), (NAMED_MAX, "lane 19"));
    }
}
