//! Nodes and holidays: what is known of where an order leaves from, and of the days ahead.
//!
//! Both tables are optional. Without them their features are missing in every row.
//!
//! As of: a row sees what was recorded before the day from which on its history does not count.

use std::collections::BTreeSet;

use chrono::{Datelike, NaiveDate, Weekday};
use polars::prelude::*;
use terms::{Day, column};

use crate::Error;
use crate::frame::{from_parquet, to_parquet};
use crate::timeline::{day_of, known_instants, numbers, texts};

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
    recorded_at: i64,
    kind: Option<PlSmallStr>,
    time_zone: Option<PlSmallStr>,
    daily_capacity: f64,
}

/// Everything that was recorded of nodes and holidays.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Surroundings {
    /// By node, then by when they were recorded.
    nodes: PlHashMap<PlSmallStr, Vec<Node>>,
    /// By region: the day, and the day on which it was recorded.
    holidays: PlHashMap<PlSmallStr, BTreeSet<(i32, i32)>>,
}

impl Surroundings {
    /// Learns more versions, none of them recorded before those that it knows.
    pub(crate) fn learn(&mut self, nodes: &DataFrame, holidays: &DataFrame) -> Result<(), Error> {
        if nodes.height() > 0 {
            let recorded_at = known_instants(nodes, column::RECORDED_AT)?;
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
            let recorded_at = known_instants(holidays, column::RECORDED_AT)?;
            let days = holidays.column(ON)?.cast(&DataType::Int32)?.i32()?.rechunk().into_owned();
            for (row, region) in texts(holidays, REGION)?.iter().enumerate() {
                let of_region = self.holidays.entry(region.unwrap_or_default().into()).or_default();
                of_region.insert((days.get(row).unwrap_or_default(), day_of(recorded_at[row])));
            }
        }
        Ok(())
    }

    /// What was known before each row's day of the node that it leaves from.
    pub(crate) fn of_origins(
        &self,
        firsts: &DataFrame,
        days: &[i32],
    ) -> Result<Vec<Column>, Error> {
        let ids = texts(firsts, column::ORIGIN_NODE_ID)?;
        let node = |(id, &day): (Option<&str>, &i32)| {
            let versions = self.nodes.get(id?)?;
            versions.iter().rfind(|node| day_of(node.recorded_at) < day)
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

    /// Working days among the days ahead of `today` (the first of them is tomorrow): no Saturday,
    /// no Sunday, and no holiday of the region known before `day`. None if no holiday is known
    /// anywhere.
    pub(crate) fn working_days(&self, region: Option<&str>, today: i32, day: i32) -> Option<f32> {
        let known = self.holidays.values().flatten().any(|(_, recorded_on)| *recorded_on < day);
        let is_worked = |ahead: &i32| {
            let date = NaiveDate::from_epoch_days(*ahead).unwrap_or_default();
            !matches!(date.weekday(), Weekday::Sat | Weekday::Sun)
                && !self.is_holiday(region, *ahead, day)
        };
        known.then(|| (today + 1..=today + DAYS_AHEAD).filter(is_worked).count() as f32)
    }

    /// Days until the next holiday of the region that is known before `day`, today's included;
    /// none if there is none within the days ahead.
    pub(crate) fn days_to_holiday(
        &self,
        region: Option<&str>,
        today: i32,
        day: i32,
    ) -> Option<f32> {
        let ahead = (0..=DAYS_AHEAD).find(|ahead| self.is_holiday(region, today + ahead, day));
        ahead.map(|ahead| ahead as f32)
    }

    fn is_holiday(&self, region: Option<&str>, on: i32, day: i32) -> bool {
        let of_region = region.and_then(|region| self.holidays.get(region));
        of_region.is_some_and(|days| days.range((on, i32::MIN)..(on, day)).next().is_some())
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
        let recorded_at: Vec<i64> = nodes.iter().map(|(_, node)| node.recorded_at).collect();
        let capacity: Vec<f64> = nodes.iter().map(|(_, node)| node.daily_capacity).collect();
        let nodes = vec![
            Column::new(NODE_ID.into(), ids),
            Column::new(column::RECORDED_AT.into(), recorded_at),
            Column::new(KIND.into(), text(|node| node.kind.as_ref())),
            Column::new(TIME_ZONE.into(), text(|node| node.time_zone.as_ref())),
            Column::new(DAILY_CAPACITY.into(), capacity),
        ];
        let mut holidays: Vec<(&str, i32, i32)> = (self.holidays.iter())
            .flat_map(|(region, days)| days.iter().map(move |(on, at)| (region.as_str(), *on, *at)))
            .collect();
        holidays.sort_unstable();
        let recorded_at: Vec<i64> =
            holidays.iter().map(|(_, _, day)| Day::since_epoch(*day).start().micros()).collect();
        let holidays = vec![
            Column::new(REGION.into(), holidays.iter().map(|h| h.0).collect::<Vec<_>>()),
            Column::new(ON.into(), holidays.iter().map(|h| h.1).collect::<Vec<_>>()),
            Column::new(column::RECORDED_AT.into(), recorded_at),
        ];
        let frame = |columns: Vec<Column>| {
            to_parquet(DataFrame::new(columns.first().map_or(0, Column::len), columns)?)
        };
        Ok([frame(nodes)?, frame(holidays)?])
    }

    /// From the bytes of [`Surroundings::to_parquet`].
    pub(crate) fn from_parquet([nodes, holidays]: [&[u8]; 2]) -> Result<Self, Error> {
        let mut surroundings = Self::default();
        surroundings.learn(&from_parquet(nodes)?, &from_parquet(holidays)?)?;
        Ok(surroundings)
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
        let mut known = Surroundings::default();
        assert_eq!(known.working_days(Some("north"), 4, 5), None, "no table");
        // 1970-01-05, day 4, is a Monday; day 7 a Thursday; days 9 and 10 a weekend.
        known.learn(&DataFrame::default(), &holidays(&[("north", 7, 3), ("south", 8, 3)])).unwrap();
        assert_eq!(known.working_days(Some("north"), 4, 3), None, "recorded on the day itself");
        assert_eq!(
            known.working_days(Some("north"), 4, 4),
            Some(7.0),
            "8 weekdays, one of them off"
        );
        assert_eq!(known.working_days(Some("east"), 4, 4), Some(8.0));
        assert_eq!(known.days_to_holiday(Some("north"), 4, 4), Some(3.0));
        assert_eq!(known.days_to_holiday(Some("north"), 8, 8), None);
        assert_eq!(known.days_to_holiday(Some("south"), 8, 8), Some(0.0));
        let [nodes, days] = known.to_parquet().unwrap();
        assert_eq!(Surroundings::from_parquet([&nodes, &days]).unwrap(), known);
    }
}
