//! Snapshots: open shipments as they were known at a midnight, from which the remaining time is learned.
//!
//! A snapshot has the features of its order, of which those of history are as of the snapshot's
//! midnight in place of the order's, and what was recorded of the shipment since. Which of the midnights of
//! a shipment are taken is drawn, each with the same probability, whatever its age: how long a shipment
//! stays open must not decide which of its midnights are seen, or the slow ones would be seen too rarely
//! at each age. Of a few shipments, which are followed, all are kept: so their forecasts can be shown
//! night by night. They are not learned from unless they are drawn.
//!
//! Source: landmarking, van Houwelingen, Scandinavian Journal of Statistics 34(1), 2007.

use std::ops::Range;

use polars::prelude::*;
use serde::{Deserialize, Serialize};
use statistics::SplitMix64;
use terms::{Day, Feature, FeatureKind, FeatureList, HolidaysAhead, Instant, Matrix, column};

use crate::columns::{numbers, required_instants, texts};
use crate::declared_name::DeclaredName as _;
use crate::facts::Fact;
use crate::{Error, Frame, encode};

/// Column of the moment of a snapshot.
pub const SNAPSHOT_AT: &str = "snapshot_at";

/// Hours from the order to the snapshot.
pub const AGE_HOURS: &str = column::AGE_HOURS;
/// Hours from the handover to the snapshot; missing before it is recorded.
pub const HOURS_SINCE_HANDOVER: &str = "hours_since_handover";
/// Hours from the order to the handover; missing before it is recorded.
pub const HOURS_TO_HANDOVER: &str = "hours_to_handover";
/// Hours since anything was recorded of the shipment.
pub(crate) const HOURS_SINCE_RECORD: &str = "hours_since_record";
/// How many legs have arrived.
pub(crate) const LEGS_DONE: &str = "legs_done";
/// Hours since the furthest leg arrived; missing before one has.
pub const HOURS_SINCE_LEG: &str = "hours_since_leg";
/// The mile of the furthest leg that has arrived: 0 first, 1 middle, 2 last; missing before one has.
pub(crate) const LEG_MILE: &str = "leg_mile";
/// How many attempts to deliver have failed.
pub(crate) const FAILED_ATTEMPTS: &str = "failed_attempts";
/// Hours since the last of them failed; missing before one has.
pub(crate) const HOURS_SINCE_FAILED_ATTEMPT: &str = "hours_since_failed_attempt";
/// Hours from the snapshot until it has to be handed over; negative when that is late.
const HOURS_TO_SHIP_BY: &str = "hours_to_ship_by";

/// Hours of a week.
const WEEK_HOURS: f32 = 168.0;

/// Which snapshots are taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnapshotDeclaration {
    /// The share of the midnights of each open shipment at which one is taken, above 0 to 1.
    pub share: f64,
    /// Whether they have the features of legs: not of the file, but of the tables that there are.
    #[serde(skip_deserializing, default = "with_legs")]
    pub(crate) legs: bool,
}

/// As it is declared until it is known that there is no table of legs.
const fn with_legs() -> bool {
    true
}

impl SnapshotDeclaration {
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.share > 0.0 && self.share <= 1.0 {
            return Ok(());
        }
        Err(Error::Impossible {
            feature: "snapshots".to_owned(),
            expected: "a share above 0, at most 1",
            found: format!("share = {}", self.share),
        })
    }
}

/// The share of shipments that are followed: all of their midnights are kept.
pub const FOLLOWED_SHARE: f64 = 0.01;

/// Which midnights of a shipment are kept. It follows from its id, so that it is the same however many
/// nights are ingested at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SnapshotDraw(u64);

impl SnapshotDraw {
    pub(crate) fn of(shipment_id: &str) -> Self {
        let n = shipment_id.len() as u64;
        Self(shipment_id.bytes().fold(n, |hash, byte| {
            SplitMix64::mix(hash.wrapping_add(SplitMix64::GAMMA) ^ u64::from(byte))
        }))
    }

    /// Whether a midnight is learned from and judged.
    pub(crate) fn is_drawn(self, night: Day, declared: &SnapshotDeclaration) -> bool {
        let night = SplitMix64::mix(u64::from(night.days_since_epoch().unsigned_abs()));
        SplitMix64::new(self.0 ^ night).unit() < declared.share
    }

    /// Whether all midnights are kept.
    pub(crate) fn is_followed(self) -> bool {
        SplitMix64::new(self.0 ^ SplitMix64::GAMMA).unit() < FOLLOWED_SHARE
    }
}

/// The features that only snapshots have: what they mean, and their units.
pub(crate) const DEFINITIONS: [(&str, &str, &str); 5] = [
    (
        HOURS_TO_SHIP_BY,
        "Hours from the snapshot until it has to be handed over; negative when late",
        "h",
    ),
    (AGE_HOURS, "Hours from the order to the snapshot", "h"),
    (HOURS_TO_HANDOVER, "Hours from the order to the handover; missing before it is recorded", "h"),
    (
        HOURS_SINCE_HANDOVER,
        "Hours from the handover to the snapshot; missing before it is recorded",
        "h",
    ),
    (HOURS_SINCE_RECORD, "Hours from the last record of the shipment to the snapshot", "h"),
];

