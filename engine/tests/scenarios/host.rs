//! A host that answers effects at once, in an order that the test chooses, and checks on the way what must hold for
//! every run: repeated events change nothing, a fold gives the same state and the same outstanding effects, and a log
//! that ends anywhere leads to the same end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use penstock_engine::{
    CacheHit, Effect, Event, Fact, ImportResult, NodeId, NodeView, Pipeline, RunState, SkipReason, Step, Timer,
    outstanding,
};
use penstock_spec::Timestamp;
use penstock_spec::artifact::Artifact;
use penstock_spec::ir::ParameterType;
use penstock_spec::limits::Limits;
use penstock_spec::plan::Plan;
use penstock_spec::report::{AttemptRef, Failure, FailureCause, Outcome, Report, TaskOutputs};
use penstock_spec::run::{RunInfo, RunStatus, TaskStatus};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// Logs up to this length are cut after every fact and carried on from there.
const CRASH_CHECKED: usize = 150;

type Behaviour = Arc<dyn Fn(&Plan) -> Result<TaskOutputs, Failure>>;

/// What tasks do, and what the cache holds.
#[derive(Clone, Default)]
struct World {
    behaviours: BTreeMap<String, Behaviour>,
    cache: BTreeMap<String, CacheHit>,
    fill_cache: bool,
}

pub(crate) struct Host {
    pub(crate) state: RunState,
    pub(crate) log: Vec<(Fact, Timestamp)>,
    pub(crate) now: Timestamp,
    /// Effects whose answers are awaited.
    pub(crate) in_flight: Vec<Effect>,
    pub(crate) plans: Vec<Plan>,
    events: Vec<Event>,
    world: World,
    pub(crate) most_at_once: usize,
    /// Attempts that may be at work at a time, if that is limited.
    capacity: Option<u32>,
    check: bool,
    /// Whether the test sent events that the world would not have sent.
    scripted: bool,
}

/// Fills in what every pipeline has: its name, its version, and an executor for each label.
pub(crate) fn document(body: &str) -> String {
    let mut text = format!("pipelineInfo: {{name: test}}\nschemaVersion: 2.1.0\nsdkVersion: kfp-2.17.0\n{body}\n");
    if !body.contains("deploymentSpec:") {
        let labels: BTreeSet<&str> = body
            .split("executorLabel: ")
            .skip(1)
            .filter_map(|rest| rest.split(|it: char| !it.is_ascii_alphanumeric() && it != '-').next())
            .collect();
        text.push_str("deploymentSpec:\n  executors:\n");
        for label in labels {
            let container = "{container: {image: python, command: [run], args: ['{{$}}']}}";
            text.push_str(&format!("    {label}: {container}\n"));
        }
    }
    text
}

pub(crate) fn compile(body: &str) -> Arc<Pipeline> {
    let text = document(body);
    let checked = penstock_spec::check::load("pipeline.yaml", text.as_bytes(), &Limits::default())
        .unwrap_or_else(|error| panic!("{error}\n{text}"));
    Pipeline::compile(&checked)
}

pub(crate) fn start_time() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

pub(crate) fn run_info() -> RunInfo {
    RunInfo {
        id: Uuid::from_u128(0x1111_2222_3333_4444_5555_6666_7777_8888),
        name: "test-x7k2p".to_owned(),
        display_name: "A test".to_owned(),
        pipeline_name: "test".to_owned(),
        namespace: String::new(),
        pipeline_root: "s3://bucket/root".to_owned(),
        created_at: start_time(),
        scheduled_at: start_time(),
        caching: true,
        workspace: None,
    }
}

pub(crate) fn failure(cause: FailureCause, message: &str) -> Failure {
    Failure { cause, message: message.to_owned() }
}

