//! What the calls of a store answer with.

/// Stands for the bytes of an object as they were read. Opaque: only a store can tell what it
/// means, and only for the object it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(pub(crate) String);

/// Whether [`put_if_absent`](crate::Store::put_if_absent) created the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "an object that exists was not written"]
pub enum PutOutcome {
    /// It was absent and is now these bytes.
    Created,
    /// It exists and stays as it is.
    Exists,
}

/// Whether [`compare_and_swap`](crate::Store::compare_and_swap) replaced the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "an object that has moved was not written"]
pub enum SwapOutcome {
    /// It was at the expected version and is now these bytes.
    Swapped,
    /// It is not at the expected version, and stays as it is.
    Moved,
}

/// An object as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its key.
    pub path: String,
    /// Its length in bytes.
    pub size: u64,
    /// Its entity tag, where the store has one without reading the object.
    pub etag: Option<String>,
}
