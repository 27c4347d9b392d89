//! The plots of the level of the network and of recalibrations: how delivery times changed, and how
//! forecasts were corrected for it.

use maud::{Markup, html};
use serde::{Deserialize, Serialize};

use super::chart::{Axis, Chart};
use super::format::{number, percent};
use super::series::{DOTTED_DATES, WHOLE, captioned, dates_axis, percent_tick, tick};
use crate::tally::DAY_HOURS;

/// The axis of ratios goes at most from the first and at least to the second.
const RATIO_ENDS: (f64, f64) = (0.8, 1.2);

/// About how many stretches have a tick.
const STRETCH_TICKS: usize = 8;

/// How delivery times changed, and how models were corrected for it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Drift {
    /// What the dates are: `order week`, `origin`.
    pub dates: String,
    /// The level of the network by date, in the order of time; none where it is not known. Units:
    /// hours.
    pub level: Vec<(String, Option<f64>)>,
    /// The recalibration of each model by date, in the order of time. One alone is shown by stretch,
    /// several over time; those that all change nothing are left out.
    pub recalibrations: Vec<(String, HazardRatios)>,
}

/// The hazard of delivery as a multiple of the predicted one, by stretch of the predicted cumulative
/// hazard: 1 is as predicted, above it deliveries come faster.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct HazardRatios {
    /// The length of a stretch.
    pub stretch: f64,
    /// The ratio of each stretch from 0 on; the last one goes on without end. None: no correction.
    pub ratios: Vec<f64>,
}

impl HazardRatios {
    fn is_identity(&self) -> bool {
        self.ratios.iter().all(|&ratio| ratio == 1.0)
    }

    fn geometric_mean(&self) -> f64 {
        let logarithms: f64 = self.ratios.iter().map(|ratio| ratio.ln()).sum();
        (logarithms / self.ratios.len().max(1) as f64).exp()
    }

    /// The share that is predicted to be delivered where a stretch begins; after the last one all.
    fn delivered_at(&self, stretch: usize) -> f64 {
        if stretch == self.ratios.len() {
            return 1.0;
        }
        1.0 - (-self.stretch * stretch as f64).exp()
    }
}

/// Level and recalibration; none if there is nothing to show.
pub(crate) fn plots(drift: &Drift) -> Option<Markup> {
    let recalibration = match drift.recalibrations.as_slice() {
        all if all.iter().all(|(_, ratios)| ratios.is_identity()) => None,
        [(trained_as_of, ratios)] => Some(by_stretch(trained_as_of, ratios)),
        several => Some(by_date(&drift.dates, several)),
    };
    let shown = [level(drift), recalibration];
    let any = shown.iter().any(Option::is_some);
    any.then(|| html! { @for plot in shown.iter().flatten() { (plot) } })
}

fn level(drift: &Drift) -> Option<Markup> {
    let dates: Vec<&str> = drift.level.iter().map(|(date, _)| date.as_str()).collect();
    let days = drift.level.iter().map(|(_, hours)| hours.map(|hours| hours / DAY_HOURS));
    let line = Line { style: "s0", name: String::new(), values: days.collect() };
    let known = || line.values.iter().flatten().copied();
    let (least, highest) = (known().reduce(f64::min)?, known().reduce(f64::max)?);
    let (width, height) = WHOLE;
    let chart = Chart {
        id: "level",
        title: "Level of the network",
        description: format!(
            "Level of the network in days by {}: from {} to {} days.",
            drift.dates,
            number(least, 2),
            number(highest, 2),
        ),
        width,
        height,
        x: dates_axis(&dates, &drift.dates),
        y: Axis::over(0.0, highest, "level, days", |value| tick(value, highest)),
    };
    Some(captioned(
        chart.title,
        "The median delivery time at the pace of the days before an order, open shipments \
         included; the median over the orders of a week.",
        &chart.draw(&line.draw(&chart, &dates, " days")),
        &[],
    ))
}