pub(crate) fn parameters(values: Value) -> TaskOutputs {
    let parameters = match values {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    TaskOutputs { parameters, artifacts: BTreeMap::new() }
}

/// Outputs of the declared types: what a task makes of which the test says nothing.
pub(crate) fn any_outputs(plan: &Plan) -> TaskOutputs {
    let mut outputs = TaskOutputs::default();
    for (name, declared) in &plan.output_parameters {
        let value = match declared {
            ParameterType::NumberDouble | ParameterType::NumberInteger => json!(7),
            ParameterType::Boolean => json!(true),
            ParameterType::List => json!([1, 2]),
            ParameterType::Struct => json!({"k": "v"}),
            _ => json!(format!("{}:{name}", plan.task.path)),
        };
        outputs.parameters.insert(name.clone(), value);
    }
    for (name, declared) in &plan.output_artifacts {
        let artifact = Artifact {
            id: Uuid::new_v5(&plan.task.id, name.as_bytes()),
            name: name.clone(),
            artifact_type: declared.artifact_type.clone(),
            uri: plan.artifact_uri(name),
            metadata: declared.metadata.clone(),
            content: None,
        };
        outputs.artifacts.insert(name.clone(), vec![artifact]);
    }
    outputs
}

impl Host {
    pub(crate) fn new(body: &str) -> Host {
        Host::of(compile(body))
    }

    pub(crate) fn of(pipeline: Arc<Pipeline>) -> Host {
        Host {
            state: RunState::new(pipeline),
            log: Vec::new(),
            now: start_time(),
            in_flight: Vec::new(),
            plans: Vec::new(),
            events: Vec::new(),
            world: World::default(),
            most_at_once: 0,
            capacity: None,
            check: true,
            scripted: false,
        }
    }

    /// What the tasks with this key or path do.
    pub(crate) fn on(mut self, task: &str, does: impl Fn(&Plan) -> Result<TaskOutputs, Failure> + 'static) -> Self {
        self.world.behaviours.insert(task.to_owned(), Arc::new(does));
        self
    }

    pub(crate) fn failing(self, task: &str) -> Self {
        self.on(task, |_| Err(failure(FailureCause::User, "exit code 1")))
    }

    pub(crate) fn with_capacity(mut self, attempts: u32) -> Self {
        self.capacity = Some(attempts);
        self.state.set_capacity(attempts);
        self
    }

    /// Keeps results, as a cache would.
    pub(crate) fn caching(mut self) -> Self {
        self.world.fill_cache = true;
        self
    }

    pub(crate) fn started(mut self, given: Value) -> Self {
        self.start(given);
        self
    }

    pub(crate) fn start(&mut self, given: Value) {
        let Value::Object(parameters) = given else { panic!("parameters are an object") };
        self.send(Event::Start { run: run_info(), parameters });
    }

    /// A whole run without parameters.
    pub(crate) fn ran(self) -> Self {
        self.ran_with(json!({}))
    }

    pub(crate) fn ran_with(mut self, given: Value) -> Self {
        self.start(given);
        self.finish();
        self
    }

    /// Answers effects, oldest first, until nothing is in flight.
    pub(crate) fn finish(&mut self) {
        while self.answer_next() {}
        if self.check {
            assert!(self.state.status().is_final(), "the run is stuck: {:#?}", self.statuses());
            self.check_late_events();
            if self.log.len() <= CRASH_CHECKED {
                self.check_crashes();
            }
        }
    }

    /// Sends an event that is the test's own idea.
    pub(crate) fn deliver(&mut self, event: Event) -> Step {
        self.scripted |= !matches!(event, Event::Start { .. });
        self.send(event)
    }

    fn send(&mut self, event: Event) -> Step {
        let early = matches!(event, Event::TimerDue { timer: Timer::RunDeadline });
        self.forget(&event);
        let step = self.state.step(event.clone(), self.now);
        self.take(&step);
        if self.check && !early {
            let again = self.state.step(event.clone(), self.now);
            assert!(again.is_empty(), "F-02: a repeated event changed something: {event:?} -> {again:?}");
        }
        self.check_fold();
        self.events.push(event);
        step
    }

    fn take(&mut self, step: &Step) {
        for fact in &step.facts {
            self.log.push((fact.clone(), self.now));
            self.forget_after(fact);
        }
        for effect in &step.effects {
            if let Effect::StartAttempt { plan, .. } = effect {
                self.plans.push((**plan).clone());
            }
            self.in_flight.retain(|other| !replaces(effect, other));
            self.in_flight.push(effect.clone());
        }
        // A decision may overtake an effect of the same step.
        for fact in &step.facts {
            self.forget_after(fact);
        }
        let running = self.in_flight.iter().filter(|it| matches!(it, Effect::StartAttempt { .. })).count();
        self.most_at_once = self.most_at_once.max(running);
    }

    /// An answered effect is no longer in flight.
    fn forget(&mut self, event: &Event) {
        self.in_flight.retain(|effect| match (event, effect) {
            (Event::CacheAnswered { node, .. }, Effect::LookUpCache { node: other, .. }) => node != other,
            (Event::ImportAnswered { node, .. }, Effect::Import { node: other, .. }) => node != other,
            (Event::TaskReported { node, report }, Effect::StartAttempt { node: other, plan }) => {
                node != other || plan.task.attempt != report.attempt.attempt
            }
            (Event::TaskReported { node, .. }, Effect::StopAttempt { node: other, .. }) => node != other,
            (Event::TaskLost { node, attempt, .. }, Effect::StartAttempt { node: other, plan }) => {
                node != other || plan.task.attempt != *attempt
            }
            (Event::TaskLost { node, .. }, Effect::StopAttempt { node: other, .. }) => node != other,
            (Event::TimerDue { timer }, Effect::SetTimer { timer: other, .. }) => timer != other,
            _ => true,
        });
    }

    fn forget_after(&mut self, fact: &Fact) {
        self.in_flight.retain(|effect| match (fact, effect) {
            (Fact::RunEnded { .. }, _) => false,
            (Fact::CancelRequested { .. } | Fact::DeadlineExceeded { .. }, Effect::SetTimer { timer, .. }) => {
                *timer != Timer::RunDeadline
            }
            (Fact::TaskCanceled { node, .. }, Effect::LookUpCache { node: other, .. })
            | (Fact::TaskCanceled { node, .. }, Effect::Import { node: other, .. }) => node != other,
            (Fact::TaskCanceled { node, .. }, Effect::SetTimer { timer: Timer::Retry { node: other, .. }, .. }) => {
                node != other
            }
            _ => true,
        });
    }

    pub(crate) fn answer_next(&mut self) -> bool {
        let Some(effect) = self.next_effect() else { return false };
        self.answer(effect);
        true
    }

    /// The oldest effect that is no timer, else the earliest timer.
    fn next_effect(&self) -> Option<Effect> {
        let other = self.in_flight.iter().find(|it| !matches!(it, Effect::SetTimer { .. }));
        let timers = self.in_flight.iter().filter_map(|it| match it {
            Effect::SetTimer { at, .. } => Some((*at, it)),
            _ => None,
        });
        other.or_else(|| timers.min_by_key(|(at, _)| *at).map(|(_, it)| it)).cloned()
    }

    pub(crate) fn answer(&mut self, effect: Effect) {
        let event = match effect {
            Effect::LookUpCache { node, key } => {
                Event::CacheAnswered { node, hit: self.world.cache.get(&key).cloned() }
            }
            Effect::StartAttempt { node, plan } => self.executed(node, &plan),
            Effect::StopAttempt { node, attempt } => {
                let outcome = Outcome::Failed(failure(FailureCause::Canceled, "stopped"));
                Event::TaskReported { node, report: self.report(node, attempt, outcome) }
            }
            Effect::Import { node, request } => {
                Event::ImportAnswered { node, result: ImportResult::Imported(Box::new(request.artifact)) }
            }
            Effect::SetTimer { timer, at } => {
                self.now = self.now.max(at);
                Event::TimerDue { timer }
            }
        };
        self.send(event);
    }

    fn executed(&mut self, node: NodeId, plan: &Plan) -> Event {
        let behaviours = &self.world.behaviours;
        let does = behaviours.get(&plan.task.path).or_else(|| behaviours.get(&plan.task.key));
        let outcome = match does.map_or_else(|| Ok(any_outputs(plan)), |does| does(plan)) {
            Ok(outputs) => {
                self.fill_cache(node, &outputs);
                Outcome::Succeeded(outputs)
            }
            Err(failure) => Outcome::Failed(failure),
        };
        Event::TaskReported { node, report: self.report(node, plan.task.attempt, outcome) }
    }

    fn fill_cache(&mut self, node: NodeId, outputs: &TaskOutputs) {
        let view = self.state.node(node).unwrap();
        if let Some(key) = view.cache_key().filter(|_| self.world.fill_cache) {
            let source = penstock_engine::CacheSource { run_id: run_info().id, task_path: view.path() };
            self.world.cache.insert(key.to_owned(), CacheHit { source, outputs: outputs.clone() });
        }
    }

    pub(crate) fn report(&self, node: NodeId, attempt: u32, outcome: Outcome) -> Report {
        let task_id = self.state.task_id(node).unwrap();
        Report {
            attempt: AttemptRef { run_id: run_info().id, task_id, attempt },
            outcome,
            exit_code: None,
            log_uri: Some(format!("s3://bucket/logs/{}/{attempt}", node.0)),
            manifest_digest: None,
            ran_on_host: false,
            timings: None,
        }
    }

    /// Reports an outcome for the attempt of a task that runs.
    pub(crate) fn report_of(&mut self, path: &str, outcome: Outcome) -> Step {
        self.scripted |= matches!(outcome, Outcome::Failed(_));
        let view = self.node(path);
        let (id, attempt) = (view.id, view.attempt.unwrap());
        let report = self.report(id, attempt, outcome);
        self.send(Event::TaskReported { node: id, report })
    }

    pub(crate) fn succeed(&mut self, path: &str) -> Step {
        let plan = self.running_plan(path);
        self.report_of(path, Outcome::Succeeded(any_outputs(&plan)))
    }

    pub(crate) fn running_plan(&self, path: &str) -> Plan {
        let found = self.in_flight.iter().find_map(|effect| match effect {
            Effect::StartAttempt { plan, .. } if plan.task.path == path => Some((**plan).clone()),
            _ => None,
        });
        found.unwrap_or_else(|| panic!("{path} does not run: {:?}", self.running()))
    }

    /// Paths of the tasks that run, in order.
    pub(crate) fn running(&self) -> Vec<String> {
        let plans = self.in_flight.iter().filter_map(|effect| match effect {
            Effect::StartAttempt { plan, .. } => Some(plan.task.path.clone()),
            _ => None,
        });
        plans.collect::<BTreeSet<_>>().into_iter().collect()
    }

    pub(crate) fn find(&self, path: &str) -> Option<NodeView<'_>> {
        self.state.nodes().find(|node| node.path() == path)
    }

    pub(crate) fn node(&self, path: &str) -> NodeView<'_> {
        self.find(path).unwrap_or_else(|| panic!("no node {path}: {:?}", self.statuses()))
    }

    pub(crate) fn status(&self, path: &str) -> TaskStatus {
        self.node(path).status
    }

    pub(crate) fn statuses(&self) -> BTreeMap<String, TaskStatus> {
        self.state.nodes().map(|node| (node.path(), node.status)).collect()
    }

    pub(crate) fn output(&self, path: &str, name: &str) -> Option<Value> {
        self.node(path).outputs().parameters.get(name).cloned()
    }

    pub(crate) fn skip_reason(&self, path: &str) -> SkipReason {
        self.node(path).skip_reason().unwrap_or_else(|| panic!("{path} was not skipped")).clone()
    }

    pub(crate) fn message(&self, path: &str) -> String {
        self.node(path).failure().map(|it| it.message.clone()).unwrap_or_default()
    }

    /// The last plan of a task.
    pub(crate) fn plan(&self, path: &str) -> &Plan {
        self.plans.iter().rfind(|plan| plan.task.path == path).unwrap_or_else(|| panic!("{path} never ran"))
    }

    pub(crate) fn input(&self, path: &str, name: &str) -> Option<Value> {
        self.plan(path).inputs.parameters.get(name).cloned()
    }

    pub(crate) fn attempts(&self, path: &str) -> usize {
        self.plans.iter().filter(|plan| plan.task.path == path).count()
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.now = self.now.checked_add(by).unwrap();
    }

    #[track_caller]
    pub(crate) fn expect(self, status: RunStatus) -> Self {
        assert_eq!(self.state.status(), status, "{:?} {:#?}", self.state.failure(), self.statuses());
        self
    }

    #[track_caller]
    pub(crate) fn succeeds(self) -> Self {
        self.expect(RunStatus::Succeeded)
    }

    #[track_caller]
    pub(crate) fn fails(self) -> Self {
        self.expect(RunStatus::Failed)
    }

    fn folded(&self, facts: usize) -> RunState {
        let facts = self.log.iter().take(facts).map(|(fact, at)| (fact, *at));
        let mut state = RunState::fold(Arc::clone(self.state.pipeline()), facts).unwrap();
        if let Some(attempts) = self.capacity {
            state.set_capacity(attempts);
        }
        state
    }

    /// Facts survive storage, and the fold of the log is this state with these effects in flight.
    fn check_fold(&self) {
        if !self.check || self.log.len() > 2 * CRASH_CHECKED {
            return;
        }
        for (fact, _) in &self.log {
            let text = serde_json::to_string(fact).unwrap();
            assert_eq!(serde_json::from_str::<Fact>(&text).unwrap(), *fact, "a fact does not survive storage");
        }
        let mut folded = self.folded(self.log.len());
        assert_eq!(describe(&folded), describe(&self.state), "F-01: the fold differs from the state");
        let sorted = |effects: &[Effect]| {
            let mut texts: Vec<String> = effects.iter().map(|effect| format!("{effect:?}")).collect();
            texts.sort();
            texts
        };
        let mut found = outstanding(&folded);
        if self.capacity.is_some() {
            // The cache, or a timer, whose answer came before there was room is asked again.
            found.retain(|effect| matches!(effect, Effect::StartAttempt { .. }) || self.in_flight.contains(effect));
        }
        assert_eq!(sorted(&found), sorted(&self.in_flight), "F-01: other effects are outstanding");
        let resumed = folded.resume(self.now);
        assert!(resumed.is_empty(), "a log of whole steps left something open: {resumed:?}");
    }

    /// Every event that ever came changes nothing any more.
    fn check_late_events(&mut self) {
        for event in self.events.clone() {
            if matches!(event, Event::Retry | Event::RetryFrom { .. }) {
                continue;
            }
            let step = self.state.step(event.clone(), self.now);
            assert!(step.is_empty(), "F-03: a late event changed something: {event:?} -> {step:?}");
        }
    }

    /// Cuts the log after every fact, and carries on from what is left: the run ends, and in the same way unless the
    /// test had ideas of its own.
    fn check_crashes(&self) {
        for facts in 1..self.log.len() {
            let state = self.folded(facts);
            let now = self.log.get(facts - 1).unwrap().1;
            let mut other = Host {
                in_flight: Vec::new(),
                log: self.log.iter().take(facts).cloned().collect(),
                now,
                state,
                plans: Vec::new(),
                events: Vec::new(),
                world: self.world.clone(),
                most_at_once: 0,
                capacity: self.capacity,
                check: false,
                scripted: false,
            };
            let step = other.state.resume(now);
            other.take(&step);
            other.in_flight = outstanding(&other.state);
            other.finish();
            assert!(other.state.status().is_final(), "F-01: stuck after a crash at fact {facts}");
            if self.scripted {
                continue;
            }
            assert_eq!(ends(&other.state), ends(&self.state), "F-01: another end after a crash at fact {facts}");
            assert_eq!(other.state.status(), self.state.status());
            assert_eq!(other.state.outputs(), self.state.outputs());
        }
    }
}

