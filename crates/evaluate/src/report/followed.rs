//! The forecasts of a few delivered shipments from order to delivery, night by night, as plots.

use maud::{Markup, html};
use serde::{Deserialize, Serialize};
use terms::count;

use super::chart::{Axis, Chart, legend};
use super::format::{number, percent};
use super::series::captioned;
use crate::tally::DAY_HOURS;

/// Two of these are shown side by side.
const HALF: (f64, f64) = (500.0, 340.0);

/// Styles of the lines, and what they show.
const LEGEND: [(&str, &str); 3] =
    [("s0", "median"), (DELIVERED, "delivered"), (PROMISED, "promised")];
const DELIVERED: &str = "s2";
const PROMISED: &str = "s4";

/// What the plots are called in the page, one after the other.
const IDS: [&str; 4] = ["followed-1", "followed-2", "followed-3", "followed-4"];

/// Shipments whose forecasts are shown night by night, and how they were chosen.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Followed {
    /// How many shipments they were chosen from.
    pub chosen_from: usize,
    /// The share of all shipments of which every night is kept.
    pub share: f64,
    /// On so many nights at least they were open.
    pub nights_min: usize,
    /// By delivery time; at most as many as there are plots for.
    pub shipments: Vec<FollowedShipment>,
}

/// The forecasts of a delivered shipment. Units: hours from its order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FollowedShipment {
    /// Its key.
    pub shipment_id: String,
    /// The quantile of the delivery times that it is nearest to: 0 to 1.
    pub quantile: f64,
    /// The day of its order.
    pub ordered_on: String,
    /// When it was delivered.
    pub delivered: f64,
    /// What was promised, if anything was.
    pub promised: Option<f64>,
    /// What happened to it before, as it was on record on one of the nights: when, and what.
    pub milestones: Vec<(f64, String)>,
    /// By age: at the order, then each night on which it was open as far as was known.
    pub forecasts: Vec<ForecastAtAge>,
}

/// What was forecast at an age. Units: hours from the order.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ForecastAtAge {
    /// When.
    pub age: f64,
    /// From where the 80% interval goes.
    pub low: f64,
    /// The median.
    pub median: f64,
    /// To where the interval goes.
    pub high: f64,
}

/// A plot of each of them.
pub(crate) fn followed(followed: &Followed) -> Markup {
    if followed.shipments.is_empty() {
        return html! {};
    }
    html! {
        h3 { "From order to delivery, night by night" }
        p {
            "Every night is kept of " (percent(followed.share)) " of all shipments, whichever they are. Of "
            "those of them that were ordered during the hold-out, were open on at least "
            (followed.nights_min) " nights and are delivered (" (count(followed.chosen_from)) "), shown are those "
            "whose delivery time is nearest to these percentiles of the delivery times of the hold-out. The "
            "first forecast is by the model of orders, those of the nights are by the model of what is in "
            "flight, both as of the start of the hold-out. Dots are the medians, the shaded area is the 80% "
            "interval; below the diagonal lies what had passed."
        }
        (legend(&LEGEND.map(|(style, name)| (style.to_owned(), name.to_owned()))))
        div.pair {
            @for (shipment, id) in followed.shipments.iter().zip(IDS) { (plot(shipment, id)) }
        }
    }
}

