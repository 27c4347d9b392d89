//! The dictionary of features: what each declared column means and its unit, for those who read a
//! model and have never seen its declaration.

use terms::column;

use crate::calendar::{CalendarFeature, ClockDeclaration};
use crate::declaration::HistoryFeature;
use crate::declared_name::DeclaredName as _;
use crate::facts::{Fact, PROMISE_FEATURE};
use crate::level::LevelDeclaration;
use crate::{Declaration, Quantity, Statistic, snapshots};

/// A feature in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Its column.
    pub name: String,
    /// What it is, and as of when.
    pub meaning: String,
    /// Its unit; empty for texts, counts and ratios.
    pub unit: &'static str,
}

impl Declaration {
    /// What each of its features means.
    pub fn dictionary(&self) -> Vec<Definition> {
        let new = |name: String, meaning: &str, unit| {
            let meaning = meaning.trim_end_matches('.').to_owned();
            Definition { name, meaning, unit }
        };
        let facts = self
            .facts
            .iter()
            .map(|&fact| new(fact.name().to_owned(), fact.meaning(), unit_of_fact(fact)));
        let categories = self
            .categories
            .iter()
            .map(|category| new(category.name().to_owned(), category.meaning(), ""));
        let calendar = self.calendar.iter().map(|&feature| {
            new(feature.feature_name(), feature.meaning(), unit_of_calendar(feature))
        });
        let mut definitions: Vec<Definition> = facts.chain(categories).chain(calendar).collect();
        if self.promise {
            let meaning = "Hours from the order until the delivery that was promised";
            definitions.push(new(PROMISE_FEATURE.to_owned(), meaning, "h"));
        }
        if self.clock.is_some() {
            let meanings = [
                ("Hours from Monday 00:00 to the order, in local time at the destination", "h"),
                (
                    "The days from that of the order on that are holidays at the destination, as bits",
                    "",
                ),
            ];
            let columns = ClockDeclaration::columns().into_iter().zip(meanings);
            definitions.extend(columns.map(|(name, (meaning, unit))| new(name, meaning, unit)));
        }
        definitions.extend(self.level.iter().map(of_level));
        definitions.extend(self.history.iter().flat_map(of_history));
        if let Some(declared) = &self.snapshots {
            let of_legs = snapshots::LEG_DEFINITIONS.into_iter().filter(|_| declared.legs);
            let of_snapshots = snapshots::DEFINITIONS.into_iter().chain(of_legs);
            let of_snapshots =
                of_snapshots.map(|(name, meaning, unit)| new(name.to_owned(), meaning, unit));
            definitions.extend(of_snapshots);
        }
        definitions
    }
}

fn of_level(level: &LevelDeclaration) -> Definition {
    let windows: Vec<String> = level.windows_days.iter().map(u16::to_string).collect();
    let enough = match windows.len() {
        1 => String::new(),
        _ => format!(", the first of these with {} deliveries", level.deliveries_min),
    };
    let meaning = format!(
        "The level of the network: the median delivery time at the pace of the last {} days before the \
         order's midnight{enough}, open shipments included",
        windows.join(" or "),
    );
    Definition { name: column::LEVEL_HOURS.to_owned(), meaning, unit: "h" }
}

fn of_history(history: &HistoryFeature) -> Vec<Definition> {
    let mut definitions = Vec::new();
    for window in history.windows() {
        for &statistic in &history.statistics {
            let (of_each, unit) = quantity(history.quantity);
            let key = |columns: &[String]| match columns {
                [] => "of the whole network".to_owned(),
                columns => format!("by {}", columns.join(" and ")),
            };
            let what = match statistic {
                Statistic::Count => format!("How many shipments have a value of: {of_each}"),
                Statistic::Mean => format!("The mean of: {of_each}"),
                Statistic::Sd => format!("The standard deviation of: {of_each}"),
            };
            let when = match window {
                Some(days) => format!("recorded in the {days} days before the order's midnight"),
                None => "as known at the order's midnight".to_owned(),
            };
            let fall_back = (history.fall_back.as_ref())
                .filter(|_| statistic == Statistic::Mean)
                .map(|columns| {
                    format!("; where there are few, drawn towards the mean {}", key(columns))
                });
            let by = key(&history.key);
            definitions.push(Definition {
                name: history.feature_name(statistic, window),
                meaning: format!("{what}; {by}, {when}{}", fall_back.unwrap_or_default()),
                unit: if statistic == Statistic::Count { "" } else { unit },
            });
        }
    }
    definitions
}