/// One model's ratios. A stretch is as wide as another: that is the scale of cumulative hazard.
fn by_stretch(trained_as_of: &str, recalibration: &HazardRatios) -> Markup {
    let ratios = &recalibration.ratios;
    let boundaries = (0..=ratios.len()).rev().step_by(ratios.len().div_ceil(STRETCH_TICKS));
    let ticks = boundaries
        .map(|boundary| (boundary as f64, percent_tick(recalibration.delivered_at(boundary))));
    // Space for the texts of the ticks at both ends.
    let (end, space) = (ratios.len() as f64, ratios.len() as f64 / 40.0);
    let x = Axis {
        low: -space,
        high: end + space,
        ticks: ticks.collect(),
        title: "share predicted to be delivered".to_owned(),
    };
    let (width, height) = WHOLE;
    let says: Vec<String> = ratios
        .iter()
        .enumerate()
        .map(|(stretch, &ratio)| {
            let [from, to] =
                [stretch, stretch + 1].map(|at| percent(recalibration.delivered_at(at)));
            format!("{from} to {to} predicted: {}", number(ratio, 2))
        })
        .collect();
    let chart = Chart {
        id: "recalibration",
        title: "Recalibration by period",
        description: format!("Hazard over predicted hazard. {}.", says.join("; ")),
        width,
        height,
        x,
        y: ratio_axis(ratios.iter().copied()),
    };
    let steps: Vec<(f64, f64)> = ratios
        .iter()
        .enumerate()
        .flat_map(|(stretch, &ratio)| [stretch, stretch + 1].map(|x| (x as f64, ratio)))
        .collect();
    let marks = html! {
        (as_predicted(&chart))
        (chart.line(&steps, "s0"))
        @for ((stretch, &ratio), says) in ratios.iter().enumerate().zip(&says) {
            (chart.dot((stretch as f64 + 0.5, ratio), "s0", says))
        }
    };
    captioned(
        chart.title,
        &format!(
            "By how much the model trained as of {trained_as_of} multiplies the hazard of delivery, \
             by how far a shipment is through its predicted distribution. On the dashed line, 1, \
             deliveries of the weeks before came as predicted; above it they came faster, and \
             forecasts are made shorter by that; below it slower.",
        ),
        &chart.draw(&marks),
        &[],
    )
}

/// The ratios of several models over time: all stretches together, the first and the last.
fn by_date(of: &str, recalibrations: &[(String, HazardRatios)]) -> Markup {
    let dates: Vec<&str> = recalibrations.iter().map(|(date, _)| date.as_str()).collect();
    let values = |value: fn(&HazardRatios) -> f64| {
        recalibrations.iter().map(|(_, ratios)| Some(value(ratios))).collect()
    };
    let named = recalibrations.iter().map(|(_, ratios)| ratios).find(|one| !one.ratios.is_empty());
    let share = |at: fn(&HazardRatios) -> usize| {
        percent_tick(named.map_or(0.0, |ratios| ratios.delivered_at(at(ratios))))
    };
    let lines = [
        Line {
            style: "s0",
            name: "all stretches (geometric mean)".to_owned(),
            values: values(HazardRatios::geometric_mean),
        },
        Line {
            style: "s1",
            name: format!("first stretch, up to {} predicted to be delivered", share(|_| 1)),
            values: values(|one| one.ratios.first().copied().unwrap_or(1.0)),
        },
        Line {
            style: "s2",
            name: format!("last stretch, from {} on", share(|one| one.ratios.len() - 1)),
            values: values(|one| one.ratios.last().copied().unwrap_or(1.0)),
        },
    ];
    let all = || lines.iter().flat_map(|line| &line.values).flatten().copied();
    let (width, height) = WHOLE;
    let chart = Chart {
        id: "recalibration",
        title: "Recalibration by period over time",
        description: format!(
            "Hazard over predicted hazard by {of}, of all stretches of the predicted distribution, \
             the first and the last; the dashed line is 1.",
        ),
        width,
        height,
        x: dates_axis(&dates, of),
        y: ratio_axis(all()),
    };
    let marks = html! {
        (as_predicted(&chart))
        @for line in lines.iter().rev() { (line.draw(&chart, &dates, "")) }
    };
    let legend: Vec<(String, String)> =
        lines.iter().map(|line| (line.style.to_owned(), line.name.clone())).collect();
    captioned(
        chart.title,
        "By how much the model used from each date on multiplies the hazard of delivery. On the \
         dashed line, 1, deliveries of the weeks before its training came as predicted; above it \
         they came faster, and forecasts are made shorter by that; below it slower.",
        &chart.draw(&marks),
        &legend,
    )
}

/// One value of each date.
struct Line {
    style: &'static str,
    name: String,
    values: Vec<Option<f64>>,
}

