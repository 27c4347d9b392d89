//! Champions that a person chooses: going back to the one before, or to any model that passed.

use store::Store;

use crate::decision::{self, Decision, Decisions, eligible};
use crate::pointer::{self, Pointer};
use crate::{Bundle, Error, Manifest};

/// The champion to which a rollback leads: the one before the champion or, where that is gone or
/// withdrawn, the newest model before it that passed. `None` if there is none.
///
/// # Errors
/// If the store fails.
pub fn before(store: &Store, champion: &Pointer, pipeline: &str) -> Result<Option<String>, Error> {
    let models = eligible(store, pipeline)?;
    let is_other = |model: &&Manifest| model.model_id != champion.model_id;
    let previous = models.iter().filter(is_other).find(|model| {
        champion.previous.as_ref().is_some_and(|previous| *previous == model.model_id)
    });
    let older = || models.iter().filter(is_other).find(|m| m.about.as_of <= champion.as_of);
    Ok(previous.or_else(older).map(|model| model.model_id.clone()))
}

/// Makes a model champion because a person says so, whichever is the newer one, and withdraws those
/// that passed as of its moment or later. The decision is written before the pointer moves: after a
/// crash between the two the same command goes on. `fence` is the fencing number of the command;
/// `is_held` is asked last whether it may still write. `None`: the model is champion already.
///
/// # Errors
/// If another run moved the pointer meanwhile, or the store fails. The champion is then as it was.
pub fn choose(
    store: &Store,
    bundle: &Bundle,
    (reason, decided_at): (&str, &str),
    fence: u64,
    is_held: impl FnOnce() -> bool,
) -> Result<Option<Decision>, Error> {
    let about = &bundle.manifest.about;
    let (pipeline, model_id) = (&about.pipeline, bundle.model_id());
    let champion = pointer::current(store, pipeline)?;
    let decisions = Decisions::of(store, pipeline)?;
    let is_champion = champion.as_ref().is_some_and(|champion| champion.model_id == model_id);
    if is_champion && decisions.against(model_id).is_none() {
        return Ok(None);
    }
    let models = eligible(store, pipeline)?;
    let (withdrawn, older): (Vec<&Manifest>, Vec<&Manifest>) = (models.iter())
        .filter(|model| model.model_id != model_id)
        .partition(|model| model.about.as_of >= about.as_of);
    let decision = Decision {
        pipeline: pipeline.clone(),
        fence,
        decided_at: decided_at.to_owned(),
        champion: model_id.to_owned(),
        before: champion.map(|champion| champion.model_id),
        withdrawn: withdrawn.iter().map(|model| model.model_id.clone()).collect(),
        reason: reason.to_owned(),
    };
    if !decision::write(store, &decision)? {
        return Err(pointer::moved(pipeline, pointer::current(store, pipeline)?));
    }
    // What a next rollback leads to.
    let is_older = |id: &String| older.iter().any(|model| model.model_id == *id);
    let next = older.first().map(|model| model.model_id.clone());
    let previous = decision.before.clone().filter(is_older).or(next);
    pointer::point_to(store, bundle, previous, fence, is_held)?;
    Ok(Some(decision))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pointer::tests::{bundle, champion, store};
    use crate::pointer::{current, promote, rebuild};

    fn choose(store: &Store, model: &Bundle, fence: u64) -> Result<Option<Decision>, Error> {
        super::choose(store, model, ("it was wrong", "2025-09-04T09:00:00Z"), fence, || true)
    }

    fn rolled_back(store: &Store) -> Option<String> {
        let champion = current(store, "north").unwrap().unwrap();
        before(store, &champion, "north").unwrap()
    }

    #[test]
    fn a_model_that_was_rolled_back_comes_back_by_decision_alone() {
        let store = store();
        let [first, second, third] = ["2025-09-01", "2025-09-02", "2025-09-03"].map(|as_of| {
            let model = bundle(&store, "north", as_of, true);
            promote(&store, &model, 1, || true).unwrap();
            model
        });
        assert_eq!(rolled_back(&store).as_deref(), Some(second.model_id()));
        let decision = choose(&store, &second, 2).unwrap().unwrap();
        assert_eq!(decision.before.as_deref(), Some(third.model_id()));
        assert_eq!(decision.withdrawn, [third.model_id()]);
        // A run of its night again.
        let refused = promote(&store, &third, 3, || true).unwrap_err();
        let says = "withdrawn by hand: it was wrong";
        assert!(refused.to_string().contains(says), "{refused}");
        // A damaged pointer does not bring it back either.
        store.put(&pointer::path("north"), bytes::Bytes::new()).unwrap();
        let rebuilt = rebuild(&store, "north", 3).unwrap().unwrap();
        assert_eq!(rebuilt.model_id, second.model_id());
        // Back once more, and no further.
        assert_eq!(rolled_back(&store).as_deref(), Some(first.model_id()));
        choose(&store, &first, 4).unwrap();
        assert_eq!(rolled_back(&store), None);
        // By decision it comes back, and what was withdrawn before stays so.
        choose(&store, &third, 5).unwrap();
        assert_eq!(champion(&store, "north").as_deref(), Some(third.model_id()));
        let decisions = Decisions::of(&store, "north").unwrap();
        assert_eq!(decisions.made.len(), 3);
        assert_eq!(decisions.withdrawn().into_iter().collect::<Vec<_>>(), [second.model_id()]);
        assert_eq!(choose(&store, &third, 6).unwrap(), None);
        // The next night is a model like others.
        let next = bundle(&store, "north", "2025-09-04", true);
        promote(&store, &next, 7, || true).unwrap();
        assert_eq!(champion(&store, "north").as_deref(), Some(next.model_id()));
    }

    #[test]
    fn a_decision_without_the_lease_changes_no_champion_and_goes_on_when_it_is_made_again() {
        let store = store();
        let first = bundle(&store, "north", "2025-09-01", true);
        let second = bundle(&store, "north", "2025-09-02", true);
        promote(&store, &first, 1, || true).unwrap();
        promote(&store, &second, 1, || true).unwrap();
        let decided = ("it was wrong", "2025-09-04T09:00:00Z");
        let error = super::choose(&store, &first, decided, 2, || false).unwrap_err();
        assert!(matches!(error, Error::Moved { .. }), "{error}");
        assert_eq!(champion(&store, "north").as_deref(), Some(second.model_id()));
        assert_eq!(rolled_back(&store).as_deref(), Some(first.model_id()));
        choose(&store, &first, 3).unwrap();
        assert_eq!(champion(&store, "north").as_deref(), Some(first.model_id()));
    }

    #[test]
    fn a_damaged_decision_is_named_and_withdraws_nothing() {
        let store = store();
        let decision = "models/north/decisions/00000000000000000002.json";
        store.put(decision, bytes::Bytes::from_static(b"{}")).unwrap();
        let found = Decisions::of(&store, "north").unwrap();
        assert!(found.made.is_empty());
        assert_eq!(found.damaged[0].0, decision);
    }
}
