//! The command `speed`: how fast a lane delivers, and whether by a date, from the lane speed table of the
//! newest night.

use std::collections::BTreeMap;

use anyhow::Result;
use scorer::{Lane, LaneGrouping, LaneSpeed, SpeedTable};
use serde_json::json;
use store::Store;
use terms::{HOUR_MICROS, Instant, LEVELS, MEDIAN, N_LEVELS, column, count};

use crate::command_output::{CommandOutput, envelope};
use crate::deadline::Deadline;
use crate::flags::Speed;
use crate::predictions_folder::{self, PredictionsManifest};
use crate::refusal::Refusal;
use crate::stages::SPEED_LOOKUP;

/// The level of the quantile that is shown beside the median: 90%.
const LATE: usize = N_LEVELS - 2;

/// Looks a lane up.
///
/// # Errors
/// If nothing was scored yet, several pipelines have scored and none is named, or the table is not what
/// was written.
pub(crate) fn run(store: &Store, flags: &Speed) -> Result<CommandOutput> {
    let night = predictions_folder::latest(store, flags.pipeline.as_deref())?;
    let table = SpeedTable::from_bytes(bytes(store, &night)?)?;
    let lane = lane(flags);
    let answer = Answer {
        ordered_at: flags.ordered_at.unwrap_or(table.header().as_of),
        by: flags.by,
        at_least: flags.at_least,
        speed: table.lookup(&lane),
        lane: &lane,
        night: &night,
    };
    Ok(CommandOutput { json: envelope("speed", answer.json()), text: answer.text(), refused: None })
}

/// The table of a night, verified.
fn bytes(store: &Store, night: &PredictionsManifest) -> Result<Vec<u8>> {
    let path = format!("{}/{SPEED_LOOKUP}", night.folder());
    let digest = night.files.get(SPEED_LOOKUP).ok_or_else(|| Refusal::Missing {
        what: path.clone(),
        expected: format!("orders of the 28 days before {}", night.as_of),
        hint: "longhaul score writes it where there are some".to_owned(),
    })?;
    Ok(store.get_verified(&path, digest)?.to_vec())
}

/// The lane that the flags name.
fn lane(flags: &Speed) -> Lane<'_> {
    Lane {
        origin_zone: flags.from.as_deref(),
        origin_region: flags.from_region.as_deref(),
        destination_zone: flags.to.as_deref(),
        destination_region: flags.to_region.as_deref(),
        carrier: flags.carrier.as_deref(),
        service: flags.service.as_deref(),
        weight_g: flags.weight_g,
    }
}

/// What the table says of a lane.
struct Answer<'a> {
    lane: &'a Lane<'a>,
    speed: LaneSpeed<'a>,
    ordered_at: Instant,
    by: Option<Deadline>,
    /// The least probability with which it counts as arriving.
    at_least: Option<f64>,
    night: &'a PredictionsManifest,
}

impl Answer<'_> {
    /// The probability of delivery by the deadline, if there is one.
    fn probability(&self) -> Option<f64> {
        let hours = self.by?.instant().hours_since(self.ordered_at);
        Some(self.speed.probability_within(hours))
    }

    /// Whether that is enough, if it is said what is.
    fn arrives(&self) -> Option<bool> {
        Some(self.probability()? >= self.at_least?)
    }

    /// The columns that the row is grouped by, with what the request has in them.
    fn grouped_by(&self) -> Vec<(&'static str, String)> {
        let columns = self.speed.grouping().columns().iter();
        let value = |name| self.lane.text(name).map_or("not recorded", |text| text).to_owned();
        columns.map(|&name| (name, value(name))).collect()
    }

    /// Finer groupings of which everything was given, and which have no row for it.
    fn without_a_row(&self) -> Vec<LaneGrouping> {
        let finer = LaneGrouping::ALL.into_iter().take(self.speed.grouping().index());
        let is_given = |grouping: &LaneGrouping| {
            grouping.columns().iter().all(|name| self.lane.text(name).is_some())
        };
        finer.filter(is_given).collect()
    }

    fn within_two_days(&self) -> f64 {
        1.0 - f64::from(self.speed.probability_over_2d())
    }

    fn json(&self) -> serde_json::Value {
        let hours = self.speed.hours();
        json!({
            "pipeline": self.night.pipeline,
            "as_of": self.night.as_of,
            "model_id": self.night.model_id,
            "ordered_at": self.ordered_at.to_string(),
            "grouped_by": self.grouped_by().into_iter().collect::<BTreeMap<_, _>>(),
            "n_shipments": self.speed.n_shipments(),
            "probability_within_two_days": self.within_two_days(),
            "hours": column::HOURS.into_iter().zip(hours).collect::<BTreeMap<_, _>>(),
            "by": self.by.map(|by| by.instant().to_string()),
            "probability": self.probability(),
            "arrives": self.arrives(),
        })
    }

    fn text(&self) -> String {
        let mut lines = Vec::new();
        if let Some((by, probability)) = self.by.zip(self.probability()) {
            let arrives = self.arrives().map_or("", |yes| if yes { ": yes" } else { ": no" });
            lines.push(format!(
                "ordered at {}, delivered by {} with a probability of {probability:.3}{arrives}\n",
                self.ordered_at,
                by.text(),
            ));
        }
        let row = |name: &str, value: String| format!("{name:<17}{value}");
        let named = self.grouped_by().into_iter().map(|(name, value)| format!("{name} {value}"));
        let named: Vec<String> = named.collect();
        let lane = if named.is_empty() { "all shipments".to_owned() } else { named.join(", ") };
        let shipments = count(self.speed.n_shipments() as usize);
        lines.push(row("answered by", lane));
        lines.push(row("which had", format!("{shipments} shipments in 28 days")));
        let finer = self.without_a_row();
        if !finer.is_empty() {
            let names: Vec<String> = finer.into_iter().map(LaneGrouping::name).collect();
            lines.push(row("too few by", names.join("; ")));
        }
        for level in [MEDIAN, LATE] {
            lines.push(row(&format!("{:.0}% within", 100.0 * LEVELS[level]), self.eta(level)));
        }
        lines.push(row("within two days", format!("{:.1}%", 100.0 * self.within_two_days())));
        let (model, as_of) = (&self.night.model_id, self.night.as_of);
        lines.push(row("model", format!("{model}, as of {as_of} ({})", self.night.pipeline)));
        lines.join("\n")
    }

    /// A quantile in days, and the day on which it falls.
    fn eta(&self, level: usize) -> String {
        let hours = f64::from(self.speed.hours()[level]);
        let micros = (hours * HOUR_MICROS as f64) as i64;
        let at = Instant::from_micros(self.ordered_at.micros().saturating_add(micros));
        format!("{:.1} days, on {}", hours / 24.0, at.day())
    }
}
