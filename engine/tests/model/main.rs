//! Properties of the engine: random pipelines with random orders of events, crashes and noise, against an interpreter
//! that knows no events.
//!
//! `PENSTOCK_MODEL_CASES` says how many cases are run (10,000 unless it does), `PENSTOCK_MODEL_SEED` with which the
//! first begins. A case that fails is shrunk and printed with its own seed.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod case;
mod compare;
mod condition;
mod detection;
mod expected;
mod features;
mod genome;
mod host;
mod naive;
mod observer;
mod tasks;
mod world;

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use serde_json::Value;

use case::Case;
use features::Features;
use genome::{Genome, genome};
use host::Broken;
use naive::Wrong;

const DEFAULT_CASES: u64 = 10_000;
const DEFAULT_SEED: u64 = 1;
/// Fewer need not come across everything.
const ENOUGH_CASES: u64 = 5_000;

/// A runner whose draws follow from a seed.
fn runner(seed: u64) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config { failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

fn judge(
    genome: &Genome,
    features: &RefCell<Features>,
    wrong: Option<Wrong>,
    broken: Option<Broken>,
) -> Result<(), String> {
    let case = Case::new(genome)?;
    host::run(&case, features, wrong, broken)
}

/// Runs the case of a seed; the error tells it as small as it could be made.
fn check(seed: u64, features: &RefCell<Features>) -> Result<(), String> {
    let mut runner = runner(seed);
    let tree = genome().new_tree(&mut runner).map_err(|reason| reason.to_string())?;
    let first = |genome: &Genome| match catch_unwind(AssertUnwindSafe(|| judge(genome, features, None, None))) {
        Ok(judged) => judged,
        Err(_) => Err("the engine panicked".to_owned()),
    };
    if first(&tree.current()).is_ok() {
        return Ok(());
    }
    match runner.run_one(tree, |genome| first(&genome).map_err(TestCaseError::fail)) {
        Err(TestError::Fail(reason, genome)) => {
            let pipeline = Case::new(&genome).map(|case| outline(&serde_json::to_value(&*case.spec).unwrap()));
            Err(format!("{}\npipeline: {}\n{genome:?}", reason.message(), pipeline.unwrap_or_default()))
        }
        other => Err(format!("a failure that did not come again: {other:?}")),
    }
}

/// A specification without all that says nothing.
pub(crate) fn outline(value: &Value) -> Value {
    let says_something = |value: &Value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::Number(_) => true,
        Value::String(text) => !text.is_empty() && text != "ALL_UPSTREAM_TASKS_SUCCEEDED",
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Bool(true) => true,
    };
    match value {
        Value::Object(members) => {
            let members = members
                .iter()
                .filter(|(key, _)| !matches!(key.as_str(), "taskInfo" | "deploymentSpec" | "logUri" | "type"));
            let members = members.map(|(key, member)| (key.clone(), outline(member)));
            Value::Object(members.filter(|(_, member)| says_something(member)).collect())
        }
        other => other.clone(),
    }
}

fn setting(name: &str, default: u64) -> u64 {
    #[allow(clippy::disallowed_methods, reason = "how much is tested is a setting of the test, not of the engine")]
    let value = std::env::var(name);
    value.map_or(default, |text| text.parse().unwrap_or_else(|error| panic!("{name}={text}: {error}")))
}

#[test]
fn runs_end_as_an_interpreter_without_events_says() {
    let seed = setting("PENSTOCK_MODEL_SEED", DEFAULT_SEED);
    let cases = setting("PENSTOCK_MODEL_CASES", DEFAULT_CASES);
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let failed = AtomicBool::new(false);
    let run = |thread: u64| {
        let features = RefCell::new(Features::default());
        for case in (thread..cases).step_by(threads as usize) {
            if failed.load(Ordering::Relaxed) {
                break;
            }
            let seed = seed.wrapping_add(case);
            check(seed, &features).map_err(|reason| {
                failed.store(true, Ordering::Relaxed);
                format!(
                    "{reason}\nTo run it again: PENSTOCK_MODEL_SEED={seed} PENSTOCK_MODEL_CASES=1 \
                     cargo test -p penstock-engine --test model"
                )
            })?;
        }
        Ok::<Features, String>(features.into_inner())
    };
    let mut features = Features::default();
    std::thread::scope(|scope| {
        let run = &run;
        let all: Vec<_> = (0..threads).map(|thread| scope.spawn(move || run(thread))).collect();
        for thread in all {
            match thread.join().unwrap() {
                Ok(found) => features.add(&found),
                Err(reason) => panic!("{reason}"),
            }
        }
    });
    println!("{cases} cases from seed {seed}: {:#?}", features.0);
    if cases >= ENOUGH_CASES {
        let missing = features.missing(features::ALL);
        assert!(missing.is_empty(), "the cases never came across {missing:?}");
    }
}
