//! Measures what a step costs: DAGs of growing size and a large loop, every event answered at once. Prints a table;
//! the cost of a fact should not grow with the number of tasks.
//!
//! `cargo run --release -p penstock-engine --example step_cost -- [rounds] [--json]`; with `--json` each row is an object.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a measurement reads the clock and prints")]

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use penstock_engine::{Effect, Event, Fact, Pipeline, RunState, outstanding};
use penstock_spec::Timestamp;
use penstock_spec::check::load;
use penstock_spec::limits::Limits;
use penstock_spec::report::{AttemptRef, Outcome, Report, TaskOutputs};
use penstock_spec::run::{RunInfo, RunStatus};
use serde::Serialize;
use serde_json::{Map, json};
use uuid::Uuid;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const HEAD: &str = "
pipelineInfo: {name: cost}
schemaVersion: 2.1.0
deploymentSpec: {executors: {exec: {container: {image: python, command: [sh, -c, 'echo \"$0\"'], args: ['{{$}}']}}}}
components:
  comp:
    executorLabel: exec
    inputDefinitions: {parameters: {x: {parameterType: STRING, isOptional: true}}}
    outputDefinitions: {parameters: {x: {parameterType: STRING}}}
";

/// Layers of tasks; each takes a value from one task of the layer before and waits for another.
fn layered(tasks: usize, width: usize) -> String {
    let mut text = format!("{HEAD}root:\n  dag:\n    tasks:\n");
    for number in 0..tasks {
        let _ = write!(
            text,
            "      t{number}: {{componentRef: {{name: comp}}, taskInfo: {{name: t}}, cachingOptions: {{enableCache: true}}"
        );
        if let Some(producer) = number.checked_sub(width) {
            let other = (producer / width) * width + (producer + 1) % width;
            let _ = write!(
                text,
                ", dependentTasks: [t{other}], inputs: {{parameters: {{x: {{taskOutputParameter: {{producerTask: t{producer}, outputParameterKey: x}}}}}}}}"
            );
        }
        text.push_str("}\n");
    }
    text
}

/// A chain: each task depends on the one before.
fn chain(tasks: usize) -> String {
    layered(tasks, 1)
}

