use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use penstock_metastore::{
    Append, Listing, Metastore, NewRun, Predicate, RecurringRun, RecurringSource, RunField, RunRecord, RunUpdate,
    StoredPipeline, Trigger,
};
use penstock_metastore::{Comparison, CountsFrom, Operand, PipelineVersion};
use penstock_spec::run::{RunInfo, RunStatus};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::making::*;
use super::*;
use crate::api::ApiSettings;
use crate::runs::{NewSubmission, Submission, SubmissionError};

mod overtaken;
mod virtual_clock;

/// Stores runs without looking at them.
#[derive(Debug)]
struct Runs {
    metastore: Metastore,
    refuses: AtomicBool,
    refuses_for_good: AtomicBool,
}

#[async_trait::async_trait]
impl Submission for Runs {
    async fn submit(&self, submission: NewSubmission) -> Result<(), SubmissionError> {
        if self.refuses.load(Ordering::Relaxed) {
            return Err(SubmissionError::Unavailable("the store is away".to_owned()));
        }
        if self.refuses_for_good.load(Ordering::Relaxed) {
            return Err(SubmissionError::Parameters("the parameter n is missing".to_owned()));
        }
        let now = Timestamp::now();
        let info = RunInfo {
            id: submission.id,
            name: submission.display_name.clone(),
            display_name: submission.display_name,
            pipeline_name: "train".to_owned(),
            namespace: submission.namespace,
            pipeline_root: String::new(),
            created_at: now,
            scheduled_at: submission.scheduled_at.unwrap_or(now),
            caching: true,
            workspace: None,
        };
        let run = NewRun {
            info,
            pipeline_text: submission.pipeline_text,
            parameters: submission.parameters,
            options: json!({}),
            registration: submission.registration,
        };
        Ok(self.metastore.create_run(run).await?)
    }
}

struct World {
    api: Api,
    runs: Arc<Runs>,
    _directory: TempDir,
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

const CREATED: &str = "2026-01-01T10:00:00Z";

fn recurring(number: u128, trigger: Trigger) -> RecurringRun {
    RecurringRun {
        id: Uuid::from_u128(number),
        namespace: String::new(),
        display_name: "hello world".to_owned(),
        description: String::new(),
        experiment: Uuid::from_u128(77),
        created_at: time(CREATED),
        updated_at: time(CREATED),
        run_name: format!("helloworld{number}"),
        enabled: true,
        max_concurrency: 10,
        no_catchup: false,
        trigger,
        source: RecurringSource::Inline("{}".to_owned()),
        parameters: Map::new(),
        pipeline_root: String::new(),
        service_account: "pipeline-runner".to_owned(),
        plugins_input: Map::new(),
        fired: 0,
        counts_from: CountsFrom::Start,
        last_fired: None,
        revision: 0,
        error: None,
    }
}

fn minutely() -> Trigger {
    Trigger::Periodic { seconds: 60, start: None, end: None }
}

impl World {
    async fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let metastore = Metastore::open(&directory.path().join("penstock.db")).await.unwrap();
        let runs = Arc::new(Runs {
            metastore: metastore.clone(),
            refuses: AtomicBool::new(false),
            refuses_for_good: AtomicBool::new(false),
        });
        let api = Api::new(ApiSettings::default(), metastore, runs.clone()).await.unwrap();
        Self { api, runs, _directory: directory }
    }

    async fn with(recurring: RecurringRun) -> Self {
        let world = Self::new().await;
        world.add(recurring).await;
        world
    }

    async fn add(&self, recurring: RecurringRun) {
        self.api.metastore().create_recurring_run(recurring).await.unwrap();
    }

    fn clockwork(&self) -> Clockwork {
        Clockwork::new(self.api.clone())
    }

    /// Turns until nothing more is to do at that time.
    async fn settle(&self, clockwork: &mut Clockwork, now: &str) -> Duration {
        for _ in 0..100 {
            let sleep = clockwork.turn(time(now)).await;
            if !sleep.is_zero() {
                return sleep;
            }
        }
        panic!("it does not settle");
    }

    /// The runs of a recurring run, by slot.
    async fn runs(&self, number: u128) -> Vec<RunRecord> {
        let operand = Operand::Id(Uuid::from_u128(number));
        let predicate = Predicate::Compare { field: RunField::RecurringRun, comparison: Comparison::Equal, operand };
        let listing = Listing { predicates: vec![predicate], ..Listing::by(RunField::ScheduledAt, 1000) };
        let page = self.api.metastore().list_run_records(&listing).await.unwrap();
        page.rows.into_iter().map(|row| row.readable().unwrap()).collect()
    }

    async fn slots(&self, number: u128) -> Vec<String> {
        self.runs(number).await.iter().map(|run| run.row.info.scheduled_at.to_string()).collect()
    }

