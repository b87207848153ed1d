//! On which nodes the Pods of one executor run.

use serde::{Deserialize, Serialize};

use crate::ir::proto_json;
use crate::ir::{Named, ParameterInput};

/// Labels that a node must have.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeSelector {
    /// The labels.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "Named::is_empty")]
    pub labels: Named<String>,
    /// A struct of labels; wins.
    #[serde(default, alias = "node_selector_json")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_selector_json: Option<ParameterInput>,
}

/// A toleration of the Pod.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Toleration {
    /// Key of the taint.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// `Exists` or `Equal`.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub operator: String,
    /// Value of the taint.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub value: String,
    /// Effect of the taint.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub effect: String,
    /// How long the taint is tolerated.
    #[serde(default, alias = "toleration_seconds", deserialize_with = "proto_json::optional_integer")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub toleration_seconds: Option<i64>,
    /// A struct or a list of structs; wins.
    #[serde(default, alias = "toleration_json")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub toleration_json: Option<ParameterInput>,
}

/// A node affinity; preferred when it has a weight.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeAffinityTerm {
    /// Requirements on labels.
    #[serde(default, alias = "match_expressions", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<SelectorRequirement>,
    /// Requirements on fields.
    #[serde(default, alias = "match_fields", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub match_fields: Vec<SelectorRequirement>,
    /// Weight of a preference.
    #[serde(default, deserialize_with = "proto_json::optional_integer")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<i32>,
    /// A Kubernetes `NodeAffinity`; wins.
    #[serde(default, alias = "node_affinity_json")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_affinity_json: Option<ParameterInput>,
}

/// A requirement on labels or fields.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SelectorRequirement {
    /// Key.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// Operator.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub operator: String,
    /// Values.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

/// A pod affinity, or anti-affinity.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodAffinityTerm {
    /// Requirements on labels of Pods.
    #[serde(default, alias = "match_pod_expressions", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub match_pod_expressions: Vec<SelectorRequirement>,
    /// Labels of Pods.
    #[serde(default, alias = "match_pod_labels", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "Named::is_empty")]
    pub match_pod_labels: Named<String>,
    /// Label of nodes that tells places apart.
    #[serde(default, alias = "topology_key", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub topology_key: String,
    /// Namespaces of the Pods.
    #[serde(default, deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
    /// Requirements on labels of namespaces.
    #[serde(default, alias = "match_namespace_expressions", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub match_namespace_expressions: Vec<SelectorRequirement>,
    /// Labels of namespaces.
    #[serde(default, alias = "match_namespace_labels", deserialize_with = "proto_json::nullable")]
    #[serde(skip_serializing_if = "Named::is_empty")]
    pub match_namespace_labels: Named<String>,
    /// Weight of a preference.
    #[serde(default, deserialize_with = "proto_json::optional_integer")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<i32>,
    /// Whether Pods are to be kept apart.
    #[serde(default)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anti: Option<bool>,
}
