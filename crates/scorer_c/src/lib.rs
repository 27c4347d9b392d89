//! The scorer for programs in C, and in whatever calls C: `include/longhaul.h` says how it is used, and
//! `examples/score.c` and `examples/speed.c` use it.
//!
//! What is here: functions over [`scorer::Scorer`] and [`scorer::SpeedTable`] that take pointers, lengths and texts that end in
//! NUL, and return a [`Status`]. What they are given is checked as far as C lets it be checked: null,
//! alignment, lengths, UTF-8. A panic is the status [`Status::Panic`], and none crosses the border.
//!
//! What is not: tables. A service in C has rows of numbers; who has tables uses Arrow, in Rust or
//! Python.
//!
//! The header is made of these files by cbindgen, so what is written on public items is written for
//! readers of C.

mod failure;
mod features;
mod forecast;
mod model;
mod pointers;
mod speed_table;

pub use failure::{Status, longhaul_last_error};
pub use features::{
    longhaul_feature_count, longhaul_feature_name, longhaul_feature_position, longhaul_level,
    longhaul_level_code, longhaul_level_count,
};
pub use forecast::{
    Forecast, LONGHAUL_DAYS, LONGHAUL_LEVELS, LONGHAUL_MEDIAN, longhaul_day,
    longhaul_quantile_level, longhaul_score_row, longhaul_score_rows,
};
pub use model::{
    File, LONGHAUL_ABI_VERSION, Model, longhaul_abi_version, longhaul_free, longhaul_load,
    longhaul_load_files, longhaul_model_id,
};
pub use speed_table::{
    LONGHAUL_GROUPINGS, Lane, LaneSpeed, SpeedTable, longhaul_grouping_name, longhaul_lookup,
    longhaul_probability_within, longhaul_speed_table_as_of, longhaul_speed_table_free,
    longhaul_speed_table_model_id, longhaul_speed_table_open, longhaul_speed_table_row_count,
    longhaul_speed_table_verify,
};
