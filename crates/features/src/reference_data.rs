//! Reference data: nodes (what kind of place an order leaves from) and holidays.
//!
//! Both tables are optional. Without them their features are missing in every row.
//!
//! As of: a row sees what was recorded before the same day as its history is.

use std::collections::BTreeSet;

use chrono::{Datelike as _, Weekday};
use polars::prelude::*;
use terms::{Day, Instant, column};

use crate::Error;
use crate::columns::{frame_of, numbers, of_instants, required_days, required_instants, texts};
use crate::parquet::{from_parquet, to_parquet};

/// Columns that are put beside the first version of a shipment.
pub(crate) const ORIGIN_KIND: &str = "origin_kind";
pub(crate) const ORIGIN_TIME_ZONE: &str = "origin_time_zone";
pub(crate) const ORIGIN_CAPACITY: &str = "origin_daily_capacity";

/// So many days are looked ahead.
pub(crate) const DAYS_AHEAD: i32 = 10;

/// Columns of the tables.
const NODE_ID: &str = "node_id";
const KIND: &str = "kind";
const TIME_ZONE: &str = "time_zone";
const DAILY_CAPACITY: &str = "daily_capacity";
const REGION: &str = "region";
const ON: &str = "on";

/// A version of a node.
#[derive(Debug, Clone, PartialEq)]
struct Node {
    recorded_at: Instant,
    kind: Option<PlSmallStr>,
    time_zone: Option<PlSmallStr>,
    daily_capacity: f64,
}

/// Everything that was recorded of nodes and holidays.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ReferenceData {
    /// By node, then by when they were recorded.
    nodes: PlHashMap<PlSmallStr, Vec<Node>>,
    /// By region: the holiday, and the day on which it was recorded.
    holidays: PlHashMap<PlSmallStr, BTreeSet<(Day, Day)>>,
}

impl ReferenceData {
    /// Adds versions, none of them recorded before those that are there.
    pub(crate) fn ingest(&mut self, nodes: &DataFrame, holidays: &DataFrame) -> Result<(), Error> {
        if nodes.height() > 0 {
            let recorded_at = required_instants(nodes, column::RECORDED_AT)?;
            let (ids, kinds) = (texts(nodes, NODE_ID)?, texts(nodes, KIND)?);
            let time_zones = texts(nodes, TIME_ZONE)?;
            let daily_capacity = numbers(nodes, DAILY_CAPACITY)?;
            let small = |text: Option<&str>| text.map(PlSmallStr::from_str);
            for (row, id) in ids.iter().enumerate() {
                let versions = self.nodes.entry(id.unwrap_or_default().into()).or_default();
                versions.push(Node {
                    recorded_at: recorded_at[row],
                    kind: small(kinds.get(row)),
                    time_zone: small(time_zones.get(row)),
                    daily_capacity: daily_capacity[row],
                });
                versions.sort_by_key(|node| node.recorded_at);
            }
        }
        if holidays.height() > 0 {
            let recorded_at = required_instants(holidays, column::RECORDED_AT)?;
            let days = required_days(holidays, ON)?;
            for (row, region) in texts(holidays, REGION)?.iter().enumerate() {
                let of_region = self.holidays.entry(region.unwrap_or_default().into()).or_default();
                of_region.insert((days[row], recorded_at[row].day()));
            }
        }
        Ok(())
    }

    /// Kind, time zone and capacity of the node that each row leaves from, as recorded before the
    /// row's day. Shapes: `days` one a row.
    pub(crate) fn of_origins(
        &self,
        firsts: &DataFrame,
        days: &[Day],
    ) -> Result<Vec<Column>, Error> {
        let ids = texts(firsts, column::ORIGIN_NODE_ID)?;
        let node = |(id, &day): (Option<&str>, &Day)| {
            let versions = self.nodes.get(id?)?;
            versions.iter().rfind(|node| node.recorded_at.day() < day)
        };
        let nodes: Vec<Option<&Node>> = ids.iter().zip(days).map(node).collect();
        let text = |of: fn(&Node) -> Option<&PlSmallStr>| -> Vec<Option<&str>> {
            nodes.iter().map(|node| node.and_then(of).map(PlSmallStr::as_str)).collect()
        };
        let capacity = |node: &Option<&Node>| node.map_or(f64::NAN, |node| node.daily_capacity);
        Ok(vec![
            Column::new(ORIGIN_KIND.into(), text(|node| node.kind.as_ref())),
            Column::new(ORIGIN_TIME_ZONE.into(), text(|node| node.time_zone.as_ref())),
            Column::new(ORIGIN_CAPACITY.into(), nodes.iter().map(capacity).collect::<Vec<_>>()),
        ])
    }

    /// Working days among the [`DAYS_AHEAD`] days after `today`: no Saturday, no Sunday, and no
    /// holiday of the region recorded before `day`. `None` if no holiday of any region is.
    pub(crate) fn working_days(&self, region: Option<&str>, today: Day, day: Day) -> Option<f32> {
        let known = self.holidays.values().flatten().any(|(_, recorded_on)| *recorded_on < day);
        let is_working_day = |ahead: &Day| {
            !matches!(ahead.date().weekday(), Weekday::Sat | Weekday::Sun)
                && !self.is_holiday(region, *ahead, day)
        };
        let ahead = Day::each(today.next()..today.plus(DAYS_AHEAD + 1));
        known.then(|| ahead.filter(is_working_day).count() as f32)
    }

