use std::collections::VecDeque;

use penstock_engine::{Effect, Event, Pipeline, RunState, Step, Timer};
use penstock_spec::check;
use penstock_spec::limits::Limits;
use penstock_spec::plan::Plan;
use penstock_spec::report::{AttemptRef, Failure, FailureCause, Outcome, Report, TaskOutputs};
use penstock_spec::run::RunInfo;
use serde_json::{Map, json};
use uuid::Uuid;

use super::*;

/// A run whose attempts end when the test says so; a second passes with every event.
struct Run {
    state: RunState,
    now: Timestamp,
    attempts: VecDeque<(penstock_engine::NodeId, Plan)>,
    timers: VecDeque<Timer>,
    waiting: Waiting,
}

impl Run {
    /// Starts a pipeline of which the tasks, groups and executors are given.
    fn start(body: &str) -> Run {
        Self::start_named(body, "trees 2027-01-15 08:00:00")
    }

    fn start_named(body: &str, display_name: &str) -> Run {
        let container = "{container: {image: python, command: [run]}}";
        let text = format!(
            "pipelineInfo: {{name: trees}}\nschemaVersion: 2.1.0\nsdkVersion: kfp-2.17.0\n\
             deploymentSpec: {{executors: {{exec: {container}}}}}\n{body}"
        );
        let checked = check::load("pipeline.yaml", text.as_bytes(), &Limits::default()).expect("a valid pipeline");
        let now = Timestamp::from_second(1_800_000_000).expect("a time");
        let info = RunInfo {
            id: Uuid::from_u128(7),
            name: "trees-00007".to_owned(),
            display_name: display_name.to_owned(),
            pipeline_name: "trees".to_owned(),
            namespace: String::new(),
            pipeline_root: "file:///data".to_owned(),
            created_at: now,
            scheduled_at: now,
            caching: true,
            workspace: None,
        };
        let state = RunState::new(Pipeline::compile(&checked));
        let mut run = Run { state, now, attempts: VecDeque::new(), timers: VecDeque::new(), waiting: Waiting::new() };
        run.send(Event::Start { run: info, parameters: Map::new() });
        run
    }

    fn send(&mut self, event: Event) {
        self.now = Timestamp::from_millisecond(self.now.as_millisecond() + 1000).expect("a time");
        let Step { effects, .. } = self.state.step(event, self.now);
        for effect in effects {
            match effect {
                Effect::StartAttempt { node, plan } => self.attempts.push_back((node, *plan)),
                Effect::SetTimer { timer, .. } => self.timers.push_back(timer),
                other => panic!("nothing in these tests asks for {other:?}"),
            }
        }
    }

    /// Ends the attempt of the task at a path.
    fn end(&mut self, path: &str, result: Result<(), &str>) {
        let at = self.attempts.iter().position(|(_, plan)| plan.task.path == path);
        let (node, plan) = at.and_then(|at| self.attempts.remove(at)).expect("an attempt of the task is running");
        let attempt = AttemptRef { run_id: plan.run.id, task_id: plan.task.id, attempt: plan.task.attempt };
        let failed = |message: &str| Failure { cause: FailureCause::User, message: message.to_owned() };
        let outcome = match result {
            Ok(()) => Outcome::Succeeded(TaskOutputs::default()),
            Err(message) => Outcome::Failed(failed(message)),
        };
        let report = Report {
            attempt,
            outcome,
            exit_code: None,
            log_uri: None,
            manifest_digest: None,
            ran_on_host: false,
            timings: None,
        };
        self.send(Event::TaskReported { node, report });
    }

    fn tree(&self, height: Option<usize>) -> String {
        self.lines(Tree::new(false), height)
    }

    fn lines(&self, tree: Tree, height: Option<usize>) -> String {
        let lines = tree.lines(&self.state, &self.waiting, self.now, height);
        lines.iter().map(|line| line.render(false, 100) + "\n").collect()
    }
}

const CHAIN: &str = "
root:
  dag:
    tasks:
      after: {componentRef: {name: comp}, taskInfo: {name: after}, dependentTasks: [z-first]}
      z-first:
        componentRef: {name: comp}
        taskInfo: {name: the first}
        retryPolicy: {maxRetryCount: 1, backoffDuration: 60s}
components:
  comp: {executorLabel: exec}
";

