//! Which operation of a simulated storage meets which fault: a pure function of a seed, the number
//! of the operation and its kind.

use std::collections::BTreeMap;

use crate::clock::mix;

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OperationKind {
    /// Reads an object, or a part of it.
    Get,
    /// Reads the size and the tag of an object.
    Head,
    /// Lists objects.
    List,
    /// Replaces an object, or is a step of doing so in parts.
    Put,
    /// Creates an object that must not exist.
    Create,
    /// Replaces an object that must be at a version.
    Swap,
    /// Deletes an object.
    Delete,
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Its number among all operations on the storage, from 1.
    pub number: u64,
    /// What it does.
    pub kind: OperationKind,
    /// The object, or the prefix of the list.
    pub key: String,
}

/// How an operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// No connection.
    Refused,
    /// The connection is lost before the operation takes effect.
    Reset,
    /// The connection is lost after it took effect.
    LostAnswer,
    /// 429 before it takes effect.
    Status429,
    /// 500 before it takes effect.
    Status500,
    /// 503 before it takes effect.
    Status503,
    /// 500 after it took effect.
    Status500After,
    /// 409: another write of the object is under way, or seems to be.
    Conflict,
    /// No answer until the time of the request is over; it takes effect all the same.
    Hang,
    /// No connection, now and for some seconds to minutes.
    Outage,
    /// The body breaks off.
    BrokenBody,
    /// The body ends early, without an error.
    ShortBody,
    /// One bit of the body is wrong.
    FlippedBit,
    /// The list is that of a moment ago.
    StaleList,
    /// The answer is no list.
    NotAList,
}

impl Fault {
    /// Every kind of fault.
    pub const ALL: [Self; 15] = [
        Self::Refused,
        Self::Reset,
        Self::LostAnswer,
        Self::Status429,
        Self::Status500,
        Self::Status503,
        Self::Status500After,
        Self::Conflict,
        Self::Hang,
        Self::Outage,
        Self::BrokenBody,
        Self::ShortBody,
        Self::FlippedBit,
        Self::StaleList,
        Self::NotAList,
    ];

    /// Whether operations of `kind` can meet it.
    pub fn is_of(self, kind: OperationKind) -> bool {
        match self {
            Self::BrokenBody | Self::ShortBody | Self::FlippedBit => kind == OperationKind::Get,
            Self::StaleList | Self::NotAList => kind == OperationKind::List,
            Self::Conflict => matches!(kind, OperationKind::Create | OperationKind::Swap),
            _ => true,
        }
    }
}

/// Which operations meet which faults.
#[derive(Debug, Clone, Default)]
pub struct FaultPlan {
    seed: u64,
    per_thousand: u64,
    kinds: Vec<Fault>,
    fixed: BTreeMap<u64, Fault>,
}

impl FaultPlan {
    /// No faults.
    pub fn none() -> Self {
        Self::default()
    }

    /// Faults of every kind, in about `per_thousand` of 1,000 operations.
    pub fn seeded(seed: u64, per_thousand: u64) -> Self {
        Self { seed, per_thousand, kinds: Fault::ALL.to_vec(), fixed: BTreeMap::new() }
    }

    /// Only faults of these kinds.
    #[must_use]
    pub fn only(self, kinds: &[Fault]) -> Self {
        Self { kinds: kinds.to_vec(), ..self }
    }

    /// The operation `number` meets `fault`, if operations of its kind can.
    #[must_use]
    pub fn at(mut self, number: u64, fault: Fault) -> Self {
        self.fixed.insert(number, fault);
        self
    }

    /// The fault that an operation meets.
    pub fn fault(&self, number: u64, kind: OperationKind) -> Option<Fault> {
        if let Some(fault) = self.fixed.get(&number) {
            return Some(*fault).filter(|fault| fault.is_of(kind));
        }
        let random = mix(self.random(number) ^ kind as u64);
        if random % 1_000 >= self.per_thousand {
            return None;
        }
        let n_kinds = self.kinds.iter().filter(|fault| fault.is_of(kind)).count() as u64;
        let chosen = mix(random).checked_rem(n_kinds)? as usize;
        self.kinds.iter().copied().filter(|fault| fault.is_of(kind)).nth(chosen)
    }

    /// A number that looks random, for the details of the fault of an operation.
    pub(crate) fn random(&self, number: u64) -> u64 {
        mix(self.seed ^ mix(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_plans_faults_of_each_kind_at_its_rate_and_always_the_same() {
        let plan = FaultPlan::seeded(7, 100);
        let faults: Vec<_> = (0..20_000).map(|n| plan.fault(n, OperationKind::Get)).collect();
        let n_faults = faults.iter().flatten().count();
        assert!((1_800..2_200).contains(&n_faults), "{n_faults}");
        for fault in Fault::ALL {
            assert_eq!(faults.contains(&Some(fault)), fault.is_of(OperationKind::Get), "{fault:?}");
        }
        let again: Vec<_> = (0..20_000).map(|n| plan.fault(n, OperationKind::Get)).collect();
        assert_eq!(faults, again);
        let other = FaultPlan::seeded(8, 100);
        assert!((0..20_000).any(|n| other.fault(n, OperationKind::Get) != faults[n as usize]));
    }

    #[test]
    fn fixed_faults_and_few_kinds_are_kept_to() {
        let plan = FaultPlan::seeded(1, 1_000).only(&[Fault::StaleList]).at(3, Fault::Hang);
        assert_eq!(plan.fault(3, OperationKind::Put), Some(Fault::Hang));
        assert_eq!(plan.fault(4, OperationKind::List), Some(Fault::StaleList));
        assert_eq!(plan.fault(4, OperationKind::Put), None);
    }
}