    /// Days from `today` to the next holiday of the region recorded before `day`: 0 if it is today,
    /// `None` if there is none within [`DAYS_AHEAD`] days.
    pub(crate) fn days_to_holiday(
        &self,
        region: Option<&str>,
        today: Day,
        day: Day,
    ) -> Option<f32> {
        let is_holiday = |ahead: &i32| self.is_holiday(region, today.plus(*ahead), day);
        (0..=DAYS_AHEAD).find(is_holiday).map(|ahead| ahead as f32)
    }

    /// Whether it was recorded before `day` that `on` is a holiday of the region.
    pub(crate) fn is_holiday(&self, region: Option<&str>, on: Day, day: Day) -> bool {
        let of_region = region.and_then(|region| self.holidays.get(region));
        let first = Day::since_epoch(i32::MIN);
        of_region.is_some_and(|days| days.range((on, first)..(on, day)).next().is_some())
    }

    /// As Parquet: nodes and holidays.
    pub(crate) fn to_parquet(&self) -> Result<[Vec<u8>; 2], Error> {
        let mut nodes: Vec<(&PlSmallStr, &Node)> =
            self.nodes.iter().flat_map(|(id, nodes)| nodes.iter().map(move |n| (id, n))).collect();
        nodes.sort_by_key(|(id, node)| (*id, node.recorded_at));
        let text = |of: fn(&Node) -> Option<&PlSmallStr>| -> Vec<Option<&str>> {
            nodes.iter().map(|(_, node)| of(node).map(PlSmallStr::as_str)).collect()
        };
        let ids: Vec<&str> = nodes.iter().map(|(id, _)| id.as_str()).collect();
        let recorded_at = nodes.iter().map(|(_, node)| node.recorded_at);
        let recorded_at = of_instants(column::RECORDED_AT, recorded_at);
        let capacity: Vec<f64> = nodes.iter().map(|(_, node)| node.daily_capacity).collect();
        let nodes = vec![
            Column::new(NODE_ID.into(), ids),
            recorded_at,
            Column::new(KIND.into(), text(|node| node.kind.as_ref())),
            Column::new(TIME_ZONE.into(), text(|node| node.time_zone.as_ref())),
            Column::new(DAILY_CAPACITY.into(), capacity),
        ];
        let mut holidays: Vec<(&str, Day, Day)> = (self.holidays.iter())
            .flat_map(|(region, days)| days.iter().map(move |(on, at)| (region.as_str(), *on, *at)))
            .collect();
        holidays.sort_unstable();
        let on: Vec<i32> = holidays.iter().map(|(_, on, _)| on.days_since_epoch()).collect();
        let holidays = vec![
            Column::new(REGION.into(), holidays.iter().map(|h| h.0).collect::<Vec<_>>()),
            Column::new(ON.into(), on),
            of_instants(column::RECORDED_AT, holidays.iter().map(|(_, _, day)| day.start())),
        ];
        Ok([to_parquet(frame_of(nodes)?)?, to_parquet(frame_of(holidays)?)?])
    }

    /// From the bytes of [`ReferenceData::to_parquet`].
    pub(crate) fn from_parquet([nodes, holidays]: [&[u8]; 2]) -> Result<Self, Error> {
        let mut reference = Self::default();
        reference.ingest(&from_parquet(nodes)?, &from_parquet(holidays)?)?;
        Ok(reference)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use terms::DAY_MICROS;

    fn holidays(rows: &[(&str, i32, i64)]) -> DataFrame {
        let columns = vec![
            Column::new(REGION.into(), rows.iter().map(|row| row.0).collect::<Vec<_>>()),
            Column::new(ON.into(), rows.iter().map(|row| row.1).collect::<Vec<_>>()),
            Column::new(
                column::RECORDED_AT.into(),
                rows.iter().map(|row| row.2 * DAY_MICROS).collect::<Vec<_>>(),
            ),
        ];
        DataFrame::new(rows.len(), columns).unwrap()
    }

    #[test]
    fn a_holiday_counts_from_the_day_after_it_was_recorded() {
        let day = Day::since_epoch;
        let mut known = ReferenceData::default();
        assert_eq!(known.working_days(Some("north"), day(4), day(5)), None, "no table");
        // 1970-01-05, day 4, is a Monday; day 7 a Thursday; days 9 and 10 a weekend.
        let table = holidays(&[("north", 7, 3), ("south", 8, 3)]);
        known.ingest(&DataFrame::default(), &table).unwrap();
        let working_days = |region, before| known.working_days(Some(region), day(4), day(before));
        assert_eq!(working_days("north", 3), None, "recorded on the day itself");
        assert_eq!(working_days("north", 4), Some(7.0), "8 weekdays, one of them off");
        assert_eq!(working_days("east", 4), Some(8.0));
        let to_holiday =
            |region, today| known.days_to_holiday(Some(region), day(today), day(today));
        assert_eq!(to_holiday("north", 4), Some(3.0));
        assert_eq!(to_holiday("north", 8), None);
        assert_eq!(to_holiday("south", 8), Some(0.0));
        let [nodes, days] = known.to_parquet().unwrap();
        assert_eq!(ReferenceData::from_parquet([&nodes, &days]).unwrap(), known);
    }
}
