//! Rules on rows: the condition by which a row is bad, and what happens to it then.

use chrono_tz::TZ_VARIANTS;
use polars::prelude::{
    DataFrame, DataType, Expr, IntoLazy, NamedFrom, PolarsResult, Schema, Series, col, lit,
};
use polars::sql::sql_expr;
use serde::{Deserialize, Serialize};
use terms::{Day, column};

use super::column::ColumnSpec;
use super::column_type::ColumnType;
use crate::contained::contained_result;

/// Nothing was recorded earlier: 1990-01-01.
pub const FIRST_RECORD: Day = Day::since_epoch(7_305);
/// 0001-01-01, the first day that every system can write.
pub(crate) const YEAR_1: Day = Day::since_epoch(-719_162);
/// 9999-12-31, the last.
pub(crate) const END_OF_9999: Day = Day::since_epoch(2_932_896);

/// What happens to a row that breaks a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnViolation {
    /// The check fails.
    Fail,
    /// The row is not used; it is copied to quarantine with the rule's name.
    Quarantine,
    /// The row is not used, and counted.
    Drop,
    /// The row is used and counted.
    Warn,
}

impl OnViolation {
    /// Its name in a contract.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Quarantine => "quarantine",
            Self::Drop => "drop",
            Self::Warn => "warn",
        }
    }
}

/// One rule of a contract.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its name, which is the reason given for a bad row.
    pub name: String,
    /// The condition of a bad row, as text.
    pub condition: String,
    /// What happens to a bad row.
    pub on_violation: OnViolation,
    /// The condition as an expression: true for a bad row. A row for which it is null is good.
    pub(crate) bad: Expr,
}

impl Rule {
    /// A rule in SQL over the columns of the table and of its joins.
    pub(crate) fn sql(name: &str, condition: &str, on: OnViolation) -> PolarsResult<Self> {
        Ok(Self {
            name: name.to_owned(),
            condition: condition.to_owned(),
            on_violation: on,
            bad: contained_result(|| sql_expr(condition))?,
        })
    }

    /// A required column is null.
    pub(crate) fn missing(column: &str, on: OnViolation) -> Self {
        Self {
            name: format!("{column}_missing"),
            condition: format!("{column} IS NULL"),
            on_violation: on,
            bad: col(column).is_null(),
        }
    }

    /// A text is none of the allowed values.
    pub(crate) fn allowed(name: &str, column: &str, values: &[String], on: OnViolation) -> Self {
        let bad = values
            .iter()
            .fold(lit(true), |bad, value| bad.and(col(column).neq(lit(value.as_str()))));
        Self {
            name: name.to_owned(),
            condition: format!("{column} NOT IN ('{}')", values.join("', '")),
            on_violation: on,
            bad,
        }
    }

    /// A text does not match a regular expression.
    pub(crate) fn pattern(name: &str, column: &str, pattern: &str, on: OnViolation) -> Self {
        Self {
            name: name.to_owned(),
            condition: format!("{column} NOT RLIKE '{pattern}'"),
            on_violation: on,
            bad: col(column).str().contains(lit(pattern), true).not(),
        }
    }

    /// A text has more characters than it may.
    pub(crate) fn length(column: &str, max_length: u32, on: OnViolation) -> Self {
        Self {
            name: format!("{column}_length"),
            condition: format!("{column} has more than {max_length} characters"),
            on_violation: on,
            bad: col(column).str().len_chars().gt(lit(max_length)),
        }
    }

    /// A text names no time zone of the IANA database.
    pub(crate) fn time_zone(column: &str, on: OnViolation) -> Self {
        let zones = TZ_VARIANTS.iter().map(|zone| zone.name());
        let zones = Series::new("zones".into(), zones.collect::<Vec<_>>());
        Self {
            name: format!("{column}_format"),
            condition: format!("{column} is not an IANA time zone"),
            on_violation: on,
            bad: col(column).is_in(lit(zones).implode(false), false).not(),
        }
    }

