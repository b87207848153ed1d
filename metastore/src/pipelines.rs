//! Pipelines: names under which versions are kept.

use std::borrow::Cow;

use penstock_spec::Timestamp;
use uuid::Uuid;

use crate::Metastore;
use crate::catalog::{self, CatalogOperation, EntityUpdate, TagTable, Tags, expect_row, put_tags, replace_tags};
use crate::codec::{Reason, column, encode_time, tags, time};
use crate::database::{Connection, Dialect, Row, query};
use crate::error::MetastoreError;
use crate::listing::{Entity, Listing, Page, PipelineField, by_name};
use crate::statements::Answer;
use crate::versions::{self, EncodedVersion, PipelineVersion};

/// A pipeline. What it does is in its versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPipeline {
    /// Identity.
    pub id: Uuid,
    /// Namespace; empty on a machine of its own.
    pub namespace: String,
    /// Name, unique in the namespace without regard to case.
    pub name: String,
    /// Name for people.
    pub display_name: String,
    /// What somebody says of it.
    pub description: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// Its tags.
    pub tags: Tags,
}

const KIND: &str = "pipeline";
const TAGS: TagTable = TagTable {
    get: "SELECT tag_key, tag_value FROM pipeline_tags WHERE pipeline_id = $1",
    clear: "DELETE FROM pipeline_tags WHERE pipeline_id = $1",
    put: "INSERT INTO pipeline_tags (pipeline_id, tag_key, tag_value) VALUES ($1, $2, $3)",
};

impl Entity for StoredPipeline {
    type Field = PipelineField;
    const KIND: &'static str = KIND;
    const TABLE: &'static str = "pipelines";
    fn columns(dialect: Dialect) -> Cow<'static, str> {
        let tags = dialect.tags_json("pipeline_tags", "pipeline_id", Self::TABLE);
        let columns = "id, namespace, name, display_name, description, created_at";
        Cow::Owned(format!("{columns}, {tags}"))
    }
    const TAGS: Option<(&'static str, &'static str)> = Some(("pipeline_tags", "pipeline_id"));

    fn read(row: &Row) -> Result<Self, Reason> {
        Ok(Self {
            id: column(row, "id")?,
            namespace: column(row, "namespace")?,
            name: column(row, "name")?,
            display_name: column(row, "display_name")?,
            description: column(row, "description")?,
            created_at: time(row, "created_at")?,
            tags: tags(row, "tags_json")?,
        })
    }
}

impl Metastore {
    /// Creates a pipeline, with its first version if there is one, which becomes a version of this pipeline whatever it
    /// says itself. [`MetastoreError::NameTaken`] if its namespace has a pipeline of this name.
    pub async fn create_pipeline(
        &self,
        pipeline: StoredPipeline,
        version: Option<PipelineVersion>,
    ) -> Result<(), MetastoreError> {
        let version = version.map(|version| EncodedVersion::new(PipelineVersion { pipeline: pipeline.id, ..version }));
        self.submit(CatalogOperation::CreatePipeline { pipeline, version }).await
    }

    /// The tags of a pipeline alone, without what else there is of it. One that does not exist has none.
    pub async fn pipeline_tags(&self, pipeline: Uuid) -> Result<Tags, MetastoreError> {
        catalog::tags(self, &TAGS, pipeline).await
    }

    /// A pipeline.
    pub async fn pipeline(&self, pipeline: Uuid) -> Result<StoredPipeline, MetastoreError> {
        self.find(pipeline).await?.ok_or_else(|| MetastoreError::not_found(KIND, &pipeline))
    }

    /// The pipeline of a name.
    pub async fn pipeline_by_name(&self, namespace: &str, name: &str) -> Result<StoredPipeline, MetastoreError> {
        let sql = by_name::<StoredPipeline>(self.readers.dialect(), namespace, name);
        let found = self.find_by(sql, || format!("{name:?}")).await?;
        found.ok_or_else(|| MetastoreError::not_found(KIND, &name))
    }

    /// Changes a pipeline; returns what has become of it.
    pub async fn update_pipeline(
        &self,
        pipeline: Uuid,
        update: EntityUpdate,
    ) -> Result<StoredPipeline, MetastoreError> {
        self.submit(CatalogOperation::UpdatePipeline { pipeline, update }).await?;
        self.pipeline(pipeline).await
    }

    /// Deletes a pipeline. Its versions go with it if they may, and otherwise it stays as long as it has any
    /// ([`MetastoreError::HasVersions`]). Runs stay.
    pub async fn delete_pipeline(&self, pipeline: Uuid, cascade: bool) -> Result<(), MetastoreError> {
        self.submit(CatalogOperation::DeletePipeline { pipeline, cascade }).await
    }

    /// Pipelines.
    pub async fn list_pipelines(
        &self,
        listing: &Listing<PipelineField>,
    ) -> Result<Page<StoredPipeline>, MetastoreError> {
        self.list(listing, None).await
    }
}

pub(crate) async fn create(
    connection: &mut Connection,
    pipeline: &StoredPipeline,
    version: Option<&EncodedVersion>,
) -> Result<Result<Answer, MetastoreError>, sqlx::Error> {
    let StoredPipeline { id, namespace, name, display_name, description, created_at, tags } = pipeline;
    let name_key = connection.dialect().folded("name");
    let created = query(format!(
        "INSERT INTO pipelines (id, namespace, name, display_name, description, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (namespace, {name_key}) DO NOTHING"
    ))
    .bind(id)
    .bind(namespace)
    .bind(name)
    .bind(display_name)
    .bind(description)
    .bind(encode_time(*created_at))
    .execute(&mut *connection)
    .await?;
    if created == 0 {
        return Ok(Err(MetastoreError::NameTaken { kind: KIND, name: name.clone() }));
    }
    put_tags(connection, &TAGS, *id, tags).await?;
    match version {
        // The pipeline is new, so nothing but the version's id can be taken, and that ends the transaction.
        Some(version) => versions::create(connection, version).await,
        None => Ok(Ok(1)),
    }
}

pub(crate) async fn update(
    connection: &mut Connection,
    pipeline: Uuid,
    update: &EntityUpdate,
) -> Result<Result<Answer, MetastoreError>, sqlx::Error> {
    let updated = query("UPDATE pipelines SET display_name = COALESCE($2, display_name) WHERE id = $1")
        .bind(pipeline)
        .bind(&update.display_name)
        .execute(&mut *connection)
        .await?;
    if updated == 0 {
        return Ok(Err(MetastoreError::not_found(KIND, &pipeline)));
    }
    if let Some(tags) = &update.tags {
        replace_tags(connection, &TAGS, pipeline, tags).await?;
    }
    Ok(Ok(1))
}

pub(crate) async fn delete(
    connection: &mut Connection,
    pipeline: Uuid,
    cascade: bool,
) -> Result<Result<Answer, MetastoreError>, sqlx::Error> {
    if !cascade && let Some(version) = versions::any(connection, pipeline).await? {
        return Ok(Err(MetastoreError::HasVersions { pipeline, version }));
    }
    let deleted = query("DELETE FROM pipelines WHERE id = $1").bind(pipeline).execute(connection).await?;
    Ok(expect_row(deleted, KIND, pipeline))
}