impl Line {
    fn draw(&self, chart: &Chart, dates: &[&str], unit: &str) -> Markup {
        let known = self.values.iter().enumerate();
        let points: Vec<(f64, f64)> =
            known.filter_map(|(x, value)| Some((x as f64, (*value)?))).collect();
        html! {
            (chart.line(&points, self.style))
            @if dates.len() <= DOTTED_DATES {
                @for &(x, value) in &points {
                    (chart.dot((x, value), self.style, &format!(
                        "{}{}: {}{unit}",
                        dates[x as usize],
                        if self.name.is_empty() { String::new() } else { format!(", {}", self.name) },
                        number(value, 2),
                    )))
                }
            }
        }
    }
}

/// The line of ratio 1.
fn as_predicted(chart: &Chart) -> Markup {
    chart.line(&[(chart.x.low, 1.0), (chart.x.high, 1.0)], "reference")
}

fn ratio_axis(ratios: impl Iterator<Item = f64>) -> Axis {
    let (least, most) = ratios
        .fold(RATIO_ENDS, |(least, most), ratio| (f64::min(least, ratio), f64::max(most, ratio)));
    Axis::over(least, most, "hazard over predicted", |value| number(value, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratios(ratios: &[f64]) -> HazardRatios {
        HazardRatios { stretch: 0.4, ratios: ratios.to_vec() }
    }

    fn drift(level: &[Option<f64>], recalibrations: &[HazardRatios]) -> Drift {
        let date = |index: usize| format!("2026-01-{:02}", index + 1);
        Drift {
            dates: "origin".to_owned(),
            level: level.iter().enumerate().map(|(at, hours)| (date(at), *hours)).collect(),
            recalibrations: recalibrations
                .iter()
                .enumerate()
                .map(|(at, ratios)| (date(at), ratios.clone()))
                .collect(),
        }
    }

    fn page(drift: &Drift) -> String {
        plots(drift).map_or_else(String::new, |markup| markup.into_string())
    }

    #[test]
    fn the_level_is_drawn_in_days_and_a_date_without_one_has_no_dot() {
        let page = page(&drift(&[Some(120.0), None, Some(240.0)], &[]));
        assert!(page.contains("2026-01-01: 5.00 days"), "{page}");
        assert!(page.contains("2026-01-03: 10.00 days") && !page.contains("2026-01-02: "));
        assert!(page.contains("from 5.00 to 10.00 days"));
        assert!(!page.contains("Recalibration"));
    }

    #[test]
    fn one_recalibration_is_by_stretch_and_several_are_over_time() {
        let one = page(&drift(&[], &[ratios(&[1.5, 0.5])]));
        // -ln(1 - 0.33) = 0.4.
        for text in ["0.0% to 33.0% predicted: 1.50", "33.0% to 100.0% predicted: 0.50"] {
            assert!(one.contains(text), "{text}: {one}");
        }
        assert!(one.contains("the model trained as of 2026-01-01 multiplies"));
        assert!(!one.contains("Level of the network") && !one.contains("over time"));

        let none = HazardRatios { stretch: 1.0, ratios: Vec::new() };
        let several = page(&drift(&[], &[none, ratios(&[1.6, 1.0, 0.625 * 1.331])]));
        for text in [
            "2026-01-01, all stretches (geometric mean): 1.00",
            "2026-01-02, all stretches (geometric mean): 1.10",
            "2026-01-02, first stretch, up to 33% predicted to be delivered: 1.60",
            "2026-01-02, last stretch, from 55% on: 0.83",
        ] {
            assert!(several.contains(text), "{text}: {several}");
        }
    }

    #[test]
    fn without_level_and_correction_nothing_is_shown() {
        assert!(plots(&Drift::default()).is_none());
        let nothing = drift(&[None, None], &[ratios(&[1.0, 1.0]), ratios(&[])]);
        assert!(plots(&nothing).is_none());
    }

    #[test]
    fn each_of_many_stretches_is_drawn_and_some_have_a_tick() {
        let many: Vec<f64> = (0..100).map(|stretch| 1.0 + f64::from(stretch) / 100.0).collect();
        let page = page(&drift(&[], &[ratios(&many)]));
        assert_eq!(page.matches("<circle").count(), 100);
        assert!(page.contains("100%</text>") && page.matches("%</text>").count() <= 9, "{page}");
    }
}
