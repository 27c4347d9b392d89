//! Physical types of columns: the names that a contract may use, and which types of a Parquet file
//! hold the same values.

use arrow::datatypes::{DataType as ArrowType, TimeUnit as ArrowUnit};
use polars::prelude::{DataType, TimeUnit, TimeZone};

/// The physical type of a column, as a contract names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// `utf8`; a dictionary of text is read as text.
    Text,
    /// `int32`; narrower integers are widened when read.
    Int32,
    /// `int64`; narrower integers are widened when read.
    Int64,
    /// `float32`; integers of at most 16 bits are widened when read.
    Float32,
    /// `float64`; `float32` and integers of at most 32 bits are widened when read.
    Float64,
    /// `list<float32>`: several numbers in each row, as the probabilities of a distribution.
    Floats,
    /// `boolean`
    Boolean,
    /// `date32`
    Date,
    /// `timestamp[us, tz=UTC]`; other units and zones are refused.
    Instant,
}

impl ColumnType {
    pub(crate) const NAMES: &str = "utf8, int32, int64, float32, float64, list<float32>, boolean, \
        date32 or timestamp[us, tz=UTC]";

    pub(crate) fn parse(physical_type: &str) -> Option<Self> {
        Some(match physical_type {
            "utf8" => Self::Text,
            "int32" => Self::Int32,
            "int64" => Self::Int64,
            "float32" => Self::Float32,
            "float64" => Self::Float64,
            "list<float32>" => Self::Floats,
            "boolean" => Self::Boolean,
            "date32" => Self::Date,
            "timestamp[us, tz=UTC]" => Self::Instant,
            _ => return None,
        })
    }

    /// Its name in a contract.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "utf8",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::Floats => "list<float32>",
            Self::Boolean => "boolean",
            Self::Date => "date32",
            Self::Instant => "timestamp[us, tz=UTC]",
        }
    }

    /// Its name in messages.
    pub(crate) const fn message_name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::Floats => "list<float32>",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Instant => "timestamp in UTC with microseconds",
        }
    }

    /// Its type in a data frame.
    pub fn polars(self) -> DataType {
        match self {
            Self::Text => DataType::String,
            Self::Int32 => DataType::Int32,
            Self::Int64 => DataType::Int64,
            Self::Float32 => DataType::Float32,
            Self::Float64 => DataType::Float64,
            Self::Floats => DataType::List(Box::new(DataType::Float32)),
            Self::Boolean => DataType::Boolean,
            Self::Date => DataType::Date,
            Self::Instant => DataType::Datetime(TimeUnit::Microseconds, Some(TimeZone::UTC)),
        }
    }

    /// Whether it holds numbers with a fraction.
    pub(crate) const fn is_float(self) -> bool {
        matches!(self, Self::Float32 | Self::Float64)
    }

    /// Its type in a Parquet file.
    pub(crate) fn arrow(self) -> ArrowType {
        match self {
            Self::Text => ArrowType::Utf8,
            Self::Int32 => ArrowType::Int32,
            Self::Int64 => ArrowType::Int64,
            Self::Float32 => ArrowType::Float32,
            Self::Float64 => ArrowType::Float64,
            Self::Floats => ArrowType::new_list(ArrowType::Float32, true),
            Self::Boolean => ArrowType::Boolean,
            Self::Date => ArrowType::Date32,
            Self::Instant => ArrowType::Timestamp(ArrowUnit::Microsecond, Some("UTC".into())),
        }
    }

    /// Whether every value of a file's column of type `found` can be held exactly, widened where
    /// it is narrower.
    pub(crate) fn accepts(self, found: &ArrowType) -> bool {
        use ArrowType as A;
        match self {
            Self::Text => match found {
                A::Dictionary(_, values) => self.accepts(values),
                found => matches!(found, A::Utf8 | A::LargeUtf8 | A::Utf8View),
            },
            Self::Int32 => {
                matches!(found, A::Int32 | A::Int16 | A::Int8 | A::UInt16 | A::UInt8)
            }
            Self::Int64 => matches!(found, A::Int64 | A::UInt32) || Self::Int32.accepts(found),
            Self::Float32 => {
                matches!(found, A::Float32 | A::Int16 | A::Int8 | A::UInt16 | A::UInt8)
            }
            Self::Float64 => {
                matches!(found, A::Float64 | A::Float32 | A::UInt32) || Self::Int32.accepts(found)
            }
            Self::Floats => match found {
                A::List(values) | A::LargeList(values) => values.data_type() == &A::Float32,
                _ => false,
            },
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

/// The name of a file's type in messages.
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
        for name in ColumnType::NAMES.replace(" or ", ", ").replace("[us, ", "[us;").split(", ") {
            let name = name.replace("[us;", "[us, ");
            let read = ColumnType::parse(&name).unwrap();
            assert_eq!(read.name(), name);
            assert!(read.accepts(&read.arrow()), "{name}");
        }
        assert_eq!(ColumnType::parse("varchar(10)"), None);
    }

    #[test]
    fn only_utc_microseconds_are_an_instant() {
        let stamp = |unit, zone: Option<&str>| ArrowType::Timestamp(unit, zone.map(Into::into));
        assert!(ColumnType::Instant.accepts(&stamp(ArrowUnit::Microsecond, Some("UTC"))));
        for (wrong, name) in [
            (stamp(ArrowUnit::Microsecond, None), "timestamp without zone"),
            (stamp(ArrowUnit::Nanosecond, Some("UTC")), "timestamp in UTC with nanoseconds"),
            (
                stamp(ArrowUnit::Microsecond, Some("America/Sao_Paulo")),
                "timestamp in America/Sao_Paulo with microseconds",
            ),
            (ArrowType::Utf8View, "text"),
        ] {
            assert!(!ColumnType::Instant.accepts(&wrong));
            assert_eq!(describe(&wrong), name);
        }
    }
}
