//! Opening a store: is it ours, do we understand its layout, and bringing the layout up to date.

use crate::database::{Connection, Readers};
use crate::error::MetastoreError;
use crate::location::StoreLocation;

mod postgres;
mod sqlite;

pub(crate) use postgres::listener_options;

/// Makes the store ready for use: creates or migrates it, or says why it will not.
pub(crate) async fn prepare(location: &StoreLocation) -> Result<(), MetastoreError> {
    match location {
        StoreLocation::Sqlite(path) => sqlite::prepare(path).await,
        StoreLocation::Postgres(location) => postgres::prepare(location).await,
    }
}

/// The connection of the writer task.
pub(crate) async fn connect_writer(location: &StoreLocation) -> Result<Connection, sqlx::Error> {
    match location {
        StoreLocation::Sqlite(path) => sqlite::connect_writer(path).await.map(Connection::Sqlite),
        StoreLocation::Postgres(location) => {
            postgres::connect_writer(location).await.map(|connection| Connection::Postgres(Box::new(connection)))
        }
    }
}

/// Connections for reading; they never wait for the writer.
pub(crate) fn reader_pool(location: &StoreLocation) -> Readers {
    match location {
        StoreLocation::Sqlite(path) => Readers::Sqlite(sqlite::reader_pool(path)),
        StoreLocation::Postgres(location) => Readers::Postgres(postgres::reader_pool(location)),
    }
}
