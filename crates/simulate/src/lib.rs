//! A simulated fulfilment network that produces the tables `orders`, `shipments`, `nodes` and, if
//! set, `legs`.
//!
//! What is here: an invented country with regions and postal zones; fulfilment centres of three kinds
//! and sellers; four carriers with three services; volumes with daily, weekly and yearly patterns;
//! parcels with handling, transit and last mile, delays and losses; and a shop that records all this
//! in nightly extracts, sometimes late and sometimes wrongly. Part of it can be predicted from what was
//! recorded before: nodes, carriers and lanes differ and drift from week to week, backlogs build up,
//! and one carrier is disrupted for days. Strikes, slowdowns and speed-ups happen as the settings say.
//!
//! What is not: no I/O, no clock, no learning. The caller writes the tables.
//!
//! The types: [`NetworkSettings`] is what is simulated, with its [`Episode`]s, [`Simulation`] an iterator over
//! [`NightlyExtract`]s, each with a Parquet partition of every table, [`Summary`] the numbers of what
//! was made.
//!
//! Order of work: [`NetworkSettings::check`]; [`simulate`], which draws the network and runs a small
//! pilot to find the pace with the wanted share within two days; then an extract for each day.
//!
//! Limits: the same settings give the same bytes on every machine, as long as the versions of
//! Parquet, zstd and the time zone data are the locked ones. Memory holds the shipments with facts
//! still to be recorded, not those of the past. Clock changes are exact to the day.

mod calendar;
mod carriers;
mod clock;
mod columns;
mod episode;
mod error;
mod geography;
mod goods;
mod journey;
mod load;
mod nodes;
mod order;
mod pilot;
mod plan;
mod random;
mod recording;
mod rhythm;
mod settings;
mod simulation;
mod speed;
mod strikes;
mod summary;
mod tables;

pub use episode::{Episode, EpisodeKind};
pub use error::Error;
pub use settings::{CheckedNetwork, NetworkSettings};
pub use simulation::{NightlyExtract, Simulation, Table, simulate};
pub use summary::Summary;

#[cfg(test)]
mod tests;
