//! Point-in-time features: a feature matrix of what was known at the time of each order, and the
//! outcomes as known at any later moment.
//!
//! The features of a shipment are facts of its order, which the shop knows when it is placed, and
//! history: statistics of deliveries by node, lane, destination and overall, over several windows.
//! History uses a fact only if it was recorded before the UTC midnight at or before the order, so a
//! row's features never change, whatever is recorded later.
//!
//! The flow of one step ([`HistoryState::advance`]), file by file:
//! 1. [`tables`]: what was recorded on some days;
//! 2. [`state`]: the orders and shipments that can still change, and what the days add to them;
//! 3. [`timeline`]: the states of each shipment, each with when it was recorded;
//! 4. [`events`] and [`legs`]: each change of a state, and each duration of a leg, becomes a dated
//!    difference of a [quantity];
//! 5. [`as_of`]: the one as-of join reads cumulative differences by [key](keys) and day;
//! 6. [`history`]: statistics over windows, as listed in the [declaration];
//! 7. [`level`]: the level of the network, from [time at risk and deliveries by age](at_risk);
//! 8. [`facts`] and [`calendar`]: columns known at order time, from first versions and
//!    [nodes and holidays](reference_data);
//! 9. [`month`]: the rows and versions of a month, and all months assembled into the
//!    [matrix](frame) and the [outcomes];
//! 10. [`snapshots`]: open shipments as they were known at a midnight, with the history of that night.
//!
//! [`build`] does all of it from nothing; [`proof`] shows that nothing later leaks in.
//!
//! Not here: no storage, no models, no clock.

mod as_of;
mod at_risk;
mod calendar;
mod columns;
mod declaration;
mod declared_name;
mod dictionary;
mod error;
mod events;
mod facts;
mod frame;
mod full_build;
mod history;
mod keys;
mod legs;
mod level;
mod limits;
mod month;
mod new_shipments;
mod outcomes;
mod parquet;
mod proof;
mod quantity;
mod reference_data;
mod shipment_version;
mod snapshots;
mod state;
mod tables;
mod timeline;

pub use calendar::{CalendarFeature, ClockDeclaration};
pub use declaration::{Declaration, Group, HistoryFeature};
pub use dictionary::Definition;
pub use error::Error;
pub use facts::{Category, Fact};
pub use frame::{
    Frame, LANE_DESTINATION_ZONE, LANE_ORIGIN_ZONE, PROMISED_HOURS, encode, feature_list,
};
pub use full_build::{Built, build};
pub use level::LevelDeclaration;
pub use limits::Limits;
pub use month::{Month, MonthFiles, assemble, assemble_snapshots};
pub use outcomes::{Delivery, Exceeding, Milestone, OpenShipment, Outcomes};
pub use proof::{Alteration, AlterationResult, Build, Difference, Proof, ServedResult};
pub use quantity::{Quantity, Statistic};
pub use snapshots::{
    AGE_HOURS, FOLLOWED_SHARE, HOURS_SINCE_HANDOVER, HOURS_SINCE_LEG, HOURS_TO_HANDOVER,
    PastSnapshots, SNAPSHOT_AT, SnapshotDeclaration, Snapshots,
};
pub use state::{HistoryState, MonthStore, StateFiles, Update, by_month};
pub use tables::{QuarantinedVersion, Tables};
