//! Every contract beside this folder is valid by the official schema of its standard.
//!
//! `odcs-json-schema-v3.1.0.json` is the published one of the Open Data Contract Standard
//! (Bitol, Apache-2.0), unchanged.
#![cfg(test)]

use std::fs;
use std::path::Path;

use serde_json::Value;

fn official() -> jsonschema::Validator {
    let schema = include_str!("../odcs-json-schema-v3.1.0.json");
    let schema: Value = serde_json::from_str(schema).expect("JSON");
    jsonschema::validator_for(&schema).expect("a schema")
}

/// Contracts by file name.
fn contracts() -> Vec<(String, Value)> {
    // Asked when it runs: clones that share a target folder share this program too.
    let folder = std::env::var_os("CARGO_MANIFEST_DIR").expect("run by cargo");
    let folder = Path::new(&folder).join("..");
    let mut contracts = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder of the contracts") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if name.ends_with(".odcs.yaml") {
            let text = fs::read_to_string(&path).expect("text");
            contracts.push((name, serde_yaml_ng::from_str(&text).expect("YAML")));
        }
    }
    contracts
}

#[test]
fn every_contract_is_valid() {
    let (official, contracts) = (official(), contracts());
    assert!(contracts.len() >= 3, "{} contracts", contracts.len());
    for (name, contract) in contracts {
        let errors: Vec<String> = official
            .iter_errors(&contract)
            .map(|error| format!("{name}: {}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{}", errors.join("\n"));
    }
}

#[test]
fn a_contract_with_a_mistake_is_not() {
    let official = official();
    for (name, contract) in contracts() {
        let breaks: [fn(&mut Value); 3] = [
            |contract| contract["kind"] = "Contract".into(),
            |contract| contract["schema"][0]["properties"][0]["logicalType"] = "text".into(),
            |contract| {
                contract.as_object_mut().expect("an object").remove("version");
            },
        ];
        for (number, mistake) in breaks.into_iter().enumerate() {
            let mut broken = contract.clone();
            mistake(&mut broken);
            assert!(!official.is_valid(&broken), "{name}: mistake {number} passes");
        }
    }
}
