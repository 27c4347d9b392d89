//! A storage in memory whose faults are planned: test support for whole nights on a virtual clock.
//!
//! Its stores are as those of a server: requests are repeated, lost answers are cleared up and bytes
//! are verified by the same code. Everything runs on the calling thread, in a fixed order, and
//! pauses pass at once; with the same plan and the same calls all is the same again.
//!
//! A crash stops one store and its clones, as a process that is killed; others go on. Open the
//! storage again for the next process.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::clock::{Timer, VirtualClock};
use crate::fault_plan::{Fault, FaultPlan, Operation, OperationKind};
use crate::limits::Limits;
use crate::simulated_client::{Shared, SimulatedClient};
use crate::store::Store;

/// Objects in memory that several stores share.
#[derive(Clone)]
pub struct SimulatedStorage {
    shared: Arc<Shared>,
}

impl fmt::Debug for SimulatedStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulatedStorage").finish_non_exhaustive()
    }
}

impl SimulatedStorage {
    /// An empty storage.
    pub fn new(plan: FaultPlan, clock: VirtualClock) -> Self {
        Self { shared: Arc::new(Shared::new(plan, clock)) }
    }

    /// Lists carry no entity tags from here on.
    pub fn leave_etags_out_of_lists(&self) {
        self.shared.state().lists_have_etags = false;
    }

    /// A store on these objects, as a new process opens it.
    pub fn open(&self, limits: Limits) -> Store {
        let client = Arc::new(SimulatedClient::new(Arc::clone(&self.shared)));
        let timer = Timer::of(self.shared.clock.clone());
        Store::of_client("memory://simulated", client, limits, timer)
    }

    /// The clock of its stores.
    pub fn clock(&self) -> &VirtualClock {
        &self.shared.clock
    }

    /// Plans the operations that follow; their numbers go on.
    pub fn set_plan(&self, plan: FaultPlan) {
        let mut state = self.shared.state();
        state.plan = plan;
        state.outage_until = None;
    }

    /// The store that makes the operation `number` stops there: before it takes effect, or after.
    pub fn crash_at(&self, number: u64, after_its_effect: bool) {
        self.shared.state().crash = Some((number, after_its_effect));
    }

    /// Calls `hook` before each operation. It may move the clock, and use other stores of this
    /// storage; it is not called for operations of its own.
    pub fn set_hook(&self, hook: impl FnMut(&Operation) + Send + 'static) {
        *self.shared.hook() = Some(Box::new(hook));
    }

    /// Calls no hook any more.
    pub fn remove_hook(&self) {
        *self.shared.hook() = None;
    }

    /// How many operations there were.
    pub fn n_operations(&self) -> u64 {
        self.shared.state().n_operations
    }

    /// How many operations of each kind there were.
    pub fn operations(&self) -> BTreeMap<OperationKind, u64> {
        self.shared.state().operations.clone()
    }

    /// How many faults of each kind were met.
    pub fn faults(&self) -> BTreeMap<Fault, u64> {
        self.shared.state().faults.clone()
    }

    /// All objects, as they are.
    pub fn objects(&self) -> BTreeMap<String, Bytes> {
        let state = self.shared.state();
        state.objects.iter().map(|(key, object)| (key.clone(), object.bytes.clone())).collect()
    }

    /// Puts an object there, without an operation.
    pub fn insert(&self, key: &str, bytes: Bytes) {
        self.shared.state().insert(key, bytes);
    }

    /// Takes an object away, without an operation.
    pub fn remove(&self, key: &str) {
        self.shared.state().remove(key);
    }
}

#[cfg(test)]
#[path = "simulated_tests.rs"]
mod tests;
