//! A naive interpreter: runs a pipeline in its head, a whole DAG at a time, by recursion from each task to those that
//! it needs. There are no events, no order, no limits and no accidents: it says what a run comes to, whatever happens
//! on the way. It reads the specification as it is written and shares no code with the engine.

mod inputs;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use penstock_spec::ir::{ArtifactInput, ComponentSpec, DagOutputParameter, DagSpec, ExecutorSpec, ParameterSource};
use penstock_spec::ir::{RetryPolicy, TaskSpec, TriggerStrategy};
use penstock_spec::report::FailureCause;
use serde_json::{Map, Value};

use crate::case::Case;
use crate::expected::{End, Expected, Group, Inputs, Outputs, Prior, Priors};
use crate::features::Features;
use crate::world::Uris;

use inputs::{Items, Unresolved};

/// A wrong idea of how pipelines run, for tests of the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    SkippedIsSuccess,
    StrategyIsIgnored,
    OneMoreRetry,
    CollectedBackwards,
    CollectedWithGaps,
    LastOfOneOf,
    BrokenConditionIsFalse,
    ConditionIsIgnored,
    NullIsMissing,
    SelectorIsIgnored,
    ExitTaskHidesFailure,
    FailedIterationIsForgiven,
    FailureSkipsDag,
    StatusOfFailedIsSuccess,
    PolicyIsNotInherited,
    RerunKeepsDependants,
    RerunForgetsEverything,
    CacheIsIgnored,
    DefaultIsForgotten,
}

pub(crate) struct Naive<'a> {
    pub(crate) case: &'a Case,
    /// How the run was when it was asked to go on; empty in its first round.
    pub(crate) prior: &'a Priors,
    pub(crate) wrong: Option<Wrong>,
    pub(crate) features: &'a RefCell<Features>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    pub(crate) parameters: BTreeMap<String, Value>,
    pub(crate) artifacts: Uris,
}

/// What is to be run, wherever it is.
#[derive(Clone, Copy)]
struct Body<'a> {
    path: &'a str,
    task: &'a TaskSpec,
    component: &'a ComponentSpec,
    policy: Option<&'a RetryPolicy>,
    /// Whether it goes on where an earlier round left it.
    reopened: bool,
}

/// An instance of a DAG: its tasks are found out one by one, and remembered.
struct Dag<'a> {
    path: &'a str,
    spec: &'a DagSpec,
    scope: &'a Scope,
    policy: Option<&'a RetryPolicy>,
    reopened: bool,
    found: RefCell<BTreeMap<&'a str, Rc<Expected>>>,
}

/// The siblings that a task needs.
pub(crate) fn dependencies(task: &TaskSpec) -> BTreeSet<&str> {
    let mut all: BTreeSet<&str> = task.dependent_tasks.iter().map(String::as_str).collect();
    for input in task.inputs.parameters.values() {
        if let ParameterSource::TaskOutput { task, .. } = &input.source {
            all.insert(task);
        }
    }
    for input in task.inputs.artifacts.values() {
        if let ArtifactInput::TaskOutputArtifact(output) = input {
            all.insert(&output.producer_task);
        }
    }
    all
}

impl<'a> Naive<'a> {
    pub(crate) fn run(&self) -> Expected {
        let spec = &self.case.spec;
        let mut scope = Scope::default();
        for (name, declared) in &spec.root.input_definitions.parameters {
            let given = self.case.parameters.get(name).or(declared.default_value.as_ref());
            scope.parameters.insert(name.clone(), given.cloned().unwrap_or_default());
        }
        if self.case.parameters.keys().any(|name| !spec.root.input_definitions.parameters.contains_key(name)) {
            self.note("parameters refused");
            return Expected::ended("", End::Failed);
        }
        let task = TaskSpec::default();
        let reopened = !self.prior.is_empty();
        self.body(&scope, Body { path: "", task: &task, component: &spec.root, policy: None, reopened })
    }

    fn is(&self, wrong: Wrong) -> bool {
        self.wrong == Some(wrong)
    }

    pub(crate) fn note(&self, feature: &'static str) {
        self.features.borrow_mut().note(feature);
    }

    fn prior(&self, path: &str) -> Option<&Prior> {
        self.prior.get(path)
    }

    fn body(&self, scope: &Scope, body: Body<'_>) -> Expected {
        if let Some(dag) = &body.component.dag {
            return self.dag(scope, body, dag);
        }
        let label = body.component.executor_label.as_deref().unwrap_or_default();
        match &self.case.spec.deployment_spec.executors[label] {
            ExecutorSpec::Importer(importer) => {
                let uri = match (&importer.artifact_uri.constant, &importer.artifact_uri.runtime_parameter) {
                    (Some(uri), _) => uri.clone(),
                    (None, name) => scope.parameters[name.as_ref().unwrap()].as_str().unwrap().to_owned(),
                };
                if uri.is_empty() || self.case.world.import_fails(body.path) {
                    self.note("import failed");
                    return Expected::ended(body.path, End::Failed);
                }
                self.note("import");
                let mut expected = Expected::ended(body.path, End::Succeeded);
                expected.outputs.artifacts.insert("artifact".to_owned(), vec![uri]);
                expected
            }
            _ => self.container(scope, body),
        }
    }

