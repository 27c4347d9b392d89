//! A hash table of numbers within a file: slots with open addressing.

use super::format::u32_at;

/// Bytes of a slot: 32 bits of the hash, and the entry's number from 1 on, 0 if there is none.
pub(super) const SLOT_BYTES: usize = 8;

/// How many slots so many entries have: a power of two, and at least twice as many, so that half of
/// them are empty.
pub(super) fn n_slots(n_entries: u32) -> u64 {
    match n_entries {
        0 => 0,
        n => (2 * u64::from(n)).next_power_of_two(),
    }
}

/// The slots of a file.
#[derive(Clone, Copy)]
pub(super) struct Slots<'a> {
    slots: &'a [[u8; SLOT_BYTES]],
    longest_probe: u32,
}

impl<'a> Slots<'a> {
    /// What is in these bytes, whose number of slots is a power of two, or none. An entry is found
    /// within `longest_probe` slots, or is not there.
    pub(super) fn new(bytes: &'a [u8], longest_probe: u32) -> Self {
        Self { slots: bytes.as_chunks().0, longest_probe }
    }

    /// The number, from 0 on, of the entry with this hash for which `is_it` holds. Whatever the bytes
    /// are, this ends after `longest_probe` slots.
    pub(super) fn find(self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let mask = self.slots.len().wrapping_sub(1);
        let mut at = hash as usize;
        for _ in 0..self.longest_probe {
            let slot = self.slots.get(at & mask)?;
            let number = u32_at(slot, 4).checked_sub(1)?;
            if u32_at(slot, 0) == tag(hash) && is_it(number) {
                return Some(number);
            }
            at = at.wrapping_add(1);
        }
        None
    }
}

/// The bits of a hash that are in a slot: not those that say which slot.
fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// Appends the slots of entries with these hashes, which are numbered in their order. Returns how many
/// slots are looked at, at most, until any of them is found.
pub(super) fn append(hashes: &[u64], to: &mut Vec<u8>) -> u32 {
    let mut slots = vec![(0, 0); n_slots(hashes.len() as u32) as usize];
    let mask = slots.len().wrapping_sub(1);
    let mut longest_probe = 0;
    for (number, &hash) in (1..).zip(hashes) {
        let mut at = hash as usize & mask;
        let mut probe = 1;
        while slots[at].1 != 0 {
            at = (at + 1) & mask;
            probe += 1;
        }
        slots[at] = (tag(hash), number);
        longest_probe = longest_probe.max(probe);
    }
    for (tag, number) in slots {
        to.extend(u32::to_le_bytes(tag));
        to.extend(u32::to_le_bytes(number));
    }
    longest_probe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_equal_hashes_and_tags_are_told_apart_and_others_are_not_there() {
        let hashes = [7, 7, 7 + (1 << 32), 6, 1 << 40, u64::MAX, 0];
        let mut bytes = Vec::new();
        let longest_probe = append(&hashes, &mut bytes);
        assert_eq!(bytes.len(), 16 * SLOT_BYTES);
        assert!((3..=7).contains(&longest_probe), "{longest_probe}");
        let slots = Slots::new(&bytes, longest_probe);
        for (number, hash) in (0..).zip(hashes) {
            assert_eq!(slots.find(hash, |found| found == number), Some(number));
            assert_eq!(slots.find(hash, |_| false), None);
        }
        assert_eq!(slots.find(7 + (2 << 32), |_| true), None);
        assert_eq!(Slots::new(&[], 0).find(8, |_| true), None);
    }

    #[test]
    fn a_search_ends_whatever_is_in_the_slots() {
        let full = [1; 4 * SLOT_BYTES];
        let n_looked_at = std::cell::Cell::new(0);
        let hash = u64::from(u32::from_le_bytes([1; 4])) << 32;
        let found = Slots::new(&full, u32::MAX >> 8).find(hash, |_| {
            n_looked_at.set(n_looked_at.get() + 1);
            false
        });
        assert_eq!((found, n_looked_at.get()), (None, u32::MAX >> 8));
        assert_eq!(Slots::new(&[], u32::MAX).find(hash, |_| true), None);
    }
}
