//! Runs that go on from one of their tasks.

use axum::body::Body;
use axum::http::{Method, Request};
use penstock_engine::{Effect, Event, NodeId, Pipeline, RunState, task_id};
use penstock_metastore::{Append, Command, Listed, NewRun, RunRegistration, RunUpdate, TaskRow};
use penstock_spec::Timestamp;
use penstock_spec::check;
use penstock_spec::limits::Limits;
use penstock_spec::report::{AttemptRef, Outcome, Report, TaskOutputs};
use penstock_spec::run::{RunInfo, RunStatus, TaskStatus};
use serde_json::{Map, json};
use uuid::Uuid;

use crate::fixture::Answer;
use crate::recorded::{Recorded, row};

const CHAIN: &str = r#"
pipelineInfo: {name: chain}
schemaVersion: 2.1.0
root:
  dag:
    tasks:
      a: {taskInfo: {name: a}, componentRef: {name: c}}
      b: {taskInfo: {name: b}, componentRef: {name: c}, dependentTasks: [a]}
      never: {taskInfo: {name: never}, componentRef: {name: c}, triggerPolicy: {condition: "1 > 2"}}
components:
  c: {executorLabel: e}
deploymentSpec:
  executors:
    e: {container: {image: "python:3.12", command: [echo]}}
"#;

/// A run that nobody carries out; so many of its tasks have succeeded.
async fn run(recorded: &Recorded, number: u128, succeeded: usize) -> Uuid {
    let (id, now) = (Uuid::from_u128(number), Timestamp::now());
    let info = RunInfo {
        id,
        name: format!("chain-{number}"),
        display_name: "chain".to_owned(),
        pipeline_name: "chain".to_owned(),
        namespace: String::new(),
        pipeline_root: "s3://b".to_owned(),
        created_at: now,
        scheduled_at: now,
        caching: true,
        workspace: None,
    };
    let new = NewRun {
        info: info.clone(),
        pipeline_text: CHAIN.to_owned(),
        parameters: Map::new(),
        options: json!({}),
        registration: RunRegistration::default(),
    };
    recorded.store.create_run(new).await.expect("it is there");
    recorded.store.take_epoch(id).await.expect("it is there");
    let checked = check::load("p.yaml", CHAIN.as_bytes(), &Limits::default()).expect("it is valid");
    let mut state = RunState::new(Pipeline::compile(&checked));
    let mut append = Append::new(id, 1, 0);
    let mut step = state.step(Event::Start { run: info, parameters: Map::new() }, now);
    for _ in 0..succeeded {
        append.facts.extend(step.facts.drain(..).map(|fact| (fact, now)));
        let started = step.effects.iter().find_map(|effect| match effect {
            Effect::StartAttempt { node, plan } => Some((*node, plan.task.id)),
            _ => None,
        });
        let (node, task) = started.expect("a task runs");
        let report = Report {
            attempt: AttemptRef { run_id: id, task_id: task, attempt: 0 },
            outcome: Outcome::Succeeded(TaskOutputs::default()),
            exit_code: Some(0),
            log_uri: None,
            manifest_digest: None,
            ran_on_host: false,
            timings: None,
        };
        step = state.step(Event::TaskReported { node, report }, now);
    }
    append.facts.extend(step.facts.drain(..).map(|fact| (fact, now)));
    for (node, path) in [(1, "a"), (2, "b"), (3, "never")] {
        append.tasks.push(TaskRow { node: NodeId(node), ..row(path, TaskStatus::Succeeded, Some(0)) });
    }
    append.run_update = Some(RunUpdate {
        status: state.status(),
        error: None,
        started_at: state.started_at(),
        finished_at: state.ended_at(),
    });
    recorded.store.append(append).await.expect("it is there");
    id
}

fn path(run: Uuid, task: impl std::fmt::Display) -> String {
    format!("/apis/penstock/v1/runs/{run}/tasks/{task}:retry")
}

/// What a request to go on is answered.
async fn asked(recorded: &Recorded, path: &str) -> Answer {
    let request = Request::builder().method(Method::POST).uri(path).header("content-type", "application/json");
    recorded.server.send(request.body(Body::empty()).expect("a request")).await
}

#[tokio::test]
async fn run_that_succeeded_is_asked_to_go_on_from_a_task() {
    let recorded = Recorded::start().await;
    let id = run(&recorded, 41, 2).await;
    assert_eq!(recorded.store.run(id).await.expect("it is there").status, RunStatus::Succeeded);
    asked(&recorded, &path(id, task_id(id, "b"))).await.ok();
    let pending = recorded.store.pending_commands(id).await.expect("commands");
    let pending: Vec<_> = pending.into_iter().map(|pending| pending.command).collect();
    assert_eq!(pending, [Listed::Readable(Command::RetryFrom { from: vec![NodeId(2)] })]);
    let shown = recorded.get(&format!("/apis/v2beta1/runs/{id}")).await.ok();
    let not_yet = json!("1970-01-01T00:00:00Z");
    assert_eq!((&shown["state"], &shown["finished_at"]), (&json!("PENDING"), &not_yet), "it counts as obeyed");
    let twice = asked(&recorded, &path(id, "a")).await.refused(409);
    assert!(twice.contains("has not come to pass"), "{twice}");
}

#[tokio::test]
async fn run_goes_on_only_from_what_it_has_and_when_it_has_ended() {
    let recorded = Recorded::start().await;
    let id = run(&recorded, 42, 2).await;
    let never = asked(&recorded, &path(id, "never")).await.refused(409);
    assert!(never.contains("its condition is false: 1 > 2"), "{never}");
    asked(&recorded, &path(id, "nothing")).await.refused(404);
    asked(&recorded, &path(Uuid::from_u128(77), "a")).await.refused(404);
    let running = run(&recorded, 43, 1).await;
    let refused = asked(&recorded, &path(running, "a")).await.refused(409);
    assert!(refused.contains("has not ended"), "{refused}");
    for (run, reason) in [
        (id, "Workflow must be Failed/Error to retry".to_owned()),
        (running, format!("Cannot claim run {running} for retry: not in a terminal state")),
    ] {
        assert_eq!(asked(&recorded, &format!("/apis/v2beta1/runs/{run}:retry")).await.refused(409), reason);
    }
    for run in [id, running] {
        assert!(recorded.store.pending_commands(run).await.expect("commands").is_empty());
    }
}
