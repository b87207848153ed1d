//! Runs that go on from a task: it starts anew although it succeeded, and so does what depends on it.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use penstock_engine::{CacheRefusal, CacheVerdict, Event, Fact, NodeId, explain_cache};
use penstock_spec::plan::Plan;
use penstock_spec::report::{FailureCause, Outcome};
use penstock_spec::run::{CacheRules, RunInfo, RunStatus, TaskStatus};
use serde_json::{Map, json};

use crate::host::{Host, any_outputs, failure, parameters, run_info};

const PIPELINE: &str = "
components:
  comp: {executorLabel: exec, inputDefinitions: {parameters: {i: {parameterType: STRING, isOptional: true}}}, outputDefinitions: {parameters: {x: {parameterType: STRING}}}}
  comp-inner:
    outputDefinitions: {parameters: {x: {parameterType: STRING}}}
    dag:
      outputs: {parameters: {x: {valueFromParameter: {producerSubtask: later, outputParameterKey: x}}}}
      tasks:
        early: {componentRef: {name: comp}, taskInfo: {name: early}, inputs: {parameters: {i: {runtimeValue: {constant: early}}}}}
        later: {componentRef: {name: comp}, taskInfo: {name: later}, inputs: {parameters: {i: {runtimeValue: {constant: later}}}}, dependentTasks: [early]}
        apart: {componentRef: {name: comp}, taskInfo: {name: apart}, inputs: {parameters: {i: {runtimeValue: {constant: apart}}}}}
  comp-outer:
    outputDefinitions: {parameters: {x: {parameterType: STRING}}}
    dag:
      outputs: {parameters: {x: {valueFromParameter: {producerSubtask: inner, outputParameterKey: x}}}}
      tasks:
        inner: {componentRef: {name: comp-inner}, taskInfo: {name: inner}}
        beside: {componentRef: {name: comp}, taskInfo: {name: beside}, inputs: {parameters: {i: {runtimeValue: {constant: beside}}}}}
  comp-notify: {executorLabel: exec-notify, inputDefinitions: {parameters: {status: {parameterType: TASK_FINAL_STATUS}}}}
root:
  dag:
    tasks:
      first: {componentRef: {name: comp}, taskInfo: {name: first}, inputs: {parameters: {i: {runtimeValue: {constant: first}}}}}
      outer: {componentRef: {name: comp-outer}, taskInfo: {name: outer}, dependentTasks: [first]}
      last: {componentRef: {name: comp}, taskInfo: {name: last}, inputs: {parameters: {i: {taskOutputParameter: {producerTask: outer, outputParameterKey: x}}}}}
      alone: {componentRef: {name: comp}, taskInfo: {name: alone}, inputs: {parameters: {i: {runtimeValue: {constant: alone}}}}}
      notify:
        componentRef: {name: comp-notify}
        taskInfo: {name: notify}
        dependentTasks: [outer]
        inputs: {parameters: {status: {taskFinalStatus: {producerTask: outer}}}}
        triggerPolicy: {strategy: ALL_UPSTREAM_TASKS_COMPLETED}
";

/// Lets a run go on from these tasks.
#[track_caller]
fn goes_on(host: &mut Host, from: &[&str]) {
    let from = from.iter().map(|path| host.node(path).id).collect();
    assert!(!host.deliver(Event::RetryFrom { from }).is_empty());
    assert_eq!(host.state.status(), RunStatus::Running);
}

/// Number of attempts of tasks.
fn attempts<const N: usize>(host: &Host, paths: [&str; N]) -> [usize; N] {
    paths.map(|path| host.attempts(path))
}

/// Outputs that tell the attempt.
fn by_attempt(plan: &Plan) -> Result<penstock_spec::report::TaskOutputs, penstock_spec::report::Failure> {
    Ok(parameters(json!({"x": format!("{} {}", plan.task.path, plan.task.attempt)})))
}

