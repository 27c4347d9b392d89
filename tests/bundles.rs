//! Bundles: what is in one, that it is of this very model, and that a copy, an altered one and a forged
//! one are known for what they are.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::OnceLock;

use serde_json::Value;

use crate::program::{AS_OF, Ended, Folder, command, ended, flip, longhaul, root};

/// A store after a night, whose champion is the model.
fn published() -> Folder {
    static STORE: OnceLock<Folder> = OnceLock::new();
    let store = STORE.get_or_init(|| {
        let store = Folder::with_simulated_tables();
        store.run("run", &["--quiet"]).ok();
        store
    });
    store.copy()
}

fn models(store: &Folder, arguments: &[&str]) -> Ended {
    ended(command(&["models"]).args(arguments).args(["--store", store.url()]))
}

fn text(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn json(folder: &Path, name: &str) -> Value {
    serde_json::from_str(&text(folder, name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Two keys as OpenSSL writes them: secret and public.
const OURS: [&str; 2] = [
    "-----BEGIN PRIVATE KEY-----\n\
     MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
     -----END PRIVATE KEY-----\n",
    "-----BEGIN PUBLIC KEY-----\n\
     MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
     -----END PUBLIC KEY-----\n",
];
const THEIRS: [&str; 2] = [
    "-----BEGIN PRIVATE KEY-----\n\
     MC4CAQAwBQYDK2VwBCIEIGxoqVx3IiIFuD6G+iZgxlrNFTSAlT9KIXxn0BvCLHgT\n\
     -----END PRIVATE KEY-----\n",
    "-----BEGIN PUBLIC KEY-----\n\
     MCowBQYDK2VwAyEAP+Eyl74e/anmQstbQPHqJPqdrvUYbVrQrFQArSYVvV4=\n\
     -----END PUBLIC KEY-----\n",
];

#[test]
fn a_bundle_holds_what_others_need_and_every_file_is_listed() {
    let store = published();
    let bundle = store.path().join("models").join(store.model_id());
    let manifest = json(&bundle, "manifest.json");
    let listed: BTreeSet<&str> =
        manifest["files"].as_object().expect("files").keys().map(String::as_str).collect();
    for name in [
        "features.json",
        "categories.json",
        "gate.bin",
        "regressor_0.bin",
        "mixture.json",
        "regressor_0/q05/model.txt",
        "regressor_0/q95/model.txt",
        "gate/model.txt",
        "model.onnx",
        "MLmodel",
        "input_example.json",
        "parity/vectors.parquet",
        "gate_rules.txt",
        "gate.json",
        "metrics.json",
        "metrics.schema.json",
        "card.md",
        "report.html",
        "feature_declaration.toml",
    ] {
        assert!(listed.contains(name), "{name} is not in {listed:?}");
    }
    let there: BTreeSet<String> = (store.names().into_iter())
        .filter_map(|name| {
            name.strip_prefix(&format!("models/{}/", store.model_id())).map(str::to_owned)
        })
        .collect();
    let expected = listed.iter().copied().chain(["manifest.json"]).map(str::to_owned).collect();
    assert_eq!(there, expected);

    // Where it is from.
    assert_eq!(manifest["contracts"]["orders"], "1.1.0");
    assert_eq!(manifest["tables_digest"].as_str().expect("a digest").len(), 64);
    assert_eq!(manifest.get("parent"), None, "the first model of a store has none");
    let features = json(&bundle, "features.json");
    for feature in features.as_array().expect("a list") {
        assert!(!feature["meaning"].as_str().expect("a text").is_empty(), "{feature}");
        assert_eq!(feature["dtype"], "float32");
    }
    let carriers = &json(&bundle, "categories.json")["carrier"];
    assert_eq!((&carriers["crown_post"], &carriers["kestrel"]), (&0.into(), &1.into()));

    // The verdict is that of the metrics, and the card has their numbers.
    let (metrics, gates) = (json(&bundle, "metrics.json"), json(&bundle, "gate.json"));
    assert_eq!(gates["gates"], metrics["verdict"]["gates"]);
    assert_eq!(gates["passed"], true);
    let pinball = metrics["overall"][0]["metrics"]["mean_pinball_days"].as_f64().expect("a loss");
    let card = text(&bundle, "card.md");
    assert!(card.contains(&format!("| {pinball:.3} |")), "{pinball} is not in {card}");
    let schema = longhaul(&["models", "schema"]).ok().stdout;
    assert_eq!(text(&bundle, "metrics.schema.json"), schema);
    let kept = text(&root(), "schemas/metrics.schema.json");
    assert_eq!(schema, kept, "longhaul models schema > schemas/metrics.schema.json");
}

#[test]
fn the_report_of_a_bundle_shows_the_rules_of_the_model_in_it() {
    let store = published();
    let bundle = store.path().join("models").join(store.model_id());
    let rules = |page: &str| {
        let (_, after) = page.split_once("<h2>Rules of the two-day gate</h2>").expect("the rules");
        let (_, rules) = after.split_once("<pre tabindex=\"0\">").expect("the rules");
        let rules = rules.split("</pre>").next().unwrap_or_default();
        rules.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    };
    let page = text(&bundle, "report.html");
    assert_eq!(rules(&page), text(&bundle, "gate_rules.txt"));
    assert!(page.contains(&format!("Of the published model, trained as of {AS_OF}.")));
    // Those of the evaluation are of the model that was judged, which knew less.
    let judged = store.names().into_iter().find(|name| name.ends_with("/evaluate/report.html"));
    let judged = text(store.path(), &judged.expect("the report of the evaluation"));
    assert!(judged.contains("Of the model that was judged, trained as of 2025-"));
    assert_ne!(rules(&judged), rules(&page));
}

#[test]
fn the_same_night_gives_the_same_bundle_on_one_thread_and_on_five() {
    let files = |threads: &str| {
        let store = Folder::with_simulated_tables();
        let mut run = command(&["run", "tests/small.toml", "--as-of", AS_OF, "--quiet"]);
        let run = run.args(["--store", store.url()]).env("RAYON_NUM_THREADS", threads);
        ended(run.env("POLARS_MAX_THREADS", threads)).ok();
        let files = store.files().into_iter();
        files.filter(|(name, _)| name.starts_with("models/")).collect::<Vec<_>>()
    };
    let (one, five) = (files("1"), files("5"));
    for ((name, bytes), other) in one.iter().zip(&five) {
        assert!((name, bytes) == (&other.0, &other.1), "{name} differs from {}", other.0);
    }
    assert_eq!(one.len(), five.len());
}

#[test]
fn a_model_is_verified_in_its_store_and_as_a_copy() {
    let store = published();
    let whole = models(&store, &["verify", "--json"]).ok().json();
    assert_eq!(whole["model_id"], store.model_id().as_str());
    assert!(whole["parity_rows"].as_u64().expect("rows") >= 512, "{whole}");
    let copies = Folder::empty();
    let copy = copies.path().join("copy").display().to_string();
    models(&store, &["export", "--to", &copy]).ok();
    let again = models(&Folder::empty(), &["verify", "--from", &copy, "--json"]).ok().json();
    assert_eq!(again, whole);

    // Any file, wherever it is altered; here the rows themselves, which no other check reads.
    for name in ["model.onnx", "card.md", "regressor_0.bin", "parity/vectors.parquet"] {
        let altered = published();
        flip(&altered.path().join("models").join(altered.model_id()).join(name));
        models(&altered, &["verify"]).refuses(10, &[name, "SHA-256"]);
        let path = Path::new(&copy).join(name);
        let before = std::fs::read(&path).expect("a file");
        flip(&path);
        models(&store, &["verify", "--from", &copy]).refuses(10, &[name, "expected SHA-256"]);
        std::fs::write(&path, before).expect("a file");
    }
    models(&store, &["verify", "--from", &copy]).ok();
    models(&store, &["verify", "--from", "nowhere"]).refuses(11, &["nowhere/manifest.json"]);
}

#[test]
fn a_signature_is_verified_and_a_forged_one_refused() {
    let (store, keys) = (published(), Folder::empty());
    for (name, pair) in [("ours", OURS), ("theirs", THEIRS)] {
        for (ending, key) in ["pem", "pub.pem"].into_iter().zip(pair) {
            std::fs::write(keys.path().join(format!("{name}.{ending}")), key).expect("a file");
        }
    }
    let key = |name: &str| keys.path().join(name).display().to_string();
    let verify = |of: &str| models(&store, &["verify", "--key", &key(of)]);
    verify("ours.pub.pem").refuses(11, &["expected a signature", "longhaul models sign"]);
    verify("ours.pem").refuses(11, &["ours.pem: expected a public key of Ed25519", "openssl"]);
    models(&store, &["sign", "--key", &key("ours.pub.pem")]).refuses(11, &["a secret key"]);
    models(&store, &["sign", "--key", &key("ours.pem")]).ok();
    let text = verify("ours.pub.pem").ok().stdout;
    assert!(text.contains("signed     by the key"), "{text}");
    let bundle = store.path().join("models").join(store.model_id());
    verify("theirs.pub.pem").refuses(10, &["not a signature of its manifest by this key"]);
    // A model signed by somebody else in its place.
    models(&store, &["sign", "--key", &key("theirs.pem")]).ok();
    verify("ours.pub.pem").refuses(10, &["not a signature"]);
    models(&store, &["sign", "--key", &key("ours.pem")]).ok();
    flip(&bundle.join("manifest.sig"));
    verify("ours.pub.pem").refuses(10, &["not a signature"]);
    // The store is whole nevertheless, and a signature is neither damage nor waste.
    models(&store, &["sign", "--key", &key("ours.pem")]).ok();
    longhaul(&["verify", "--store", store.url()]).ok();
    longhaul(&["gc", "--keep", "1", "--delete", "--store", store.url()]).ok();
    verify("ours.pub.pem").ok();
}

#[test]
fn formats_of_others_are_left_out_if_the_settings_say_so_and_exported_when_they_are_needed() {
    let store = Folder::with_simulated_tables();
    store.run("run", &["--quiet", "--set", "publish.exports=false"]).ok();
    let bundle = store.path().join("models").join(store.model_id());
    assert!(!bundle.join("model.onnx").exists() && !bundle.join("regressor_0").exists());
    assert!(!text(&bundle, "card.md").contains("model.onnx"));
    let parity = models(&store, &["verify"]).ok().stdout;
    assert!(parity.contains("the bundle has no parity vectors"), "{parity}");
    let to = store.path().join("exported");
    models(&store, &["export", "--to", &to.display().to_string()]).ok();
    for name in ["model.onnx", "MLmodel", "regressor_0/q50/model.txt", "parity/vectors.parquet"] {
        assert!(to.join(name).exists(), "{name}");
    }
    // The manifest does not list them, and what it lists is whole.
    models(&store, &["verify", "--from", &to.display().to_string()]).ok();
}
