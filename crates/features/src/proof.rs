//! The proof that nothing from the future gets in: what was recorded after a cut is altered, and
//! what was known before it must come out the same, bit for bit.
//!
//! Compared are
//! - the features and outcomes as of the cut, from tables that go on after it, with those from
//!   tables that end there;
//! - the same shipments in a build as of the end, where everything later is in reach: a feature
//!   that takes an event for knowledge, a filter by outcome or a statistic over the whole table
//!   shows here;
//! - every second order of the day after the cut, whose own first versions stay as they are while
//!   all else recorded on that day is altered: a feature that counts today shows here;
//! - features as they were built on earlier days, when these orders were scored, with those that a
//!   training gets: the skew between serving and training.

use std::collections::{BTreeMap, HashMap, HashSet};

use polars::prelude::*;
use terms::{AsOf, DAY_MICROS, column};

use crate::timeline::{instants, texts};
use crate::{Doubt, Error, Frame, Outcomes};

/// What later facts must not change, besides features: the outcome as known at the cut.
const OUTCOME: &str = "outcome as of the cut";
/// Whether a shipment is in the matrix at all.
const ROW: &str = "whether there is a row";

/// The tables that features are built from: all versions.
#[derive(Clone)]
pub struct Tables {
    /// Orders.
    pub orders: DataFrame,
    /// Shipments.
    pub shipments: DataFrame,
    /// Versions of shipments in quarantine.
    pub doubts: Vec<Doubt>,
}

/// What is done to the facts recorded from the cut on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alteration {
    /// Nothing.
    Kept,
    /// Every value but keys and times of record is moved to another row.
    Scrambled,
    /// They are gone.
    Deleted,
    /// Each is there again, and once more an hour later.
    Duplicated,
}

impl Alteration {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Kept, Self::Scrambled, Self::Deleted, Self::Duplicated];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Scrambled => "scrambled",
            Self::Deleted => "deleted",
            Self::Duplicated => "duplicated",
        }
    }
}

/// A column that came out otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The column.
    pub column: String,
    /// In how many rows.
    pub rows: usize,
    /// The first shipment, in the order of the matrix.
    pub shipment_id: String,
}

/// What builds features: [`crate::build`] with a declaration, or what a test puts in its place.
pub type Build<'a> = dyn Fn(&Tables, AsOf) -> Result<(Frame, Outcomes), Error> + 'a;

/// A cut through what is known, and what it must not depend on.
pub struct Proof<'a> {
    build: &'a Build<'a>,
    known: Tables,
    later: Tables,
    cut: AsOf,
    end: AsOf,
    /// Orders of the day after the cut whose first versions stay.
    witnesses: HashSet<String>,
    /// As of the cut, from what was known then.
    reference: (Frame, Outcomes),
    /// As of the end, from everything as it is.
    whole: Frame,
}

/// What came of one alteration.
pub struct Tried {
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
    /// `known` is what was recorded before `cut`, `later` what was from then up to `end`; what lies
    /// outside of that is left out.
    ///
    /// # Errors
    /// If the features cannot be built.
    pub fn new(
        known: &Tables,
        later: &Tables,
        (cut, end): (AsOf, AsOf),
        build: &'a Build<'a>,
    ) -> Result<Self, Error> {
        let known = known.recorded(AsOf::from_micros(i64::MIN), cut)?;
        let later = later.recorded(cut, end)?;
        let witnesses = witnesses(&later, cut)?;
        let reference = build(&known, cut)?;
        let (whole, _) = build(&known.and(&later)?, end)?;
        Ok(Self { build, known, later, cut, end, witnesses, reference, whole })
    }

    /// The features and outcomes as of the cut.
    pub fn reference(&self) -> (&Frame, &Outcomes) {
        (&self.reference.0, &self.reference.1)
    }

