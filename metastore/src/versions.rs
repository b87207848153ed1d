//! Versions of pipelines: what was uploaded, and what the API shows of it.

use std::borrow::Cow;

use penstock_spec::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use crate::Metastore;
use crate::catalog::{self, CatalogOperation, EntityUpdate, TagTable, Tags, expect_row, put_tags, replace_tags};
use crate::codec::{Reason, column, encode_time, json, tags, time};
use crate::database::{Connection, Dialect, QueryBuilder, Row, query};
use crate::error::MetastoreError;
use crate::listing::{Entity, Listing, Page, VersionField, Within, select};
use crate::statements::Answer;

/// A version of a pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct PipelineVersion {
    /// Identity.
    pub id: Uuid,
    /// The pipeline.
    pub pipeline: Uuid,
    /// Name, unique in the pipeline without regard to case.
    pub name: String,
    /// Name for people.
    pub display_name: String,
    /// What somebody says of it.
    pub description: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// Where it was fetched from; empty if it was uploaded.
    pub package_url: String,
    /// Where its source is; may be empty.
    pub code_source_url: String,
    /// Its tags.
    pub tags: Tags,
    /// The specification as the API shows it.
    pub spec: Value,
    /// The specification as it was uploaded.
    pub pipeline_text: String,
}

const KIND: &str = "pipeline version";
const TAGS: TagTable = TagTable {
    get: "SELECT tag_key, tag_value FROM version_tags WHERE version_id = $1",
    clear: "DELETE FROM version_tags WHERE version_id = $1",
    put: "INSERT INTO version_tags (version_id, tag_key, tag_value) VALUES ($1, $2, $3)",
};

impl Entity for PipelineVersion {
    type Field = VersionField;
    const KIND: &'static str = KIND;
    const TABLE: &'static str = "pipeline_versions";
    fn columns(dialect: Dialect) -> Cow<'static, str> {
        let tags = dialect.tags_json("version_tags", "version_id", Self::TABLE);
        let columns = "id, pipeline_id, name, display_name, description, created_at, package_url, \
        code_source_url, spec_json, pipeline_text";
        Cow::Owned(format!("{columns}, {tags}"))
    }
    const TAGS: Option<(&'static str, &'static str)> = Some(("version_tags", "version_id"));

    fn read(row: &Row) -> Result<Self, Reason> {
        Ok(Self {
            id: column(row, "id")?,
            pipeline: column(row, "pipeline_id")?,
            name: column(row, "name")?,
            display_name: column(row, "display_name")?,
            description: column(row, "description")?,
            created_at: time(row, "created_at")?,
            package_url: column(row, "package_url")?,
            code_source_url: column(row, "code_source_url")?,
            tags: tags(row, "tags_json")?,
            spec: json(row, "spec_json")?,
            pipeline_text: column(row, "pipeline_text")?,
        })
    }
}

impl Metastore {
    /// Adds a version to a pipeline. [`MetastoreError::NotFound`] names a pipeline that does not exist,
    /// [`MetastoreError::NameTaken`] a name that another of its versions has.
    pub async fn create_version(&self, version: PipelineVersion) -> Result<(), MetastoreError> {
        self.submit(CatalogOperation::CreateVersion(EncodedVersion::new(version))).await
    }

    /// The tags of a version alone, without what else there is of it. One that does not exist has none.
    pub async fn version_tags(&self, version: Uuid) -> Result<Tags, MetastoreError> {
        catalog::tags(self, &TAGS, version).await
    }

    /// A version.
    pub async fn version(&self, version: Uuid) -> Result<PipelineVersion, MetastoreError> {
        self.find(version).await?.ok_or_else(|| MetastoreError::not_found(KIND, &version))
    }

    /// The version of a pipeline that was created last; of several the one of the greatest id.
    pub async fn latest_version(&self, pipeline: Uuid) -> Result<PipelineVersion, MetastoreError> {
        let dialect = self.readers.dialect();
        let mut sql = QueryBuilder::new(dialect, select::<PipelineVersion>(dialect));
        sql.push(" AND pipeline_id = ").push_bind(pipeline).push(" ORDER BY created_at DESC, id DESC LIMIT 1");
        let found = self.find_by(sql, || format!("of pipeline {pipeline}")).await?;
        found.ok_or_else(|| MetastoreError::not_found(KIND, &pipeline))
    }

