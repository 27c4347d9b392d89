//! The whole-system tests: the real program on real stores.
#![expect(clippy::disallowed_methods, reason = "test code")]

/// Bad input: one clear message, its exit code, and a store that is unchanged.
mod bad_input;
/// Each kind of rule broken, and the messages about it.
mod broken;
mod bundles;
/// Champions that a person chose: a rollback holds until a later night passes the gates.
mod champions;
/// Contracts by themselves: their page, and the differences between two.
mod contracts;
/// A shop with dates and no times of day, packed and in Latin-1, from its file to forecasts.
mod dates_only;
/// Networks that lack origins, carriers, lanes, deliveries: a forecast or a refusal, never a crash.
mod degenerate;
/// No circles between the files of a crate.
mod file_cycles;
/// A small simulated network from simulate to score, by hand and at once; reruns, and the same bytes.
mod flow;
mod german_shop;
/// The import that the guide describes, with its odd files.
mod guide;
/// What is in flight: the time that is left of open shipments.
mod in_flight;
/// With `--json` stdout is one JSON document.
mod json_output;
/// Killed at any moment, a rerun finishes the job with the same bytes.
mod kills;
/// Which crate may depend on which.
mod layering;
/// Facts recorded after the as-of change nothing before it.
mod leakage;
/// A night under too little memory: a clear end, and a store that the next night goes on with.
mod memory_limit;
/// A network whose deliveries take months, by its own settings and cut off by others.
mod months;
/// A nightly check reads only what is new.
mod nightly_check;
/// What each night's models predict is stored, and compared once it has matured.
mod nightly_forecasts;
/// Features built night by night, from the state of the night before, equal a build from nothing.
mod nights;
/// The public orders of Olist, where they are available.
mod olist;
/// Planning, repeating and recording runs; whom they tell; signals.
mod operations;
/// Every shipped pipeline and declaration resolves; the command line is consistent.
mod pipelines;
/// Rows that no network makes go to quarantine, and end no night.
mod plausible_rows;
/// What `score` leaves for others: tables as their contracts say, in a place that can be named.
mod predictions;
/// Explaining quarantined rows, and releasing them.
mod quarantine;
/// Nights run again, damaged stores, two runs at once.
mod reruns;
/// The runbook of docs/operations.md, followed from each failure to a night that is done.
mod runbook;
/// The same over S3, and the errors of a wrong bucket, secret or endpoint.
mod s3;
/// The same over S3 with faults: the store of an undisturbed run, or a clear refusal.
mod s3_faults;
/// The page of the settings is what the program prints.
mod serving;
mod settings;
/// Refusals of short histories name what would do, and what is configured is checked first.
mod short_history;
/// The lane speed table, and what answers from it.
mod speed;
/// `verify` and `gc` on damaged and grown stores.
mod upkeep;
/// The field's words: no retired word, a header on each file, files that the architecture names.
mod vocabulary;

/// A feed that died and files that are gone end the night, unless a person accepts it.
mod stale_feed;
/// What an import has not committed is not used; findings of damaged bytes are made again.
mod table_commits;

/// A night that is killed at each of its writes, or meets a disk that is full.
mod write_faults;

/// Test support: runs the program and reads its outputs.
mod program;
