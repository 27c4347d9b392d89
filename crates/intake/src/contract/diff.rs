//! The changes from one version of a contract to another, and which of them are breaking.
//!
//! A change is breaking if the new contract refuses a file that the old one accepted, or if a
//! column that could be read is gone. A rule that quarantines more rows is compatible; one that
//! fails the table is breaking.

use std::collections::BTreeMap;

use super::Contract;
use super::column::ColumnSpec;
use super::rule::{OnViolation, Rule};

/// One change from an old contract to a new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What changed: `column "n_units"`, `rule order_known`, `key` …
    pub subject: String,
    /// How.
    pub what: String,
    /// Whether a file or a reader that worked with the old contract does not work with the new.
    pub breaking: bool,
}

impl Contract {
    /// The changes since `old`: of columns, then of rules, then of the table, each by name. Empty
    /// if both demand the same.
    pub fn changes_since(&self, old: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut add = |subject: String, what: String, breaking: bool| {
            changes.push(Change { subject, what, breaking });
        };
        if old.table != self.table {
            add("table".to_owned(), format!("was {}, is {}", old.table, self.table), true);
        }
        columns(old, self, &mut add);
        rules(old, self, &mut add);
        table(old, self, &mut add);
        changes
    }
}

fn columns(old: &Contract, new: &Contract, add: &mut impl FnMut(String, String, bool)) {
    let subject = |column: &ColumnSpec| format!("column {:?}", column.name);
    for before in old.columns() {
        let Some(now) = new.column(&before.name) else {
            add(subject(before), "vanished".to_owned(), true);
            continue;
        };
        if before.physical != now.physical {
            let fits = now.physical.accepts(&before.physical.arrow());
            let narrower = before.physical.accepts(&now.physical.arrow());
            let how = match (fits, narrower) {
                (true, _) => "widened",
                (false, true) => "narrowed",
                (false, false) => "another type",
            };
            let (before, after) = (before.physical.name(), now.physical.name());
            add(subject(now), format!("{how}: was {before}, is {after}"), !fits);
        }
        match (before.required, now.required) {
            (false, true) => add(subject(now), "is required now".to_owned(), true),
            (true, false) => add(subject(now), "may be null now".to_owned(), false),
            _ => {}
        }
        if before.unit != now.unit {
            let unit = |column: &ColumnSpec| column.unit.clone().unwrap_or("none".to_owned());
            let what = format!("another unit: was {}, is {}", unit(before), unit(now));
            add(subject(now), what, true);
        }
        if before.tags != now.tags {
            let (before, after) = (before.tags.join(", "), now.tags.join(", "));
            add(subject(now), format!("tags: were [{before}], are [{after}]"), false);
        }
    }
    for now in new.columns().iter().filter(|now| old.column(&now.name).is_none()) {
        let kind = if now.required { "required" } else { "nullable" };
        add(subject(now), format!("added: {} {}", kind, now.physical.name()), now.required);
    }
}

fn rules(old: &Contract, new: &Contract, add: &mut impl FnMut(String, String, bool)) {
    // Whether a column may be null is listed with the column.
    let named = |contract: &'_ Contract| -> BTreeMap<String, Rule> {
        let missing = |rule: &Rule| {
            rule.name.strip_suffix("_missing").is_some_and(|name| contract.column(name).is_some())
        };
        let rules = contract.rules().iter().filter(|rule| !missing(rule));
        rules.map(|rule| (rule.name.clone(), rule.clone())).collect()
    };
    let (before, after) = (named(old), named(new));
    let subject = |name: &str| format!("rule {name}");
    for (name, was) in &before {
        let Some(now) = after.get(name) else {
            add(subject(name), format!("vanished: {}", was.condition), false);
            continue;
        };
        let fails = now.on_violation == OnViolation::Fail;
        if was.condition != now.condition {
            let what = format!("was {}, is {}", was.condition, now.condition);
            add(subject(name), what, fails);
        }
        if was.on_violation != now.on_violation {
            let (was, is) = (was.on_violation.name(), now.on_violation.name());
            add(subject(name), format!("on violation: was {was}, is {is}"), fails);
        }
    }
    for (name, now) in after.iter().filter(|(name, _)| !before.contains_key(*name)) {
        let on = now.on_violation;
        let what = format!("added: {} ({})", now.condition, on.name());
        add(subject(name), what, on == OnViolation::Fail);
    }
    for was in old.joins().iter().filter(|was| !new.joins().contains(was)) {
        add(subject(&was.rule), format!("reads {} no more, or otherwise", was.table), false);
    }
    for now in new.joins().iter().filter(|now| !old.joins().contains(now)) {
        add(
            subject(&now.rule),
            format!("reads {} of {}", now.columns.join(", "), now.table),
            false,
        );
    }
}

fn table(old: &Contract, new: &Contract, add: &mut impl FnMut(String, String, bool)) {
    if old.keys != new.keys {
        let what = format!("was ({}), is ({})", old.keys.join(", "), new.keys.join(", "));
        add("key".to_owned(), what, true);
    }
    let (was, is) = (old.quarantine_share_max(), new.quarantine_share_max());
    if was != is {
        add("quarantineShareMax".to_owned(), format!("was {was}, is {is}"), is < was);
    }
    partition_rules(old, new, add);
    if old.is_optional() != new.is_optional() {
        let what = if new.is_optional() { "may be absent now" } else { "must be there now" };
        add("table".to_owned(), what.to_owned(), old.is_optional());
    }
}

