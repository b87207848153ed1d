//! Which settings of a pipeline the Kubernetes backend does not honour yet. A run that needs one is refused with its name:
//! a setting that is dropped silently is worse than none.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use penstock_spec::check::CheckedPipeline;
use penstock_spec::ir::ExecutorSpec;
use penstock_spec::keys;
use penstock_spec::platform::{KubernetesPlatform, PlatformSpec};
use thiserror::Error;

use super::volumes::Work;
use crate::cluster_only::{tasks_by_executor, write_tasks};

/// A setting that is not honoured yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsupportedSetting {
    /// What is set, in words.
    pub setting: String,
    /// Tasks that have it, in order; none when the pipeline as a whole has it.
    pub tasks: Vec<String>,
}

/// All settings of a pipeline that are not honoured yet.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct UnsupportedSettings(pub Vec<UnsupportedSetting>);

impl fmt::Display for UnsupportedSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.setting)?;
        write_tasks(f, &self.tasks)
    }
}

impl fmt::Display for UnsupportedSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the pipeline uses what is not supported yet on Kubernetes: ")?;
        for (index, setting) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{setting}")?;
        }
        Ok(())
    }
}

/// The settings of a pipeline that the Kubernetes backend does not honour: those of tasks, in a fixed order, then fields that
/// nobody knows.
pub fn unsupported_settings(pipeline: &CheckedPipeline) -> Vec<UnsupportedSetting> {
    let of_pipeline = |setting: &str| UnsupportedSetting { setting: setting.to_owned(), tasks: Vec::new() };
    let platform = pipeline.platform.as_deref();
    let mut found = Vec::new();
    let by_executor = tasks_by_executor(pipeline);
    let mut by_setting: BTreeMap<(usize, &'static str), BTreeSet<&str>> = BTreeMap::new();
    let mut add = |place: usize, setting: &'static str, executor: &str| {
        by_setting.entry((place, setting)).or_default().extend(by_executor.get(executor).into_iter().flatten());
    };
    for (label, executor) in &pipeline.spec.deployment_spec.executors {
        if let ExecutorSpec::Container(container) = executor
            && container.image.starts_with(keys::PSEUDO_IMAGES)
            && Work::of(&container.image).is_none()
        {
            add(0, "images that stand for something else than creating or deleting a volume claim", label);
        }
    }
    found.extend(by_setting.into_iter().filter(|(_, tasks)| !tasks.is_empty()).map(|((_, setting), tasks)| {
        UnsupportedSetting { setting: setting.to_owned(), tasks: tasks.into_iter().map(str::to_owned).collect() }
    }));
    found.extend(
        platform
            .into_iter()
            .flat_map(unknown_fields)
            .map(|field| of_pipeline(&format!("the unknown field {field} of the platform specification"))),
    );
    found
}

/// Fields of the platform settings that are not in KFP's schema.
fn unknown_fields(platform: &PlatformSpec) -> Vec<String> {
    let Some(kubernetes) = platform.raw.get("platforms").and_then(|platforms| platforms.get("kubernetes")) else {
        return Vec::new();
    };
    let mut unknown = Vec::new();
    // That it can be read is known: it was read when it was loaded.
    let _ = serde_ignored::deserialize::<_, _, KubernetesPlatform>(kubernetes, |path| {
        // What may be absent is a step of its own in such a path.
        unknown.push(path.to_string().replace(".?", ""));
    });
    unknown
}

#[cfg(test)]
mod tests {
    use penstock_spec::check;
    use penstock_spec::limits::Limits;
    use serde_json::{Value, json};

    use super::*;

    fn unsupported(image: &str, platform: &Value) -> String {
        let task = json!({"componentRef": {"name": "comp-a"}, "taskInfo": {"name": "a"}});
        let resources = json!({"resourceCpuLimit": "1"});
        let document = json!({
            "pipeline_spec": {
                "pipelineInfo": {"name": "p"}, "schemaVersion": "2.1.0", "sdkVersion": "kfp-2.17.0",
                "components": {"comp-a": {"executorLabel": "exec-a"}},
                "deploymentSpec": {"executors": {
                    "exec-a": {"container": {"image": image, "command": ["true"], "resources": resources}},
                }},
                "root": {"dag": {"tasks": {"a": task}}},
            },
            "platform_spec": {"platforms": {"kubernetes": platform}},
        });
        let pipeline = check::load("p.json", document.to_string().as_bytes(), &Limits::default());
        let pipeline = pipeline.unwrap_or_else(|error| panic!("{error:?}"));
        unsupported_settings(&pipeline).iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_is_honoured_is_not_refused() {
        let metadata = json!({"labels": {"a": "b"}, "annotations": {(keys::ANNOTATION_SERVICE_ACCOUNT): "reader"}});
        let config = json!({
            "activeDeadlineSeconds": "10", "imagePullPolicy": "Always", "podMetadata": metadata,
            "nodeSelector": {"labels": {"disk": "fast"}}, "podAffinity": [{"topologyKey": "zone"}],
            "enabledSharedMemory": {"size": "1Gi"},
        });
        let platform = json!({
            "deploymentSpec": {"executors": {"exec-a": config}},
            "pipelineConfig": {
                "activeDeadlineSeconds": 60, "resourceTtlOnCompletion": 60, "resourceTtlOnFailure": 600,
                "workspace": {"size": "1Gi", "kubernetes": {"pvcSpecPatch": {"accessModes": ["ReadWriteOnce"]}}},
            },
        });
        for image in ["i", "argostub/createpvc", "argostub/deletepvc"] {
            assert_eq!(unsupported(image, &platform), "", "{image}");
        }
    }

    #[test]
    fn everything_else_is_named_with_its_tasks() {
        let config = json!({"gpuMagic": 1});
        let platform = json!({
            "deploymentSpec": {"executors": {"exec-a": config}},
            "pipelineConfig": {"semaphoreKey": "x"},
        });
        assert_eq!(
            unsupported("argostub/resizepvc", &platform),
            "images that stand for something else than creating or deleting a volume claim (task \"a\")\n\
             the unknown field deploymentSpec.executors.exec-a.gpuMagic of the platform specification\n\
             the unknown field pipelineConfig.semaphoreKey of the platform specification"
        );
    }
}
