//! The pipeline specification as the `kfp` SDK compiles it (schema version 2.1.0), in typed form.
//!
//! Field names and meaning: `api/v2alpha1/pipeline_spec.proto` of Kubeflow Pipelines. Both the `camelCase` and the
//! `snake_case` spelling of every field are read; `camelCase` is written. Reading documents is [`crate::parse`],
//! judging them is [`crate::check`].

mod component;
mod dag;
mod deployment;
pub(crate) mod proto_json;
mod wire;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use component::*;
pub use dag::*;
pub use deployment::*;
pub(crate) use wire::TypedValue;

/// A map whose order never matters: the SDK sorts keys, and so do we.
pub type Named<T> = BTreeMap<String, T>;

/// A compiled pipeline.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PipelineSpec {
    /// Name and description of the pipeline.
    #[serde(default, alias = "pipeline_info", deserialize_with = "proto_json::nullable")]
    pub pipeline_info: PipelineInfo,
    /// Must be `2.1.0`.
    #[serde(default, alias = "schema_version", deserialize_with = "proto_json::nullable")]
    pub schema_version: String,
    /// The SDK that compiled the pipeline, such as `kfp-2.17.0`. Informational.
    #[serde(default, alias = "sdk_version", skip_serializing_if = "String::is_empty")]
    #[serde(deserialize_with = "proto_json::nullable")]
    pub sdk_version: String,
    /// The author's default root for artifacts.
    #[serde(default, alias = "default_pipeline_root", skip_serializing_if = "String::is_empty")]
    #[serde(deserialize_with = "proto_json::nullable")]
    pub default_pipeline_root: String,
    /// The components that tasks refer to, by name.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    pub components: Named<ComponentSpec>,
    /// How components without a DAG are executed.
    #[serde(default, alias = "deployment_spec", deserialize_with = "proto_json::nullable")]
    pub deployment_spec: DeploymentSpec,
    /// The pipeline itself.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    pub root: ComponentSpec,
}

/// Name and description of a pipeline.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PipelineInfo {
    /// Identity of the pipeline.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    pub name: String,
    /// Name for people.
    #[serde(default, alias = "display_name", skip_serializing_if = "String::is_empty")]
    #[serde(deserialize_with = "proto_json::nullable")]
    pub display_name: String,
    /// Text for people.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "proto_json::nullable")]
    pub description: String,
}
