//! The shapes that some messages have in documents, where they differ from the typed form: alternatives spread over
//! fields, and deprecated fields.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    ArtifactType, ArtifactUri, ContainerSpec, ImporterSpec as TypedImporter, Named, ParameterSource, ParameterType,
    PrimitiveType, proto_json,
};

/// `TaskInputsSpec.InputParameterSpec`.
#[derive(Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ParameterInput {
    #[serde(default, alias = "component_input_parameter", skip_serializing_if = "Option::is_none")]
    component_input_parameter: Option<String>,
    #[serde(default, alias = "task_output_parameter", skip_serializing_if = "Option::is_none")]
    task_output_parameter: Option<TaskOutputParameter>,
    #[serde(default, alias = "runtime_value", skip_serializing_if = "Option::is_none")]
    runtime_value: Option<RuntimeValue>,
    #[serde(default, alias = "task_final_status", skip_serializing_if = "Option::is_none")]
    task_final_status: Option<TaskFinalStatus>,
    #[serde(default, alias = "parameter_expression_selector", skip_serializing_if = "Option::is_none")]
    parameter_expression_selector: Option<String>,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TaskOutputParameter {
    #[serde(default, alias = "producer_task", deserialize_with = "proto_json::nullable")]
    producer_task: String,
    #[serde(default, alias = "output_parameter_key", deserialize_with = "proto_json::nullable")]
    output_parameter_key: String,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TaskFinalStatus {
    #[serde(default, alias = "producer_task", deserialize_with = "proto_json::nullable")]
    producer_task: String,
}

/// `ValueOrRuntimeParameter`.
#[derive(Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RuntimeValue {
    #[serde(default, deserialize_with = "proto_json::present_value", skip_serializing_if = "Option::is_none")]
    constant: Option<Value>,
    #[serde(default, alias = "constant_value", skip_serializing_if = "Option::is_none")]
    constant_value: Option<TypedValue>,
    #[serde(default, alias = "runtime_parameter", skip_serializing_if = "Option::is_none")]
    runtime_parameter: Option<String>,
}

/// The deprecated typed `Value`.
#[derive(Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TypedValue {
    #[serde(default, alias = "int_value", deserialize_with = "proto_json::optional_integer")]
    #[serde(skip_serializing_if = "Option::is_none")]
    int_value: Option<i64>,
    #[serde(default, alias = "double_value", deserialize_with = "proto_json::optional_double")]
    #[serde(skip_serializing_if = "Option::is_none")]
    double_value: Option<f64>,
    #[serde(default, alias = "string_value", skip_serializing_if = "Option::is_none")]
    string_value: Option<String>,
}

impl TypedValue {
    pub(crate) fn into_value(self) -> Result<Value, String> {
        let mut value = match (self.int_value, self.double_value, self.string_value) {
            (Some(value), None, None) => Value::from(value),
            (None, Some(value), None) => Value::from(value),
            (None, None, Some(value)) => Value::from(value),
            _ => return Err("exactly one of intValue, doubleValue and stringValue must be set".to_owned()),
        };
        crate::value::canonicalize(&mut value);
        Ok(value)
    }
}

impl TryFrom<RuntimeValue> for ParameterSource {
    type Error = String;

    fn try_from(wire: RuntimeValue) -> Result<Self, String> {
        match (wire.constant, wire.constant_value, wire.runtime_parameter) {
            (Some(value), None, None) => Ok(Self::Constant(value)),
            (None, Some(value), None) => value.into_value().map(Self::Constant),
            (None, None, Some(name)) => Ok(Self::RuntimeParameter(name)),
            _ => Err("exactly one of constant, constantValue and runtimeParameter must be set".to_owned()),
        }
    }
}

impl TryFrom<ParameterInput> for super::ParameterInput {
    type Error = String;

    fn try_from(wire: ParameterInput) -> Result<Self, String> {
        let kinds =
            (wire.component_input_parameter, wire.task_output_parameter, wire.runtime_value, wire.task_final_status);
        let source = match kinds {
            (Some(name), None, None, None) => ParameterSource::ComponentInput(name),
            (None, Some(output), None, None) => {
                ParameterSource::TaskOutput { task: output.producer_task, output: output.output_parameter_key }
            }
            (None, None, Some(value), None) => value.try_into()?,
            (None, None, None, Some(status)) => ParameterSource::FinalStatus { task: status.producer_task },
            _ => {
                return Err("exactly one of componentInputParameter, taskOutputParameter, runtimeValue and \
                            taskFinalStatus must be set"
                    .to_owned());
            }
        };
        let selector = wire.parameter_expression_selector.filter(|text| !text.is_empty());
        Ok(Self { source, selector })
    }
}

