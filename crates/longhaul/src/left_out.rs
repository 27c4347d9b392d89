//! What was left out because it failed, while the rest went on: a family, an origin of a backtest.

use anyhow::Result;
use serde::{Deserialize, Serialize};
use terms::AsOf;

use crate::report::Reporter;

/// What was left out, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LeftOut {
    /// The family, or the origin.
    pub(crate) name: String,
    /// Why, in words.
    pub(crate) reason: String,
}

impl LeftOut {
    /// Leaves `name` out, with a warning, if `error` concerns a family or its rows and nothing else.
    ///
    /// # Errors
    /// With `error`, if it is for a person to mend: a setting, the store.
    pub(crate) fn because(name: &str, error: anyhow::Error, reporter: &Reporter) -> Result<Self> {
        let of_learn = error.chain().find_map(|cause| cause.downcast_ref::<learn::Error>());
        if !of_learn.is_some_and(learn::Error::is_of_family) {
            return Err(error);
        }
        let left_out = Self { name: name.to_owned(), reason: format!("{error:#}") };
        left_out.warn(reporter);
        Ok(left_out)
    }

    /// Leaves an origin out at which nothing was delivered yet, with a warning.
    pub(crate) fn without_history(
        origin: AsOf,
        reason: &evaluate::Error,
        reporter: &Reporter,
    ) -> Self {
        let left_out = Self { name: origin.to_string(), reason: reason.to_string() };
        left_out.warn(reporter);
        left_out
    }

    fn warn(&self, reporter: &Reporter) {
        reporter.warn(&format!("left out: {}", self.text()));
    }

    /// As a row of the report.
    pub(crate) fn row(&self) -> (String, String) {
        (format!("left out: {}", self.name), self.reason.clone())
    }

    /// In words.
    pub(crate) fn text(&self) -> String {
        format!("{}: {}", self.name, self.reason)
    }
}

/// All of them in one line; empty if there is none.
pub(crate) fn texts(left_out: &[LeftOut]) -> String {
    left_out.iter().map(LeftOut::text).collect::<Vec<_>>().join("; ")
}

/// Their names in one line.
pub(crate) fn names(left_out: &[LeftOut]) -> String {
    left_out.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::{Global, LogFormat};

    #[test]
    fn what_a_person_has_to_mend_is_not_left_out() {
        let log_format = LogFormat::Text;
        let global = Global { store: None, set: vec![], json: false, quiet: true, log_format };
        let reporter = Reporter::new(&global);
        let of_family = learn::Error::NothingMatured { family: "forest", rows: 3 };
        let of_family = anyhow::Error::new(of_family).context("family forest as of today");
        let found = LeftOut::because("forest", of_family, &reporter).unwrap();
        let text = found.text();
        assert!(text.starts_with("forest: family forest as of today: forest: expected"), "{text}");
        let setting = learn::Error::ClockBy { name: "x".to_owned() };
        assert!(LeftOut::because("boost", setting.into(), &reporter).is_err());
        assert!(LeftOut::because("boost", anyhow::anyhow!("the disk is full"), &reporter).is_err());
    }
}
