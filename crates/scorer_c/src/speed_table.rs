//! Speed tables of lanes: a file that is mapped, and lookups in it.
#![expect(unsafe_code, reason = "functions that C calls by their names, with pointers")]

use std::ffi::{CString, c_char};
use std::sync::LazyLock;

use scorer::{Distribution, LaneGrouping};
use terms::DayGrid;

use crate::failure::{Failure, Status, status_of, value_or};
use crate::forecast::{LONGHAUL_DAYS, LONGHAUL_LEVELS};
use crate::pointers::{self, Out};

/// How many groupings of rows a speed table has.
pub const LONGHAUL_GROUPINGS: usize = 13;

const _: () = assert!(LONGHAUL_GROUPINGS == LaneGrouping::ALL.len());

/// A speed table that is open.
pub struct SpeedTable {
    table: scorer::SpeedTable,
    model_id: CString,
}

const _: () = {
    const fn is_shared_by_threads<T: Send + Sync>() {}
    is_shared_by_threads::<SpeedTable>();
};

/// What is known of the lane of a shipment. Texts are in UTF-8 and end in NUL; NULL is not known, or not
/// recorded by the shop.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Lane {
    /// Postal prefix of the origin.
    pub origin_zone: *const c_char,
    /// Region of the origin.
    pub origin_region: *const c_char,
    /// Postal prefix of the destination.
    pub destination_zone: *const c_char,
    /// Region of the destination.
    pub destination_region: *const c_char,
    /// Who carries it.
    pub carrier: *const c_char,
    /// The carrier's service.
    pub service: *const c_char,
    /// In grams; 0 and NaN are not known.
    pub weight_g: f32,
}

/// How fast a lane delivers.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LaneSpeed {
    /// By which columns the row is grouped: longhaul_grouping_name has their names. 0 is the finest,
    /// LONGHAUL_GROUPINGS - 1 is of all shipments.
    pub grouping: u32,
    /// Of how many shipments the row is.
    pub n_shipments: u32,
    /// Days from one probability by day to the next: 1, unless the network's deliveries take months.
    pub step_days: u32,
    /// The probability that delivery takes more than two days from the order.
    pub probability_over_2d: f32,
    /// Quantiles of delivery time, in hours from the order, ascending; longhaul_quantile_level has their
    /// levels.
    pub hours: [f32; LONGHAUL_LEVELS],
    /// The probability of delivery within step_days, twice step_days and so on from the order, never
    /// descending; rounded by at most 0.000008.
    pub probability_by_day: [f32; LONGHAUL_DAYS],
}

impl From<scorer::LaneSpeed<'_>> for LaneSpeed {
    fn from(speed: scorer::LaneSpeed<'_>) -> Self {
        let Distribution { probability_over_2d, hours, by_day, days } = speed.distribution();
        Self {
            grouping: speed.grouping().index() as u32,
            n_shipments: speed.n_shipments(),
            step_days: days.step_days(),
            probability_over_2d,
            hours,
            probability_by_day: by_day,
        }
    }
}

/// Opens a speed table, as `longhaul speed` writes it, and maps it into memory. Its digest is not
/// compared, which would read all of it: longhaul_speed_table_verify does.
///
/// A file that is open must stay as it is: replace it by renaming another to its name, and open that.
///
/// `file`: the path, in UTF-8. `out`: where the table is written, to be freed by
/// longhaul_speed_table_free.
///
/// # Safety
/// `file` is NULL or a text that ends in NUL; `out` is NULL or memory for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn longhaul_speed_table_open(
    file: *const c_char,
    out: *mut *mut SpeedTable,
) -> Status {
    status_of(|| {
        // SAFETY: as the caller promises.
        let (file, out) = unsafe { (pointers::text(file, "file")?, Out::new(out, 1, "out")?) };
        let table = scorer::SpeedTable::open(file)?;
        let model_id = CString::new(table.header().model_id.as_str()).map_err(|_| {
            let text = format!("speed table {file:?}: expected a model id without NUL");
            Failure::new(Status::InvalidSpeedTable, text)
        })?;
        out.write(0, Box::into_raw(Box::new(SpeedTable { table, model_id })));
        Ok(())
    })
}

/// Frees a speed table, and its texts. NULL is allowed.
///
/// # Safety
/// `table` is NULL or was written by longhaul_speed_table_open, is freed for the first time, and no
/// other thread uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn longhaul_speed_table_free(table: *mut SpeedTable) {
    value_or((), || {
        if !table.is_null() {
            // SAFETY: it was made by `Box::into_raw` and is freed once, as the caller promises.
            drop(unsafe { Box::from_raw(table) });
        }
        Ok(())
    });
}

/// Reads the whole file and compares it with the digest at its end.
///
/// # Safety
/// `table` is NULL or a table that is open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn longhaul_speed_table_verify(table: *const SpeedTable) -> Status {
    status_of(|| {
        // SAFETY: as the caller promises.
        let table = unsafe { pointers::reference(table, "table")? };
        Ok(table.table.verify()?)
    })
}

