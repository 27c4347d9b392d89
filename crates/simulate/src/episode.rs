//! Episodes of a network, as written: a strike, a slowdown or a speed-up from a day on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use terms::Day;

use crate::carriers::CARRIERS;
use crate::error::Error;
use crate::geography::REGIONS;

/// The longest strike: what it leaves is worked off for longer than it lasted.
const STRIKE_DAYS_MAX: u32 = 60;
/// The longest of the others, and the longest ramp.
const DAYS_MAX: u32 = 3_660;
/// Hours become at most so many times as long, or as short.
const FACTOR_MAX: f64 = 10.0;

/// What happens to the network in an episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EpisodeKind {
    /// Nothing is picked up or delivered. What waits is worked off afterwards, in its order.
    Strike,
    /// Handling and transit take longer.
    Slowdown,
    /// Handling and transit take less time.
    Speedup,
}

/// A time in which the network is not as usual. Volumes stay as they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Episode {
    /// What happens.
    pub kind: EpisodeKind,
    /// Its first UTC day.
    #[schemars(with = "String", extend("format" = "date"))]
    pub from: Day,
    /// How many days it lasts; of a slowdown or speed-up, by default until the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3_660))]
    pub days: Option<u32>,
    /// Hours of handling and transit as a multiple of the usual ones; none for a strike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.1, max = 10))]
    pub factor: Option<f64>,
    /// Over how many days the factor is reached, each day by the same share; by default at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 3_660))]
    pub ramp_days: Option<u32>,
    /// The carrier concerned, whose transit alone changes; by default all, and handling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carrier: Option<String>,
    /// The code of the region concerned: handling and pick-ups in it, transit and deliveries to it;
    /// by default all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

/// The carrier and region concerned, by position; `None` is all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) carrier: Option<usize>,
    pub(crate) region: Option<usize>,
}

impl Scope {
    /// Whether the carrier's work in the region is concerned.
    pub(crate) fn has(self, carrier: usize, region: usize) -> bool {
        self.carrier.is_none_or(|wanted| wanted == carrier)
            && self.region.is_none_or(|wanted| wanted == region)
    }
}

impl Episode {
    /// Checks the episode at `index` of the list, for a simulation from `first_day` to `last_day`.
    ///
    /// # Errors
    /// The first key that is missing, out of range or out of place, by name.
    pub(crate) fn check(&self, index: usize, first_day: Day, last_day: Day) -> Result<(), Error> {
        let refused = |key, expected: String, found: String| {
            Err(Error::Episode { index, key, expected, found })
        };
        let given = |days: Option<u32>| days.map_or("none".to_owned(), |days| days.to_string());
        if !(first_day..=last_day).contains(&self.from) {
            let expected = format!("a day of the simulation, {first_day} to {last_day}");
            return refused("from", expected, self.from.to_string());
        }
        let is_strike = self.kind == EpisodeKind::Strike;
        let days_max = if is_strike { STRIKE_DAYS_MAX } else { DAYS_MAX };
        if !self.days.map_or(!is_strike, |days| (1..=days_max).contains(&days)) {
            let what = if is_strike { " for a strike" } else { "" };
            return refused("days", format!("1 to {days_max}{what}"), given(self.days));
        }
        let factor = self.factor.map_or("none".to_owned(), |factor| factor.to_string());
        let (is_factor_good, expected) = match (self.kind, self.factor) {
            (EpisodeKind::Strike, found) => (found.is_none(), "none for a strike".to_owned()),
            (EpisodeKind::Slowdown, found) => (
                found.is_some_and(|factor| factor > 1.0 && factor <= FACTOR_MAX),
                format!("more than 1, up to {FACTOR_MAX}, for a slowdown"),
            ),
            (EpisodeKind::Speedup, found) => (
                found.is_some_and(|factor| (1.0 / FACTOR_MAX..1.0).contains(&factor)),
                format!("{} to less than 1 for a speedup", 1.0 / FACTOR_MAX),
            ),
        };
        if !is_factor_good {
            return refused("factor", expected, factor);
        }
        if is_strike && self.ramp_days.is_some() {
            return refused("ramp_days", "none for a strike".into(), given(self.ramp_days));
        }
        if self.ramp_days.is_some_and(|days| days > DAYS_MAX) {
            return refused("ramp_days", format!("0 to {DAYS_MAX}"), given(self.ramp_days));
        }
        for (key, found, names) in
            [("carrier", &self.carrier, carrier_names()), ("region", &self.region, region_codes())]
        {
            if let Some(found) = found.as_ref().filter(|found| !names.contains(&found.as_str())) {
                return refused(key, format!("one of {}", names.join(", ")), format!("{found:?}"));
            }
        }
        Ok(())
    }

