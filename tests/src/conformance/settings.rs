//! The table of what pipelines do not say themselves: parameters, failures by design, images that cannot be replaced.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

/// Content of `tests/conformance/settings.json`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// For its reader.
    pub about: String,
    /// Parameters by path of the pipeline.
    pub parameters: BTreeMap<String, Map<String, Value>>,
    /// Pipelines that must fail, and why.
    pub fails_by_design: BTreeMap<String, String>,
    /// Images whose command means nothing on this machine, and why. The beginning of the name counts.
    pub images: BTreeMap<String, String>,
    /// Programs that exist nowhere, and why.
    pub programs: BTreeMap<String, String>,
    /// Other needs that no rule can see, by path of the pipeline.
    pub needs: BTreeMap<String, String>,
}

impl Settings {
    /// Reads the table.
    ///
    /// # Panics
    /// When it is not there or wrong: it is part of the repository.
    pub fn read() -> Settings {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/settings.json");
        let text = fs::read(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
        serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The parameters of a pipeline, with the folder of the run filled in.
    pub fn parameters_of(&self, pipeline: &str, temporary: &Path) -> Map<String, Value> {
        let mut parameters = self.parameters.get(pipeline).cloned().unwrap_or_default();
        for value in parameters.values_mut() {
            if let Value::String(text) = value {
                *text = text.replace("{temporary}", &temporary.to_string_lossy());
            }
        }
        parameters
    }
}
