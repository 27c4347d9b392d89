//! What was built of one month: the rows of new shipments, every version recorded in it, and snapshots
//! of what was open.

use polars::prelude::*;
use terms::{AsOf, Instant, column};

use crate::columns::{required_instants, texts};
use crate::limits::Limits;
use crate::outcomes::Outcomes;
use crate::parquet::{columns_from_parquet, from_parquet, to_parquet};
use crate::shipment_version::{SOURCE, ShipmentVersion, to_frame};
use crate::snapshots::{self, PastSnapshots, SnapshotDeclaration, SnapshotDraw, Snapshots};
use crate::timeline::{State, Timelines, Version, from_columns};
use crate::{Error, Frame};

/// Rows of shipments that were first recorded in a month, all versions recorded in it, and snapshots as
/// of the nights after its days.
#[derive(Debug, Clone, Default)]
pub struct Month {
    rows: DataFrame,
    versions: DataFrame,
    /// Without columns if none are declared.
    pub(crate) snapshots: DataFrame,
}

/// A month as Parquet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonthFiles {
    /// The rows.
    pub rows: Vec<u8>,
    /// The versions.
    pub versions: Vec<u8>,
    /// The snapshots, if any are declared.
    pub snapshots: Option<Vec<u8>>,
}

impl Month {
    pub(crate) fn new(
        rows: DataFrame,
        versions: &[ShipmentVersion],
        snapshots: DataFrame,
    ) -> Result<Self, Error> {
        Ok(Self { rows, versions: to_frame(versions)?, snapshots })
    }

    /// Followed by rows, versions and snapshots of later days of the same month.
    ///
    /// # Errors
    /// If they are of another declaration.
    pub fn followed_by(self, later: Self) -> Result<Self, Error> {
        if self.rows.width() == 0 {
            return Ok(later);
        }
        Ok(Self {
            rows: self.rows.vstack(&later.rows)?,
            versions: self.versions.vstack(&later.versions)?,
            snapshots: self.snapshots.vstack(&later.snapshots)?,
        })
    }

    /// How many rows.
    pub fn n_rows(&self) -> usize {
        self.rows.height()
    }

    /// Sorted, so that it is the same however many days were ingested at once: rows by (ordered_at,
    /// shipment_id), versions by shipment and time, snapshots by time and shipment.
    ///
    /// # Errors
    /// If Polars cannot sort it.
    pub fn sorted(self) -> Result<Self, Error> {
        let by = [column::SHIPMENT_ID, column::RECORDED_AT, SOURCE];
        let stable = SortMultipleOptions::default().with_maintain_order(true);
        let versions = self.versions.sort(by, stable)?;
        let snapshots = match self.snapshots.width() {
            0 => self.snapshots,
            _ => snapshots::sorted(&self.snapshots)?,
        };
        Ok(Self { rows: sorted(&self.rows)?, versions, snapshots })
    }

    /// As Parquet.
    ///
    /// # Errors
    /// If Polars cannot write it.
    pub fn to_parquet(&self) -> Result<MonthFiles, Error> {
        let bytes = |frame: &DataFrame| to_parquet(frame.clone());
        let (rows, versions) = rayon::join(|| bytes(&self.rows), || bytes(&self.versions));
        let snapshots = (self.snapshots.width() > 0).then(|| bytes(&self.snapshots));
        Ok(MonthFiles { rows: rows?, versions: versions?, snapshots: snapshots.transpose()? })
    }

    /// Those of the orders `ids` that have a row.
    ///
    /// # Errors
    /// If the rows have no order.
    pub fn orders_among(&self, ids: &PlHashSet<String>) -> Result<Vec<String>, Error> {
        let with_a_row = texts(&self.rows, column::ORDER_ID)?;
        let among = with_a_row.iter().flatten().filter(|id| ids.contains(*id));
        Ok(among.map(str::to_owned).collect())
    }

    /// From the bytes of [`Month::to_parquet`].
    ///
    /// # Errors
    /// If they are no Parquet.
    pub fn read(rows: &[u8], versions: &[u8], snapshots: Option<&[u8]>) -> Result<Self, Error> {
        Ok(Self {
            rows: from_parquet(rows)?,
            versions: from_parquet(versions)?,
            snapshots: snapshots.map(from_parquet).transpose()?.unwrap_or_default(),
        })
    }

    /// The same without features: enough for [outcomes](Outcomes), at a part of the cost.
    ///
    /// # Errors
    /// If they are no Parquet.
    pub fn read_outcomes(rows: &[u8], versions: &[u8]) -> Result<Self, Error> {
        let keys = [column::SHIPMENT_ID, column::ORDERED_AT, column::RECORDED_AT];
        let rows = columns_from_parquet(rows, &keys)?;
        Ok(Self { rows, versions: from_parquet(versions)?, snapshots: DataFrame::default() })
    }
}

fn sorted(rows: &DataFrame) -> Result<DataFrame, Error> {
    let by = [column::ORDERED_AT, column::SHIPMENT_ID];
    Ok(rows.sort(by, SortMultipleOptions::default())?)
}

