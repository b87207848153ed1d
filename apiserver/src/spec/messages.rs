//! The fields of the messages of `pipeline_spec.proto`, which decide how a document is written.

use super::canonical::Kind::{Any, Bool, Double, Enum, Int, Long, Message as Of, Struct, Text};
use super::canonical::Label::{Map, OneOf, Repeated, Single};
use super::canonical::{Field, Kind, Label, Message};

const fn field(name: &'static str, kind: Kind, label: Label) -> Field {
    Field { name, kind, label }
}

/// The pipeline. Its deployment is a `Struct`, so nothing below it is left out.
pub(super) static PIPELINE_SPEC: Message = Message(&[
    field("pipeline_info", Of(&PIPELINE_INFO), Single),
    field("deployment_spec", Struct, Single),
    field("schema_version", Text, Single),
    field("sdk_version", Text, Single),
    field("components", Of(&COMPONENT_SPEC), Map),
    field("root", Of(&COMPONENT_SPEC), Single),
    field("default_pipeline_root", Text, Single),
]);

static PIPELINE_INFO: Message =
    Message(&[field("name", Text, Single), field("display_name", Text, Single), field("description", Text, Single)]);

static COMPONENT_SPEC: Message = Message(&[
    field("input_definitions", Of(&INPUT_DEFINITIONS), Single),
    field("output_definitions", Of(&OUTPUT_DEFINITIONS), Single),
    field("dag", Of(&DAG_SPEC), OneOf),
    field("executor_label", Text, OneOf),
    field("single_platform_specs", Of(&SINGLE_PLATFORM_SPEC), Repeated),
    field("task_config_passthroughs", Of(&TASK_CONFIG_PASSTHROUGH), Repeated),
]);

static TASK_CONFIG_PASSTHROUGH: Message = Message(&[
    field(
        "field",
        Enum(&[
            "NONE",
            "RESOURCES",
            "ENV",
            "KUBERNETES_AFFINITY",
            "KUBERNETES_TOLERATIONS",
            "KUBERNETES_NODE_SELECTOR",
            "KUBERNETES_VOLUMES",
        ]),
        Single,
    ),
    field("apply_to_task", Bool, Single),
]);

const PARAMETER_TYPES: Kind = Enum(&[
    "PARAMETER_TYPE_ENUM_UNSPECIFIED",
    "NUMBER_DOUBLE",
    "NUMBER_INTEGER",
    "STRING",
    "BOOLEAN",
    "LIST",
    "STRUCT",
    "TASK_FINAL_STATUS",
    "TASK_CONFIG",
]);
const PRIMITIVE_TYPES: Kind = Enum(&["PRIMITIVE_TYPE_UNSPECIFIED", "INT", "DOUBLE", "STRING"]);

static INPUT_DEFINITIONS: Message =
    Message(&[field("artifacts", Of(&INPUT_ARTIFACT), Map), field("parameters", Of(&INPUT_PARAMETER), Map)]);

static INPUT_ARTIFACT: Message = Message(&[
    field("artifact_type", Of(&ARTIFACT_TYPE), Single),
    field("is_artifact_list", Bool, Single),
    field("is_optional", Bool, Single),
    field("description", Text, Single),
]);

static INPUT_PARAMETER: Message = Message(&[
    field("type", PRIMITIVE_TYPES, Single),
    field("parameter_type", PARAMETER_TYPES, Single),
    field("default_value", Any, Single),
    field("is_optional", Bool, Single),
    field("description", Text, Single),
    field("literals", Any, Repeated),
]);

static OUTPUT_DEFINITIONS: Message =
    Message(&[field("artifacts", Of(&OUTPUT_ARTIFACT), Map), field("parameters", Of(&OUTPUT_PARAMETER), Map)]);

static OUTPUT_ARTIFACT: Message = Message(&[
    field("artifact_type", Of(&ARTIFACT_TYPE), Single),
    field("properties", Of(&VALUE_OR_RUNTIME_PARAMETER), Map),
    field("custom_properties", Of(&VALUE_OR_RUNTIME_PARAMETER), Map),
    field("metadata", Struct, Single),
    field("is_artifact_list", Bool, Single),
    field("description", Text, Single),
]);

static OUTPUT_PARAMETER: Message = Message(&[
    field("type", PRIMITIVE_TYPES, Single),
    field("parameter_type", PARAMETER_TYPES, Single),
    field("description", Text, Single),
]);

static ARTIFACT_TYPE: Message = Message(&[
    field("schema_title", Text, OneOf),
    field("schema_uri", Text, OneOf),
    field("instance_schema", Text, OneOf),
    field("schema_version", Text, Single),
]);

static VALUE_OR_RUNTIME_PARAMETER: Message = Message(&[
    field("constant_value", Of(&TYPED_VALUE), OneOf),
    field("runtime_parameter", Text, OneOf),
    field("constant", Any, OneOf),
]);

static TYPED_VALUE: Message = Message(&[
    field("int_value", Long, OneOf),
    field("double_value", Double, OneOf),
    field("string_value", Text, OneOf),
]);

static DAG_SPEC: Message = Message(&[field("tasks", Of(&TASK_SPEC), Map), field("outputs", Of(&DAG_OUTPUTS), Single)]);

static DAG_OUTPUTS: Message =
    Message(&[field("artifacts", Of(&DAG_OUTPUT_ARTIFACT), Map), field("parameters", Of(&DAG_OUTPUT_PARAMETER), Map)]);

static DAG_OUTPUT_ARTIFACT: Message = Message(&[field("artifact_selectors", Of(&ARTIFACT_SELECTOR), Repeated)]);