#[test]
fn run_that_succeeded_goes_on_from_a_task_within_nested_groups() {
    let mut host = Host::new(PIPELINE).on("later", by_attempt).ran().succeeds();
    goes_on(&mut host, &["outer/inner/later"]);
    assert_eq!(host.running(), ["outer/inner/later"]);
    for path in ["outer", "outer/inner", "outer/inner/later"] {
        assert_eq!(host.status(path), TaskStatus::Running, "{path}");
    }
    for path in ["last", "notify"] {
        assert_eq!(host.status(path), TaskStatus::Pending, "{path}: it depends on a group that is taken up");
    }
    host.finish();
    let host = host.succeeds();
    assert_eq!(attempts(&host, ["outer/inner/later", "last", "notify"]), [2, 2, 2]);
    assert_eq!(attempts(&host, ["first", "alone", "outer/beside", "outer/inner/early", "outer/inner/apart"]), [1; 5]);
    assert_eq!(host.input("last", "i"), Some(json!("outer/inner/later 1")), "it is given what came of it");
    assert_eq!(host.input("notify", "status").unwrap()["state"], "SUCCEEDED");
}

#[test]
fn group_that_is_named_starts_from_the_beginning() {
    let mut host = Host::new(PIPELINE).ran().succeeds();
    goes_on(&mut host, &["outer/inner"]);
    assert_eq!(host.running(), ["outer/inner/apart", "outer/inner/early"]);
    host.finish();
    let host = host.succeeds();
    assert_eq!(attempts(&host, ["outer/inner/early", "outer/inner/later", "outer/inner/apart", "last"]), [2; 4]);
    assert_eq!(attempts(&host, ["first", "outer/beside", "alone"]), [1; 3]);
}

#[test]
fn several_tasks_start_anew_and_everything_behind_them_once() {
    let mut host = Host::new(PIPELINE).ran().succeeds();
    goes_on(&mut host, &["first", "outer/inner/later", "alone"]);
    assert_eq!(host.running(), ["alone", "first"], "what is within a group that waits waits with it");
    host.finish();
    let host = host.succeeds();
    assert_eq!(attempts(&host, ["first", "alone", "outer/inner/early", "outer/inner/later", "last", "notify"]), [2; 6]);
}

#[test]
fn run_that_failed_goes_on_from_a_task_and_retries_the_rest_as_ever() {
    let works = Rc::new(Cell::new(false));
    let does = Rc::clone(&works);
    let weak = move |plan: &Plan| match does.get() {
        true => Ok(any_outputs(plan)),
        false => Err(failure(FailureCause::User, "not yet")),
    };
    let mut host = Host::new(PIPELINE).on("alone", weak).ran().fails();
    works.set(true);
    goes_on(&mut host, &["last"]);
    assert_eq!(host.running(), ["alone", "last"]);
    host.finish();
    let host = host.succeeds();
    assert_eq!(attempts(&host, ["first", "outer/inner/later", "notify", "alone", "last"]), [1, 1, 1, 2, 2]);
}

#[test]
fn run_goes_on_again_and_again_and_from_elsewhere() {
    let mut host = Host::new(PIPELINE).ran().succeeds();
    for round in 1..4 {
        goes_on(&mut host, &["outer/inner/later"]);
        host.finish();
        host = host.succeeds();
        assert_eq!(attempts(&host, ["outer/inner/later", "last", "first"]), [round + 1, round + 1, 1]);
    }
    goes_on(&mut host, &["last"]);
    host.finish();
    let host = host.succeeds();
    assert_eq!(attempts(&host, ["outer/inner/later", "last"]), [4, 5]);
}

#[test]
fn exit_task_that_is_named_runs_alone() {
    let mut host = Host::new(PIPELINE).ran().succeeds();
    goes_on(&mut host, &["notify"]);
    assert_eq!(host.running(), ["notify"]);
    host.finish();
    let host = host.succeeds();
    assert_eq!(attempts(&host, ["notify", "last", "outer/inner/later"]), [2, 1, 1]);
}

#[test]
fn task_that_fails_when_it_starts_anew_fails_the_run() {
    let once = |plan: &Plan| match plan.task.attempt {
        0 => Ok(any_outputs(plan)),
        _ => Err(failure(FailureCause::User, "once is enough")),
    };
    let mut host = Host::new(PIPELINE).on("later", once).ran().succeeds();
    goes_on(&mut host, &["outer/inner/later"]);
    host.finish();
    let host = host.fails();
    assert_eq!(host.status("outer"), TaskStatus::Failed);
    assert_eq!(host.status("last"), TaskStatus::Skipped, "its result of before is void");
    assert_eq!(host.input("notify", "status").unwrap()["state"], "FAILED");
}

