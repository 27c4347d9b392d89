//! What each night's new model and the champion of that night predicted for the orders that followed,
//! compared once outcomes are known, and the gate on it.
//!
//! A hold-out judges models that are trained again as of the past; this judges what was really
//! predicted, with the news of each night.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use terms::{Instant, N_LEVELS, Outcome};

use crate::matured_rows::MaturedRows;
use crate::tally::DAY_HOURS;
use crate::verdict::{Gate, Needed, plain};
use crate::{Error, Forecast, GateSettings, Settings, Shipments};

/// Stored predictions and what came of them. Shapes: every column n_rows. Units: hours from the order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NightlyForecasts {
    /// On how many nights they were made.
    pub nights: usize,
    /// When each shipment was ordered.
    pub ordered_at: Vec<Instant>,
    /// What is known of each delivery.
    pub outcomes: Vec<Outcome>,
    /// Quantiles predicted by the model that had been trained last.
    pub challengers: Vec<[f32; N_LEVELS]>,
    /// Quantiles predicted by the model that was champion then.
    pub champions: Vec<[f32; N_LEVELS]>,
}

/// The losses of challengers and champions on the same rows, weighted as all metrics are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NightlyComparison {
    /// On how many nights they predicted.
    pub nights: usize,
    /// Rows whose outcome is known.
    pub rows: usize,
    /// The share of open rows among all that are not excluded.
    pub open_share: f64,
    /// Mean pinball loss of the challengers.
    pub challengers_pinball_days: f64,
    /// Mean pinball loss of the champions.
    pub champions_pinball_days: f64,
}

impl NightlyForecasts {
    /// The comparison; `None` if no outcome is known.
    ///
    /// # Errors
    /// If columns differ in length or an outcome is not finite.
    pub fn compared(self) -> Result<Option<NightlyComparison>, Error> {
        let rows = self.ordered_at.len();
        let shipments = Shipments {
            promised_hours: vec![None; rows],
            ordered_at: self.ordered_at,
            outcomes: self.outcomes,
            ..Shipments::default()
        };
        let forecast =
            |name: &str, hours| Forecast { name: name.into(), hours, ..Default::default() };
        let challengers = forecast("challengers", self.challengers);
        let champions = forecast("champions", self.champions);
        challengers.check(rows)?;
        champions.check(rows)?;
        let settings = Settings { rounds: 0, ..Settings::default() };
        let matured = match MaturedRows::new(&shipments, &settings) {
            Ok(matured) => matured,
            Err(Error::NothingMatured { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let days =
            |forecast: &Forecast| matured.tally(forecast, &matured.rows).mean_pinball() / DAY_HOURS;
        let (judged, open) = (matured.rows.len(), matured.open.len());
        Ok(Some(NightlyComparison {
            nights: self.nights,
            rows: judged,
            open_share: open as f64 / (judged + open) as f64,
            challengers_pinball_days: days(&challengers),
            champions_pinball_days: days(&champions),
        }))
    }
}

impl NightlyComparison {
    /// The gate; with fewer rows than the gates need it says so and passes.
    pub(crate) fn gate(comparison: Option<&Self>, settings: &GateSettings) -> Gate {
        let name = "nightly_not_worse_than_champions";
        let (rows, nights) = comparison.map_or((0, 0), |found| (found.rows, found.nights));
        match comparison {
            Some(found) if rows >= settings.nightly_rows_min => Gate::new(
                name,
                format!(
                    "mean pinball loss of what models trained in this way predicted in {nights} \
                     nights, days; that of the champions of those nights is {}",
                    plain(found.champions_pinball_days)
                ),
                found.challengers_pinball_days,
                Needed::AtMost(
                    found.champions_pinball_days * (1.0 + settings.worse_than_champion_max),
                ),
            ),
            _ => Gate::new(
                name,
                format!(
                    "matured shipments that models trained in this way predicted, in {nights} nights; \
                     from {} on they are compared with the champions",
                    settings.nightly_rows_min
                ),
                rows as f64,
                Needed::AtLeast(0.0),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::known_or_open;

    fn compared(challenger: f32, champion: f32, hours: &[Option<f32>]) -> NightlyComparison {
        let rows = hours.len();
        let forecasts = NightlyForecasts {
            nights: 3,
            ordered_at: vec![Instant::from_micros(0); rows],
            outcomes: known_or_open(hours),
            challengers: vec![[challenger; N_LEVELS]; rows],
            champions: vec![[champion; N_LEVELS]; rows],
        };
        forecasts.compared().unwrap().unwrap()
    }

    #[test]
    fn both_are_scored_on_the_same_known_rows() {
        let found = compared(60.0, 84.0, &[Some(60.0), None, Some(60.0)]);
        assert_eq!((found.rows, found.nights, found.open_share), (2, 3, 1.0 / 3.0));
        assert_eq!(found.challengers_pinball_days, 0.0);
        // A day too late on every level loses half a day on average.
        assert!((found.champions_pinball_days - 0.5).abs() < 1e-9);
        assert_eq!(NightlyForecasts::default().compared().unwrap(), None);
        let short = NightlyForecasts { challengers: vec![[1.0; N_LEVELS]], ..Default::default() };
        assert!(matches!(short.compared(), Err(Error::Length { .. })));
    }

    #[test]
    fn the_gate_refuses_what_predicted_worse_and_passes_what_is_not_known_yet() {
        let settings = GateSettings { nightly_rows_min: 2, ..GateSettings::default() };
        let gate = |challenger, champion, rows| {
            let found = compared(challenger, champion, &vec![Some(60.0); rows]);
            NightlyComparison::gate(Some(&found), &settings)
        };
        assert!(gate(84.0, 84.0, 2).passed && gate(84.4, 84.0, 2).passed);
        assert!(!gate(86.0, 84.0, 2).passed);
        let few = gate(86.0, 84.0, 1);
        assert!(few.passed && few.found == 1.0);
        assert!(few.says.contains("from 2 on"), "{}", few.says);
        assert!(NightlyComparison::gate(None, &settings).passed);
    }
}
