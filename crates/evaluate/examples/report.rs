//! Writes the report of an invented evaluation: `cargo run -p evaluate --example report out.html`.
//!
//! The invented orders are of 12 weeks on six lanes, with a strike in the eighth week, and a last week
//! whose outcomes are not all known. The model predicts lanes well and not the strike.
#![expect(clippy::disallowed_methods, reason = "an example measures and writes")]

use std::error::Error;

use evaluate::baseline::{self, PastDeliveries};
use evaluate::{
    Comparison, Drift, Forecast, GateSettings, HazardRatios, ReportExtras, SegmentFamily, Settings,
    Shipments, evaluate, report,
};
use terms::{AsOf, DAYS_AHEAD, DayGrid, Instant, LEVELS, N_LEVELS, Outcome};

const LANES: [(&str, f64); 6] = [
    ("SP-SP", 60.0),
    ("SP-RJ", 130.0),
    ("SP-MG", 160.0),
    ("RJ-BA", 260.0),
    ("SP-CE", 330.0),
    ("SP-AM", 480.0),
];
const DAYS: i64 = 84;
const PER_DAY: usize = 80;
const STRIKE: std::ops::Range<i64> = 49..56;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "report.html".into());
    let origin: AsOf = "2018-02-05".parse()?;
    let past = Orders::new(origin.plus_days(-60), 60, 1);
    let orders = Orders::new(origin, DAYS, 2);
    let known_at = vec![origin.plus_days(-1).instant(); past.hours.len()];
    let past_deliveries = PastDeliveries {
        lanes: &past.lanes,
        known_at: &known_at,
        hours: &past.hours,
        days: DayGrid::DAILY,
    };
    let global = baseline::global_quantiles(&past_deliveries, origin, orders.hours.len())?;
    let lane = baseline::lane_median_28d(&past_deliveries, origin, &orders.lanes)?;
    let shipments = orders.shipments();
    let promise = baseline::promise(&shipments.promised_hours, &global)?;
    let baselines: Vec<Forecast> = promise.into_iter().chain([lane, global]).collect();
    let candidates =
        [orders.forecast("boost", 0.42, 1.0), orders.forecast("extra_trees", 0.55, 1.05)];
    let champion = orders.forecast("2018-01-29", 0.5, 0.93);
    let comparison = Comparison {
        shipments: &shipments,
        candidates: &candidates,
        chosen: None,
        champion: Some(&champion),
        baselines: &baselines,
    };
    let evaluation = evaluate(&comparison, &Settings::default(), Some(&GateSettings::default()))?;
    let text = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let header = [
        text("Pipeline", "pipelines/demo.toml"),
        text("As of", "2018-05-01"),
        text("Orders", "204,118 rows, 2017-11-02 to 2018-04-30"),
        text("Quarantined", "611 delivered before handover, 87 without a weight"),
        text("Seed", "7"),
    ];
    let importance = ["lane_km50_28d", "distance_km", "seller_handle50", "day_of_week", "weight_g"];
    let importance: Vec<(String, f64)> = importance
        .iter()
        .zip([40.0, 25.0, 18.0, 4.0, 1.5])
        .map(|(n, g)| (n.to_string(), g))
        .collect();
    let drift = Drift {
        dates: "order week".to_owned(),
        level: (0..DAYS / 7)
            .map(|week| {
                let slow = if STRIKE.contains(&(7 * week)) { 40.0 } else { 0.0 };
                (origin.plus_days(7 * week).to_string(), Some(160.0 + slow - week as f64))
            })
            .collect(),
        recalibrations: vec![(
            origin.to_string(),
            HazardRatios { stretch: 0.4, ratios: vec![1.1, 1.08, 1.0, 0.97, 0.95, 0.9, 0.92, 0.8] },
        )],
    };
    let extras = ReportExtras {
        title: "Delivery time: demo, as of 2018-05-01".to_owned(),
        header: header.to_vec(),
        gate_rules: "distance_km <= 83.5\n├─ yes: carrier is one of {north, east}\n│  ├─ yes: within 2 days  (n 8,114, purity 0.91)\n│  └─ no:  over 2 days    (n 3,201, purity 0.77)\n└─ no:  over 2 days       (n 41,009, purity 0.98)".to_owned(),
        importance,
        drift: Some(drift),
        ..Default::default()
    };
    std::fs::write(&path, report(&evaluation, &extras))?;
    std::fs::write(format!("{path}.metrics.json"), evaluation.to_json()?)?;
    Ok(())
}

