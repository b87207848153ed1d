//! The tables of what pipelines do not say themselves: parameters, needs that no rule can see, and what a run must
//! give.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::expected::Expected;

/// Content of `tests/conformance/settings.json` and `tests/conformance/expected.json`.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What each pipeline needs.
    pub needs: Needs,
    /// What a run must give, by path of the pipeline.
    pub expected: BTreeMap<String, Expected>,
}

/// Content of `tests/conformance/settings.json`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Needs {
    /// For its reader.
    pub about: String,
    /// Parameters by path of the pipeline.
    pub parameters: BTreeMap<String, Map<String, Value>>,
    /// Further arguments of the command, by path of the pipeline.
    pub arguments: BTreeMap<String, Vec<String>>,
    /// Pipelines whose components install an SDK that lacks what they use, and why: they run with the SDK of the
    /// interpreter instead.
    pub newer_sdk: BTreeMap<String, String>,
    /// Part of the message with which an invalid package must be refused, by its path.
    pub refusals: BTreeMap<String, String>,
    /// Images whose command means nothing on this machine, and why. The beginning of the name counts.
    pub images: BTreeMap<String, String>,
    /// Programs that exist nowhere, and why.
    pub programs: BTreeMap<String, String>,
    /// Other needs that no rule can see, by path of the pipeline.
    pub needs: BTreeMap<String, String>,
    /// Pipelines that run although a rule finds a need, and why.
    pub runs_anyway: BTreeMap<String, String>,
    /// What is otherwise on a cluster.
    pub on_kubernetes: OnKubernetes,
}

/// What the runner must know of pipelines that run on a cluster.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnKubernetes {
    /// Images that the test cluster has.
    pub images: BTreeSet<String>,
    /// Which of them stands in for another image, by that image.
    pub stand_ins: BTreeMap<String, String>,
    /// Packages that the test cluster's image of Python has.
    pub installed: Vec<String>,
    /// Needs that no rule can see, by path of the pipeline. Those of one machine do not count here.
    pub needs: BTreeMap<String, String>,
}

impl Settings {
    /// Reads the tables.
    ///
    /// # Panics
    /// When one is not there or wrong: they are part of the repository.
    pub fn read() -> Settings {
        Settings { needs: table("settings.json"), expected: table("expected.json") }
    }

    /// The parameters of a pipeline, with the folder of the run filled in.
    pub fn parameters_of(&self, pipeline: &str, folders: &Folders) -> Map<String, Value> {
        let mut parameters = self.needs.parameters.get(pipeline).cloned().unwrap_or_default();
        for value in parameters.values_mut() {
            if let Value::String(text) = value {
                *text = folders.fill(text);
            }
        }
        parameters
    }

    /// Further arguments for a pipeline, with the folder of the run filled in.
    pub fn arguments_of(&self, pipeline: &str, folders: &Folders) -> Vec<String> {
        let arguments = self.needs.arguments.get(pipeline).into_iter().flatten();
        arguments.map(|argument| folders.fill(argument)).collect()
    }

    /// Entries of the tables about pipelines that are not in the corpus: it has changed, or they are misspelled.
    pub fn unused<'a>(&'a self, names: &[&str]) -> Vec<&'a str> {
        let needs = &self.needs;
        let all = needs.parameters.keys().chain(needs.arguments.keys()).chain(needs.refusals.keys());
        let all = all.chain(needs.needs.keys()).chain(needs.runs_anyway.keys());
        let all = all.chain(needs.newer_sdk.keys());
        let on_kubernetes = &needs.on_kubernetes;
        let all = all.chain(on_kubernetes.needs.keys());
        let all = all.chain(self.expected.keys()).map(String::as_str);
        let mut unused: Vec<&str> = all.filter(|name| !names.contains(name)).collect();
        unused.sort_unstable();
        unused.dedup();
        unused
    }
}

/// Places of one run.
#[derive(Debug, Clone)]
pub struct Folders {
    /// An empty folder where its tasks run.
    pub temporary: String,
    /// A pipeline root that is not the default.
    pub root: String,
}

impl Folders {
    fn fill(&self, text: &str) -> String {
        text.replace("{temporary}", &self.temporary).replace("{root}", &self.root)
    }
}

fn table<T: DeserializeOwned>(name: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance").join(name);
    let text = fs::read(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_can_be_read_and_every_failure_has_its_reason() {
        for (name, expected) in &Settings::read().expected {
            let has_reason = expected.fails.is_some() || expected.deviates.is_some();
            assert!(has_reason || !expected.has_failures(), "{name} fails for no reason");
            assert!(expected.fails.is_none() || expected.has_failures(), "{name} fails in no task");
        }
    }
}
