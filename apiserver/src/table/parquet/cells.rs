//! Values of columns as JSON has them: numbers and booleans as themselves, everything else as people write it.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type};
use parquet::schema::types::ColumnDescriptor;
use serde_json::Value;
use uuid::Uuid;

use super::Spending;

/// Letters of a text that are shown.
const MOST_TEXT: usize = 1000;
/// Bytes that are shown of what is no text.
const MOST_BYTES: usize = 32;
/// Integers beyond are no numbers to a browser, which would show others.
const EXACT: u64 = 1 << 53;
const NANOS_OF_SECOND: i128 = 1_000_000_000;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    Boolean,
    Integer,
    /// Stored as a signed one of so many bits.
    Unsigned {
        bits: u8,
    },
    Number,
    Decimal {
        scale: i32,
    },
    Date,
    /// Of a day; a unit has so many nanoseconds.
    Time {
        nanos: i128,
    },
    Timestamp {
        nanos: i128,
        is_utc: bool,
    },
    Uuid,
    /// Text, or bytes if it is none.
    Text,
}

impl Meaning {
    pub(super) fn of(column: &ColumnDescriptor) -> Meaning {
        let by_logic = column.logical_type_ref().and_then(Self::of_logical);
        by_logic.or_else(|| Self::of_converted(column)).unwrap_or(match column.physical_type() {
            Type::BOOLEAN => Meaning::Boolean,
            Type::INT32 | Type::INT64 => Meaning::Integer,
            Type::INT96 => Meaning::Timestamp { nanos: 1, is_utc: false },
            Type::FLOAT | Type::DOUBLE => Meaning::Number,
            Type::BYTE_ARRAY | Type::FIXED_LEN_BYTE_ARRAY => Meaning::Text,
        })
    }

    fn of_logical(logical: &LogicalType) -> Option<Meaning> {
        Some(match logical {
            LogicalType::Date => Meaning::Date,
            LogicalType::Time(time) => Meaning::Time { nanos: nanos_of(&time.unit) },
            LogicalType::Timestamp(time) => {
                Meaning::Timestamp { nanos: nanos_of(&time.unit), is_utc: time.is_adjusted_to_u_t_c }
            }
            LogicalType::Integer(integer) if !integer.is_signed => {
                Meaning::Unsigned { bits: integer.bit_width.unsigned_abs() }
            }
            LogicalType::Decimal(decimal) => Meaning::Decimal { scale: decimal.scale },
            LogicalType::Uuid => Meaning::Uuid,
            _ => return None,
        })
    }

    /// Of older writers.
    fn of_converted(column: &ColumnDescriptor) -> Option<Meaning> {
        Some(match column.converted_type() {
            ConvertedType::DATE => Meaning::Date,
            ConvertedType::TIME_MILLIS => Meaning::Time { nanos: 1_000_000 },
            ConvertedType::TIME_MICROS => Meaning::Time { nanos: 1_000 },
            ConvertedType::TIMESTAMP_MILLIS => Meaning::Timestamp { nanos: 1_000_000, is_utc: true },
            ConvertedType::TIMESTAMP_MICROS => Meaning::Timestamp { nanos: 1_000, is_utc: true },
            ConvertedType::UINT_8 | ConvertedType::UINT_16 | ConvertedType::UINT_32 => Meaning::Unsigned { bits: 32 },
            ConvertedType::UINT_64 => Meaning::Unsigned { bits: 64 },
            ConvertedType::DECIMAL => Meaning::Decimal { scale: column.type_scale() },
            _ => return None,
        })
    }

    /// The word for it in replies.
    pub(super) fn word(self) -> &'static str {
        match self {
            Meaning::Boolean => "boolean",
            Meaning::Integer | Meaning::Unsigned { .. } => "integer",
            Meaning::Number | Meaning::Decimal { .. } => "number",
            Meaning::Date | Meaning::Time { .. } | Meaning::Timestamp { .. } | Meaning::Uuid | Meaning::Text => {
                "string"
            }
        }
    }

    pub(super) fn integer(self, value: i64) -> Value {
        match self {
            Meaning::Unsigned { bits: ..=32 } => Value::from(value.cast_unsigned() & u64::from(u32::MAX)),
            Meaning::Unsigned { .. } => exact(value.unsigned_abs(), value.cast_unsigned()),
            Meaning::Decimal { scale } => Value::from(decimal(i128::from(value), scale)),
            Meaning::Date => of_instant(i128::from(value) * 86_400 * NANOS_OF_SECOND)
                .map_or_else(|| Value::from(value), |at| Value::from(TimeZone::UTC.to_datetime(at).date().to_string())),
            Meaning::Time { nanos } => time_of_day(i128::from(value) * nanos),
            Meaning::Timestamp { nanos, .. } => self.instant(i128::from(value) * nanos),
            _ => exact(value.unsigned_abs(), value),
        }
    }

    /// A moment by its nanoseconds since 1970; of one that no calendar has, these.
    pub(super) fn instant(self, nanos: i128) -> Value {
        let is_utc = matches!(self, Meaning::Timestamp { is_utc: true, .. });
        match of_instant(nanos) {
            Some(at) if is_utc => Value::from(at.to_string()),
            Some(at) => Value::from(TimeZone::UTC.to_datetime(at).to_string()),
            None => Value::from(nanos.to_string()),
        }
    }

    pub(super) fn bytes(self, bytes: &[u8], spending: &Spending) -> Result<Value, String> {
        let value = match (self, std::str::from_utf8(bytes)) {
            (Meaning::Uuid, _) if bytes.len() == 16 => {
                Uuid::from_slice(bytes).map_or(Value::Null, |id| id.to_string().into())
            }
            (Meaning::Decimal { scale }, _) if (1..=16).contains(&bytes.len()) => {
                decimal(big_endian(bytes), scale).into()
            }
            (_, Ok(text)) => match text.char_indices().nth(MOST_TEXT) {
                Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()).into(),
                None => Value::from(text),
            },
            (_, Err(_)) => hexadecimal(bytes).into(),
        };
        spending.show(value.as_str().map_or(0, str::len))?;
        Ok(value)
    }
}

