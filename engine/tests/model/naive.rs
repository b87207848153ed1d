//! A naive interpreter: runs a pipeline in its head, a whole DAG at a time, by recursion from each task to those that
//! it needs. There are no events, no order, no limits and no accidents: it says what a run comes to, whatever happens
//! on the way. It reads the specification as it is written and shares no code with the engine.

mod bodies;
mod inputs;
mod loops;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use penstock_spec::ir::{ArtifactInput, ComponentSpec, DagOutputParameter, DagSpec, ParameterSource};
use penstock_spec::ir::{RetryPolicy, TaskSpec, TriggerStrategy};
use serde_json::Value;

use crate::case::Case;
use crate::expected::{End, Expected, Group, Outputs, Prior, Priors, Wanted};
use crate::features::Features;
use crate::world::Uris;

use inputs::Unresolved;

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
    RerunForgetsSkips,
    RerunKeepsNamed,
    NamedAskTheCache,
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

    /// What somebody wants of a node.
    fn wanted(&self, prior: &Prior) -> Wanted {
        if self.is(Wrong::RerunKeepsNamed) { Wanted::Nothing } else { prior.wanted }
    }

    /// Whether the result of a task is to be a new one.
    fn is_uncached(&self, path: &str) -> bool {
        let is_within = |above: &str| {
            let rest = path.strip_prefix(above);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '[']))
        };
        let is_named = self.prior.iter().any(|(above, prior)| prior.uncached && is_within(above));
        is_named && !self.is(Wrong::NamedAskTheCache)
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
            let skipped = prior.skipped.filter(|_| !self.is(Wrong::RerunForgetsSkips));
            let end = prior.succeeded.then_some(End::Succeeded).or(skipped);
            if let Some(end) = end.filter(|_| self.wanted(prior) == Wanted::Nothing) {
                return kept(path, prior, end);
            }
            if prior.begun && self.wanted(prior) != Wanted::Anew {
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
}

fn kept(path: &str, prior: &Prior, end: End) -> Expected {
    let mut expected = Expected::ended(path, end);
    expected.kept = true;
    expected.outputs = prior.outputs.clone();
    expected.attempts = prior.attempts;
    expected
}
