//! Names in a feature declaration that are of a closed list: facts, categories, calendar features.
//!
//! Each list is an enum, so that what builds a feature matches on it exhaustively; this is how its
//! variants are written in the file, and how a name that is not in the list is refused.

use crate::Error;

/// An enum whose variants have names in the declaration file.
pub(crate) trait DeclaredName: Copy + 'static {
    /// All variants, in the order in which messages list them.
    const ALL: &'static [Self];

    /// The name in the file.
    fn name(self) -> &'static str;

    /// What it is: the comment of the variant.
    fn meaning(self) -> &'static str;

    /// The variant called `name`. `kind` says in the message what was named.
    ///
    /// # Errors
    /// If there is none, with the names that exist.
    fn parse(kind: &'static str, name: &str) -> Result<Self, Error> {
        let found = Self::ALL.iter().copied().find(|variant| variant.name() == name);
        found.ok_or_else(|| {
            let existing: Vec<&str> = Self::ALL.iter().map(|variant| variant.name()).collect();
            Error::Unknown { what: kind, found: name.to_owned(), expected: existing.join(", ") }
        })
    }
}

/// Defines an enum with the names of its variants, in the order of messages. Their comments are what
/// users read about them.
macro_rules! declared_names {
    ($(#[$meta:meta])* $visibility:vis enum $type:ident {
        $($(#[doc = $doc:literal])+ $variant:ident = $name:expr,)*
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
        #[serde(into = "&'static str")]
        $visibility enum $type { $($(#[doc = $doc])+ $variant,)* }

        impl $crate::declared_name::DeclaredName for $type {
            const ALL: &'static [Self] = &[$(Self::$variant,)*];

            fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_start(),)* }
            }
        }

        impl From<$type> for &'static str {
            fn from(value: $type) -> Self {
                $crate::declared_name::DeclaredName::name(value)
            }
        }
    };
}

pub(crate) use declared_names;
