//! What the limits of the network cut off: found by the features stage, which warns of it, and shown
//! by the reports.

use evaluate::CutOff;
use features::{Exceeding, Outcomes};
use terms::AsOf;

use crate::settings::NetworkSection;
use crate::stage::RunContext;

/// Shipments count of which something was recorded in so many days before the as-of.
const RECENT_DAYS: i64 = 120;

/// The settings of the network that cut off more than 1% of recent shipments.
pub(crate) fn cut_off(outcomes: &Outcomes, network: &NetworkSection, as_of: AsOf) -> Vec<CutOff> {
    let days_ahead = network.days().last_day();
    let found = outcomes.exceeding(as_of, RECENT_DAYS, days_ahead);
    let Exceeding { delivered, after_lost, after_days_ahead, recorded, after_history } = found;
    let took_longer = format!("deliveries recorded in the last {RECENT_DAYS} days took longer");
    let changed = format!(
        "shipments recorded in the last {RECENT_DAYS} days changed later after their first record"
    );
    let limits = network.limits();
    let (lost_after, history) = (limits.lost_after_days.into(), limits.history_days.into());
    let settings = [
        (NetworkSection::LOST_AFTER_DAYS, lost_after, &took_longer, (after_lost, delivered)),
        (NetworkSection::HISTORY_DAYS, history, &changed, (after_history, recorded)),
        (NetworkSection::DAYS_AHEAD, days_ahead, &took_longer, (after_days_ahead, delivered)),
    ];
    let found = |(setting, days, what, exceed): (&str, u32, &String, (usize, usize))| {
        CutOff::found(setting, days, what, exceed)
    };
    settings.into_iter().filter_map(found).collect()
}

/// Warns of what is cut off.
pub(crate) fn warn(context: &RunContext<'_>, cut_off: &[CutOff]) {
    for found in cut_off {
        context.reporter.warn(&found.says());
    }
}
