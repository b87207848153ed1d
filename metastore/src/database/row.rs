//! Rows of either database.

use std::borrow::Cow;

use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::text::unescape;

/// A row.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    /// The value of a column.
    pub(crate) fn get<'r, T: FromColumn<'r>>(&'r self, column: &str) -> Result<T, sqlx::Error> {
        T::from_column(self, column)
    }

    /// A text that the database itself made of others.
    pub(crate) fn composed(&self, column: &str) -> Result<&str, sqlx::Error> {
        match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        }
    }

    /// A part of what the database composed, as it was stored.
    pub(crate) fn part<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self {
            Self::Sqlite(_) => Cow::Borrowed(text),
            Self::Postgres(_) => unescape(text),
        }
    }
}

/// What a column can hold.
pub(crate) trait FromColumn<'r>: Sized {
    fn from_column(row: &'r Row, column: &str) -> Result<Self, sqlx::Error>;
}

/// Types that both databases have.
macro_rules! as_it_is {
    ($($kind:ty),+) => {$(
        impl<'r> FromColumn<'r> for $kind {
            fn from_column(row: &'r Row, column: &str) -> Result<Self, sqlx::Error> {
                match row {
                    Row::Sqlite(row) => row.try_get(column),
                    Row::Postgres(row) => row.try_get(column),
                }
            }
        }
    )+};
}

as_it_is!(i64, Option<i64>, f64, Option<f64>, Uuid, Option<Uuid>, Vec<u8>);

impl<'r> FromColumn<'r> for Option<Cow<'r, str>> {
    fn from_column(row: &'r Row, column: &str) -> Result<Self, sqlx::Error> {
        match row {
            Row::Sqlite(row) => Ok(row.try_get::<Option<&str>, _>(column)?.map(Cow::Borrowed)),
            Row::Postgres(row) => Ok(row.try_get::<Option<&str>, _>(column)?.map(unescape)),
        }
    }
}

impl<'r> FromColumn<'r> for Cow<'r, str> {
    fn from_column(row: &'r Row, column: &str) -> Result<Self, sqlx::Error> {
        match row {
            Row::Sqlite(row) => row.try_get::<&str, _>(column).map(Cow::Borrowed),
            Row::Postgres(row) => row.try_get::<&str, _>(column).map(unescape),
        }
    }
}

impl<'r> FromColumn<'r> for String {
    fn from_column(row: &'r Row, column: &str) -> Result<Self, sqlx::Error> {
        Cow::from_column(row, column).map(Cow::into_owned)
    }
}

impl<'r> FromColumn<'r> for Option<String> {
    fn from_column(row: &'r Row, column: &str) -> Result<Self, sqlx::Error> {
        Ok(Option::<Cow<'r, str>>::from_column(row, column)?.map(Cow::into_owned))
    }
}

/// Neither a type that SQLite has, nor one that is worth a difference: a number that is 0 or not.
impl<'r> FromColumn<'r> for bool {
    fn from_column(row: &'r Row, column: &str) -> Result<Self, sqlx::Error> {
        i64::from_column(row, column).map(|value| value != 0)
    }
}
