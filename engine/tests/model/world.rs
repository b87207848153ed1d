//! What tasks do: a pure function of the task's path, its inputs and the number of the attempt, which a seed chooses.
//! Whoever asks, in whatever order, gets the same answer.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use penstock_spec::artifact::Artifact;
use penstock_spec::ir::{ArtifactType, OutputDefinitions};
use penstock_spec::report::{Failure, FailureCause, TaskOutputs};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// URIs of artifacts by name.
pub(crate) type Uris = BTreeMap<String, Vec<String>>;

#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) seed: u64,
    /// Percentages.
    pub(crate) failing: u64,
    pub(crate) cached: u64,
    pub(crate) null: u64,
    pub(crate) missing: u64,
}

impl World {
    fn draw(&self, what: &str, path: &str) -> u64 {
        mix(mix(self.seed, what), path)
    }

    /// Why an attempt fails, if it does. Attempts that were interrupted do not count.
    pub(crate) fn failure(&self, path: &str, attempt: u32) -> Option<Failure> {
        let drawn = self.draw("does", path);
        if drawn % 100 >= self.failing {
            return None;
        }
        let first = match (drawn >> 32) % 6 {
            0 | 1 => 1,
            2 => 2,
            3 => 4,
            _ => u32::MAX,
        };
        if attempt >= first {
            return None;
        }
        let cause = match self.draw("cause", &format!("{path} {attempt}")) % 12 {
            0 => FailureCause::Timeout,
            1 => FailureCause::Output,
            2 => FailureCause::Refused,
            3 => FailureCause::Input,
            4..=6 => FailureCause::Infrastructure,
            _ => FailureCause::User,
        };
        Some(Failure { cause, message: format!("attempt {attempt} of {path:?} fails") })
    }

    /// Whether the cache has the task's result.
    pub(crate) fn is_cached(&self, path: &str) -> bool {
        self.draw("cached", path) % 100 < self.cached
    }

    /// Whether there is nothing at the URI of an importer.
    pub(crate) fn import_fails(&self, path: &str) -> bool {
        self.draw("import", path) % 100 < self.failing / 2
    }

    /// What a task makes of its inputs, which are to be comparable.
    pub(crate) fn outputs(
        &self,
        path: &str,
        parameters: &Map<String, Value>,
        artifacts: &Uris,
        declared: &OutputDefinitions,
    ) -> TaskOutputs {
        let mut digest = self.draw("outputs", path);
        for (name, value) in parameters {
            digest = mix(mix(digest, name), &value.to_string());
        }
        for (name, uris) in artifacts {
            digest = uris.iter().fold(mix(digest, name), |digest, uri| mix(digest, uri));
        }
        let mut outputs = TaskOutputs::default();
        for name in declared.parameters.keys() {
            if let Some(value) = self.value(name, mix(digest, name)) {
                outputs.parameters.insert(name.clone(), value);
            }
        }
        for name in declared.artifacts.keys() {
            let uri = format!("s3://made/{path}/{name}/{digest:x}");
            outputs.artifacts.insert(name.clone(), vec![artifact(name, uri)]);
        }
        outputs
    }

    /// A value of the type that the name begins with.
    fn value(&self, name: &str, drawn: u64) -> Option<Value> {
        match drawn % 100 {
            percent if percent < self.null => return Some(Value::Null),
            percent if percent < self.null + self.missing => return None,
            _ => {}
        }
        let drawn = drawn >> 8;
        Some(match name.chars().next() {
            Some('n') => json!(drawn % 6),
            Some('b') => json!(drawn.is_multiple_of(2)),
            Some('l') => (0..drawn % 4).map(|index| json!((drawn >> (8 + index)) % 6)).collect(),
            Some('d') if drawn.is_multiple_of(13) => json!({ "another": 1 }),
            Some('d') => json!({ "k": drawn % 6 }),
            _ => json!(["a", "b", "c"][(drawn % 3) as usize]),
        })
    }
}

/// Mixes a text into a seed. Without keys of its own, the hasher gives the same on every machine.
fn mix(seed: u64, text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (seed, text).hash(&mut hasher);
    hasher.finish()
}

pub(crate) fn artifact(name: &str, uri: String) -> Artifact {
    Artifact {
        id: Uuid::new_v5(&Uuid::NAMESPACE_URL, uri.as_bytes()),
        name: name.to_owned(),
        artifact_type: ArtifactType { schema_title: "system.Artifact".to_owned(), ..ArtifactType::default() },
        uri,
        metadata: Map::new(),
        content: None,
    }
}

pub(crate) fn uris(artifacts: &BTreeMap<String, Vec<Artifact>>) -> Uris {
    let uris = |list: &Vec<Artifact>| list.iter().map(|artifact| artifact.uri.clone()).collect();
    artifacts.iter().map(|(name, list)| (name.clone(), uris(list))).collect()
}

/// Values as far as they do not depend on the order of events: of a final status, the text of its error does.
pub(crate) fn comparable(values: &Map<String, Value>) -> Map<String, Value> {
    let value = |value: &Value| match value {
        Value::Object(members) if members.contains_key("pipelineTaskName") => json!({
            "state": members.get("state"),
            "pipelineTaskName": members.get("pipelineTaskName"),
            "failed": members.get("error").is_some_and(|error| error.get("code").is_some()),
        }),
        other => other.clone(),
    };
    values.iter().map(|(name, it)| (name.clone(), value(it))).collect()
}
