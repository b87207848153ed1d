//! Several processes and one Lease, by a virtual clock.

#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use tokio::task::JoinHandle;

use super::*;

/// A Lease in memory, with faults.
#[derive(Default)]
struct MemoryLease {
    record: Mutex<Option<LeaseRecord>>,
    writes: AtomicUsize,
}

impl MemoryLease {
    fn now(&self) -> LeaseRecord {
        self.record.lock().unwrap().clone().unwrap()
    }

    fn touch(&self) {
        let mut record = self.record.lock().unwrap();
        let record = record.as_mut().unwrap();
        record.version = format!("{}x", record.version);
    }
}

/// One process's way to the Lease.
struct Path {
    lease: Arc<MemoryLease>,
    /// No answers.
    cut: AtomicBool,
    /// The next write takes effect and its answer is lost (F-08).
    lose_answer: AtomicBool,
}

#[async_trait]
impl LeaseStore for Path {
    async fn read(&self) -> Result<Option<LeaseRecord>, LeaseStoreError> {
        if self.cut.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        Ok(self.lease.record.lock().unwrap().clone())
    }

    async fn write(&self, record: &LeaseRecord) -> Result<LeaseRecord, LeaseStoreError> {
        if self.cut.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        let written = {
            let mut stored = self.lease.record.lock().unwrap();
            if stored.as_ref().map_or("", |stored| stored.version.as_str()) != record.version {
                return Err(LeaseStoreError::Conflict);
            }
            let count = self.lease.writes.fetch_add(1, Ordering::Relaxed);
            let written = LeaseRecord { version: format!("v{count}"), ..record.clone() };
            *stored = Some(written.clone());
            written
        };
        if self.lose_answer.swap(false, Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        Ok(written)
    }
}

/// A process that wants to work.
struct Contender {
    path: Arc<Path>,
    works: Arc<AtomicBool>,
    starts: Arc<AtomicUsize>,
    standing: watch::Receiver<LeaseStanding>,
    shutdown: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Contender {
    fn start(lease: &Arc<MemoryLease>, identity: &str) -> Contender {
        let path = Path { lease: Arc::clone(lease), cut: AtomicBool::new(false), lose_answer: AtomicBool::new(false) };
        let path = Arc::new(path);
        let holder = LeaseHolder::new(Arc::clone(&path) as Arc<dyn LeaseStore>, LeaseSettings::new(identity));
        let (works, starts) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (shutdown, mut asked) = watch::channel(false);
        let standing = holder.standing();
        let (working, counted) = (Arc::clone(&works), Arc::clone(&starts));
        let task = tokio::spawn(async move {
            let work = |stop: Stop| {
                let (working, counted) = (Arc::clone(&working), Arc::clone(&counted));
                async move {
                    working.store(true, Ordering::Relaxed);
                    counted.fetch_add(1, Ordering::Relaxed);
                    stop.requested().await;
                    working.store(false, Ordering::Relaxed);
                }
            };
            holder.run(async move { drop(asked.wait_for(|asked| *asked).await) }, work).await;
        });
        Contender { path, works, starts, standing, shutdown, task }
    }

    fn works(&self) -> bool {
        self.works.load(Ordering::Relaxed)
    }

    async fn until_it_works(&self) -> Duration {
        let start = Instant::now();
        while !self.works() {
            assert!(start.elapsed() < Duration::from_secs(600), "it never gets to work");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        start.elapsed()
    }
}

const DURATION: Duration = Duration::from_secs(15);

/// A long time, in which never more than one may work.
async fn watch_both(one: &Contender, two: &Contender, time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        assert!(!(one.works() && two.works()), "both work");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn f36_one_works_and_the_other_waits() {
    let lease = Arc::new(MemoryLease::default());
    let one = Contender::start(&lease, "one");
    one.until_it_works().await;
    let two = Contender::start(&lease, "two");
    watch_both(&one, &two, Duration::from_secs(3600)).await;
    assert!(one.works() && !two.works());
    assert_eq!(one.starts.load(Ordering::Relaxed), 1);
    assert_eq!(*two.standing.borrow(), LeaseStanding::Waiting);
}

#[tokio::test(start_paused = true)]
async fn lease_that_is_given_back_is_taken_at_once() {
    let lease = Arc::new(MemoryLease::default());
    let one = Contender::start(&lease, "one");
    one.until_it_works().await;
    let two = Contender::start(&lease, "two");
    tokio::time::sleep(Duration::from_secs(60)).await;
    one.shutdown.send_replace(true);
    one.task.await.unwrap();
    assert!(!one.works.load(Ordering::Relaxed));
    assert_eq!(lease.now().holder, "");
    assert!(two.until_it_works().await < Duration::from_secs(5));
    assert_eq!(lease.now().transitions, 1);
}

/// F-36, F-45: a holder that reaches the API server no more stops before anybody else starts.
#[tokio::test(start_paused = true)]
async fn f36_cut_off_holder_stops_before_the_other_starts() {
    let lease = Arc::new(MemoryLease::default());
    let one = Contender::start(&lease, "one");
    one.until_it_works().await;
    let two = Contender::start(&lease, "two");
    tokio::time::sleep(Duration::from_secs(60)).await;
    one.path.cut.store(true, Ordering::Relaxed);
    watch_both(&one, &two, Duration::from_secs(60)).await;
    assert!(!one.works() && two.works());
    one.path.cut.store(false, Ordering::Relaxed);
    watch_both(&one, &two, Duration::from_secs(60)).await;
    assert!(two.works(), "it does not take it away again");
}

/// F-36: a frozen holder does not run at all; when it wakes, another works, and it stops at its first step.
#[tokio::test(start_paused = true)]
async fn f36_frozen_holder_is_replaced_and_stops_when_it_wakes() {
    let lease = Arc::new(MemoryLease::default());
    let settings = LeaseSettings::new("one");
    let path = Path { lease: Arc::clone(&lease), cut: AtomicBool::new(false), lose_answer: AtomicBool::new(false) };
    let holder = LeaseHolder::new(Arc::new(path), settings);
    // Nobody polls it: it is frozen from now on.
    let mut held = holder.acquire().await;
    let two = Contender::start(&lease, "two");
    let waited = two.until_it_works().await;
    assert!(waited >= DURATION, "{waited:?}");
    assert!(waited < DURATION * 2, "{waited:?}");
    let writes = lease.writes.load(Ordering::Relaxed);
    let reason = tokio::time::timeout(Duration::from_millis(1), holder.keep(&mut held)).await.unwrap();
    assert_eq!(reason, "it could not be renewed in time");
    assert_eq!(lease.writes.load(Ordering::Relaxed), writes, "it writes nothing");
    assert_eq!(lease.now().holder, "two");
}

/// R4, F-31: clocks of others count for nothing.
#[tokio::test(start_paused = true)]
async fn r4_times_of_others_are_not_compared_with_our_clock() {
    for renewed in [Timestamp::UNIX_EPOCH, Timestamp::MAX] {
        let lease = Arc::new(MemoryLease::default());
        *lease.record.lock().unwrap() = Some(LeaseRecord {
            holder: "other".to_owned(),
            duration: Duration::from_secs(15),
            acquired: renewed,
            renewed,
            transitions: 3,
            version: "v".to_owned(),
        });
        let one = Contender::start(&lease, "one");
        let waited = one.until_it_works().await;
        assert!(waited >= DURATION && waited < DURATION * 2, "{renewed}: {waited:?}");
        assert_eq!(lease.now().transitions, 4);
    }
}

#[tokio::test(start_paused = true)]
async fn absurd_duration_of_another_holder_does_not_stop_everybody() {
    let lease = Arc::new(MemoryLease::default());
    *lease.record.lock().unwrap() = Some(LeaseRecord {
        holder: "gone".to_owned(),
        duration: Duration::from_secs(u64::from(u32::MAX)),
        acquired: Timestamp::UNIX_EPOCH,
        renewed: Timestamp::UNIX_EPOCH,
        transitions: 0,
        version: "v".to_owned(),
    });
    let waited = Contender::start(&lease, "one").until_it_works().await;
    assert!(waited >= LONGEST_DURATION && waited < LONGEST_DURATION * 2, "{waited:?}");
}

/// F-08: a write whose answer was lost is ours all the same.
#[tokio::test(start_paused = true)]
async fn f08_lost_answers_and_touched_labels_do_not_cost_the_lease() {
    let lease = Arc::new(MemoryLease::default());
    let one = Contender::start(&lease, "one");
    one.path.lose_answer.store(true, Ordering::Relaxed);
    one.until_it_works().await;
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_secs(7)).await;
        lease.touch();
        one.path.lose_answer.store(true, Ordering::Relaxed);
    }
    assert!(one.works());
    assert_eq!((one.starts.load(Ordering::Relaxed), lease.now().transitions), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn many_contenders_and_random_cuts_never_work_at_the_same_time() {
    let seed = rand::random::<u64>();
    println!("seed {seed}");
    let mut random = <rand::rngs::StdRng as rand::SeedableRng>::seed_from_u64(seed);
    let lease = Arc::new(MemoryLease::default());
    let contenders: Vec<_> = (0..4).map(|number| Contender::start(&lease, &format!("c{number}"))).collect();
    let mut worked = std::collections::BTreeSet::new();
    for _ in 0..2000 {
        for contender in &contenders {
            let roll = rand::RngExt::random_range(&mut random, 0..100);
            if roll < 4 {
                contender.path.cut.store(roll < 2, Ordering::Relaxed);
            }
            contender.path.lose_answer.store(roll == 50, Ordering::Relaxed);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        let at_work: Vec<_> = (0..4).filter(|number| contenders[*number].works()).collect();
        assert!(at_work.len() <= 1, "seed {seed}: {at_work:?} work");
        worked.extend(at_work);
    }
    assert!(worked.len() > 1, "seed {seed}: no fault ever moved the lease");
}
