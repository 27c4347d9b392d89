//! The declaration of features: a file that says what is built, so that adding a feature needs no
//! Rust, and that could be compiled to another engine as well.
//!
//! A history feature is a key, a quantity, statistics, windows and a coarser key to fall back on.
//! Nothing in it is a closure: each part has a name.

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::calendar::{self, CALENDAR};
use crate::facts::{CATEGORIES, FACTS, PROMISE_FEATURE};

/// Which features are built.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Declaration {
    /// Numbers known at order time, by name.
    #[serde(default)]
    pub facts: Vec<String>,
    /// Texts known at order time, by column.
    #[serde(default)]
    pub categories: Vec<String>,
    /// Parts of the local time of the order, by name.
    #[serde(default)]
    pub calendar: Vec<String>,
    /// Whether what was promised may be a feature. The promise feeds back on itself: it chooses
    /// the buyers and hurries the shop.
    #[serde(default)]
    pub promise: bool,
    /// History by key.
    #[serde(default)]
    pub history: Vec<History>,
}

/// Statistics of one quantity by one key.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// What it is a part of, for an ablation; by itself if it has none.
    #[serde(default)]
    pub group: Option<String>,
    /// Columns that make up the key; `column:3` is its first three characters; none is everywhere.
    pub key: Vec<String>,
    /// What is counted or averaged.
    pub quantity: Quantity,
    /// What is said of it.
    pub statistics: Vec<Statistic>,
    /// Over how many past days of knowledge; of a stock, which has no window, left out.
    #[serde(default)]
    pub windows_days: Vec<u16>,
    /// A coarser key, towards which the mean of a sparse key is shrunk.
    #[serde(default)]
    pub fall_back: Option<Vec<String>>,
}

/// What history is kept of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// Hours from ordered to delivered, dated when the delivery was recorded.
    DeliveryHours,
    /// Hours from ordered to handed over, dated when the handover was recorded.
    HandlingHours,
    /// Hours from handed over to delivered, dated when the delivery was recorded.
    TransitHours,
    /// 1 if delivered within two days, else 0, dated when the delivery was recorded.
    WithinTwoDays,
    /// 1 for each shipment, dated when it was first recorded: volume.
    Ordered,
    /// A stock: ordered and not handed over yet, at most 60 days old.
    Unshipped,
    /// A stock: handed over and not delivered yet, at most 60 days old.
    InTransit,
    /// A stock: ordered and not delivered yet, at most 60 days old; its mean is the age in hours.
    Open,
    /// 1 if an order was known to be delivered once it was five days old, else 0, dated that day:
    /// it tells of a slowdown before the late deliveries do, as open shipments count.
    #[serde(rename = "delivered_by_day_5")]
    DeliveredByDay5,
    /// The same of orders ten days old.
    #[serde(rename = "delivered_by_day_10")]
    DeliveredByDay10,
    /// The same of orders twenty days old.
    #[serde(rename = "delivered_by_day_20")]
    DeliveredByDay20,
    /// Hours from departure to arrival of a leg of the first mile, dated when its arrival was
    /// recorded; from the table of legs, as the next two.
    FirstMileHours,
    /// The same of the middle mile, leg by leg.
    MiddleMileHours,
    /// The same of the last mile.
    LastMileHours,
}

impl Quantity {
    /// A stock is counted now, not over a window.
    pub(crate) fn is_stock(self) -> bool {
        matches!(self, Self::Unshipped | Self::InTransit | Self::Open)
    }

    /// The age of an order at which it is asked whether it was delivered, in days.
    pub(crate) fn asked_at_age(self) -> Option<i32> {
        match self {
            Self::DeliveredByDay5 => Some(5),
            Self::DeliveredByDay10 => Some(10),
            Self::DeliveredByDay20 => Some(20),
            _ => None,
        }
    }

    /// Whether it is of legs, and not of whole shipments.
    pub(crate) fn is_of_legs(self) -> bool {
        matches!(self, Self::FirstMileHours | Self::MiddleMileHours | Self::LastMileHours)
    }

    /// Whether it is in hours.
    pub(crate) fn is_duration(self) -> bool {
        matches!(self, Self::DeliveryHours | Self::HandlingHours | Self::TransitHours)
            || self.is_of_legs()
    }

