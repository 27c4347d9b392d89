//! What people decided about champions: `models/<pipeline>/decisions/<fence>.json`, one object a
//! decision. They are never deleted.
//!
//! What a decision withdraws scores nothing and does not become champion again by a run of its night;
//! only another decision takes that back.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use store::{PutOutcome, Store};
use terms::{ErrorClass, Schema};

use crate::{Error, Manifest, registry};

const SCHEMA: Schema = Schema { name: "decision", version: 1 };

/// A champion that a person chose, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The pipeline.
    pub pipeline: String,
    /// The fencing number of the command: decisions of a pipeline are in its order.
    pub fence: u64,
    /// When, as the clock of its machine said.
    pub decided_at: String,
    /// The champion from then on.
    pub champion: String,
    /// The one before.
    pub before: Option<String>,
    /// The models that it withdrew.
    pub withdrawn: Vec<String>,
    /// Why, in the words of the person.
    pub reason: String,
}

impl Decision {
    /// Where it is.
    pub fn path(&self) -> String {
        format!("{}{:020}.json", folder(&self.pipeline), self.fence)
    }
}

/// The decisions about the champions of a pipeline.
#[derive(Debug, Default)]
pub struct Decisions {
    /// In their order.
    pub made: Vec<Decision>,
    /// Paths of those that are not as they were written, and what is wrong with each. Nothing else
    /// knows what they withdrew.
    pub damaged: Vec<(String, Error)>,
}

impl Decisions {
    /// The decisions that a store holds about a pipeline.
    ///
    /// # Errors
    /// If the store fails. A damaged decision is no error: it must not stop the nights.
    pub fn of(store: &Store, pipeline: &str) -> Result<Self, Error> {
        let mut decisions = Self::default();
        for entry in store.list(&folder(pipeline))? {
            match store.get_sealed::<Decision>(&entry.path, SCHEMA) {
                Ok(Some((decision, _))) => decisions.made.push(decision),
                Ok(None) => {}
                Err(error) if error.class() == ErrorClass::Contract => {
                    decisions.damaged.push((entry.path, error.into()));
                }
                Err(error) => return Err(error.into()),
            }
        }
        decisions.made.sort_by_key(|decision| decision.fence);
        Ok(decisions)
    }

    /// The models that are withdrawn.
    pub fn withdrawn(&self) -> BTreeSet<&str> {
        let mut withdrawn = BTreeSet::new();
        for decision in &self.made {
            withdrawn.extend(decision.withdrawn.iter().map(String::as_str));
            withdrawn.remove(decision.champion.as_str());
        }
        withdrawn
    }

    /// The decision by which a model is withdrawn, if it is.
    pub fn against(&self, model_id: &str) -> Option<&Decision> {
        let of_model = |decision: &&Decision| {
            decision.champion == model_id || decision.withdrawn.iter().any(|id| id == model_id)
        };
        self.made.iter().rev().find(of_model).filter(|decision| decision.champion != model_id)
    }
}

/// The models of a pipeline that may score: those that passed and are not withdrawn, newest first.
///
/// # Errors
/// If the store fails.
pub fn eligible(store: &Store, pipeline: &str) -> Result<Vec<Manifest>, Error> {
    let decisions = Decisions::of(store, pipeline)?;
    let withdrawn = decisions.withdrawn();
    let models = registry::list(store)?.manifests.into_iter();
    let may_score = |model: &Manifest| {
        let about = &model.about;
        about.pipeline == pipeline && about.passed && !withdrawn.contains(&*model.model_id)
    };
    Ok(models.filter(may_score).collect())
}

/// Writes a decision down. Returns whether it is the first with its fencing number.
///
/// # Errors
/// If the store fails.
pub(crate) fn write(store: &Store, decision: &Decision) -> Result<bool, Error> {
    let path = decision.path();
    let bytes = SCHEMA.seal(decision).map_err(|source| Error::Unreadable {
        path: path.clone(),
        expected: "a decision",
        source,
    })?;
    Ok(store.put_if_absent(&path, bytes.into())? == PutOutcome::Created)
}

fn folder(pipeline: &str) -> String {
    format!("models/{pipeline}/decisions/")
}
