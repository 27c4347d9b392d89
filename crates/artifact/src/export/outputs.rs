//! What the exported model gives for a row: the names of the columns, and what they are.

use terms::{DAYS_AHEAD, DayGrid, LEVELS, column};

/// An output: its name, and what it is.
pub(super) type Output = (String, String);

/// The probability that the gate and the quantiles agree on.
pub(super) fn over_2d() -> Vec<Output> {
    vec![(column::PROBABILITY_OVER_2D.into(), "P(delivery takes more than two days)".into())]
}

/// The quantiles, ascending.
pub(super) fn hours() -> Vec<Output> {
    let output = |(name, level): (&str, f64)| {
        (name.to_owned(), format!("Hours from the order, quantile {level} of delivery time"))
    };
    column::HOURS.into_iter().zip(LEVELS).map(output).collect()
}

/// The distribution function, by days from the order.
pub(super) fn by_day(days: DayGrid) -> Vec<Output> {
    let output = |point: usize| {
        let day = days.day(point);
        (format!("probability_by_day_{day}"), format!("P(delivered within {day} days)"))
    };
    (0..DAYS_AHEAD).map(output).collect()
}

/// All of them, in their order.
pub(super) fn all(days: DayGrid) -> Vec<Output> {
    [over_2d(), hours(), by_day(days)].concat()
}
