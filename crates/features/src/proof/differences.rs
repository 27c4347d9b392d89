//! The differences between two feature frames, and between snapshots, bit for bit.

use std::collections::{BTreeMap, HashMap, HashSet};

use polars::prelude::*;
use terms::{Instant, column};

use crate::columns::{required_instants, texts};
use crate::snapshots::SNAPSHOT_AT;
use crate::{Error, Frame};

/// Whether a shipment is in the matrix at all.
pub(super) const ROW: &str = "whether there is a row";

/// Whether there is a snapshot of a shipment as of a night.
pub(super) const SNAPSHOT: &str = "whether there is a snapshot";

/// A column that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The column.
    pub column: String,
    /// In how many rows.
    pub rows: usize,
    /// The first shipment, in the order of the matrix.
    pub shipment_id: String,
}

/// Differences by column.
#[derive(Default)]
pub(super) struct Differences(BTreeMap<String, (usize, String)>);

impl Differences {
    pub(super) fn add(&mut self, column: &str, shipment_id: &str) {
        let entry = self.0.entry(column.to_owned());
        entry.or_insert_with(|| (0, shipment_id.to_owned())).0 += 1;
    }

    /// Compares some rows of a frame with the same shipments in another, and gives their positions
    /// there.
    pub(super) fn between(
        &mut self,
        expected: &Frame,
        rows: &[usize],
        found: &Frame,
    ) -> Result<Vec<Option<usize>>, Error> {
        let found_ids = texts(&found.0, column::SHIPMENT_ID)?;
        let position: HashMap<&str, usize> =
            found_ids.iter().enumerate().filter_map(|(row, id)| Some((id?, row))).collect();
        let ids = texts(&expected.0, column::SHIPMENT_ID)?;
        let id = |row: usize| ids.get(row).unwrap_or_default();
        let positions: Vec<Option<usize>> =
            rows.iter().map(|&row| position.get(id(row)).copied()).collect();
        for (&row, _) in rows.iter().zip(&positions).filter(|(_, found)| found.is_none()) {
            self.add(ROW, id(row));
        }
        for column in expected.0.columns() {
            let name = column.name().as_str();
            let Ok(other) = found.0.column(name) else {
                self.add(name, id(0));
                continue;
            };
            let (expected, other) = (bits(column)?, bits(other)?);
            for (&row, position) in rows.iter().zip(&positions) {
                if position.is_some_and(|position| expected[row] != other[position]) {
                    self.add(name, id(row));
                }
            }
        }
        Ok(positions)
    }

    /// Compares all snapshots, and says how many are expected.
    pub(super) fn between_snapshots(
        &mut self,
        expected: &DataFrame,
        found: &DataFrame,
    ) -> Result<usize, Error> {
        let (keys, found_keys) = (snapshot_keys(expected)?, snapshot_keys(found)?);
        let position: HashMap<_, usize> = found_keys.iter().zip(0..).collect();
        let positions: Vec<Option<usize>> =
            keys.iter().map(|key| position.get(key).copied()).collect();
        let matched: HashSet<usize> = positions.iter().flatten().copied().collect();
        let missing = keys.iter().zip(&positions).filter(|(_, found)| found.is_none());
        let more =
            (0..found_keys.len()).filter(|at| !matched.contains(at)).map(|at| &found_keys[at]);
        for (_, id) in missing.map(|(key, _)| key).chain(more) {
            self.add(SNAPSHOT, id);
        }
        for column in expected.columns() {
            let name = format!("{} of snapshots", column.name());
            let Ok(other) = found.column(column.name()) else {
                keys.first().into_iter().for_each(|(_, id)| self.add(&name, id));
                continue;
            };
            let (expected, other) = (bits(column)?, bits(other)?);
            for (row, position) in positions.iter().enumerate() {
                if position.is_some_and(|position| expected[row] != other[position]) {
                    self.add(&name, &keys[row].1);
                }
            }
        }
        Ok(keys.len())
    }

    pub(super) fn list(self) -> Vec<Difference> {
        let difference = |(column, (rows, shipment_id))| Difference { column, rows, shipment_id };
        self.0.into_iter().map(difference).collect()
    }
}

/// Night and shipment of each snapshot.
fn snapshot_keys(snapshots: &DataFrame) -> Result<Vec<(Instant, String)>, Error> {
    if snapshots.height() == 0 {
        return Ok(Vec::new());
    }
    let ids = texts(snapshots, column::SHIPMENT_ID)?;
    let ids = ids.iter().map(|id| id.unwrap_or_default().to_owned());
    Ok(required_instants(snapshots, SNAPSHOT_AT)?.into_iter().zip(ids).collect())
}

/// A value of any column, so that equal means equal to the bit.
#[derive(PartialEq)]
enum Bits {
    Missing,
    Number(u32),
    Integer(i64),
    Text(String),
}

fn bits(column: &Column) -> Result<Vec<Bits>, Error> {
    Ok(match column.dtype() {
        DataType::String => {
            let value = |text: Option<&str>| text.map_or(Bits::Missing, |t| Bits::Text(t.into()));
            column.str()?.iter().map(value).collect()
        }
        DataType::Float32 => {
            let value = |x: Option<f32>| x.map_or(Bits::Missing, |x| Bits::Number(x.to_bits()));
            column.f32()?.iter().map(value).collect()
        }
        _ => {
            let value = |at: Option<i64>| at.map_or(Bits::Missing, Bits::Integer);
            column.cast(&DataType::Int64)?.i64()?.iter().map(value).collect()
        }
    })
}
