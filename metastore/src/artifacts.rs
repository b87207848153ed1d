//! Artifacts that runs have put out, and finding one that an importer may use again.

use penstock_engine::NodeId;
use penstock_spec::artifact::Artifact;
use penstock_spec::value::canonicalize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::Metastore;
use crate::codec::{Reason, column, encode_count, json, listed, number};
use crate::database::{Row, query};
use crate::error::MetastoreError;
use crate::rows::{ArtifactRow, CacheScope, Listed};
use crate::runs::MAX_PAGE;
use crate::statements::encode_node;

/// Records of one type and URI that are compared before a new one is made.
const COMPARED: u64 = 1000;

/// Where an artifact stands among those of its run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ArtifactPosition {
    /// The node.
    pub node: NodeId,
    /// Key of the output.
    pub output: String,
    /// Place in the output's list.
    pub position: u32,
}

/// An artifact, and the first run that has it: the one whose task produced it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredArtifact {
    /// The run.
    pub run: Uuid,
    /// The record.
    pub artifact: Artifact,
}

impl Metastore {
    /// Artifacts of a run that stand after `after`, at most `limit`, each with where it stands.
    pub async fn artifacts_after(
        &self,
        run: Uuid,
        after: Option<&ArtifactPosition>,
        limit: u32,
    ) -> Result<Vec<(ArtifactPosition, Listed<ArtifactRow>)>, MetastoreError> {
        let failed = |error| MetastoreError::database(format!("read artifacts of run {run}"), error);
        let rows = query(
            "SELECT node, output, position, artifact_id, record_json FROM artifacts \
             WHERE run_id = $1 AND (node, output, position) > ($2, $3, $4) ORDER BY node, output, position LIMIT $5",
        )
        .bind(run)
        .bind(after.map_or(-1, |after| encode_node(after.node)))
        .bind(after.map_or("", |after| after.output.as_str()))
        .bind(after.map_or(-1, |after| i64::from(after.position)))
        .bind(i64::from(limit.min(MAX_PAGE)))
        .fetch_all(&self.readers)
        .await
        .map_err(failed)?;
        let unreadable = |reason| MetastoreError::Unreadable { row: format!("an artifact of run {run}"), reason };
        rows.iter()
            .map(|row| Ok((position(row).map_err(unreadable)?, listed(artifact_row(row), || identity(row)))))
            .collect()
    }

    /// An artifact. Those of deleted runs are not there.
    pub async fn artifact(&self, id: Uuid) -> Result<StoredArtifact, MetastoreError> {
        let row = query(
            "SELECT run_id, record_json FROM artifacts JOIN runs ON runs.id = artifacts.run_id \
             WHERE artifact_id = $1 AND deleted_at IS NULL ORDER BY runs.created_at, runs.id, node LIMIT 1",
        )
        .bind(id)
        .fetch_optional(&self.readers)
        .await
        .map_err(|error| MetastoreError::database(format!("read artifact {id}"), error))?
        .ok_or_else(|| MetastoreError::NotFound { kind: "artifact", id: id.to_string() })?;
        let stored = || Ok(StoredArtifact { run: column(&row, "run_id")?, artifact: json(&row, "record_json")? });
        stored().map_err(|reason: Reason| MetastoreError::Unreadable { row: format!("artifact {id}"), reason })
    }

    /// Artifacts of a run in the order of their nodes.
    pub async fn artifacts(&self, run: Uuid) -> Result<Vec<Listed<ArtifactRow>>, MetastoreError> {
        let rows = query(
            "SELECT node, output, position, artifact_id, record_json FROM artifacts WHERE run_id = $1 \
             ORDER BY node, output, position",
        )
        .bind(run)
        .fetch_all(&self.readers)
        .await
        .map_err(|error| MetastoreError::database(format!("read artifacts of run {run}"), error))?;
        Ok(rows.iter().map(|row| listed(artifact_row(row), || identity(row))).collect())
    }

    /// The newest artifact of the same pipeline and namespace with the type, URI and metadata of `wanted`, if any.
    pub async fn find_imported(
        &self,
        scope: &CacheScope,
        wanted: &Artifact,
    ) -> Result<Option<Artifact>, MetastoreError> {
        let rows = query(
            "SELECT record_json FROM artifacts JOIN runs ON runs.id = artifacts.run_id \
             WHERE artifacts.uri = $1 AND type_title = $2 AND pipeline_name = $3 AND namespace = $4 \
             ORDER BY runs.created_at DESC, runs.id DESC, node DESC LIMIT $5",
        )
        .bind(&wanted.uri)
        .bind(&wanted.artifact_type.schema_title)
        .bind(&scope.pipeline_name)
        .bind(&scope.namespace)
        .bind(encode_count(COMPARED))
        .fetch_all(&self.readers)
        .await
        .map_err(|error| MetastoreError::database(format!("look for artifacts at {}", wanted.uri), error))?;
        let metadata = canonical(&wanted.metadata);
        // A record that cannot be read is no match; a new one is made then.
        let records = rows.iter().filter_map(|row| json::<Artifact>(row, "record_json").ok());
        Ok(records
            .filter(|found| found.artifact_type == wanted.artifact_type)
            .find(|found| canonical(&found.metadata) == metadata))
    }
}

fn canonical(metadata: &Map<String, Value>) -> Value {
    let mut value = Value::Object(metadata.clone());
    canonicalize(&mut value);
    value
}

fn artifact_row(row: &Row) -> Result<ArtifactRow, Reason> {
    Ok(ArtifactRow {
        node: NodeId(number(row, "node")?),
        output: column(row, "output")?,
        position: number(row, "position")?,
        artifact: json(row, "record_json")?,
    })
}

fn position(row: &Row) -> Result<ArtifactPosition, Reason> {
    Ok(ArtifactPosition {
        node: NodeId(number(row, "node")?),
        output: column(row, "output")?,
        position: number(row, "position")?,
    })
}

fn identity(row: &Row) -> String {
    let node = column::<i64>(row, "node").map_or_else(|_| "?".to_owned(), |node| node.to_string());
    format!("artifact {} of node {node}", crate::codec::identity(row, "artifact_id"))
}
