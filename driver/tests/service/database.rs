//! The databases that the tests of the service are run on.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use penstock_metastore::StoreLocation;

use crate::server;

/// A database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Database {
    Sqlite,
    Postgres,
}

impl Database {
    /// A place for a store of its own. `None` after saying that the test is skipped.
    pub(crate) fn place(self, directory: &Path) -> Option<StoreLocation> {
        match self {
            Database::Sqlite => Some(StoreLocation::Sqlite(directory.join("penstock.db"))),
            Database::Postgres => {
                static NUMBER: AtomicU32 = AtomicU32::new(0);
                let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
                let server = server::shared()?;
                server.sql("postgres", &format!("CREATE DATABASE {name}"));
                Some(StoreLocation::Postgres(server.url(&name).parse().unwrap()))
            }
        }
    }
}