    /// Changes a version; returns what has become of it.
    pub async fn update_version(&self, version: Uuid, update: EntityUpdate) -> Result<PipelineVersion, MetastoreError> {
        self.submit(CatalogOperation::UpdateVersion { version, update }).await?;
        self.version(version).await
    }

    /// Deletes a version. Its pipeline stays, and so do runs.
    pub async fn delete_version(&self, version: Uuid) -> Result<(), MetastoreError> {
        self.submit(CatalogOperation::DeleteVersion { version }).await
    }

    /// Versions of a pipeline, which must exist.
    pub async fn list_versions(
        &self,
        pipeline: Uuid,
        listing: &Listing<VersionField>,
    ) -> Result<Page<PipelineVersion>, MetastoreError> {
        let page = self.list(listing, Some(within(pipeline))).await?;
        if page.total == 0 {
            self.pipeline(pipeline).await?;
        }
        Ok(page)
    }
}

/// A version to create. Its specification becomes text in the caller's task, so that the writer has little to do.
#[derive(Debug)]
pub(crate) struct EncodedVersion {
    pub(crate) version: PipelineVersion,
    spec_json: String,
}

impl EncodedVersion {
    pub(crate) fn new(mut version: PipelineVersion) -> Self {
        let spec_json = version.spec.take().to_string();
        Self { version, spec_json }
    }
}

/// The versions of a pipeline.
pub(crate) fn within(pipeline: Uuid) -> Within {
    Within { column: "pipeline_id", id: pipeline }
}

pub(crate) async fn create(
    connection: &mut Connection,
    encoded: &EncodedVersion,
) -> Result<Result<Answer, MetastoreError>, sqlx::Error> {
    let EncodedVersion { version, spec_json } = encoded;
    // INSERT .. SELECT, so that a pipeline which does not exist is told from a name that is taken.
    let name_key = connection.dialect().folded("name");
    let created = query(format!(
        "INSERT INTO pipeline_versions (id, pipeline_id, name, display_name, description, created_at, package_url, \
           code_source_url, spec_json, pipeline_text) \
         SELECT $2, id, $3, $4, $5, $6, $7, $8, $9, $10 FROM pipelines WHERE id = $1 \
         ON CONFLICT (pipeline_id, {name_key}) DO NOTHING"
    ))
    .bind(version.pipeline)
    .bind(version.id)
    .bind(&version.name)
    .bind(&version.display_name)
    .bind(&version.description)
    .bind(encode_time(version.created_at))
    .bind(&version.package_url)
    .bind(&version.code_source_url)
    .bind(spec_json)
    .bind(&version.pipeline_text)
    .execute(&mut *connection)
    .await?;
    if created > 0 {
        put_tags(connection, &TAGS, version.id, &version.tags).await?;
        return Ok(Ok(1));
    }
    let pipeline =
        query("SELECT 1 FROM pipelines WHERE id = $1").bind(version.pipeline).fetch_optional(connection).await?;
    Ok(Err(match pipeline {
        Some(_) => MetastoreError::NameTaken { kind: KIND, name: version.name.clone() },
        None => MetastoreError::not_found("pipeline", &version.pipeline),
    }))
}

pub(crate) async fn update(
    connection: &mut Connection,
    version: Uuid,
    update: &EntityUpdate,
) -> Result<Result<Answer, MetastoreError>, sqlx::Error> {
    let updated = query("UPDATE pipeline_versions SET display_name = COALESCE($2, display_name) WHERE id = $1")
        .bind(version)
        .bind(&update.display_name)
        .execute(&mut *connection)
        .await?;
    if updated == 0 {
        return Ok(Err(MetastoreError::not_found(KIND, &version)));
    }
    if let Some(tags) = &update.tags {
        replace_tags(connection, &TAGS, version, tags).await?;
    }
    Ok(Ok(1))
}

pub(crate) async fn delete(
    connection: &mut Connection,
    version: Uuid,
) -> Result<Result<Answer, MetastoreError>, sqlx::Error> {
    let deleted = query("DELETE FROM pipeline_versions WHERE id = $1").bind(version).execute(connection).await?;
    Ok(expect_row(deleted, KIND, version))
}

/// The newest version of a pipeline, if it has any.
pub(crate) async fn any(connection: &mut Connection, pipeline: Uuid) -> Result<Option<Uuid>, sqlx::Error> {
    query("SELECT id FROM pipeline_versions WHERE pipeline_id = $1 ORDER BY created_at DESC, id DESC LIMIT 1")
        .bind(pipeline)
        .fetch_value(connection, "id")
        .await
}
