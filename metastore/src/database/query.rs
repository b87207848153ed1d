//! Statements with their values, before it is known how often they are tried.

use std::borrow::Cow;
use std::fmt::{Display, Write};

use sqlx::{AssertSqlSafe, Postgres, Sqlite};
use uuid::Uuid;

use super::text::escape;
use super::{Connection, Dialect, FromColumn, Row};

/// Under which statements are told of.
const STATEMENTS: &str = "penstock_metastore::statements";

/// A value of a statement.
#[derive(Debug, Clone)]
pub(crate) enum Value<'q> {
    Integer(Option<i64>),
    Number(Option<f64>),
    Text(Option<Cow<'q, str>>),
    Id(Option<Uuid>),
    /// An id that is none. Only SQLite compares with it.
    Bytes(Vec<u8>),
}

macro_rules! value {
    ($($from:ty => $variant:ident($value:ident) $into:expr),+ $(,)?) => {$(
        impl<'q> From<$from> for Value<'q> {
            fn from($value: $from) -> Self {
                Self::$variant($into)
            }
        }
    )+};
}

value! {
    i64 => Integer(value) Some(value),
    Option<i64> => Integer(value) value,
    bool => Integer(value) Some(value.into()),
    f64 => Number(value) Some(value),
    Option<f64> => Number(value) value,
    &'q str => Text(value) Some(Cow::Borrowed(value)),
    &'q String => Text(value) Some(Cow::Borrowed(value)),
    String => Text(value) Some(Cow::Owned(value)),
    Cow<'q, str> => Text(value) Some(value),
    Option<&'q str> => Text(value) value.map(Cow::Borrowed),
    &'q Option<String> => Text(value) value.as_deref().map(Cow::Borrowed),
    Uuid => Id(value) Some(value),
    &Uuid => Id(value) Some(*value),
    Option<Uuid> => Id(value) value,
}

/// A statement and its values.
#[derive(Debug)]
pub(crate) struct Query<'q> {
    sql: Cow<'static, str>,
    values: Vec<Value<'q>>,
}

/// A statement, for values to follow.
pub(crate) fn query<'q>(sql: impl Into<Cow<'static, str>>) -> Query<'q> {
    Query { sql: sql.into(), values: Vec::new() }
}

/// What a statement can be put to: the writer's connection, or one of those for reading.
pub(crate) trait Source {
    fn rows(self, query: &Query<'_>) -> impl Future<Output = Result<Vec<Row>, sqlx::Error>> + Send;

    fn first_row(self, query: &Query<'_>) -> impl Future<Output = Result<Option<Row>, sqlx::Error>> + Send;
}

impl<'q> Query<'q> {
    /// Adds the next value.
    #[must_use]
    pub(crate) fn bind(mut self, value: impl Into<Value<'q>>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Carries the statement out; returns how many rows it touched.
    pub(crate) async fn execute(&self, connection: &mut Connection) -> Result<u64, sqlx::Error> {
        connection.execute(self).await
    }

    pub(crate) async fn fetch_all(&self, source: impl Source) -> Result<Vec<Row>, sqlx::Error> {
        source.rows(self).await
    }

    pub(crate) async fn fetch_optional(&self, source: impl Source) -> Result<Option<Row>, sqlx::Error> {
        source.first_row(self).await
    }

    /// A column of the first row.
    pub(crate) async fn fetch_value<T>(&self, source: impl Source, column: &str) -> Result<Option<T>, sqlx::Error>
    where
        T: for<'r> FromColumn<'r>,
    {
        source.first_row(self).await?.map(|row| row.get(column)).transpose()
    }

    /// A column of all rows.
    pub(crate) async fn fetch_values<T>(&self, source: impl Source, column: &str) -> Result<Vec<T>, sqlx::Error>
    where
        T: for<'r> FromColumn<'r>,
    {
        source.rows(self).await?.iter().map(|row| row.get(column)).collect()
    }

    /// The same statement, for the database to say how it would carry it out.
    pub(crate) fn explained(self, dialect: Dialect) -> Self {
        Self { sql: format!("{}{}", dialect.explain(), self.sql).into(), values: self.values }
    }

    /// Tells who looks closely that a statement is put to the database; its values are nobody's business.
    fn tell(&self) {
        tracing::trace!(target: STATEMENTS, sql = %self.sql);
    }

    pub(super) fn for_sqlite(&self) -> sqlx::query::Query<'_, Sqlite, sqlx::sqlite::SqliteArguments> {
        self.tell();
        self.values.iter().fold(sqlx::query(AssertSqlSafe(self.sql.clone())), |query, value| match value {
            Value::Integer(value) => query.bind(value),
            Value::Number(value) => query.bind(value),
            Value::Text(value) => query.bind(value.as_deref()),
            Value::Id(value) => query.bind(value),
            Value::Bytes(value) => query.bind(value),
        })
    }

    pub(super) fn for_postgres(&self) -> sqlx::query::Query<'_, Postgres, sqlx::postgres::PgArguments> {
        self.tell();
        self.values.iter().fold(sqlx::query(AssertSqlSafe(self.sql.clone())), |query, value| match value {
            Value::Integer(value) => query.bind(value),
            Value::Number(value) => query.bind(value),
            Value::Text(value) => query.bind(value.as_deref().map(escape)),
            Value::Id(value) => query.bind(value),
            Value::Bytes(value) => query.bind(value),
        })
    }
}

/// A statement in the making.
#[derive(Debug)]
pub(crate) struct QueryBuilder<'q> {
    dialect: Dialect,
    sql: String,
    values: Vec<Value<'q>>,
}

impl<'q> QueryBuilder<'q> {
    pub(crate) fn new(dialect: Dialect, sql: impl Into<String>) -> Self {
        Self { dialect, sql: sql.into(), values: Vec::new() }
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Appends a part of the statement. Never anything that a user wrote.
    pub(crate) fn push(&mut self, sql: impl Display) -> &mut Self {
        // Writing to a string cannot fail.
        let _ = write!(self.sql, "{sql}");
        self
    }

    /// Puts a part, which has no values, before the whole.
    pub(crate) fn put_before(&mut self, sql: &str) -> &mut Self {
        self.sql.insert_str(0, sql);
        self
    }

    /// Appends a value.
    pub(crate) fn push_bind(&mut self, value: impl Into<Value<'q>>) -> &mut Self {
        self.values.push(value.into());
        self.dialect.push_placeholder(&mut self.sql, self.values.len());
        self
    }

    /// Appends rows of values.
    pub(crate) fn push_values<T>(&mut self, rows: &'q [T], bind: impl Fn(&mut RowValues<'_, 'q>, &'q T)) {
        self.push("VALUES ");
        for (index, row) in rows.iter().enumerate() {
            self.push(if index > 0 { ", (" } else { "(" });
            bind(&mut RowValues { builder: self, first: true }, row);
            self.push(")");
        }
    }

    pub(crate) fn build(self) -> Query<'q> {
        Query { sql: self.sql.into(), values: self.values }
    }
}

/// The values of one row.
pub(crate) struct RowValues<'b, 'q> {
    builder: &'b mut QueryBuilder<'q>,
    first: bool,
}

impl<'q> RowValues<'_, 'q> {
    pub(crate) fn push_bind(&mut self, value: impl Into<Value<'q>>) -> &mut Self {
        if !std::mem::take(&mut self.first) {
            self.builder.push(", ");
        }
        self.builder.push_bind(value);
        self
    }
}
