//! What a month brought: rows of features, and what was recorded of deliveries.

use polars::prelude::*;
use terms::column;

use crate::frame::{from_parquet, to_parquet};
use crate::memory::Heard;
use crate::outcomes::Outcomes;
use crate::timeline::{State, Timelines, Version};
use crate::timeline::{from_columns, known_instants, texts, to_columns};
use crate::{Error, Frame};

/// Column of the versions: what those of one instant are sorted by.
const SOURCE: &str = "source";

/// Rows of shipments that were first recorded in a month, and all versions recorded in it.
#[derive(Debug, Clone, Default)]
pub struct Month {
    rows: DataFrame,
    versions: DataFrame,
}

impl Month {
    pub(crate) fn of(rows: DataFrame, heard: &[Heard]) -> Result<Self, Error> {
        let ids: StringChunked = heard.iter().map(|h| Some(h.shipment_id.as_str())).collect();
        let source: Vec<u32> = heard.iter().map(|h| h.source as u32).collect();
        let mut columns = vec![
            ids.with_name(column::SHIPMENT_ID.into()).into_column(),
            Column::new(SOURCE.into(), source),
        ];
        columns.extend(to_columns(heard.iter().map(|h| &h.version)));
        Ok(Self { rows, versions: DataFrame::new(heard.len(), columns)? })
    }

    /// With what later days of the same month brought.
    ///
    /// # Errors
    /// If they are of another declaration.
    pub fn and(self, later: Self) -> Result<Self, Error> {
        if self.rows.width() == 0 {
            return Ok(later);
        }
        Ok(Self {
            rows: self.rows.vstack(&later.rows)?,
            versions: self.versions.vstack(&later.versions)?,
        })
    }

    /// How many rows.
    pub fn n_rows(&self) -> usize {
        self.rows.height()
    }

    /// The same, however many days were learned at once: rows by (ordered_at, shipment_id),
    /// versions by shipment and time.
    ///
    /// # Errors
    /// If Polars cannot sort it.
    pub fn in_order(self) -> Result<Self, Error> {
        let by = [column::SHIPMENT_ID, column::RECORDED_AT, SOURCE];
        let stable = SortMultipleOptions::default().with_maintain_order(true);
        Ok(Self { rows: in_order(&self.rows)?, versions: self.versions.sort(by, stable)? })
    }

    /// As Parquet: the rows, and the versions.
    ///
    /// # Errors
    /// If Polars cannot write it.
    pub fn to_parquet(&self) -> Result<(Vec<u8>, Vec<u8>), Error> {
        let bytes = |frame: &DataFrame| to_parquet(frame.clone());
        let (rows, versions) = rayon::join(|| bytes(&self.rows), || bytes(&self.versions));
        Ok((rows?, versions?))
    }

    /// Those of some orders that have a row.
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
    pub fn read(rows: &[u8], versions: &[u8]) -> Result<Self, Error> {
        Ok(Self { rows: from_parquet(rows)?, versions: from_parquet(versions)? })
    }
}

fn in_order(rows: &DataFrame) -> Result<DataFrame, Error> {
    let by = [column::ORDERED_AT, column::SHIPMENT_ID];
    Ok(rows.sort(by, SortMultipleOptions::default())?)
}

/// The rows of all months by (ordered_at, shipment_id), and what was known of each when. `months`
/// are in the order of time, and [in order](Month::in_order) themselves.
///
/// # Errors
/// If they are of different declarations.
pub fn assemble(months: &[Month]) -> Result<(Frame, Outcomes), Error> {
    let mut rows = DataFrame::default();
    for month in months.iter().filter(|month| month.rows.height() > 0) {
        if rows.width() == 0 {
            rows = month.rows.clone();
        } else {
            rows.vstack_mut(&month.rows)?;
        }
    }
    if rows.width() == 0 {
        return Ok((Frame(rows), Outcomes::new(Vec::new(), Timelines::default())));
    }
    rows.rechunk_mut_par();
    let frame = Frame(in_order(&rows)?);
    drop(rows);
    let ordered_at = frame.ordered_at()?;
    let known_from = known_instants(&frame.0, column::RECORDED_AT)?;
    let ids = texts(&frame.0, column::SHIPMENT_ID)?;
    let place: PlHashMap<&str, u32> =
        ids.iter().zip(0..).filter_map(|(id, row)| Some((id?, row))).collect();

    // Which row each version is of: none, if it is of no row, or of a time before that was known.
    let mut of_rows: Vec<Vec<Option<u32>>> = Vec::with_capacity(months.len());
    let mut starts = vec![0; ordered_at.len() + 1];
    for month in months {
        let ids = texts(&month.versions, column::SHIPMENT_ID)?;
        let recorded_at = known_instants(&month.versions, column::RECORDED_AT)?;
        let row = |(id, at): (Option<&str>, i64)| {
            place.get(id?).copied().filter(|&row| at >= known_from[row as usize])
        };
        let rows: Vec<Option<u32>> = ids.iter().zip(recorded_at).map(row).collect();
        rows.iter().flatten().for_each(|&row| starts[row as usize + 1] += 1);
        of_rows.push(rows);
    }
    for row in 0..ordered_at.len() {
        starts[row + 1] += starts[row];
    }
    let mut next = starts.clone();
    let nothing = Version { recorded_at: 0, state: State::Waiting };
    let mut versions = vec![nothing; starts.last().copied().unwrap_or_default()];
    for (month, rows) in months.iter().zip(of_rows) {
        for (row, version) in rows.into_iter().zip(from_columns(&month.versions)?) {
            let Some(row) = row else { continue };
            versions[next[row as usize]] = version;
            next[row as usize] += 1;
        }
    }
    Ok((frame, Outcomes::new(ordered_at, Timelines { starts, versions })))
}
