//! The distribution of the regressors' quantiles, and its inverse: a power of time up to the first
//! one, lines between them, exponential beyond the last.

use terms::{LEVELS, MEDIAN, N_LEVELS};

use super::graph::{Graph, Value};

// As in the scorer's mixture.
const GAP_HOURS: f64 = 1e-3;
const TAIL_HOURS_MIN: f64 = 6.0;
const TAIL_SHARE: f64 = 1.0 - LEVELS[N_LEVELS - 1];
const POWERS: std::ops::RangeInclusive<f64> = 1.0..=8.0;

/// Of each row.
pub(super) struct QuantileDistribution {
    /// Ascending, a little apart. Shapes: N x `N_LEVELS`.
    quantiles: Value,
    /// Shapes: N x 1, as the others.
    first: Value,
    last: Value,
    power: Value,
    tail_hours: Value,
}

impl QuantileDistribution {
    pub(super) fn new(graph: &mut Graph, quantiles: &Value, tail_ratio: f64) -> Self {
        let quantiles = graph.sorted(quantiles, N_LEVELS);
        let gap = graph.number(GAP_HOURS);
        let mut apart: Vec<Value> = Vec::new();
        for level in 0..N_LEVELS {
            let hours = graph.take_one(&quantiles, level, 1);
            let floor = match apart.last() {
                None => gap.clone(),
                Some(before) => graph.add(before, &gap),
            };
            apart.push(graph.max(&hours, &floor));
        }
        let quantiles = graph.concat(&apart.iter().collect::<Vec<_>>(), 1);
        let (first, last) = (apart[0].clone(), apart[N_LEVELS - 1].clone());

        let width = graph.sub(&last, &apart[MEDIAN]);
        let tail_ratio = graph.number(tail_ratio);
        let tail_hours = graph.mul(&tail_ratio, &width);
        let least = graph.number(TAIL_HOURS_MIN);
        let tail_hours = graph.max(&tail_hours, &least);

        let ratio = graph.div(&apart[1], &first);
        let ratio = graph.node("Log", &[&ratio]);
        let of_levels = graph.number((LEVELS[1] / LEVELS[0]).ln());
        let power = graph.div(&of_levels, &ratio);
        let power = graph.clamp(&power, *POWERS.start(), *POWERS.end());
        Self { quantiles, first, last, power, tail_hours }
    }

    /// 1 - G. Shapes: `hours` and the result N x n, or 1 x n for the same hours of all rows.
    pub(super) fn survival(&self, graph: &mut Graph, hours: &Value) -> Value {
        let one = graph.number(1.0);
        let zero = graph.number(0.0);
        let quantiles = graph.unsqueeze(&self.quantiles, 1);
        let each = graph.unsqueeze(hours, 2);
        let is_past = graph.at_most(&quantiles, &each);
        let above = graph.count(&is_past, 2);

        let since = graph.max(hours, &zero);
        let share = graph.div(&since, &self.first);
        let share = graph.node("Pow", &[&share, &self.power]);
        let level = graph.number(LEVELS[0]);
        let share = graph.mul(&level, &share);
        let before = graph.sub(&one, &share);

        let excess = graph.sub(hours, &self.last);
        let excess = graph.node("Neg", &[&excess]);
        let excess = graph.div(&excess, &self.tail_hours);
        let left = graph.node("Exp", &[&excess]);
        let share = graph.number(TAIL_SHARE);
        let beyond = graph.mul(&share, &left);

        let piece = Piece::new(graph, &self.quantiles, &above);
        let rise = graph.sub(&piece.to, &piece.from);
        let way = graph.sub(hours, &piece.low);
        let rise = graph.mul(&rise, &way);
        let width = graph.sub(&piece.high, &piece.low);
        let rise = graph.div(&rise, &width);
        let level = graph.add(&piece.from, &rise);
        let between = graph.sub(&one, &level);

        let last_level = graph.number(N_LEVELS as f64);
        let is_beyond = graph.at_most(&last_level, &above);
        let is_before = graph.at_most(&above, &zero);
        let after = graph.choose(&is_beyond, &beyond, &between);
        graph.choose(&is_before, &before, &after)
    }

    /// The hours at which 1 - G is `left`. Shapes: N x n.
    pub(super) fn quantile(&self, graph: &mut Graph, left: &Value) -> Value {
        let one = graph.number(1.0);
        let zero = graph.number(0.0);
        let share = graph.number(TAIL_SHARE);
        let odds = graph.div(&share, left);
        let logarithm = graph.node("Log", &[&odds]);
        let excess = graph.mul(&self.tail_hours, &logarithm);
        let beyond = graph.add(&self.last, &excess);

        let level = graph.sub(&one, left);
        let each = graph.unsqueeze(&level, 2);
        let levels = graph.doubles(&[1, 1, N_LEVELS], &LEVELS);
        let is_past = graph.at_most(&levels, &each);
        let above = graph.count(&is_past, 2);

        let part = graph.max(&level, &zero);
        let first_level = graph.number(LEVELS[0]);
        let part = graph.div(&part, &first_level);
        let root = graph.div(&one, &self.power);
        let part = graph.node("Pow", &[&part, &root]);
        let before = graph.mul(&self.first, &part);

        let piece = Piece::new(graph, &self.quantiles, &above);
        let width = graph.sub(&piece.high, &piece.low);
        let way = graph.sub(&level, &piece.from);
        let way = graph.mul(&width, &way);
        let rise = graph.sub(&piece.to, &piece.from);
        let way = graph.div(&way, &rise);
        let between = graph.add(&piece.low, &way);

        let is_before = graph.at_most(&above, &zero);
        let within = graph.choose(&is_before, &before, &between);
        let is_beyond = graph.at_most(left, &share);
        graph.choose(&is_beyond, &beyond, &within)
    }
}

/// The quantiles and levels between which something is.
struct Piece {
    low: Value,
    high: Value,
    from: Value,
    to: Value,
}

impl Piece {
    /// `above` is how many quantiles are at or below; at either end the piece is empty.
    fn new(graph: &mut Graph, quantiles: &Value, above: &Value) -> Self {
        let (zero, one) = (graph.number(0.0), graph.number(1.0));
        let last = graph.number((N_LEVELS - 1) as f64);
        let below = graph.sub(above, &one);
        let below = graph.max(&below, &zero);
        let below = graph.cast_to_i64(&below);
        let above = graph.min(above, &last);
        let above = graph.cast_to_i64(&above);
        let levels = graph.doubles(&[N_LEVELS], &LEVELS);
        Self {
            low: graph.pick(quantiles, &below, 1),
            high: graph.pick(quantiles, &above, 1),
            from: graph.take(&levels, &below, 0),
            to: graph.take(&levels, &above, 0),
        }
    }
}
