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

#[test]
fn a_text_that_is_far_too_long_or_deep_is_refused_at_once() {
    let refused = |text: &str, words: &str| {
        let error = Contract::parse("deep.yaml", text).unwrap_err();
        assert_eq!(error.class(), ErrorClass::Configuration);
        assert!(error.to_string().contains(words), "{error}");
    };
    let deep: String = (0..100_000).map(|n| format!("{}a:\n", " ".repeat(n % 5_000))).collect();
    refused(&deep, "at most 1048576 bytes");
    let deep: String = (0..1_000).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
    refused(&deep, "an indent of at most 200");
    refused(&("- ".repeat(100_000) + "a"), "an indent of at most 200");
    refused(&("[".repeat(100_000) + "a"), "at most 32 brackets");
    let long = vec!["delivered_at"; 20_000].join(" + ");
    let text = shipped("shipments").unwrap();
    refused(&text.replace("delivered_at < handed_over_at", &long), "at most 500 words and signs");
}

#[test]
fn lengths_and_formats_are_of_texts() {
    refused(
        "logicalTypeOptions: {minimum: 1}",
        "logicalTypeOptions: {maxLength: 1}",
        "s.yaml: column \"n_units\" maxLength: expected a column of text, found int64",
    );
    refused(
        "{maxLength: 200}",
        "{format: uuid}",
        "s.yaml: column \"shipment_id\" format: expected iana-time-zone, of a text, found uuid",
    );
}

#[test]
fn whatever_is_altered_in_a_contract_it_is_parsed_or_refused() {
    let random = &mut statistics::SplitMix64::new(7);
    let letters: Vec<char> = "-:{}[]'\"&*!|>#% \n0a(<".chars().collect();
    let (mut parsed, mut refused) = (0, 0);
    for n in 0..300 {
        let table = ["orders", "shipments", "nodes"][n % 3];
        let mut text: Vec<char> = shipped(table).unwrap().chars().collect();
        for _ in 0..=random.next_u64() % 3 {
            let at = random.next_u64() as usize % text.len();
            let letter = letters[random.next_u64() as usize % letters.len()];
            match random.next_u64() % 3 {
                0 => text[at] = letter,
                1 => text.insert(at, letter),
                _ => drop(text.drain(at..(at + 40).min(text.len()))),
            }
        }
        match Contract::parse("altered.yaml", &text.into_iter().collect::<String>()) {
            Ok(_) => parsed += 1,
            Err(error) => {
                refused += 1;
                assert_eq!(error.class(), ErrorClass::Configuration, "{error}");
            }
        }
    }
    assert!(parsed > 20 && refused > 20, "{parsed} parsed, {refused} refused");
}
