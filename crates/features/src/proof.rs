//! The proof that nothing recorded later leaks into features: what was recorded after a cut is
//! altered, and what was known before it must come out the same, bit for bit.
//!
//! Compared are
//! - the features and outcomes as of the cut, from tables that go on after it, with those from
//!   tables that end there;
//! - the same shipments in a build as of the end, which can read everything later: a feature that
//!   dates a fact by its event and not by its record, a filter by outcome or a statistic over the
//!   whole table differs here;
//! - control orders: every second order of the day after the cut, whose own first versions stay as
//!   they are while all else recorded on that day is altered. A feature that counts the day itself
//!   differs here;
//! - features as they were built on earlier days, when these orders were scored, with those that a
//!   training gets: the skew between serving and training.

mod alteration;
mod differences;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use terms::{AsOf, Instant, column};

use self::differences::{Differences, ROW};
use crate::columns::{instants, texts};
use crate::{Error, Frame, Outcomes, Tables};

pub use self::alteration::Alteration;
pub use self::differences::Difference;

/// What later facts must not change, besides features: the outcome as known at the cut.
const OUTCOME: &str = "outcome as of the cut";

/// What builds features: [`crate::build`] with a declaration, or what a test puts in its place.
pub type Build<'a> = dyn Fn(&Tables, AsOf) -> Result<(Frame, Outcomes), Error> + 'a;

/// What is known at a cut, and later facts that it must not depend on.
pub struct Proof<'a> {
    build: &'a Build<'a>,
    known: Tables,
    later: Tables,
    cut: AsOf,
    end: AsOf,
    /// Ids of orders of the day after the cut whose first versions stay.
    control_orders: HashSet<String>,
    /// As of the cut, from what was known then.
    reference: (Frame, Outcomes),
    /// As of the end, from everything as it is.
    whole: Frame,
}

/// The build from tables with one alteration.
pub struct AlterationResult {
    /// What differs; nothing, if all is well.
    pub differences: Vec<Difference>,
    /// Rows that were compared.
    pub rows: usize,
    /// As of the end, from the altered tables.
    pub frame: Frame,
    /// The outcomes beside it.
    pub outcomes: Outcomes,
}

impl<'a> Proof<'a> {
    /// Of `known` the versions recorded before `cut` are used, of `later` those from then up to
    /// `end`.
    ///
    /// # Errors
    /// If the features cannot be built.
    pub fn new(
        known: &Tables,
        later: &Tables,
        (cut, end): (AsOf, AsOf),
        build: &'a Build<'a>,
    ) -> Result<Self, Error> {
        let known = known.recorded(Instant::MIN..cut.instant())?;
        let later = later.recorded(cut.instant()..end.instant())?;
        let control_orders = control_orders(&later, cut)?;
        let reference = build(&known, cut)?;
        let (whole, _) = build(&known.followed_by(&later)?, end)?;
        Ok(Self { build, known, later, cut, end, control_orders, reference, whole })
    }

    /// The features and outcomes as of the cut.
    pub fn reference(&self) -> (&Frame, &Outcomes) {
        (&self.reference.0, &self.reference.1)
    }

    /// Builds from altered tables, and compares.
    ///
    /// # Errors
    /// If the features cannot be built.
    pub fn with(&self, alteration: Alteration) -> Result<AlterationResult, Error> {
        let tables = self.known.followed_by(&alteration.of(&self.later, &self.control_orders)?)?;
        let mut found = Differences::default();
        let (at_cut, outcomes_at_cut) = (self.build)(&tables, self.cut)?;
        self.compare(&mut found, &at_cut, &outcomes_at_cut)?;
        let (frame, outcomes) = (self.build)(&tables, self.end)?;
        self.compare(&mut found, &frame, &outcomes)?;
        let of_control_orders = self.rows_of_control_orders()?;
        found.between(&self.whole, &of_control_orders, &frame)?;
        let rows = self.reference.0.n_rows() + of_control_orders.len();
        Ok(AlterationResult { differences: found.list(), rows, frame, outcomes })
    }