    fn name(self) -> &'static str {
        match self {
            Self::DeliveryHours => "delivery_hours",
            Self::HandlingHours => "handling_hours",
            Self::TransitHours => "transit_hours",
            Self::WithinTwoDays => "within_two_days",
            Self::Ordered => "ordered",
            Self::Unshipped => "unshipped",
            Self::InTransit => "in_transit",
            Self::Open => "open",
            Self::DeliveredByDay5 => "delivered_by_day_5",
            Self::DeliveredByDay10 => "delivered_by_day_10",
            Self::DeliveredByDay20 => "delivered_by_day_20",
            Self::FirstMileHours => "first_mile_hours",
            Self::MiddleMileHours => "middle_mile_hours",
            Self::LastMileHours => "last_mile_hours",
        }
    }
}

/// What is said of a quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Statistic {
    /// How many.
    Count,
    /// The mean; missing if there are none and nothing to fall back on.
    Mean,
    /// The standard deviation; missing below two.
    Sd,
}

impl Statistic {
    fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Mean => "mean",
            Self::Sd => "sd",
        }
    }
}

/// One part of a key: a column, or its first characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyPart {
    pub(crate) column: String,
    pub(crate) prefix: Option<usize>,
}

impl Declaration {
    /// Reads a declaration.
    ///
    /// # Errors
    /// If it is no TOML, has an unknown key, or names what does not exist.
    pub fn read(text: &str) -> Result<Self, Error> {
        let declared: Self =
            toml::from_str(text).map_err(|e| Error::Declaration { message: e.to_string() })?;
        known("fact", &declared.facts, FACTS)?;
        known("category", &declared.categories, CATEGORIES)?;
        known("calendar feature", &declared.calendar, CALENDAR)?;
        for history in &declared.history {
            history.check()?;
        }
        Ok(declared)
    }
}

/// Features that stand or fall together in an ablation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// The names of its features.
    pub features: Vec<String>,
}

impl Declaration {
    /// The groups of features, in the order of the declaration.
    pub fn groups(&self) -> Vec<Group> {
        let promise = if self.promise { vec![PROMISE_FEATURE.to_owned()] } else { Vec::new() };
        let calendar = self.calendar.iter().map(|name| calendar::feature_name(name)).collect();
        let named = [
            ("facts", self.facts.clone()),
            ("categories", self.categories.clone()),
            ("calendar", calendar),
            ("promise", promise),
        ];
        let mut groups: Vec<Group> = (named.into_iter())
            .map(|(name, features)| Group { name: name.to_owned(), features })
            .filter(|group| !group.features.is_empty())
            .collect();
        for history in &self.history {
            let name = history.group_name();
            let mut features = history.feature_names();
            match groups.iter_mut().find(|group| group.name == name) {
                Some(group) => group.features.append(&mut features),
                None => groups.push(Group { name, features }),
            }
        }
        groups
    }

    /// What of it can be built from tables with or without legs: in their absence what is said of
    /// them would be missing in every row.
    #[must_use]
    pub fn with_legs(mut self, legs: bool) -> Self {
        self.history.retain(|history| legs || !history.quantity.is_of_legs());
        self
    }

    /// The declaration of one group alone; of none without a name. What it takes to build is what
    /// the group costs.
    #[must_use]
    pub fn only(&self, group: Option<&str>) -> Self {
        let keep = |name: &str, features: &[String]| {
            if group == Some(name) { features.to_vec() } else { Vec::new() }
        };
        let of_group = |history: &&History| Some(history.group_name().as_str()) == group;
        Self {
            facts: keep("facts", &self.facts),
            categories: keep("categories", &self.categories),
            calendar: keep("calendar", &self.calendar),
            promise: self.promise && group == Some("promise"),
            history: self.history.iter().filter(of_group).cloned().collect(),
        }
    }
}

impl History {
    fn group_name(&self) -> String {
        let alone = || format!("{} by {}", self.quantity.name(), self.key_name());
        self.group.clone().unwrap_or_else(alone)
    }

    fn key_name(&self) -> String {
        let mut name =
            if self.key.is_empty() { "everywhere".to_owned() } else { self.key.join("_") };
        name.retain(|c| c != ':');
        name
    }

    /// Its features, in the order in which they are built.
    fn feature_names(&self) -> Vec<String> {
        let of_window = |window| {
            self.statistics.iter().map(move |&statistic| self.feature_name(statistic, window))
        };
        self.windows().into_iter().flat_map(of_window).collect()
    }

