//! Between columns and values. Reading never trusts a row: each failure says which column and why.

use std::borrow::Cow;

use penstock_spec::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use crate::catalog::Tags;
use crate::database::{FromColumn, Row};
use crate::error::MetastoreError;
use crate::rows::{Listed, Unreadable};

/// Why a column could not be read.
pub(crate) type Reason = String;

pub(crate) fn column<'r, T: FromColumn<'r>>(row: &'r Row, name: &str) -> Result<T, Reason> {
    row.get(name).map_err(|error| unreadable(name, error))
}

fn unreadable(name: &str, error: sqlx::Error) -> Reason {
    match error {
        sqlx::Error::ColumnDecode { source, .. } => format!("column {name}: {source}"),
        other => format!("column {name}: {other}"),
    }
}

pub(crate) fn count(row: &Row, name: &str) -> Result<u64, Reason> {
    let value: i64 = column(row, name)?;
    u64::try_from(value).map_err(|_| format!("column {name}: {value} is negative"))
}

pub(crate) fn number(row: &Row, name: &str) -> Result<u32, Reason> {
    optional_number(row, name)?.ok_or_else(|| format!("column {name}: it is empty"))
}

pub(crate) fn optional_number(row: &Row, name: &str) -> Result<Option<u32>, Reason> {
    let value: Option<i64> = column(row, name)?;
    value.map(|value| u32::try_from(value).map_err(|_| format!("column {name}: {value} is out of range"))).transpose()
}

pub(crate) fn time(row: &Row, name: &str) -> Result<Timestamp, Reason> {
    decode_time(column(row, name)?, name)
}

pub(crate) fn optional_time(row: &Row, name: &str) -> Result<Option<Timestamp>, Reason> {
    let value: Option<i64> = column(row, name)?;
    value.map(|value| decode_time(value, name)).transpose()
}

/// A time of a column that has 0 where there is none.
pub(crate) fn time_unless_zero(row: &Row, name: &str) -> Result<Option<Timestamp>, Reason> {
    let time = time(row, name)?;
    Ok((time != Timestamp::UNIX_EPOCH).then_some(time))
}

/// A reference of a column that has zeros where there is none.
pub(crate) fn reference(row: &Row, name: &str) -> Result<Option<Uuid>, Reason> {
    let id: Uuid = column(row, name)?;
    Ok((!id.is_nil()).then_some(id))
}

fn decode_time(nanoseconds: i64, name: &str) -> Result<Timestamp, Reason> {
    Timestamp::from_nanosecond(i128::from(nanoseconds)).map_err(|error| format!("column {name}: {error}"))
}

pub(crate) fn json<T: DeserializeOwned>(row: &Row, name: &str) -> Result<T, Reason> {
    let text: Cow<'_, str> = column(row, name)?;
    serde_json::from_str(&text).map_err(|error| format!("column {name}: {error}"))
}

pub(crate) fn optional_json<T: DeserializeOwned>(row: &Row, name: &str) -> Result<Option<T>, Reason> {
    let text: Option<Cow<'_, str>> = column(row, name)?;
    text.map(|text| serde_json::from_str(&text).map_err(|error| format!("column {name}: {error}"))).transpose()
}

/// Tags that the database has put together.
pub(crate) fn tags(row: &Row, name: &str) -> Result<Tags, Reason> {
    let text = row.composed(name).map_err(|error| unreadable(name, error))?;
    let tags: Tags = serde_json::from_str(text).map_err(|error| format!("column {name}: {error}"))?;
    Ok(tags.iter().map(|(key, value)| (row.part(key).into_owned(), row.part(value).into_owned())).collect())
}

/// A column that holds the name of an enum's variant.
pub(crate) fn word<T: DeserializeOwned>(row: &Row, name: &str) -> Result<T, Reason> {
    let text: String = column(row, name)?;
    serde_json::from_value(Value::String(text)).map_err(|error| format!("column {name}: {error}"))
}

/// Name of an enum's variant as it is stored.
pub(crate) fn encode_word<T: Serialize>(value: T) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        // Only called for enums without content, which serialise as a string.
        Ok(_) | Err(_) => String::new(),
    }
}

/// JSON text of something that belongs to `run`.
pub(crate) fn encode_json<T: Serialize + ?Sized>(
    run: Uuid,
    what: &'static str,
    value: &T,
) -> Result<String, MetastoreError> {
    serde_json::to_string(value).map_err(|source| MetastoreError::Encode { what, run, source })
}

/// Nanoseconds since 1970. Times outside 1677 to 2262 become the nearest that fits.
pub(crate) fn encode_time(time: Timestamp) -> i64 {
    let nanoseconds = time.as_nanosecond();
    i64::try_from(nanoseconds).unwrap_or(if nanoseconds < 0 { i64::MIN } else { i64::MAX })
}

/// A counter as a column. SQL has no unsigned numbers; no counter of ours comes near the limit.
pub(crate) fn encode_count(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Puts a row into quarantine if it cannot be read.
pub(crate) fn listed<T>(row: Result<T, Reason>, identity: impl FnOnce() -> String) -> Listed<T> {
    match row {
        Ok(row) => Listed::Readable(row),
        Err(reason) => Listed::Unreadable(Unreadable { row: identity(), reason }),
    }
}

/// Identity of a row whose id may itself be damaged.
pub(crate) fn identity(row: &Row, name: &str) -> String {
    match column::<Uuid>(row, name) {
        Ok(id) => id.to_string(),
        Err(_) => match row.get::<Vec<u8>>(name) {
            Ok(bytes) => bytes.iter().take(32).map(|byte| format!("{byte:02x}")).collect(),
            Err(_) => "unknown".to_owned(),
        },
    }
}
