//! The URL of a database, which may hold a password and is never shown.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use penstock_metastore::{PostgresLocation, StoreLocation};

use crate::failure::Refusal;

const FLAG: &str = "--database-url";
const VARIABLE: &str = "PENSTOCK_DATABASE_URL";

/// A URL as it was given. It is read later, where what is wrong with it can be said without repeating it.
#[derive(Clone)]
pub(crate) struct DatabaseUrl(String);

impl DatabaseUrl {
    pub(crate) fn new(url: String) -> Self {
        Self(url)
    }
}

impl FromStr for DatabaseUrl {
    type Err = Infallible;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        Ok(Self(url.to_owned()))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseUrl(..)")
    }
}

/// Where the store is, if a flag or a variable says so. The flag comes first.
pub(crate) fn store(
    flag: Option<&DatabaseUrl>,
    variable: Option<&DatabaseUrl>,
) -> Result<Option<StoreLocation>, Refusal> {
    let (source, url) = match (flag, variable) {
        (Some(url), _) => (FLAG, url),
        (None, Some(url)) => (VARIABLE, url),
        (None, None) => return Ok(None),
    };
    let location: PostgresLocation =
        url.0.parse().map_err(|error| Refusal::new(format!("{source} cannot be used: {error}")))?;
    if source == FLAG && location.has_password() {
        // Whoever may list the processes of this machine has seen it already.
        return Err(Refusal::new(format!("{FLAG} has a password in it, which everybody on this machine can see"))
            .with_hint(format!(
                "put the URL into ${VARIABLE}, or the password into $PGPASSWORD or the file that $PGPASSFILE names"
            )));
    }
    Ok(Some(StoreLocation::Postgres(location)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> DatabaseUrl {
        DatabaseUrl::new(text.to_owned())
    }

    #[test]
    fn flag_comes_before_the_variable() {
        let (flag, variable) = (url("postgres://a@one/x"), url("postgres://b:s3cret@two/x"));
        let shown = |flag, variable| store(flag, variable).expect("a place").map(|location| location.to_string());
        assert_eq!(shown(Some(&flag), Some(&variable)).as_deref(), Some("postgres://a@one:5432/x"));
        assert_eq!(shown(None, Some(&variable)).as_deref(), Some("postgres://b@two:5432/x"));
        assert_eq!(shown(None, None), None);
    }

    #[test]
    fn password_in_the_flag_is_refused_and_never_repeated() {
        for text in
            ["postgres://a:s3cret@one/x", "postgres://a@one/x?password=s3cret", "mysql://a:s3cret@one/x", "s3cret"]
        {
            let error = store(Some(&url(text)), None).expect_err("a refusal").to_string();
            assert!(error.contains("--database-url") && !error.contains("s3cret"), "{error}");
            assert!(!format!("{:?}", url(text)).contains("s3cret"));
        }
    }
}
