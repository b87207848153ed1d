//! Settings of a pipeline that only a cluster can honour. On one machine they have no effect, and the user is told so
//! once for each setting.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use penstock_spec::check::CheckedPipeline;
use penstock_spec::ir::ExecutorSpec;
use penstock_spec::platform::{KubernetesExecutorConfig, PipelineConfig};

/// Tasks named in one message.
const SHOWN_TASKS: usize = 5;

/// A setting that has no effect on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterOnlySetting {
    /// What is set, in words.
    pub setting: &'static str,
    /// Tasks that have it, in order; none when the pipeline as a whole has it.
    pub tasks: Vec<String>,
}

impl fmt::Display for ClusterOnlySetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: only a cluster can honour this, here it has no effect", self.setting)?;
        write_tasks(f, &self.tasks)
    }
}

/// The tasks that something is about, after it.
pub(crate) fn write_tasks(f: &mut fmt::Formatter<'_>, tasks: &[String]) -> fmt::Result {
    match tasks {
        [] => Ok(()),
        [task] => write!(f, " (task {task:?})"),
        tasks => {
            let shown: Vec<String> = tasks.iter().take(SHOWN_TASKS).map(|task| format!("{task:?}")).collect();
            write!(f, " (tasks {}", shown.join(", "))?;
            match tasks.len().saturating_sub(SHOWN_TASKS) {
                0 => write!(f, ")"),
                more => write!(f, " and {more} more)"),
            }
        }
    }
}

/// The settings of a pipeline that the process backend does not honour: those of the whole run first, then those of
/// tasks, each in a fixed order.
pub fn cluster_only_settings(pipeline: &CheckedPipeline) -> Vec<ClusterOnlySetting> {
    let kubernetes = pipeline.platform.as_deref().map(|platform| &platform.kubernetes);
    let of_run = kubernetes.map(|kubernetes| of_run(&kubernetes.pipeline_config)).unwrap_or_default();
    let mut found: Vec<ClusterOnlySetting> =
        of_run.into_iter().map(|setting| ClusterOnlySetting { setting, tasks: Vec::new() }).collect();

    let tasks = tasks_by_executor(pipeline);
    let mut by_setting: BTreeMap<(usize, &'static str), BTreeSet<&str>> = BTreeMap::new();
    let mut add = |settings: Vec<(usize, &'static str)>, executor: &str| {
        for setting in settings {
            by_setting.entry(setting).or_default().extend(tasks.get(executor).into_iter().flatten());
        }
    };
    for (label, executor) in &pipeline.spec.deployment_spec.executors {
        if let ExecutorSpec::Container(container) = executor
            && container.resources.as_ref().is_some_and(|resources| *resources != Default::default())
        {
            add(vec![(0, "resource requests, limits and accelerators")], label);
        }
    }
    for (label, config) in kubernetes.iter().flat_map(|kubernetes| &kubernetes.deployment_spec.executors) {
        add((1..).zip(of_executor(config)).filter_map(|(place, setting)| Some((place, setting?))).collect(), label);
    }
    found.extend(by_setting.into_iter().filter(|(_, tasks)| !tasks.is_empty()).map(|((_, setting), tasks)| {
        ClusterOnlySetting { setting, tasks: tasks.into_iter().map(str::to_owned).collect() }
    }));
    found
}

fn of_run(config: &PipelineConfig) -> Vec<&'static str> {
    let kept = [config.resource_ttl_on_completion, config.resource_ttl_on_success, config.resource_ttl_on_failure];
    let settings = [kept.iter().any(|seconds| *seconds > 0).then_some("how long the run's resources are kept")];
    settings.into_iter().flatten().collect()
}

/// One element for each setting, in a fixed order. The deadline is missing: it is honoured.
fn of_executor(config: &KubernetesExecutorConfig) -> [Option<&'static str>; 18] {
    let when = |is_set: bool, setting| is_set.then_some(setting);
    [
        when(!config.secret_as_env.is_empty(), "secrets as environment variables"),
        when(!config.secret_as_volume.is_empty(), "secrets as files"),
        when(!config.config_map_as_env.is_empty(), "config maps as environment variables"),
        when(!config.config_map_as_volume.is_empty(), "config maps as files"),
        when(!config.field_path_as_env.is_empty(), "fields of the Pod as environment variables"),
        when(!config.pvc_mount.is_empty(), "mounted volume claims"),
        when(!config.generic_ephemeral_volume.is_empty(), "ephemeral volumes"),
        when(!config.empty_dir_mounts.is_empty(), "scratch volumes"),
        when(config.enabled_shared_memory.is_some(), "shared memory"),
        when(config.node_selector.is_some(), "node selectors"),
        when(!config.node_affinity.is_empty(), "node affinity"),
        when(!config.pod_affinity.is_empty(), "affinity between Pods"),
        when(!config.tolerations.is_empty(), "tolerations"),
        when(!config.image_pull_secret.is_empty(), "secrets for pulling images"),
        when(!config.image_pull_policy.is_empty(), "when images are pulled"),
        when(config.pod_metadata.is_some(), "labels and annotations of the Pod"),
        when(config.security_context.is_some(), "who the container runs as"),
        when(!config.init_containers.is_empty(), "init containers"),
    ]
}

