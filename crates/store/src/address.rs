//! Where the objects of a store are, as error messages name it.

/// Where the objects of a store are.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    /// The URL of the store, without a slash at its end.
    pub(crate) url: String,
    pub(crate) bucket: String,
    pub(crate) endpoint: String,
    pub(crate) region: String,
    /// Whether credentials come from the instance, because nothing else was configured.
    pub(crate) uses_instance_credentials: bool,
}
