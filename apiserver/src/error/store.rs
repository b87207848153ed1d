//! What failures of the store mean to clients.

use penstock_metastore::MetastoreError;

use super::{ApiError, ErrorKind};

impl From<MetastoreError> for ApiError {
    fn from(error: MetastoreError) -> Self {
        match &error {
            MetastoreError::NoSuchRun { run } => Self::not_found("Run", run),
            MetastoreError::PageToken { .. } => Self::invalid("Invalid page token"),
            MetastoreError::Busy { .. } | MetastoreError::Closed { .. } => {
                Self::new(ErrorKind::Unavailable, chain(&error))
            }
            _ => Self::internal(chain(&error)),
        }
    }
}

/// An error and its causes, joined.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
