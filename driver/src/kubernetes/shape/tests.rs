//! What settings make of a Pod, by table.

mod applied;
mod environment;
mod init;
mod named;
mod passed;
mod scheduling;
mod volumes;

use penstock_spec::ir::Named;
use penstock_spec::plan::PlanValue;
use penstock_spec::platform::KubernetesExecutorConfig;
use serde_json::{Value, json};

use super::*;

fn config(settings: &Value) -> KubernetesExecutorConfig {
    serde_json::from_value(settings.clone()).expect("settings")
}

/// Constants as they are, other values as `given` says by path.
fn values(config: &KubernetesExecutorConfig, given: &[(&str, Value)]) -> Named<PlanValue> {
    let constant = |input: &penstock_spec::ir::ParameterInput| match &input.source {
        penstock_spec::ir::ParameterSource::Constant(value) => PlanValue::Value(value.clone()),
        other => PlanValue::Missing(format!("{other:?} has no value")),
    };
    let mut values: Named<PlanValue> =
        config.parameters().iter().map(|(path, input)| (path.clone(), constant(input))).collect();
    for (path, value) in given {
        let was = values.insert((*path).to_owned(), PlanValue::Value(value.clone()));
        assert!(was.is_some(), "{path} is no field with a value");
    }
    values
}

const NOWHERE: Surroundings<'static> = Surroundings { store_secrets: &[], has_authorities: false, has_account: false };

fn shaped_with(settings: &Value, given: &[(&str, Value)]) -> Result<PodShape, String> {
    let config = config(settings);
    shape(&config, Values::Resolved(&values(&config, given)), NOWHERE).map_err(|errors| errors.to_string())
}

fn shaped(settings: &Value) -> PodShape {
    shaped_with(settings, &[]).unwrap_or_else(|errors| panic!("{errors}"))
}

/// A shape as JSON, of which a test looks at a part.
fn shown(settings: &Value) -> Value {
    json!(shaped(settings))
}

fn refused(settings: &Value) -> String {
    shaped_with(settings, &[]).expect_err("it is refused")
}

/// What is said on submission.
fn submitted(settings: &Value) -> Result<PodShape, String> {
    shape(&config(settings), Values::Submitted, NOWHERE).map_err(|errors| errors.to_string())
}

fn constant(value: &Value) -> Value {
    json!({"runtimeValue": {"constant": value}})
}

fn input(name: &str) -> Value {
    json!({"componentInputParameter": name})
}

#[test]
fn settings_without_anything_change_nothing() {
    assert_eq!(shaped(&json!({})), PodShape::default());
}

#[test]
fn all_problems_are_told_up_to_a_number() {
    let mounts: Vec<Value> =
        (0..7).map(|index| json!({"volumeName": format!("v{index}"), "mountPath": "/penstock/x"})).collect();
    let errors = refused(&json!({"emptyDirMounts": mounts}));
    assert!(errors.starts_with("emptyDirMounts[0].mountPath: \"/penstock/x\" is kept for the launcher"), "{errors}");
    assert!(errors.contains("emptyDirMounts[4]") && !errors.contains("emptyDirMounts[5]"), "{errors}");
    assert!(errors.ends_with("; and 2 more"), "{errors}");
}