    async fn error(&self, number: u128) -> Option<String> {
        self.api.metastore().recurring_run(Uuid::from_u128(number)).await.unwrap().error
    }

    async fn end(&self, run: Uuid) {
        let store = self.api.metastore();
        let epoch = store.take_epoch(run).await.unwrap();
        let mut append = Append::new(run, epoch, 0);
        let finished_at = Some(time(CREATED));
        append.run_update =
            Some(RunUpdate { status: RunStatus::Succeeded, error: None, started_at: finished_at, finished_at });
        store.append(append).await.unwrap();
    }
}

#[tokio::test]
async fn one_without_a_trigger_makes_one_run() {
    let world = World::with(recurring(1, Trigger::Once)).await;
    let mut clockwork = world.clockwork();
    for now in [CREATED, "2026-01-01T10:00:01Z", "2027-01-01T00:00:00Z"] {
        world.settle(&mut clockwork, now).await;
        world.settle(&mut world.clockwork(), now).await;
    }
    let [run] = world.runs(1).await.try_into().unwrap();
    assert_eq!(run.row.info.scheduled_at, time(CREATED));
    assert_eq!(run.row.info.display_name, naming::display_name("helloworld1", 1));
    assert_eq!(run.registration.experiment, Some(Uuid::from_u128(77)));
}

#[tokio::test]
async fn it_sleeps_until_the_next_slot_and_not_too_long() {
    let world = World::with(recurring(1, minutely())).await;
    let mut clockwork = world.clockwork();
    assert_eq!(world.settle(&mut clockwork, "2026-01-01T10:00:58Z").await, Duration::from_secs(2));
    assert_eq!(world.settle(&mut clockwork, "2026-01-01T10:00:00Z").await, LONGEST_SLEEP);
    assert_eq!(world.slots(1).await, [""; 0]);
    world.settle(&mut clockwork, "2026-01-01T10:01:00Z").await;
    assert_eq!(world.slots(1).await, ["2026-01-01T10:01:00Z"]);
}

#[tokio::test]
async fn missed_slots_are_caught_up_with_or_run_once() {
    let (start, end) = (Some(time("2026-01-01T08:00:00Z")), Some(time("2026-01-01T08:02:00Z")));
    let cron = Trigger::Cron { expression: "0 * * * * ?".to_owned(), start, end };
    let world = World::with(recurring(1, cron.clone())).await;
    world.add(RecurringRun { no_catchup: true, ..recurring(2, cron) }).await;
    world.add(recurring(3, Trigger::Periodic { seconds: 60, start, end })).await;
    world.add(RecurringRun { no_catchup: true, ..recurring(4, Trigger::Periodic { seconds: 60, start, end }) }).await;
    world.settle(&mut world.clockwork(), "2026-01-01T10:00:00Z").await;
    for (number, expected) in [(1, 2), (2, 1), (3, 2), (4, 1)] {
        assert_eq!(world.runs(number).await.len(), expected, "{number}");
    }
}

#[tokio::test]
async fn no_more_runs_than_allowed_are_under_way() {
    let world = World::with(RecurringRun { max_concurrency: 2, ..recurring(1, minutely()) }).await;
    let mut clockwork = world.clockwork();
    let now = "2026-01-01T10:04:00Z";
    assert_eq!(world.settle(&mut clockwork, now).await, HELD_SLEEP);
    let runs = world.runs(1).await;
    assert_eq!(runs.len(), 2);
    world.end(runs[0].row.info.id).await;
    world.settle(&mut clockwork, now).await;
    let slots = ["2026-01-01T10:01:00Z", "2026-01-01T10:02:00Z", "2026-01-01T10:03:00Z"];
    assert_eq!(world.slots(1).await, slots);
}

#[tokio::test]
async fn disabled_ones_never_fire() {
    let world = World::with(RecurringRun { enabled: false, ..recurring(1, minutely()) }).await;
    world.settle(&mut world.clockwork(), "2026-01-01T12:00:00Z").await;
    // Disabled between the look and the shot.
    let mut clockwork = world.clockwork();
    world.add(recurring(2, minutely())).await;
    let schedules = world.api.metastore().enabled_schedules().await.unwrap();
    let due = clockwork.due(schedules, time("2026-01-01T12:00:00Z")).due;
    world.api.metastore().enable_recurring_run(Uuid::from_u128(2), false).await.unwrap();
    assert_eq!(fire(&world.api, &due[0]).await.unwrap(), Outcome::Gone);
    assert_eq!((world.runs(1).await.len(), world.runs(2).await.len()), (0, 0));
}