/// The rows of all months by (ordered_at, shipment_id), and the timeline of each row's outcome.
/// `months` are in the order of time, and [sorted](Month::sorted) themselves; their rows are taken out of
/// them, so that they are in memory once. `limits` are those of the network.
///
/// # Errors
/// If they are of different declarations.
pub fn assemble(months: &mut [Month], limits: Limits) -> Result<(Frame, Outcomes), Error> {
    let Some(rows) = rows_of(months)? else {
        let none = Outcomes::new(Vec::new(), Timelines::default(), limits);
        return Ok((Frame(DataFrame::default()), none));
    };
    let frame = Frame(if is_sorted(&rows)? { rows } else { sorted(&rows)? });
    let ordered_at = frame.ordered_at()?;
    let timelines = timelines_of(months, &frame)?;
    Ok((frame, Outcomes::new(ordered_at, timelines, limits)))
}

/// The snapshots of all months, of moments up to `until`, for the rows of a frame; none unless they are
/// declared.
///
/// # Errors
/// If the months are of different declarations.
pub fn assemble_snapshots(
    months: &[Month],
    frame: &Frame,
    declared: Option<&SnapshotDeclaration>,
    until: AsOf,
) -> Result<PastSnapshots, Error> {
    let Some(declared) = declared else {
        return Ok(PastSnapshots { drawn: Snapshots::none(), followed: Snapshots::none() });
    };
    let mut all = DataFrame::default();
    for month in months.iter().filter(|month| month.snapshots.height() > 0) {
        match all.width() {
            0 => all = month.snapshots.clone(),
            _ => drop(all.vstack_mut(&month.snapshots)?),
        }
    }
    let is_known = |at: Instant| at <= until.instant();
    Ok(PastSnapshots {
        drawn: Snapshots::of_frame(&all, frame, |id, at| {
            is_known(at) && SnapshotDraw::of(id).is_drawn(at.day(), declared)
        })?,
        followed: Snapshots::of_frame(&all, frame, |id, at| {
            is_known(at) && SnapshotDraw::of(id).is_followed()
        })?,
    })
}

/// The rows of all months, taken out of them, if there are any.
fn rows_of(months: &mut [Month]) -> Result<Option<DataFrame>, Error> {
    let mut rows = DataFrame::default();
    for month in months.iter_mut().filter(|month| month.rows.height() > 0) {
        let of_month = std::mem::take(&mut month.rows);
        if rows.width() == 0 {
            rows = of_month;
        } else {
            rows.vstack_mut_owned(of_month)?;
        }
    }
    if rows.width() == 0 {
        return Ok(None);
    }
    // A column at a time: of all at once there would be two copies.
    rows.rechunk_mut();
    Ok(Some(rows))
}

/// Whether rows are by (ordered_at, shipment_id), as those of months in their order are.
fn is_sorted(rows: &DataFrame) -> Result<bool, Error> {
    let ordered_at = required_instants(rows, column::ORDERED_AT)?;
    let ids = texts(rows, column::SHIPMENT_ID)?;
    Ok(ordered_at.iter().zip(ids.iter()).is_sorted())
}

/// The timeline of each row of the frame.
fn timelines_of(months: &[Month], frame: &Frame) -> Result<Timelines, Error> {
    let first_recorded_at = required_instants(&frame.0, column::RECORDED_AT)?;
    let ids = texts(&frame.0, column::SHIPMENT_ID)?;
    let row_of: PlHashMap<&str, u32> =
        ids.iter().zip(0..).filter_map(|(id, row)| Some((id?, row))).collect();

    // The row of each version: none, if its shipment has no row, or was not recorded by then.
    let mut rows_by_month: Vec<Vec<Option<u32>>> = Vec::with_capacity(months.len());
    let mut starts = vec![0; frame.n_rows() + 1];
    for month in months {
        let ids = texts(&month.versions, column::SHIPMENT_ID)?;
        let recorded_at = required_instants(&month.versions, column::RECORDED_AT)?;
        let row = |(id, at): (Option<&str>, Instant)| {
            row_of.get(id?).copied().filter(|&row| at >= first_recorded_at[row as usize])
        };
        let rows: Vec<Option<u32>> = ids.iter().zip(recorded_at).map(row).collect();
        rows.iter().flatten().for_each(|&row| starts[row as usize + 1] += 1);
        rows_by_month.push(rows);
    }
    for row in 0..frame.n_rows() {
        starts[row + 1] += starts[row];
    }
    let mut next = starts.clone();
    let blank = Version { recorded_at: Instant::from_micros(0), state: State::Waiting };
    let mut versions = vec![blank; starts.last().copied().unwrap_or_default()];
    for (month, rows) in months.iter().zip(rows_by_month) {
        for (row, version) in rows.into_iter().zip(from_columns(&month.versions)?) {
            let Some(row) = row else { continue };
            versions[next[row as usize]] = version;
            next[row as usize] += 1;
        }
    }
    Ok(Timelines { starts, versions })
}
