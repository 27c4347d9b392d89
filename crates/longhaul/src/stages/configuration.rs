//! What features and training are configured to be, checked before anything is run: settings that only
//! training reads, the declaration of the features, and names in the one that the other must have.

use anyhow::Result;
use features::Declaration;

use crate::refusal::Refusal;
use crate::settings::Resolved;
use crate::stages::segments::new_origin_column;

/// Checks what the stages after the check are configured to do. `judges` says whether forecasts are
/// judged, which needs a feature of origins.
///
/// # Errors
/// If a setting is out of its range, the declaration cannot be read, or one of them names what does not
/// exist.
pub(crate) fn check_configuration(resolved: &Resolved, judges: bool) -> Result<()> {
    let train = &resolved.settings.train;
    train.check().map_err(|error| match error {
        learn::Error::Boost { step, source } => {
            let (place, problem) = (format!("train.{step}"), source.to_string());
            anyhow::Error::new(Refusal::Configuration { place, problem })
        }
        other => other.into(),
    })?;
    let (declaration, _) = resolved.declaration()?;
    let place = resolved.declaration_path().display().to_string();
    let names = Names::of(&declaration);
    for name in train.monotone.keys() {
        names.require_numeric(&place, name)?;
    }
    if let (Some(name), true) = (&train.time_scale.clock_by, declaration.clock.is_some())
        && !names.categories.contains(name)
    {
        return Err(learn::Error::ClockBy { name: name.clone() }.into());
    }
    if judges {
        new_origin_column(&declaration)
            .map_err(|error| anyhow::Error::new(error).context(place))?;
    }
    Ok(())
}

/// The names of the declared features.
struct Names {
    numeric: Vec<String>,
    categories: Vec<String>,
}

impl Names {
    fn of(declaration: &Declaration) -> Self {
        let categories: Vec<String> = (declaration.categories.iter())
            .map(|&category| <&str>::from(category).to_owned())
            .collect();
        let all = declaration.groups().into_iter().flat_map(|group| group.features);
        let numeric = all.filter(|name| !categories.contains(name)).collect();
        Self { numeric, categories }
    }

    /// A direction may be given to the numeric features of the declaration.
    fn require_numeric(&self, declaration: &str, name: &str) -> Result<()> {
        if self.numeric.iter().any(|known| known == name) {
            return Ok(());
        }
        if self.categories.iter().any(|known| known == name) {
            let (name, found) = (name.to_owned(), "a categorical feature");
            return Err(learn::Error::Monotone { name, found }.into());
        }
        let similarity = |known: &str| strsim::jaro_winkler(known, name);
        let nearest = self.numeric.iter().max_by(|a, b| similarity(a).total_cmp(&similarity(b)));
        Err(Refusal::UnknownKey {
            place: format!("{declaration} declares no such feature"),
            key: format!("train.monotone.{name}"),
            nearest: nearest.map(|nearest| format!("train.monotone.{nearest}")),
        }
        .into())
    }
}
