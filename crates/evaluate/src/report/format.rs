//! Numbers as text: days, shares and ranges, with a fixed number of decimals.

use crate::bootstrap::Range;
use crate::tally::DAY_HOURS;

/// A number with so many decimals and a true minus sign.
pub(crate) fn number(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        Some(digits) if digits.bytes().all(|byte| matches!(byte, b'0' | b'.')) => digits.to_owned(),
        Some(digits) => format!("−{digits}"),
        None => text,
    }
}

/// Hours as days with two decimals.
pub(crate) fn days(hours: f64) -> String {
    number(hours / DAY_HOURS, 2)
}

/// Hours as days with two decimals and a sign.
pub(crate) fn signed_days(hours: f64) -> String {
    let text = days(hours);
    if text.starts_with('−') || text == "0.00" { text } else { format!("+{text}") }
}

/// A range of hours in days.
pub(crate) fn range_days(range: &Range) -> String {
    format!("{} to {}", days(range.low), days(range.high))
}

/// A share of 1 as a percentage with one decimal.
pub(crate) fn percent(share: f64) -> String {
    format!("{}%", number(100.0 * share, 1))
}

/// A range of shares.
pub(crate) fn range_percent(range: &Range) -> String {
    format!("{} to {}", percent(range.low), percent(range.high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_a_true_minus_sign_and_no_negative_zero() {
        assert_eq!(number(-1.25, 1), "−1.2");
        assert_eq!(number(-0.001, 2), "0.00");
        assert_eq!(days(36.0), "1.50");
        assert_eq!(signed_days(36.0), "+1.50");
        assert_eq!(signed_days(-0.01), "0.00");
        assert_eq!(percent(0.8049), "80.5%");
    }
}