/// The id of the model that made the table. NULL if `table` is.
///
/// # Safety
/// `table` is NULL or a table that is open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn longhaul_speed_table_model_id(table: *const SpeedTable) -> *const c_char {
    value_or(std::ptr::null(), || {
        // SAFETY: as the caller promises.
        let table = unsafe { pointers::reference(table, "table")? };
        Ok(table.model_id.as_ptr())
    })
}

/// The moment whose knowledge the table is of, in microseconds since 1970-01-01 UTC; 0 if `table` is
/// NULL.
///
/// # Safety
/// `table` is NULL or a table that is open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn longhaul_speed_table_as_of(table: *const SpeedTable) -> i64 {
    value_or(0, || {
        // SAFETY: as the caller promises.
        let table = unsafe { pointers::reference(table, "table")? };
        Ok(table.table.header().as_of.micros())
    })
}

/// How many rows the table has; 0 if `table` is NULL.
///
/// # Safety
/// `table` is NULL or a table that is open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn longhaul_speed_table_row_count(table: *const SpeedTable) -> usize {
    value_or(0, || {
        // SAFETY: as the caller promises.
        let table = unsafe { pointers::reference(table, "table")? };
        Ok(table.table.n_rows())
    })
}

/// How fast a lane delivers: by the finest row that there is for it, that of all shipments if there is no
/// other. A value that is not known matches only rows whose value is not known either.
///
/// # Safety
/// `table` is NULL or a table that is open; `lane` is NULL or a lane whose texts are NULL or end in NUL;
/// `out` is NULL or memory for a lane's speed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn longhaul_lookup(
    table: *const SpeedTable,
    lane: *const Lane,
    out: *mut LaneSpeed,
) -> Status {
    status_of(|| {
        // SAFETY: as the caller promises, of the texts too.
        let (table, lane, out) = unsafe {
            let table = pointers::reference(table, "table")?;
            let lane = lane_of(pointers::reference(lane, "lane")?)?;
            (table, lane, Out::new(out, 1, "out")?)
        };
        out.write(0, table.table.lookup(&lane).into());
        Ok(())
    })
}

/// The lane that C has given.
///
/// # Safety
/// Its texts are NULL or end in NUL, and live as long as the lane.
unsafe fn lane_of(lane: &Lane) -> Result<scorer::Lane<'_>, Failure> {
    // SAFETY: as the caller promises.
    unsafe {
        Ok(scorer::Lane {
            origin_zone: pointers::text_or_null(lane.origin_zone, "origin_zone")?,
            origin_region: pointers::text_or_null(lane.origin_region, "origin_region")?,
            destination_zone: pointers::text_or_null(lane.destination_zone, "destination_zone")?,
            destination_region: pointers::text_or_null(
                lane.destination_region,
                "destination_region",
            )?,
            carrier: pointers::text_or_null(lane.carrier, "carrier")?,
            service: pointers::text_or_null(lane.service, "service")?,
            weight_g: (lane.weight_g > 0.0).then_some(lane.weight_g),
        })
    }
}

/// The probability of delivery within so many hours from the order: between the days on straight lines,
/// from 0 at 0 hours on; beyond the last day what it is there. NaN if `speed` is NULL, `hours` is NaN, or
/// step_days is not of a lookup.
///
/// # Safety
/// `speed` is NULL or a lane's speed that longhaul_lookup has written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn longhaul_probability_within(speed: *const LaneSpeed, hours: f64) -> f64 {
    value_or(f64::NAN, || {
        // SAFETY: as the caller promises.
        let speed = unsafe { pointers::reference(speed, "speed")? };
        let last_day = speed.step_days.saturating_mul(LONGHAUL_DAYS as u32);
        let days = DayGrid::try_from(last_day)
            .map_err(|problem| Failure::new(Status::InvalidLength, problem))?;
        let distribution = Distribution {
            probability_over_2d: speed.probability_over_2d,
            hours: speed.hours,
            by_day: speed.probability_by_day,
            days,
        };
        Ok(distribution.probability_within(hours))
    })
}

static GROUPING_NAMES: LazyLock<Vec<CString>> = LazyLock::new(|| {
    let name = |grouping: LaneGrouping| CString::new(grouping.name()).unwrap_or_default();
    LaneGrouping::ALL.into_iter().map(name).collect()
});

/// The columns of a grouping, separated by commas, such as "origin_region, destination_region"; "all" of
/// the last one. NULL if there is none. It need not be freed.
#[unsafe(no_mangle)]
pub extern "C" fn longhaul_grouping_name(grouping: u32) -> *const c_char {
    value_or(std::ptr::null(), || {
        let name = GROUPING_NAMES.get(grouping as usize).ok_or_else(|| {
            let text = format!("grouping {grouping}: expected a number below {LONGHAUL_GROUPINGS}");
            Failure::new(Status::InvalidLength, text)
        })?;
        Ok(name.as_ptr())
    })
}
