//! Plans of attempts: what of a task's inputs and declaration an executor needs to know.

use std::sync::Arc;

use penstock_spec::ir::{Accelerator, EnvVar, Named, ParameterType, ResourceSpec, RetryPolicy, TaskConfigField};
use penstock_spec::plan::{PLAN_VERSION, Plan, PlanInputs, PlanPod, PlanResources, PlanTask};
use serde_json::{Map, Value, json};

use crate::fact::NodeId;
use crate::identity::{attempt_id, task_id};
use crate::pipeline::{Body, Component, Container, Scope};
use crate::resolve::constants::substitute_text;
use crate::state::RunState;

impl RunState {
    /// The plan of a task's latest attempt, or of its first.
    pub fn plan(&self, id: NodeId) -> Option<Plan> {
        let attempt = self.get(id)?.latest_attempt().unwrap_or(0);
        self.plan_of(id, attempt, &self.scope(id))
    }

    pub(crate) fn plan_of(&self, id: NodeId, attempt: u32, scope: &Scope) -> Option<Plan> {
        let run = self.info()?;
        let task = self.task(id)?;
        let component = self.component(id)?;
        let Body::Container(container) = &component.body else { return None };
        let path = self.path(id);
        let task_id = task_id(run.id, &path);
        let mut inputs = plan_inputs(scope);
        let defaults = defaults(component, &inputs);
        let replaced = |text: &str| self.substitute_in_container(id, text, &inputs.parameters, &defaults);
        let config = task_config(component, container, &replaced);
        let image = replaced(&container.spec.image);
        let resources = own_resources(component, container, &replaced);
        inputs.parameters.extend(config);
        let absent_inputs = absent(component, &inputs, &defaults);
        let workspace = self.workspace_used(&container.spec, &inputs, &defaults).cloned();
        Some(Plan {
            version: PLAN_VERSION,
            image,
            command: container.spec.command.clone(),
            args: container.spec.args.clone(),
            env: own_env(component, container),
            resources,
            image_pull_policy: container.image_pull_policy.clone(),
            service_account: container.service_account.clone(),
            pod: self.plan_pod(id, component, container).map(Box::new),
            workspace,
            defaults,
            absent_inputs,
            input_artifact_types: component
                .inputs
                .artifacts
                .iter()
                .filter(|(name, _)| inputs.artifacts.contains_key(*name))
                .map(|(name, input)| (name.clone(), input.artifact_type.clone()))
                .collect(),
            inputs,
            output_parameters: component
                .outputs
                .parameters
                .iter()
                .map(|(name, output)| (name.clone(), output.parameter_type))
                .collect(),
            output_artifacts: component.outputs.artifacts.clone(),
            task_root: format!("{}/{}/{}", run.run_root(), task.key, attempt_id(task_id, attempt)),
            timeout_seconds: container.timeout_seconds,
            retries: self.retry_policy(id).is_some_and(|policy| policy.max_retry_count > 0),
            task: PlanTask {
                id: task_id,
                key: task.key.clone(),
                display_name: task.display_name.clone(),
                path,
                attempt,
            },
            run: run.clone(),
        })
    }

    fn plan_pod(&self, id: NodeId, component: &Component, container: &Container) -> Option<PlanPod> {
        let template = container.pod.as_deref()?;
        Some(PlanPod {
            config: template.config.clone(),
            values: self.setting_values(id, template),
            passthroughs: component.passthroughs.clone(),
            task_config_inputs: task_config_inputs(component).cloned().collect(),
        })
    }

    /// The policy of a task, or of the nearest group around it that has one.
    pub(crate) fn retry_policy(&self, id: NodeId) -> Option<&RetryPolicy> {
        let mut at = Some(id);
        while let Some(id) = at {
            if let Some(policy) = self.task(id).and_then(|task| task.retry.as_ref()) {
                return Some(policy);
            }
            at = self.parent(id);
        }
        None
    }

    /// A text of a container's specification with its placeholders replaced; an input that was left out has no text.
    pub(crate) fn substitute_in_container(
        &self,
        id: NodeId,
        text: &str,
        inputs: &Map<String, Value>,
        defaults: &Map<String, Value>,
    ) -> String {
        let declared = self.component(id).map(|component| &component.inputs.parameters);
        let left_out = |name: &String| declared?.contains_key(name).then_some(Value::Null);
        substitute_text(text, &|placeholder| match placeholder {
            penstock_spec::placeholder::Placeholder::InputParameter(name) => {
                let given = inputs.get(name).or_else(|| defaults.get(name)).cloned();
                given.or_else(|| left_out(name)).map(Arc::new)
            }
            other => self.run_placeholder(id, other).map(|text| Arc::new(Value::String(text))),
        })
    }
}

/// Inputs as a plan carries them.
pub(crate) fn plan_inputs(scope: &Scope) -> PlanInputs {
    let parameters = scope.all_parameters();
    let artifacts = scope.all_artifacts();
    PlanInputs {
        parameters: parameters.into_iter().map(|(name, value)| (name.to_owned(), (**value).clone())).collect(),
        artifacts: artifacts.into_iter().map(|(name, list)| (name.to_owned(), list.to_vec())).collect(),
    }
}

