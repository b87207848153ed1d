//! A run that the engine drives: its tasks end as the test says, and its facts are those that a driver would write.

use std::time::Duration;

use penstock_engine::{Effect, Event, NodeId, NodeView, Pipeline, RunState, Timer};
use penstock_metastore::{Append, NewRun, RunRegistration, RunUpdate};
use penstock_spec::Timestamp;
use penstock_spec::check;
use penstock_spec::limits::Limits;
use penstock_spec::report::{AttemptRef, Failure, FailureCause, Outcome, Report, TaskOutputs};
use penstock_spec::run::RunInfo;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::fixture::Answer;
use crate::recorded::Recorded;

pub(crate) struct Driven {
    pub(crate) recorded: Recorded,
    pub(crate) run: Uuid,
    pub(crate) state: RunState,
    pub(crate) now: Timestamp,
    retries: Vec<(NodeId, u32)>,
}

impl Driven {
    /// A run that has started.
    pub(crate) async fn start(pipeline: &str, parameters: &Value, options: Value) -> Driven {
        let recorded = Recorded::start().await;
        let (run, now) = (Uuid::from_u128(99), Timestamp::from_second(1_800_000_000).expect("a time"));
        let info = RunInfo {
            id: run,
            name: "driven-12345".to_owned(),
            display_name: "driven".to_owned(),
            pipeline_name: "driven".to_owned(),
            namespace: String::new(),
            pipeline_root: "s3://b".to_owned(),
            created_at: now,
            scheduled_at: now,
            caching: true,
            workspace: None,
        };
        let parameters = parameters.as_object().expect("an object").clone();
        let new = NewRun {
            info: info.clone(),
            pipeline_text: pipeline.to_owned(),
            parameters: parameters.clone(),
            options,
            registration: RunRegistration::default(),
        };
        recorded.store.create_run(new).await.expect("a run");
        recorded.store.take_epoch(run).await.expect("an epoch");
        let checked = check::load("p.yaml", pipeline.as_bytes(), &Limits::default()).expect("a valid pipeline");
        let state = RunState::new(Pipeline::compile(&checked));
        let mut driven = Driven { recorded, run, state, now, retries: Vec::new() };
        driven.step(Event::Start { run: info, parameters }).await;
        driven
    }

    /// A second later something happens.
    pub(crate) async fn step(&mut self, event: Event) {
        self.now = self.now.checked_add(Duration::from_secs(1)).expect("a time");
        let before = self.state.fact_count();
        let step = self.state.step(event, self.now);
        assert!(!step.facts.is_empty(), "nothing follows from it");
        for effect in step.effects {
            if let Effect::SetTimer { timer: Timer::Retry { node, attempt }, .. } = effect {
                self.retries.push((node, attempt));
            }
        }
        let mut append = Append::new(self.run, 1, before);
        append.facts = step.facts.into_iter().map(|fact| (fact, self.now)).collect();
        append.run_update = Some(RunUpdate {
            status: self.state.status(),
            error: None,
            started_at: self.state.started_at(),
            finished_at: self.state.ended_at(),
        });
        self.recorded.store.append(append).await.expect("it is stored");
    }

    pub(crate) fn node(&self, path: &str) -> NodeView<'_> {
        self.state.nodes().find(|view| view.path() == path).unwrap_or_else(|| panic!("there is no {path}"))
    }

    /// The attempt of a task that runs ends.
    async fn report(&mut self, path: &str, outcome: Outcome) {
        let view = self.node(path);
        let (node, attempt) = (view.id, view.attempt.expect("it runs"));
        let attempt = AttemptRef { run_id: self.run, task_id: view.task_id().expect("its id"), attempt };
        let log_uri = Some(format!("s3://b/{path}.log"));
        let report = Report {
            attempt,
            outcome,
            exit_code: None,
            log_uri,
            manifest_digest: None,
            ran_on_host: false,
            timings: None,
        };
        self.step(Event::TaskReported { node, report }).await;
    }

    pub(crate) async fn succeed(&mut self, path: &str, outputs: Value) {
        let outputs: TaskOutputs = serde_json::from_value(outputs).expect("outputs");
        self.report(path, Outcome::Succeeded(outputs)).await;
    }

    pub(crate) async fn fail(&mut self, path: &str) {
        let failure = Failure { cause: FailureCause::User, message: "it broke".to_owned() };
        self.report(path, Outcome::Failed(failure)).await;
    }

    /// The time of the next attempts has come.
    pub(crate) async fn retry_tasks(&mut self) {
        for (node, attempt) in std::mem::take(&mut self.retries) {
            self.step(Event::TimerDue { timer: Timer::Retry { node, attempt } }).await;
        }
    }

    pub(crate) async fn get(&self, rest: &str) -> Answer {
        self.recorded.get(&format!("/apis/penstock/v1/runs/{}/{rest}", self.run)).await
    }

    /// A tree.
    pub(crate) async fn tree(&self, query: &str) -> Value {
        let tree = self.get(&format!("tree{query}")).await.ok();
        assert!(tree["nodes"].is_array(), "{tree}");
        tree
    }
}

/// The node of a tree that has this path.
pub(crate) fn node<'a>(tree: &'a Value, path: &str) -> &'a Value {
    let nodes = tree["nodes"].as_array().expect("nodes");
    nodes.iter().find(|node| node["path"] == json!(path)).unwrap_or_else(|| panic!("{path} is not in {tree}"))
}

/// The paths in a tree, in order.
pub(crate) fn paths(tree: &Value) -> Vec<&str> {
    tree["nodes"].as_array().expect("nodes").iter().map(|node| node["path"].as_str().expect("a path")).collect()
}