    /// The carrier and region concerned. A name that does not exist, which the check refuses, would
    /// concern nobody.
    pub(crate) fn scope(&self) -> Scope {
        let position = |names: Vec<&str>, wanted: &Option<String>| {
            let wanted = wanted.as_deref()?;
            Some(names.iter().position(|name| *name == wanted).unwrap_or(names.len()))
        };
        Scope {
            carrier: position(carrier_names(), &self.carrier),
            region: position(region_codes(), &self.region),
        }
    }

    /// Its first day, and the one after its last: days since the epoch.
    pub(crate) fn span(&self) -> (i64, i64) {
        let from = i64::from(self.from.days_since_epoch());
        (from, self.days.map_or(i64::MAX, |days| from + i64::from(days)))
    }
}

fn carrier_names() -> Vec<&'static str> {
    CARRIERS.iter().map(|carrier| carrier.name).collect()
}

fn region_codes() -> Vec<&'static str> {
    REGIONS.iter().map(|region| region.code).collect()
}

#[cfg(test)]
mod tests {
    use terms::ErrorClass;

    use super::*;
    use crate::NetworkSettings;

    fn strike() -> Episode {
        Episode {
            kind: EpisodeKind::Strike,
            from: NetworkSettings::default().first_day.plus(20),
            days: Some(7),
            factor: None,
            ramp_days: None,
            carrier: None,
            region: None,
        }
    }

    fn change(kind: EpisodeKind, factor: f64) -> Episode {
        Episode { kind, factor: Some(factor), days: None, ..strike() }
    }

    #[track_caller]
    fn check_refused(episode: Episode, expected: &str) {
        let episodes = vec![strike(), episode];
        let settings = NetworkSettings { episodes, ..NetworkSettings::default() };
        let error = settings.check().unwrap_err();
        assert_eq!(error.class(), ErrorClass::Configuration);
        assert_eq!(error.to_string(), format!("simulate setting episodes[1].{expected}"));
        assert!(error.hint().is_some_and(|hint| hint.contains("simulate.episodes")));
    }

    #[test]
    fn a_bad_episode_is_refused_by_position_key_and_value() {
        let first_day = NetworkSettings::default().first_day;
        check_refused(
            Episode { from: first_day.plus(180), ..strike() },
            "from: expected a day of the simulation, 2025-07-01 to 2025-12-27, found 2025-12-28",
        );
        let endless = Episode { days: None, ..strike() };
        check_refused(endless, "days: expected 1 to 60 for a strike, found none");
        let empty = Episode { days: Some(0), ..change(EpisodeKind::Slowdown, 1.5) };
        check_refused(empty, "days: expected 1 to 3660, found 0");
        check_refused(
            Episode { factor: Some(0.5), ..strike() },
            "factor: expected none for a strike, found 0.5",
        );
        check_refused(
            change(EpisodeKind::Slowdown, 0.5),
            "factor: expected more than 1, up to 10, for a slowdown, found 0.5",
        );
        check_refused(
            Episode { factor: None, ..change(EpisodeKind::Speedup, 0.6) },
            "factor: expected 0.1 to less than 1 for a speedup, found none",
        );
        check_refused(
            change(EpisodeKind::Speedup, f64::NAN),
            "factor: expected 0.1 to less than 1 for a speedup, found NaN",
        );
        check_refused(
            Episode { ramp_days: Some(3), ..strike() },
            "ramp_days: expected none for a strike, found 3",
        );
        check_refused(
            Episode { carrier: Some("kestral".into()), ..strike() },
            "carrier: expected one of kestrel, longreach, crown_post, tidewater, found \"kestral\"",
        );
        check_refused(
            Episode { region: Some("XX".into()), ..strike() },
            "region: expected one of HB, GF, SC, WS, VY, RF, SI, IN, found \"XX\"",
        );
    }

    #[test]
    fn a_scope_is_a_carrier_and_a_region() {
        let all = strike().scope();
        assert!(all.has(0, 0) && all.has(3, 7));
        let one = Episode { carrier: Some("longreach".into()), ..strike() }.scope();
        assert!(one.has(1, 0) && !one.has(0, 0));
        let region = Some("GF".to_owned());
        let both = Episode { carrier: Some("kestrel".into()), region, ..strike() }.scope();
        assert!(both.has(0, 1) && !both.has(0, 0) && !both.has(1, 1));
    }
}