fn partition_rules(old: &Contract, new: &Contract, add: &mut impl FnMut(String, String, bool)) {
    let named = |contract: &Contract| -> BTreeMap<String, (String, OnViolation)> {
        let rules = contract.partition_rules().iter();
        let mut named: BTreeMap<_, _> =
            rules.map(|rule| (rule.name.clone(), (rule.describe(), rule.on_violation))).collect();
        if let Some(latency) = contract.latency() {
            let described = format!("at most {} h", latency.hours);
            named.insert("latency".to_owned(), (described, latency.on_violation));
        }
        named
    };
    let (before, after) = (named(old), named(new));
    for (name, (described, _)) in before.iter().filter(|(name, _)| !after.contains_key(*name)) {
        add(format!("rule {name}"), format!("vanished: {described}"), false);
    }
    for (name, (described, on)) in &after {
        let fails = *on == OnViolation::Fail;
        match before.get(name) {
            Some(was) if *was == (described.clone(), *on) => {}
            Some((was, before)) => {
                let what = format!("was {was} ({}), is {described} ({})", before.name(), on.name());
                add(format!("rule {name}"), what, fails);
            }
            None => {
                add(format!("rule {name}"), format!("added: {described} ({})", on.name()), fails);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::shipped::shipped;

    /// The changes of a contract in which `from` became `to`, as lines; `!` marks a breaking one.
    #[track_caller]
    fn changes(table: &str, edits: &[(&str, &str)]) -> Vec<String> {
        let text = shipped(table).unwrap();
        let new = edits.iter().fold(text.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replacen(from, to, 1)
        });
        let old = Contract::parse("old", text).unwrap();
        let changes = Contract::parse("new", &new).unwrap().changes_since(&old);
        let line = |change: &Change| {
            let mark = if change.breaking { "! " } else { "" };
            format!("{mark}{}: {}", change.subject, change.what)
        };
        changes.iter().map(line).collect()
    }

    #[test]
    fn the_same_contract_has_no_changes() {
        for table in ["orders", "shipments", "nodes"] {
            assert_eq!(changes(table, &[]), [""; 0]);
        }
    }

    #[test]
    fn columns_come_go_widen_and_narrow() {
        let units = "- name: n_units\n        description: How many units are in it.\n        \
            logicalType: integer\n        logicalTypeOptions: {minimum: 1}\n        \
            physicalType: int64\n        required: true";
        let with = |from: &str, to: &str| units.replace(from, to);
        assert_eq!(
            changes("shipments", &[(units, &with("int64", "int32"))]),
            ["! column \"n_units\": narrowed: was int64, is int32"]
        );
        assert_eq!(
            changes("shipments", &[(units, &with("int64", "utf8").replace("{minimum: 1}", "{}"))]),
            [
                "! column \"n_units\": another type: was int64, is utf8",
                "rule n_units_range: vanished: n_units < 1",
            ]
        );
        assert_eq!(
            changes("shipments", &[(units, &with("required: true", "required: false"))]),
            ["column \"n_units\": may be null now"]
        );
        assert_eq!(
            changes("shipments", &[("- name: n_units", "- name: units")]),
            [
                "! column \"n_units\": vanished",
                "! column \"units\": added: required int64",
                "rule n_units_range: vanished: n_units < 1",
                "rule units_range: added: units < 1 (quarantine)",
            ]
        );
        let more = "- name: fragile\n        logicalType: boolean\n        \
            physicalType: boolean\n      - name: n_units";
        assert_eq!(
            changes("shipments", &[("- name: n_units", more)]),
            ["column \"fragile\": added: nullable boolean"]
        );
    }

    #[test]
    fn a_wider_type_than_before_breaks_nothing() {
        let text = shipped("shipments").unwrap().replace("int64", "int32");
        let old = Contract::parse("old", &text).unwrap();
        let new = Contract::parse("new", shipped("shipments").unwrap()).unwrap();
        let changes = new.changes_since(&old);
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].what, "widened: was int32, is int64");
        assert!(!changes[0].breaking);
    }

    #[test]
    fn a_rule_that_fails_the_table_breaks_and_one_that_quarantines_rows_does_not() {
        let query = "WHERE delivered_at < handed_over_at\n        mustBe: 0";
        let fail =
            format!("{query}\n        customProperties: [{{property: onViolation, value: fail}}]");
        assert_eq!(
            changes("shipments", &[(query, &fail)]),
            ["! rule delivered_before_handover: on violation: was quarantine, is fail"]
        );
        assert_eq!(
            changes("shipments", &[("{minimum: 1}", "{minimum: 2}")]),
            ["rule n_units_range: was n_units < 1, is n_units < 2"]
        );
        assert_eq!(
            changes("nodes", &[("value: 0.05", "value: 0.01"), ("value: true", "value: false")]),
            ["! quarantineShareMax: was 0.05, is 0.01", "! table: must be there now"]
        );
        assert_eq!(
            changes("orders", &[("value: 0.05", "value: 0.1")]),
            ["quarantineShareMax: was 0.05, is 0.1"]
        );
    }
}
