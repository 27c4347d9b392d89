//! Gate and quantiles as one distribution, and the numbers of it that are published.

use terms::{DAYS_AHEAD, DayGrid, Grain, LEVELS, N_LEVELS, TWO_DAYS_HOURS, column};

use super::graph::{Graph, Value};
use super::quantile_distribution::QuantileDistribution;
use super::time_scale::Row;

const DAY_HOURS: f64 = 24.0;
// As in the scorer's mixture.
const PROBABILITY_MIN: f64 = 1e-6;

/// What is published of each row.
pub(super) struct Published {
    /// Shapes: N x 1.
    pub(super) probability_over_2d: Value,
    /// Shapes: N x `N_LEVELS`.
    pub(super) hours: Value,
    /// Shapes: N x `DAYS_AHEAD`.
    pub(super) by_day: Value,
}

/// The moments of deliveries as they are recorded.
enum Recording {
    Instant,
    WholeDays,
    /// With the hour of the day of the order. Shapes: N x 1.
    Date(Value),
}

impl Recording {
    fn new(graph: &mut Graph, grain: Grain, row: &Row<'_>) -> Self {
        match grain {
            Grain::Instant => Self::Instant,
            Grain::WholeDays => Self::WholeDays,
            Grain::Date => Self::Date(order_hour(graph, row)),
        }
    }

    /// Until when everything has happened that is recorded by then. Shapes: `hours` 1 x n; the result
    /// N x n, or 1 x n if it is the same for all rows.
    fn until<const N: usize>(&self, graph: &mut Graph, hours: [f64; N]) -> Value {
        match self {
            Self::Instant => graph.doubles(&[1, N], &hours),
            Self::WholeDays => {
                graph.doubles(&[1, N], &hours.map(|hours| Grain::WholeDays.until(hours, 0.0)))
            }
            Self::Date(since_midnight) => {
                let hours = graph.doubles(&[1, N], &hours);
                let days = days_of(graph, &hours, since_midnight);
                let one = graph.number(1.0);
                let days = graph.add(&days, &one);
                since_order(graph, &days, since_midnight)
            }
        }
    }

    /// What is recorded of a delivery after so many hours. Shapes: N x n.
    fn recorded(&self, graph: &mut Graph, hours: &Value) -> Value {
        let since_midnight = match self {
            Self::Instant => return hours.clone(),
            Self::WholeDays => graph.number(0.0),
            Self::Date(since_midnight) => since_midnight.clone(),
        };
        let days = days_of(graph, hours, &since_midnight);
        let recorded = since_order(graph, &days, &since_midnight);
        let zero = graph.number(0.0);
        graph.max(&recorded, &zero)
    }
}

fn days_of(graph: &mut Graph, hours: &Value, since_midnight: &Value) -> Value {
    let day = graph.number(DAY_HOURS);
    let hours = graph.add(hours, since_midnight);
    let days = graph.div(&hours, &day);
    graph.node("Floor", &[&days])
}

fn since_order(graph: &mut Graph, days: &Value, since_midnight: &Value) -> Value {
    let day = graph.number(DAY_HOURS);
    let hours = graph.mul(days, &day);
    graph.sub(&hours, since_midnight)
}

/// The hour of the day of the order, 0 where it is not known. Shapes: N x 1.
fn order_hour(graph: &mut Graph, row: &Row<'_>) -> Value {
    let zero = graph.number(0.0);
    let Ok((since_monday, _)) = row.feature(graph, column::ORDERED_WEEK_HOURS) else {
        return zero;
    };
    let size = graph.node("Abs", &[&since_monday]);
    let infinity = graph.number(f64::INFINITY);
    let is_finite = graph.below(&size, &infinity);
    let since_monday = graph.choose(&is_finite, &since_monday, &zero);
    let day = graph.number(DAY_HOURS);
    let hour = graph.remainder(&since_monday, &day);
    let is_negative = graph.below(&hour, &zero);
    let other = graph.add(&hour, &day);
    graph.choose(&is_negative, &other, &hour)
}

