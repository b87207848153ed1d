//! Where a store is.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use sqlx::postgres::PgConnectOptions;

/// Where a store is: a file of this machine, or a database of a PostgreSQL server.
#[derive(Debug, Clone)]
pub enum StoreLocation {
    /// A SQLite file on a local disk.
    Sqlite(PathBuf),
    /// A database of a PostgreSQL server, which several processes and machines may share.
    Postgres(PostgresLocation),
}

impl From<&StoreLocation> for StoreLocation {
    fn from(location: &StoreLocation) -> Self {
        location.clone()
    }
}

impl From<&Path> for StoreLocation {
    fn from(path: &Path) -> Self {
        Self::Sqlite(path.to_owned())
    }
}

impl From<&PathBuf> for StoreLocation {
    fn from(path: &PathBuf) -> Self {
        Self::Sqlite(path.clone())
    }
}

/// Names the store for people. Never shows a password.
impl fmt::Display for StoreLocation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => path.display().fmt(formatter),
            Self::Postgres(location) => location.fmt(formatter),
        }
    }
}

/// How to reach a database of a PostgreSQL server.
///
/// Read from a URL such as `postgres://user@host:5432/database?sslmode=verify-full&sslrootcert=/etc/ca.pem`. What the URL
/// leaves out comes from PostgreSQL's own variables (`PGPASSWORD`, `PGPASSFILE`, ...). Neither `Debug` nor `Display` shows
/// the password.
#[derive(Clone)]
pub struct PostgresLocation {
    options: Arc<PgConnectOptions>,
    has_password: bool,
}

/// Why a URL does not say where a database is. The URL itself is not repeated: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the database URL is not valid: {reason}; it has the form postgres://user@host:5432/database")]
pub struct InvalidDatabaseUrl {
    reason: String,
}

const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];

impl FromStr for PostgresLocation {
    type Err = InvalidDatabaseUrl;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        let invalid = |reason: &str| InvalidDatabaseUrl { reason: reason.to_owned() };
        if !SCHEMES.iter().any(|scheme| url.starts_with(scheme)) {
            return Err(invalid("it does not begin with postgres://"));
        }
        let options: PgConnectOptions = url.parse().map_err(|error| match error {
            sqlx::Error::Configuration(reason) => InvalidDatabaseUrl { reason: reason.to_string() },
            _ => invalid("it cannot be parsed"),
        })?;
        if options.get_database().is_none_or(str::is_empty) {
            return Err(invalid("it names no database"));
        }
        Ok(Self { options: Arc::new(options), has_password: has_password(url) })
    }
}

/// Whether a URL holds a password: before the host, or as a parameter.
fn has_password(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let user = authority.rsplit_once('@').map(|(user, _)| user);
    let parameters = rest.split_once('?').map_or("", |(_, parameters)| parameters);
    // However the name of the parameter is spelled: percent signs in it are decoded before it is looked at.
    let names = parameters.split('&').map(|parameter| parameter.split('=').next().unwrap_or_default());
    let mut names = names.filter(|name| *name == "password" || name.contains('%'));
    user.is_some_and(|user| user.contains(':')) || names.next().is_some()
}

impl PostgresLocation {
    /// Whether the URL itself holds a password. Others can see it then wherever they see the URL.
    pub fn has_password(&self) -> bool {
        self.has_password
    }

    pub(crate) fn options(&self) -> &PgConnectOptions {
        &self.options
    }
}

impl fmt::Display for PostgresLocation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = &self.options;
        let host = options.get_socket().map_or_else(|| options.get_host().into(), |socket| socket.to_string_lossy());
        let database = options.get_database().unwrap_or_default();
        write!(formatter, "postgres://{}@{host}:{}/{database}", options.get_username(), options.get_port())
    }
}

impl fmt::Debug for PostgresLocation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn password_is_never_shown() {
        for url in [
            "postgres://me:s3cret@db:6543/penstock",
            "postgresql://me:s3cret@db:6543/penstock?sslmode=disable",
            "postgres://me@db:6543/penstock?password=s3cret",
            "postgres://me@db:6543/penstock?pass%77ord=s3cret",
        ] {
            let location: PostgresLocation = url.parse().unwrap();
            assert!(location.has_password(), "{url}");
            let location = StoreLocation::Postgres(location);
            for shown in [location.to_string(), format!("{location:?}"), format!("{location:#?}")] {
                assert!(!shown.contains("s3cret"), "{shown}");
                assert!(shown.contains("postgres://me@db:6543/penstock"), "{shown}");
            }
        }
    }

    #[test]
    fn url_without_password_has_none() {
        for url in ["postgres://me@db/penstock", "postgres://db/penstock?sslmode=require", "postgres:///penstock"] {
            let location: PostgresLocation = url.parse().unwrap();
            assert!(!location.has_password(), "{url}");
        }
    }

    #[test]
    fn invalid_url_is_refused_without_being_repeated() {
        for url in ["", "mysql://me:s3cret@db/x", "postgres://me:s3cret@[/x", "postgres://me:s3cret@db:99999/x"] {
            let error = url.parse::<PostgresLocation>().unwrap_err().to_string();
            assert!(error.contains("postgres://user@host:5432/database") && !error.contains("s3cret"), "{error}");
        }
    }
}
