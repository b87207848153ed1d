//! Keys of results: the SHA-256 of everything that decides a result and is known before it runs.
//!
//! Beside what KFP puts in (of the platform settings, the names of volume claims that a task mounts): the environment, and
//! the settings that give a container data (secrets, config maps, volumes; as written, so the name of a secret that a task
//! gives at run time does not count). A task that uses the run's workspace has the run in its key, since what it leaves
//! there is found in no other. Not in: resources, defaults of inputs that were left out, names of tasks, and URIs of input
//! artifacts; the identity of an artifact's record counts, which a cached producer hands on, so that chains of hits work.

use penstock_spec::artifact::Artifact;
use penstock_spec::ir::ContainerSpec;
use penstock_spec::keys;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::fact::NodeId;
use crate::pipeline::{Body, Component, Scope, Task};
use crate::state::RunState;

impl RunState {
    /// The key under which a task's result may be found, if its author and the run allow that.
    pub(crate) fn cache_key_of(&self, id: NodeId, task: &Task, scope: &Scope) -> Option<String> {
        if !task.caching.enable_cache || !self.info()?.caching {
            return None;
        }
        if let Body::Container(container) = &self.component(id)?.body
            && !is_repeatable(&container.spec, scope)
        {
            return None;
        }
        let document = self.cache_document_of(id, task, scope)?;
        Some(Sha256::digest(sorted_json(&document)).iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The document whose digest is the cache key of a task that runs a container.
    pub(crate) fn cache_document_of(&self, id: NodeId, task: &Task, scope: &Scope) -> Option<Value> {
        let component = self.component(id)?;
        let Body::Container(container) = &component.body else { return None };
        if !task.caching.cache_key.is_empty() {
            return Some(authors_document(component, &task.caching.cache_key));
        }
        let inputs = crate::plan::plan_inputs(scope);
        let spec = &container.spec;
        let artifact_names: Map<String, Value> = inputs
            .artifacts
            .iter()
            .map(|(name, list)| {
                (name.clone(), json!({ "artifactNames": list.iter().map(id_text).collect::<Vec<_>>() }))
            })
            .collect();
        let no_defaults = Map::new();
        let arguments: Vec<&String> = spec.command.iter().chain(&spec.args).collect();
        let claims = container.pod.as_deref().map(|template| self.claims_of(id, template)).unwrap_or_default();
        let mut document = output_document(component);
        if let Some(members) = document.as_object_mut() {
            members.insert("inputArtifactNames".to_owned(), Value::Object(artifact_names));
            members.insert("inputParameterValues".to_owned(), Value::Object(inputs.parameters.clone()));
            let container = json!({
                "image": self.substitute_in_container(id, &spec.image, &inputs.parameters, &no_defaults),
                "cmdArgs": arguments,
                "env": spec.env,
                "platform": container.data_settings,
            });
            members.insert("containerSpec".to_owned(), container);
            if !claims.is_empty() {
                members.insert("pvcNames".to_owned(), Value::from(claims));
            }
            let defaults = crate::plan::defaults(component, &inputs);
            if let (Some(_), Some(run)) = (self.workspace_used(spec, &inputs, &defaults), self.info()) {
                members.insert("workspace".to_owned(), Value::from(run.id.to_string()));
            }
        }
        Some(document)
    }
}

/// Whether doing it again comes to the same. A volume claim whose name is made up is another one each time, and a deletion
/// is never done again by remembering it.
fn is_repeatable(spec: &ContainerSpec, scope: &Scope) -> bool {
    let is_named = || {
        let name = scope.parameter(keys::CLAIM_NAME_INPUT).and_then(|name| name.as_str());
        name.is_some_and(|name| !name.is_empty())
    };
    match spec.image.as_str() {
        keys::CREATE_CLAIM_IMAGE => is_named(),
        keys::DELETE_CLAIM_IMAGE => false,
        _ => true,
    }
}

/// What counts when the author gives a key: that, the component, and what fits where its result is expected.
fn authors_document(component: &Component, cache_key: &str) -> Value {
    let mut document = output_document(component);
    if let Some(members) = document.as_object_mut() {
        members.insert("component".to_owned(), Value::from(component.shared_name.as_str()));
        members.insert("cacheKey".to_owned(), Value::from(cache_key));
    }
    document
}

/// What a component puts out: a result fits only where the same is expected.
fn output_document(component: &Component) -> Value {
    let artifacts: Map<String, Value> = component
        .outputs
        .artifacts
        .iter()
        .map(|(name, output)| {
            let description = json!({ "name": name, "type": output.artifact_type, "metadata": output.metadata });
            (name.clone(), description)
        })
        .collect();
    let parameters: Map<String, Value> = component
        .outputs
        .parameters
        .iter()
        .map(|(name, output)| (name.clone(), Value::from(output.parameter_type.name())))
        .collect();
    json!({ "outputArtifactsSpec": artifacts, "outputParametersSpec": parameters })
}

fn id_text(artifact: &Artifact) -> String {
    artifact.id.to_string()
}

/// Compact JSON with sorted keys, whatever order the map type keeps.
fn sorted_json(value: &Value) -> Vec<u8> {
    fn write(value: &Value, into: &mut Vec<u8>) {
        match value {
            Value::Object(members) => {
                let mut members: Vec<(&String, &Value)> = members.iter().collect();
                members.sort_by_key(|(key, _)| *key);
                into.push(b'{');
                for (position, (key, member)) in members.into_iter().enumerate() {
                    if position > 0 {
                        into.push(b',');
                    }
                    into.extend(penstock_spec::value::to_json(key).bytes());
                    into.push(b':');
                    write(member, into);
                }
                into.push(b'}');
            }
            Value::Array(items) => {
                into.push(b'[');
                for (position, item) in items.iter().enumerate() {
                    if position > 0 {
                        into.push(b',');
                    }
                    write(item, into);
                }
                into.push(b']');
            }
            other => into.extend(penstock_spec::value::to_json(other).bytes()),
        }
    }
    let mut bytes = Vec::new();
    write(value, &mut bytes);
    bytes
}
