//! With `--json` stdout is one JSON document, whatever comes of a command: a result, an error, or both.

use serde_json::Value;

use crate::program::{AS_OF, Ended, Folder, PIPELINE, longhaul, root};

/// The one document, whose error is there if and only if the command failed.
#[track_caller]
fn document(ended: &Ended, what: &str) -> Value {
    let Ended { code, stdout, stderr } = ended;
    let document: Value = serde_json::from_str(stdout)
        .unwrap_or_else(|error| panic!("{what}: {error}: {stdout}\nstderr: {stderr}"));
    assert_eq!(document["schema_version"], 1, "{what}");
    assert_eq!(document["error"].is_object(), *code != 0, "{what}: {code}: {stdout}");
    if *code != 0 {
        assert_eq!(document["error"]["exit_code"], *code, "{what}");
    }
    document
}

#[test]
fn every_command_prints_one_document() {
    let (tables, empty) = (Folder::with_simulated_tables(), Folder::empty());
    let narrow = empty.path().join("narrow.yaml");
    let contract = std::fs::read_to_string(root().join("schemas/shipments.odcs.yaml")).unwrap();
    let contract = contract.replacen("physicalType: int64", "physicalType: int32", 1);
    std::fs::write(&narrow, contract).unwrap();
    let narrow = narrow.to_str().unwrap();
    let (full, none) = (tables.url(), empty.url());
    let commands: &[(&[&str], i32)] = &[
        (&["config", "show", PIPELINE], 0),
        (&["config", "show", "no.toml"], 30),
        (&["contract", "diff", "shipments", narrow], 10),
        (&["contract", "diff", narrow, "shipments"], 0),
        (&["contract", "diff", "moons"], 30),
        (&["contract", "docs"], 0),
        (&["contract", "show", "orders"], 0),
        (&["contract", "show", "moons"], 30),
        (&["completions", "bash"], 0),
        (&["man"], 0),
        (&["models", "list", "--store", none], 0),
        (&["models", "show", "current", "--store", none], 11),
        (&["doctor", "--store", none], 0),
        (&["verify", "--store", full], 0),
        (&["gc", "--store", full], 0),
        (&["import", "olist", "--from", none, "--store", none], 11),
        (&["import", "nothing", "--from", none, "--store", none], 30),
        (&["simulate", "pipelines/olist.toml", "--set", "simulate.days=0", "--store", none], 30),
        (&["predict", "--store", none, "--rows", "no.jsonl"], 11),
        (&["features"], 2),
        (&["forecast", PIPELINE], 2),
        (&["check", PIPELINE, "--store", full, "--as-of", AS_OF], 0),
        (&["check", PIPELINE, "--store", full, "--as-of", AS_OF, "--explain"], 0),
        (&["check", PIPELINE, "--store", none, "--as-of", AS_OF], 11),
        (&["run", PIPELINE, "--store", none, "--as-of", AS_OF], 11),
        (&["train", PIPELINE, "--store", none, "--set", "train.rows_min=0"], 30),
        (&["proof", PIPELINE, "--store", full, "--as-of", "2026-06-01"], 11),
        (
            &[
                "backtest", PIPELINE, "--store", full, "--from", AS_OF, "--to", AS_OF, "--every",
                "7",
            ],
            2,
        ),
    ];
    for (arguments, code) in commands {
        let ended = longhaul(&[arguments, &["--json"][..]].concat());
        assert_eq!(ended.code, *code, "{arguments:?}: {}", ended.stderr);
        let document = document(&ended, &format!("{arguments:?}"));
        assert!(*code != 0 || document["result"] != Value::Null, "{arguments:?}: {document}");
    }
    // A breaking change is shown, and is an error.
    let ended = longhaul(&["contract", "diff", "shipments", narrow, "--json"]);
    let both = document(&ended, "both");
    assert_eq!(both["result"]["verdict"], "breaking");
    assert!(both["error"]["hint"].as_str().unwrap().contains("nullable"));
}

#[test]
fn predictions_are_lines_or_with_json_one_document() {
    let store = Folder::with_simulated_tables();
    store.run("run", &["--set", "train.families=[\"baseline\"]"]).ok();
    let folder = store.run("features", &["--json"]).ok().json()["folder"].clone();
    let mut rows = store.matrix(folder.as_str().unwrap()).head(Some(3));
    let path = store.path().join("rows.parquet");
    crate::program::write_frame(&path, &mut rows);
    let predict = |more: &[&str]| {
        let path = path.to_str().unwrap();
        let arguments =
            ["predict", "--store", store.url(), "--model", "current:small", "--rows", path];
        longhaul(&[&arguments, more].concat()).ok()
    };
    let lines = predict(&[]).stdout;
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let one = document(&predict(&["--json"]), "predict");
    assert_eq!(one["result"]["predictions"], Value::Array(lines));
    let out = store.path().join("out.jsonl");
    let written = document(&predict(&["--json", "--out", out.to_str().unwrap()]), "predict --out");
    assert_eq!((written["result"]["rows"].as_u64(), out.exists()), (Some(3), true));
}

#[test]
fn predictions_for_a_reader_who_has_read_enough_end_quietly() {
    let store = Folder::with_simulated_tables();
    let few = ["--set", "train.families=[\"baseline\"]", "--set", "publish.exports=false"];
    store.run("publish", &few).ok();
    // More than a pipe holds.
    let rows = store.names().into_iter().find(|name| name.starts_with("state/rows/2025-09"));
    let rows = store.path().join(rows.unwrap()).display().to_string();
    let arguments = ["predict", "--store", store.url(), "--rows", &rows];
    let mut child = crate::program::command(&arguments)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut first = String::new();
    let stdout = child.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut first).unwrap();
    assert!(serde_json::from_str::<Value>(&first).unwrap()["hours_p50"].is_number());
    let ended = child.wait_with_output().unwrap();
    assert_eq!(
        (ended.status.code(), String::from_utf8_lossy(&ended.stderr).as_ref()),
        (Some(0), "")
    );
}