pub(crate) fn defaults(component: &Component, inputs: &PlanInputs) -> Map<String, Value> {
    let declared = component.inputs.parameters.iter();
    let left_out = declared.filter(|(name, _)| !inputs.parameters.contains_key(*name));
    left_out
        .filter_map(|(name, input)| {
            let mut value = input.default_value.clone().filter(|value| !value.is_null())?;
            penstock_spec::value::canonicalize(&mut value);
            Some((name.clone(), value))
        })
        .collect()
}

/// Declared inputs without a value.
fn absent(component: &Component, inputs: &PlanInputs, defaults: &Map<String, Value>) -> Vec<String> {
    let parameters = component.inputs.parameters.keys();
    let parameters = parameters.filter(|name| !inputs.parameters.contains_key(*name) && !defaults.contains_key(*name));
    let artifacts = component.inputs.artifacts.keys().filter(|name| !inputs.artifacts.contains_key(*name));
    parameters.chain(artifacts).cloned().collect()
}

/// Whether a setting applies to the task itself: always, unless the component takes it as data and says that it does not.
fn applies(component: &Component, field: TaskConfigField) -> bool {
    let passed = component.passthroughs.iter().find(|it| it.field == field);
    passed.is_none_or(|it| it.apply_to_task)
}

fn own_env(component: &Component, container: &Container) -> Vec<EnvVar> {
    if applies(component, TaskConfigField::Env) { container.spec.env.clone() } else { Vec::new() }
}

fn own_resources(component: &Component, container: &Container, replaced: &dyn Fn(&str) -> String) -> PlanResources {
    match &container.spec.resources {
        Some(resources) if applies(component, TaskConfigField::Resources) => resource_requirements(resources, replaced),
        _ => PlanResources::default(),
    }
}

/// Inputs that receive settings of the Pod.
fn task_config_inputs(component: &Component) -> impl Iterator<Item = &String> {
    let inputs = component.inputs.parameters.iter();
    inputs.filter(|(_, input)| input.parameter_type == ParameterType::TaskConfig).map(|(name, _)| name)
}

/// Values of `TASK_CONFIG` inputs: what of the pod's settings is known here, which is environment and resources. A
/// backend that has pods adds the rest.
fn task_config(component: &Component, container: &Container, replaced: &dyn Fn(&str) -> String) -> Map<String, Value> {
    let mut configs = Map::new();
    for name in task_config_inputs(component) {
        let passed = |field| component.passthroughs.iter().any(|it| it.field == field);
        let env = passed(TaskConfigField::Env).then(|| json!(container.spec.env));
        let resources = container.spec.resources.as_ref().filter(|_| passed(TaskConfigField::Resources));
        let config = json!({
            "affinity": null,
            "tolerations": null,
            "nodeSelector": null,
            "env": env,
            "volumes": null,
            "volumeMounts": null,
            "resources": resources.map_or_else(|| json!({}), |it| {
                let PlanResources { requests, limits } = resource_requirements(it, replaced);
                json!({ "limits": limits, "requests": requests })
            }),
        });
        configs.insert(name.clone(), config);
    }
    configs
}

/// Requests and limits as Kubernetes writes them, with placeholders replaced. What comes out empty is not set.
fn resource_requirements(resources: &ResourceSpec, replaced: &dyn Fn(&str) -> String) -> PlanResources {
    let quantity = |text: &str, number: Option<f64>, unit: &str| {
        if !text.is_empty() {
            return Some(replaced(text)).filter(|text| !text.is_empty());
        }
        number.filter(|number| *number > 0.0).map(|number| format!("{number}{unit}"))
    };
    let side = |cpu: Option<String>, memory: Option<String>| {
        let named = [("cpu", cpu), ("memory", memory)];
        named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect::<Named<_>>()
    };
    let mut limits = side(
        quantity(&resources.resource_cpu_limit, resources.cpu_limit, ""),
        quantity(&resources.resource_memory_limit, resources.memory_limit, "G"),
    );
    limits.extend(resources.accelerator.as_ref().and_then(|it| accelerator_limit(it, replaced)));
    let requests = side(
        quantity(&resources.resource_cpu_request, resources.cpu_request, ""),
        quantity(&resources.resource_memory_request, resources.memory_request, "G"),
    );
    PlanResources { requests, limits }
}

/// The limit that an accelerator is: its type names the resource. Both type and count are needed.
fn accelerator_limit(accelerator: &Accelerator, replaced: &dyn Fn(&str) -> String) -> Option<(String, String)> {
    let named = if accelerator.resource_type.is_empty() { &accelerator.kind } else { &accelerator.resource_type };
    let resource = replaced(named);
    let count = match accelerator.resource_count.as_str() {
        "" => accelerator.count.filter(|count| *count > 0).map(|count| count.to_string()).unwrap_or_default(),
        text => replaced(text),
    };
    (!resource.is_empty() && !count.is_empty()).then_some((resource, count))
}
