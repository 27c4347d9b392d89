//! What became of the nights of many scenarios.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::report::table;

/// Before the tally of a worker on its stdout.
pub(super) const MARK: &str = "tally ";

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Tally {
    pub(super) nights: u64,
    pub(super) operations: u64,
    /// Met faults by kind.
    pub(super) faults: BTreeMap<String, u64>,
    pub(super) crashes: u64,
    /// Attempts in which another run came in between.
    pub(super) interleaved: u64,
    /// Disturbed attempts by exit code.
    pub(super) ends: BTreeMap<u8, u64>,
    /// What is not as it must be.
    pub(super) wrong: Vec<String>,
    /// Runs that lost a lock or a swap although nobody else ran.
    pub(super) phantom_losers: u64,
    pub(super) seconds: f64,
}

impl Tally {
    pub(super) fn add(&mut self, other: Self) {
        self.nights += other.nights;
        self.operations += other.operations;
        self.crashes += other.crashes;
        self.interleaved += other.interleaved;
        self.phantom_losers += other.phantom_losers;
        self.seconds += other.seconds;
        self.wrong.extend(other.wrong);
        for (fault, n) in other.faults {
            *self.faults.entry(fault).or_default() += n;
        }
        for (code, n) in other.ends {
            *self.ends.entry(code).or_default() += n;
        }
    }

    /// The tally for people.
    pub(super) fn table(&self, n_workers: u64) -> String {
        let mut rows = vec![
            ("nights".to_owned(), self.nights),
            ("store operations".to_owned(), self.operations),
            ("crashes planned".to_owned(), self.crashes),
            ("other runs in between".to_owned(), self.interleaved),
        ];
        rows.extend(self.faults.iter().map(|(fault, n)| (format!("fault {fault}"), *n)));
        let ends = self.ends.iter();
        rows.extend(ends.map(|(code, n)| (format!("disturbed runs that ended with {code}"), *n)));
        rows.push(("wrong".to_owned(), self.wrong.len() as u64));
        rows.push(("phantom losers".to_owned(), self.phantom_losers));
        let rows: Vec<Vec<String>> =
            rows.into_iter().map(|(name, n)| vec![name, n.to_string()]).collect();
        let a_day = 86_400.0 * self.nights as f64 / self.seconds;
        format!(
            "{}\n{:.0} s of one core for these nights: {a_day:.0} a day and core ({n_workers} workers)",
            table(&["what", "how many"], &rows),
            self.seconds,
        )
    }
}
