//! F-01: Penstock is killed at random moments, again and again, and every run goes on to the same end.
//!
//! `PENSTOCK_KILLS` sets the number of kills, `PENSTOCK_SEED` repeats the moments of an earlier test.

use std::collections::BTreeMap;
use std::time::Duration;

use penstock_tests::binary;
use penstock_tests::document::RunDocument;
use penstock_tests::invocation::Invocation;
use penstock_tests::process;
use penstock_tests::python;
use penstock_tests::sandbox::Sandbox;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

const KILLS: u32 = 4;
/// A kill comes within this time of the start: the whole run takes a little longer.
const LATEST_KILL: Duration = Duration::from_millis(4_000);
const TASKS: usize = 30;

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}, not a number")))
}

#[test]
fn f01_kills_at_random_moments_change_nothing() {
    let name = "f01_kills_at_random_moments_change_nothing";
    let Some(python) = python::find_or_skip(name) else { return };
    let seed = setting("PENSTOCK_SEED").unwrap_or_else(|| rand::rng().random());
    let kills = setting("PENSTOCK_KILLS").map_or(KILLS, |kills| u32::try_from(kills).unwrap_or(u32::MAX));
    python::note(name, &format!("seed {seed}: PENSTOCK_SEED={seed} repeats it; {kills} kills"));
    let mut moments = StdRng::seed_from_u64(seed);

    let undisturbed = Scenario::new(&python).finish();
    let mut done = 0;
    let mut runs = 0;
    while done < kills {
        let mut scenario = Scenario::new(&python);
        while done < kills && scenario.start_and_kill(moments.random_range(Duration::ZERO..LATEST_KILL)) {
            done += 1;
        }
        assert_eq!(scenario.finish().outputs, undisturbed.outputs, "seed {seed}");
        runs += 1;
        assert!(runs <= kills + 20, "the kills come too late to hit anything: {done} of {kills} did");
    }
}

/// One run of thirty tasks that record when they start and end.
struct Scenario {
    sandbox: Sandbox,
    python: std::path::PathBuf,
    /// Executions of the tasks that had ended well when Penstock was killed; they must stay as they are.
    settled: BTreeMap<String, usize>,
    created: bool,
}

impl Scenario {
    fn new(python: &std::path::Path) -> Scenario {
        let sandbox = Sandbox::new();
        std::fs::create_dir(sandbox.path("records")).expect("a folder for records");
        Scenario { sandbox, python: python.to_owned(), settled: BTreeMap::new(), created: false }
    }

    /// Starts the run, or lets it go on.
    fn next(&self) -> Invocation {
        let command = self.sandbox.penstock().python(&self.python).args(["run", "-o", "json"]);
        if self.created {
            return command.args(["--resume", "latest"]);
        }
        let parameter = format!("record_dir={}", self.sandbox.path("records").display());
        command.arg(binary::samples().join("thirty_tasks.yaml")).args(["-p", &parameter])
    }

    /// Whether Penstock was alive to be killed.
    fn start_and_kill(&mut self, after: Duration) -> bool {
        let mut running = self.next().spawn();
        while running.elapsed() < after && running.is_running() {
            std::thread::sleep(Duration::from_millis(1));
        }
        if !running.is_running() {
            running.wait().expect_code(0);
            self.created = true;
            return false;
        }
        running.kill_now();
        self.look_at_what_is_left();
        true
    }

    /// What the store says after the kill, from a process that has not seen anything before.
    fn look_at_what_is_left(&mut self) {
        let list = self.sandbox.penstock().args(["list", "-o", "json"]).run().expect_code(0);
        let list: Value = serde_json::from_str(&list.stdout).expect("a list");
        let runs = list["runs"].as_array().map_or(0, Vec::len);
        assert!(runs <= 1, "{runs} runs");
        self.created = runs == 1;
        if !self.created {
            return;
        }
        let executions = self.executions();
        let left = self.sandbox.get_latest();
        for path in left.finished() {
            let name = record_name(&left, path);
            let count = executions.get(&name).map_or(0, Vec::len);
            let before = self.settled.insert(name.clone(), count);
            assert!(before.is_none_or(|before| before == count), "{name} had ended, and ran again");
        }
    }

    /// Lets the run come to its end, and judges what happened.
    fn finish(self) -> RunDocument {
        let end = self.next().run().expect_code(0).document();
        assert_eq!(process::alive(&end.run_id), Vec::<u32>::new(), "processes of earlier attempts are alive");
        let executions = self.executions();
        let tasks: Vec<_> = end.tasks.iter().filter(|task| task.kind == "CONTAINER").collect();
        assert_eq!(tasks.len(), TASKS);
        for task in tasks {
            assert_eq!(task.state, "SUCCEEDED", "{task:?}");
            let name = record_name(&end, &task.path);
            let events = executions.get(&name).unwrap_or_else(|| panic!("{name} never ran"));
            if let Some(settled) = self.settled.get(&name) {
                assert_eq!(events.len(), *settled, "{name} had ended before a kill, and ran again: {events:?}");
            }
            assert_eq!(events.last().map(String::as_str), Some("end"), "{name}: {events:?}");
            // Two attempts at a time would write start, start, end, end.
            let overlap = events.windows(2).any(|pair| pair == ["end", "end"]);
            assert!(!overlap, "an old attempt of {name} was alive beside the new one: {events:?}");
        }
        end
    }

    /// The recorded events by task.
    fn executions(&self) -> BTreeMap<String, Vec<String>> {
        let mut executions: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in self.sandbox.read("records/executions.log").lines() {
            let (event, name) = line.split_once(' ').unwrap_or_else(|| panic!("a torn record: {line:?}"));
            executions.entry(name.to_owned()).or_default().push(event.to_owned());
        }
        executions
    }
}

fn record_name(run: &RunDocument, path: &str) -> String {
    let name = &run.task(path).parameters.inputs["name"];
    name.as_str().unwrap_or_else(|| panic!("{path} has the name {name}")).to_owned()
}
