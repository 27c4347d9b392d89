//! Rules on rows: the condition by which a row is bad, and what happens to it then.

use polars::prelude::{DataFrame, DataType, Expr, IntoLazy, PolarsResult, Schema, col, lit};
use polars::sql::sql_expr;
use serde::{Deserialize, Serialize};

use super::column::ColumnSpec;

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
            bad: sql_expr(condition)?,
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

    /// A number is outside its range. A float must be finite in any case, so a float column has
    /// this rule even where the contract gives no range.
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
            bad.push(col(name).is_finite().not());
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
        let result = empty.lazy().select([self.bad.clone().alias("bad")]).collect()?;
        Ok(result.column("bad")?.dtype().clone())
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