/// Shapes: `log_odds` N x 1, `quantiles` N x `N_LEVELS`, in hours.
pub(super) fn published(
    graph: &mut Graph,
    log_odds: &Value,
    quantiles: &Value,
    row: &Row<'_>,
    (tail_ratio, grain, days): (f32, Grain, DayGrid),
) -> Published {
    let of_quantiles = QuantileDistribution::new(graph, quantiles, tail_ratio.into());
    let recording = Recording::new(graph, grain, row);
    let two_days = recording.until(graph, [TWO_DAYS_HOURS]);
    let over_of_quantiles = of_quantiles.survival(graph, &two_days);
    let mixture = |graph: &mut Graph, over: &Value| {
        let over = graph.clamp(over, PROBABILITY_MIN, 1.0 - PROBABILITY_MIN);
        let over_of_quantiles = over_of_quantiles.clone();
        Mixture { over, of_quantiles: &of_quantiles, over_of_quantiles, two_days: two_days.clone() }
    };

    // The mean of the gate's log-odds and those of the quantiles.
    let plain = mixture(graph, &over_of_quantiles);
    let probability = plain.survival(graph, &two_days);
    let one = graph.number(1.0);
    let within = graph.sub(&one, &probability);
    let odds = graph.div(&probability, &within);
    let of_odds = graph.node("Log", &[&odds]);
    let sum = graph.add(log_odds, &of_odds);
    let two = graph.number(2.0);
    let mean = graph.div(&sum, &two);
    let inverse = graph.node("Neg", &[&mean]);
    let inverse = graph.node("Exp", &[&inverse]);
    let inverse = graph.add(&one, &inverse);
    let over = graph.div(&one, &inverse);
    let mixture = mixture(graph, &over);

    let zero = graph.number(0.0);
    let hours = mixture.quantiles(graph);
    let hours = graph.max(&hours, &zero);
    let hours = recording.recorded(graph, &hours);
    let points =
        recording.until(graph, std::array::from_fn::<f64, DAYS_AHEAD, _>(|p| days.hours(p)));
    let survival = mixture.survival(graph, &points);
    let by_day = graph.sub(&one, &survival);
    let by_day = graph.max(&by_day, &zero);
    Published {
        probability_over_2d: mixture.survival(graph, &two_days),
        hours: graph.running_max(&hours, N_LEVELS),
        by_day: graph.running_max(&by_day, DAYS_AHEAD),
    }
}

/// The distribution of the quantiles in the proportions of P(more than two days).
struct Mixture<'a> {
    /// Shapes: N x 1, as the others.
    over: Value,
    of_quantiles: &'a QuantileDistribution,
    /// 1 - G after two days.
    over_of_quantiles: Value,
    two_days: Value,
}

impl Mixture<'_> {
    /// 1 - F. Shapes: `hours` 1 x n or N x n; the result N x n.
    fn survival(&self, graph: &mut Graph, hours: &Value) -> Value {
        let one = graph.number(1.0);
        let left = self.of_quantiles.survival(graph, hours);
        let delivered = graph.sub(&one, &left);
        let delivered_of_two_days = graph.sub(&one, &self.over_of_quantiles);
        let share = graph.div(&delivered, &delivered_of_two_days);
        let share = graph.clamp(&share, 0.0, 1.0);
        let within = graph.sub(&one, &self.over);
        let share = graph.mul(&within, &share);
        let up_to = graph.sub(&one, &share);

        let share = graph.div(&left, &self.over_of_quantiles);
        let share = graph.min(&share, &one);
        let after = graph.mul(&self.over, &share);

        let is_within = graph.at_most(hours, &self.two_days);
        let survival = graph.choose(&is_within, &up_to, &after);
        // As `f64::min`: where nothing is delivered within two days, 0 / 0 is all.
        let is_less = graph.below(&survival, &one);
        graph.choose(&is_less, &survival, &one)
    }

    /// The quantiles at all levels. Shapes: N x `N_LEVELS`.
    fn quantiles(&self, graph: &mut Graph) -> Value {
        let one = graph.number(1.0);
        let left = LEVELS.map(|level| (1.0 - level).clamp(f64::MIN_POSITIVE, 1.0));
        let left = graph.doubles(&[1, N_LEVELS], &left);
        let is_within = graph.at_most(&self.over, &left);

        let delivered_of_two_days = graph.sub(&one, &self.over_of_quantiles);
        let delivered = graph.sub(&one, &left);
        let share = graph.mul(&delivered_of_two_days, &delivered);
        let within = graph.sub(&one, &self.over);
        let share = graph.div(&share, &within);
        let left_within = graph.sub(&one, &share);

        let share = graph.mul(&self.over_of_quantiles, &left);
        let left_after = graph.div(&share, &self.over);

        let left = graph.choose(&is_within, &left_within, &left_after);
        let hours = self.of_quantiles.quantile(graph, &left);
        let (up_to, after) = (graph.min(&hours, &self.two_days), graph.max(&hours, &self.two_days));
        graph.choose(&is_within, &up_to, &after)
    }
}