static ARTIFACT_SELECTOR: Message =
    Message(&[field("producer_subtask", Text, Single), field("output_artifact_key", Text, Single)]);

static DAG_OUTPUT_PARAMETER: Message = Message(&[
    field("value_from_parameter", Of(&PARAMETER_SELECTOR), OneOf),
    field("value_from_oneof", Of(&PARAMETER_SELECTORS), OneOf),
]);

static PARAMETER_SELECTORS: Message = Message(&[field("parameter_selectors", Of(&PARAMETER_SELECTOR), Repeated)]);

static PARAMETER_SELECTOR: Message =
    Message(&[field("producer_subtask", Text, Single), field("output_parameter_key", Text, Single)]);

static TASK_SPEC: Message = Message(&[
    field("task_info", Of(&NAMED), Single),
    field("inputs", Of(&TASK_INPUTS), Single),
    field("dependent_tasks", Text, Repeated),
    field("caching_options", Of(&CACHING_OPTIONS), Single),
    field("component_ref", Of(&NAMED), Single),
    field("trigger_policy", Of(&TRIGGER_POLICY), Single),
    field("artifact_iterator", Of(&ARTIFACT_ITERATOR), OneOf),
    field("parameter_iterator", Of(&PARAMETER_ITERATOR), OneOf),
    field("retry_policy", Of(&RETRY_POLICY), Single),
    field("iterator_policy", Of(&ITERATOR_POLICY), Single),
]);

/// `PipelineTaskInfo` and `ComponentRef`.
static NAMED: Message = Message(&[field("name", Text, Single)]);

static TASK_INPUTS: Message =
    Message(&[field("parameters", Of(&TASK_PARAMETER), Map), field("artifacts", Of(&TASK_ARTIFACT), Map)]);

static TASK_PARAMETER: Message = Message(&[
    field("task_output_parameter", Of(&TASK_OUTPUT_PARAMETER), OneOf),
    field("runtime_value", Of(&VALUE_OR_RUNTIME_PARAMETER), OneOf),
    field("component_input_parameter", Text, OneOf),
    field("task_final_status", Of(&TASK_FINAL_STATUS), OneOf),
    field("parameter_expression_selector", Text, Single),
]);

static TASK_OUTPUT_PARAMETER: Message =
    Message(&[field("producer_task", Text, Single), field("output_parameter_key", Text, Single)]);

static TASK_FINAL_STATUS: Message = Message(&[field("producer_task", Text, Single)]);

static TASK_ARTIFACT: Message = Message(&[
    field("task_output_artifact", Of(&TASK_OUTPUT_ARTIFACT), OneOf),
    field("component_input_artifact", Text, OneOf),
]);

static TASK_OUTPUT_ARTIFACT: Message =
    Message(&[field("producer_task", Text, Single), field("output_artifact_key", Text, Single)]);

static CACHING_OPTIONS: Message = Message(&[field("enable_cache", Bool, Single), field("cache_key", Text, Single)]);

static TRIGGER_POLICY: Message = Message(&[
    field("condition", Text, Single),
    field(
        "strategy",
        Enum(&["TRIGGER_STRATEGY_UNSPECIFIED", "ALL_UPSTREAM_TASKS_SUCCEEDED", "ALL_UPSTREAM_TASKS_COMPLETED"]),
        Single,
    ),
]);

/// Durations are messages that are written as text: there even if they are `0s`.
static RETRY_POLICY: Message = Message(&[
    field("max_retry_count", Int, Single),
    field("backoff_duration", Text, OneOf),
    field("backoff_factor", Double, Single),
    field("backoff_max_duration", Text, OneOf),
]);

static ITERATOR_POLICY: Message = Message(&[field("parallelism_limit", Int, Single)]);

static ARTIFACT_ITERATOR: Message =
    Message(&[field("items", Of(&ARTIFACT_ITEMS), Single), field("item_input", Text, Single)]);

static ARTIFACT_ITEMS: Message = Message(&[field("input_artifact", Text, Single)]);

static PARAMETER_ITERATOR: Message =
    Message(&[field("items", Of(&PARAMETER_ITEMS), Single), field("item_input", Text, Single)]);

static PARAMETER_ITEMS: Message = Message(&[field("raw", Text, OneOf), field("input_parameter", Text, OneOf)]);

/// The settings for platforms.
pub(super) static PLATFORM_SPEC: Message = Message(&[field("platforms", Of(&SINGLE_PLATFORM_SPEC), Map)]);

static SINGLE_PLATFORM_SPEC: Message = Message(&[
    field("deployment_spec", Of(&PLATFORM_DEPLOYMENT), Single),
    field("platform", Text, Single),
    field("config", Struct, Single),
    field("pipeline_config", Of(&PIPELINE_CONFIG), Single),
]);

static PLATFORM_DEPLOYMENT: Message = Message(&[field("executors", Struct, Map)]);

static PIPELINE_CONFIG: Message = Message(&[
    field("resource_ttl_on_completion", Int, Single),
    field("workspace", Of(&WORKSPACE), Single),
    field("resource_ttl_on_success", Int, Single),
    field("resource_ttl_on_failure", Int, Single),
    field("active_deadline_seconds", Int, Single),
]);

static WORKSPACE: Message =
    Message(&[field("size", Text, Single), field("kubernetes", Of(&KUBERNETES_WORKSPACE), Single)]);

static KUBERNETES_WORKSPACE: Message = Message(&[field("pvc_spec_patch", Struct, Single)]);