    fn check(&self) -> Result<(), Error> {
        for key in std::iter::once(&self.key).chain(&self.fall_back) {
            key_parts(key)?;
        }
        let impossible = |expected, found: String| Error::Impossible {
            feature: self.feature_name(Statistic::Count, None),
            expected,
            found,
        };
        if self.statistics.is_empty() {
            return Err(impossible("at least one statistic", "none".into()));
        }
        let found = format!("windows_days = {:?}", self.windows_days);
        if self.quantity.is_stock() {
            if !self.windows_days.is_empty() {
                return Err(impossible("no windows, since a stock is counted now", found));
            }
            let possible = |statistic: &Statistic| match statistic {
                Statistic::Count => true,
                Statistic::Mean => self.quantity == Quantity::Open,
                Statistic::Sd => false,
            };
            if !self.statistics.iter().all(possible) {
                let found = format!("statistics = {:?}", self.statistics);
                let expected = "statistics = [\"count\"] of a stock, or \"mean\" too if it is open";
                return Err(impossible(expected, found));
            }
        } else if self.windows_days.is_empty() || self.windows_days.contains(&0) {
            return Err(impossible("windows of at least one day", found));
        }
        Ok(())
    }

    /// The windows to look at; `None` is all of the past, of a stock.
    pub(crate) fn windows(&self) -> Vec<Option<u16>> {
        if self.quantity.is_stock() {
            vec![None]
        } else {
            self.windows_days.iter().copied().map(Some).collect()
        }
    }

    /// For example `lane: origin_region_destination_region_transit_hours_mean_14d`.
    pub(crate) fn feature_name(&self, statistic: Statistic, window: Option<u16>) -> String {
        let mut name = self.key_name();
        name += &format!("_{}_{}", self.quantity.name(), statistic.name());
        if let Some(days) = window {
            name += &format!("_{days}d");
        }
        name
    }
}

/// The parts of a declared key.
pub(crate) fn key_parts(key: &[String]) -> Result<Vec<KeyPart>, Error> {
    key.iter()
        .map(|part| {
            let (column, prefix) = match part.split_once(':') {
                None => (part.as_str(), None),
                Some((column, digits)) => {
                    let length = digits.parse().ok().filter(|&n| n > 0);
                    let length = length.ok_or_else(|| Error::Impossible {
                        feature: format!("key {part:?}"),
                        expected: "a number of characters after the colon",
                        found: digits.to_owned(),
                    })?;
                    (column, Some(length))
                }
            };
            known("key column", std::slice::from_ref(&column), CATEGORIES)?;
            Ok(KeyPart { column: column.to_owned(), prefix })
        })
        .collect()
}

fn known<S: AsRef<str>>(what: &'static str, names: &[S], existing: &[&str]) -> Result<(), Error> {
    match names.iter().find(|name| !existing.contains(&name.as_ref())) {
        None => Ok(()),
        Some(name) => Err(Error::Unknown {
            what,
            found: name.as_ref().to_owned(),
            expected: existing.join(", "),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use terms::ErrorClass;

    const LANE: &str = r#"
        facts = ["distance_km"]
        [[history]]
        key = ["origin_region", "destination_zone:3"]
        quantity = "transit_hours"
        statistics = ["mean"]
        windows_days = [14]
    "#;

    #[test]
    fn a_history_feature_is_named_after_its_declaration() {
        let declared = Declaration::read(LANE).unwrap();
        let name = declared.history[0].feature_name(Statistic::Mean, Some(14));
        assert_eq!(name, "origin_region_destination_zone3_transit_hours_mean_14d");
    }

    #[test]
    fn groups_hold_every_feature_that_is_built_once() {
        let lane = LANE.replace("key =", "group = \"lane\"\n key =");
        let more = "[[history]]\nkey = []\nquantity = \"open\"\nstatistics = [\"count\"]\n";
        let declared = Declaration::read(&format!("{lane}\n{more}")).unwrap();
        let groups = declared.groups();
        let names: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
        assert_eq!(names, ["facts", "lane", "open by everywhere"]);
        assert_eq!(groups[1].features, ["origin_region_destination_zone3_transit_hours_mean_14d"]);
        let lane = declared.only(Some("lane"));
        assert_eq!([lane.facts.len(), lane.history.len()], [0, 1]);
        assert!(declared.only(None).groups().is_empty());
    }

    #[test]
    fn what_does_not_exist_is_refused_by_name() {
        for (from, to, expected) in [
            ("distance_km", "distance", "fact \"distance\": expected one of"),
            ("origin_region", "origin", "key column \"origin\": expected one of"),
            (":3", ":0", "expected a number of characters after the colon, found 0"),
            ("[14]", "[]", "expected windows of at least one day"),
            ("transit_hours", "unshipped", "expected no windows"),
            ("windows_days", "windows", "unknown field `windows`"),
        ] {
            let error = Declaration::read(&LANE.replace(from, to)).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
            assert_eq!(error.class(), ErrorClass::Configuration);
        }
    }
}
