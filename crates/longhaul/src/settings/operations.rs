//! The section `[operations]`: whom a run tells how it went.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::OutOfRange;

/// Where a run leaves what others read of it; nothing that is empty is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct OperationsSection {
    /// A file of Prometheus metrics, replaced when a run ends, such as
    /// `/var/lib/node_exporter/textfile/longhaul.prom`.
    pub(crate) metrics_file: String,
    /// Where OpenLineage events go when a run begins and ends: a file to which lines are added, or an
    /// `http://` or `https://` URL that takes them by POST, such as
    /// `http://marquez:5000/api/v1/lineage`.
    pub(crate) openlineage: String,
    /// The namespace of the job in these events.
    pub(crate) openlineage_namespace: String,
    /// An `http://` or `https://` URL to which a JSON document is posted when a run fails or its model
    /// is refused. It is a secret: only its host is ever shown.
    pub(crate) webhook: String,
}

impl OperationsSection {
    /// The key of the setting that is a secret.
    pub(crate) const WEBHOOK: &str = "operations.webhook";

    /// Checks the forms.
    ///
    /// # Errors
    /// The first setting that cannot be used.
    pub(super) fn check(&self) -> Result<(), OutOfRange> {
        if !self.webhook.is_empty() && !is_url(&self.webhook) {
            let problem = "expected a URL that begins with https:// or http://".to_owned();
            return Err(OutOfRange { key: Self::WEBHOOK, problem });
        }
        Ok(())
    }
}

/// Whether a text is a URL that can be posted to.
pub(crate) fn is_url(text: &str) -> bool {
    ["https://", "http://"]
        .iter()
        .any(|scheme| text.len() > scheme.len() && text.starts_with(scheme))
}

impl Default for OperationsSection {
    fn default() -> Self {
        Self {
            metrics_file: String::new(),
            openlineage: String::new(),
            openlineage_namespace: "longhaul".to_owned(),
            webhook: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_is_a_url_or_none() {
        let section = |webhook: &str| OperationsSection {
            webhook: webhook.to_owned(),
            ..OperationsSection::default()
        };
        assert!(section("").check().is_ok());
        assert!(section("https://chat.example/hooks/abc").check().is_ok());
        let error = section("chat.example/hooks/abc").check().expect_err("no URL");
        assert!(!error.problem.contains("abc"), "{}", error.problem);
    }
}