    /// Builds from altered tables, and compares.
    ///
    /// # Errors
    /// If the features cannot be built.
    pub fn with(&self, alteration: Alteration) -> Result<Tried, Error> {
        let tables = self.known.and(&self.altered(alteration)?)?;
        let mut found = Differences::default();
        let (at_cut, outcomes_at_cut) = (self.build)(&tables, self.cut)?;
        self.compare(&mut found, &at_cut, &outcomes_at_cut)?;
        let (frame, outcomes) = (self.build)(&tables, self.end)?;
        self.compare(&mut found, &frame, &outcomes)?;
        let of_witnesses = self.rows_of_witnesses()?;
        found.between(&self.whole, &of_witnesses, &frame)?;
        let rows = self.reference.0.n_rows() + of_witnesses.len();
        Ok(Tried { differences: found.list(), rows, frame, outcomes })
    }

    /// Compares the features of the orders of a day as they were built a day after its end, when
    /// the night's extracts had brought them, with those as of the cut. Also gives the rows as they
    /// were served.
    ///
    /// # Errors
    /// If the features cannot be built.
    pub fn served_on(&self, day: AsOf) -> Result<(Vec<Difference>, Frame), Error> {
        let (end_of_day, served_at) = (day.plus_days(1), day.plus_days(2));
        let of_day = |frame: &Frame| -> Result<Frame, Error> {
            let ordered_at = frame.ordered_at()?;
            let place = |moment: AsOf| ordered_at.partition_point(|&at| at < moment.micros());
            let from = place(day);
            Ok(Frame(frame.0.slice(from as i64, place(end_of_day) - from)))
        };
        let reference = &self.reference.0;
        let served = of_day(&(self.build)(&self.known, served_at)?.0)?;
        let mut found = Differences::default();
        found.between(&served, &(0..served.n_rows()).collect::<Vec<_>>(), reference)?;
        // What was recorded by then is served, or training sees what serving does not.
        let known = self.known.recorded(AsOf::from_micros(i64::MIN), served_at)?.shipments;
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

    /// Holds a build against the reference.
    fn compare(
        &self,
        found: &mut Differences,
        frame: &Frame,
        outcomes: &Outcomes,
    ) -> Result<(), Error> {
        let (reference, reference_outcomes) = &self.reference;
        let rows: Vec<usize> = (0..reference.n_rows()).collect();
        let place = found.between(reference, &rows, frame)?;
        // Rows that were known by then and that the reference does not have.
        let ids = texts(&self.known.shipments, column::SHIPMENT_ID)?;
        let known: HashSet<&str> = ids.iter().flatten().collect();
        let had: HashSet<usize> = place.iter().flatten().copied().collect();
        for (row, id) in texts(&frame.0, column::SHIPMENT_ID)?.iter().enumerate() {
            let id = id.unwrap_or_default();
            if known.contains(id) && !had.contains(&row) {
                found.add(ROW, id);
            }
        }
        let (expected, outcomes) = (reference_outcomes.as_of(self.cut), outcomes.as_of(self.cut));
        let ids = texts(&reference.0, column::SHIPMENT_ID)?;
        for (row, place) in place.iter().enumerate() {
            if place.is_some_and(|place| outcomes[place] != expected[row]) {
                found.add(OUTCOME, ids.get(row).unwrap_or_default());
            }
        }
        Ok(())
    }

    fn rows_of_witnesses(&self) -> Result<Vec<usize>, Error> {
        let order_ids = texts(&self.whole.0, column::ORDER_ID)?;
        let is_witness = |id: Option<&str>| id.is_some_and(|id| self.witnesses.contains(id));
        Ok(order_ids.iter().enumerate().filter(|(_, id)| is_witness(*id)).map(|(r, _)| r).collect())
    }

    /// The later facts after the alteration; first versions of the witnesses stay.
    fn altered(&self, alteration: Alteration) -> Result<Tables, Error> {
        let table = |table: &DataFrame, key: &str| -> Result<DataFrame, Error> {
            let firsts = first_versions(table, key, &self.witnesses)?;
            let altered = alter(&table.filter(&!&firsts)?, alteration)?;
            Ok(table.filter(&firsts)?.vstack(&altered)?)
        };
        Ok(Tables {
            orders: table(&self.later.orders, column::ORDER_ID)?,
            shipments: table(&self.later.shipments, column::SHIPMENT_ID)?,
            doubts: alter_doubts(&self.later.doubts, alteration),
        })
    }
}

impl Tables {
    /// What was recorded from `from` up to, not with, `to`.
    fn recorded(&self, from: AsOf, to: AsOf) -> Result<Self, Error> {
        let between = |at: i64| (from.micros()..to.micros()).contains(&at);
        let table = |table: &DataFrame| -> Result<DataFrame, Error> {
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
        })
    }

