//! The wrapper `PipelineJob` of older submit clients: a pipeline with the values of one run. The values become the
//! pipeline's defaults, so that running it means the same.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{ParseError, read_typed};
use crate::ir::{Named, PipelineSpec, TypedValue, proto_json};

/// `PipelineJob.RuntimeConfig`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RuntimeConfig {
    #[serde(default, alias = "parameter_values", deserialize_with = "proto_json::structure")]
    parameter_values: Map<String, Value>,
    #[serde(default, deserialize_with = "proto_json::nullable")]
    parameters: Named<TypedValue>,
    #[serde(default, alias = "gcs_output_directory", alias = "pipelineRoot", alias = "pipeline_root")]
    #[serde(deserialize_with = "proto_json::nullable")]
    gcs_output_directory: String,
}

/// Makes the values of a run the defaults of its pipeline.
pub(super) fn apply(job: &Value, pipeline: &mut PipelineSpec, warnings: &mut Vec<String>) -> Result<(), ParseError> {
    const DOCUMENT: &str = "runtime config of the pipeline job";
    let config: RuntimeConfig = read_typed(DOCUMENT, job, |_| {})?;
    let mut values = config.parameter_values;
    for (name, typed) in config.parameters {
        let path = format!("parameters.{name}");
        let value = typed.into_value().map_err(|message| ParseError::Field { document: DOCUMENT, path, message })?;
        values.entry(name).or_insert(value);
    }
    for (name, value) in values {
        match pipeline.root.input_definitions.parameters.get_mut(&name) {
            Some(parameter) => parameter.default_value = Some(value),
            None => {
                warnings.push(format!("the pipeline job gives parameter {name:?}, which the pipeline does not have"));
            }
        }
    }
    if !config.gcs_output_directory.is_empty() {
        pipeline.default_pipeline_root = config.gcs_output_directory;
    }
    Ok(())
}
