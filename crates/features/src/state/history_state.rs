//! [`HistoryState`] and its one step, [`advance`](HistoryState::advance).

use std::collections::BTreeSet;
use std::ops::Range;

use polars::prelude::*;
use rayon::prelude::*;
use terms::{Day, column};

use crate::as_of::{CumulativeTotals, Event};
use crate::columns::required_instants;
use crate::declaration::Declaration;
use crate::events::Change;
use crate::history::{self, HistoryPlan, HistoryRows, days_read};
use crate::keys::KeyInterner;
use crate::month::Month;
use crate::new_shipments::{N_SHIPMENTS, NewShipments};
use crate::quantity::Quantity;
use crate::reference_data::ReferenceData;
use crate::shipment_version::ShipmentVersion;
use crate::state::active_shipments::ActiveShipments;
use crate::state::month_store::MonthStore;
use crate::state::page_file;
use crate::tables::Tables;
use crate::{Error, at_risk, calendar, events, facts, level};

/// Everything that the rows of later days need of the past, besides the months that are
/// [already built](MonthStore).
pub struct HistoryState {
    pub(super) declared: Declaration,
    pub(super) plan: HistoryPlan,
    /// The day after the last one that was ingested.
    pub(super) until: Option<Day>,
    /// Whether a step failed half-way: what is here then would give wrong rows.
    is_broken: bool,
    pub(super) active: Option<ActiveShipments>,
    /// For each declared key.
    pub(super) keys: Vec<KeyInterner>,
    /// For each quantity and key of the plan; then, if the level of the network is declared, of
    /// deliveries and time at risk by age.
    pub(super) totals: Vec<CumulativeTotals>,
    /// First days of the months of their pages.
    pub(super) months: Vec<Day>,
    pub(super) reference: ReferenceData,
}

/// What one step built.
pub struct Update {
    /// Rows of new shipments, and every version that was recorded of any.
    pub month: Month,
    /// How many versions were recorded so long after their order that history does not count them.
    pub late: usize,
}

/// `days` month by month.
pub fn by_month(days: Range<Day>) -> Vec<Range<Day>> {
    let mut months: Vec<Range<Day>> = Vec::new();
    for day in Day::each(days) {
        match months.last_mut() {
            Some(last) if last.start.first_of_month() == day.first_of_month() => {
                last.end = day.next();
            }
            _ => months.push(day..day.next()),
        }
    }
    months
}

impl HistoryState {
    /// Of no days yet.
    ///
    /// # Errors
    /// If the declaration has an impossible key.
    pub fn new(declared: &Declaration) -> Result<Self, Error> {
        let plan = HistoryPlan::of(declared);
        let keys = plan.keys.iter().map(|key| KeyInterner::new(key));
        Ok(Self {
            declared: declared.clone(),
            until: None,
            is_broken: false,
            active: None,
            keys: keys.collect::<Result<_, _>>()?,
            totals: (0..plan.totals.len() + usize::from(declared.level.is_some()))
                .map(|_| CumulativeTotals::default())
                .collect(),
            months: Vec::new(),
            reference: ReferenceData::default(),
            plan,
        })
    }

    /// The day after the last one that was ingested.
    pub fn until(&self) -> Option<Day> {
        self.until
    }

    /// Ingests what was recorded on `days`, and builds the rows of the shipments that are new.
    /// `tables` are of these days; they are freed before the rows are built. `store` has the months
    /// before, and the earlier days of the same month.
    ///
    /// # Errors
    /// If `days` are empty, of several months, or do not follow those ingested before; then nothing
    /// has changed. If the store cannot read, a column is not of its contract's type, or a time
    /// zone does not exist; then the state cannot be advanced any more, and has to be restored.
    pub fn advance<S: MonthStore>(
        &mut self,
        tables: Tables,
        days: Range<Day>,
        store: &S,
    ) -> Result<Update, S::Error> {
        self.check_days(&days)?;
        self.is_broken = true;
        self.load_pages(self.months.last().copied(), store)?;
        let already_built = match self.unknown_old_orders(&tables)? {
            unknown if unknown.is_empty() => unknown,
            unknown => store.already_built(&unknown)?,
        };
        let ingested = self.ingest(&tables, &days, &already_built)?;
        drop(tables);
        let nights = self.nights_sampled(&days);
        let read = [&ingested.shipments.history_before[..], &nights].concat();
        self.load_pages(self.months_read(&read), store)?;
        let snapshots = self.sampled_snapshots(&nights)?;
        let update = self.build(ingested, snapshots)?;
        self.until = Some(days.end);
        self.drop_inactive(days.end)?;
        self.is_broken = false;
        Ok(update)
    }

