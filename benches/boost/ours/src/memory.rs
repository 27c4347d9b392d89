//! The memory of the process, as Linux reports it.

use anyhow::{Context, Result};

/// A figure of the process in MiB: `VmRSS` is the memory held now, `VmHWM` its peak since the start
/// or the last reset.
pub fn mib(name: &str) -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    Ok(kib.with_context(|| format!("no {name} in /proc/self/status"))? / 1024.0)
}

/// The memory of columns of f32, in MiB.
pub fn mib_of<C: AsRef<[f32]>>(columns: &[C]) -> f64 {
    let numbers: usize = columns.iter().map(|column| column.as_ref().len()).sum();
    (4 * numbers) as f64 / f64::from(1 << 20)
}

/// Resets the peak, so that reading does not count as training. Where the kernel does not allow it,
/// the peak remains that of the whole process.
pub fn reset_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}
