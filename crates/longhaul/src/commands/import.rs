//! `import`: writes foreign files as tables of the store, converted by SQL.

use std::path::Path;

use anyhow::Result;
use store::Store;
use terms::count;

use crate::command_output::envelope;
use crate::report::{Reporter, table};
use crate::settings::Resolved;

/// Imports the files under `from` as the folder `imports/name` describes.
///
/// # Errors
/// If a source or a statement is not as described; then nothing is written.
pub(crate) fn run(
    resolved: &Resolved,
    name: &str,
    from: &Path,
    imports: &Path,
    force: bool,
    reporter: &Reporter,
) -> Result<()> {
    let store = Store::open(&resolved.store()?)?;
    reporter.started("import");
    let folder = imports.join(name);
    let imported = intake::import(&store, &folder, from, &resolved.contracts()?, force)?;
    reporter.result(&envelope("import", serde_json::to_value(&imported)?), || {
        let rows: Vec<Vec<String>> = imported
            .tables
            .iter()
            .map(|t| {
                vec![
                    t.table.clone(),
                    count(t.rows as usize),
                    count(t.partitions_written as usize),
                    count(t.partitions_same as usize),
                    format!("{} to {}", t.first, t.last),
                ]
            })
            .collect();
        table(&["table", "rows", "partitions written", "there already", "recorded"], &rows)
    });
    Ok(())
}
