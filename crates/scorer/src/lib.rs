//! Scoring: loads a trained model and turns feature rows into distributions of delivery time. A
//! ranking service links this crate and scores in its own process, in microseconds a row.
//!
//! What is here: the model as it is kept in files ([`Parts`]) and as rows are scored with it
//! ([`Scorer`], loaded by [`Scorer::load`]), a distribution as it is published ([`Distribution`]) and
//! as a function ([`Mixture`]), the conformal correction of quantiles ([`Calibration`]), scoring of Arrow record
//! batches ([`Scorer::score_batch`]), and a model that is replaced while rows are scored
//! ([`LiveScorer`]).
//!
//! What is not: no data frames, no async, no network, no training, no building of features. The
//! only files that are read are those of a model folder and speed tables.
//!
//! Order of work for a row: gate and [regressors](Regressor) predict, each of these on a
//! [time scale](TimeScale) of its own, and their quantiles are averaged in hours; on the time scale
//! of the first one [calibration](Calibration) and [recalibration](Recalibration) correct them; the
//! mixture joins both.
//!
//! Limits: values are f32; a row's features must be built like those of the model's training.

mod batch;
mod bundle;
mod calibration;
mod compiled;
mod distribution;
mod error;
mod exponential;
mod live;
mod mixture;
mod parts;
mod recalibration;
mod regressor;
mod scorer;
mod speed_table;
#[cfg(test)]
mod tests;
mod time_scale;

pub use bundle::{
    FEATURES_FILE, GATE_FILE, IN_FLIGHT_FOLDER, MANIFEST_FILE, MIXTURE_FILE, is_in_flight_file,
    is_model_file, regressor_file,
};
pub use calibration::{Calibration, Factors, Segment, sorted};
pub use compiled::Instructions;
pub use distribution::Distribution;
pub use error::Error;
pub use live::LiveScorer;
pub use mixture::Mixture;
pub use parts::Parts;
pub use recalibration::{RecalibratedLevels, Recalibration, cumulative_hazard};
pub use regressor::{Regressor, mean_hours};
pub use scorer::Scorer;
pub use speed_table::{
    Lane, LaneGrouping, LaneRow, LaneSpeed, SpeedTable, SpeedTableHeader, WeightBand,
    encode_speed_table,
};
pub use time_scale::{Clock, FeatureTimeScale, RowTimeScale, TimeScale, WeekdayRates};

// The pages that show how it is used: their Rust must compile.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/scorer.md")]
#[doc = include_str!("../../../docs/speed-table.md")]
struct Documentation;
