//! A hash table of numbers within a file: buckets of eight slots, each a cache line, with open
//! addressing from bucket to bucket.
//!
//! Half of the slots are empty, so nearly always one bucket says whether an entry is there, and it says
//! so without a branch for each slot: the buckets of several keys are waited for at once.

use super::numbers::u32_at;

/// Slots of a bucket.
const N_SLOTS: usize = 8;
/// A bucket has a tag for each slot, 32 bits of the entry's hash, and then for each slot 1 more than the
/// entry's number. Slots are filled from the first on; one that is empty has 0.
pub(super) const BUCKET_BYTES: usize = 8 * N_SLOTS;

/// How many buckets so many entries have: a power of two, with at least twice as many slots.
pub(super) fn n_buckets(n_entries: u32) -> u64 {
    (2 * u64::from(n_entries)).div_ceil(N_SLOTS as u64).next_power_of_two()
}

/// The buckets of a file.
#[derive(Clone, Copy)]
pub(super) struct Buckets<'a> {
    buckets: &'a [[u8; BUCKET_BYTES]],
    longest_probe: u32,
}

impl<'a> Buckets<'a> {
    /// What is in these bytes, whose number of buckets is a power of two. An entry is found within
    /// `longest_probe` buckets, or is not there.
    pub(super) fn new(bytes: &'a [u8], longest_probe: u32) -> Self {
        Self { buckets: bytes.as_chunks().0, longest_probe }
    }

    /// Whether there can be an entry with this hash: not if its bucket is not full and has no slot with
    /// its tag. There is no branch in here, so that one need not be waited for before the next.
    pub(super) fn may_have(self, hash: u64) -> bool {
        let bucket = self.buckets.get(hash as usize & self.buckets.len().wrapping_sub(1));
        bucket.is_some_and(|bucket| {
            (slots_with(bucket, tag(hash)) != 0) | (number_at(bucket, N_SLOTS - 1) != 0)
        })
    }

    /// The number of the entry with this hash for which `is_it` holds. Whatever the bytes
    /// are, this ends after `longest_probe` buckets.
    pub(super) fn find(self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let mask = self.buckets.len().wrapping_sub(1);
        let mut at = hash as usize;
        for _ in 0..self.longest_probe {
            let bucket = self.buckets.get(at & mask)?;
            let mut slots = slots_with(bucket, tag(hash));
            while slots != 0 {
                let number = number_at(bucket, slots.trailing_zeros() as usize / 8);
                match number.checked_sub(1) {
                    Some(number) if is_it(number) => return Some(number),
                    _ => slots &= slots - 1,
                }
            }
            if number_at(bucket, N_SLOTS - 1) == 0 {
                return None;
            }
            at = at.wrapping_add(1);
        }
        None
    }
}

/// Which slots have a tag: a byte of 1 for each that has.
fn slots_with(bucket: &[u8; BUCKET_BYTES], tag: u32) -> u64 {
    let tags: [u8; N_SLOTS] = std::array::from_fn(|slot| u8::from(u32_at(bucket, 4 * slot) == tag));
    u64::from_le_bytes(tags)
}

fn number_at(bucket: &[u8; BUCKET_BYTES], slot: usize) -> u32 {
    u32_at(bucket, 4 * (N_SLOTS + slot))
}

/// The bits of a hash that are in a slot: not those that say which bucket.
fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// Appends the buckets of entries with these hashes and numbers. Returns how many buckets are looked at,
/// at most, until any of them is found.
pub(super) fn append(entries: &[(u64, u32)], to: &mut Vec<u8>) -> u32 {
    let n = n_buckets(entries.len() as u32) as usize;
    let mut buckets = vec![[(0, 0); N_SLOTS]; n];
    let mut longest_probe = 0;
    for &(hash, number) in entries {
        let mut at = hash as usize % n;
        let mut probe = 1;
        let slot = loop {
            match buckets[at].iter().position(|&(_, number)| number == 0) {
                Some(slot) => break slot,
                None => (at, probe) = ((at + 1) % n, probe + 1),
            }
        };
        buckets[at][slot] = (tag(hash), number + 1);
        longest_probe = longest_probe.max(probe);
    }
    for bucket in buckets {
        let numbers = bucket.map(|(_, number)| number);
        to.extend(bucket.map(|(tag, _)| tag).into_iter().chain(numbers).flat_map(u32::to_le_bytes));
    }
    longest_probe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_equal_hashes_and_tags_are_found_and_others_are_not() {
        // More of one hash than a bucket has slots, in the last bucket.
        let hashes: Vec<u64> = [7; 12].into_iter().chain([7 + (1 << 32), 6, 1 << 40]).collect();
        let mut bytes = Vec::new();
        let entries: Vec<_> = hashes.iter().copied().zip(0..).collect();
        let longest_probe = append(&entries, &mut bytes);
        assert_eq!((bytes.len(), longest_probe), (4 * BUCKET_BYTES, 2));
        let buckets = Buckets::new(&bytes, longest_probe);
        for (number, hash) in (0..).zip(hashes) {
            assert_eq!(buckets.find(hash, |found| found == number), Some(number));
            assert_eq!(buckets.find(hash, |_| false), None);
        }
        assert_eq!(buckets.find(7 + (2 << 32), |_| true), None);
        let mut none = Vec::new();
        assert_eq!((append(&[], &mut none), none.len()), (0, BUCKET_BYTES));
        assert_eq!(Buckets::new(&none, 1).find(0, |_| true), None);
    }

    #[test]
    fn a_search_ends_whatever_is_in_the_buckets() {
        let full = [1; 4 * BUCKET_BYTES];
        let n_looked_at = std::cell::Cell::new(0);
        let hash = u64::from(u32::from_le_bytes([1; 4])) << 32;
        let found = Buckets::new(&full, 1_000).find(hash, |_| {
            n_looked_at.set(n_looked_at.get() + 1);
            false
        });
        assert_eq!((found, n_looked_at.get()), (None, 8_000));
        assert_eq!(Buckets::new(&[], u32::MAX).find(hash, |_| true), None);
    }
}
