//! A fulfilment network that produces the tables `orders`, `shipments`, `nodes` and, if asked for,
//! `legs`.
//!
//! What is here: an invented country with its regions and postal zones, fulfilment centres of
//! three kinds and sellers, four carriers with three services; a rhythm of days, weeks and a yearly
//! peak; parcels that wait, travel, get stuck, get lost; and a shop that records all this night by
//! night, sometimes late, sometimes wrongly. Some of it can be learned from what was recorded
//! before: nodes, carriers and lanes have their own ways, which wander from week to week; work
//! piles up; one carrier breaks down for days.
//!
//! What is not: no I/O, no clock, no learning. What is written to where is the caller's affair.
//!
//! The nouns: a [`World`] is what a person sets; a [`Simulation`] is one on its way, an iterator
//! over [`Night`]s; a night has one Parquet partition a table; [`Summary`] says what was made.
//!
//! Order of work: [`World::check`], [`simulate`] (lays the world out and makes a small trial to
//! find the pace that meets the wanted share within two days), then a night for each day.
//!
//! Limits: the same settings give the same bytes on every machine, as long as the versions of
//! Parquet, zstd and the time zone data are the locked ones. Memory holds the shipments with news
//! to come, not those of the past. Clocks that change are exact to the day.

mod carriers;
mod clock;
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
mod simulation;
mod tables;
mod world;

pub use error::Error;
pub use simulation::{Night, Simulation, Summary, Table, simulate};
pub use world::{CheckedWorld, World};

#[cfg(test)]
mod tests;
