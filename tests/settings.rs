//! The commands on settings: their page and their schema are up to date with the program.

use serde_json::Value;

use crate::program::{longhaul, root};

#[test]
fn the_page_of_the_settings_is_up_to_date() {
    let page = longhaul(&["config", "docs"]).ok().stdout;
    let kept = std::fs::read_to_string(root().join("docs/settings.md")).unwrap_or_default();
    assert!(
        page == kept,
        "docs/settings.md is out of date: longhaul config docs > docs/settings.md"
    );
}

#[test]
fn the_schema_has_every_setting_with_its_default() {
    let schema: Value = serde_json::from_str(&longhaul(&["config", "schema"]).ok().stdout).unwrap();
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    let shown = longhaul(&["config", "show", "pipelines/demo.toml", "--json"]).ok().json();
    for (key, shown) in shown.as_object().expect("keys") {
        let of_section = |schema: &Value, part: &str| schema["properties"][part].clone();
        let found = key.split('.').fold(schema.clone(), |schema, part| of_section(&schema, part));
        assert!(found["description"].is_string(), "{key}");
        if shown["origin"] == "default" && key != "name" && key != "simulate.episodes" {
            let value =
                shown["value"].as_str().expect("TOML").parse::<toml::Value>().expect("TOML");
            let default = serde_json::to_value(value).expect("JSON");
            assert_eq!(default, found["default"], "{key}");
        }
    }
}
