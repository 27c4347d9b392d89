//! Physical types of the tables: what a contract may ask for, and which files keep it.

use arrow::datatypes::{DataType as ArrowType, TimeUnit as ArrowUnit};
use polars::prelude::{DataType, TimeUnit, TimeZone};

/// The physical type of a column, as a contract names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// `utf8`; a dictionary of text is read as text.
    Text,
    /// `int64`; narrower integers are widened when read.
    Int64,
    /// `float64`; `float32` and integers of at most 32 bits are widened when read.
    Float64,
    /// `boolean`
    Boolean,
    /// `date32`
    Date,
    /// `timestamp[us, tz=UTC]`; other units and zones are refused.
    Instant,
}

impl ColumnType {
    pub(crate) const NAMES: &str = "utf8, int64, float64, boolean, date32 or timestamp[us, tz=UTC]";

    pub(crate) fn parse(physical_type: &str) -> Option<Self> {
        Some(match physical_type {
            "utf8" => Self::Text,
            "int64" => Self::Int64,
            "float64" => Self::Float64,
            "boolean" => Self::Boolean,
            "date32" => Self::Date,
            "timestamp[us, tz=UTC]" => Self::Instant,
            _ => return None,
        })
    }

    /// The name in a contract.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "utf8",
            Self::Int64 => "int64",
            Self::Float64 => "float64",
            Self::Boolean => "boolean",
            Self::Date => "date32",
            Self::Instant => "timestamp[us, tz=UTC]",
        }
    }

    /// In words, for messages.
    pub(crate) const fn in_words(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Int64 => "int64",
            Self::Float64 => "float64",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Instant => "timestamp in UTC with microseconds",
        }
    }

    /// The type that it has in a data frame.
    pub fn polars(self) -> DataType {
        match self {
            Self::Text => DataType::String,
            Self::Int64 => DataType::Int64,
            Self::Float64 => DataType::Float64,
            Self::Boolean => DataType::Boolean,
            Self::Date => DataType::Date,
            Self::Instant => DataType::Datetime(TimeUnit::Microseconds, Some(TimeZone::UTC)),
        }
    }

    /// Whether a file's column of type `found` holds exactly these values, if need be widened.
    pub(crate) fn accepts(self, found: &ArrowType) -> bool {
        use ArrowType as A;
        match self {
            Self::Text => match found {
                A::Dictionary(_, values) => self.accepts(values),
                found => matches!(found, A::Utf8 | A::LargeUtf8 | A::Utf8View),
            },
            Self::Int64 => matches!(
                found,
                A::Int64 | A::Int32 | A::Int16 | A::Int8 | A::UInt32 | A::UInt16 | A::UInt8
            ),
            Self::Float64 => matches!(
                found,
                A::Float64
                    | A::Float32
                    | A::Int32
                    | A::Int16
                    | A::Int8
                    | A::UInt32
                    | A::UInt16
                    | A::UInt8
            ),
            Self::Boolean => matches!(found, A::Boolean),
            Self::Date => matches!(found, A::Date32),
            Self::Instant => {
                matches!(found, A::Timestamp(ArrowUnit::Microsecond, Some(zone)) if is_utc(zone))
            }
        }
    }
}

fn is_utc(zone: &str) -> bool {
    matches!(zone, "UTC" | "Etc/UTC" | "+00:00")
}

/// A file's type in words, for messages.
pub(crate) fn describe(found: &ArrowType) -> String {
    use ArrowType as A;
    match found {
        A::Utf8 | A::LargeUtf8 | A::Utf8View => "text".to_owned(),
        A::Timestamp(_, None) => "timestamp without zone".to_owned(),
        A::Timestamp(unit, Some(zone)) => {
            let zone = if is_utc(zone) { "UTC" } else { zone };
            format!("timestamp in {zone} with {}", unit_name(*unit))
        }
        A::Dictionary(_, value) => format!("dictionary of {}", describe(value)),
        other => other.to_string().to_lowercase(),
    }
}

const fn unit_name(unit: ArrowUnit) -> &'static str {
    match unit {
        ArrowUnit::Second => "seconds",
        ArrowUnit::Millisecond => "milliseconds",
        ArrowUnit::Microsecond => "microseconds",
        ArrowUnit::Nanosecond => "nanoseconds",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_back_as_its_type() {
        for name in ["utf8", "int64", "float64", "boolean", "date32", "timestamp[us, tz=UTC]"] {
            assert_eq!(ColumnType::parse(name).unwrap().name(), name);
            assert!(ColumnType::NAMES.contains(name));
        }
        assert_eq!(ColumnType::parse("varchar(10)"), None);
    }

    #[test]
    fn only_utc_microseconds_are_an_instant() {
        let stamp = |unit, zone: Option<&str>| ArrowType::Timestamp(unit, zone.map(Into::into));
        assert!(ColumnType::Instant.accepts(&stamp(ArrowUnit::Microsecond, Some("UTC"))));
        for (wrong, words) in [
            (stamp(ArrowUnit::Microsecond, None), "timestamp without zone"),
            (stamp(ArrowUnit::Nanosecond, Some("UTC")), "timestamp in UTC with nanoseconds"),
            (
                stamp(ArrowUnit::Microsecond, Some("America/Sao_Paulo")),
                "timestamp in America/Sao_Paulo with microseconds",
            ),
            (ArrowType::Utf8View, "text"),
        ] {
            assert!(!ColumnType::Instant.accepts(&wrong));
            assert_eq!(describe(&wrong), words);
        }
    }
}