/// Those of networks with a table of legs.
pub(crate) const LEG_DEFINITIONS: [(&str, &str, &str); 5] = [
    (LEGS_DONE, "How many legs had arrived, as recorded before the snapshot", ""),
    (
        HOURS_SINCE_LEG,
        "Hours from the arrival of the furthest leg that had arrived to the snapshot; missing before one \
         is recorded",
        "h",
    ),
    (
        LEG_MILE,
        "The mile of the furthest leg that had arrived, 0 first, 1 middle, 2 last; missing before one is \
         recorded",
        "",
    ),
    (
        FAILED_ATTEMPTS,
        "How many attempts to deliver had failed, as recorded before the snapshot",
        "",
    ),
    (
        HOURS_SINCE_FAILED_ATTEMPT,
        "Hours from the last attempt to deliver that failed to the snapshot; missing before one is \
         recorded",
        "h",
    ),
];

/// Snapshots of the past.
pub struct PastSnapshots {
    /// Those that are learned from and judged.
    pub drawn: Snapshots,
    /// Those of all midnights of the shipments that are followed.
    pub followed: Snapshots,
}

/// Snapshots, by moment and row.
pub struct Snapshots {
    /// Of the shipment in the feature frame.
    rows: Vec<usize>,
    at: Vec<Instant>,
    /// What changes from night to night. Shapes: one row a snapshot.
    columns: DataFrame,
}

impl Snapshots {
    /// No snapshots.
    pub fn none() -> Self {
        Self { rows: Vec::new(), at: Vec::new(), columns: DataFrame::default() }
    }

    /// From the bytes of [`HistoryState::open_snapshots`](crate::HistoryState::open_snapshots), for the
    /// rows of a frame.
    ///
    /// # Errors
    /// If they are no Parquet of that kind.
    pub fn read(bytes: &[u8], frame: &Frame) -> Result<Self, Error> {
        Self::of_frame(&crate::parquet::from_parquet(bytes)?, frame, |_, _| true)
    }