    fn and(&self, later: &Self) -> Result<Self, Error> {
        Ok(Self {
            orders: self.orders.vstack(&later.orders)?,
            shipments: self.shipments.vstack(&later.shipments)?,
            doubts: [&self.doubts[..], &later.doubts].concat(),
        })
    }
}

/// Every second order of the day after the cut.
fn witnesses(later: &Tables, cut: AsOf) -> Result<HashSet<String>, Error> {
    let day = cut.micros()..cut.micros() + DAY_MICROS;
    let ordered_at = instants(&later.orders, column::ORDERED_AT)?;
    let ids = texts(&later.orders, column::ORDER_ID)?;
    let of_day =
        ids.iter().zip(ordered_at).filter(|(_, at)| at.is_some_and(|at| day.contains(&at)));
    let mut ids: Vec<&str> = of_day.filter_map(|(id, _)| id).collect();
    ids.sort_unstable();
    ids.dedup();
    Ok(ids.into_iter().step_by(2).map(str::to_owned).collect())
}

/// Which rows are the first version of their key, of an order among `orders`.
fn first_versions(
    table: &DataFrame,
    key: &str,
    orders: &HashSet<String>,
) -> Result<BooleanChunked, Error> {
    let (keys, order_ids) = (texts(table, key)?, texts(table, column::ORDER_ID)?);
    let recorded_at = instants(table, column::RECORDED_AT)?;
    let mut first: HashMap<&str, (i64, usize)> = HashMap::new();
    for (row, (key, order)) in keys.iter().zip(order_ids.iter()).enumerate() {
        if order.is_some_and(|order| orders.contains(order)) {
            let at = (recorded_at[row].unwrap_or(i64::MAX), row);
            let earliest = first.entry(key.unwrap_or_default()).or_insert(at);
            *earliest = at.min(*earliest);
        }
    }
    let rows: HashSet<usize> = first.into_values().map(|(_, row)| row).collect();
    Ok((0..table.height()).map(|row| Some(rows.contains(&row))).collect())
}

fn alter(table: &DataFrame, alteration: Alteration) -> Result<DataFrame, Error> {
    let n = table.height();
    Ok(match alteration {
        Alteration::Kept => table.clone(),
        Alteration::Deleted => table.clear(),
        Alteration::Scrambled => {
            let fixed = [column::ORDER_ID, column::SHIPMENT_ID, column::RECORDED_AT];
            // Each column turns by another number of rows, so that they no longer fit together.
            let turned = |(place, column): (usize, &Column)| -> Result<Column, Error> {
                if n == 0 || fixed.contains(&column.name().as_str()) {
                    return Ok(column.clone());
                }
                let from = |row: usize| ((row + 1 + place * 7919) % n) as IdxSize;
                Ok(column.take(&IdxCa::from_vec("".into(), (0..n).map(from).collect()))?)
            };
            let columns = table.columns().iter().enumerate().map(turned);
            DataFrame::new(n, columns.collect::<Result<_, Error>>()?)?
        }
        Alteration::Duplicated => {
            let recorded_at = table.column(column::RECORDED_AT)?;
            let hour = Series::new("".into(), &[terms::HOUR_MICROS])
                .cast(&DataType::Duration(TimeUnit::Microseconds))?;
            let later = recorded_at.as_materialized_series().cast(&INSTANT)? + hour;
            let later = later?.cast(recorded_at.dtype())?.into_column();
            let mut again = table.clone();
            again.with_column(later.with_name(column::RECORDED_AT.into()))?;
            table.vstack(table)?.vstack(&again)?
        }
    })
}

const INSTANT: DataType = DataType::Datetime(TimeUnit::Microseconds, None);

