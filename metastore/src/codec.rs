//! Between columns and values. Reading never trusts a row: each failure says which column and why.

use penstock_spec::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Row, Sqlite, Type};
use uuid::Uuid;

use crate::error::MetastoreError;
use crate::rows::{Listed, Unreadable};

/// Why a column could not be read.
pub(crate) type Reason = String;

pub(crate) fn column<'r, T>(row: &'r SqliteRow, name: &str) -> Result<T, Reason>
where
    T: Decode<'r, Sqlite> + Type<Sqlite>,
{
    row.try_get(name).map_err(|error| match error {
        sqlx::Error::ColumnDecode { source, .. } => format!("column {name}: {source}"),
        other => format!("column {name}: {other}"),
    })
}

pub(crate) fn count(row: &SqliteRow, name: &str) -> Result<u64, Reason> {
    let value: i64 = column(row, name)?;
    u64::try_from(value).map_err(|_| format!("column {name}: {value} is negative"))
}

pub(crate) fn number(row: &SqliteRow, name: &str) -> Result<u32, Reason> {
    optional_number(row, name)?.ok_or_else(|| format!("column {name}: it is empty"))
}

pub(crate) fn optional_number(row: &SqliteRow, name: &str) -> Result<Option<u32>, Reason> {
    let value: Option<i64> = column(row, name)?;
    value.map(|value| u32::try_from(value).map_err(|_| format!("column {name}: {value} is out of range"))).transpose()
}

pub(crate) fn time(row: &SqliteRow, name: &str) -> Result<Timestamp, Reason> {
    decode_time(column(row, name)?, name)
}

pub(crate) fn optional_time(row: &SqliteRow, name: &str) -> Result<Option<Timestamp>, Reason> {
    let value: Option<i64> = column(row, name)?;
    value.map(|value| decode_time(value, name)).transpose()
}

/// A time of a column that has 0 where there is none.
pub(crate) fn time_unless_zero(row: &SqliteRow, name: &str) -> Result<Option<Timestamp>, Reason> {
    let time = time(row, name)?;
    Ok((time != Timestamp::UNIX_EPOCH).then_some(time))
}

/// A reference of a column that has zeros where there is none.
pub(crate) fn reference(row: &SqliteRow, name: &str) -> Result<Option<Uuid>, Reason> {
    let id: Uuid = column(row, name)?;
    Ok((!id.is_nil()).then_some(id))
}

fn decode_time(nanoseconds: i64, name: &str) -> Result<Timestamp, Reason> {
    Timestamp::from_nanosecond(i128::from(nanoseconds)).map_err(|error| format!("column {name}: {error}"))
}

pub(crate) fn json<T: DeserializeOwned>(row: &SqliteRow, name: &str) -> Result<T, Reason> {
    let text: &str = column(row, name)?;
    serde_json::from_str(text).map_err(|error| format!("column {name}: {error}"))
}

pub(crate) fn optional_json<T: DeserializeOwned>(row: &SqliteRow, name: &str) -> Result<Option<T>, Reason> {
    let text: Option<&str> = column(row, name)?;
    text.map(|text| serde_json::from_str(text).map_err(|error| format!("column {name}: {error}"))).transpose()
}

/// A column that holds the name of an enum's variant.
pub(crate) fn word<T: DeserializeOwned>(row: &SqliteRow, name: &str) -> Result<T, Reason> {
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
pub(crate) fn identity(row: &SqliteRow, name: &str) -> String {
    match column::<Uuid>(row, name) {
        Ok(id) => id.to_string(),
        Err(_) => match row.try_get::<Vec<u8>, _>(name) {
            Ok(bytes) => bytes.iter().take(32).map(|byte| format!("{byte:02x}")).collect(),
            Err(_) => "unknown".to_owned(),
        },
    }
}