    fn container(&self, scope: &Scope, body: Body<'_>) -> Expected {
        let parameters: Map<String, Value> =
            scope.parameters.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let declared = &body.component.input_definitions.parameters;
        let left_out = declared.iter().filter(|(name, _)| !parameters.contains_key(*name));
        let defaults: Map<String, Value> = left_out
            .filter_map(|(name, input)| Some((name.clone(), input.default_value.clone()?)))
            .filter(|_| !self.is(Wrong::DefaultIsForgotten))
            .collect();
        if !defaults.is_empty() {
            self.note("default of a task");
        }
        let mut all = defaults.clone();
        all.extend(parameters.clone());
        let mut expected = Expected::ended(body.path, End::Succeeded);
        let outputs = self.case.world.outputs(body.path, &all, &scope.artifacts, &body.component.output_definitions);
        expected.inputs = Some(Inputs { parameters, defaults, artifacts: scope.artifacts.clone() });
        expected.attempts = self.prior(body.path).map_or(0, |prior| prior.attempts);
        if outputs.parameters.values().any(Value::is_null) {
            self.note("null output");
        }
        let cached = body.task.caching_options.enable_cache && self.case.world.is_cached(body.path);
        if cached && !self.is(Wrong::CacheIsIgnored) {
            self.note("cached task");
            expected.cached = true;
        } else if !self.attempts(&mut expected, body) {
            self.note("failed task");
            expected.end = End::Failed;
            return expected;
        }
        expected.outputs = Outputs::from(&outputs);
        expected
    }

    /// Tries until one attempt succeeds or nobody pays for another.
    fn attempts(&self, expected: &mut Expected, body: Body<'_>) -> bool {
        let Body { policy, task, .. } = body;
        let own_policy = policy.is_none() || task.retry_policy.is_some();
        let mut of_user = policy.map_or(0, |policy| policy.max_retry_count);
        if self.is(Wrong::OneMoreRetry) {
            of_user += 1;
        }
        let mut of_machine = 3;
        loop {
            let failure = self.case.world.failure(&expected.path, expected.attempts);
            expected.attempts += 1;
            let budget = match failure.map(|it| it.cause) {
                None => return true,
                Some(FailureCause::User | FailureCause::Timeout | FailureCause::Output) => &mut of_user,
                Some(FailureCause::Infrastructure) => &mut of_machine,
                Some(_) => return false,
            };
            if *budget == 0 {
                return false;
            }
            *budget -= 1;
            self.note("retry");
            if !own_policy {
                self.note("retry by the policy of a group");
            }
        }
    }

    fn dag(&self, scope: &Scope, body: Body<'_>, spec: &DagSpec) -> Expected {
        let Body { path, policy, reopened, .. } = body;
        self.note(match path.matches(['/', '[']).count() {
            _ if path.is_empty() => "pipeline",
            0..3 => "nested DAG",
            _ => "four levels",
        });
        let dag = Dag { path, spec, scope, policy, reopened, found: RefCell::default() };
        let mut tasks: Vec<Rc<Expected>> = spec.tasks.keys().map(|key| self.task(&dag, key)).collect();
        let mut failed = tasks.iter().any(|it| it.end == End::Failed && !it.kept);
        if failed && self.is(Wrong::FailureSkipsDag) {
            tasks.iter_mut().for_each(|it| Rc::make_mut(it).end = End::Failed);
        }
        if self.is(Wrong::ExitTaskHidesFailure) {
            let hides = |it: &Rc<Expected>| {
                let key = it.path.rsplit('/').next().unwrap_or_default();
                it.end == End::Succeeded
                    && spec.tasks.get(key).is_some_and(|it| it.trigger_policy.strategy == TriggerStrategy::AllCompleted)
            };
            failed = failed && !tasks.iter().any(hides);
        }
        let mut expected = Expected::ended(path, if failed { End::Failed } else { End::Succeeded });
        if !failed {
            match self.dag_outputs(&dag) {
                Some(outputs) => expected.outputs = outputs,
                None => {
                    self.note("one of none");
                    expected.end = End::Failed;
                }
            }
        }
        expected.group = Some(Group::Dag(tasks));
        expected
    }