impl From<super::ParameterInput> for ParameterInput {
    fn from(input: super::ParameterInput) -> Self {
        let mut wire = Self { parameter_expression_selector: input.selector, ..Self::default() };
        match input.source {
            ParameterSource::ComponentInput(name) => wire.component_input_parameter = Some(name),
            ParameterSource::TaskOutput { task, output } => {
                let output = TaskOutputParameter { producer_task: task, output_parameter_key: output };
                wire.task_output_parameter = Some(output);
            }
            ParameterSource::Constant(value) => {
                wire.runtime_value = Some(RuntimeValue { constant: Some(value), ..RuntimeValue::default() });
            }
            ParameterSource::RuntimeParameter(name) => {
                wire.runtime_value = Some(RuntimeValue { runtime_parameter: Some(name), ..RuntimeValue::default() });
            }
            ParameterSource::FinalStatus { task } => {
                wire.task_final_status = Some(TaskFinalStatus { producer_task: task });
            }
        }
        wire
    }
}

/// Deprecated `properties` and `customProperties` become metadata that is not set otherwise.
fn add_properties(metadata: &mut Map<String, Value>, properties: Named<RuntimeValue>) -> Result<(), String> {
    for (key, property) in properties {
        let value = match property.try_into() {
            Ok(ParameterSource::Constant(value)) => value,
            Ok(ParameterSource::RuntimeParameter(name)) => {
                Value::String(format!("{{{{$.inputs.parameters['{name}']}}}}"))
            }
            Ok(_) => continue,
            Err(reason) => return Err(format!("property {key:?}: {reason}")),
        };
        metadata.entry(key).or_insert(value);
    }
    Ok(())
}

/// `ComponentInputsSpec.ParameterSpec`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct InputParameter {
    #[serde(default, alias = "parameter_type", deserialize_with = "proto_json::nullable")]
    parameter_type: ParameterType,
    #[serde(default, rename = "type", deserialize_with = "proto_json::nullable")]
    primitive_type: PrimitiveType,
    #[serde(default, alias = "default_value", deserialize_with = "proto_json::present_value")]
    default_value: Option<Value>,
    #[serde(default, alias = "is_optional", deserialize_with = "proto_json::nullable")]
    is_optional: bool,
    #[serde(default, deserialize_with = "proto_json::nullable")]
    description: String,
    #[serde(default, deserialize_with = "proto_json::values")]
    literals: Vec<Value>,
}

impl From<InputParameter> for super::InputParameter {
    fn from(wire: InputParameter) -> Self {
        let InputParameter { parameter_type, primitive_type, default_value, is_optional, description, literals } = wire;
        let parameter_type = newer(parameter_type, primitive_type);
        Self { parameter_type, default_value, is_optional, description, literals }
    }
}

/// `ComponentOutputsSpec.ParameterSpec`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct OutputParameter {
    #[serde(default, alias = "parameter_type", deserialize_with = "proto_json::nullable")]
    parameter_type: ParameterType,
    #[serde(default, rename = "type", deserialize_with = "proto_json::nullable")]
    primitive_type: PrimitiveType,
    #[serde(default, deserialize_with = "proto_json::nullable")]
    description: String,
}

impl From<OutputParameter> for super::OutputParameter {
    fn from(wire: OutputParameter) -> Self {
        let OutputParameter { parameter_type, primitive_type, description } = wire;
        Self { parameter_type: newer(parameter_type, primitive_type), description }
    }
}

/// The type of a parameter, by the newer of its two fields that is set.
fn newer(parameter_type: ParameterType, primitive_type: PrimitiveType) -> ParameterType {
    match parameter_type {
        ParameterType::Unspecified => primitive_type.0,
        set => set,
    }
}

/// `ComponentOutputsSpec.ArtifactSpec`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct OutputArtifact {
    #[serde(default, alias = "artifact_type", deserialize_with = "proto_json::nullable")]
    artifact_type: ArtifactType,
    #[serde(default, deserialize_with = "proto_json::structure")]
    metadata: Map<String, Value>,
    #[serde(default, alias = "is_artifact_list", deserialize_with = "proto_json::nullable")]
    is_artifact_list: bool,
    #[serde(default, deserialize_with = "proto_json::nullable")]
    description: String,
    #[serde(default, deserialize_with = "proto_json::nullable")]
    properties: Named<RuntimeValue>,
    #[serde(default, alias = "custom_properties", deserialize_with = "proto_json::nullable")]
    custom_properties: Named<RuntimeValue>,
}

impl TryFrom<OutputArtifact> for super::OutputArtifact {
    type Error = String;

