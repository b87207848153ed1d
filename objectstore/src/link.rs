//! Links to objects, for those who reach the store by another name than this process.

use std::{fmt, str::FromStr};

use crate::s3::check_endpoint;

/// URL of a store as others reach it. A signature is over the host and path that the store is asked by, so whatever stands
/// there must pass on both as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkEndpoint(String);

/// A text is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LinkEndpointError(&'static str);

impl LinkEndpoint {
    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LinkEndpoint {
    type Err = LinkEndpointError;

    fn from_str(text: &str) -> Result<LinkEndpoint, LinkEndpointError> {
        check_endpoint(text).map_err(LinkEndpointError)?;
        Ok(LinkEndpoint(text.to_owned()))
    }
}

impl fmt::Display for LinkEndpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i31_what_is_no_url_of_a_store_is_refused_and_not_repeated() {
        assert_eq!(
            "https://s3.example/store".parse::<LinkEndpoint>().map(|url| url.to_string()).ok().as_deref(),
            Some("https://s3.example/store")
        );
        for text in ["", "s3.example", "ftp://s3.example", "https://", "https://me:s3cret@s3.example", "https://a?b"] {
            let error = text.parse::<LinkEndpoint>().expect_err(text).to_string();
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
