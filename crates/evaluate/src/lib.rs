//! Judges predictions, wherever they came from, and writes the report.
//!
//! What is here: metrics with block-bootstrap ranges ([`judge`]), the baselines that are always
//! shown ([`baseline`]), the gates ([`Verdict`]), a whole evaluation of several families against
//! baselines and champion ([`evaluate`]), and its report as one HTML file ([`report`]).
//!
//! What is not: no data frames, no I/O, no clock, no training. Columns come as plain slices, JSON
//! and HTML leave as strings.
//!
//! Order of work: check the columns, keep the rows whose outcome is known, tally losses by order
//! day, turn tallies into metrics and ranges, choose, compare, judge, write.
//!
//! Limits: rows whose outcome is not known yet are counted and left out, and they are the slow
//! ones. Judge order weeks that have matured; the evaluation counts both by week, so that the
//! reader sees it.

pub mod baseline;

mod bootstrap;
mod contest;
mod empirical;
mod error;
mod evaluation;
mod forecast;
mod judged;
mod metrics;
mod probability;
mod promise;
mod report;
mod segment;
mod tally;
mod verdict;

pub use bootstrap::{Estimate, Range};
pub use contest::{Contest, evaluate};
pub use error::Error;
pub use evaluation::{
    Counts, Difference, Entry, Evaluation, Role, SCHEMA_VERSION, Week, WeekScore,
};
pub use forecast::{Forecast, SegmentFamily, Shipments};
pub use metrics::{DayScore, DayScores, Interval, Metrics, Settings, Spread, judge};
pub use promise::PromiseScore;
pub use report::{ReportExtras, report};
pub use segment::{FEW_ROWS, SegmentScore, SegmentScores};
pub use verdict::{Gate, GateSettings, Needed, Verdict, choose_champion};
