//! The feature declaration: a TOML file that lists the features to build, so that adding one needs
//! no Rust.
//!
//! Facts, categories and calendar features are named, of closed lists. A history feature is a
//! quantity by a key, with its statistics, its windows, and a coarser key for sparse ones. A
//! declaration is data only (no expressions), so another engine could compute it as well.

use serde::{Deserialize, Serialize};
use terms::column;

use crate::Error;
use crate::calendar::{CalendarFeature, ClockDeclaration};
use crate::declared_name::DeclaredName;
use crate::facts::{Category, Fact, PROMISE_FEATURE};
use crate::level::LevelDeclaration;
use crate::limits::Limits;
use crate::quantity::{Quantity, Statistic};
use crate::snapshots::SnapshotDeclaration;

/// Which features are built.
#[derive(Debug, Clone, Serialize)]
pub struct Declaration {
    /// Numbers known at order time.
    pub facts: Vec<Fact>,
    /// Texts known at order time.
    pub categories: Vec<Category>,
    /// Features of the local time of the order.
    pub calendar: Vec<CalendarFeature>,
    /// Whether what was promised may be a feature. It is a feedback loop: the promise decides who
    /// buys, and how the shop hurries.
    pub promise: bool,
    /// The columns that a clock of working time reads, if there is to be one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock: Option<ClockDeclaration>,
    /// The level of the network, if it is to be estimated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<LevelDeclaration>,
    /// Features of history.
    pub history: Vec<HistoryFeature>,
    /// Which snapshots of open shipments are taken, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshots: Option<SnapshotDeclaration>,
    /// For how long a shipment is followed: a setting of the network, and not of the file.
    #[serde(skip_serializing_if = "Limits::is_default")]
    pub limits: Limits,
}

/// A declaration as it is written, with names that may not exist.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeclarationFile {
    #[serde(default)]
    facts: Vec<String>,
    #[serde(default)]
    categories: Vec<String>,
    #[serde(default)]
    calendar: Vec<String>,
    #[serde(default)]
    promise: bool,
    clock: Option<ClockDeclaration>,
    level: Option<LevelDeclaration>,
    #[serde(default)]
    history: Vec<HistoryFeature>,
    snapshots: Option<SnapshotDeclaration>,
}

/// Statistics of one quantity by one key, over several windows.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistoryFeature {
    /// The group of an ablation that it belongs to; a group of its own if there is none.
    #[serde(default)]
    pub group: Option<String>,
    /// Columns that make up the key; `column:3` is the first three characters of one. Without
    /// columns all rows have the same key.
    pub key: Vec<String>,
    /// What is counted or averaged.
    pub quantity: Quantity,
    /// Which statistics of it.
    pub statistics: Vec<Statistic>,
    /// Lengths of the windows, in days of recording before the order's midnight. Empty for a stock,
    /// which has no window.
    #[serde(default)]
    pub windows_days: Vec<u16>,
    /// A coarser key, towards which the mean of a sparse key is shrunk.
    #[serde(default)]
    pub fall_back: Option<Vec<String>>,
}

/// One part of a key: a column, or its first characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyPart {
    pub(crate) column: Category,
    /// How many characters, if not all.
    pub(crate) prefix: Option<usize>,
}

impl Declaration {
    /// Reads a declaration.
    ///
    /// # Errors
    /// If it is no TOML, has an unknown key, or names what does not exist.
    pub fn read(text: &str) -> Result<Self, Error> {
        let file: DeclarationFile =
            toml::from_str(text).map_err(|e| Error::Declaration { message: e.to_string() })?;
        let declared = Self {
            facts: parse_all("fact", &file.facts)?,
            categories: parse_all("category", &file.categories)?,
            calendar: parse_all("calendar feature", &file.calendar)?,
            promise: file.promise,
            clock: file.clock,
            level: file.level,
            history: file.history,
            snapshots: file.snapshots,
            limits: Limits::default(),
        };
        declared.clock.iter().try_for_each(ClockDeclaration::check)?;
        declared.level.iter().try_for_each(LevelDeclaration::check)?;
        declared.snapshots.iter().try_for_each(SnapshotDeclaration::check)?;
        for feature in &declared.history {
            feature.check()?;
        }
        Ok(declared)
    }

    /// The name of the column that holds a declared history feature. A stock has no window.
    ///
    /// # Errors
    /// If the declaration does not have this feature.
    pub fn column_of(
        &self,
        key: &[&str],
        quantity: Quantity,
        statistic: Statistic,
        window_days: Option<u16>,
    ) -> Result<String, Error> {
        let name = feature_name(key, quantity, statistic, window_days);
        let is_declared = self.history.iter().any(|feature| {
            feature.key == key
                && feature.quantity == quantity
                && feature.statistics.contains(&statistic)
                && feature.windows().contains(&window_days)
        });
        if is_declared { Ok(name) } else { Err(Error::Undeclared { name }) }
    }
}

