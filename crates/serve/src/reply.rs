//! The answer to a request: predictions with the names that they have everywhere else.

use scorer::{Distribution, Scorer};
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::{Value, json};
use terms::{FeatureKind, column};

use crate::rows::Row;

/// Predictions of one model.
#[derive(serde::Serialize)]
pub(crate) struct Predictions<'a> {
    pub(crate) model_id: &'a str,
    pub(crate) predictions: Vec<Prediction>,
}

/// The ids of a row, and what is predicted for it.
pub(crate) struct Prediction {
    ids: Vec<(&'static str, Value)>,
    distribution: Distribution,
}

impl Prediction {
    /// That of a row.
    pub(crate) fn of(scorer: &Scorer, row: Row) -> Self {
        Self { ids: row.ids, distribution: scorer.score_row(&row.values) }
    }
}

impl Serialize for Prediction {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { ids, distribution } = self;
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in ids {
            map.serialize_entry(name, value)?;
        }
        map.serialize_entry(column::PROBABILITY_OVER_2D, &distribution.probability_over_2d)?;
        for (name, hours) in column::HOURS.into_iter().zip(distribution.hours) {
            map.serialize_entry(name, &hours)?;
        }
        map.serialize_entry(&distribution.days.column(), &distribution.by_day[..])?;
        map.end()
    }
}

/// What a model is, for `GET /v1/model`.
pub(crate) fn model(scorer: &Scorer) -> Value {
    let features = scorer.features().0.iter().map(|feature| match &feature.kind {
        FeatureKind::Numeric => json!({ "name": feature.name, "kind": "numeric" }),
        FeatureKind::Categorical { levels } => {
            json!({ "name": feature.name, "kind": "categorical", "levels": levels })
        }
    });
    let days: Vec<u32> = (0..terms::DAYS_AHEAD).map(|point| scorer.days().day(point)).collect();
    json!({
        "model_id": scorer.model_id(),
        "features": features.collect::<Vec<_>>(),
        "days": days,
    })
}
