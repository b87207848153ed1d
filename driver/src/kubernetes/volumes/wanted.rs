//! The claim that a task or a run asks for. Pure.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    PersistentVolumeClaim, PersistentVolumeClaimSpec, TypedLocalObjectReference, VolumeResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use penstock_spec::keys;
use penstock_spec::object_name::{MAX_OBJECT_NAME, is_object_name};
use penstock_spec::plan::{Plan, PlanWorkspace};
use penstock_spec::quantity;
use penstock_spec::run::RunInfo;
use penstock_spec::value::kind;
use serde_json::{Map, Value};
use thiserror::Error;
use uuid::Uuid;

use super::settings::{ACCESS_MODES, VolumeSettings};

/// A volume claim that cannot be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{what} {reason}")]
pub struct ClaimError {
    /// What is wrong, such as an input of a task.
    pub what: String,
    /// What is wrong with it.
    pub reason: String,
}

impl ClaimError {
    fn new(what: impl Into<String>, reason: impl Into<String>) -> ClaimError {
        ClaimError { what: what.into(), reason: reason.into() }
    }
}

/// What a task's own claim says of who made it.
pub(crate) fn made_by_task(plan: &Plan) -> String {
    format!("{}/{}", plan.run.id, plan.task.id)
}

/// What the workspace of a run says of who made it.
pub(crate) fn made_by_run(run: &RunInfo) -> String {
    run.id.to_string()
}

/// The claim that a task asks for by its inputs. Defaults of the component do not count: in the SDK's own component they are
/// not what leaving an input out means.
pub(crate) fn of_task(plan: &Plan, settings: &VolumeSettings) -> Result<PersistentVolumeClaim, ClaimError> {
    let inputs = Inputs(&plan.inputs.parameters);
    let class = match inputs.0.get("storage_class_name") {
        None => settings.claim_class.clone(),
        Some(Value::String(class)) => Some(class.clone()),
        Some(other) => return Err(Inputs::mistaken("storage_class_name", "a text", other)),
    };
    let mut annotations = annotations(&inputs)?;
    annotations.insert(keys::ANNOTATION_MADE_BY.to_owned(), made_by_task(plan));
    Ok(PersistentVolumeClaim {
        metadata: ObjectMeta {
            name: Some(name(plan, &inputs)?),
            annotations: Some(annotations),
            ..ObjectMeta::default()
        },
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(access_modes(&input("access_modes"), inputs.0.get("access_modes"))?),
            resources: Some(storage(&input("size"), inputs.text("size")?)?),
            storage_class_name: class,
            volume_name: inputs.text("volume_name")?.map(str::to_owned),
            data_source: data_source(&inputs)?,
            ..PersistentVolumeClaimSpec::default()
        }),
        status: None,
    })
}

/// The claim that is the workspace of a run.
pub(crate) fn of_workspace(
    run: &RunInfo,
    wanted: &PlanWorkspace,
    settings: &VolumeSettings,
) -> Result<PersistentVolumeClaim, ClaimError> {
    const PATCH: &str = "pvcSpecPatch of the run's workspace";
    let patch = &wanted.claim_patch;
    if let Some(key) = patch.keys().find(|key| !matches!(key.as_str(), "accessModes" | "storageClassName")) {
        return Err(ClaimError::new(PATCH, format!("holds {key:?}: only accessModes and storageClassName may be set")));
    }
    let access_modes = match patch.get("accessModes").filter(|modes| !modes.is_null()) {
        None => settings.workspace_access_modes.clone(),
        modes => access_modes(&format!("accessModes in the {PATCH}"), modes)?,
    };
    let class = match patch.get("storageClassName").filter(|class| !class.is_null()) {
        None => settings.workspace_class.clone(),
        Some(Value::String(class)) if !class.is_empty() => Some(class.clone()),
        Some(_) => {
            let what = format!("storageClassName in the {PATCH}");
            return Err(ClaimError::new(what, "has to be the name of a class; leave it out for the usual one"));
        }
    };
    let labels = [
        (keys::LABEL_MANAGED_BY, keys::MANAGED_BY.to_owned()),
        (keys::LABEL_WORKSPACE, "true".to_owned()),
        (keys::LABEL_RUN_ID, run.id.to_string()),
    ];
    let annotations = [(keys::ANNOTATION_MADE_BY, made_by_run(run))];
    let owned = |(key, value): (&str, String)| (key.to_owned(), value);
    Ok(PersistentVolumeClaim {
        metadata: ObjectMeta {
            name: Some(run.workspace_claim()),
            labels: Some(labels.map(owned).into()),
            annotations: Some(annotations.map(owned).into()),
            ..ObjectMeta::default()
        },
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(access_modes),
            resources: Some(storage("the size of the run's workspace", Some(&wanted.size))?),
            storage_class_name: class,
            ..PersistentVolumeClaimSpec::default()
        }),
        status: None,
    })
}

/// The name of the claim that a task deletes.
pub(crate) fn name_to_delete(plan: &Plan) -> Result<String, ClaimError> {
    let name = Inputs(&plan.inputs.parameters).text(keys::CLAIM_NAME_INPUT)?;
    let name = name.ok_or_else(|| ClaimError::new(input(keys::CLAIM_NAME_INPUT), "is missing or empty"))?;
    check_name(name)?;
    Ok(name.to_owned())
}

/// Inputs of a task.
struct Inputs<'a>(&'a Map<String, Value>);