fn alter_doubts(doubts: &[Doubt], alteration: Alteration) -> Vec<Doubt> {
    match alteration {
        Alteration::Kept => doubts.to_vec(),
        Alteration::Deleted => Vec::new(),
        Alteration::Scrambled => {
            let ids = doubts.iter().cycle().skip(1).map(|doubt| &doubt.shipment_id);
            let turned = doubts.iter().zip(ids).map(|(doubt, shipment_id)| Doubt {
                shipment_id: shipment_id.clone(),
                recorded_at: doubt.recorded_at,
            });
            turned.collect()
        }
        Alteration::Duplicated => [doubts, doubts].concat(),
    }
}

/// What differs, by column.
#[derive(Default)]
struct Differences(BTreeMap<String, (usize, String)>);

impl Differences {
    fn add(&mut self, column: &str, shipment_id: &str) {
        let entry = self.0.entry(column.to_owned());
        entry.or_insert_with(|| (0, shipment_id.to_owned())).0 += 1;
    }

    /// Compares some rows of a frame with the same shipments in another. Gives where those are.
    fn between(
        &mut self,
        expected: &Frame,
        rows: &[usize],
        found: &Frame,
    ) -> Result<Vec<Option<usize>>, Error> {
        let found_ids = texts(&found.0, column::SHIPMENT_ID)?;
        let place: HashMap<&str, usize> =
            found_ids.iter().enumerate().filter_map(|(row, id)| Some((id?, row))).collect();
        let ids = texts(&expected.0, column::SHIPMENT_ID)?;
        let id = |row: usize| ids.get(row).unwrap_or_default();
        let places: Vec<Option<usize>> = rows.iter().map(|&r| place.get(id(r)).copied()).collect();
        for (&row, _) in rows.iter().zip(&places).filter(|(_, place)| place.is_none()) {
            self.add(ROW, id(row));
        }
        for column in expected.0.columns() {
            let name = column.name().as_str();
            let Ok(other) = found.0.column(name) else {
                self.add(name, id(0));
                continue;
            };
            let (expected, other) = (bits(column)?, bits(other)?);
            for (&row, place) in rows.iter().zip(&places) {
                if place.is_some_and(|place| expected[row] != other[place]) {
                    self.add(name, id(row));
                }
            }
        }
        Ok(places)
    }

    fn list(self) -> Vec<Difference> {
        let difference = |(column, (rows, shipment_id))| Difference { column, rows, shipment_id };
        self.0.into_iter().map(difference).collect()
    }
}

/// A value of any column, so that equal means equal to the bit.
#[derive(PartialEq)]
enum Bits {
    Missing,
    Number(u32),
    Instant(i64),
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
            let value = |at: Option<i64>| at.map_or(Bits::Missing, Bits::Instant);
            column.cast(&DataType::Int64)?.i64()?.iter().map(value).collect()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Declaration;

    const DECLARED: &str = r#"
        facts = ["n_units", "n_shipments"]
        categories = ["origin_region"]
        calendar = ["hour"]
        [[history]]
        key = ["origin_region"]
        quantity = "delivery_hours"
        statistics = ["mean", "count"]
        windows_days = [7]
        [[history]]
        key = []
        quantity = "unshipped"
        statistics = ["count"]
    "#;
    const HOUR: i64 = terms::HOUR_MICROS;
    const CUT: i64 = 30;
    const END: i64 = 60;

    fn on(day: i64) -> AsOf {
        AsOf::from_micros(day * DAY_MICROS)
    }

