//! The texts of the contracts in `schemas/`, compiled into the program.

/// Table and text of each.
const CONTRACTS: [(&str, &str); 8] = [
    ("orders", include_str!("../../../../schemas/orders.odcs.yaml")),
    ("shipments", include_str!("../../../../schemas/shipments.odcs.yaml")),
    ("nodes", include_str!("../../../../schemas/nodes.odcs.yaml")),
    ("legs", include_str!("../../../../schemas/legs.odcs.yaml")),
    ("holidays", include_str!("../../../../schemas/holidays.odcs.yaml")),
    ("predictions", include_str!("../../../../schemas/predictions.odcs.yaml")),
    ("speed_table", include_str!("../../../../schemas/speed_table.odcs.yaml")),
    ("at_risk", include_str!("../../../../schemas/at_risk.odcs.yaml")),
];

/// The tables that a contract is shipped for.
pub fn shipped_tables() -> impl Iterator<Item = &'static str> {
    CONTRACTS.iter().map(|(table, _)| *table)
}

/// The text of the contract that is shipped for `table`.
pub fn shipped(table: &str) -> Option<&'static str> {
    CONTRACTS.iter().find(|(name, _)| *name == table).map(|(_, text)| *text)
}