    /// Outputs of a DAG; nothing if one of several tasks should have run, and none did.
    fn dag_outputs(&self, dag: &Dag<'_>) -> Option<Outputs> {
        let mut outputs = Outputs::default();
        for (name, from) in &dag.spec.outputs.parameters {
            let (selectors, one_of) = match from {
                DagOutputParameter::ValueFromParameter(selector) => (std::slice::from_ref(selector), false),
                DagOutputParameter::ValueFromOneof(all) => (all.parameter_selectors.as_slice(), true),
            };
            let candidates: Vec<(&str, &str)> =
                selectors.iter().map(|it| (it.producer_subtask.as_str(), it.output_parameter_key.as_str())).collect();
            match self.first_that_ran(dag, &candidates) {
                Some((task, key)) => {
                    self.note(if one_of { "one of" } else { "output of a DAG" });
                    let value = task.outputs.parameters.get(key);
                    outputs.parameters.extend(value.map(|value| (name.clone(), value.clone())));
                }
                None if one_of => return None,
                None => self.note("output of a skipped task"),
            }
        }
        for (name, from) in &dag.spec.outputs.artifacts {
            let selectors = from.artifact_selectors.iter();
            let candidates: Vec<(&str, &str)> =
                selectors.map(|it| (it.producer_subtask.as_str(), it.output_artifact_key.as_str())).collect();
            match self.first_that_ran(dag, &candidates) {
                Some((task, key)) => {
                    let list = task.outputs.artifacts.get(key);
                    outputs.artifacts.extend(list.map(|list| (name.clone(), list.clone())));
                }
                None if candidates.len() > 1 => return None,
                None => {}
            }
        }
        Some(outputs)
    }

    fn first_that_ran<'k>(&self, dag: &Dag<'_>, candidates: &[(&str, &'k str)]) -> Option<(Rc<Expected>, &'k str)> {
        let ran = |(task, key): &(&str, &'k str)| {
            let (name, _) = dag.spec.tasks.get_key_value(*task)?;
            let task = dag.found.borrow().get(name.as_str()).cloned()?;
            (task.end == End::Succeeded).then_some((task, *key))
        };
        match self.is(Wrong::LastOfOneOf) {
            true => candidates.iter().rev().find_map(ran),
            false => candidates.iter().find_map(ran),
        }
    }

    fn task<'d>(&self, dag: &Dag<'d>, key: &'d str) -> Rc<Expected> {
        if let Some(found) = dag.found.borrow().get(key) {
            return Rc::clone(found);
        }
        let task = &dag.spec.tasks[key];
        let needed: Vec<Rc<Expected>> = dependencies(task)
            .into_iter()
            .map(|on| self.task(dag, dag.spec.tasks.get_key_value(on).map_or("", |(key, _)| key)))
            .collect();
        let path = if dag.path.is_empty() { key.to_owned() } else { format!("{}/{key}", dag.path) };
        let found = Rc::new(self.found_out(dag, task, &path, &needed));
        dag.found.borrow_mut().insert(key, Rc::clone(&found));
        found
    }

    fn found_out(&self, dag: &Dag<'_>, task: &TaskSpec, path: &str, needed: &[Rc<Expected>]) -> Expected {
        let prior = if dag.reopened { self.prior(path) } else { None };
        let as_before = needed.iter().all(|it| it.kept) || self.is(Wrong::RerunKeepsDependants);
        if let Some(prior) = prior.filter(|_| as_before && !self.is(Wrong::RerunForgetsEverything)) {
            if prior.succeeded || prior.not_triggered {
                return kept(path, prior);
            }
            if prior.begun {
                self.note("reopened group");
                let Ok(scope) = self.inputs(dag, task, path) else { return Expected::ended(path, End::Failed) };
                return self.start(dag, task, path, &scope, true);
            }
        }
        if let Some(end) = self.unmet(task, needed) {
            return Expected::ended(path, end);
        }
        let scope = match self.inputs(dag, task, path) {
            Ok(scope) => scope,
            Err(Unresolved::Skip) => {
                self.note("skipped for want of an output");
                return Expected::ended(path, End::Unschedulable { failed: false });
            }
            Err(Unresolved::Failed(why)) => {
                self.note(why);
                return Expected::ended(path, End::Failed);
            }
        };
        let condition = &task.trigger_policy.condition;
        if !condition.is_empty() && !self.is(Wrong::ConditionIsIgnored) {
            match self.case.conditions[condition].evaluate(&scope.parameters) {
                Some(true) => self.note("condition holds"),
                Some(false) => {
                    self.note("condition does not hold");
                    return Expected::ended(path, End::NotTriggered);
                }
                None if self.is(Wrong::BrokenConditionIsFalse) => return Expected::ended(path, End::NotTriggered),
                None => {
                    self.note("condition cannot be evaluated");
                    return Expected::ended(path, End::Failed);
                }
            }
        }
        self.start(dag, task, path, &scope, false)
    }