    /// Seven orders a day for sixty days, delivered within one to nine days, and all recorded in
    /// the night after; every eleventh delivery is recorded five days late.
    fn world() -> Tables {
        let mut orders: Vec<(String, i64, i64)> = Vec::new();
        let mut shipments: Vec<(String, i64, &str, Option<i64>)> = Vec::new();
        for n in 0..END * 7 {
            let (day, id) = (n / 7, format!("o{n:04}"));
            let ordered_at = day * DAY_MICROS + (n % 7) * 3 * HOUR;
            let recorded_at = (day + 1) * DAY_MICROS - HOUR;
            orders.push((id.clone(), recorded_at, ordered_at));
            shipments.push((id.clone(), recorded_at, "created", None));
            let delivered_at = ordered_at + (20 + n * 37 % 200) * HOUR;
            let late = if n % 11 == 0 { 5 } else { 0 };
            let recorded_at = (delivered_at / DAY_MICROS + 1 + late) * DAY_MICROS - HOUR;
            shipments.push((id, recorded_at, "delivered", Some(delivered_at)));
        }
        let instant = |name: &str, values: Vec<Option<i64>>| {
            Column::new(name.into(), values).cast(&INSTANT).unwrap()
        };
        let order_ids: Vec<&str> = orders.iter().map(|order| order.0.as_str()).collect();
        let ids: Vec<&str> = shipments.iter().map(|shipment| shipment.0.as_str()).collect();
        let n = orders.len();
        let orders = DataFrame::new(
            n,
            vec![
                Column::new("order_id".into(), order_ids),
                instant("recorded_at", orders.iter().map(|o| Some(o.1)).collect()),
                instant("ordered_at", orders.iter().map(|o| Some(o.2)).collect()),
                Column::new("status".into(), vec!["placed"; n]),
                Column::new("destination_time_zone".into(), vec!["Asia/Tokyo"; n]),
                instant("promised_at", orders.iter().map(|o| Some(o.2 + 99 * HOUR)).collect()),
            ],
        );
        let n = shipments.len();
        let regions = ["north", "south", "west"];
        let region = |id: &str| regions[id.bytes().map(usize::from).sum::<usize>() % 3];
        let shipments = DataFrame::new(
            n,
            vec![
                Column::new("shipment_id".into(), ids.clone()),
                Column::new("order_id".into(), ids.clone()),
                instant("recorded_at", shipments.iter().map(|s| Some(s.1)).collect()),
                Column::new("status".into(), shipments.iter().map(|s| s.2).collect::<Vec<_>>()),
                Column::new(
                    "origin_region".into(),
                    ids.iter().map(|id| region(id)).collect::<Vec<_>>(),
                ),
                Column::new("n_units".into(), (0..n as i64).map(|i| i % 5).collect::<Vec<_>>()),
                instant("handed_over_at", shipments.iter().map(|s| s.3).collect()),
                instant("delivered_at", shipments.iter().map(|s| s.3).collect()),
            ],
        );
        let doubt =
            |id: &str, day: i64| Doubt { shipment_id: id.into(), recorded_at: day * DAY_MICROS };
        let doubts = vec![doubt("o0007", 9), doubt("o0150", CUT + 3), doubt("o0160", CUT + 4)];
        Tables { orders: orders.unwrap(), shipments: shipments.unwrap(), doubts }
    }

    fn honest(tables: &Tables, as_of: AsOf) -> Result<(Frame, Outcomes), Error> {
        let declared = Declaration::read(DECLARED).unwrap();
        crate::build(&tables.orders, &tables.shipments, &tables.doubts, &declared, as_of)
    }

    /// Honest features, and one more of each row's order time.
    fn with_leak(
        tables: &Tables,
        as_of: AsOf,
        value: impl Fn(i64) -> f32,
    ) -> Result<(Frame, Outcomes), Error> {
        let (frame, outcomes) = honest(tables, as_of)?;
        let leak: Vec<f32> = frame.ordered_at()?.into_iter().map(value).collect();
        let mut columns = frame.0.columns().to_vec();
        columns.push(Column::new("leak".into(), leak));
        Ok((Frame::new(columns)?, outcomes))
    }

    /// Instants of the shipments recorded before the as-of.
    fn of_shipments(tables: &Tables, as_of: AsOf, name: &str) -> Vec<i64> {
        let recorded_at = instants(&tables.shipments, column::RECORDED_AT).unwrap();
        let values = instants(&tables.shipments, name).unwrap();
        let known = |at: &Option<i64>| at.is_some_and(|at| at < as_of.micros());
        let known = recorded_at.iter().zip(values).filter(|(at, _)| known(at));
        known.filter_map(|(_, value)| value).collect()
    }

    fn n_before(instants: &[i64], at: i64) -> f32 {
        instants.iter().filter(|&&instant| instant < at).count() as f32
    }