/// What a browser can count exactly is a number, other is its digits.
fn exact(size: u64, value: impl Into<Value> + ToString) -> Value {
    if size <= EXACT { value.into() } else { Value::from(value.to_string()) }
}

/// Not a number, and infinities, are words.
pub(super) fn number(value: f64) -> Value {
    serde_json::Number::from_f64(value).map_or_else(|| Value::from(value.to_string()), Value::Number)
}

/// As short as it can be written, not with the digits that it has as a longer one.
pub(super) fn short_number(value: f32) -> Value {
    number(value.to_string().parse().unwrap_or(f64::from(value)))
}

fn nanos_of(unit: &TimeUnit) -> i128 {
    match unit {
        TimeUnit::MILLIS => 1_000_000,
        TimeUnit::MICROS => 1_000,
        TimeUnit::NANOS => 1,
    }
}

fn of_instant(nanos: i128) -> Option<Timestamp> {
    Timestamp::from_nanosecond(nanos).ok()
}

fn time_of_day(nanos: i128) -> Value {
    let is_of_a_day = (0..86_400 * NANOS_OF_SECOND).contains(&nanos);
    match of_instant(nanos).filter(|_| is_of_a_day) {
        Some(at) => Value::from(TimeZone::UTC.to_datetime(at).time().to_string()),
        None => Value::from(nanos.to_string()),
    }
}

fn big_endian(bytes: &[u8]) -> i128 {
    let is_negative = bytes.first().is_some_and(|first| first & 0x80 != 0);
    let begin = if is_negative { -1 } else { 0 };
    bytes.iter().fold(begin, |value, byte| (value << 8) | i128::from(*byte))
}

fn decimal(value: i128, scale: i32) -> String {
    let digits = value.unsigned_abs().to_string();
    let sign = if value < 0 { "-" } else { "" };
    // A decimal has 38 digits at most.
    let places = usize::try_from(scale.min(64)).unwrap_or_default();
    if places == 0 {
        return format!("{sign}{digits}");
    }
    let digits = format!("{digits:0>width$}", width = places + 1);
    let (whole, rest) = digits.split_at(digits.len() - places);
    format!("{sign}{whole}.{rest}")
}

fn hexadecimal(bytes: &[u8]) -> String {
    let shown: String = bytes.iter().take(MOST_BYTES).map(|byte| format!("{byte:02x}")).collect();
    let more = if bytes.len() > MOST_BYTES { "…" } else { "" };
    format!("0x{shown}{more}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_written_as_people_do() {
        let micros = |is_utc| Meaning::Timestamp { nanos: 1000, is_utc };
        for (value, expected) in [
            (Meaning::Integer.integer(-7), json!(-7)),
            (Meaning::Integer.integer(i64::MAX), json!("9223372036854775807")),
            (Meaning::Unsigned { bits: 32 }.integer(-1), json!(4_294_967_295_u32)),
            (Meaning::Unsigned { bits: 64 }.integer(i64::MIN), json!("9223372036854775808")),
            (Meaning::Date.integer(-1), json!("1969-12-31")),
            (Meaning::Date.integer(i64::MAX), json!(i64::MAX)),
            (micros(true).integer(1_785_578_400_000_001), json!("2026-08-01T10:00:00.000001Z")),
            (micros(false).integer(1_785_578_400_000_000), json!("2026-08-01T10:00:00")),
            (micros(false).integer(i64::MIN), json!("-9223372036854775808000")),
            (Meaning::Time { nanos: 1_000_000 }.integer(1_500), json!("00:00:01.5")),
            (Meaning::Time { nanos: 1 }.integer(-1), json!("-1")),
            (Meaning::Decimal { scale: 2 }.integer(-5), json!("-0.05")),
            (Meaning::Decimal { scale: 0 }.integer(12), json!("12")),
            (number(f64::NAN), json!("NaN")),
            (short_number(0.1), json!(0.1)),
        ] {
            assert_eq!(value, expected);
        }
    }

    #[test]
    fn texts_and_bytes_are_cut() {
        let spending = Spending::default();
        let shown = |meaning: Meaning, bytes: &[u8]| meaning.bytes(bytes, &spending).expect("it is small");
        assert_eq!(shown(Meaning::Text, "ä".repeat(1000).as_bytes()), json!("ä".repeat(1000)));
        assert_eq!(shown(Meaning::Text, "ä".repeat(1001).as_bytes()), json!("ä".repeat(1000) + "…"));
        assert_eq!(shown(Meaning::Text, &[0xff, 0]), json!("0xff00"));
        assert_eq!(shown(Meaning::Text, &[0xff; 40]), json!(format!("0x{}…", "ff".repeat(32))));
        assert_eq!(shown(Meaning::Uuid, &[1; 16]), json!("01010101-0101-0101-0101-010101010101"));
        assert_eq!(shown(Meaning::Decimal { scale: 3 }, &[0xff, 0xfe]), json!("-0.002"));
        assert_eq!(shown(Meaning::Decimal { scale: 1 }, &[0x7f; 16]).as_str().map(str::len), Some(40));
    }
}