#[test]
fn tasks_stand_below_those_they_depend_on_whatever_their_names() {
    let mut run = Run::start(CHAIN);
    insta::assert_snapshot!(run.tree(None), @r"
    trees-00007  running  0.0s  1 running, 1 waiting
      ⠋ the first     0.0s
      ○ after
    ");
    run.end("z-first", Ok(()));
    run.end("after", Ok(()));
    insta::assert_snapshot!(run.tree(None), @r"
    trees-00007  succeeded  2.0s  2 done
      ✓ the first     1.0s
      ✓ after         1.0s
    ");
}

#[test]
fn name_that_somebody_gave_a_run_stands_behind_its_own() {
    let head = |name: &str| Run::start_named(CHAIN, name).tree(None).lines().next().map(str::to_owned);
    assert_eq!(head("Rate 0.3").as_deref(), Some("trees-00007 (Rate 0.3)  running  0.0s  1 running, 1 waiting"));
    for made in ["trees 2027-01-15 08:00:00", "trees-00007", ""] {
        assert_eq!(head(made).as_deref(), Some("trees-00007  running  0.0s  1 running, 1 waiting"), "{made}");
    }
    let foreign = head(&format!("\u{1b}[31m{}", "x".repeat(100))).expect("a line");
    assert!(!foreign.contains('\u{1b}') && foreign.contains("x…)"), "{foreign}");
}

#[test]
fn attempt_that_follows_later_shows_when_and_why() {
    let mut run = Run::start(CHAIN);
    run.end("z-first", Err("the process exited with code 4\nand more"));
    insta::assert_snapshot!(run.tree(None), @r"
    trees-00007  running  1.0s  2 waiting
      ↻ the first           next attempt in 1m 00s  the process exited with code 4 …
      ○ after
    ");
    run.now = Timestamp::from_second(run.now.as_second() + 60).expect("a time");
    let timer = run.timers.pop_front().expect("a timer");
    run.send(Event::TimerDue { timer });
    run.end("z-first", Err("the process exited with code 4"));
    insta::assert_snapshot!(run.tree(None), @r"
    trees-00007  failed  1m 03s  1 skipped, 1 failed
      ✗ the first   1m 03s  attempt 2  the process exited with code 4 (after 2 attempts)
      – after               not run: z-first failed
    ");
}

const LOOP: &str = "
root:
  dag:
    tasks:
      each:
        componentRef: {name: comp-each}
        taskInfo: {name: each}
        parameterIterator: {items: {raw: '[1, 2, 3, 4]'}, itemInput: item}
        iteratorPolicy: {parallelismLimit: 3}
components:
  comp: {executorLabel: exec}
  comp-each:
    inputDefinitions: {parameters: {item: {parameterType: NUMBER_INTEGER}}}
    dag:
      tasks:
        work: {componentRef: {name: comp}, taskInfo: {name: work}}
";

#[test]
fn loop_is_one_line_with_counters_until_an_iteration_fails() {
    let mut run = Run::start(LOOP);
    run.end("each[1]/work", Ok(()));
    insta::assert_snapshot!(run.tree(None), @r"
    trees-00007  running  1.0s  1 done, 3 running
      ⠋ each     1.0s  1/4 done, 3 running
    ");
    run.end("each[0]/work", Err("no such column"));
    insta::assert_snapshot!(run.tree(None), @r"
    trees-00007  running  2.0s  1 done, 2 running, 1 failed
      ⠋ each         2.0s  1/4 done, 2 running, 1 failed
        ✗ [0]        2.0s
          ✗ work     2.0s  no such column
    ");
    let all = run.lines(Tree::new(true), None);
    assert!(all.contains("[1]") && all.contains("[3]"), "{all}");
}

#[test]
fn low_terminal_shows_what_failed_and_what_runs_first() {
    let tasks: String = (0..20)
        .map(|number| {
            format!("      t{number:02}: {{componentRef: {{name: comp}}, taskInfo: {{name: t{number:02}}}}}\n")
        })
        .collect();
    let mut run =
        Run::start(&format!("root:\n  dag:\n    tasks:\n{tasks}components:\n  comp: {{executorLabel: exec}}\n"));
    for number in 0..18 {
        run.end(&format!("t{number:02}"), if number == 5 { Err("broken") } else { Ok(()) });
    }
    insta::assert_snapshot!(run.tree(Some(6)), @r"
    trees-00007  running  18s  17 done, 2 running, 1 failed
      ✓ t00     1.0s
      ✗ t05     6.0s  broken
      ⠋ t18      18s
      ⠋ t19      18s
      … 16 more: 16 done
    ");
}

#[test]
fn i14_names_and_reasons_of_strangers_are_shown_inert() {
    let mut run = Run::start(
        "root: {dag: {tasks: {t: {componentRef: {name: comp}, taskInfo: {name: \"a\\e[31m\\u202eb\"}}}}}\n\
         components: {comp: {executorLabel: exec}}\n",
    );
    run.end("t", Err("\u{1b}[2Jgone"));
    let tree = run.tree(None);
    assert!(!tree.contains('\u{1b}') && !tree.contains('\u{202e}'), "{tree:?}");
    assert!(tree.contains("a\\u{1b}[31m") && tree.contains("\\u{1b}[2Jgone"), "{tree}");
}

#[test]
fn siblings_of_one_display_name_go_by_their_keys() {
    let run = Run::start(
        "root: {dag: {tasks: {a: {componentRef: {name: comp}, taskInfo: {name: same}}, \
         b: {componentRef: {name: comp}, taskInfo: {name: same}}, \
         c: {componentRef: {name: comp}, taskInfo: {name: other}}}}}\n\
         components: {comp: {executorLabel: exec}}\n",
    );
    let tree = run.tree(None);
    let names: Vec<&str> = tree.lines().skip(1).filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(json!(names), json!(["a", "b", "other"]));
}

#[test]
fn what_an_attempt_waits_for_stands_beside_it_and_beside_the_loop_that_hides_it() {
    let mut run = Run::start(CHAIN);
    let (node, _) = run.attempts.front().expect("an attempt");
    run.waiting.insert(*node, "ErrImagePull: no such image\u{1b}[2J\nand more".to_owned());
    insta::assert_snapshot!(run.tree(None), @r"
    trees-00007  running  0.0s  1 running, 1 waiting
      ⠋ the first     0.0s  ErrImagePull: no such image\u{1b}[2J …
      ○ after
    ");
    let mut run = Run::start(LOOP);
    run.waiting = run.attempts.iter().map(|(node, _)| (*node, "0/1 nodes are available".to_owned())).collect();
    insta::assert_snapshot!(run.tree(None), @r"
    trees-00007  running  0.0s  3 running
      ⠋ each     0.0s  0/4 done, 3 running  3 held up: 0/1 nodes are available
    ");
    assert_eq!(run.lines(Tree::new(true), None).matches("nodes are available").count(), 3);
}
