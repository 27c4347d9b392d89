//! The tables that features are built from: every recorded version of orders, shipments, legs,
//! nodes and holidays.

use std::ops::Range;

use polars::prelude::*;
use terms::{Day, Instant, column};

use crate::Error;
use crate::columns::instants;

/// A version of a shipment that is in quarantine. From its recording on, until a later good
/// version, the shipment has no outcome to learn from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantinedVersion {
    /// Its shipment.
    pub shipment_id: String,
    /// When it was recorded.
    pub recorded_at: Instant,
}

/// All recorded versions.
#[derive(Clone)]
pub struct Tables {
    /// Orders.
    pub orders: DataFrame,
    /// Shipments.
    pub shipments: DataFrame,
    /// Versions of shipments in quarantine.
    pub quarantined: Vec<QuarantinedVersion>,
    /// Legs; without columns, if there is no such table.
    pub legs: DataFrame,
    /// Nodes; without columns, if there is no such table.
    pub nodes: DataFrame,
    /// Holidays; without columns, if there is no such table.
    pub holidays: DataFrame,
}

impl Tables {
    /// The versions that were recorded `during` a span of time.
    ///
    /// # Errors
    /// If a table has no `recorded_at`.
    pub fn recorded(&self, during: Range<Instant>) -> Result<Self, Error> {
        let table = |table: &DataFrame| -> Result<DataFrame, Error> {
            if table.width() == 0 {
                return Ok(table.clone());
            }
            let recorded_at = instants(table, column::RECORDED_AT)?;
            let is_during: BooleanChunked = recorded_at
                .into_iter()
                .map(|at| at.is_some_and(|at| during.contains(&at)))
                .collect();
            Ok(table.filter(&is_during)?)
        };
        let quarantined = self.quarantined.iter().filter(|v| during.contains(&v.recorded_at));
        Ok(Self {
            orders: table(&self.orders)?,
            shipments: table(&self.shipments)?,
            quarantined: quarantined.cloned().collect(),
            legs: table(&self.legs)?,
            nodes: table(&self.nodes)?,
            holidays: table(&self.holidays)?,
        })
    }

    /// These versions followed by later ones.
    pub(crate) fn followed_by(&self, later: &Self) -> Result<Self, Error> {
        let both = |first: &DataFrame, second: &DataFrame| match first.width() {
            0 => Ok(second.clone()),
            _ => first.vstack(second),
        };
        Ok(Self {
            orders: both(&self.orders, &later.orders)?,
            shipments: both(&self.shipments, &later.shipments)?,
            quarantined: [&self.quarantined[..], &later.quarantined].concat(),
            legs: both(&self.legs, &later.legs)?,
            nodes: both(&self.nodes, &later.nodes)?,
            holidays: both(&self.holidays, &later.holidays)?,
        })
    }

    /// From the first day on which anything was recorded up to the one after the last.
    pub(crate) fn days(&self) -> Result<Option<Range<Day>>, Error> {
        let mut recorded_at: Vec<Option<Instant>> =
            self.quarantined.iter().map(|version| Some(version.recorded_at)).collect();
        recorded_at.extend(instants(&self.orders, column::RECORDED_AT)?);
        recorded_at.extend(instants(&self.shipments, column::RECORDED_AT)?);
        let optional = [&self.legs, &self.nodes, &self.holidays];
        for table in optional.into_iter().filter(|table| table.width() > 0) {
            recorded_at.extend(instants(table, column::RECORDED_AT)?);
        }
        let recorded_at = || recorded_at.iter().flatten();
        let ends = recorded_at().min().zip(recorded_at().max());
        Ok(ends.map(|(first, last)| first.day()..last.day().next()))
    }
}
