//! The speed table of lanes as one file for ranking services: how fast a lane delivers, looked up by
//! what a request says of it, in the caller's process and without a model.
//!
//! What is here: the file's [writer](encode_speed_table) and its [reader](SpeedTable), what a request
//! says ([`Lane`]), by which columns rows are grouped ([`LaneGrouping`], [`WeightBand`]), and what is
//! found ([`LaneSpeed`]). `docs/speed-table.md` describes the file byte by byte.
//!
//! What is not: the stage that computes the rows.

mod buckets;
mod format;
mod hash;
mod lane;
mod lane_speed;
mod numbers;
mod reader;
#[cfg(test)]
mod tests;
mod weight_band;
mod writer;

pub use format::SpeedTableHeader;
pub use lane::{Lane, LaneGrouping};
pub use lane_speed::LaneSpeed;
pub use reader::SpeedTable;
pub use weight_band::WeightBand;
pub use writer::{LaneRow, encode_speed_table};
