//! `MLmodel`, by which MLflow loads `model.onnx`: `mlflow.pyfunc.load_model(<folder>)`.
//!
//! The signature names the features, so MLflow checks that a table has them and puts them in order;
//! what it gives is a table too. Categories are the positions of their levels in `features.json`.

use std::collections::BTreeMap;

use boost::SplitRule;
use scorer::Parts;
use serde_json::{Value, json};

use super::outputs;
use crate::{About, Error};

/// The file of the ONNX model.
pub const MODEL_FILE: &str = "model.onnx";
/// An example of the model's input, in the form of [`pandas.DataFrame.to_dict(orient="split")`][split].
///
/// [split]: https://pandas.pydata.org/docs/reference/api/pandas.DataFrame.to_dict.html
const EXAMPLE_FILE: &str = "input_example.json";

/// `MLmodel` and `input_example.json`, to be written beside `model.onnx`. Shapes: `example` n_features;
/// none of it may be missing, since MLflow's own reader cannot tell then of what type it is.
///
/// # Errors
/// If the example has another length than the feature list, or a value that is not finite.
pub fn mlmodel_files(
    parts: &Parts,
    about: &About,
    example: &[f32],
) -> Result<BTreeMap<String, Vec<u8>>, Error> {
    let of_example = |what: String| Error::Export { format: "MLflow", part: "example", what };
    let (expected, found) = (parts.features.len(), example.len());
    if found != expected {
        let error = scorer::Error::RowLength { expected, found };
        return Err(of_example(error.to_string()));
    }
    if let Some(at) = example.iter().position(|value| !value.is_finite()) {
        let name = &parts.features.0[at].name;
        return Err(of_example(format!("{name} is {}", example[at])));
    }
    let names: Vec<&str> = parts.features.0.iter().map(|f| f.name.as_str()).collect();
    let values: Vec<f64> = example.iter().map(|&value| value.into()).collect();
    let example = json!({ "columns": names, "data": [values] });
    let mut files = BTreeMap::new();
    files.insert(EXAMPLE_FILE.to_owned(), format!("{example}\n").into_bytes());
    files.insert("MLmodel".to_owned(), mlmodel(parts, about, &names).into_bytes());
    Ok(files)
}

/// Text in the YAML that MLflow reads, of which JSON is a part: the values are JSON, so that whatever a
/// name holds is quoted as it must be.
fn mlmodel(parts: &Parts, about: &About, names: &[&str]) -> String {
    let column = |name: &str| json!({ "type": "double", "name": name, "required": true });
    let inputs: Vec<Value> = names.iter().map(|name| column(name)).collect();
    let outputs: Vec<Value> =
        outputs::all(parts.days).iter().map(|(name, _)| column(name)).collect();
    // MLflow wants a signature's columns as texts that hold JSON.
    let signature = json!({
        "inputs": Value::from(inputs).to_string(),
        "outputs": Value::from(outputs).to_string(),
        "params": null,
    });
    // Sums in another order have other last bits, and only the CPU's order is known.
    let onnx = json!({ "data": MODEL_FILE, "providers": ["CPUExecutionProvider"] });
    let flavors = json!({
        "onnx": onnx,
        "python_function": { "loader_module": "mlflow.onnx", "data": MODEL_FILE },
    });
    let example =
        json!({ "artifact_path": EXAMPLE_FILE, "type": "dataframe", "pandas_orient": "split" });
    let metadata = json!({
        "as_of": about.as_of,
        "pipeline": about.pipeline,
        "family": about.family,
        "code_version": about.code_version,
        "features_digest": about.features_digest,
        "seed": about.seed,
        "passed": about.passed,
        "scorer_sha256": parts.fingerprint(),
    });
    let entries = [
        ("flavors", flavors),
        ("signature", signature),
        ("saved_input_example_info", example),
        ("metadata", metadata),
    ];
    entries.iter().map(|(key, value)| format!("{key}: {value}\n")).collect()
}

/// A row as an example, without missing values: of each feature the middle one of the model's thresholds,
/// of a category the first.
pub fn example_row(parts: &Parts) -> Vec<f32> {
    let mut thresholds = vec![Vec::new(); parts.features.len()];
    let models = parts.regressors.iter().map(|regressor| &regressor.trees).chain([&parts.gate]);
    for split in models.flat_map(|model| model.trees()).flat_map(|tree| tree.splits()) {
        if let SplitRule::AtMost(threshold) = split.rule
            && threshold.is_finite()
        {
            thresholds[split.feature as usize].push(threshold);
        }
    }
    let middle = |mut of_feature: Vec<f32>| {
        of_feature.sort_by(f32::total_cmp);
        of_feature.get(of_feature.len() / 2).copied().unwrap_or(0.0)
    };
    thresholds.into_iter().map(middle).collect()
}

#[cfg(test)]
mod tests {
    use terms::Digest;

    use super::*;
    use crate::export::test_model::{features, parts};

    fn about() -> About {
        About {
            as_of: "2026-01-01".parse().unwrap(),
            pipeline: "shop".into(),
            family: "boost".into(),
            code_version: "c".into(),
            features_digest: Digest::of(b"features"),
            seed: 7,
            passed: true,
        }
    }

    /// Each line is a key and JSON.
    fn parsed(mlmodel: &[u8]) -> BTreeMap<String, serde_json::Value> {
        let lines = std::str::from_utf8(mlmodel).unwrap().lines();
        let entry = |line: &str| {
            let (key, value) = line.split_once(": ").unwrap();
            (key.to_owned(), serde_json::from_str(value).unwrap())
        };
        lines.map(entry).collect()
    }

    #[test]
    fn mlflow_knows_the_columns_that_go_in_and_come_out() {
        let parts = parts();
        let files = mlmodel_files(&parts, &about(), &example_row(&parts)).unwrap();
        let mlmodel = parsed(&files["MLmodel"]);
        assert_eq!(mlmodel["flavors"]["python_function"]["loader_module"], "mlflow.onnx");
        assert_eq!(mlmodel["flavors"]["onnx"]["data"], "model.onnx");
        let names = |of: &str| -> Vec<String> {
            let text = mlmodel["signature"][of].as_str().unwrap();
            let columns: Vec<serde_json::Value> = serde_json::from_str(text).unwrap();
            columns.iter().map(|column| column["name"].as_str().unwrap().to_owned()).collect()
        };
        let features: Vec<_> = features().0.into_iter().map(|feature| feature.name).collect();
        assert_eq!(names("inputs"), features);
        let outputs: Vec<_> = outputs::all(parts.days).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names("outputs"), outputs);
        assert_eq!(mlmodel["metadata"]["pipeline"], "shop");

        let example: serde_json::Value =
            serde_json::from_slice(&files["input_example.json"]).unwrap();
        assert_eq!(example["columns"], serde_json::json!(features));
        assert_eq!(example["data"], serde_json::json!([[500.0, 0.0, 0.0, 0.0, 0.0]]));
    }

    #[test]
    fn an_example_with_missing_values_is_refused() {
        let parts = parts();
        let refused = |row: &[f32]| mlmodel_files(&parts, &about(), row).unwrap_err().to_string();
        let message = refused(&[1.0, f32::NAN, 1.0, 1.0, 1.0]);
        assert_eq!(message, "MLflow: the example cannot be written: region is NaN");
        assert!(refused(&[1.0]).contains("expected 5 values, found 1"));
    }
}
