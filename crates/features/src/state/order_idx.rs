//! The index of an active order.

/// Its column in files of the state.
pub(super) const ORDER: &str = "order";

/// The position of an order among the active ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct OrderIdx(pub(super) u32);

impl OrderIdx {
    pub(super) const fn as_usize(self) -> usize {
        self.0 as usize
    }
}
