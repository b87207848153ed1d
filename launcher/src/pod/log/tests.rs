use std::fs;
use std::io::Write;

use penstock_objectstore::failing::{FailingStore, Fault};
use penstock_objectstore::memory::MemoryStore;
use penstock_objectstore::retry::RetrySettings;
use penstock_objectstore::{StoreSettings, Stores, TransferSettings};
use penstock_spec::log_times::{LogTimes, index_uri};
use tokio::time::{Instant, sleep};

use super::*;

const PERIOD: Duration = Duration::from_secs(60);
const URI: &str = "mem://bucket/log";

struct World {
    directory: tempfile::TempDir,
    store: Arc<FailingStore>,
    transfer: Arc<Transfer>,
    log: PodLog,
}

impl World {
    /// A log and a store that refuses as many calls, beginning with the first.
    fn new(refusals: u64) -> World {
        World::with(Fault::Denied, refusals, TransferSettings::default())
    }

    fn with(fault: Fault, faults: u64, settings: TransferSettings) -> World {
        let directory = tempfile::tempdir().expect("a directory");
        let store = Arc::new(FailingStore::new(Arc::new(MemoryStore::new("bucket")), fault, 1, faults));
        let stores = Stores::new(StoreSettings::default()).expect("stores");
        stores.insert("mem", "bucket", store.clone());
        let transfer = Arc::new(Transfer::new(Arc::new(stores), settings));
        let path = directory.path().join("log");
        let index = directory.path().join("times");
        let log = PodLog::new(Arc::clone(&transfer), path, index, URI.to_owned(), PERIOD);
        World { directory, store, transfer, log }
    }

    fn write(&self, text: &str) {
        let path = self.directory.path().join("log");
        let mut file = fs::File::options().create(true).append(true).open(path).expect("a log");
        file.write_all(text.as_bytes()).expect("written");
    }

    async fn stored(&self) -> String {
        self.object(URI).await
    }

    async fn times(&self) -> LogTimes {
        let mut times = LogTimes::default();
        times.read(&self.object(&index_uri(URI)).await);
        times
    }

    async fn object(&self, uri: &str) -> String {
        let bytes = self.transfer.get_bytes(uri, 2 << 20).await.expect("the store answers").unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

#[tokio::test(start_paused = true)]
async fn f46_log_of_a_running_process_is_stored_when_it_has_grown_and_at_no_other_time() {
    let world = World::new(0);
    world.log.ship();
    sleep(PERIOD * 10).await;
    assert_eq!(world.store.calls(), 0, "nothing was written");
    world.write("one\n");
    sleep(PERIOD * 10).await;
    assert_eq!(world.store.calls(), 2, "the log and its times");
    world.write("two\n");
    world.log.ship();
    sleep(PERIOD * 10).await;
    assert_eq!(world.store.calls(), 4, "asking again changes nothing");
    assert_eq!(world.stored().await, "one\ntwo\n");
    assert_eq!(world.times().await.length(), 8, "they are there if the node is lost now");
}

#[tokio::test(start_paused = true)]
async fn f46_first_look_comes_before_a_minute_has_passed() {
    let world = World::new(0);
    world.write("one\n");
    world.log.ship();
    sleep(Duration::from_secs(23)).await;
    assert_eq!(world.store.calls(), 0);
    sleep(Duration::from_secs(14)).await;
    assert_eq!(world.stored().await, "one\n");
}

#[tokio::test(start_paused = true)]
async fn f46_whole_log_replaces_its_end_and_nothing_follows_it() {
    let world = World::new(0);
    let long = "x".repeat(usize::try_from(TAIL).expect("it fits"));
    world.write("begun\n");
    world.write(&long);
    world.log.ship();
    sleep(PERIOD).await;
    assert!(world.stored().await == long, "its end");
    assert_eq!(world.times().await.length(), TAIL, "and the times of that");
    assert_eq!(world.log.store().await.as_deref(), Some(URI));
    let calls = world.store.calls();
    world.write("late\n");
    sleep(PERIOD * 10).await;
    assert_eq!(world.store.calls(), calls);
    assert!(world.stored().await.starts_with("begun\nx"));
}

#[tokio::test(start_paused = true)]
async fn f46_log_that_cannot_be_stored_is_warned_of_once_and_tried_again() {
    let (written, warnings) = captured();
    let _guard = tracing::subscriber::set_default(written);
    // Two calls each time.
    let world = World::new(10);
    world.write("one\n");
    world.log.ship();
    sleep(PERIOD * 5).await;
    assert!((6..=10).contains(&world.store.faults()), "once a minute: {}", world.store.faults());
    sleep(PERIOD * 5).await;
    assert_eq!(world.stored().await, "one\n");
    let text = warnings.text();
    assert_eq!(text.matches("cannot store the").count(), 1, "{text}");
    assert!(text.contains("cannot store the log so far at mem://bucket/log"), "{text}");
    assert!(text.contains("injected: denied"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn f46_store_that_is_away_holds_up_nothing_and_has_its_limit() {
    let (written, warnings) = captured();
    let _guard = tracing::subscriber::set_default(written);
    // Nearly each wait for another try is longer than the test.
    let (long, tries) = (PERIOD * 1_000_000, 1_000_000);
    let retry = RetrySettings { tries, base: long, cap: long, budget: long * 1_000 };
    let world = World::with(Fault::Unreached, u64::MAX, TransferSettings { retry, ..TransferSettings::default() });
    world.write("one\n");
    world.log.ship();
    sleep(PERIOD * 5).await;
    assert!(warnings.text().contains("did not take it within 30 s"), "{}", warnings.text());
    let calls = world.store.calls();
    assert!((6..=12).contains(&calls), "one at a time: {calls}");
    let began = Instant::now();
    world.log.take_shipping().expect("it goes on").end().await;
    assert!(began.elapsed() <= Duration::from_secs(1), "{:?}", began.elapsed());
    sleep(PERIOD * 10).await;
    assert_eq!(world.store.calls(), calls, "nothing follows");
}

#[tokio::test(start_paused = true)]
async fn f46_what_is_no_file_is_not_stored() {
    let world = World::new(0);
    std::os::unix::fs::symlink("/etc/passwd", world.directory.path().join("log")).expect("a link");
    world.log.ship();
    sleep(PERIOD * 3).await;
    assert_eq!(world.store.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn log_is_stored_with_its_times() {
    let world = World::new(0);
    world.log.ship();
    world.write("one\n");
    sleep(Duration::from_secs(1)).await;
    assert_eq!(world.log.store().await.as_deref(), Some(URI));
    assert_eq!(world.times().await.length(), 4);
    // Of a log that goes on growing its end is kept, and the times of that.
    let long = "x".repeat(usize::try_from(TAIL).expect("it fits"));
    world.write(&long);
    assert_eq!(world.log.store_tail().await.as_deref(), Some(URI));
    assert_eq!(world.times().await.length(), TAIL);
}

#[tokio::test(start_paused = true)]
async fn attempt_that_printed_nothing_stores_no_times() {
    let world = World::new(0);
    world.log.ship();
    assert_eq!(world.log.store().await, None);
    assert_eq!(world.object(&index_uri(URI)).await, "");
}

/// Warnings, and what is written of them.
fn captured() -> (impl tracing::Subscriber, Lines) {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .finish();
    (subscriber, lines)
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