#[tokio::test]
async fn a_slot_whose_run_was_made_before_a_crash_fires_once() {
    for no_catchup in [false, true] {
        let one = RecurringRun { max_concurrency: 1, no_catchup, ..recurring(1, minutely()) };
        let world = World::with(one.clone()).await;
        let name = naming::display_name(&one.run_name, 1);
        let (run, slot) = (naming::run_id(one.id, &name), time("2026-01-01T10:01:00Z"));
        let due = Slot::Due { index: 1, at: slot };
        let mut submission = submission(&world.api, one, run, name, due).await.unwrap();
        // As earlier builds did: the slot is counted later.
        submission.registration.slot = None;
        world.runs.submit(submission).await.unwrap();
        // It is noticed later, when another slot is due already.
        let mut clockwork = world.clockwork();
        world.settle(&mut clockwork, "2026-01-01T10:02:30Z").await;
        assert_eq!(world.slots(1).await, ["2026-01-01T10:01:00Z"]);
        world.end(run).await;
        world.settle(&mut clockwork, "2026-01-01T10:02:30Z").await;
        assert_eq!(world.slots(1).await, ["2026-01-01T10:01:00Z", "2026-01-01T10:02:00Z"]);
    }
}

#[tokio::test]
async fn what_fails_is_tried_again_later_and_holds_up_nobody() {
    let world = World::with(recurring(1, Trigger::Once)).await;
    let gone = RecurringSource::Latest(Uuid::from_u128(404));
    world.add(RecurringRun { source: gone, ..recurring(2, Trigger::Once) }).await;
    let mut clockwork = world.clockwork();
    assert_eq!(world.settle(&mut clockwork, "2026-01-01T10:00:00Z").await, Duration::from_secs(1));
    assert_eq!((world.runs(1).await.len(), world.runs(2).await.len()), (1, 0));
    assert!(world.error(2).await.unwrap().contains("there is no pipeline 00000000-"));
    world.runs.refuses.store(true, Ordering::Relaxed);
    world.add(recurring(3, minutely())).await;
    assert_eq!(world.settle(&mut clockwork, "2026-01-01T10:01:00Z").await, Duration::from_secs(1));
    assert_eq!(world.settle(&mut clockwork, "2026-01-01T10:01:01Z").await, Duration::from_secs(1));
    assert_eq!(world.settle(&mut clockwork, "2026-01-01T10:01:02Z").await, Duration::from_secs(1));
    world.runs.refuses.store(false, Ordering::Relaxed);
    world.settle(&mut clockwork, "2026-01-01T10:01:02Z").await;
    assert_eq!(world.slots(3).await, [""; 0], "it is not its turn again");
    assert_eq!(world.error(3).await.as_deref(), Some("its run was refused: the store is away"));
    world.settle(&mut clockwork, "2026-01-01T10:01:03Z").await;
    assert_eq!(world.slots(3).await, ["2026-01-01T10:01:00Z"]);
    assert_eq!(world.error(3).await, None);
}

#[tokio::test]
async fn the_latest_version_is_that_of_the_moment() {
    let world = World::new().await;
    let store = world.api.metastore();
    let pipeline = StoredPipeline {
        id: Uuid::from_u128(5),
        namespace: String::new(),
        name: "train".to_owned(),
        display_name: "train".to_owned(),
        description: String::new(),
        created_at: time(CREATED),
        tags: Default::default(),
    };
    store.create_pipeline(pipeline.clone(), None).await.unwrap();
    let version = |number: u128| PipelineVersion {
        id: Uuid::from_u128(number),
        pipeline: pipeline.id,
        name: number.to_string(),
        display_name: number.to_string(),
        description: String::new(),
        created_at: time(CREATED) + Duration::from_secs(u64::try_from(number).unwrap()),
        package_url: String::new(),
        code_source_url: String::new(),
        tags: Default::default(),
        spec: Value::Null,
        pipeline_text: format!("version {number}"),
    };
    let parameters = json!({"at": "[[Index]]"}).as_object().unwrap().clone();
    let source = RecurringSource::Latest(pipeline.id);
    world.add(RecurringRun { source, parameters, ..recurring(1, minutely()) }).await;
    let mut clockwork = world.clockwork();
    for number in 1..=2_u128 {
        store.create_version(version(number)).await.unwrap();
        world.settle(&mut clockwork, &format!("2026-01-01T10:0{number}:00Z")).await;
    }
    for (run, number) in world.runs(1).await.iter().zip(1..=2_u128) {
        assert_eq!(run.registration.pipeline, Some(pipeline.id));
        assert_eq!(run.registration.version, Some(Uuid::from_u128(number)));
        assert_eq!(run.parameters, *json!({"at": number.to_string()}).as_object().unwrap());
        let spec = store.run_spec(run.row.info.id).await.unwrap();
        assert_eq!(spec.pipeline_text, format!("version {number}"));
    }
    let empty = StoredPipeline { id: Uuid::from_u128(6), name: "empty".to_owned(), ..pipeline };
    let source = RecurringSource::Latest(empty.id);
    store.create_pipeline(empty, None).await.unwrap();
    world.add(RecurringRun { source, ..recurring(2, minutely()) }).await;
    world.settle(&mut clockwork, "2026-01-01T10:03:00Z").await;
    assert!(world.error(2).await.unwrap().contains("there is no version of pipeline 00000000-"));
}