    /// Compares the features of the orders of the 24 hours from `start` on as they were built a day
    /// after their end, when the night's extracts had been read, with those as of the cut. Also
    /// gives the rows as they were served.
    ///
    /// # Errors
    /// If the features cannot be built.
    pub fn served_on(&self, start: Instant) -> Result<(Vec<Difference>, Frame), Error> {
        let (end, served_at) = (start.plus_days(1), AsOf::at(start.plus_days(2)));
        let of_day = |frame: &Frame| -> Result<Frame, Error> {
            let ordered_at = frame.ordered_at()?;
            let position = |moment: Instant| ordered_at.partition_point(|&at| at < moment);
            let first = position(start);
            Ok(Frame(frame.0.slice(first as i64, position(end) - first)))
        };
        let reference = &self.reference.0;
        let served = of_day(&(self.build)(&self.known, served_at)?.0)?;
        let mut found = Differences::default();
        found.between(&served, &(0..served.n_rows()).collect::<Vec<_>>(), reference)?;
        // What was recorded by then is served, or training sees what serving does not.
        let known = self.known.recorded(Instant::MIN..served_at.instant())?.shipments;
        let (known, ids) =
            (texts(&known, column::SHIPMENT_ID)?, served.texts(column::SHIPMENT_ID)?);
        let known: HashSet<&str> = known.iter().flatten().collect();
        let ids: HashSet<String> = ids.into_iter().flatten().collect();
        for id in of_day(reference)?.texts(column::SHIPMENT_ID)?.into_iter().flatten() {
            if known.contains(id.as_str()) && !ids.contains(&id) {
                found.add(ROW, &id);
            }
        }
        Ok((found.list(), served))
    }

    /// Compares a build with the reference.
    fn compare(
        &self,
        found: &mut Differences,
        frame: &Frame,
        outcomes: &Outcomes,
    ) -> Result<(), Error> {
        let (reference, reference_outcomes) = &self.reference;
        let rows: Vec<usize> = (0..reference.n_rows()).collect();
        let positions = found.between(reference, &rows, frame)?;
        // Rows that were known by then and that the reference does not have.
        let ids = texts(&self.known.shipments, column::SHIPMENT_ID)?;
        let known: HashSet<&str> = ids.iter().flatten().collect();
        let in_reference: HashSet<usize> = positions.iter().flatten().copied().collect();
        for (row, id) in texts(&frame.0, column::SHIPMENT_ID)?.iter().enumerate() {
            let id = id.unwrap_or_default();
            if known.contains(id) && !in_reference.contains(&row) {
                found.add(ROW, id);
            }
        }
        let (expected, outcomes) = (reference_outcomes.as_of(self.cut), outcomes.as_of(self.cut));
        let ids = texts(&reference.0, column::SHIPMENT_ID)?;
        for (row, position) in positions.iter().enumerate() {
            if position.is_some_and(|position| outcomes[position] != expected[row]) {
                found.add(OUTCOME, ids.get(row).unwrap_or_default());
            }
        }
        Ok(())
    }

    fn rows_of_control_orders(&self) -> Result<Vec<usize>, Error> {
        let order_ids = texts(&self.whole.0, column::ORDER_ID)?;
        let is_control = |id: Option<&str>| id.is_some_and(|id| self.control_orders.contains(id));
        Ok(order_ids.iter().enumerate().filter(|(_, id)| is_control(*id)).map(|(r, _)| r).collect())
    }
}

/// Every second order of the day after the cut.
fn control_orders(later: &Tables, cut: AsOf) -> Result<HashSet<String>, Error> {
    let day = cut.instant()..cut.plus_days(1).instant();
    let ordered_at = instants(&later.orders, column::ORDERED_AT)?;
    let ids = texts(&later.orders, column::ORDER_ID)?;
    let of_day =
        ids.iter().zip(ordered_at).filter(|(_, at)| at.is_some_and(|at| day.contains(&at)));
    let mut ids: Vec<&str> = of_day.filter_map(|(id, _)| id).collect();
    ids.sort_unstable();
    ids.dedup();
    Ok(ids.into_iter().step_by(2).map(str::to_owned).collect())
}