/// A loop whose iterations have a condition with a task within; the output is collected.
fn looped(limit: usize) -> String {
    format!(
        "{HEAD}
  comp-if:
    inputDefinitions: {{parameters: {{item: {{parameterType: NUMBER_INTEGER}}}}}}
    outputDefinitions: {{parameters: {{x: {{parameterType: STRING}}}}}}
    dag:
      outputs: {{parameters: {{x: {{valueFromParameter: {{producerSubtask: t, outputParameterKey: x}}}}}}}}
      tasks: {{t: {{componentRef: {{name: comp}}, taskInfo: {{name: t}}, inputs: {{parameters: {{x: {{componentInputParameter: item}}}}}}}}}}
  comp-loop:
    inputDefinitions: {{parameters: {{list: {{parameterType: LIST}}, item: {{parameterType: NUMBER_INTEGER}}}}}}
    outputDefinitions: {{parameters: {{x: {{parameterType: LIST}}}}}}
    dag:
      outputs: {{parameters: {{x: {{valueFromParameter: {{producerSubtask: condition, outputParameterKey: x}}}}}}}}
      tasks:
        condition:
          componentRef: {{name: comp-if}}
          taskInfo: {{name: condition}}
          inputs: {{parameters: {{item: {{componentInputParameter: item}}}}}}
          triggerPolicy: {{condition: \"int(inputs.parameter_values['item']) >= 0\"}}
root:
  inputDefinitions: {{parameters: {{list: {{parameterType: LIST, isOptional: true}}}}}}
  outputDefinitions: {{parameters: {{x: {{parameterType: LIST}}}}}}
  dag:
    outputs: {{parameters: {{x: {{valueFromParameter: {{producerSubtask: loop, outputParameterKey: x}}}}}}}}
    tasks:
      loop:
        componentRef: {{name: comp-loop}}
        taskInfo: {{name: loop}}
        inputs: {{parameters: {{list: {{componentInputParameter: list}}}}}}
        parameterIterator: {{items: {{inputParameter: list}}, itemInput: item}}
        iteratorPolicy: {{parallelismLimit: {limit}}}
"
    )
}

/// What one run cost.
struct Cost {
    facts: usize,
    events: usize,
    steps: Duration,
    /// Time of each step, per fact of it.
    per_fact: Vec<f64>,
    worst_step: Duration,
    fold: Duration,
    outstanding: Duration,
}

fn run(pipeline: &Arc<Pipeline>, items: Option<usize>) -> Result<Cost> {
    let now = Timestamp::from_second(1_800_000_000)?;
    let info = RunInfo {
        id: Uuid::from_u128(7),
        name: "cost-x".into(),
        display_name: "cost".into(),
        pipeline_name: "cost".into(),
        namespace: String::new(),
        pipeline_root: "s3://bucket/root".into(),
        created_at: now,
        scheduled_at: now,
        caching: true,
        workspace: None,
    };
    let mut parameters = Map::new();
    parameters.extend(items.map(|items| ("list".to_owned(), json!((0..items).collect::<Vec<_>>()))));
    let mut state = RunState::new(Arc::clone(pipeline));
    let mut log: Vec<Fact> = Vec::new();
    let mut cost = Cost {
        facts: 0,
        events: 0,
        steps: Duration::ZERO,
        per_fact: Vec::new(),
        worst_step: Duration::ZERO,
        fold: Duration::ZERO,
        outstanding: Duration::ZERO,
    };
    let mut events = VecDeque::from([Event::Start { run: info.clone(), parameters }]);
    while let Some(event) = events.pop_front() {
        let began = Instant::now();
        let step = state.step(event, now);
        let took = began.elapsed();
        cost.events += 1;
        cost.steps += took;
        cost.worst_step = cost.worst_step.max(took);
        if !step.facts.is_empty() {
            cost.per_fact.push(took.as_secs_f64() * 1e6 / step.facts.len() as f64);
        }
        log.extend(step.facts);
        events.extend(step.effects.into_iter().filter_map(|effect| answer(effect, &info)));
    }
    if state.status() != RunStatus::Succeeded {
        return Err(format!("the run ended as {:?}: {:?}", state.status(), state.failure()).into());
    }
    cost.facts = log.len();
    let began = Instant::now();
    drop(RunState::fold(Arc::clone(pipeline), log.iter().map(|fact| (fact, now)))?);
    cost.fold = began.elapsed();
    let half = RunState::fold(Arc::clone(pipeline), log.iter().take(log.len() / 2).map(|fact| (fact, now)))?;
    let began = Instant::now();
    drop(outstanding(&half));
    cost.outstanding = began.elapsed();
    Ok(cost)
}

fn answer(effect: Effect, info: &RunInfo) -> Option<Event> {
    match effect {
        Effect::LookUpCache { node, .. } => Some(Event::CacheAnswered { node, hit: None }),
        Effect::StartAttempt { node, plan } => {
            let mut outputs = TaskOutputs::default();
            outputs.parameters.insert("x".into(), json!("value"));
            let attempt = AttemptRef { run_id: info.id, task_id: plan.task.id, attempt: plan.task.attempt };
            let report = Report {
                attempt,
                outcome: Outcome::Succeeded(outputs),
                exit_code: Some(0),
                log_uri: None,
                manifest_digest: None,
                ran_on_host: false,
                timings: None,
            };
            Some(Event::TaskReported { node, report })
        }
        Effect::StopAttempt { .. } | Effect::Import { .. } | Effect::SetTimer { .. } => None,
    }
}

fn quantile(sorted: &[f64], part: f64) -> f64 {
    let last = sorted.len().saturating_sub(1) as f64;
    sorted.get((last * part).round() as usize).copied().unwrap_or_default()
}

/// What all rounds with one pipeline cost.
#[derive(Serialize)]
struct Row {
    pipeline: &'static str,
    size: usize,
    facts: usize,
    events: usize,
    /// Mean of each round, sorted.
    us_per_fact: Vec<f64>,
    us_per_fact_p50: f64,
    us_per_fact_p99: f64,
    worst_step_ms: f64,
    fold_ms: f64,
    outstanding_ms: f64,
}

fn measure(pipeline: &'static str, size: usize, text: &str, items: Option<usize>, rounds: usize) -> Result<Row> {
    let compiled = Pipeline::compile(&load("cost.yaml", text.as_bytes(), &Limits::default())?);
    // One round is not counted: it makes memory and code warm.
    let mut cost = run(&compiled, items)?;
    let mut us_per_fact = Vec::new();
    let mut steps = Vec::new();
    for _ in 0..rounds {
        cost = run(&compiled, items)?;
        us_per_fact.push(cost.steps.as_secs_f64() * 1e6 / cost.facts as f64);
        steps.append(&mut cost.per_fact);
    }
    us_per_fact.sort_by(f64::total_cmp);
    steps.sort_by(f64::total_cmp);
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    Ok(Row {
        pipeline,
        size,
        facts: cost.facts,
        events: cost.events,
        us_per_fact,
        us_per_fact_p50: quantile(&steps, 0.5),
        us_per_fact_p99: quantile(&steps, 0.99),
        worst_step_ms: milliseconds(cost.worst_step),
        fold_ms: milliseconds(cost.fold),
        outstanding_ms: milliseconds(cost.outstanding),
    })
}

fn print(row: &Row) {
    let spread = format!("({:.2} - {:.2})", quantile(&row.us_per_fact, 0.0), quantile(&row.us_per_fact, 1.0));
    println!(
        "{:<20} {:>7} {:>8} {:>12.2} {:>23} {:>22} {:>11} {:>10} {:>12}",
        row.pipeline,
        row.size,
        row.facts,
        quantile(&row.us_per_fact, 0.5),
        spread,
        format!("{:.1} {:.1}", row.us_per_fact_p50, row.us_per_fact_p99),
        format!("{:.1} ms", row.worst_step_ms),
        format!("{:.0} ms", row.fold_ms),
        format!("{:.0} ms", row.outstanding_ms),
    );
}

fn main() -> Result<()> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let json = arguments.iter().position(|argument| argument == "--json").map(|at| arguments.remove(at)).is_some();
    let rounds: usize = arguments.first().map_or(Ok(5), |text| text.parse())?;
    let cases: [(&str, usize, String, Option<usize>); 7] = [
        ("layers of 10", 100, layered(100, 10), None),
        ("layers of 10", 1_000, layered(1_000, 10), None),
        ("layers of 10", 10_000, layered(10_000, 10), None),
        ("one layer", 10_000, layered(10_000, 10_000), None),
        ("chain", 10_000, chain(10_000), None),
        ("loop, all at once", 10_000, looped(0), Some(10_000)),
        ("loop, 50 at a time", 10_000, looped(50), Some(10_000)),
    ];
    if !json {
        println!(
            "{:<20} {:>7} {:>8} {:>12} {:>23} {:>22} {:>11} {:>10} {:>12}",
            "pipeline",
            "size",
            "facts",
            "µs per fact",
            "(min - max of rounds)",
            "step/fact p50 p99 µs",
            "worst step",
            "fold",
            "outstanding"
        );
    }
    for (name, size, text, items) in cases {
        let row = measure(name, size, &text, items, rounds.max(1))?;
        match json {
            true => println!("{}", serde_json::to_string(&row)?),
            false => print(&row),
        }
    }
    Ok(())
}