    fn try_from(wire: OutputArtifact) -> Result<Self, String> {
        let OutputArtifact { artifact_type, mut metadata, is_artifact_list, description, .. } = wire;
        add_properties(&mut metadata, wire.properties)?;
        add_properties(&mut metadata, wire.custom_properties)?;
        Ok(Self { artifact_type, metadata, is_artifact_list, description })
    }
}

/// `PipelineDeploymentConfig.ExecutorSpec`. Below `deploymentSpec` unknown fields are ignored.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExecutorSpec {
    #[serde(default)]
    container: Option<Box<ContainerSpec>>,
    #[serde(default)]
    importer: Option<Box<TypedImporter>>,
    #[serde(default)]
    resolver: Option<Value>,
    #[serde(default, alias = "custom_job")]
    custom_job: Option<Value>,
}

impl TryFrom<ExecutorSpec> for super::ExecutorSpec {
    type Error = &'static str;

    fn try_from(wire: ExecutorSpec) -> Result<Self, Self::Error> {
        match (wire.container, wire.importer, wire.resolver, wire.custom_job) {
            (Some(container), None, None, None) => Ok(Self::Container(container)),
            (None, Some(importer), None, None) => Ok(Self::Importer(importer)),
            (None, None, Some(resolver), None) => Ok(Self::Resolver(resolver)),
            (None, None, None, Some(job)) => Ok(Self::CustomJob(job)),
            (None, None, None, None) => Ok(Self::Unknown {}),
            _ => Err("only one of container, importer, resolver and customJob can be set"),
        }
    }
}

/// `ValueOrRuntimeParameter`, as the URI of an importer.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ImportedUri {
    #[serde(default)]
    constant: Option<String>,
    #[serde(default, alias = "constant_value")]
    constant_value: Option<TypedValue>,
    #[serde(default, alias = "runtime_parameter")]
    runtime_parameter: Option<String>,
}

impl TryFrom<ImportedUri> for ArtifactUri {
    type Error = String;

    fn try_from(wire: ImportedUri) -> Result<Self, String> {
        let old = wire.constant_value.map(TypedValue::into_value).transpose()?;
        let constant = wire.constant.or_else(|| old.as_ref().map(crate::value::to_text));
        Ok(Self { constant, runtime_parameter: wire.runtime_parameter })
    }
}

/// `ArtifactTypeSchema` below `deploymentSpec`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ImportedType {
    #[serde(default, alias = "schema_title", deserialize_with = "proto_json::nullable")]
    schema_title: String,
    #[serde(default, alias = "schema_uri", deserialize_with = "proto_json::nullable")]
    schema_uri: String,
    #[serde(default, alias = "instance_schema", deserialize_with = "proto_json::nullable")]
    instance_schema: String,
    #[serde(default, alias = "schema_version", deserialize_with = "proto_json::nullable")]
    schema_version: String,
}

impl From<ImportedType> for ArtifactType {
    fn from(wire: ImportedType) -> Self {
        let ImportedType { schema_title, schema_uri, instance_schema, schema_version } = wire;
        Self { schema_title, schema_uri, instance_schema, schema_version }
    }
}

/// `ImporterSpec`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ImporterSpec {
    #[serde(default, alias = "artifact_uri", deserialize_with = "proto_json::nullable")]
    artifact_uri: ImportedUri,
    #[serde(default, alias = "type_schema", deserialize_with = "proto_json::nullable")]
    type_schema: ImportedType,
    #[serde(default, deserialize_with = "proto_json::nullable")]
    reimport: bool,
    #[serde(default, deserialize_with = "proto_json::structure")]
    metadata: Map<String, Value>,
    #[serde(default, alias = "download_to_workspace", deserialize_with = "proto_json::nullable")]
    download_to_workspace: bool,
    #[serde(default, deserialize_with = "proto_json::nullable")]
    properties: Named<RuntimeValue>,
    #[serde(default, alias = "custom_properties", deserialize_with = "proto_json::nullable")]
    custom_properties: Named<RuntimeValue>,
}

impl TryFrom<ImporterSpec> for super::ImporterSpec {
    type Error = String;

    fn try_from(wire: ImporterSpec) -> Result<Self, String> {
        let ImporterSpec { artifact_uri, type_schema, reimport, mut metadata, download_to_workspace, .. } = wire;
        add_properties(&mut metadata, wire.properties)?;
        add_properties(&mut metadata, wire.custom_properties)?;
        let (artifact_uri, type_schema) = (artifact_uri.try_into()?, type_schema.into());
        Ok(Self { artifact_uri, type_schema, reimport, metadata, download_to_workspace })
    }
}