/// What is counted or averaged, and the unit of its mean.
fn quantity(quantity: Quantity) -> (&'static str, &'static str) {
    match quantity {
        Quantity::DeliveryHours => ("hours from ordered to delivered", "h"),
        Quantity::HandlingHours => ("hours from ordered to handed over", "h"),
        Quantity::TransitHours => ("hours from handed over to delivered", "h"),
        Quantity::WithinTwoDays => ("1 if delivered within two days, else 0", ""),
        Quantity::Ordered => ("1 for each shipment that was ordered", ""),
        Quantity::Unshipped => ("ordered and not handed over yet", ""),
        Quantity::InTransit => ("handed over and not delivered yet", ""),
        Quantity::Open => ("the age of what is ordered and not delivered yet", "h"),
        Quantity::DeliveredByDay5 => ("1 if delivered when five days old, else 0", ""),
        Quantity::DeliveredByDay10 => ("1 if delivered when ten days old, else 0", ""),
        Quantity::DeliveredByDay20 => ("1 if delivered when twenty days old, else 0", ""),
        Quantity::FirstMileHours => ("hours of the legs of the first mile", "h"),
        Quantity::MiddleMileHours => ("hours of the legs of the middle mile", "h"),
        Quantity::LastMileHours => ("hours of the legs of the last mile", "h"),
    }
}

fn unit_of_fact(fact: Fact) -> &'static str {
    match fact {
        Fact::WeightG => "g",
        Fact::VolumeCm3 => "cm³",
        Fact::LongestSideCm => "cm",
        Fact::ItemValue | Fact::FreightValue => "currency of the shop",
        Fact::ShipByHours => "h",
        Fact::DistanceKm => "km",
        Fact::OriginLat | Fact::OriginLon | Fact::DestinationLat | Fact::DestinationLon => {
            "degrees"
        }
        Fact::NUnits
        | Fact::FreightShare
        | Fact::SameRegion
        | Fact::NShipments
        | Fact::OriginDailyCapacity => "",
    }
}

fn unit_of_calendar(feature: CalendarFeature) -> &'static str {
    match feature {
        CalendarFeature::Hour | CalendarFeature::OriginHour => "h",
        CalendarFeature::OriginWorkdays
        | CalendarFeature::DestinationWorkdays
        | CalendarFeature::DestinationDaysToHoliday => "d",
        CalendarFeature::Weekday
        | CalendarFeature::DayOfMonth
        | CalendarFeature::DayOfYear
        | CalendarFeature::OriginWeekday => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECLARATION: &str = r#"
        facts = ["weight_g", "distance_km"]
        categories = ["carrier"]
        calendar = ["hour"]
        promise = true
        [level]
        windows_days = [7, 14]
        [clock]
        holiday_days = 9
        [[history]]
        key = ["origin_region", "destination_zone:2"]
        quantity = "transit_hours"
        statistics = ["mean", "count"]
        windows_days = [28]
        fall_back = ["destination_region"]
        [[history]]
        key = []
        quantity = "open"
        statistics = ["count"]
    "#;

    #[test]
    fn every_declared_feature_has_a_meaning_under_its_name() {
        let declaration = Declaration::read(DECLARATION).unwrap();
        let definitions = declaration.dictionary();
        let mut names: Vec<&str> = definitions.iter().map(|d| d.name.as_str()).collect();
        let groups = declaration.groups();
        let mut declared: Vec<&str> =
            groups.iter().flat_map(|group| &group.features).map(String::as_str).collect();
        names.sort_unstable();
        declared.sort_unstable();
        assert_eq!(names, declared);
        assert!(definitions.iter().all(|d| !d.meaning.is_empty() && !d.meaning.ends_with('.')));
        let of = |name: &str| definitions.iter().find(|d| d.name == name).unwrap();
        assert_eq!(
            (of("weight_g").meaning.as_str(), of("weight_g").unit),
            ("Weight in grams", "g")
        );
        let mean = of("origin_region_destination_zone2_transit_hours_mean_28d");
        let expected = "The mean of: hours from handed over to delivered; by origin_region and \
                        destination_zone:2, recorded in the 28 days before the order's midnight; where \
                        there are few, drawn towards the mean by destination_region";
        assert_eq!((mean.meaning.as_str(), mean.unit), (expected, "h"));
        let count = of("origin_region_destination_zone2_transit_hours_count_28d");
        assert!(count.meaning.starts_with("How many") && count.unit.is_empty());
        assert!(of("everywhere_open_count").meaning.contains("of the whole network, as known at"));
    }
}
