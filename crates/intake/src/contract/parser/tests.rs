//! Contracts that are parsed, and contracts that are refused.

use terms::ErrorClass;

use super::*;
use crate::contract::shipped::shipped;

#[test]
fn the_shipped_contracts_are_parsed() {
    for table in ["orders", "shipments", "nodes"] {
        let contract = Contract::parse(table, shipped(table).unwrap()).unwrap();
        assert_eq!(contract.table(), table);
        assert_eq!(contract.keys()[1], "recorded_at");
        let is_known_at = |column: &&ColumnSpec| column.tags.contains(&"knowledge_time".to_owned());
        let known_at = contract.columns().iter().filter(is_known_at);
        assert_eq!(known_at.map(|column| &column.name).collect::<Vec<_>>(), ["recorded_at"]);
        assert_eq!(contract.is_optional(), table == "nodes");
    }
    assert_eq!(shipped("moons"), None);
}

#[test]
fn the_specific_rule_comes_before_the_general_one() {
    let contract = Contract::parse("shipments", shipped("shipments").unwrap()).unwrap();
    let position = |name| contract.rules().iter().position(|rule| rule.name == name).unwrap();
    assert!(position("shipment_id_missing") < position("n_units_range"));
    assert!(position("n_units_range") < position("delivered_before_handover"));
    assert!(position("delivered_before_handover") < position("handed_over_after_recorded"));
    assert_eq!(contract.joins()[0].rule, "order_known");
}

#[track_caller]
fn refused(from: &str, to: &str, message: &str) {
    let text = shipped("shipments").unwrap();
    assert!(text.contains(from), "{from}");
    let error = Contract::parse("s.yaml", &text.replacen(from, to, 1)).unwrap_err();
    assert_eq!(error.to_string(), message);
    assert_eq!(error.class(), ErrorClass::Configuration);
}

#[test]
fn a_constraint_that_is_not_supported_is_refused() {
    refused(
        "physicalType: int64",
        "physicalType: decimal(9, 2)",
        "s.yaml: column \"n_units\" physicalType: expected utf8, int32, int64, float32, float64, \
         list<float32>, boolean, \
         date32 or timestamp[us, tz=UTC], found decimal(9, 2)",
    );
    refused(
        "metric: invalidValues",
        "metric: nullValues",
        "s.yaml: column \"status\" quality: expected metric: invalidValues, found nullValues",
    );
    refused(
        "SELECT count(*) FROM {object} WHERE delivered_at < handed_over_at",
        "SELECT sum(n_units) FROM {object}",
        "s.yaml: quality \"delivered_before_handover\": expected SELECT count(*) FROM \
         {object} WHERE <condition of a bad row>, found SELECT sum(n_units) FROM {object}",
    );
    refused(
        "id: delivered_yet_cancelled",
        "id: delivered_yet_open",
        "s.yaml: quality \"delivered_yet_open\": expected a name for one rule, found the same \
         for another",
    );
    refused(
        "value: 0.05",
        "value: 5",
        "s.yaml: customProperties.quarantineShareMax: expected a number from 0 to 1, found \
         Number(5)",
    );
}

#[test]
fn a_rule_over_a_column_that_does_not_exist_is_refused() {
    let text = shipped("orders").unwrap().replace("paid_at < ordered_at", "payed_at < ordered_at");
    let error = Contract::parse("o.yaml", &text).unwrap_err().to_string();
    assert!(error.starts_with("o.yaml: quality \"paid_before_ordered\": expected"), "{error}");
    assert!(error.contains("payed_at"), "{error}");
}
