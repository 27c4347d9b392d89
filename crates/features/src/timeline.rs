//! What a shipment was known to be, and since when.

use polars::prelude::*;
use terms::{DAY_MICROS, column};

use crate::Error;

/// A version of a shipment that is in quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// Its shipment.
    pub shipment_id: String,
    /// When it was recorded, in microseconds since the epoch.
    pub recorded_at: i64,
}

/// What a shipment was known to be. Instants are microseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Waiting,
    HandedOver {
        at: i64,
    },
    Delivered {
        handed_over_at: Option<i64>,
        at: i64,
    },
    /// Cancelled, lost, returned, or in doubt: no delivery time comes of it.
    Gone,
}

impl State {
    /// From what a table holds of it.
    pub(crate) fn of(gone: bool, handed_over_at: Option<i64>, delivered_at: Option<i64>) -> Self {
        match (gone, delivered_at, handed_over_at) {
            (true, ..) => Self::Gone,
            (_, Some(at), handed_over_at) => Self::Delivered { handed_over_at, at },
            (_, None, Some(at)) => Self::HandedOver { at },
            (_, None, None) => Self::Waiting,
        }
    }

    pub(crate) fn handed_over_at(self) -> Option<i64> {
        match self {
            Self::HandedOver { at } => Some(at),
            Self::Delivered { handed_over_at, .. } => handed_over_at,
            Self::Waiting | Self::Gone => None,
        }
    }

    pub(crate) fn delivered_at(self) -> Option<i64> {
        match self {
            Self::Delivered { at, .. } => Some(at),
            Self::Waiting | Self::HandedOver { .. } | Self::Gone => None,
        }
    }
}

/// From when on which state was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) recorded_at: i64,
    pub(crate) state: State,
}

impl Version {
    /// The day on which it was recorded, since the epoch.
    pub(crate) fn day(&self) -> i32 {
        day_of(self.recorded_at)
    }
}

/// The UTC day of an instant, since the epoch.
pub(crate) fn day_of(instant: i64) -> i32 {
    instant.div_euclid(DAY_MICROS) as i32
}

/// Versions of several rows, one row's after the other's, each by when they were recorded.
#[derive(Debug, Clone)]
pub(crate) struct Timelines {
    /// For each row where its versions start; one longer than there are rows.
    pub(crate) starts: Vec<usize>,
    pub(crate) versions: Vec<Version>,
}

impl Default for Timelines {
    fn default() -> Self {
        Self { starts: vec![0], versions: Vec::new() }
    }
}

impl Timelines {
    pub(crate) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    pub(crate) fn of(&self, row: usize) -> &[Version] {
        &self.versions[self.starts[row]..self.starts[row + 1]]
    }

    /// The versions of another row, after those that are there.
    pub(crate) fn push(&mut self, versions: impl IntoIterator<Item = Version>) {
        self.versions.extend(versions);
        self.starts.push(self.versions.len());
    }

    /// What is said of each row; the versions of some may be there already, those of `more` (by
    /// row, then time) come after them. Rows without any before are added.
    pub(crate) fn and(&self, more: &[(u32, Version)], n_rows: usize) -> Self {
        let mut both = Self::default();
        both.versions.reserve(self.versions.len() + more.len());
        let mut more = more.iter().peekable();
        for row in 0..n_rows {
            let before = if row < self.len() { self.of(row) } else { &[] };
            both.versions.extend_from_slice(before);
            while let Some((_, version)) = more.next_if(|(of, _)| *of as usize == row) {
                both.versions.push(*version);
            }
            both.starts.push(both.versions.len());
        }
        both
    }
}

/// Whether no delivery time comes of a version.
const GONE: &str = "gone";

/// Versions as columns of a frame.
pub(crate) fn to_columns<'a>(versions: impl Iterator<Item = &'a Version> + Clone) -> [Column; 4] {
    let recorded_at: Vec<i64> = versions.clone().map(|version| version.recorded_at).collect();
    let gone: Vec<bool> = versions.clone().map(|v| v.state == State::Gone).collect();
    let times = |time: fn(State) -> Option<i64>| -> Vec<Option<i64>> {
        versions.clone().map(|version| time(version.state)).collect()
    };
    [
        Column::new(column::RECORDED_AT.into(), recorded_at),
        Column::new(GONE.into(), gone),
        Column::new(column::HANDED_OVER_AT.into(), times(State::handed_over_at)),
        Column::new(column::DELIVERED_AT.into(), times(State::delivered_at)),
    ]
}

/// Versions from the columns of [`to_columns`].
pub(crate) fn from_columns(frame: &DataFrame) -> Result<Vec<Version>, Error> {
    let recorded_at = known_instants(frame, column::RECORDED_AT)?;
    let gone = frame.column(GONE)?.bool()?.rechunk().into_owned();
    let handed_over_at = instants(frame, column::HANDED_OVER_AT)?;
    let delivered_at = instants(frame, column::DELIVERED_AT)?;
    let version = |row: usize| Version {
        recorded_at: recorded_at[row],
        state: State::of(gone.get(row) == Some(true), handed_over_at[row], delivered_at[row]),
    };
    Ok((0..frame.height()).map(version).collect())
}

/// What each row of the table of shipments says.
pub(crate) fn states(shipments: &DataFrame) -> Result<Vec<State>, Error> {
    let handed_over_at = instants(shipments, column::HANDED_OVER_AT)?;
    let delivered_at = instants(shipments, column::DELIVERED_AT)?;
    let statuses = texts(shipments, column::STATUS)?;
    let gone = |status: Option<&str>, delivered_at: Option<i64>| match status {
        Some("cancelled" | "lost" | "returned") => true,
        Some("delivered") => delivered_at.is_none(),
        _ => false,
    };
    let times = handed_over_at.into_iter().zip(delivered_at);
    let state = |(status, (handed_over_at, delivered_at))| {
        State::of(gone(status, delivered_at), handed_over_at, delivered_at)
    };
    Ok(statuses.iter().zip(times).map(state).collect())
}

/// A column of instants. Units: microseconds since the epoch.
pub(crate) fn instants(frame: &DataFrame, name: &str) -> Result<Vec<Option<i64>>, Error> {
    Ok(frame.column(name)?.cast(&DataType::Int64)?.i64()?.iter().collect())
}

/// A column of instants that are all there.
pub(crate) fn known_instants(frame: &DataFrame, name: &str) -> Result<Vec<i64>, Error> {
    Ok(instants(frame, name)?.into_iter().map(Option::unwrap_or_default).collect())
}

/// A column of texts.
pub(crate) fn texts(frame: &DataFrame, name: &str) -> Result<StringChunked, Error> {
    Ok(frame.column(name)?.cast(&DataType::String)?.str()?.rechunk().into_owned())
}

/// A column of numbers; missing is NaN.
pub(crate) fn numbers(frame: &DataFrame, name: &str) -> Result<Vec<f64>, Error> {
    let column = frame.column(name)?.cast(&DataType::Float64)?;
    Ok(column.f64()?.iter().map(|value| value.unwrap_or(f64::NAN)).collect())
}
