//! Ten years of a store under a virtual clock: several processes whose clocks differ by seconds, processes that die in the
//! middle, answers that are lost, outages of months, other time zones after them, and people who change what recurs while it
//! fires. Each due slot has to have one run, by the rule of each recurring run, as [`model`] knows it.
//!
//! `PENSTOCK_SCHEDULES` sets the number of recurring runs, `PENSTOCK_SEED` repeats a test as far as chance is ours.

#[path = "../../../../metastore/tests/postgres/server.rs"]
mod database;
mod model;

use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use futures::future::{join, join_all};
use penstock_metastore::StoreLocation;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use super::*;
use crate::schedule::tests::expressions::{BEGIN, Expression, YEARS, ZONES, setting};
use jiff::tz::TimeZone;
use model::{Meant, Model, Rule, at};

/// Recurring runs of one store, at most.
const SCHEDULES: u64 = 6;
const PROCESSES: usize = 3;
const DAY: i64 = 24 * 3600;
const END: i64 = BEGIN + YEARS * 365 * DAY;
/// How far apart the clocks of processes are, in seconds.
const SKEW: i64 = 20;

/// Makes runs, or says that it did not.
#[derive(Debug)]
struct Flaky {
    metastore: Metastore,
    /// Whether nothing goes wrong.
    calm: Arc<AtomicBool>,
    random: Mutex<StdRng>,
}

#[async_trait::async_trait]
impl Submission for Flaky {
    async fn submit(&self, submission: NewSubmission) -> Result<(), SubmissionError> {
        let dice = match self.calm.load(Ordering::Relaxed) {
            true => 50,
            false => self.random.lock().unwrap_or_else(PoisonError::into_inner).random_range(0..100),
        };
        if dice < 4 {
            return Err(SubmissionError::Unavailable("the store of artifacts is away".to_owned()));
        }
        for _ in 0..dice % 8 {
            tokio::task::yield_now().await;
        }
        Runs { metastore: self.metastore.clone(), refuses: false.into(), refuses_for_good: false.into() }
            .submit(submission)
            .await?;
        match dice < 8 {
            true => Err(SubmissionError::Unavailable("the answer was lost".to_owned())),
            false => Ok(()),
        }
    }
}

/// A process that looks after recurring runs.
struct Process {
    api: Api,
    clock: Clockwork,
}

impl Process {
    async fn start(location: &StoreLocation, zone: &TimeZone, calm: &Arc<AtomicBool>, seed: u64) -> Self {
        let metastore = Metastore::open(location.clone()).await.unwrap();
        let random = Mutex::new(StdRng::seed_from_u64(seed));
        let runs = Arc::new(Flaky { metastore: metastore.clone(), calm: Arc::clone(calm), random });
        let settings = ApiSettings { schedule_zone: Some(zone.clone()), ..ApiSettings::default() };
        let api = Api::new(settings, metastore, runs).await.unwrap();
        Self { clock: Clockwork::new(api.clone()), api }
    }

    /// Looks several times; dies in the middle of some.
    async fn work(&mut self, now: i64, fates: Vec<Option<u32>>) {
        for dies_after in fates {
            match dies_after {
                None => {
                    self.clock.turn(at(now)).await;
                }
                Some(steps) => {
                    tokio::select! {
                        _ = self.clock.turn(at(now)) => {}
                        () = pass(steps) => {}
                    }
                    self.clock = Clockwork::new(self.api.clone());
                }
            }
        }
    }
}

async fn pass(steps: u32) {
    for _ in 0..steps {
        tokio::task::yield_now().await;
    }
}

/// What somebody does to a recurring run.
enum Wish {
    Change(Rule),
    Enable(bool),
}

/// What was done, and how many slots had fired then.
struct Done {
    index: usize,
    wish: Wish,
    fired: u64,
}

#[derive(Debug, Default)]
struct Counts {
    looks: u32,
    outages: u32,
    changes: u32,
    runs: u64,
}

struct Years {
    location: StoreLocation,
    processes: Vec<Process>,
    calm: Arc<AtomicBool>,
    random: StdRng,
    models: Vec<Model>,
    /// Runs of each that have not ended.
    active: Vec<Vec<Uuid>>,
    counts: Counts,
}

impl Years {
    async fn new(location: StoreLocation, schedules: u64, seed: u64) -> Self {
        let (mut random, calm) = (StdRng::seed_from_u64(seed), Arc::new(AtomicBool::new(true)));
        let zone = TimeZone::get(ZONES.choose(&mut random).unwrap()).unwrap();
        let mut models = Vec::new();
        for number in 1..=u128::from(schedules) {
            let rule = random_rule(&mut random, BEGIN);
            let one = RecurringRun {
                created_at: at(BEGIN),
                no_catchup: random.random_bool(0.4),
                max_concurrency: random.random_range(1..=10),
                ..recurring(number, rule.trigger())
            };
            let what = format!("recurring run {number} (seed {seed}, no_catchup {})", one.no_catchup);
            models.push(Model::new(one, rule, zone.clone(), what));
        }
        let active = models.iter().map(|_| Vec::new()).collect();
        let mut years =
            Self { location, processes: Vec::new(), calm, random, models, active, counts: Counts::default() };
        years.restart(&zone).await;
        for model in &years.models {
            years.store().create_recurring_run(model.recurring.clone()).await.unwrap();
        }
        years
    }

