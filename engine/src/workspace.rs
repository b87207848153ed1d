//! Which tasks use the directory or volume that the tasks of a run share.

use penstock_spec::ir::ContainerSpec;
use penstock_spec::keys;
use penstock_spec::plan::{PlanInputs, PlanWorkspace};
use serde_json::{Map, Value};

use crate::state::RunState;

/// What stands for its path in the texts of a pipeline's author.
const PLACEHOLDER: &str = "{{$.workspace_path}}";

impl RunState {
    /// The workspace, for a task that uses it.
    pub(crate) fn workspace_used(
        &self,
        spec: &ContainerSpec,
        inputs: &PlanInputs,
        defaults: &Map<String, Value>,
    ) -> Option<&PlanWorkspace> {
        let path = self.info()?.workspace.as_deref()?;
        self.pipeline().workspace().filter(|_| is_used(path, spec, inputs, defaults))
    }
}

/// Whether a value that the task is given names the path, its own words ask for it, or an artifact lies there. KFP looks at
/// inputs alone, and at texts that are no part of a list or struct: there a task that it does not see lacks its volume.
fn is_used(path: &str, spec: &ContainerSpec, inputs: &PlanInputs, defaults: &Map<String, Value>) -> bool {
    let names = |text: &str| text.contains(path) || text.contains(PLACEHOLDER);
    let mut values = inputs.parameters.values().chain(defaults.values());
    let mut words = spec.command.iter().chain(&spec.args);
    let mut artifacts = inputs.artifacts.values().filter_map(|list| list.first());
    values.any(|value| holds_text(value, names))
        || words.any(|word| word.contains(PLACEHOLDER))
        || spec.env.iter().any(|variable| names(&variable.value))
        || artifacts.any(|artifact| artifact.metadata.get(keys::IN_WORKSPACE_METADATA) == Some(&Value::Bool(true)))
}

/// Whether a text at any depth of a value is so.
fn holds_text(value: &Value, is: impl Fn(&str) -> bool) -> bool {
    let mut pending = vec![value];
    while let Some(value) = pending.pop() {
        match value {
            Value::String(text) if is(text) => return true,
            Value::Array(items) => pending.extend(items),
            Value::Object(members) => pending.extend(members.values()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PATH: &str = "/kfp-workspace";

    fn uses(container: &Value, inputs: &Value, defaults: &Value) -> bool {
        let mut container = container.clone();
        container["image"] = json!("i");
        let spec: ContainerSpec = serde_json::from_value(container).expect("a container");
        let inputs: PlanInputs = serde_json::from_value(inputs.clone()).expect("inputs");
        is_used(PATH, &spec, &inputs, defaults.as_object().expect("defaults"))
    }

    fn with_parameter(value: &Value) -> bool {
        uses(&json!({}), &json!({"parameters": {"x": value}}), &json!({}))
    }

    #[test]
    fn parameter_that_names_the_path_asks_for_it() {
        for value in [
            json!("/kfp-workspace"),
            json!("/kfp-workspace/data/rows.csv"),
            json!("--out=/kfp-workspace/x"),
            json!("{{$.workspace_path}}/x"),
            json!(["a", {"b": "/kfp-workspace/x"}]),
        ] {
            assert!(with_parameter(&value), "{value}");
        }
        for value in [json!("/data"), json!(""), json!(7), json!(null), json!({"/kfp-workspace": 1})] {
            assert!(!with_parameter(&value), "{value}");
        }
        assert!(uses(&json!({}), &json!({}), &json!({"x": "/kfp-workspace/d"})), "a default is given to the task, too");
    }

    #[test]
    fn artifact_that_lies_in_it_asks_for_it() {
        let with_artifacts = |metadata: &[Value]| {
            let artifact = |metadata: &Value| {
                json!({
                    "id": "00000000-0000-0000-0000-000000000001", "name": "a", "type": {}, "uri": "s3://b/k",
                    "metadata": metadata,
                })
            };
            let list: Vec<Value> = metadata.iter().map(artifact).collect();
            uses(&json!({}), &json!({"artifacts": {"a": list}}), &json!({}))
        };
        let (inside, outside) = (json!({"_kfp_workspace": true}), json!({"_kfp_workspace": "true"}));
        assert!(with_artifacts(&[inside.clone(), outside.clone()]));
        assert!(!with_artifacts(&[outside, inside]), "the first one says it");
        assert!(!with_artifacts(&[json!({"_kfp_workspace": false})]) && !with_artifacts(&[]));
    }

    #[test]
    fn words_of_the_author_that_ask_for_the_path_do_and_source_code_that_names_it_does_not() {
        let asks = |container: Value| uses(&container, &json!({}), &json!({}));
        assert!(asks(json!({"args": ["--dir", "{{$.workspace_path}}/x"]})));
        assert!(asks(json!({"command": ["{\"Concat\": [\"{{$.workspace_path}}\", \"/x\"]}"]})));
        assert!(asks(json!({"env": [{"name": "DIR", "value": "/kfp-workspace"}]})));
        assert!(!asks(json!({"args": ["def f(folder): return folder == '/kfp-workspace'"]})));
        assert!(!asks(json!({"command": ["true"]})));
    }
}
