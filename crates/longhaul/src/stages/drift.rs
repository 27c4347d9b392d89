//! What the reports show of the level of the network and of recalibrations.

use evaluate::HazardRatios;
use scorer::Recalibration;
use statistics::quantile;
use terms::{AsOf, Instant, column};

use crate::stages::features::FeatureSet;

/// So many order weeks are shown.
const WEEKS: i32 = 52;

/// The level of the network as of each order. Units: hours; shapes: one a row, in the order of
/// `ordered_at`.
#[derive(Clone, Copy)]
pub(crate) struct NetworkLevel<'a> {
    ordered_at: &'a [Instant],
    hours: &'a [f32],
}

impl<'a> NetworkLevel<'a> {
    /// The level that the features have, if they have one.
    pub(crate) fn of(feature_set: &'a FeatureSet) -> Option<Self> {
        let matrix = &feature_set.matrix;
        let hours = &matrix.columns[matrix.features.position(column::LEVEL_HOURS)?];
        Some(Self { ordered_at: feature_set.outcomes.ordered_at(), hours })
    }

    /// Its median by order week, from Monday, of the last weeks before the as-of; weeks before the
    /// first that has one are left out.
    pub(crate) fn by_week(self, as_of: AsOf) -> Vec<(String, Option<f64>)> {
        let last = as_of.day().plus(-1).monday();
        let mondays = (0..WEEKS).rev().map(|weeks_ago| last.plus(-7 * weeks_ago));
        let level = mondays.map(|monday| {
            let to = monday.plus(7).start().min(as_of.instant());
            (monday.to_string(), self.median(monday.start(), to))
        });
        level.skip_while(|(_, level)| level.is_none()).collect()
    }

    /// Its median in the week from an origin on, or up to the next origin; where that has none, the
    /// last one before the origin.
    pub(crate) fn at(self, origin: AsOf, next: AsOf) -> Option<f64> {
        let (from, to) = (origin.instant(), origin.plus_days(7).min(next).instant());
        let before = &self.hours[..self.ordered_at.partition_point(|&at| at < from)];
        let last = || before.iter().rev().find(|hours| hours.is_finite());
        self.median(from, to).or_else(|| last().map(|&hours| hours.into()))
    }

    /// Its median over the orders from `from` up to, not including, `to`.
    fn median(self, from: Instant, to: Instant) -> Option<f64> {
        let position = |end: Instant| self.ordered_at.partition_point(|&at| at < end);
        let hours = self.hours[position(from)..position(to)].iter();
        let mut known: Vec<f64> =
            hours.filter(|hours| hours.is_finite()).map(|&hours| hours.into()).collect();
        known.sort_by(f64::total_cmp);
        quantile(&known, 0.5)
    }
}

/// A recalibration as the report takes it.
pub(crate) fn hazard_ratios(recalibration: &Recalibration) -> HazardRatios {
    HazardRatios {
        stretch: recalibration.stretch.into(),
        ratios: recalibration.ratios.iter().map(|&ratio| ratio.into()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn as_of(text: &str) -> AsOf {
        text.parse().expect("a date")
    }

    fn ordered_at(days: &[&str]) -> Vec<Instant> {
        days.iter().map(|day| as_of(day).instant()).collect()
    }

    #[test]
    fn a_week_has_the_median_of_its_orders_and_nothing_of_the_as_of_or_later() {
        // 2026-03-02 is a Monday.
        let days = ["2026-03-01", "2026-03-02", "2026-03-03", "2026-03-08", "2026-03-18"];
        let ordered_at = ordered_at(&days);
        let hours = [f32::NAN, 50.0, 60.0, 100.0, 900.0];
        let level = NetworkLevel { ordered_at: &ordered_at, hours: &hours };
        let expected = |weeks: &[(&str, Option<f64>)]| -> Vec<(String, Option<f64>)> {
            weeks.iter().map(|(monday, hours)| ((*monday).to_owned(), *hours)).collect()
        };
        assert_eq!(
            level.by_week(as_of("2026-03-18")),
            expected(&[("2026-03-02", Some(60.0)), ("2026-03-09", None), ("2026-03-16", None)])
        );
        // A year later the first weeks are out of sight.
        assert_eq!(level.by_week(as_of("2027-03-08")).len(), 51);
        assert_eq!(level.by_week(as_of("2027-03-08"))[0], ("2026-03-16".to_owned(), Some(900.0)));
        assert!(level.by_week(as_of("2026-03-02")).is_empty());
    }

    #[test]
    fn an_origin_has_the_level_of_its_week_or_the_last_one_known() {
        let ordered_at = ordered_at(&["2026-03-01", "2026-03-02", "2026-03-05", "2026-03-11"]);
        let hours = [40.0, 50.0, f32::NAN, 90.0];
        let level = NetworkLevel { ordered_at: &ordered_at, hours: &hours };
        let at = |origin: &str, next: &str| level.at(as_of(origin), as_of(next));
        assert_eq!(at("2026-03-02", "2026-03-30"), Some(50.0), "a week, and not up to the next");
        assert_eq!(at("2026-03-05", "2026-03-06"), Some(50.0), "what was known before");
        assert_eq!(at("2026-03-05", "2026-03-12"), Some(90.0));
        assert_eq!(at("2026-03-01", "2026-03-02"), Some(40.0));
        assert_eq!(at("2026-02-01", "2026-02-08"), None);
    }
}