fn plot(shipment: &FollowedShipment, id: &'static str) -> Markup {
    let days = |hours: f64| hours / DAY_HOURS;
    let forecasts = &shipment.forecasts;
    let last = forecasts.iter().map(|forecast| forecast.age).fold(shipment.delivered, f64::max);
    let latest = forecasts.iter().map(|forecast| forecast.high).fold(last, f64::max);
    let says = format!("Nearest to the {}th percentile", number(100.0 * shipment.quantile, 0));
    let whole = |value: f64| number(value, 0);
    let chart = Chart {
        id,
        title: "Forecasts of a shipment, night by night",
        description: format!(
            "Median and 80% interval of the delivery of {} by its age, and when it was delivered: after {} \
             days.",
            shipment.shipment_id,
            number(days(shipment.delivered), 1),
        ),
        width: HALF.0,
        height: HALF.1,
        x: Axis::over(0.0, days(last), "age, days since the order", whole),
        y: Axis::over(0.0, days(latest), "delivery, days since the order", whole),
    };
    let line = |of: &dyn Fn(&ForecastAtAge) -> f64| -> Vec<(f64, f64)> {
        forecasts.iter().map(|forecast| (days(forecast.age), days(of(forecast)))).collect()
    };
    let delivered = days(shipment.delivered);
    // What lies below the diagonal has passed.
    let now = chart.x.high.min(chart.y.high);
    let marks = html! {
        (chart.line(&[(0.0, 0.0), (now, now)], "now"))
        (chart.area(&line(&|forecast| forecast.low), &line(&|forecast| forecast.high), "s0"))
        @if let Some(promised) = shipment.promised.map(days).filter(|days| *days <= chart.y.high) {
            (chart.line(&[(chart.x.low, promised), (chart.x.high, promised)], PROMISED))
        }
        (chart.line(&[(chart.x.low, delivered), (chart.x.high, delivered)], DELIVERED))
        @for (level, (hours, name)) in shipment.milestones.iter().enumerate() {
            (chart.milestone(days(*hours), level, name))
        }
        (chart.line(&line(&|forecast| forecast.median), "s0"))
        @for forecast in forecasts {
            (chart.dot((days(forecast.age), days(forecast.median)), "s0", &format!(
                "after {} days: {} days, 80% from {} to {}",
                number(days(forecast.age), 1), number(days(forecast.median), 1),
                number(days(forecast.low), 1), number(days(forecast.high), 1),
            )))
        }
    };
    let promise = match shipment.promised.map(days) {
        Some(promised) if promised <= chart.y.high => {
            format!(", promised after {} days", number(promised, 1))
        }
        Some(promised) => format!(", promised after {} days (off the scale)", number(promised, 1)),
        None => String::new(),
    };
    let note = format!(
        "Ordered on {}{promise}, delivered after {} days.",
        shipment.ordered_on,
        number(delivered, 1),
    );
    captioned(&says, &note, &chart.draw(&marks), &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn shipment(delivered: f64) -> FollowedShipment {
        let at = |age: f64| ForecastAtAge {
            age,
            low: age.max(delivered - 30.0),
            median: age.max(delivered),
            high: age.max(delivered) + 40.0,
        };
        FollowedShipment {
            shipment_id: "<s1>".to_owned(),
            quantile: 0.8,
            ordered_on: "2026-01-05".to_owned(),
            delivered,
            promised: Some(120.0),
            milestones: vec![(20.0, "handed over".to_owned()), (60.0, "<leg 1>".to_owned())],
            forecasts: [0.0, 10.0, 34.0, 58.0, 82.0].map(at).to_vec(),
        }
    }

    #[test]
    fn a_plot_has_a_dot_a_night_and_a_mark_a_milestone() {
        let shown = Followed {
            chosen_from: 12,
            share: 0.01,
            nights_min: 4,
            shipments: vec![shipment(96.0), shipment(150.0)],
        };
        let page = followed(&shown).into_string();
        assert_eq!(page.matches("<svg role=\"img\"").count(), 2);
        assert_eq!(page.matches("<circle class=\"dot s0\"").count(), 11, "ten, and the legend's");
        assert_eq!(page.matches("class=\"milestone\"").count(), 4);
        assert_eq!(page.matches("<polygon class=\"area s0\"").count(), 2);
        for text in [
            "Nearest to the 80th percentile",
            "promised after 5.0 days, delivered after 4.0 days.",
            "&lt;leg 1&gt;",
            "&lt;s1&gt;",
        ] {
            assert!(page.contains(text), "{text}: {page}");
        }
        assert!(!page.contains("<leg") && !page.contains("<s1"));
        // Where the median is, from the lower left corner.
        assert!(page.contains("after 0.4 days: 4.0 days, 80% from 2.8 to 5.7"), "{page}");
    }

    #[test]
    fn a_promise_beyond_the_plot_is_said_and_not_drawn() {
        let far = FollowedShipment { promised: Some(2_400.0), ..shipment(96.0) };
        let of = |shipment: FollowedShipment| plot(&shipment, IDS[0]).into_string();
        assert!(of(far.clone()).contains("promised after 100.0 days (off the scale)"));
        assert!(!of(far).contains("line s4") && of(shipment(96.0)).contains("line s4"));
        let none = FollowedShipment { promised: None, ..shipment(96.0) };
        assert!(!of(none).contains("promise"));
    }

    #[test]
    fn nothing_is_said_where_no_shipment_was_followed() {
        assert_eq!(followed(&Followed::default()).into_string(), "");
    }
}