fn replaces(new: &Effect, old: &Effect) -> bool {
    match (new, old) {
        (Effect::StopAttempt { node, attempt }, Effect::StartAttempt { node: other, plan }) => {
            node == other && *attempt == plan.task.attempt
        }
        (Effect::SetTimer { timer, .. }, Effect::SetTimer { timer: other, .. }) => timer == other,
        _ => new == old,
    }
}

/// Everything that can be seen of a run, but for inputs.
fn describe(state: &RunState) -> Vec<String> {
    let run = format!(
        "{:?} {:?} {:?} {:?} {:?}",
        state.status(),
        state.failure(),
        state.outputs(),
        state.stop_reason(),
        state.ended_at()
    );
    let nodes = state.nodes().map(|node| {
        format!(
            "{} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
            node.path(),
            node.id,
            node.kind,
            node.status,
            node.attempt,
            node.items,
            node.outputs(),
            node.failure(),
            node.skip_reason(),
            node.cached_from(),
            node.started_at,
            node.ended_at,
            node.retry_at,
            node.inputs(),
        )
    });
    std::iter::once(run).chain(nodes).collect()
}

/// How everything ended, whatever the numbers of nodes and attempts.
fn ends(state: &RunState) -> BTreeMap<String, String> {
    let nodes = state.nodes().map(|node| {
        let end = format!("{:?} {:?} {:?} {:?}", node.status, node.skip_reason(), node.failure(), node.inputs());
        (node.path(), end)
    });
    nodes.collect()
}