/// Features that an ablation leaves out together.
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
        let calendar = self.calendar.iter().map(|feature| feature.feature_name()).collect();
        let named = [
            ("facts", names(&self.facts)),
            ("categories", names(&self.categories)),
            ("calendar", calendar),
            ("promise", promise),
            ("clock", self.clock.iter().flat_map(|_| ClockDeclaration::columns()).collect()),
            ("level", self.level.iter().map(|_| column::LEVEL_HOURS.to_owned()).collect()),
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

    /// The columns that are the same for all orders of a night: the level, and history without a key.
    pub fn network_columns(&self) -> Vec<String> {
        let level = self.level.iter().map(|_| column::LEVEL_HOURS.to_owned());
        let history = self.history.iter().filter(|history| history.key.is_empty());
        level.chain(history.flat_map(HistoryFeature::feature_names)).collect()
    }

    /// What of it can be built from tables with or without legs: without the table, features of
    /// legs would be missing in every row.
    #[must_use]
    pub fn with_legs(mut self, legs: bool) -> Self {
        self.history.retain(|history| legs || !history.quantity.is_of_legs());
        self.snapshots.iter_mut().for_each(|snapshots| snapshots.legs &= legs);
        self
    }

    /// The same for a network with these limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The declaration of one group alone, to measure what it costs to build; of no feature at all
    /// without a name.
    #[must_use]
    pub fn only(&self, group: Option<&str>) -> Self {
        fn if_is<T: Clone>(is_group: bool, features: &[T]) -> Vec<T> {
            if is_group { features.to_vec() } else { Vec::new() }
        }
        let of_group = |feature: &&HistoryFeature| Some(feature.group_name().as_str()) == group;
        Self {
            facts: if_is(group == Some("facts"), &self.facts),
            categories: if_is(group == Some("categories"), &self.categories),
            calendar: if_is(group == Some("calendar"), &self.calendar),
            promise: self.promise && group == Some("promise"),
            clock: self.clock.clone().filter(|_| group == Some("clock")),
            level: self.level.clone().filter(|_| group == Some("level")),
            history: self.history.iter().filter(of_group).cloned().collect(),
            snapshots: None,
            limits: self.limits,
        }
    }
}

impl HistoryFeature {
    fn group_name(&self) -> String {
        let alone = || format!("{} by {}", self.quantity.name(), key_name(&self.key));
        self.group.clone().unwrap_or_else(alone)
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

    /// Its windows in days; a stock has one without a length.
    pub(crate) fn windows(&self) -> Vec<Option<u16>> {
        if self.quantity.is_stock() {
            vec![None]
        } else {
            self.windows_days.iter().copied().map(Some).collect()
        }
    }

    /// The name of the column of one statistic over one window.
    pub(crate) fn feature_name(&self, statistic: Statistic, window: Option<u16>) -> String {
        feature_name(&self.key, self.quantity, statistic, window)
    }
}

/// For example `origin_region_destination_region_transit_hours_mean_14d`.
fn feature_name(
    key: &[impl AsRef<str>],
    quantity: Quantity,
    statistic: Statistic,
    window: Option<u16>,
) -> String {
    let mut name = key_name(key);
    name += &format!("_{}_{}", quantity.name(), statistic.name());
    if let Some(days) = window {
        name += &format!("_{days}d");
    }
    name
}

fn key_name(key: &[impl AsRef<str>]) -> String {
    if key.is_empty() {
        return "everywhere".to_owned();
    }
    let parts: Vec<&str> = key.iter().map(AsRef::as_ref).collect();
    parts.join("_").replace(':', "")
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
            Ok(KeyPart { column: Category::parse("key column", column)?, prefix })
        })
        .collect()
}

fn parse_all<N: DeclaredName>(kind: &'static str, names: &[String]) -> Result<Vec<N>, Error> {
    names.iter().map(|name| N::parse(kind, name)).collect()
}

fn names<N: DeclaredName>(features: &[N]) -> Vec<String> {
    features.iter().map(|feature| feature.name().to_owned()).collect()
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
    fn a_history_feature_is_found_by_what_it_is_and_a_missing_one_is_an_error() {
        let declared = Declaration::read(LANE).unwrap();
        let key = ["origin_region", "destination_zone:3"];
        let column =
            |statistic, window| declared.column_of(&key, Quantity::TransitHours, statistic, window);
        let name = "origin_region_destination_zone3_transit_hours_mean_14d";
        assert_eq!(column(Statistic::Mean, Some(14)).unwrap(), name);
        for missing in [column(Statistic::Count, Some(14)), column(Statistic::Mean, Some(7))] {
            let error = missing.unwrap_err();
            assert!(error.to_string().contains("expected the feature origin_region"), "{error}");
            assert_eq!(error.class(), ErrorClass::Configuration);
        }
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
        assert_eq!(declared.network_columns(), ["everywhere_open_count"]);
    }

    #[test]
    fn limits_belong_to_what_identifies_a_state_unless_they_are_the_usual_ones() {
        let declared = Declaration::read(LANE).unwrap();
        let text = |declared: &Declaration| toml::to_string(declared).unwrap();
        assert!(!text(&declared).contains("limits"));
        assert_eq!(text(&declared.clone().with_limits(Limits::default())), text(&declared));
        let limits = Limits { lost_after_days: 60, history_days: 91 };
        let slower = declared.with_limits(limits);
        assert!(text(&slower).contains("[limits]\nlost_after_days = 60\nhistory_days = 91\n"));
        assert_eq!(slower.only(None).limits, limits);
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
