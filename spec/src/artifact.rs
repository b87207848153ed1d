//! Artifacts as runs record them and as user code sees them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::ir::ArtifactType;

/// An artifact as a run records it: the same record goes from its producer to all its consumers, through cache hits
/// too. Its `id` is its identity in cache keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Artifact {
    /// Identity of the record.
    pub id: Uuid,
    /// Name; the producer's output key unless the producer said otherwise.
    pub name: String,
    /// Type as the producer declared it.
    #[serde(rename = "type")]
    pub artifact_type: ArtifactType,
    /// Where the content is: `s3://bucket/key`, `file:///directory/key`, or any foreign URI.
    pub uri: String,
    /// Metadata, exactly as recorded.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    /// What was stored under the URI; absent when nothing was (metrics kept in metadata, foreign URIs, imports).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
}

/// What is stored under an artifact's URI.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Content {
    /// Whether the URI is a directory.
    pub directory: bool,
    /// Number of files.
    pub files: u64,
    /// Bytes in all.
    pub size: u64,
    /// Digest `sha256:<hex>`: of the file, or of the sorted list of (path, digest) of a directory.
    pub digest: String,
}