    /// Evicts the pages that the rows of the next day do not read. The store has to have them by
    /// now: [`HistoryState::advance`] asks for one that is needed again.
    pub fn evict_pages(&mut self) {
        let Some(until) = self.until else { return };
        let read = days_read(&self.declared, until);
        self.totals.iter_mut().for_each(|totals| totals.evict_pages(&read));
    }

    /// The page of the month that begins on `first_day`, for the [store](MonthStore::page).
    ///
    /// # Errors
    /// If it is evicted, or Polars cannot write it.
    pub fn page(&self, first_day: Day) -> Result<Vec<u8>, Error> {
        page_file::write(&self.totals, first_day)
    }

    fn check_days(&self, days: &Range<Day>) -> Result<(), Error> {
        if self.is_broken {
            return Err(Error::StateBroken);
        }
        let expected = self.until.unwrap_or(days.start);
        if days.is_empty()
            || days.start != expected
            || days.start.first_of_month() != days.end.plus(-1).first_of_month()
        {
            return Err(Error::Days { expected, found: days.clone() });
        }
        Ok(())
    }

    /// Orders that are not active and old enough to have been so once: they may have a row in a
    /// month that is built, and are new orders only if they have none.
    fn unknown_old_orders(&self, tables: &Tables) -> Result<PlHashSet<String>, Error> {
        match &self.active {
            Some(active) => active.orders.unknown_old_orders(&tables.orders),
            None => Ok(PlHashSet::default()),
        }
    }

    fn ingest(
        &mut self,
        tables: &Tables,
        days: &Range<Day>,
        already_built: &PlHashSet<String>,
    ) -> Result<Ingested, Error> {
        self.start_month(days.start.first_of_month())?;
        let mut active = match self.active.take() {
            Some(active) => active,
            None => {
                let limits = self.declared.limits;
                ActiveShipments::with_columns_of(&tables.orders, self.keys.len(), limits)
            }
        };
        let n_before = active.shipments.len();
        self.reference.ingest(&tables.nodes, &tables.holidays)?;
        let delta = active.ingest(tables, already_built)?;
        let mut shipments = new_shipments(&active, delta.firsts, n_before)?;
        let of_origins =
            (self.reference).of_origins(&shipments.firsts, &shipments.history_before)?;
        for column in of_origins {
            shipments.firsts.with_column(column)?;
        }
        let keys = active.shipments.keys.par_iter_mut().zip(&mut self.keys);
        keys.try_for_each(|(keys, interner)| {
            keys.extend(interner.of_rows(&shipments.firsts)?);
            Ok::<_, Error>(())
        })?;
        self.add_to_totals(&active, &delta.legs, days)?;
        self.active = Some(active);
        Ok(Ingested { shipments, versions: delta.versions, late: delta.late })
    }

    /// Starts the pages of a month, unless they are there.
    fn start_month(&mut self, first_day: Day) -> Result<(), Error> {
        if self.months.last().is_none_or(|last| *last < first_day) {
            self.months.push(first_day);
            self.totals.iter_mut().try_for_each(|totals| totals.start_month(first_day))?;
        }
        Ok(())
    }

    /// Adds to the totals what changed on `days`, of shipments and of `legs`.
    fn add_to_totals(
        &mut self,
        active: &ActiveShipments,
        legs: &[(Quantity, Change)],
        days: &Range<Day>,
    ) -> Result<(), Error> {
        let shipments = &active.shipments;
        let lost_after_days = self.declared.limits.stock_days_max();
        let mut quantities: Vec<Quantity> = Vec::new();
        for (quantity, _) in &self.plan.totals {
            if !quantities.contains(quantity) {
                quantities.push(*quantity);
            }
        }
        let changes: Vec<Vec<Change>> = (quantities.par_iter())
            .map(|&quantity| {
                if quantity.is_of_legs() {
                    let of_mile = legs.iter().filter(|(mile, _)| *mile == quantity);
                    return of_mile.map(|(_, change)| *change).collect();
                }
                let quantity = (quantity, lost_after_days);
                events::of(quantity, &shipments.ordered_at, &shipments.timelines, days)
            })
            .collect();
        let totals = self.totals.par_iter_mut().zip(&self.plan.totals);
        totals.try_for_each(|(totals, (quantity, key))| {
            let of_quantity = quantities.iter().zip(&changes).filter(|(q, _)| *q == quantity);
            let keys = &shipments.keys[*key];
            let event = |&Change { shipment, day, change }: &Change| Event {
                key: keys[shipment.as_usize()],
                day,
                change,
            };
            totals.add(of_quantity.flat_map(|(_, changes)| changes).map(event).collect())
        })?;
        match self.totals.get_mut(self.plan.totals.len()) {
            Some(by_age) => {
                let days = (days, lost_after_days);
                at_risk::add(by_age, &shipments.ordered_at, &shipments.timelines, days)
            }
            None => Ok(()),
        }
    }