    /// From the columns of some, for the rows of a frame; those of an id and a moment that are wanted.
    pub(crate) fn of_frame(
        all: &DataFrame,
        frame: &Frame,
        is_wanted: impl Fn(&str, Instant) -> bool,
    ) -> Result<Self, Error> {
        if all.height() == 0 {
            return Ok(Self { columns: all.clone(), ..Self::none() });
        }
        let ids = texts(&frame.0, column::SHIPMENT_ID)?;
        let row_of: PlHashMap<&str, usize> =
            ids.iter().zip(0..).filter_map(|(id, row)| Some((id?, row))).collect();
        let at = required_instants(all, SNAPSHOT_AT)?;
        let mut kept: Vec<(Instant, usize, IdxSize)> = Vec::with_capacity(all.height());
        for (position, id) in texts(all, column::SHIPMENT_ID)?.iter().enumerate() {
            let id = id.filter(|id| is_wanted(id, at[position]));
            if let Some(&row) = id.and_then(|id| row_of.get(id)) {
                kept.push((at[position], row, position as IdxSize));
            }
        }
        kept.sort_unstable();
        let positions = kept.iter().map(|&(.., position)| position).collect();
        Ok(Self {
            rows: kept.iter().map(|&(_, row, _)| row).collect(),
            at: kept.iter().map(|&(at, ..)| at).collect(),
            columns: all.take(&IdxCa::from_vec("".into(), positions))?,
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Those at these positions.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn slice(&self, positions: Range<usize>) -> Self {
        Self {
            rows: self.rows[positions.clone()].to_vec(),
            at: self.at[positions.clone()].to_vec(),
            columns: self.columns.slice(positions.start as i64, positions.len()),
        }
    }

    /// Of each the row of its shipment in the feature frame.
    pub fn rows(&self) -> &[usize] {
        &self.rows
    }

    /// Of each its moment; ascending.
    pub fn at(&self) -> &[Instant] {
        &self.at
    }

    /// The columns of those up to a moment.
    pub(crate) fn up_to(&self, until: Instant) -> DataFrame {
        self.columns.head(Some(self.at.partition_point(|&at| at <= until)))
    }

    /// Their features: those of the orders' matrix, as of the snapshot where they change from night to
    /// night, and those that only snapshots have. Shapes: one row a snapshot.
    ///
    /// # Errors
    /// If a column is not as it was built.
    pub fn matrix(&self, orders: &Matrix) -> Result<Matrix, Error> {
        self.with_own_features(orders.take(&self.rows))
    }

    /// The features of a list, as a model wants them: those of their orders encoded by it, with the levels
    /// that it knows. Shapes: one row a snapshot.
    ///
    /// # Errors
    /// If the frame or the snapshots lack one of them.
    pub fn encode(&self, frame: &Frame, list: &FeatureList) -> Result<Matrix, Error> {
        let of_orders = list.0.iter().filter(|feature| frame.0.column(&feature.name).is_ok());
        let of_orders = FeatureList(of_orders.cloned().collect());
        // Column by column: of all orders at once it would be as large as the frame.
        let rows: Vec<IdxSize> = self.rows.iter().map(|&row| row as IdxSize).collect();
        let rows = IdxCa::from_vec("".into(), rows);
        let mut columns = Vec::with_capacity(of_orders.len());
        for feature in &of_orders.0 {
            let column = frame.0.column(&feature.name)?.take(&rows)?;
            let column = Frame(DataFrame::new(self.len(), vec![column])?);
            columns.extend(encode(&column, &FeatureList(vec![feature.clone()]))?.columns);
        }
        let mut matrix = self.with_own_features(Matrix { features: of_orders, columns })?;
        let columns: Vec<Vec<f32>> = (list.0.iter())
            .map(|feature| {
                let position = matrix.features.position(&feature.name);
                let missing = || Error::FeatureMissing { name: feature.name.clone() };
                Ok(std::mem::take(&mut matrix.columns[position.ok_or_else(missing)?]))
            })
            .collect::<Result<_, Error>>()?;
        Ok(Matrix { features: list.clone(), columns })
    }

    /// Their features, from those of the order of each. Shapes: one row a snapshot.
    fn with_own_features(&self, mut matrix: Matrix) -> Result<Matrix, Error> {
        let age: Vec<f32> = self.numbers(AGE_HOURS)?;
        let of_orders = |name: &str| {
            matrix.features.position(name).map(|position| matrix.columns[position].clone())
        };
        let week = of_orders(column::ORDERED_WEEK_HOURS);
        let ship_by = of_orders(Fact::ShipByHours.name());
        for (feature, values) in matrix.features.0.iter().zip(&mut matrix.columns) {
            match feature.name.as_str() {
                column::ORDERED_WEEK_HOURS => {
                    let ordered = values.iter_mut().zip(&age);
                    ordered.for_each(|(hours, age)| *hours = (*hours + age) % WEEK_HOURS);
                }
                column::HOLIDAYS_AHEAD => {
                    let times = week.iter().flatten().zip(&age);
                    values.iter_mut().zip(times).for_each(|(value, (week, age))| {
                        let days = ((week % 24.0 + age) / 24.0) as u32;
                        *value = HolidaysAhead::from_value(*value).after(days).value();
                    });
                }
                name if self.columns.column(name).is_ok() => *values = self.numbers(name)?,
                _ => {}
            }
        }
        let mut add = |name: &str, values: Vec<f32>| {
            matrix.features.0.push(Feature { name: name.into(), kind: FeatureKind::Numeric });
            matrix.columns.push(values);
        };
        if let Some(ship_by) = ship_by {
            add(HOURS_TO_SHIP_BY, ship_by.iter().zip(&age).map(|(by, age)| by - age).collect());
        }
        for name in [AGE_HOURS, HOURS_TO_HANDOVER, HOURS_SINCE_HANDOVER, HOURS_SINCE_RECORD] {
            add(name, self.numbers(name)?);
        }
        for (name, ..) in LEG_DEFINITIONS {
            if self.columns.column(name).is_ok() {
                add(name, self.numbers(name)?);
            }
        }
        Ok(matrix)
    }

    /// How many legs of each have arrived; `None` in a network without a table of legs.
    ///
    /// # Errors
    /// If the column is not as it was built.
    pub fn legs_done(&self) -> Result<Option<Vec<f32>>, Error> {
        self.columns.column(LEGS_DONE).is_ok().then(|| self.numbers(LEGS_DONE)).transpose()
    }

    /// A column of their own; missing is NaN.
    ///
    /// # Errors
    /// If there is no such column of numbers.
    pub fn numbers(&self, name: &str) -> Result<Vec<f32>, Error> {
        if self.is_empty() {
            return Ok(Vec::new());
        }
        Ok(numbers(&self.columns, name)?.into_iter().map(|value| value as f32).collect())
    }
}

#[cfg(test)]
impl Snapshots {
    /// With a column of a number of each moment.
    pub(crate) fn add(&mut self, name: &str, value: impl Fn(Instant) -> f32) -> Result<(), Error> {
        let values: Vec<f32> = self.at.iter().map(|&at| value(at)).collect();
        self.columns.with_column(Column::new(name.into(), values))?;
        Ok(())
    }

    /// Those of some rows of the feature frame.
    pub(crate) fn retain(&mut self, is_kept: impl Fn(usize) -> bool) -> Result<(), Error> {
        let kept: Vec<bool> = self.rows.iter().map(|&row| is_kept(row)).collect();
        self.columns = self.columns.filter(&kept.iter().copied().collect())?;
        let mut of_row = kept.iter();
        self.rows.retain(|_| of_row.next() == Some(&true));
        let mut of_moment = kept.iter();
        self.at.retain(|_| of_moment.next() == Some(&true));
        Ok(())
    }
}

/// Snapshots by moment, then shipment.
pub(crate) fn sorted(snapshots: &DataFrame) -> Result<DataFrame, Error> {
    let by = [SNAPSHOT_AT, column::SHIPMENT_ID];
    Ok(snapshots.sort(by, SortMultipleOptions::default())?)
}