#[tokio::test]
async fn of_several_processes_each_slot_fires_once() {
    let world = World::with(recurring(1, Trigger::Periodic { seconds: 10, start: None, end: None })).await;
    let mut clocks: Vec<Clockwork> = (0..4).map(|_| world.clockwork()).collect();
    for minute in 1..=2 {
        let now = time(&format!("2026-01-01T10:0{minute}:00Z"));
        // Runs that have not ended count; they are at most six and six here.
        for _ in 0..8 {
            futures::future::join_all(clocks.iter_mut().map(|clock| clock.turn(now))).await;
            for run in world.runs(1).await.iter().filter(|run| run.row.finished_at.is_none()) {
                world.end(run.row.info.id).await;
            }
        }
    }
    let slots = world.slots(1).await;
    assert_eq!((slots.len(), slots.iter().collect::<BTreeSet<_>>().len()), (12, 12), "{slots:?}");
    let recurring = world.api.metastore().recurring_run(Uuid::from_u128(1)).await.unwrap();
    assert_eq!((recurring.fired, recurring.last_fired), (12, Some(time("2026-01-01T10:02:00Z"))));
}

#[tokio::test]
async fn a_run_that_is_refused_for_good_has_failed_and_holds_up_no_other() {
    let world = World::with(recurring(1, minutely())).await;
    world.runs.refuses_for_good.store(true, Ordering::Relaxed);
    let mut clockwork = world.clockwork();
    world.settle(&mut clockwork, "2026-01-01T10:02:00Z").await;
    assert_eq!(world.error(1).await.as_deref(), Some("the parameter n is missing"));
    world.runs.refuses_for_good.store(false, Ordering::Relaxed);
    world.settle(&mut clockwork, "2026-01-01T10:03:00Z").await;
    let runs = world.runs(1).await;
    let seen: Vec<_> = runs.iter().map(|run| (run.row.status, run.row.error.as_deref(), run.row.fact_count)).collect();
    let failed = (RunStatus::Failed, Some("the parameter n is missing"), 2);
    assert_eq!(seen, [failed, failed, (RunStatus::Pending, None, 0)]);
    assert_eq!(world.api.metastore().recurring_run(Uuid::from_u128(1)).await.unwrap().fired, 3);
}

#[tokio::test]
async fn a_trigger_that_is_not_understood_is_said_to_be_so() {
    let wrong = Trigger::Cron { expression: "x".to_owned(), start: None, end: None };
    let world = World::with(recurring(1, wrong)).await;
    world.add(recurring(2, Trigger::Once)).await;
    world.settle(&mut world.clockwork(), "2026-01-01T10:00:00Z").await;
    assert!(world.error(1).await.unwrap().contains("not a supported format"));
    assert_eq!(world.runs(2).await.len(), 1);
}

#[tokio::test]
async fn slots_that_passed_have_their_runs_as_there_is_room_and_after_what_is_due() {
    let world = World::with(RecurringRun { max_concurrency: 2, ..recurring(1, minutely()) }).await;
    let store = world.api.metastore();
    let id = Uuid::from_u128(1);
    let past: Vec<Timestamp> = (1..=3).map(|minute| time(&format!("2026-01-01T08:0{minute}:00Z"))).collect();
    store.queue_slots(id, &past).await.unwrap();
    let mut clockwork = world.clockwork();
    let now = "2026-01-01T10:01:10Z";
    assert_eq!(world.settle(&mut clockwork, now).await, HELD_SLEEP);
    assert_eq!(world.slots(1).await, ["2026-01-01T08:01:00Z", "2026-01-01T10:01:00Z"]);
    // Nobody is held up by what is refused, and disabled ones have theirs too.
    world.runs.refuses_for_good.store(true, Ordering::Relaxed);
    store.enable_recurring_run(id, false).await.unwrap();
    world.end(world.runs(1).await[0].row.info.id).await;
    assert_eq!(world.settle(&mut clockwork, now).await, LONGEST_SLEEP);
    let runs = world.runs(1).await;
    let seen: Vec<_> = runs.iter().map(|run| (run.row.info.scheduled_at, run.row.status)).collect();
    assert_eq!(seen[1..3], [(past[1], RunStatus::Failed), (past[2], RunStatus::Failed)]);
    assert_eq!((seen.len(), store.recurring_run(id).await.unwrap().fired), (4, 1));
}
