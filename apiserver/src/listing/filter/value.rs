//! The values of predicates.

use std::fmt;

use penstock_spec::Timestamp;

use crate::error::ApiError;
use crate::wire::{Fields, WireError, time};

/// A value in one of its seven fields.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::listing) enum FilterValue {
    Text(String),
    Int(i64),
    Long(i64),
    /// Seconds since 1970.
    Time(i64),
    Texts(Vec<FilterValue>),
    Ints(Vec<FilterValue>),
    Longs(Vec<FilterValue>),
}

impl FilterValue {
    /// Takes the value from the fields of a predicate.
    pub(super) fn read(fields: &mut Fields) -> Result<Option<Self>, WireError> {
        fields.one_of(&[
            "int_value",
            "long_value",
            "string_value",
            "timestamp_value",
            "int_values",
            "long_values",
            "string_values",
        ])?;
        let text = fields.optional_text("string_value")?.map(Self::Text);
        let int = match fields.optional_integer("int_value")? {
            Some(value) if i32::try_from(value).is_err() => {
                return Err(fields.fault(format!("invalid value for int32 field int_value: {value}")));
            }
            value => value.map(Self::Int),
        };
        let long = fields.optional_integer("long_value")?.map(Self::Long);
        let time = match fields.optional_text("timestamp_value")? {
            None => None,
            Some(text) => Some(Self::Time(
                parse_time(&text)
                    .ok_or_else(|| fields.fault(format!("invalid google.protobuf.Timestamp value {text:?}")))?,
            )),
        };
        let texts = fields.message("string_values", |list| list.texts("values"))?;
        let ints = fields.message("int_values", |list| list.integers("values"))?;
        let longs = fields.message("long_values", |list| list.integers("values"))?;
        let lists = texts
            .map(|items| Self::Texts(items.into_iter().map(Self::Text).collect()))
            .or(ints.map(|items| Self::Ints(items.into_iter().map(Self::Int).collect())))
            .or(longs.map(|items| Self::Longs(items.into_iter().map(Self::Long).collect())));
        Ok(text.or(int).or(long).or(time).or(lists))
    }

    /// The items of a list.
    pub(in crate::listing) fn items(&self) -> Option<&[Self]> {
        match self {
            Self::Texts(items) | Self::Ints(items) | Self::Longs(items) => Some(items),
            _ => None,
        }
    }

    /// Name of the type in error texts, as clients know it.
    pub(in crate::listing) fn type_name(&self) -> &'static str {
        match self {
            Self::Text(_) => "string",
            Self::Int(_) => "int32",
            Self::Long(_) | Self::Time(_) => "int64",
            Self::Texts(_) => "[]string",
            Self::Ints(_) => "[]int32",
            Self::Longs(_) => "[]int64",
        }
    }

    /// What a time is compared with. Text may hold either form.
    pub(super) fn seconds(&self, key: &str) -> Result<i64, ApiError> {
        let seconds = match self {
            Self::Int(seconds) | Self::Long(seconds) | Self::Time(seconds) => Some(*seconds),
            Self::Text(text) => text.parse().ok().or_else(|| parse_time(text)),
            _ => None,
        };
        seconds.ok_or_else(|| {
            ApiError::invalid(format!(
                "cannot compare field {key:?} with \"{self}\": expected seconds since 1970, or a time such as \
                 \"2026-08-01T10:00:00Z\""
            ))
        })
    }
}

fn parse_time(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(time::second)
}

impl fmt::Display for FilterValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => formatter.write_str(text),
            Self::Int(value) | Self::Long(value) | Self::Time(value) => write!(formatter, "{value}"),
            Self::Texts(items) | Self::Ints(items) | Self::Longs(items) => {
                formatter.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    let space = if index == 0 { "" } else { " " };
                    write!(formatter, "{space}{item}")?;
                }
                formatter.write_str("]")
            }
        }
    }
}