impl<'a> Inputs<'a> {
    /// A text; one that is empty is none.
    fn text(&self, name: &str) -> Result<Option<&'a str>, ClaimError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
            Some(other) => Err(Inputs::mistaken(name, "a text", other)),
        }
    }

    /// A struct; one that is empty is none.
    fn structure(&self, name: &str) -> Result<Option<&'a Map<String, Value>>, ClaimError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::Object(members)) => Ok(Some(members).filter(|members| !members.is_empty())),
            Some(other) => Err(Inputs::mistaken(name, "a struct", other)),
        }
    }

    fn mistaken(name: &str, expected: &str, found: &Value) -> ClaimError {
        ClaimError::new(input(name), format!("has to be {expected}, and is of type {}", kind(found)))
    }
}

fn input(name: &str) -> String {
    format!("input {name:?} of the task")
}

fn name(plan: &Plan, inputs: &Inputs<'_>) -> Result<String, ClaimError> {
    const SUFFIX: &str = "pvc_name_suffix";
    let name = match (inputs.text(keys::CLAIM_NAME_INPUT)?, inputs.text(SUFFIX)?) {
        (Some(_), Some(_)) => {
            let what = format!("inputs {:?} and {SUFFIX:?} of the task", keys::CLAIM_NAME_INPUT);
            return Err(ClaimError::new(what, "are both given: a claim has one name"));
        }
        (Some(name), None) => name.to_owned(),
        (None, suffix) => format!("{}{}", made_up(plan), suffix.unwrap_or_default()),
    };
    check_name(&name)?;
    Ok(name)
}

/// Random to everybody else, and the same whenever the same attempt asks: a driver that is killed makes no second claim.
fn made_up(plan: &Plan) -> Uuid {
    Uuid::new_v5(&plan.task.id, format!("volume claim of attempt {}", plan.task.attempt).as_bytes())
}

fn check_name(name: &str) -> Result<(), ClaimError> {
    if is_object_name(name) {
        return Ok(());
    }
    let rule = format!("small letters, digits, `-` and `.`, at most {MAX_OBJECT_NAME} of them");
    Err(ClaimError::new(
        format!("the volume claim's name {name:?}"),
        format!("is none that an object can have: {rule}"),
    ))
}

fn access_modes(what: &str, modes: Option<&Value>) -> Result<Vec<String>, ClaimError> {
    let known = || format!("as a list of {}", ACCESS_MODES.join(", "));
    let Some(modes) = modes else { return Err(ClaimError::new(what, format!("is missing: give it {}", known()))) };
    let texts = modes.as_array().map(|modes| modes.iter().map(Value::as_str).collect::<Option<Vec<&str>>>());
    match texts.flatten() {
        Some(texts) if !texts.is_empty() && texts.iter().all(|mode| ACCESS_MODES.contains(mode)) => {
            Ok(texts.into_iter().map(str::to_owned).collect())
        }
        _ => Err(ClaimError::new(what, format!("is {modes}: give it {}", known()))),
    }
}

fn storage(what: &str, size: Option<&str>) -> Result<VolumeResourceRequirements, ClaimError> {
    let rule = "give it as a quantity of Kubernetes above zero, such as 5Gi";
    let size = size.filter(|size| !size.is_empty());
    let size = size.ok_or_else(|| ClaimError::new(what, format!("is missing: {rule}")))?;
    let amount = quantity::amount(size).filter(|amount| *amount > 0.0);
    match amount.and_then(|_| quantity::normalize(size)) {
        Some(size) => {
            let requests = BTreeMap::from([("storage".to_owned(), Quantity(size))]);
            Ok(VolumeResourceRequirements { requests: Some(requests), limits: None })
        }
        None => Err(ClaimError::new(what, format!("is {size:?}: {rule}"))),
    }
}

/// As KFP has it: what is no text is an empty one.
fn annotations(inputs: &Inputs<'_>) -> Result<BTreeMap<String, String>, ClaimError> {
    const NAME: &str = "annotations";
    let Some(given) = inputs.structure(NAME)? else { return Ok(BTreeMap::new()) };
    if let Some(key) = given.keys().find(|key| key.starts_with(keys::KEY_PREFIX)) {
        return Err(ClaimError::new(input(NAME), format!("holds {key:?}: such annotations are Penstock's own")));
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(given.iter().map(|(key, value)| (key.clone(), text(value))).collect())
}

fn data_source(inputs: &Inputs<'_>) -> Result<Option<TypedLocalObjectReference>, ClaimError> {
    const NAME: &str = "data_source";
    let Some(given) = inputs.structure(NAME)? else { return Ok(None) };
    let member = |key: &str| match given.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
        Some(other) => Err(ClaimError::new(input(NAME), format!("holds {other} as its {key}, which has to be a text"))),
    };
    let required = |key: &str| {
        let lacks = || ClaimError::new(input(NAME), format!("lacks {key}: it has apiGroup, kind and name"));
        member(key)?.ok_or_else(lacks)
    };
    if let Some(key) = given.keys().find(|key| !matches!(key.as_str(), "apiGroup" | "kind" | "name")) {
        return Err(ClaimError::new(input(NAME), format!("holds {key:?}: it has apiGroup, kind and name")));
    }
    Ok(Some(TypedLocalObjectReference {
        api_group: member("apiGroup")?,
        kind: required("kind")?,
        name: required("name")?,
    }))
}

#[cfg(test)]
mod tests;
