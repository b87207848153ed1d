//! Settings that a component takes as data (`TASK_CONFIG`), to give them to Pods that it makes itself.

use penstock_spec::ir::{TaskConfigField, TaskConfigPassthrough};
use penstock_spec::plan::PlanPod;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Mounted, PodShape};

/// How a setting travels.
struct Way {
    is_data: bool,
    is_applied: bool,
}

impl PodShape {
    /// Adds to the inputs of a task what of its settings it takes as data. What it does not want for itself leaves the shape.
    pub(crate) fn hand_on(&mut self, pod: &PlanPod, parameters: &mut Map<String, Value>) {
        let way = |field| Way::of(&pod.passthroughs, field);
        let mut members = Map::new();
        let mut hand = |name: &str, value: Value| drop(members.insert(name.to_owned(), value));
        let environment = way(TaskConfigField::Env);
        let variables = environment.is_data.then(|| json(&self.environment));
        environment.keep(&mut self.environment);
        let tolerations = way(TaskConfigField::KubernetesTolerations);
        if tolerations.is_data && !self.tolerations.is_empty() {
            hand("tolerations", json(&self.tolerations));
        }
        tolerations.keep(&mut self.tolerations);
        let selector = way(TaskConfigField::KubernetesNodeSelector);
        if selector.is_data && self.node_selector.is_some() {
            hand("nodeSelector", json(&self.node_selector));
        }
        selector.keep(&mut self.node_selector);
        let affinity = way(TaskConfigField::KubernetesAffinity);
        let node_affinity = self.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
        if let Some(node_affinity) = node_affinity.filter(|_| affinity.is_data) {
            hand("affinity", json!({ "nodeAffinity": node_affinity }));
        }
        if let Some(own) = &mut self.affinity {
            affinity.keep(&mut own.node_affinity);
        }
        let volumes = way(TaskConfigField::KubernetesVolumes);
        if volumes.is_data && self.objects != Mounted::default() {
            hand("volumes", json(&self.objects.volumes));
            hand("volumeMounts", json(&self.objects.mounts));
        }
        volumes.keep(&mut self.objects);
        for name in &pod.task_config_inputs {
            let Some(Value::Object(config)) = parameters.get_mut(name) else { continue };
            if let Some(Value::Array(variables)) = &variables {
                extend(config.entry("env").or_insert_with(|| json!([])), variables);
            }
            config.extend(members.clone());
        }
    }
}

impl Way {
    fn of(passthroughs: &[TaskConfigPassthrough], field: TaskConfigField) -> Way {
        match passthroughs.iter().find(|it| it.field == field) {
            Some(passed) => Way { is_data: true, is_applied: passed.apply_to_task },
            None => Way { is_data: false, is_applied: true },
        }
    }

    fn keep<T: Default>(&self, setting: &mut T) {
        if !self.is_applied {
            *setting = T::default();
        }
    }
}

/// A value of Kubernetes as JSON; such values have text for keys, so that it cannot fail.
fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

fn extend(list: &mut Value, more: &[Value]) {
    match list {
        Value::Array(items) => items.extend_from_slice(more),
        other => *other = Value::Array(more.to_vec()),
    }
}
