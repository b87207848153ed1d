//! One way to talk to two databases, SQLite and PostgreSQL: statements are written once, with `$1` for their values, and
//! [`Dialect`] knows what the two do not share. Columns hold integers, text and identifiers, and nothing else.

mod connection;
mod dialect;
mod query;
mod row;
mod text;

pub(crate) use connection::{Connection, Readers};
pub(crate) use dialect::Dialect;
pub(crate) use query::{Query, QueryBuilder, RowValues, Source, Value, query};
pub(crate) use row::{FromColumn, Row};
