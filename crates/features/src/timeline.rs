//! The timeline of a shipment: its states, each with the instant at which it was recorded.

use polars::prelude::*;
use terms::{Day, Instant, column};

use crate::Error;
use crate::columns::{instants, of_instants, required_instants, texts};

/// The state of a shipment, as recorded at some instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Not handed over to a carrier yet.
    Waiting,
    /// With a carrier.
    HandedOver {
        /// Since when.
        at: Instant,
    },
    /// Delivered.
    Delivered {
        /// When it was handed over, if that was recorded.
        handed_over_at: Option<Instant>,
        /// When it was delivered.
        at: Instant,
    },
    /// Cancelled, lost, returned, or the version is in quarantine: there is no delivery time to
    /// learn from.
    Excluded,
}

impl State {
    /// From the columns of a table.
    pub(crate) fn of(
        is_excluded: bool,
        handed_over_at: Option<Instant>,
        delivered_at: Option<Instant>,
    ) -> Self {
        match (is_excluded, delivered_at, handed_over_at) {
            (true, ..) => Self::Excluded,
            (_, Some(at), handed_over_at) => Self::Delivered { handed_over_at, at },
            (_, None, Some(at)) => Self::HandedOver { at },
            (_, None, None) => Self::Waiting,
        }
    }

    /// When it was handed over, where that is known.
    pub(crate) fn handed_over_at(self) -> Option<Instant> {
        match self {
            Self::HandedOver { at } => Some(at),
            Self::Delivered { handed_over_at, .. } => handed_over_at,
            Self::Waiting | Self::Excluded => None,
        }
    }

    /// When it was delivered, if it is.
    pub(crate) fn delivered_at(self) -> Option<Instant> {
        match self {
            Self::Delivered { at, .. } => Some(at),
            Self::Waiting | Self::HandedOver { .. } | Self::Excluded => None,
        }
    }
}

/// A state and when it was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) recorded_at: Instant,
    pub(crate) state: State,
}

impl Version {
    /// The day on which it was recorded.
    pub(crate) fn day(&self) -> Day {
        self.recorded_at.day()
    }
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

    /// The versions of a row.
    pub(crate) fn of(&self, row: usize) -> &[Version] {
        &self.versions[self.starts[row]..self.starts[row + 1]]
    }

    /// Adds a row with its versions.
    pub(crate) fn push(&mut self, versions: impl IntoIterator<Item = Version>) {
        self.versions.extend(versions);
        self.starts.push(self.versions.len());
    }

    /// The timelines of `n_rows` rows, with the versions of `more` (by row, then time) behind those
    /// that a row has already. Rows without versions so far are added at the end.
    pub(crate) fn with_versions(
        &self,
        more: impl IntoIterator<Item = (usize, Version)>,
        n_rows: usize,
    ) -> Self {
        let mut more = more.into_iter().peekable();
        let mut all = Self::default();
        all.versions.reserve(self.versions.len() + more.size_hint().0);
        for row in 0..n_rows {
            if row < self.len() {
                all.versions.extend_from_slice(self.of(row));
            }
            while let Some((_, version)) = more.next_if(|(of, _)| *of == row) {
                all.versions.push(version);
            }
            all.starts.push(all.versions.len());
        }
        all
    }
}

/// Column of whether a version's state is [`State::Excluded`]: the name that the files have.
const EXCLUDED: &str = "gone";

/// Versions as columns of a frame.
pub(crate) fn to_columns<'a>(versions: impl Iterator<Item = &'a Version> + Clone) -> [Column; 4] {
    let excluded: Vec<bool> = versions.clone().map(|v| v.state == State::Excluded).collect();
    let times = |time: fn(State) -> Option<Instant>| -> Vec<Option<i64>> {
        versions.clone().map(|version| time(version.state).map(Instant::micros)).collect()
    };
    [
        of_instants(column::RECORDED_AT, versions.clone().map(|version| version.recorded_at)),
        Column::new(EXCLUDED.into(), excluded),
        Column::new(column::HANDED_OVER_AT.into(), times(State::handed_over_at)),
        Column::new(column::DELIVERED_AT.into(), times(State::delivered_at)),
    ]
}

/// Versions from the columns of [`to_columns`].
pub(crate) fn from_columns(frame: &DataFrame) -> Result<Vec<Version>, Error> {
    let recorded_at = required_instants(frame, column::RECORDED_AT)?;
    let excluded = frame.column(EXCLUDED)?.bool()?.rechunk().into_owned();
    let handed_over_at = instants(frame, column::HANDED_OVER_AT)?;
    let delivered_at = instants(frame, column::DELIVERED_AT)?;
    let version = |row: usize| Version {
        recorded_at: recorded_at[row],
        state: State::of(excluded.get(row) == Some(true), handed_over_at[row], delivered_at[row]),
    };
    Ok((0..frame.height()).map(version).collect())
}

/// The state that each row of the table of shipments records.
pub(crate) fn states(shipments: &DataFrame) -> Result<Vec<State>, Error> {
    let handed_over_at = instants(shipments, column::HANDED_OVER_AT)?;
    let delivered_at = instants(shipments, column::DELIVERED_AT)?;
    let statuses = texts(shipments, column::STATUS)?;
    let is_excluded = |status: Option<&str>, delivered_at: Option<Instant>| match status {
        Some("cancelled" | "lost" | "returned") => true,
        Some("delivered") => delivered_at.is_none(),
        _ => false,
    };
    let times = handed_over_at.into_iter().zip(delivered_at);
    let state = |(status, (handed_over_at, delivered_at))| {
        State::of(is_excluded(status, delivered_at), handed_over_at, delivered_at)
    };
    Ok(statuses.iter().zip(times).map(state).collect())
}
