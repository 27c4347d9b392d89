//! Errors of training.

use terms::{AsOf, ErrorClass};

/// Why a model cannot be trained, and where the fault is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting is outside its range.
    #[error("setting train.{key}: expected {expected}, found {found}")]
    Setting {
        /// Its key in the section `train`, with dots.
        key: &'static str,
        /// The range.
        expected: &'static str,
        /// Its value.
        found: f64,
    },
    /// A monotone constraint on a feature that does not exist, or that is categorical.
    #[error("setting train.monotone.{name}: expected the name of a numeric feature, found {found}")]
    Monotone {
        /// The name.
        name: String,
        /// What it is instead.
        found: &'static str,
    },
    /// The clock is to differ by what is no category.
    #[error("setting train.time_scale.clock_by: expected a categorical feature, found {name:?}")]
    ClockBy {
        /// The name.
        name: String,
    },
    /// Too few deliveries are known to learn from.
    #[error(
        "training as of {origin}: expected at least {needed} observed deliveries (train.rows_min), \
         found {found}"
    )]
    TooFewRows {
        /// The moment whose knowledge may be used.
        origin: AsOf,
        /// Rows found.
        found: usize,
        /// Rows needed.
        needed: usize,
    },
    /// A family that cannot learn from right-censored rows has no matured delivery to learn from.
    #[error("{family}: expected deliveries among matured orders, found none in {rows} rows")]
    NothingMatured {
        /// Which family.
        family: &'static str,
        /// Rows, matured or not.
        rows: usize,
    },
    /// Two inputs that must have one value a row do not.
    #[error("{what}: expected {expected}, one a row of the matrix, found {found}")]
    RowCount {
        /// Which input.
        what: &'static str,
        /// Rows of the matrix.
        expected: usize,
        /// Values found.
        found: usize,
    },
    /// The trees could not be trained or built.
    #[error("{step}: training failed")]
    Boost {
        /// Which model.
        step: &'static str,
        /// Why.
        source: boost::Error,
    },
    /// A checkpoint of an earlier, killed training cannot be read.
    #[error("the checkpoint of a training that was killed is not readable")]
    Checkpoint {
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The parts do not make a scorer.
    #[error("the trained parts do not fit together")]
    Scorer {
        /// Why.
        source: scorer::Error,
    },
    /// A forest of smartcore could not be trained.
    #[error("{family}: training failed")]
    Forest {
        /// Which family.
        family: &'static str,
        /// Why.
        source: smartcore::error::Failed,
    },
    /// A forest of smartcore has a structure that this version does not read.
    #[error("{family}: structure of the forest not readable, expected {expected}")]
    ForestStructure {
        /// Which family.
        family: &'static str,
        /// What the structure should have.
        expected: &'static str,
        /// The error of reading it, if that failed.
        source: Option<serde_json::Error>,
    },
    /// The readable tree of the gate could not be trained.
    #[error("readable gate: training failed")]
    GateRules {
        /// Why.
        source: linfa::Error,
    },
}

impl Error {
    /// What kind of error it is.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Setting { .. } | Self::Monotone { .. } | Self::ClockBy { .. } => {
                ErrorClass::Configuration
            }
            Self::TooFewRows { .. } | Self::NothingMatured { .. } => ErrorClass::Input,
            Self::Boost { source, .. } => match source.class() {
                boost::ErrorClass::Parameters => ErrorClass::Configuration,
                boost::ErrorClass::TooFewRows => ErrorClass::Input,
                boost::ErrorClass::Data => ErrorClass::Contract,
                boost::ErrorClass::Model
                | boost::ErrorClass::Resources
                | boost::ErrorClass::Arguments => ErrorClass::Internal,
            },
            Self::Scorer { source } => source.class(),
            _ => ErrorClass::Internal,
        }
    }

    /// Whether it concerns this family or these rows only, so that other families may still be trained: a
    /// wrong setting, and a checkpoint that cannot be kept, are for a person to mend.
    pub fn is_of_family(&self) -> bool {
        let not_kept = matches!(
            self,
            Self::Checkpoint { .. } | Self::Boost { source: boost::Error::Save { .. }, .. }
        );
        self.class() != ErrorClass::Configuration && !not_kept
    }

    /// What a person can do about it, where something usually helps.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::TooFewRows { .. } => Some(
                "train as of a later day, over a longer history, or lower train.rows_min"
                    .to_owned(),
            ),
            Self::NothingMatured { .. } => {
                Some("train over a longer history than train.maturity_days".to_owned())
            }
            Self::Boost { source: boost::Error::Memory { .. }, .. } => Some(
                "train on fewer rows (train.history_days), with fewer leaves (train.boost.leaves), \
                 or raise train.boost.memory_mib"
                    .to_owned(),
            ),
            Self::Boost { source, .. } => source.hint(),
            Self::Scorer { source } => source.hint(),
            _ => None,
        }
    }
}
