//! What an error means to whoever started the program: a message, a hint and an exit code.

use std::error::Error as StdError;

use terms::ErrorClass;

use crate::exit_code::ExitCode;
use crate::hints;
use crate::refusal::Refusal;

/// What an error means to whoever started the program.
pub(crate) struct Diagnosis {
    /// The error and its causes, outermost first.
    pub(crate) message: String,
    /// What to do about it, where something can be done.
    pub(crate) hint: Option<String>,
    /// How the process ends.
    pub(crate) exit_code: ExitCode,
}

impl Diagnosis {
    /// For programs.
    pub(crate) fn json(&self) -> serde_json::Value {
        let Self { message, hint, exit_code } = self;
        serde_json::json!({ "message": message, "hint": hint, "exit_code": exit_code.number() })
    }

    /// The exit code is that of the first cause with a class, else
    /// [`Unexpected`](ExitCode::Unexpected); the hint is the first that there is.
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        let mut causes: Vec<String> =
            error.chain().map(|cause| bounded(&cause.to_string())).collect();
        causes.dedup();
        let classified = || error.chain().filter_map(classify);
        let class = classified().next().map_or(ErrorClass::Internal, |(class, _)| class);
        Self {
            message: causes.join(": "),
            hint: classified().find_map(|(_, hint)| hint),
            exit_code: class.into(),
        }
    }
}

impl From<&Refusal> for Diagnosis {
    fn from(refusal: &Refusal) -> Self {
        let (message, hint) = (refusal.to_string(), refusal.hint());
        Self { message, hint, exit_code: refusal.class().into() }
    }
}

/// A message of at most this length is shown whole. Units: bytes.
const MESSAGE_MAX: usize = 2_000;
/// What is shown of the end of a longer one.
const MESSAGE_END: usize = 300;

/// A message as it is shown: libraries may list every column of a table, or print a whole query.
fn bounded(message: &str) -> String {
    if message.len() <= MESSAGE_MAX {
        return message.to_owned();
    }
    let start = message.floor_char_boundary(MESSAGE_MAX - MESSAGE_END);
    let end = message.ceil_char_boundary(message.len() - MESSAGE_END);
    format!("{} [… {} bytes …] {}", &message[..start], end - start, &message[end..])
}

/// The class and the hint of an error of one of our crates; `None` for any other error.
fn classify(cause: &(dyn StdError + 'static)) -> Option<(ErrorClass, Option<String>)> {
    macro_rules! first_of {
        ($($error:ty: $hint:expr),* $(,)?) => {
            $(if let Some(error) = cause.downcast_ref::<$error>() {
                return Some((error.class(), $hint(error)));
            })*
        };
    }
    first_of!(
        Refusal: Refusal::hint,
        store::Error: hints::of_store,
        intake::Error: hints::of_intake,
        features::Error: hints::of_features,
        learn::Error: hints::of_learn,
        evaluate::Error: evaluate::Error::hint,
        scorer::Error: scorer::Error::hint,
        artifact::Error: hints::of_artifact,
        simulate::Error: simulate::Error::hint,
    );
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_without_end_is_cut_in_its_middle() {
        let list: Vec<String> = (0..1_000_000).map(|n| format!("sp\u{e4}lte_{n}")).collect();
        let error = anyhow::anyhow!("not among {}; really", list.join(", "));
        let message = Diagnosis::of(&error.context("reading")).message;
        assert!(message.starts_with("reading: not among sp\u{e4}lte_0, "), "{message}");
        assert!(message.ends_with("; really") && message.len() < 2_100, "{}", message.len());
    }

    #[test]
    fn the_first_cause_with_a_class_decides_and_an_unknown_error_is_unexpected() {
        let refused = Refusal::Usage { what: "no such option".to_owned() };
        let diagnosis = Diagnosis::of(&anyhow::Error::new(refused).context("outermost"));
        assert_eq!(diagnosis.exit_code, ExitCode::Usage);
        assert_eq!(diagnosis.message, "outermost: no such option");
        assert_eq!(diagnosis.hint, None);
        let unknown = Diagnosis::of(&anyhow::anyhow!("nobody knows"));
        assert_eq!(unknown.exit_code, ExitCode::Unexpected);
    }
}
