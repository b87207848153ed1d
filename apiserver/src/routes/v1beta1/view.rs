//! Replies in the words of v1beta1. They are made from today's replies, so nothing is shown that those do not show.

use serde_json::{Map, Value, json};

/// Nothing to say in other words.
pub(super) fn unchanged(reply: Value) -> Value {
    reply
}

/// A message that fields are taken from.
struct Old {
    from: Map<String, Value>,
    to: Map<String, Value>,
}

impl Old {
    fn of(reply: Value) -> Self {
        let from = if let Value::Object(members) = reply { members } else { Map::new() };
        let mut old = Self { from, to: Map::new() };
        old.rename("display_name", "name");
        for same in ["description", "created_at", "service_account"] {
            old.rename(same, same);
        }
        // Today's is a status; it was a text.
        if let Some(Value::String(text)) = old.from.get_mut("error").and_then(|error| error.get_mut("message")) {
            let text = std::mem::take(text);
            old.set("error", text);
        }
        old
    }

    fn rename(&mut self, from: &str, to: &str) {
        if let Some(value) = self.from.remove(from) {
            self.set(to, value);
        }
    }

    fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.to.insert(name.to_owned(), value.into());
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.from.get(name).and_then(Value::as_str)
    }

    fn storage_state(&mut self) {
        if let Some(state) = self.text("storage_state") {
            let state = format!("STORAGESTATE_{state}");
            self.set("storage_state", state);
        }
    }

    /// The namespace that something belongs to, if it says so.
    fn home(&mut self) {
        if let Some(namespace) = self.text("namespace").filter(|namespace| !namespace.is_empty()) {
            let references = json!([{"key": {"type": "NAMESPACE", "id": namespace}, "relationship": "OWNER"}]);
            self.set("resource_references", references);
        }
    }

    /// What a run or a recurring run is made from, and what it belongs to.
    fn source(&mut self) {
        let mut spec = Map::new();
        let reference = self.from.remove("pipeline_version_reference").unwrap_or_default();
        if let Some(pipeline) = reference.get("pipeline_id") {
            spec.insert("pipeline_id".to_owned(), pipeline.clone());
        }
        if let Some(inline) = self.from.remove("pipeline_spec") {
            spec.insert("pipeline_manifest".to_owned(), inline.to_string().into());
        }
        if let Some(config) = self.from.remove("runtime_config") {
            spec.insert("runtime_config".to_owned(), config);
        }
        if !spec.is_empty() {
            self.set("pipeline_spec", spec);
        }
        let belongs = |kind: &str, id: Option<&Value>, relationship: &str| {
            id.map(|id| json!({"key": {"type": kind, "id": id}, "relationship": relationship}))
        };
        let references: Vec<Value> = [
            belongs("NAMESPACE", self.from.get("namespace"), "OWNER"),
            belongs("EXPERIMENT", self.from.get("experiment_id"), "OWNER"),
            belongs("PIPELINE_VERSION", reference.get("pipeline_version_id"), "CREATOR"),
            belongs("JOB", self.from.get("recurring_run_id").filter(|_| self.to.get("id").is_some()), "CREATOR"),
        ]
        .into_iter()
        .flatten()
        .collect();
        if !references.is_empty() {
            self.set("resource_references", references);
        }
    }
}

/// The items of a list, one by one.
fn list(reply: Value, from: &str, to: &str, item: fn(Value) -> Value) -> Value {
    let Value::Object(mut members) = reply else { return reply };
    if let Some(Value::Array(items)) = members.remove(from) {
        members.insert(to.to_owned(), items.into_iter().map(item).collect());
    }
    members.into()
}

pub(super) fn experiment(reply: Value) -> Value {
    let mut old = Old::of(reply);
    old.rename("experiment_id", "id");
    old.home();
    old.storage_state();
    old.to.into()
}

pub(super) fn experiments(reply: Value) -> Value {
    list(reply, "experiments", "experiments", experiment)
}

pub(super) fn run(reply: Value) -> Value {
    let mut old = Old::of(reply);
    old.rename("run_id", "id");
    old.storage_state();
    old.rename("scheduled_at", "scheduled_at");
    old.rename("finished_at", "finished_at");
    if let Some(state) = old.text("state") {
        let status = phase(state).to_owned();
        old.set("status", status);
    }
    old.source();
    old.to.into()
}

/// The words of Argo, which states had then.
fn phase(state: &str) -> &str {
    match state {
        "PENDING" => "Pending",
        "RUNNING" => "Running",
        "SUCCEEDED" => "Succeeded",
        "SKIPPED" => "Skipped",
        "FAILED" => "Failed",
        "CANCELING" => "Terminating",
        "CANCELED" => "Terminated",
        "PAUSED" => "Paused",
        other => other,
    }
}

pub(super) fn runs(reply: Value) -> Value {
    list(reply, "runs", "runs", run)
}

/// A run that is asked for alone. What it had of a workflow is gone with the workflow.
pub(super) fn run_detail(reply: Value) -> Value {
    json!({"run": run(reply), "pipeline_runtime": {}})
}

pub(super) fn job(reply: Value) -> Value {
    let mut old = Old::of(reply);
    let is_enabled = old.text("status") == Some("ENABLED");
    for same in ["max_concurrency", "trigger", "updated_at", "no_catchup"] {
        old.rename(same, same);
    }
    // Before its own id has that name: it belongs to no other.
    old.source();
    old.rename("recurring_run_id", "id");
    if old.to.contains_key("created_at") {
        old.set("mode", if is_enabled { "ENABLED" } else { "DISABLED" });
        old.set("status", if is_enabled { "Enabled" } else { "Disabled" });
        if is_enabled {
            old.set("enabled", true);
        }
    }
    old.to.into()
}

pub(super) fn jobs(reply: Value) -> Value {
    list(reply, "recurringRuns", "jobs", job)
}

pub(super) fn pipeline(reply: Value) -> Value {
    let mut old = Old::of(reply);
    old.rename("pipeline_id", "id");
    old.home();
    old.to.into()
}

pub(super) fn pipelines(reply: Value) -> Value {
    list(reply, "pipelines", "pipelines", pipeline)
}

pub(super) fn version(reply: Value) -> Value {
    let mut old = Old::of(reply);
    old.rename("pipeline_version_id", "id");
    old.rename("code_source_url", "code_source_url");
    old.rename("package_url", "package_url");
    if let Some(pipeline) = old.text("pipeline_id") {
        let references = json!([{"key": {"type": "PIPELINE", "id": pipeline}, "relationship": "OWNER"}]);
        old.set("resource_references", references);
    }
    old.to.into()
}

pub(super) fn versions(reply: Value) -> Value {
    list(reply, "pipeline_versions", "versions", version)
}

/// The specification of a version, as text.
pub(super) fn template(mut version: Value) -> Value {
    match version.get_mut("pipeline_spec").map(Value::take) {
        Some(spec) => json!({"template": spec.to_string()}),
        None => json!({}),
    }
}

/// Of a list of versions, the first; of a pipeline without versions there is nothing to show.
pub(super) fn newest_template(mut versions: Value) -> Value {
    let newest = versions.get_mut("pipeline_versions").and_then(|versions| versions.get_mut(0)).map(Value::take);
    template(newest.unwrap_or_default())
}
