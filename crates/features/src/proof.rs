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
//! - features as they were built on earlier days, when these orders were scored, and the snapshots of
//!   the nights before, with those that a training gets: the skew between serving and training.

mod alteration;
mod differences;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use terms::{AsOf, Instant, column};

use self::differences::{Differences, ROW};
use crate::columns::{instants, texts};
use crate::{Built, Error, Frame, Tables};

pub use self::alteration::Alteration;
pub use self::differences::Difference;

/// What later facts must not change, besides features: the outcome as known at the cut.
const OUTCOME: &str = "outcome as of the cut";

/// What builds features: [`crate::build`] with a declaration, or what a test puts in its place.
pub type Build<'a> = dyn Fn(&Tables, AsOf) -> Result<Built, Error> + 'a;

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
    reference: Built,
    /// As of the end, from everything as it is.
    whole: Frame,
}

/// The build from tables with one alteration.
pub struct AlterationResult {
    /// What differs; nothing, if all is well.
    pub differences: Vec<Difference>,
    /// Rows that were compared.
    pub rows: usize,
    /// Snapshots that were compared.
    pub snapshots: usize,
    /// As of the end, from the altered tables.
    pub built: Built,
}

/// Rows of a day as they were served.
pub struct ServedResult {
    /// What differs from what a training gets.
    pub differences: Vec<Difference>,
    /// The rows.
    pub frame: Frame,
    /// Snapshots that were compared: those of the nights up to then.
    pub snapshots: usize,
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
        let Built { frame: whole, .. } = build(&known.followed_by(&later)?, end)?;
        Ok(Self { build, known, later, cut, end, control_orders, reference, whole })
    }

    /// The features, outcomes and snapshots as of the cut.
    pub fn reference(&self) -> &Built {
        &self.reference
    }

    /// Builds from altered tables, and compares.
    ///
    /// # Errors
    /// If the features cannot be built.
    pub fn with(&self, alteration: Alteration) -> Result<AlterationResult, Error> {
        let tables = self.known.followed_by(&alteration.of(&self.later, &self.control_orders)?)?;
        let mut found = Differences::default();
        self.compare(&mut found, &(self.build)(&tables, self.cut)?)?;
        let built = (self.build)(&tables, self.end)?;
        let snapshots = self.compare(&mut found, &built)?;
        let of_control_orders = self.rows_of_control_orders()?;
        found.between(&self.whole, &of_control_orders, &built.frame)?;
        let rows = self.reference.frame.n_rows() + of_control_orders.len();
        Ok(AlterationResult { differences: found.list(), rows, snapshots, built })
    }

    /// Compares the features of the orders of the 24 hours from `start` on as they were built a day
    /// after their end, when the night's extracts had been read, with those as of the cut; and the
    /// snapshots of all nights up to then. Also gives the rows as they were served.
    ///
    /// # Errors
    /// If the features cannot be built.
    pub fn served_on(&self, start: Instant) -> Result<ServedResult, Error> {
        let (end, served_at) = (start.plus_days(1), AsOf::at(start.plus_days(2)));
        let of_day = |frame: &Frame| -> Result<Frame, Error> {
            let ordered_at = frame.ordered_at()?;
            let position = |moment: Instant| ordered_at.partition_point(|&at| at < moment);
            let first = position(start);
            Ok(Frame(frame.0.slice(first as i64, position(end) - first)))
        };
        let reference = &self.reference.frame;
        let known = self.known.recorded(Instant::MIN..served_at.instant())?;
        let built = (self.build)(&known, served_at)?;
        let served = of_day(&built.frame)?;
        let mut found = Differences::default();
        let nights = last_night(&known, served_at)?;
        let snapshots = snapshots_between(&mut found, &built, &self.reference, nights)?;
        found.between(&served, &(0..served.n_rows()).collect::<Vec<_>>(), reference)?;
        // What was recorded by then is served, or training sees what serving does not.
        let (known, ids) =
            (texts(&known.shipments, column::SHIPMENT_ID)?, served.texts(column::SHIPMENT_ID)?);
        let known: HashSet<&str> = known.iter().flatten().collect();
        let ids: HashSet<String> = ids.into_iter().flatten().collect();
        for id in of_day(reference)?.texts(column::SHIPMENT_ID)?.into_iter().flatten() {
            if known.contains(id.as_str()) && !ids.contains(&id) {
                found.add(ROW, &id);
            }
        }
        Ok(ServedResult { differences: found.list(), frame: served, snapshots })
    }

    /// Compares a build with the reference, and says how many snapshots there are to compare.
    fn compare(&self, found: &mut Differences, built: &Built) -> Result<usize, Error> {
        let Built { frame, outcomes, .. } = built;
        let Built { frame: reference, outcomes: reference_outcomes, .. } = &self.reference;
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
        let nights = last_night(&self.known, self.cut)?;
        snapshots_between(found, &self.reference, built, nights)
    }

    fn rows_of_control_orders(&self) -> Result<Vec<usize>, Error> {
        let order_ids = texts(&self.whole.0, column::ORDER_ID)?;
        let is_control = |id: Option<&str>| id.is_some_and(|id| self.control_orders.contains(id));
        Ok(order_ids.iter().enumerate().filter(|(_, id)| is_control(*id)).map(|(r, _)| r).collect())
    }
}

/// The last night up to a moment of which a build from these tables has snapshots: that after the last day
/// on which anything was recorded.
fn last_night(tables: &Tables, until: AsOf) -> Result<Instant, Error> {
    let last = tables.days()?.map_or(Instant::MIN, |days| days.end.start());
    Ok(last.min(until.instant()))
}

/// Compares the snapshots of the nights up to `until`, and says how many there are to compare.
fn snapshots_between(
    found: &mut Differences,
    expected: &Built,
    other: &Built,
    until: Instant,
) -> Result<usize, Error> {
    let (expected, other) = (&expected.snapshots, &other.snapshots);
    let mut n = 0;
    for (expected, other) in
        [(&expected.drawn, &other.drawn), (&expected.followed, &other.followed)]
    {
        n += found.between_snapshots(&expected.up_to(until), &other.up_to(until))?;
    }
    Ok(n)
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
