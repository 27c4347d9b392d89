//! Evaluation of forecasts, wherever they came from: metrics, gates and a report.
//!
//! What is here: metrics with block-bootstrap ranges ([`Metrics`]), the baselines ([`baseline`]), the
//! gates ([`Verdict`]), the comparison of several families with baselines and champion
//! ([`Comparison`], [`evaluate`]), its report as one HTML file ([`report`]), and the card of a model as
//! Markdown ([`card`]).
//!
//! What is not: no data frames, no I/O, no clock, no training. Columns come as plain slices; JSON and
//! HTML are returned as strings.
//!
//! Order of work: check the columns, keep the rows whose outcome is known, weight them so that they
//! stand for those that are open ([`censoring_weights`]), add up losses by order day, compute metrics
//! and ranges from the sums, choose the model, compare, apply the gates, write.
//!
//! Limits: weights cannot stand for deliveries slower than the oldest order of the hold-out is old.
//! Evaluate order weeks that have matured; the evaluation counts by week what is open, so that a
//! reader can see it.

pub mod baseline;

mod bootstrap;
mod card;
mod censoring_weights;
mod comparison;
mod cut_off;
mod error;
mod evaluation;
mod forecast;
mod in_flight;
mod loss;
mod matured_rows;
mod metrics;
mod nightly;
mod probability;
mod promise;
mod report;
mod segment;
mod settings;
mod speed_table;
mod tally;
mod unjudged;
mod verdict;
mod whole_days;

pub use bootstrap::{Estimate, Range};
pub use card::{CardExtras, card};
pub use censoring_weights::censoring_weights;
pub use comparison::{Comparison, evaluate};
pub use cut_off::CutOff;
pub use error::Error;
pub use evaluation::{
    Counts, Difference, Entry, Evaluation, Role, SCHEMA_VERSION, Week, WeekScore,
};
pub use forecast::{Forecast, SegmentFamily, Shipments};
pub use in_flight::{
    FIRST_NIGHT, InFlightForecasts, InFlightLoss, InFlightScores, InFlightSegment, LATER_NIGHTS,
    MissingPromise,
};
pub use loss::Loss;
pub use metrics::{Interval, Metrics, Spread};
pub use nightly::{NightlyComparison, NightlyForecasts};
pub use probability::{DayScore, DayScores};
pub use promise::PromiseScore;
pub use report::{
    Drift, Followed, FollowedShipment, ForecastAtAge, HazardRatios, ReportExtras, report,
};
pub use segment::{FEW_ROWS, SegmentScore, SegmentScores};
pub use settings::Settings;
pub use speed_table::{GroupingScore, LaneAnswers, LaneLoss, SpeedTableScores};
pub use verdict::{Gate, GateSettings, Needed, Verdict};
