//! Objects as a store returns them: their entries in a list, their versions, and whether a
//! conditional write was carried out.

/// Identifies the bytes of an object as they were read. Opaque, and of use only with the object it
/// came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(pub(crate) String);

/// Whether [`put_if_absent`](crate::Store::put_if_absent) created the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "an object that exists was not written"]
pub enum PutOutcome {
    /// It was absent and now holds these bytes.
    Created,
    /// It exists and stays as it is.
    Exists,
}

/// Whether [`compare_and_swap`](crate::Store::compare_and_swap) replaced the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "an object that has moved was not written"]
pub enum SwapOutcome {
    /// It was at the expected version and now holds these bytes.
    Swapped,
    /// It is not at the expected version, and stays as it is.
    Moved,
}

/// An object in a list, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its key.
    pub path: String,
    /// Its length in bytes.
    pub size: u64,
    /// Its entity tag, where the store has one without reading the object. An object without one
    /// cannot be told from another of its size that took its place: only its bytes say.
    pub etag: Option<String>,
}
