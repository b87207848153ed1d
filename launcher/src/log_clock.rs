//! Notes by when the log of a process has grown, while it is written to.

use std::fs::{File, OpenOptions, symlink_metadata};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use penstock_objectstore::Transfer;
use penstock_spec::log_times::{self, LogTimes, MOST_BYTES, Pace};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{sleep, timeout};

use crate::clock::SteadyClock;
use crate::report::describe;

/// Time between two looks, and so how exact times are.
const LOOK: Duration = Duration::from_millis(200);

/// How long a report may be held up by them.
const STORE_LIMIT: Duration = Duration::from_secs(10);

/// The times of one log, from the process's start until this is dropped.
#[derive(Debug)]
pub(crate) struct LogClock {
    noting: Arc<Mutex<Noting>>,
    _looking: JoinSet<()>,
}

impl LogClock {
    /// Begins to look at a log, which need not be there yet. Its index is a file, too: whoever reads the log while it is
    /// written to finds its times there, and so does a launcher that takes the place of this one.
    pub(crate) fn start(log: PathBuf, index: &Path) -> LogClock {
        let noting = Arc::new(Mutex::new(Noting::new(log, index)));
        let mut looking = JoinSet::new();
        let looked_at = Arc::clone(&noting);
        looking.spawn(async move {
            loop {
                sleep(LOOK).await;
                let noting = Arc::clone(&looked_at);
                // One at a time: a disk that hangs takes one thread.
                if spawn_blocking(move || lock(&noting).look(false)).await.is_err() {
                    return;
                }
            }
        });
        LogClock { noting, _looking: looking }
    }

    /// The times of all that is in the log by now.
    pub(crate) async fn times(&self) -> LogTimes {
        let noting = Arc::clone(&self.noting);
        let times = spawn_blocking(move || {
            let mut noting = lock(&noting);
            noting.look(true);
            noting.times.clone()
        });
        times.await.unwrap_or_default()
    }
}

/// Stores the times of a log beside it, if there are any.
pub(crate) async fn store(transfer: &Transfer, times: &LogTimes, log_uri: &str) -> Result<(), String> {
    if times.is_empty() {
        return Ok(());
    }
    let index = log_times::index_uri(log_uri);
    match timeout(STORE_LIMIT, transfer.put_bytes(&index, times.index().into_bytes())).await {
        Ok(stored) => stored.map_err(|error| describe(&error)),
        Err(_) => Err(format!("the store did not take them within {} s", STORE_LIMIT.as_secs())),
    }
}

fn lock(noting: &Mutex<Noting>) -> MutexGuard<'_, Noting> {
    noting.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug)]
struct Noting {
    log: PathBuf,
    /// None where it cannot be written: then the times are known here alone.
    index: Option<File>,
    times: LogTimes,
    clock: SteadyClock,
    pace: Pace,
}

impl Noting {
    fn new(log: PathBuf, index: &Path) -> Noting {
        let mut known = String::new();
        // What is not there, or cannot be read, has no times.
        let _ = File::open(index).and_then(|file| file.take(MOST_BYTES).read_to_string(&mut known));
        let mut times = LogTimes::default();
        times.read(&known);
        let opened = OpenOptions::new().create(true).append(true).open(index);
        let index = opened
            .inspect_err(|error| tracing::warn!("cannot keep the times of the log in {}: {error}", index.display()))
            .ok();
        let clock = SteadyClock::start();
        Noting { log, index, times, clock, pace: Pace::new(clock.now()) }
    }

    /// Notes how long the log is by now, if it is time to, or in any case.
    fn look(&mut self, in_any_case: bool) {
        let now = self.clock.now();
        let length = symlink_metadata(&self.log).ok().filter(|log| log.is_file()).map_or(0, |log| log.len());
        if length < self.times.length() {
            // User code can make it shorter; of what is left nobody knows which part it is.
            self.times = LogTimes::default();
            self.keep(|index| index.set_len(0));
        }
        if !in_any_case && !self.pace.is_due(now) {
            return;
        }
        if let Some(line) = self.times.note(length, now) {
            self.pace.noted(now);
            self.keep(|index| index.write_all(line.as_bytes()));
        }
    }

    /// Changes the index. One that cannot be changed is kept no longer, as it would say something else.
    fn keep(&mut self, change: impl FnOnce(&mut File) -> io::Result<()>) {
        if let Some(Err(error)) = self.index.as_mut().map(change) {
            tracing::warn!("cannot keep the times of the log {}: {error}", self.log.display());
            self.index = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Place {
        _directory: tempfile::TempDir,
        log: PathBuf,
        index: PathBuf,
    }

    impl Place {
        fn new() -> Place {
            let directory = tempfile::tempdir().expect("a directory");
            let (log, index) = (directory.path().join("log"), directory.path().join("log.times"));
            Place { _directory: directory, log, index }
        }

        fn noting(&self) -> Noting {
            Noting::new(self.log.clone(), &self.index)
        }

        fn written(&self) -> LogTimes {
            let mut times = LogTimes::default();
            times.read(&std::fs::read_to_string(&self.index).expect("an index"));
            times
        }
    }

    #[tokio::test]
    async fn log_has_times_while_it_is_written_to_and_at_its_end() {
        let place = Place::new();
        let clock = LogClock::start(place.log.clone(), &place.index);
        std::fs::write(&place.log, "one\n").expect("written");
        let noted = async {
            while place.written().length() < 4 {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(Duration::from_secs(60), noted).await.expect("it is noted while it is written to");
        std::fs::write(&place.log, "one\ntwo\n").expect("written");
        let times = clock.times().await;
        assert_eq!(times.length(), 8);
        assert!(times.at(4) > times.at(3), "{times:?}");
        assert_eq!(times, place.written());
    }

    #[test]
    fn launcher_that_takes_over_goes_on_with_the_times_of_the_one_before() {
        let place = Place::new();
        std::fs::write(&place.log, "one\n").expect("written");
        place.noting().look(true);
        std::fs::write(&place.log, "one\ntwo\n").expect("written");
        let mut second = place.noting();
        second.look(true);
        assert_eq!((second.times.length(), second.times.at(3)), (8, place.written().at(0)));
    }

    #[test]
    fn log_that_has_become_shorter_has_no_old_times() {
        let place = Place::new();
        let mut noting = place.noting();
        std::fs::write(&place.log, "a long line\n").expect("written");
        noting.look(true);
        std::fs::write(&place.log, "x\n").expect("written");
        noting.look(true);
        assert_eq!((noting.times.length(), place.written().length()), (2, 2));
    }

    #[test]
    fn what_is_no_file_has_no_times() {
        let place = Place::new();
        let mut noting = place.noting();
        std::os::unix::fs::symlink("/proc/self/exe", &place.log).expect("a link");
        noting.look(true);
        assert!(noting.times.is_empty());
    }

    #[test]
    fn times_are_known_where_they_cannot_be_written() {
        let place = Place::new();
        let mut noting = Noting::new(place.log.clone(), Path::new("/dev/full"));
        std::fs::write(&place.log, "one\n").expect("written");
        noting.look(true);
        assert_eq!(noting.times.length(), 4);
        assert!(noting.index.is_none());
    }
}