    fn store(&self) -> &Metastore {
        self.processes[0].api.metastore()
    }

    /// All processes end and start again, in a time zone.
    async fn restart(&mut self, zone: &TimeZone) {
        for process in std::mem::take(&mut self.processes) {
            process.api.metastore().close().await;
        }
        for _ in 0..PROCESSES {
            let seed = self.random.random();
            self.processes.push(Process::start(&self.location, zone, &self.calm, seed).await);
        }
        for model in &mut self.models {
            model.zone = zone.clone();
            model.begin_anew();
        }
    }

    async fn pass(mut self, mut trouble: impl FnMut(&Counts) -> Option<JoinHandle<()>>) -> Counts {
        let mut now = BEGIN;
        while now < END {
            now += self.random.random_range(1..12 * DAY);
            if self.random.random_bool(0.04) {
                now += self.random.random_range(20 * DAY..100 * DAY);
                let zone = TimeZone::get(ZONES.choose(&mut self.random).unwrap()).unwrap();
                self.restart(&zone).await;
                self.counts.outages += 1;
            }
            self.end_some().await;
            let trouble = trouble(&self.counts);
            self.look(now, trouble).await;
            self.counts.looks += 1;
        }
        for model in &self.models {
            let operand = Operand::Id(model.recurring.id);
            let of_it = Predicate::Compare { field: RunField::RecurringRun, comparison: Comparison::Equal, operand };
            let listing = Listing { predicates: vec![of_it], ..Listing::by(RunField::ScheduledAt, 1) };
            let page = self.store().list_run_records(&listing).await.unwrap();
            assert_eq!(page.total, model.fired, "{}: runs of no slot", model.what);
            self.counts.runs += page.total;
        }
        for process in self.processes {
            process.api.metastore().close().await;
        }
        self.counts
    }

    /// All processes look, while something goes wrong and somebody changes something; then one looks in peace.
    async fn look(&mut self, now: i64, trouble: Option<JoinHandle<()>>) {
        let random = &mut self.random;
        let mut times: Vec<i64> = (0..PROCESSES).map(|_| now - random.random_range(0..SKEW)).collect();
        let fates: Vec<Vec<Option<u32>>> = times
            .iter()
            .map(|_| {
                let fate = |random: &mut StdRng| random.random_bool(0.3).then(|| random.random_range(0..150));
                (0..random.random_range(1..4)).map(|_| fate(random)).collect()
            })
            .collect();
        let wish = random.random_bool(0.2).then(|| {
            let index = random.random_range(0..self.models.len());
            let wish = match random.random_bool(0.4) {
                true => Wish::Change(random_rule(random, now)),
                false => Wish::Enable(!self.models[index].enabled),
            };
            (index, wish, random.random_range(0..100))
        });
        self.calm.store(false, Ordering::Relaxed);
        let store = self.store().clone();
        let working = self.processes.iter_mut().zip(&times).zip(fates);
        let working = join_all(working.map(|((process, time), fates)| process.work(*time, fates)));
        let (_, done) = join(working, fulfil(&store, &self.models, wish, now)).await;
        if let Some(trouble) = trouble {
            tokio::task::block_in_place(|| trouble.join().unwrap());
        }
        self.calm.store(true, Ordering::Relaxed);
        times.push(now);
        self.counts.changes += u32::from(done.is_some());
        for model in &mut self.models {
            model.scan(now);
        }
        let mut peaceful = Clockwork::new(self.processes[0].api.clone());
        // What was done before is looked at first, by the rules that there were then.
        self.collect(done, &times).await;
        loop {
            let sleep = peaceful.turn(at(now)).await;
            if !self.collect(None, &times).await && !sleep.is_zero() {
                break;
            }
        }
        for (model, active) in self.models.iter().zip(&self.active) {
            if model.enabled && active.len() < model.recurring.max_concurrency as usize {
                model.assert_done(now);
            }
        }
    }

    /// Looks at what has fired. Whether anything has, and its runs have ended so that more may.
    async fn collect(&mut self, mut done: Option<Done>, times: &[i64]) -> bool {
        let (store, mut ended) = (self.store().clone(), Vec::new());
        for (index, model) in self.models.iter_mut().enumerate() {
            let stored = store.recurring_run(model.recurring.id).await.unwrap();
            if let Some(Done { wish, fired, .. }) = done.take_if(|done| done.index == index) {
                self.active[index].extend(fire_up_to(model, fired, &store, times).await);
                match wish {
                    Wish::Change(rule) => model.change(rule, *times.last().unwrap()),
                    Wish::Enable(enabled) => model.enabled = enabled,
                }
            }
            assert!(model.enabled || stored.fired == model.fired, "{}: it is disabled", model.what);
            self.active[index].extend(fire_up_to(model, stored.fired, &store, times).await);
            assert_eq!(stored.last_fired, model.last.map(at), "{}", model.what);
            let active = &mut self.active[index];
            assert!(active.len() <= model.recurring.max_concurrency as usize, "{}: {active:?}", model.what);
            // The runs of every other one end at once.
            if index % 2 == 0 {
                ended.append(active);
            }
        }
        end(&store, &ended).await;
        !ended.is_empty()
    }

