//! The commands on contracts: their page is up to date, and breaking changes are refused.

use crate::program::{Folder, longhaul, root};

#[test]
fn the_page_of_the_contracts_is_up_to_date() {
    let page = longhaul(&["contract", "docs"]).ok().stdout;
    let path = root().join("docs/contracts.md");
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        page == kept,
        "docs/contracts.md is out of date: \
         longhaul contract docs > docs/contracts.md"
    );
}

#[test]
fn a_change_of_a_contract_is_compatible_or_breaking() {
    let folder = Folder::empty();
    let write = |name: &str, from: &str, to: &str| {
        let text = std::fs::read_to_string(root().join("schemas/shipments.odcs.yaml")).unwrap();
        assert!(text.contains(from), "{from}");
        let path = folder.path().join(name);
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let same = longhaul(&["contract", "diff", "shipments", "schemas/shipments.odcs.yaml"]).ok();
    assert_eq!(
        same.stdout,
        "shipments: same: shipped shipments.odcs.yaml 1.2.0 -> schemas/shipments.odcs.yaml 1.2.0\n"
    );
    let more = "- name: fragile\n        logicalType: boolean\n        physicalType: boolean\n      \
                - name: n_units";
    let more = write("more.yaml", "- name: n_units", more);
    let result = longhaul(&["contract", "diff", &more, "--json"]).ok().json();
    assert_eq!(result["verdict"], "compatible");
    assert_eq!(result["changes"][0]["what"], "added: nullable boolean");

    let less = write("less.yaml", "physicalType: int64", "physicalType: int32");
    let ended = longhaul(&["contract", "diff", "shipments", &less]);
    ended.refuses(10, &["less.yaml", "1 of its changes break", "hint:"]);
    assert!(
        ended.stdout.contains("breaking    column \"n_units\": narrowed: was int64, is int32"),
        "{}",
        ended.stdout
    );
    // The other way round it is a widening.
    longhaul(&["contract", "diff", &less, "shipments"]).ok();
    longhaul(&["contract", "diff", "moons"]).refuses(30, &["moons", "orders", "predictions"]);
}

#[test]
fn a_contract_of_ones_own_is_applied_and_is_named_with_its_line() {
    let store = Folder::with_simulated_tables();
    let contracts = store.path().join("contracts");
    std::fs::create_dir_all(&contracts).unwrap();
    for table in ["orders", "shipments"] {
        let name = format!("{table}.odcs.yaml");
        let text = std::fs::read_to_string(root().join("schemas").join(&name)).unwrap();
        let text = text.replacen("physicalType: float64", "physicalType: int64", 1);
        std::fs::write(contracts.join(name), text).unwrap();
    }
    let set = format!("check.contracts={:?}", contracts.to_str().unwrap());
    let ended = store.run("check", &["--set", &set]);
    let text = std::fs::read_to_string(contracts.join("orders.odcs.yaml")).unwrap();
    let line = text.lines().position(|line| line.trim() == "- name: destination_lat").unwrap() + 1;
    let place = format!("contracts/orders.odcs.yaml line {line}), found float");
    ended.refuses(10, &["destination_lat", "expected int64 (", &place, "hint:"]);
}

#[test]
fn a_shipped_contract_can_be_printed_changed_and_applied() {
    let store = Folder::with_simulated_tables();
    let contracts = store.path().join("contracts");
    std::fs::create_dir_all(&contracts).unwrap();
    for table in ["orders", "shipments"] {
        let shown = longhaul(&["contract", "show", table]).ok().stdout;
        let shipped = std::fs::read_to_string(root().join(format!("schemas/{table}.odcs.yaml")));
        assert_eq!(shown, shipped.unwrap());
        std::fs::write(contracts.join(format!("{table}.odcs.yaml")), shown).unwrap();
    }
    let set = format!("check.contracts={:?}", contracts.to_str().unwrap());
    store.run("check", &["--set", &set]).ok();
    longhaul(&["contract", "show", "moons"]).refuses(30, &["moons", "orders", "predictions"]);
}