const CONDITION: &str = "
components:
  comp: {executorLabel: exec, outputDefinitions: {parameters: {x: {parameterType: STRING}}}}
  comp-if: {inputDefinitions: {parameters: {x: {parameterType: STRING}}}, dag: {tasks: {then: {componentRef: {name: comp}, taskInfo: {name: then}}, more: {componentRef: {name: comp}, taskInfo: {name: more}, dependentTasks: [then]}}}}
root:
  dag:
    tasks:
      flip: {componentRef: {name: comp}, taskInfo: {name: flip}}
      heads:
        componentRef: {name: comp-if}
        taskInfo: {name: heads}
        inputs: {parameters: {x: {taskOutputParameter: {producerTask: flip, outputParameterKey: x}}}}
        triggerPolicy: {condition: \"inputs.parameter_values['x'] == 'heads'\"}
      tails:
        componentRef: {name: comp-if}
        taskInfo: {name: tails}
        inputs: {parameters: {x: {taskOutputParameter: {producerTask: flip, outputParameterKey: x}}}}
        triggerPolicy: {condition: \"inputs.parameter_values['x'] == 'tails'\"}
      after: {componentRef: {name: comp}, taskInfo: {name: after}, dependentTasks: [heads]}
";

#[test]
fn condition_is_asked_anew_only_when_what_it_depends_on_is() {
    let flip =
        |plan: &Plan| Ok(parameters(json!({"x": if plan.task.attempt.is_multiple_of(2) { "heads" } else { "tails" }})));
    let mut host = Host::new(CONDITION).on("flip", flip).ran().succeeds();
    goes_on(&mut host, &["heads/more"]);
    assert_eq!(host.running(), ["heads/more"]);
    host.finish();
    let mut host = host.succeeds();
    assert_eq!(attempts(&host, ["heads/then", "heads/more", "after", "flip"]), [1, 2, 2, 1]);
    assert_eq!(host.status("tails"), TaskStatus::Skipped);

    goes_on(&mut host, &["flip"]);
    host.finish();
    let mut host = host.succeeds();
    assert_eq!(host.status("heads"), TaskStatus::Skipped);
    assert_eq!(host.status("after"), TaskStatus::Skipped);
    assert_eq!(attempts(&host, ["tails/then", "tails/more", "heads/then"]), [1, 1, 1]);
    let refused = |host: &Host, path: &str| host.state.retry_refusal(&[host.node(path).id], host.now);
    assert!(refused(&host, "heads").unwrap().contains("its condition is false"));
    assert!(refused(&host, "after").unwrap().contains("heads did not run"));
    assert!(refused(&host, "heads/more").unwrap().contains("void"), "it belongs to a group that did not run this time");
    assert_eq!(refused(&host, "tails/more"), None);
    let from = vec![host.node("tails/more").id, host.node("heads/more").id];
    assert!(host.deliver(Event::RetryFrom { from }).is_empty(), "all or none");
}

const LOOP: &str = "
components:
  comp: {executorLabel: exec, inputDefinitions: {parameters: {i: {parameterType: NUMBER_INTEGER}}}, outputDefinitions: {parameters: {x: {parameterType: STRING}}}}
  comp-use: {executorLabel: exec-use, inputDefinitions: {parameters: {all: {parameterType: LIST}}}}
  comp-loop:
    inputDefinitions: {parameters: {i: {parameterType: NUMBER_INTEGER}}}
    outputDefinitions: {parameters: {x: {parameterType: LIST}}}
    dag:
      outputs: {parameters: {x: {valueFromParameter: {producerSubtask: b, outputParameterKey: x}}}}
      tasks:
        a: {componentRef: {name: comp}, taskInfo: {name: a}, inputs: {parameters: {i: {componentInputParameter: i}}}}
        b: {componentRef: {name: comp}, taskInfo: {name: b}, dependentTasks: [a], inputs: {parameters: {i: {componentInputParameter: i}}}}
root:
  dag:
    tasks:
      loop:
        componentRef: {name: comp-loop}
        taskInfo: {name: loop}
        parameterIterator: {items: {raw: '[0, 1, 2, 3]'}, itemInput: i}
        iteratorPolicy: {parallelismLimit: 1}
      use:
        componentRef: {name: comp-use}
        taskInfo: {name: use}
        inputs: {parameters: {all: {taskOutputParameter: {producerTask: loop, outputParameterKey: x}}}}
";

#[test]
fn task_of_one_iteration_starts_anew_and_the_others_stay() {
    let mut host = Host::new(LOOP).on("b", by_attempt).ran().succeeds();
    goes_on(&mut host, &["loop[2]/b"]);
    assert_eq!(host.running(), ["loop[2]/b"]);
    host.finish();
    let host = host.succeeds();
    let iterations = |task: &str| [0, 1, 2, 3].map(|index| host.attempts(&format!("loop[{index}]/{task}")));
    assert_eq!((iterations("a"), iterations("b")), ([1; 4], [1, 1, 2, 1]));
    let all = json!(["loop[0]/b 0", "loop[1]/b 0", "loop[2]/b 1", "loop[3]/b 0"]);
    assert_eq!((host.attempts("use"), host.input("use", "all")), (2, Some(all)));
}

#[test]
fn iterations_start_anew_whole_one_by_one() {
    let mut host = Host::new(LOOP).ran().succeeds();
    goes_on(&mut host, &["loop[3]", "loop[1]"]);
    assert_eq!(host.running(), ["loop[1]/a"], "in order, and within the limit");
    let to_come = [0, 1, 2, 3].map(|index| host.node(&format!("loop[{index}]")).is_to_come_again());
    assert_eq!(to_come, [false, false, false, true], "what waits for its turn is not shown as it was before");
    host.finish();
    let host = host.succeeds();
    assert_eq!(host.most_at_once, 1);
    let iterations = |task: &str| [0, 1, 2, 3].map(|index| host.attempts(&format!("loop[{index}]/{task}")));
    assert_eq!((iterations("a"), iterations("b")), ([1, 2, 1, 2], [1, 2, 1, 2]));
}

#[test]
fn what_was_wanted_of_an_iteration_stays_wanted_until_it_has_had_its_turn() {
    let fails_once = |plan: &Plan| match plan.task.attempt {
        1 => Err(failure(FailureCause::User, "this time")),
        _ => Ok(any_outputs(plan)),
    };
    let mut host = Host::new(LOOP).on("loop[0]/b", fails_once).ran().succeeds();
    goes_on(&mut host, &["loop[0]/b", "loop[3]/a"]);
    host.finish();
    let mut host = host.fails();
    assert_eq!(attempts(&host, ["loop[0]/b", "loop[3]/a"]), [2, 1], "the first failed, so the last had no turn");
    host.deliver(Event::Retry);
    host.finish();
    let mut host = host.succeeds();
    assert_eq!(attempts(&host, ["loop[0]/b", "loop[3]/a", "loop[3]/b", "loop[1]/a"]), [3, 2, 2, 1]);
    goes_on(&mut host, &["use"]);
    host.finish();
    let host = host.succeeds();
    assert_eq!(attempts(&host, ["loop[3]/a", "use"]), [2, 3], "it has come to pass");
}

#[test]
fn iteration_that_a_shorter_list_leaves_out_cannot_start_anew() {
    let text = "
components:
  comp-list: {executorLabel: exec-list, outputDefinitions: {parameters: {x: {parameterType: LIST}}}}
  comp: {executorLabel: exec, inputDefinitions: {parameters: {i: {parameterType: NUMBER_INTEGER}}}}
  comp-each: {inputDefinitions: {parameters: {i: {parameterType: NUMBER_INTEGER}, l: {parameterType: LIST}}}, dag: {tasks: {do: {componentRef: {name: comp}, taskInfo: {name: do}, inputs: {parameters: {i: {componentInputParameter: i}}}}}}}
root:
  dag:
    tasks:
      list: {componentRef: {name: comp-list}, taskInfo: {name: list}}
      each:
        componentRef: {name: comp-each}
        taskInfo: {name: each}
        inputs: {parameters: {l: {taskOutputParameter: {producerTask: list, outputParameterKey: x}}}}
        parameterIterator: {items: {inputParameter: l}, itemInput: i}
";
    let list =
        |plan: &Plan| Ok(parameters(json!({"x": if plan.task.attempt == 0 { vec![1, 2, 3] } else { vec![1, 2] }})));
    let mut host = Host::new(text).on("list", list).ran().succeeds();
    goes_on(&mut host, &["list"]);
    host.finish();
    let mut host = host.succeeds();
    assert_eq!(attempts(&host, ["each[0]/do", "each[1]/do", "each[2]/do"]), [2, 2, 1]);
    for path in ["each[2]", "each[2]/do"] {
        let from = vec![host.node(path).id];
        assert!(host.state.retry_refusal(&from, host.now).unwrap().contains("void"), "{path}");
        assert!(host.deliver(Event::RetryFrom { from }).is_empty(), "{path}");
    }
    goes_on(&mut host, &["each[1]/do"]);
    host.finish();
    assert_eq!(host.attempts("each[1]/do"), 3);
}

#[test]
fn run_cannot_go_on_from_what_it_has_not() {
    let mut host = Host::new(PIPELINE).started(json!({}));
    let first = host.node("first").id;
    assert!(host.deliver(Event::RetryFrom { from: vec![first] }).is_empty(), "it has not ended");
    host.finish();
    let mut host = host.succeeds();
    for (from, reason) in [
        (vec![], "nothing to retry"),
        (vec![NodeId::ROOT], "submit it again"),
        (vec![NodeId(1_000_000)], "no task of number 1000000"),
        (vec![first, NodeId::ROOT], "submit it again"),
    ] {
        assert!(host.state.retry_refusal(&from, host.now).unwrap().contains(reason), "{from:?}");
        assert!(host.deliver(Event::RetryFrom { from }).is_empty());
    }
    let facts = host.log.len();
    let bad = Fact::RetryRequested { from: vec![NodeId::ROOT] };
    let error = host.state.apply(&bad, host.now).unwrap_err();
    assert!(error.to_string().starts_with(&format!("fact {facts} of the run's log")), "{error}");
}

#[test]
fn late_report_of_the_round_before_changes_nothing_when_its_task_starts_anew() {
    let mut host = Host::new(PIPELINE).ran().succeeds();
    let (node, plan) = (host.node("last").id, host.plan("last").clone());
    goes_on(&mut host, &["last"]);
    let late = host.report(node, 0, Outcome::Succeeded(any_outputs(&plan)));
    assert!(host.deliver(Event::TaskReported { node, report: late }).is_empty());
    host.finish();
    host.succeeds();
}

/// All tasks use the cache, which has all that they ever made.
fn cached() -> Host {
    let text = PIPELINE
        .replace("componentRef: {name: comp},", "cachingOptions: {enableCache: true}, componentRef: {name: comp},");
    Host::new(&text).on("later", by_attempt).caching().ran().succeeds()
}

#[test]
fn task_that_is_named_does_not_take_its_own_result_from_the_cache() {
    let mut host = cached();
    let key = host.node("outer/inner/later").cache_key().unwrap().to_owned();
    goes_on(&mut host, &["outer/inner/later"]);
    assert_eq!(host.running(), ["outer/inner/later"]);
    let verdict =
        |host: &Host, path: &str| explain_cache(&host.state, &host.node(path), &CacheRules::default(), Vec::new());
    assert_eq!(verdict(&host, "outer/inner/later"), CacheVerdict::Off(CacheRefusal::Retry));
    host.finish();
    let mut host = host.succeeds();
    assert_eq!(host.node("outer/inner/later").cache_key(), Some(key.as_str()), "its new result goes to the cache");
    assert_eq!(attempts(&host, ["outer/inner/later", "last"]), [2, 2], "what depends on it is given something else");
    // Its dependants ask, as ever.
    goes_on(&mut host, &["first"]);
    host.finish();
    let host = host.succeeds();
    assert_eq!(host.attempts("first"), 2);
    assert_eq!(attempts(&host, ["outer/inner/early", "outer/inner/later", "last"]), [1, 2, 2]);
    let source = host.node("outer/inner/later").cached_from().cloned().unwrap();
    assert_eq!(source.task_path, "outer/inner/later");
    assert_eq!(host.input("last", "i"), Some(json!("outer/inner/later 1")), "the newest of its results");
}

#[test]
fn nothing_within_a_group_that_is_named_comes_from_the_cache() {
    let mut host = cached();
    goes_on(&mut host, &["outer"]);
    host.finish();
    let host = host.succeeds();
    let within = ["outer/beside", "outer/inner/early", "outer/inner/later", "outer/inner/apart"];
    assert_eq!(attempts(&host, within), [2; 4]);
}

#[test]
fn new_result_stays_wanted_until_there_is_one() {
    let mut host = cached();
    goes_on(&mut host, &["alone", "outer/inner"]);
    host.deliver(Event::Terminate { reason: "stop".to_owned() });
    host.finish();
    let mut host = host.expect(RunStatus::Canceled);
    host.deliver(Event::Retry);
    host.finish();
    let mut host = host.succeeds();
    assert_eq!(attempts(&host, ["alone", "outer/inner/early", "outer/inner/later"]), [3, 3, 2], "none was taken");
    goes_on(&mut host, &["first"]);
    host.finish();
    let host = host.succeeds();
    assert_eq!(host.attempts("outer/inner/early"), 3, "it has a new one, and is asked for none any more");
}

#[test]
fn workspace_of_a_run_that_succeeded_is_gone() {
    let ran = |mut host: Host| {
        let run = RunInfo { workspace: Some("/shared/space".to_owned()), ..run_info() };
        host.deliver(Event::Start { run, parameters: Map::new() });
        host.finish();
        host
    };
    let host = ran(Host::new(PIPELINE)).succeeds();
    let from = [host.node("first").id];
    assert!(host.state.retry_refusal(&from, host.now).unwrap().contains("workspace"));
    let host = ran(Host::new(PIPELINE).failing("alone")).fails();
    assert_eq!(host.state.retry_refusal(&from, host.now), None, "it stays after a failure");
}

#[test]
fn workspace_of_a_run_that_failed_is_gone_when_its_pipeline_says_so() {
    let container = "{container: {image: python, command: [run]}}";
    let pipeline = format!(
        "{PIPELINE}deploymentSpec: {{executors: {{exec: {container}, exec-notify: {container}}}}}
---
platforms: {{kubernetes: {{pipelineConfig: {{resourceTtlOnFailure: 600, workspace: {{size: 1Gi}}}}}}}}
"
    );
    let ran = |namespace: &str, workspace: Option<&str>| {
        let mut host = Host::new(&pipeline).failing("alone");
        let (namespace, workspace) = (namespace.to_owned(), workspace.map(str::to_owned));
        let run = RunInfo { namespace, workspace, ..run_info() };
        host.deliver(Event::Start { run, parameters: Map::new() });
        host.finish();
        host.fails()
    };
    let host = ran("team", Some("/kfp-workspace"));
    let ended = host.state.ended_at().unwrap();
    let after = |seconds| ended.checked_add(Duration::from_secs(seconds)).unwrap();
    assert_eq!(host.state.retry_refusal(&[], after(599)), None);
    let refusal = host.state.retry_refusal(&[], after(600)).unwrap();
    assert!(refusal.contains("kept for the 600 s") && refusal.contains("submit it again"), "{refusal}");
    assert!(host.state.retry_refusal(&[host.node("first").id], after(600)).is_some());
    let stays = ran("", Some("/home/me/work"));
    assert_eq!(stays.state.retry_refusal(&[], after(6000)), None, "on one machine");
    assert_eq!(ran("team", None).state.retry_refusal(&[], after(6000)), None, "there is none to be missed");
}

#[test]
fn facts_and_commands_of_earlier_builds_name_no_task() {
    let fact = json!({"fact": "retryRequested"});
    let read: Fact = serde_json::from_value(fact.clone()).unwrap();
    assert_eq!(read, Fact::RetryRequested { from: Vec::new() });
    assert_eq!(serde_json::to_value(read).unwrap(), fact);
    let fact = json!({"fact": "taskReady", "node": 1, "cacheKey": "k"});
    let read: Fact = serde_json::from_value(fact.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), fact);
}
