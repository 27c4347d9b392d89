//! Positions of shipments and of keys, which must not be taken for each other.

/// The position of a shipment among those that history state holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShipmentIdx(pub u32);

impl ShipmentIdx {
    /// As a position of a slice.
    pub const fn as_usize(self) -> usize {
        self.0 as usize
    }
}

/// The position of a key (a lane, a node, a region …) among those that were met, in the order in
/// which they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyIdx(pub u32);

impl KeyIdx {
    /// As a position of a slice.
    pub const fn as_usize(self) -> usize {
        self.0 as usize
    }
}
