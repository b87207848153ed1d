//! What all processes over a store have to know alike, and nobody else may. It is made with the layout.

use std::sync::Arc;

use crate::Metastore;
use crate::database::query;
use crate::error::MetastoreError;

impl Metastore {
    /// What page tokens are signed with: of several replicas, each takes those of the others.
    pub async fn page_token_secret(&self) -> Result<String, MetastoreError> {
        let failed = |error: sqlx::Error| MetastoreError::database("read the secret of page tokens", Arc::new(error));
        let read = query("SELECT secret FROM secrets WHERE name = $1").bind("page-tokens");
        let secret: Option<String> = read.fetch_value(&self.readers, "secret").await.map_err(failed)?;
        secret.ok_or_else(|| failed(sqlx::Error::RowNotFound))
    }
}