    /// The months that rows read whose history ends before these days.
    pub(super) fn months_read(&self, days: &[Day]) -> BTreeSet<Day> {
        let days: BTreeSet<Day> = days.iter().copied().collect();
        let read: BTreeSet<Day> =
            days.into_iter().flat_map(|day| days_read(&self.declared, day)).collect();
        let month = |day: Day| match self.months.partition_point(|first| *first <= day) {
            0 => None,
            n => Some(self.months[n - 1]),
        };
        read.into_iter().filter_map(month).collect()
    }

    /// Loads the pages of `months` that are evicted.
    pub(super) fn load_pages<S: MonthStore>(
        &mut self,
        months: impl IntoIterator<Item = Day>,
        store: &S,
    ) -> Result<(), S::Error> {
        for month in months {
            if self.totals.iter().any(|totals| totals.page(month).is_none()) {
                page_file::load(&mut self.totals, month, store.page(month)?.as_ref())?;
            }
        }
        Ok(())
    }

    /// Builds the rows of the shipments that are new; beside them are the snapshots of the same days.
    fn build(&self, ingested: Ingested, snapshots: DataFrame) -> Result<Update, Error> {
        let Ingested { shipments, versions, late } = ingested;
        let keys = self.active.iter().flat_map(|active| &active.shipments.keys);
        let rows = HistoryRows {
            plan: &self.plan,
            totals: &self.totals,
            keys: keys.map(|keys| &keys[keys.len() - shipments.len()..]).collect(),
            days: &shipments.history_before,
        };
        let (order_columns, history_columns) = rayon::join(
            || self.order_columns(&shipments),
            || history::columns(&rows, &self.declared),
        );
        let mut columns = order_columns?;
        columns.extend(self.level_column(&shipments.history_before)?);
        columns.extend(history_columns?);
        let rows = DataFrame::new(shipments.len(), columns)?;
        Ok(Update { month: Month::new(rows, &versions, snapshots)?, late })
    }

    /// The level, if it is declared, for rows whose history ends before these days.
    pub(super) fn level_column(&self, before: &[Day]) -> Result<Option<Column>, Error> {
        let by_age = self.totals.get(self.plan.totals.len());
        let declared = self.declared.level.as_ref().zip(by_age);
        let lost_after_days = self.declared.limits.stock_days_max();
        declared
            .map(|(level, by_age)| level::column(level, by_age, (before, lost_after_days)))
            .transpose()
    }

    /// The columns that are known at order time: keys, facts, categories and the calendar.
    fn order_columns(&self, shipments: &NewShipments) -> Result<Vec<Column>, Error> {
        let Declaration { facts, categories, calendar, promise, clock, .. } = &self.declared;
        let mut columns = shipments.key_columns()?;
        columns.extend(facts::columns(shipments, facts, categories, *promise)?);
        let reference = &self.reference;
        columns.extend(calendar::columns(shipments, reference, calendar, clock.as_ref())?);
        Ok(columns)
    }

    fn drop_inactive(&mut self, until: Day) -> Result<(), Error> {
        if let Some(active) = self.active.take() {
            self.active = Some(active.drop_inactive(until)?);
        }
        Ok(())
    }
}

/// What was ingested, whose rows are not built yet.
struct Ingested {
    shipments: NewShipments,
    versions: Vec<ShipmentVersion>,
    late: usize,
}

/// The shipments from `n_before` on, whose first versions are `firsts`, with the first version of
/// their order beside them.
fn new_shipments(
    active: &ActiveShipments,
    mut firsts: DataFrame,
    n_before: usize,
) -> Result<NewShipments, Error> {
    let shipments = &active.shipments;
    let orders: Vec<IdxSize> = shipments.orders[n_before..].iter().map(|order| order.0).collect();
    for column in active.orders.firsts.take(&IdxCa::from_vec("".into(), orders))?.columns() {
        // Where both have a column (keys and times of the version), it is the shipment's.
        if firsts.column(column.name()).is_err() {
            firsts.with_column(column.clone())?;
        }
    }
    let n_shipments = Column::new(N_SHIPMENTS.into(), shipments.n_of_order(n_before));
    firsts.with_column(n_shipments)?;
    let ordered_at = shipments.ordered_at[n_before..].to_vec();
    let recorded_at = required_instants(&firsts, column::RECORDED_AT)?;
    let times = ordered_at.iter().zip(recorded_at);
    let history_before = times.map(|(&ordered_at, at)| ordered_at.min(at).day()).collect();
    Ok(NewShipments { firsts, ordered_at, history_before })
}