/// Orders with a lane, a log-normal delivery time, and the part of it that a model can predict.
struct Orders {
    ordered_at: Vec<Instant>,
    lanes: Vec<[&'static str; 1]>,
    /// The part of the delivery time that can be predicted.
    predictable: Vec<f64>,
    hours: Vec<f32>,
    days: Vec<i64>,
}

impl Orders {
    fn new(from: AsOf, days: i64, seed: u64) -> Self {
        let mut random = Random(seed);
        let mut orders = Self {
            ordered_at: Vec::new(),
            lanes: Vec::new(),
            predictable: Vec::new(),
            hours: Vec::new(),
            days: Vec::new(),
        };
        for day in 0..days {
            for _ in 0..PER_DAY {
                let (lane, typical) = LANES[(random.uniform().powi(2) * 6.0) as usize % 6];
                let predictable = typical * (0.45 * random.normal()).exp();
                let strike = if STRIKE.contains(&day) { 1.5 } else { 1.0 };
                orders.ordered_at.push(from.plus_days(day).instant());
                orders.lanes.push([lane]);
                orders.predictable.push(predictable);
                orders.hours.push((predictable * strike * (0.4 * random.normal()).exp()) as f32);
                orders.days.push(day);
            }
        }
        orders
    }

    fn shipments(&self) -> Shipments {
        // The last outcomes that are known are those of the day after the last order.
        let outcome = |(hours, day): (&f32, &i64)| {
            let age = (24 * (DAYS + 9 - day)) as f32;
            if *hours < age { Outcome::Delivered(*hours) } else { Outcome::Censored(age) }
        };
        let band = |hours: &f64| match hours {
            ..100.0 => "near",
            100.0..300.0 => "middle",
            _ => "far",
        };
        let family = |name: &str, values: Vec<&str>| SegmentFamily {
            name: name.into(),
            values: values.into_iter().map(str::to_owned).collect(),
        };
        let when = |day: &i64| if STRIKE.contains(day) { "strike" } else { "ordinary" };
        Shipments {
            ordered_at: self.ordered_at.clone(),
            outcomes: self.hours.iter().zip(&self.days).map(outcome).collect(),
            promised_hours: self
                .predictable
                .iter()
                .map(|k| Some((k * 1.3 + 150.0) as f32))
                .collect(),
            grain: terms::Grain::Instant,
            segments: vec![
                family("lane", self.lanes.concat()),
                family("distance band", self.predictable.iter().map(band).collect()),
                family("week", self.days.iter().map(when).collect()),
            ],
        }
    }

    fn forecast(&self, name: &str, sigma: f64, scale: f64) -> Forecast {
        let quantile = |predictable: f64, z: f64| (predictable * scale * (sigma * z).exp()) as f32;
        let by_day = |predictable: f64| {
            let mut days = [0.0; DAYS_AHEAD];
            for (day, p) in days.iter_mut().enumerate() {
                let z = (24.0 * (day + 1) as f64 / (predictable * scale)).ln() / sigma;
                *p = (1.0 / (1.0 + (-1.702 * z).exp())) as f32;
            }
            days
        };
        let by_day: Vec<[f32; DAYS_AHEAD]> = self.predictable.iter().map(|k| by_day(*k)).collect();
        let hours =
            |k: &f64| -> [f32; N_LEVELS] { LEVELS.map(|p| quantile(*k, normal_quantile(p))) };
        Forecast {
            name: name.into(),
            hours: self.predictable.iter().map(hours).collect(),
            probability_over_2d: Some(by_day.iter().map(|p| 1.0 - p[1]).collect()),
            probability_by_day: Some(by_day),
            days: DayGrid::DAILY,
        }
    }
}

/// The logistic approximation of the normal quantile, close enough for a picture.
fn normal_quantile(level: f64) -> f64 {
    (level / (1.0 - level)).ln() / 1.702
}

/// Numbers that look random.
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}
