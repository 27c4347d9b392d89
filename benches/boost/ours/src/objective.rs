//! The objective of a run: what it trains.

use std::str::FromStr;

use anyhow::{Error, bail};

/// The nine levels of the product.
pub const NINE: [f64; 9] = [0.05, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 0.95];

/// `squared`, `quantile:0.9`, `quantiles9`, or `over:48`.
#[derive(Clone, Debug)]
pub enum Objective {
    /// The mean.
    Squared,
    /// The quantiles at these levels.
    Quantiles(Vec<f64>),
    /// The probability of more than so much.
    Over(f32),
}

impl FromStr for Objective {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.split_once(':') {
            None if text == "squared" => Ok(Self::Squared),
            None if text == "quantiles9" => Ok(Self::Quantiles(NINE.to_vec())),
            Some(("quantile", level)) => Ok(Self::Quantiles(vec![level.parse()?])),
            Some(("over", hours)) => Ok(Self::Over(hours.parse()?)),
            _ => {
                bail!("expected squared, quantile:LEVEL, quantiles9 or over:HOURS, found {text:?}")
            }
        }
    }
}