    /// A number, an instant or a day is outside its range. In any case a float must be finite, also
    /// as a number of 32 bits, which features are; and an instant or a day must be of the years 1 to
    /// 9999, which every system can write, and what was recorded, of 1990 or later. So such columns
    /// have this rule even where the contract gives no range, no arithmetic on their values
    /// overflows, and a clock that stood at zero does not begin a history of decades.
    pub(crate) fn range(
        column: &ColumnSpec,
        minimum: Option<f64>,
        maximum: Option<f64>,
        on: OnViolation,
    ) -> Option<Self> {
        let name = column.name.as_str();
        let mut conditions = Vec::new();
        let mut bad = Vec::new();
        if column.physical.is_float() {
            conditions.push(format!("{name} is not finite"));
            // A value of 64 bits beyond those of 32 becomes infinite.
            bad.push(col(name).cast(DataType::Float32).is_finite().not());
        }
        if let Some((first, last)) = range_of_time(column) {
            let year = if name == column::RECORDED_AT { 1990 } else { 1 };
            conditions.push(format!("{name} is not of the years {year} to 9999"));
            let value = || col(name).to_physical();
            bad.push(value().lt(lit(first)).or(value().gt(lit(last))));
        }
        if let Some(minimum) = minimum {
            conditions.push(format!("{name} < {minimum}"));
            bad.push(col(name).lt(lit(minimum)));
        }
        if let Some(maximum) = maximum {
            conditions.push(format!("{name} > {maximum}"));
            bad.push(col(name).gt(lit(maximum)));
        }
        Some(Self {
            name: format!("{name}_range"),
            condition: conditions.join(" OR "),
            on_violation: on,
            bad: bad.into_iter().reduce(Expr::or)?,
        })
    }

    /// A column of booleans with the rule's name: whether each row is bad.
    pub(crate) fn is_bad(&self) -> Expr {
        self.bad.clone().fill_null(lit(false)).alias(self.name.as_str())
    }

    /// The data type of the condition over the columns of `schema`; an error if it names others.
    pub(crate) fn type_over(&self, schema: &Schema) -> PolarsResult<DataType> {
        let empty = DataFrame::empty_with_schema(schema);
        let bad = self.bad.clone().alias("bad");
        let result = contained_result(|| empty.lazy().select([bad]).collect())?;
        Ok(result.column("bad")?.dtype().clone())
    }
}

/// The first and the last value of a column of instants or days. Units: those of the column.
fn range_of_time(column: &ColumnSpec) -> Option<(i64, i64)> {
    let is_of_record = column.name == column::RECORDED_AT;
    let (first, last) = (if is_of_record { FIRST_RECORD } else { YEAR_1 }, END_OF_9999);
    match column.physical {
        ColumnType::Instant => Some((first.start().micros(), last.end().micros() - 1)),
        ColumnType::Date => Some((first.days_since_epoch().into(), last.days_since_epoch().into())),
        _ => None,
    }
}

/// The condition of `SELECT count(*) FROM {object} WHERE condition`.
pub(crate) fn condition_of(query: &str) -> Option<&str> {
    let mut rest = query.trim();
    for word in ["select", "count(*)", "from", "{object}", "where"] {
        let head = rest.get(..word.len())?;
        if !head.eq_ignore_ascii_case(word) {
            return None;
        }
        rest = rest[word.len()..].trim_start();
    }
    (!rest.is_empty()).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_condition_is_what_follows_where() {
        let query = "SELECT COUNT(*)\n FROM {object}\n WHERE a < b AND c IS NULL ";
        assert_eq!(condition_of(query), Some("a < b AND c IS NULL"));
        assert_eq!(condition_of("SELECT sum(a) FROM {object} WHERE a < b"), None);
        assert_eq!(condition_of("SELECT count(*) FROM {object} WHERE "), None);
    }
}
