//! Makes a family of regressors from its name in the settings.

use crate::baseline::Baseline;
use crate::boosted::Boosted;
use crate::ensemble::Ensemble;
use crate::family::Family;
use crate::forest::{Forest, Kind};
use crate::settings::{FamilyName, Settings};

/// The family of a name.
pub(crate) fn family(name: FamilyName, settings: &Settings) -> Box<dyn Family> {
    match name {
        FamilyName::Baseline => Box::new(Baseline),
        FamilyName::Boost => Box::new(Boosted::new(settings)),
        FamilyName::Ensemble => Box::new(Ensemble::new(settings)),
        FamilyName::Forest => {
            Box::new(Forest::new(Kind::RandomForest, &settings.forest, settings.seed))
        }
        FamilyName::ExtraTrees => {
            Box::new(Forest::new(Kind::ExtraTrees, &settings.forest, settings.seed))
        }
    }
}
