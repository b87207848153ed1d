//! Importers: tasks that record an artifact which exists already. Nothing of the user's runs; they are never cached
//! and never tried again.

use std::sync::Arc;

use penstock_spec::artifact::Artifact;
use penstock_spec::ir::ImporterSpec;
use penstock_spec::report::{Failure, TaskOutputs};
use penstock_spec::value::to_text;
use serde_json::Value;

use crate::effect::ImportRequest;
use crate::fact::NodeId;
use crate::identity::imported_artifact_id;
use crate::pipeline::{Body, Component, Scope};
use crate::resolve::constants::{substitute_as_text, substitute_text};
use crate::resolve::input_failure;
use crate::state::RunState;

/// Key of the output when the component declares none.
const OUTPUT: &str = "artifact";

impl RunState {
    /// What an importer asks for.
    pub(crate) fn import_request(&self, id: NodeId, scope: &Scope) -> Result<ImportRequest, Failure> {
        let component = self.component(id).ok_or_else(|| input_failure("the importer has no component"))?;
        let Body::Importer(importer) = &component.body else { return Err(input_failure("not an importer")) };
        let lookup = |placeholder: &penstock_spec::placeholder::Placeholder| match placeholder {
            penstock_spec::placeholder::Placeholder::InputParameter(name) => {
                let declared = component.inputs.parameters.get(name);
                let default = || declared.map(|it| Arc::new(it.default_value.clone().unwrap_or_default()));
                scope.parameter(name).cloned().or_else(default)
            }
            other => self.run_placeholder(id, other).map(|text| Arc::new(Value::String(text))),
        };
        let uri = uri(component, importer, scope, &lookup)?;
        check_scheme(importer, &uri)?;
        let output = output_key(component);
        let task = self.task_id(id).ok_or_else(|| input_failure("the run has not started"))?;
        let declared = component.outputs.artifacts.get(output);
        let mut metadata = declared.map(|declared| declared.metadata.clone()).unwrap_or_default();
        metadata.extend(substitute_as_text(&importer.metadata, &lookup));
        Ok(ImportRequest {
            artifact: Artifact {
                id: imported_artifact_id(task, output),
                name: output.to_owned(),
                artifact_type: importer.type_schema.clone(),
                uri,
                metadata,
                content: None,
            },
            reimport: importer.reimport,
            download_to_workspace: importer.download_to_workspace,
        })
    }

    /// Outputs of an importer whose artifact is recorded.
    pub(crate) fn imported(&self, id: NodeId, artifact: Artifact) -> TaskOutputs {
        let output = self.component(id).map_or(OUTPUT, output_key);
        let mut outputs = TaskOutputs::default();
        outputs.artifacts.insert(output.to_owned(), vec![artifact]);
        outputs
    }
}

fn output_key(component: &Component) -> &str {
    component.outputs.artifacts.keys().next().map_or(OUTPUT, String::as_str)
}

fn uri(
    component: &Component,
    importer: &ImporterSpec,
    scope: &Scope,
    lookup: &crate::resolve::constants::Lookup<'_>,
) -> Result<String, Failure> {
    let (uri, from) = match (&importer.artifact_uri.constant, &importer.artifact_uri.runtime_parameter) {
        (Some(constant), _) => (substitute_text(constant, lookup), "artifactUri.constant".to_owned()),
        (None, Some(name)) => {
            let default = || component.inputs.parameters.get(name)?.default_value.clone();
            let value = scope.parameter(name).map(|value| to_text(value)).or_else(|| default().map(|it| to_text(&it)));
            let value = value.ok_or_else(|| {
                input_failure(format!("the importer's URI is to come from input {name:?}, which has no value"))
            })?;
            (value, format!("input {name:?}"))
        }
        (None, None) => return Err(input_failure("the importer has neither a constant nor an input for its URI")),
    };
    if uri.trim().is_empty() {
        return Err(input_failure(format!("the importer's URI, from {from}, is empty")));
    }
    Ok(uri)
}

fn check_scheme(importer: &ImporterSpec, uri: &str) -> Result<(), Failure> {
    if !uri.starts_with("oci://") {
        return Ok(());
    }
    if importer.type_schema.schema_title != "system.Model" {
        return Err(input_failure(format!("an artifact at {uri:?} must be a system.Model to be imported")));
    }
    if importer.download_to_workspace {
        return Err(input_failure(format!("an artifact at {uri:?} cannot be downloaded to the workspace")));
    }
    Ok(())
}