    /// Some of the runs under way end.
    async fn end_some(&mut self) {
        let mut ended = Vec::new();
        for active in &mut self.active {
            let count = self.random.random_range(0..=active.len());
            ended.extend(active.drain(..count));
        }
        end(self.store(), &ended).await;
    }
}

/// The model fires what has; returns the runs.
async fn fire_up_to(model: &mut Model, fired: u64, store: &Metastore, times: &[i64]) -> Vec<Uuid> {
    let mut runs = Vec::new();
    while model.fired < fired {
        let name = naming::display_name(&model.recurring.run_name, model.fired + 1);
        let run = store.run(naming::run_id(model.recurring.id, &name)).await;
        let run = run.unwrap_or_else(|error| panic!("{}: {error}", model.what)).info;
        model.fire(run.scheduled_at.as_second(), times);
        runs.push(run.id);
    }
    runs
}

async fn fulfil(store: &Metastore, models: &[Model], wish: Option<(usize, Wish, u32)>, now: i64) -> Option<Done> {
    let (index, wish, steps) = wish?;
    let id = models[index].recurring.id;
    pass(steps).await;
    let fired = match &wish {
        Wish::Change(rule) => loop {
            let before = store.recurring_run(id).await.unwrap();
            let fired = before.fired;
            if store
                .update_recurring_run(crate::recurring::with_trigger(before, rule.trigger(), at(now)))
                .await
                .unwrap()
            {
                break fired;
            }
        },
        Wish::Enable(enabled) => {
            store.enable_recurring_run(id, *enabled).await.unwrap();
            // What is enabled may have fired already.
            if *enabled { models[index].fired } else { store.recurring_run(id).await.unwrap().fired }
        }
    };
    Some(Done { index, wish, fired })
}

async fn end(store: &Metastore, runs: &[Uuid]) {
    let now = Some(at(BEGIN));
    join_all(runs.iter().map(|run| async {
        let mut append = Append::new(*run, store.take_epoch(*run).await.unwrap(), 0);
        append.run_update =
            Some(RunUpdate { status: RunStatus::Succeeded, error: None, started_at: now, finished_at: now });
        store.append(append).await.unwrap();
    }))
    .await;
}

fn random_rule(random: &mut StdRng, now: i64) -> Rule {
    let meant = match random.random_bool(0.75) {
        true => Meant::Cron(Box::new(Expression::sparse(random))),
        false => Meant::Every(random.random_range(5 * DAY..60 * DAY)),
    };
    let start = random.random_bool(0.3).then(|| now + random.random_range(-100 * DAY..100 * DAY));
    let end = random.random_bool(0.1).then(|| now + random.random_range(200 * DAY..2000 * DAY));
    Rule { meant, start, end }
}

/// As many stores as the recurring runs need, one after the other.
async fn all_years(
    name: &str,
    mut place: impl AsyncFnMut() -> StoreLocation,
    mut trouble: impl FnMut(&Counts) -> Option<JoinHandle<()>>,
) {
    let mut rest = setting("PENSTOCK_SCHEDULES").unwrap_or(SCHEDULES);
    while rest > 0 {
        let seed = setting("PENSTOCK_SEED").unwrap_or_else(|| rand::rng().random());
        println!("{name}: PENSTOCK_SEED={seed} begins the same");
        let schedules = rest.min(SCHEDULES);
        let counts = Years::new(place().await, schedules, seed).await.pass(&mut trouble).await;
        println!("{name}: {schedules} recurring runs, {counts:?}");
        rest -= schedules;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_due_slot_has_one_run_in_ten_years_on_sqlite() {
    let directory = TempDir::new().unwrap();
    let mut number = 0;
    let place = async || {
        number += 1;
        StoreLocation::Sqlite(directory.path().join(format!("{number}.db")))
    };
    all_years("SQLite", place, |_| None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_due_slot_has_one_run_in_ten_years_on_postgresql() {
    let Some(server) = database::Server::start().map(Arc::new) else { return };
    let mut number = 0;
    let place = async || {
        number += 1;
        server.sql("postgres", &format!("CREATE DATABASE years_{number}"));
        StoreLocation::Postgres(server.url(&format!("years_{number}")).parse().unwrap())
    };
    // The server itself crashes now and then, and the processes go on.
    let trouble = |counts: &Counts| {
        let server = Arc::clone(&server);
        (counts.looks % 200 == 100).then(|| std::thread::spawn(move || server.crash_and_restart()))
    };
    all_years("PostgreSQL", place, trouble).await;
}