/// Names of the tasks that each executor carries out.
pub(crate) fn tasks_by_executor(pipeline: &CheckedPipeline) -> BTreeMap<&str, BTreeSet<&str>> {
    let spec = &pipeline.spec;
    let dags = spec.components.values().chain([&spec.root]).filter_map(|component| component.dag.as_ref());
    let mut tasks: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, task) in dags.flat_map(|dag| &dag.tasks) {
        let component = spec.components.get(&task.component_ref.name);
        if let Some(executor) = component.and_then(|component| component.executor_label.as_deref()) {
            tasks.entry(executor).or_default().insert(name);
        }
    }
    tasks
}

#[cfg(test)]
mod tests {
    use penstock_spec::check;
    use penstock_spec::limits::Limits;
    use serde_json::{Value, json};

    use super::*;

    fn settings(executors: &Value, platform: &Value) -> Vec<String> {
        let task = |component: &str| json!({"componentRef": {"name": component}, "taskInfo": {"name": component}});
        let document = json!({
            "pipeline_spec": {
                "pipelineInfo": {"name": "p"}, "schemaVersion": "2.1.0", "sdkVersion": "kfp-2.17.0",
                "components": {
                    "comp-a": {"executorLabel": "exec-a"},
                    "comp-b": {"executorLabel": "exec-b"},
                    "comp-group": {"dag": {"tasks": {"inner": task("comp-a")}}},
                },
                "deploymentSpec": {"executors": executors},
                "root": {"dag": {"tasks": {"a": task("comp-a"), "b": task("comp-b"), "group": task("comp-group")}}},
            },
            "platform_spec": {"platforms": {"kubernetes": platform}},
        });
        let pipeline = check::load("p.json", document.to_string().as_bytes(), &Limits::default());
        let pipeline = pipeline.unwrap_or_else(|error| panic!("{error:?}"));
        cluster_only_settings(&pipeline).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_setting_is_told_once_with_its_tasks() {
        let container =
            json!({"container": {"image": "i", "command": ["true"], "resources": {"resourceCpuLimit": "1"}}});
        let executors = json!({"exec-a": container, "exec-b": container});
        let platform = json!({
            "deploymentSpec": {"executors": {
                "exec-a": {"nodeSelector": {"labels": {"disk": "fast"}}, "activeDeadlineSeconds": "10"},
            }},
            "pipelineConfig": {"resourceTtlOnCompletion": 60, "workspace": {"size": "1Gi"}},
        });
        assert_eq!(
            settings(&executors, &platform),
            [
                "how long the run's resources are kept: only a cluster can honour this, here it has no effect",
                "resource requests, limits and accelerators: only a cluster can honour this, here it has no effect \
                 (tasks \"a\", \"b\", \"inner\")",
                "node selectors: only a cluster can honour this, here it has no effect (tasks \"a\", \"inner\")",
            ]
        );
    }

    #[test]
    fn what_is_honoured_or_empty_is_not_mentioned() {
        let executors = json!({"exec-a": {"container": {"image": "i", "command": ["true"]}}, "exec-b": {"container": {"image": "i", "command": ["true"]}}});
        let platform = json!({"deploymentSpec": {"executors": {"exec-a": {"activeDeadlineSeconds": "10"}}}});
        assert_eq!(settings(&executors, &platform), Vec::<String>::new());
    }

    #[test]
    fn many_tasks_are_counted() {
        let tasks = (0..7).map(|number| format!("t{number}")).collect();
        let text = ClusterOnlySetting { setting: "tolerations", tasks }.to_string();
        assert!(text.ends_with("(tasks \"t0\", \"t1\", \"t2\", \"t3\", \"t4\" and 2 more)"), "{text}");
    }
}
