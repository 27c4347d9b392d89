//! The rows of a request: checked feature by feature, as numbers for the scorer.

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use terms::{Feature, FeatureList, column};

/// What is wrong with a request, for whoever sent it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct BadRequest {
    /// What was expected and what was found.
    pub(crate) message: String,
    /// The position of the row, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) row: Option<usize>,
    /// The features that are missing or wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) features: Vec<String>,
}

impl BadRequest {
    fn of_body(message: String) -> Self {
        Self { message, row: None, features: Vec::new() }
    }
}

/// A row: its ids, as far as it has any, and its values in the order of the features.
pub(crate) struct Row {
    pub(crate) ids: Vec<(&'static str, Value)>,
    pub(crate) values: Vec<f32>,
}

/// The rows of a body, at most `rows_max`; `Ok(None)` if there are more.
///
/// # Errors
/// If the body has another form, or the first row that lacks a feature or has one of another type.
pub(crate) fn parse(
    body: &[u8],
    features: &FeatureList,
    rows_max: usize,
) -> Result<Option<Vec<Row>>, BadRequest> {
    let request: Request = serde_json::from_slice(body).map_err(|error| {
        BadRequest::of_body(format!(
            "expected {{\"rows\": [{{\"<feature>\": value, …}}, …]}}: {error}"
        ))
    })?;
    if request.rows.len() > rows_max {
        return Ok(None);
    }
    let rows = request.rows.into_iter().enumerate();
    rows.map(|(at, row)| row_of(row, features).map_err(|bad| BadRequest { row: Some(at), ..bad }))
        .collect::<Result<_, _>>()
        .map(Some)
}

struct Request {
    rows: Vec<Map<String, Value>>,
}

impl<'de> Deserialize<'de> for Request {
    /// By hand, so that an array in place of the object is an error, and a second `rows`, too.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfObject;
        impl<'de> Visitor<'de> for OfObject {
            type Value = Request;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object with rows")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Request, A::Error> {
                use serde::de::Error as _;
                let mut rows = None;
                while let Some(key) = map.next_key::<String>()? {
                    if key == "rows" {
                        let found = map.next_value::<Vec<Map<String, Value>>>()?;
                        if rows.replace(found).is_some() {
                            return Err(A::Error::duplicate_field("rows"));
                        }
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                rows.map(|rows| Request { rows }).ok_or_else(|| A::Error::missing_field("rows"))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Request, A::Error> {
                use serde::de::Error as _;
                Err(A::Error::custom("found an array"))
            }
        }
        deserializer.deserialize_any(OfObject)
    }
}

/// Every feature needs a key, with null for a missing value: a misspelt key must not pass for one.
fn row_of(row: Map<String, Value>, features: &FeatureList) -> Result<Row, BadRequest> {
    let is_missing = |feature: &&Feature| !row.contains_key(&feature.name);
    let missing: Vec<String> =
        features.0.iter().filter(is_missing).map(|feature| feature.name.clone()).collect();
    if !missing.is_empty() {
        let message = "expected a key for each feature, with null for a missing value".to_owned();
        return Err(BadRequest { message, row: None, features: missing });
    }
    let mut values = Vec::with_capacity(features.len());
    for feature in &features.0 {
        let value = match (row.get(&feature.name), feature.is_categorical()) {
            (None | Some(Value::Null), _) => f32::NAN,
            (Some(Value::String(level)), true) => feature.code(level),
            // JSON has no other numbers than these.
            (Some(Value::Number(number)), false) => number.as_f64().unwrap_or(f64::NAN) as f32,
            (Some(other), is_text) => {
                let expected = if is_text { "a string or null" } else { "a number or null" };
                let message =
                    format!("{}: expected {expected}, found {}", feature.name, kind(other));
                return Err(BadRequest {
                    message,
                    row: None,
                    features: vec![feature.name.clone()],
                });
            }
        };
        values.push(value);
    }
    let mut row = row;
    let ids = [column::SHIPMENT_ID, column::ORDER_ID];
    let ids = ids.into_iter().filter_map(|name| row.remove(name).map(|value| (name, value)));
    Ok(Row { ids: ids.collect(), values })
}

/// What a value is, without the value: it may be anything that somebody sent.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use terms::FeatureKind;

    use super::*;

    fn features() -> FeatureList {
        let levels = vec!["north".to_owned(), "south".to_owned()];
        FeatureList(vec![
            Feature { name: "distance_km".into(), kind: FeatureKind::Numeric },
            Feature { name: "region".into(), kind: FeatureKind::Categorical { levels } },
        ])
    }

    fn parsed(body: &str) -> Result<Option<Vec<Row>>, BadRequest> {
        parse(body.as_bytes(), &features(), 2)
    }

    #[test]
    fn values_are_in_the_order_of_the_features_and_ids_are_kept() {
        let body = r#"{"rows": [
            {"region": "south", "distance_km": 12.5, "shipment_id": "s1", "other": [1]},
            {"region": "nowhere", "distance_km": null, "order_id": 7}
        ], "more": {}}"#;
        let rows = parsed(body).unwrap().unwrap();
        assert_eq!(rows[0].values, [12.5, 1.0]);
        assert!(rows[1].values.iter().all(|value| value.is_nan()));
        assert_eq!(rows[0].ids, [("shipment_id", "s1".into())]);
        assert_eq!(rows[1].ids, [("order_id", 7.into())]);
        assert!(parsed(r#"{"rows": []}"#).unwrap().unwrap().is_empty());
        let row = r#"{"region": null, "distance_km": 1}"#;
        assert!(parsed(&format!(r#"{{"rows": [{row}, {row}, {row}]}}"#)).unwrap().is_none());
    }

    #[track_caller]
    fn refused(body: &str) -> BadRequest {
        parsed(body).err().expect("a bad request")
    }

    #[test]
    fn what_is_wrong_is_said_with_its_row_and_features() {
        let missing = refused(r#"{"rows": [{"region": "south", "distance_km": 1}, {}]}"#);
        assert_eq!(missing.row, Some(1));
        assert_eq!(missing.features, ["distance_km", "region"]);
        let wrong = refused(r#"{"rows": [{"region": 4, "distance_km": 1}]}"#);
        assert_eq!(wrong.message, "region: expected a string or null, found a number");
        assert_eq!((wrong.row, wrong.features), (Some(0), vec!["region".to_owned()]));
        for body in ["", "[]", "[[]]", "{}", "7", r#"{"rows": 1}"#, r#"{"rows": [], "rows": []}"#] {
            let bad = refused(body);
            assert!(bad.message.starts_with("expected {\"rows\": ["), "{body}: {}", bad.message);
        }
    }
}
