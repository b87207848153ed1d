//! Pipelines as they travel to a server.

use penstock_spec::limits::Limits;
use penstock_spec::parse;
use serde_json::{Map, Value, json};

use crate::failure::Refusal;

/// Whether results of earlier runs are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caching {
    /// As the pipeline says.
    AsWritten,
    /// By no task.
    Never,
}

/// The value of `pipeline_spec` for a text that was checked.
pub(crate) fn pipeline_spec(text: &str, caching: Caching) -> Result<Value, Refusal> {
    let documents = parse::parse(text, &Limits::default())
        .map_err(|error| Refusal::new(format!("the pipeline cannot be sent: {error}")))?;
    let mut pipeline = documents.pipeline_json;
    if caching == Caching::Never {
        forbid_caching(&mut pipeline);
    }
    Ok(match documents.platform {
        None => pipeline,
        Some(platform) => json!({ "pipeline_spec": pipeline, "platform_spec": platform.raw }),
    })
}

/// As the SDK does it: a task without options for the cache does not ask it.
fn forbid_caching(pipeline: &mut Value) {
    forbid_in(pipeline.get_mut("root"));
    if let Some(Value::Object(components)) = pipeline.get_mut("components") {
        components.values_mut().for_each(|component| forbid_in(Some(component)));
    }
}

fn forbid_in(component: Option<&mut Value>) {
    let tasks = component.and_then(|component| component.pointer_mut("/dag/tasks"));
    let Some(Value::Object(tasks)) = tasks else { return };
    for task in tasks.values_mut().filter_map(Value::as_object_mut) {
        task.remove("caching_options");
        task.insert("cachingOptions".to_owned(), Value::Object(Map::new()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_the_cache_no_task_asks_it() {
        let caching = json!({"enableCache": true});
        let mut pipeline = json!({
            "root": {"dag": {"tasks": {"a": {"cachingOptions": caching}}}},
            "components": {"c": {"dag": {"tasks": {"b": {"caching_options": caching}}}}, "d": {"executorLabel": "e"}},
        });
        forbid_caching(&mut pipeline);
        assert!(!pipeline.to_string().contains("enableCache"), "{pipeline}");
        assert_eq!(pipeline["components"]["c"]["dag"]["tasks"]["b"], json!({"cachingOptions": {}}));
    }
}
