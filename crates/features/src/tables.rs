//! The tables that features are built from.

use polars::prelude::*;
use terms::{AsOf, column};

use crate::Error;
use crate::timeline::{Doubt, day_of, instants};

/// All versions of what was recorded.
#[derive(Clone)]
pub struct Tables {
    /// Orders.
    pub orders: DataFrame,
    /// Shipments.
    pub shipments: DataFrame,
    /// Versions of shipments in quarantine.
    pub doubts: Vec<Doubt>,
    /// Legs; without columns, if there is no such table.
    pub legs: DataFrame,
    /// Nodes; without columns, if there is no such table.
    pub nodes: DataFrame,
    /// Holidays; without columns, if there is no such table.
    pub holidays: DataFrame,
}

impl Tables {
    /// What was recorded from `from` up to, not with, `to`.
    ///
    /// # Errors
    /// If a table has no `recorded_at`.
    pub fn recorded(&self, from: AsOf, to: AsOf) -> Result<Self, Error> {
        let between = |at: i64| (from.micros()..to.micros()).contains(&at);
        let table = |table: &DataFrame| -> Result<DataFrame, Error> {
            if table.width() == 0 {
                return Ok(table.clone());
            }
            let recorded_at = instants(table, column::RECORDED_AT)?;
            let kept: BooleanChunked =
                recorded_at.into_iter().map(|at| at.is_some_and(between)).collect();
            Ok(table.filter(&kept)?)
        };
        let doubts = self.doubts.iter().filter(|doubt| between(doubt.recorded_at)).cloned();
        Ok(Self {
            orders: table(&self.orders)?,
            shipments: table(&self.shipments)?,
            doubts: doubts.collect(),
            legs: table(&self.legs)?,
            nodes: table(&self.nodes)?,
            holidays: table(&self.holidays)?,
        })
    }

    pub(crate) fn and(&self, later: &Self) -> Result<Self, Error> {
        let both = |first: &DataFrame, second: &DataFrame| match first.width() {
            0 => Ok(second.clone()),
            _ => first.vstack(second),
        };
        Ok(Self {
            orders: both(&self.orders, &later.orders)?,
            shipments: both(&self.shipments, &later.shipments)?,
            doubts: [&self.doubts[..], &later.doubts].concat(),
            legs: both(&self.legs, &later.legs)?,
            nodes: both(&self.nodes, &later.nodes)?,
            holidays: both(&self.holidays, &later.holidays)?,
        })
    }

    /// The first day on which anything was recorded, and the one after the last.
    pub(crate) fn days(&self) -> Result<Option<std::ops::Range<i32>>, Error> {
        let orders = instants(&self.orders, column::RECORDED_AT)?;
        let shipments = instants(&self.shipments, column::RECORDED_AT)?;
        let doubts = self.doubts.iter().map(|doubt| Some(doubt.recorded_at));
        let mut all: Vec<Option<i64>> = orders.into_iter().chain(shipments).chain(doubts).collect();
        let optional = [&self.legs, &self.nodes, &self.holidays];
        for table in optional.into_iter().filter(|table| table.width() > 0) {
            all.extend(instants(table, column::RECORDED_AT)?);
        }
        let days = all.into_iter().flatten().map(day_of);
        let (first, last) = days.fold((i32::MAX, i32::MIN), |(a, b), d| (a.min(d), b.max(d)));
        Ok((first <= last).then_some(first..last + 1))
    }
}
