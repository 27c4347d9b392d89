//! Settings of the network that cut off more than a few shipments, as the report says it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use terms::count;

/// What a setting may cut off before it is said: one shipment of a hundred.
const SHARE_MAX: f64 = 0.01;

/// A setting of the network that cuts off more than one of a hundred recent shipments.
///
/// ```
/// use evaluate::CutOff;
///
/// let found = CutOff::found("network.days_ahead", 60, "deliveries took longer", (12, 400)).unwrap();
/// assert_eq!(
///     found.says(),
///     "12 of 400 (3.0%) deliveries took longer than network.days_ahead = 60: raise that setting"
/// );
/// assert_eq!(CutOff::found("network.days_ahead", 60, "deliveries took longer", (4, 400)), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CutOff {
    /// The setting.
    pub setting: String,
    /// Its value. Units: days.
    pub days: u32,
    /// Which shipments exceed it, and how, up to the word "than".
    pub what: String,
    /// How many of them do.
    pub exceed: usize,
    /// Of how many.
    pub of: usize,
}

impl CutOff {
    /// The finding that `exceed` of `of` shipments are beyond a setting, if that is more than 1%.
    pub fn found(
        setting: &str,
        days: u32,
        what: &str,
        (exceed, of): (usize, usize),
    ) -> Option<Self> {
        let is_said = exceed as f64 > SHARE_MAX * of as f64;
        let (setting, what) = (setting.to_owned(), what.to_owned());
        is_said.then_some(Self { setting, days, what, exceed, of })
    }

    /// How many exceed which setting, and the way out, in one sentence.
    pub fn says(&self) -> String {
        let Self { setting, days, what, exceed, of } = self;
        let percent = 100.0 * *exceed as f64 / (*of).max(1) as f64;
        format!(
            "{} of {} ({percent:.1}%) {what} than {setting} = {days}: raise that setting",
            count(*exceed),
            count(*of)
        )
    }
}