    /// How a task ends whose dependencies forbid it to run.
    fn unmet(&self, task: &TaskSpec, needed: &[Rc<Expected>]) -> Option<End> {
        let after_all = task.trigger_policy.strategy == TriggerStrategy::AllCompleted;
        let bad: Vec<End> = needed.iter().map(|it| it.end).filter(|end| *end != End::Succeeded).collect();
        if bad.is_empty() {
            return None;
        }
        if after_all || self.is(Wrong::StrategyIsIgnored) {
            self.note("runs after a failure or skip");
            return None;
        }
        let failed = bad.iter().any(|end| matches!(end, End::Failed | End::Unschedulable { failed: true }));
        if !failed && self.is(Wrong::SkippedIsSuccess) {
            return None;
        }
        self.note(if failed { "skipped after a failure" } else { "skipped after a skip" });
        Some(End::Unschedulable { failed })
    }

    fn start(&self, dag: &Dag<'_>, task: &TaskSpec, path: &str, scope: &Scope, reopened: bool) -> Expected {
        let policy = task.retry_policy.as_ref();
        let inherited = dag.policy.filter(|_| !self.is(Wrong::PolicyIsNotInherited));
        let component = &self.case.spec.components[&task.component_ref.name];
        let body = Body { path, task, component, policy: policy.or(inherited), reopened };
        let Some(iterator) = self.iterator(task, component, scope) else { return self.body(scope, body) };
        match iterator {
            Ok(items) => self.iterations(scope, body, &items),
            Err(why) => {
                self.note(why);
                Expected::ended(path, End::Failed)
            }
        }
    }

    fn iterations(&self, scope: &Scope, body: Body<'_>, items: &Items) -> Expected {
        let limit = usize::try_from(body.task.iterator_policy.parallelism_limit).ok().filter(|limit| *limit > 0);
        let mut all = Vec::new();
        for index in 0..items.len() {
            let path = format!("{}[{index}]", body.path);
            let mut inner = scope.clone();
            items.give(index, &mut inner);
            let prior = self.prior(&path).filter(|prior| body.reopened && prior.current);
            let prior = prior.filter(|_| !self.is(Wrong::RerunForgetsEverything));
            if let Some(prior) = prior.filter(|prior| prior.succeeded) {
                self.note("kept iteration");
                all.push(Rc::new(kept(&path, prior)));
                continue;
            }
            let reopened = prior.is_some_and(|prior| prior.begun);
            all.push(Rc::new(self.body(&inner, Body { path: &path, reopened, ..body })));
        }
        self.note(match (items.len(), body.path.contains('[')) {
            (0, _) => "empty loop",
            (_, true) => "loop in a loop",
            (_, false) => "loop",
        });
        let failed = all.iter().any(|it| it.end == End::Failed && !it.kept);
        let failed = failed && !self.is(Wrong::FailedIterationIsForgiven);
        let mut expected = Expected::ended(body.path, if failed { End::Failed } else { End::Succeeded });
        if failed {
            self.note(if limit.is_some() { "failed loop with a limit" } else { "failed loop" });
        } else {
            expected.outputs = self.collected(body.component, &all);
        }
        expected.group = Some(Group::Loop { limit, iterations: all });
        expected
    }

    fn collected(&self, component: &ComponentSpec, iterations: &[Rc<Expected>]) -> Outputs {
        let mut outputs = Outputs::default();
        let mut iterations: Vec<&Rc<Expected>> = iterations.iter().collect();
        if self.is(Wrong::CollectedBackwards) {
            iterations.reverse();
        }
        for name in component.output_definitions.parameters.keys() {
            let mut list: Vec<Option<Value>> =
                iterations.iter().map(|it| it.outputs.parameters.get(name).cloned()).collect();
            if list.contains(&None) {
                self.note("collected with gaps");
            }
            if !self.is(Wrong::CollectedWithGaps) {
                list.retain(Option::is_some);
            }
            self.note("collected");
            outputs.parameters.insert(name.clone(), list.into_iter().map(Option::unwrap_or_default).collect());
        }
        for name in component.output_definitions.artifacts.keys() {
            let lists = iterations.iter().filter_map(|it| it.outputs.artifacts.get(name));
            outputs.artifacts.insert(name.clone(), lists.flatten().cloned().collect());
            self.note("collected artifacts");
        }
        outputs
    }
}

fn kept(path: &str, prior: &Prior) -> Expected {
    let end = if prior.succeeded { End::Succeeded } else { End::NotTriggered };
    let mut expected = Expected::ended(path, end);
    expected.kept = true;
    expected.outputs = prior.outputs.clone();
    expected.attempts = prior.attempts;
    expected
}
