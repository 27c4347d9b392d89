//! What was promised of active orders, and what was promised later in its place.
//!
//! As of: a promise counts from the moment at which it was recorded.

use polars::prelude::*;
use terms::{Instant, column};

use crate::Error;
use crate::columns::{frame_of, instants, of_instants, required_instants, required_positions};
use crate::state::order_idx::{ORDER, OrderIdx};

/// The promises of orders, which are numbered from 0.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Promises {
    /// Of the first version of each order.
    firsts: Vec<Option<Instant>>,
    /// Of later versions that promise something else than the version before, in the order in which they
    /// were recorded.
    corrected: PlHashMap<OrderIdx, Vec<CorrectedPromise>>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct CorrectedPromise {
    recorded_at: Instant,
    /// `None` if the promise is withdrawn.
    promised_at: Option<Instant>,
}

impl Promises {
    /// Adds the first version of the next order.
    pub(super) fn add(&mut self, promised_at: Option<Instant>) {
        self.firsts.push(promised_at);
    }

    /// Adds a later version of an order, recorded after those before.
    pub(super) fn ingest(
        &mut self,
        order: OrderIdx,
        recorded_at: Instant,
        promised_at: Option<Instant>,
    ) {
        if self.at(order, recorded_at) != promised_at {
            let corrected = CorrectedPromise { recorded_at, promised_at };
            self.corrected.entry(order).or_default().push(corrected);
        }
    }

    /// By when an order was promised, as recorded before `at`; in its first version if nothing was.
    pub(super) fn at(&self, order: OrderIdx, at: Instant) -> Option<Instant> {
        let mut corrected = self.corrected.get(&order).into_iter().flatten();
        match corrected.rfind(|corrected| corrected.recorded_at < at) {
            Some(corrected) => corrected.promised_at,
            None => self.firsts[order.as_usize()],
        }
    }

    /// Those of the orders that are `kept`, renumbered to their `new` indices.
    pub(super) fn only(self, kept: &[bool], new: &[Option<OrderIdx>]) -> Self {
        let firsts = self.firsts.into_iter().zip(kept);
        let renumbered =
            |(order, corrected): (OrderIdx, _)| Some((new[order.as_usize()]?, corrected));
        Self {
            firsts: firsts.filter_map(|(first, kept)| kept.then_some(first)).collect(),
            corrected: self.corrected.into_iter().filter_map(renumbered).collect(),
        }
    }

    /// Those of later versions as a frame: order, when it was recorded, and by when it is promised.
    pub(super) fn to_frame(&self) -> Result<DataFrame, Error> {
        let mut of_orders: Vec<_> = self.corrected.iter().collect();
        of_orders.sort_unstable_by_key(|(order, _)| **order);
        let rows = || {
            of_orders
                .iter()
                .flat_map(|&(order, corrected)| corrected.iter().map(move |c| (order, c)))
        };
        let promised_at: Vec<Option<i64>> =
            rows().map(|(_, corrected)| corrected.promised_at.map(Instant::micros)).collect();
        frame_of(vec![
            Column::new(ORDER.into(), rows().map(|(order, _)| order.0).collect::<Vec<u32>>()),
            of_instants(column::RECORDED_AT, rows().map(|(_, corrected)| corrected.recorded_at)),
            Column::new(column::PROMISED_AT.into(), promised_at),
        ])
    }

    /// From the first versions of orders and the frame of [`Promises::to_frame`].
    pub(super) fn from_frames(firsts: &DataFrame, corrected: &DataFrame) -> Result<Self, Error> {
        let mut all = Self { firsts: instants(firsts, column::PROMISED_AT)?, ..Self::default() };
        let orders = required_positions(corrected, ORDER)?.into_iter().map(OrderIdx);
        let recorded_at = required_instants(corrected, column::RECORDED_AT)?;
        let promised_at = instants(corrected, column::PROMISED_AT)?;
        for (order, (recorded_at, promised_at)) in
            orders.zip(recorded_at.into_iter().zip(promised_at))
        {
            let corrected = CorrectedPromise { recorded_at, promised_at };
            all.corrected.entry(order).or_default().push(corrected);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Instant {
        Instant::from_micros(micros)
    }

    /// Two orders; the second is promised by 50, by 70, by 70 again, not any more, and by 60.
    fn promises() -> Promises {
        let mut promises = Promises::default();
        promises.add(None);
        promises.add(Some(at(50)));
        for (recorded, promised) in [(10, Some(70)), (20, Some(70)), (30, None), (40, Some(60))] {
            promises.ingest(OrderIdx(1), at(recorded), promised.map(at));
        }
        promises
    }

    #[test]
    fn a_promise_is_the_last_one_that_was_recorded_before() {
        let promises = promises();
        let known = |moment| promises.at(OrderIdx(1), at(moment)).map(Instant::micros);
        assert_eq!([5, 10, 11, 21].map(known), [Some(50), Some(50), Some(70), Some(70)]);
        assert_eq!([30, 31, 41].map(known), [Some(70), None, Some(60)]);
        assert_eq!(promises.at(OrderIdx(0), at(41)), None, "another order");
        assert_eq!(promises.corrected[&OrderIdx(1)].len(), 3, "the same again is no correction");
    }

    #[test]
    fn promises_come_back_from_frames_as_they_were() {
        let before = promises();
        let firsts = before.firsts.iter().map(|first| first.map(Instant::micros));
        let firsts = Column::new(column::PROMISED_AT.into(), firsts.collect::<Vec<Option<i64>>>());
        let firsts = frame_of(vec![firsts]).unwrap();
        let again = Promises::from_frames(&firsts, &before.to_frame().unwrap()).unwrap();
        assert_eq!(again, before);
        let second = before.only(&[false, true], &[None, Some(OrderIdx(0))]);
        assert_eq!(second.at(OrderIdx(0), at(11)), Some(at(70)));
    }
}
