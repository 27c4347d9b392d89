//! How many files are fetched or written together.

/// Files are fetched together up to this size, so that memory does not grow with the table.
const BATCH_BYTES: u64 = 32 << 20;
/// And up to this number, so that many small files share the latency of the store.
const BATCH_FILES: usize = 256;

/// Bytes in a store of a version of a fact, roughly: for files whose size is not at hand.
pub(crate) const BYTES_PER_ROW: u64 = 64;

/// Splits `items` into runs that are fetched together. `files_and_bytes` gives the number of files
/// of an item, and their size.
pub(crate) fn batches<T>(items: &[T], files_and_bytes: impl Fn(&T) -> (usize, u64)) -> Vec<&[T]> {
    let mut batches = Vec::new();
    let (mut start, mut files, mut bytes) = (0, 0, 0);
    for (position, item) in items.iter().enumerate() {
        let (more_files, more_bytes) = files_and_bytes(item);
        let full = files + more_files > BATCH_FILES || bytes + more_bytes > BATCH_BYTES;
        if full && position > start {
            batches.push(&items[start..position]);
            (start, files, bytes) = (position, 0, 0);
        }
        files += more_files;
        bytes += more_bytes;
    }
    if start < items.len() {
        batches.push(&items[start..]);
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_hold_everything_once_and_in_order() {
        let items: Vec<u64> = (0..1000).collect();
        let batches = batches(&items, |item| (1, if *item == 500 { BATCH_BYTES * 2 } else { 10 }));
        assert_eq!(batches.concat(), items);
        assert!(batches.iter().all(|batch| batch.len() <= BATCH_FILES));
        assert!(batches.contains(&[500].as_slice()));
    }
}