    /// Columns that differ, by alteration; those of serving last.
    fn differing(build: &Build<'_>) -> Vec<(&'static str, Vec<String>)> {
        let tables = world();
        let proof = Proof::new(&tables, &tables, (on(CUT), on(END)), build).unwrap();
        let names = |found: Vec<Difference>| found.into_iter().map(|d| d.column).collect();
        let mut all: Vec<(&str, Vec<String>)> = (Alteration::ALL.iter())
            .map(|&alteration| {
                let tried = proof.with(alteration).unwrap();
                assert!(tried.rows > 150, "{} rows compared", tried.rows);
                (alteration.name(), names(tried.differences))
            })
            .collect();
        let (differences, served) = proof.served_on(on(CUT - 8)).unwrap();
        assert!(served.n_rows() <= 7);
        all.push(("served", names(differences)));
        all
    }

    #[test]
    fn honest_features_pass() {
        for (alteration, columns) in differing(&honest) {
            assert_eq!(columns, Vec::<String>::new(), "{alteration}");
        }
    }

    #[test]
    fn event_time_taken_for_knowledge_time_is_found() {
        let found = differing(&|tables, as_of| {
            let delivered = of_shipments(tables, as_of, column::DELIVERED_AT);
            with_leak(tables, as_of, |at| {
                n_before(&delivered, AsOf::from_micros(at).midnight().micros())
            })
        });
        for (alteration, columns) in found {
            assert_eq!(columns, ["leak"], "{alteration}");
        }
    }

    #[test]
    fn counting_today_is_found() {
        let found = differing(&|tables, as_of| {
            let recorded = of_shipments(tables, as_of, column::RECORDED_AT);
            with_leak(tables, as_of, |at| {
                n_before(&recorded, AsOf::from_micros(at).midnight().plus_days(1).micros())
            })
        });
        let of = |name: &str| found.iter().find(|(a, _)| *a == name).unwrap().1.clone();
        // Of the day after the cut, where counts change; values are not looked at by this leak.
        assert_eq!([of("deleted"), of("duplicated")], [["leak"], ["leak"]]);
        assert_eq!([of("kept"), of("scrambled")], [const { [""; 0] }; 2]);
    }

    #[test]
    fn a_filter_by_outcome_is_found() {
        let found = differing(&|tables, as_of| {
            let recorded_at = instants(&tables.shipments, column::RECORDED_AT)?;
            let ids = texts(&tables.shipments, column::SHIPMENT_ID)?;
            let delivered = instants(&tables.shipments, column::DELIVERED_AT)?;
            let is_delivered: HashSet<&str> = (0..ids.len())
                .filter(|&row| delivered[row].is_some() && recorded_at[row] < Some(as_of.micros()))
                .filter_map(|row| ids.get(row))
                .collect();
            let kept: BooleanChunked =
                ids.iter().map(|id| id.is_some_and(|id| is_delivered.contains(id))).collect();
            let shipments = tables.shipments.filter(&kept)?;
            honest(&Tables { shipments, ..tables.clone() }, as_of)
        });
        for (alteration, columns) in &found {
            assert!(columns.iter().any(|column| column == ROW), "{alteration}: {columns:?}");
        }
    }

    #[test]
    fn a_statistic_over_the_whole_table_is_found() {
        let found = differing(&|tables, as_of| {
            let delivered = of_shipments(tables, as_of, column::DELIVERED_AT);
            let mean = delivered.iter().sum::<i64>() / delivered.len().max(1) as i64;
            with_leak(tables, as_of, |at| (at - mean) as f32)
        });
        let with_leak: Vec<&str> = found
            .iter()
            .filter(|(_, columns)| columns == &["leak"])
            .map(|(name, _)| *name)
            .collect();
        assert_eq!(with_leak, ["kept", "scrambled", "deleted", "duplicated", "served"]);
    }

    #[test]
    fn features_that_serving_sees_otherwise_are_found() {
        let found = differing(&|tables, as_of| {
            with_leak(tables, as_of, |at| (as_of.micros() - at).min(9 * DAY_MICROS) as f32)
        });
        let (_, served) = found.last().unwrap();
        assert_eq!(served, &["leak"]);
    }
}
