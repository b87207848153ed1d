//! Removes the work directories of attempts that succeeded, beside the attempts that follow: outputs and log are in the
//! object store by then, and a loop of ten thousand iterations must not leave ten thousand directories.
//!
//! Files that user code left in its working or temporary directory stay until the run has succeeded: on one machine a
//! task may hand their path to a later one, also to one of a retry.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use penstock_launcher::USER_DIRECTORIES;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::warn;

/// Directories that may wait. More hold up the one who removes.
const QUEUE: usize = 1024;
/// Directories removed by one visit to a blocking thread.
const BATCH: usize = 64;
/// Longest time that the end of a run waits for removals.
const FINISH_LIMIT: Duration = Duration::from_secs(30);

/// Removes directories one after the other, in the order of their naming.
#[derive(Debug)]
pub(crate) struct Cleaner {
    queue: Mutex<Option<mpsc::Sender<Request>>>,
    worker: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
enum Request {
    /// All but what user code may have handed on.
    Attempt(PathBuf),
    /// That, too.
    Rest,
    /// A directory with all that is in it.
    Whole(PathBuf),
}

impl Cleaner {
    /// A cleaner of the directories of one run, `<run directory>/<task>/<attempt>`. What is empty afterwards goes too,
    /// the run's directory last.
    pub(crate) fn start(run_dir: PathBuf) -> Cleaner {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let worker = tokio::spawn(work(receiver, run_dir));
        Cleaner { queue: Mutex::new(Some(sender)), worker: Mutex::new(Some(worker)) }
    }

    /// Removes the directory of an attempt, later.
    pub(crate) async fn remove(&self, directory: PathBuf) {
        self.ask(Request::Attempt(directory)).await;
    }

    /// Removes a directory of the run with all that is in it, later.
    pub(crate) async fn remove_whole(&self, directory: PathBuf) {
        self.ask(Request::Whole(directory)).await;
    }

    async fn ask(&self, request: Request) {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(queue) = queue {
            // The worker ends only after the queue; a directory that stays harms nobody.
            let _ = queue.send(request).await;
        }
    }

    /// Waits until everything named so far is gone; with `all` also what user code may have handed on.
    pub(crate) async fn finish(&self, all: bool) {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(queue) = queue.filter(|_| all) {
            let _ = queue.send(Request::Rest).await;
        }
        let worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(worker) = worker else { return };
        if tokio::time::timeout(FINISH_LIMIT, worker).await.is_err() {
            warn!("removing the work directories of finished tasks takes too long; some are left behind");
        }
    }
}

async fn work(mut queue: mpsc::Receiver<Request>, run_dir: PathBuf) {
    let mut batch = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        let requests = std::mem::take(&mut batch);
        let run_dir = run_dir.clone();
        blocking(move || requests.into_iter().for_each(|request| carry_out(request, &run_dir))).await;
    }
    blocking(move || remove_empty(&run_dir)).await;
}

async fn blocking(work: impl FnOnce() + Send + 'static) {
    if let Err(error) = tokio::task::spawn_blocking(work).await {
        warn!(%error, "removing work directories stopped unexpectedly");
    }
}

fn carry_out(request: Request, run_dir: &Path) {
    match request {
        Request::Attempt(attempt) => match remove_ours(&attempt) {
            Ok(true) => remove_parent(&attempt),
            Ok(false) => {}
            Err(error) => complain(&attempt, &error),
        },
        Request::Rest => {
            let attempts = entries(run_dir).flat_map(|task| entries(&task));
            attempts.filter(|attempt| is_rest(attempt)).for_each(|attempt| remove_whole(&attempt));
        }
        Request::Whole(directory) => remove_whole(&directory),
    }
}

/// Whether only files of user code are left of an attempt. An earlier driver may have removed the others.
fn is_rest(attempt: &Path) -> bool {
    let mut left = entries(attempt).peekable();
    left.peek().is_some()
        && left.all(|path| USER_DIRECTORIES.iter().any(|name| path.file_name() == Some(OsStr::new(name))))
}

/// What is in a directory; nothing if it cannot be read.
fn entries(directory: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn remove_whole(directory: &Path) {
    match remove_all(directory) {
        Ok(()) => remove_parent(directory),
        Err(error) => complain(directory, &error),
    }
}

fn complain(attempt: &Path, error: &io::Error) {
    if error.kind() != io::ErrorKind::NotFound {
        warn!(directory = %attempt.display(), %error, "cannot remove the work directory of a finished task");
    }
}

/// Removes what is ours in the directory of an attempt; true if it is gone, false if user code left files.
fn remove_ours(attempt: &Path) -> io::Result<bool> {
    let mut gone = true;
    for entry in std::fs::read_dir(attempt)? {
        let entry = entry?;
        let path = entry.path();
        if USER_DIRECTORIES.iter().any(|name| entry.file_name() == *name) {
            gone &= std::fs::remove_dir(&path).is_ok();
        } else if entry.file_type()?.is_dir() {
            remove_all(&path)?;
        } else {
            std::fs::remove_file(&path)?;
        }
    }
    if gone {
        std::fs::remove_dir(attempt)?;
    }
    Ok(gone)
}

/// Other attempts of the task keep theirs.
fn remove_parent(attempt: &Path) {
    if let Some(task) = attempt.parent() {
        remove_empty(task);
    }
}

/// User code may have taken its own rights away.
fn remove_all(directory: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            allow_owner(directory)?;
            std::fs::remove_dir_all(directory)
        }
        result => result,
    }
}

/// Gives the owner the rights to remove everything below a directory. Links are not followed.
fn allow_owner(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;

    let mut pending = vec![directory.to_owned()];
    while let Some(directory) = pending.pop() {
        std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o700))?;
        for entry in std::fs::read_dir(&directory)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                pending.push(entry.path());
            }
        }
    }
    Ok(())
}

/// Removes a directory if nothing is in it; other attempts keep theirs.
fn remove_empty(directory: &Path) {
    // That it is not empty, or gone already, is the ordinary case.
    let _ = std::fs::remove_dir(directory);
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn attempt(run: &Path, task: &str, attempt: u32) -> PathBuf {
        let directory = run.join(task).join(attempt.to_string());
        std::fs::create_dir_all(directory.join("outputs/locked")).expect("a directory");
        std::fs::write(directory.join("outputs/locked/file"), "x").expect("a file");
        directory
    }

    #[tokio::test]
    async fn directories_go_and_their_empty_parents_with_them() {
        let home = tempfile::tempdir().expect("a directory");
        let run = home.path().join("run");
        let cleaner = Cleaner::start(run.clone());
        let locked = attempt(&run, "a", 0);
        let mode = std::fs::Permissions::from_mode(0o500);
        std::fs::set_permissions(locked.join("outputs/locked"), mode).expect("an own directory");
        for directory in [locked, attempt(&run, "b", 0), run.join("never/0")] {
            cleaner.remove(directory).await;
        }
        cleaner.finish(false).await;
        assert!(!run.exists());
        // Nobody listens any more.
        cleaner.remove(home.path().to_owned()).await;
        assert!(home.path().exists());
    }

    #[tokio::test]
    async fn files_of_user_code_stay_until_all_may_go() {
        let home = tempfile::tempdir().expect("a directory");
        let run = home.path().join("run");
        for all in [false, true] {
            let cleaner = Cleaner::start(run.clone());
            let directory = attempt(&run, "a", 0);
            std::fs::create_dir_all(directory.join("scratch")).expect("a directory");
            std::fs::create_dir_all(directory.join("tmp/handed-on")).expect("a directory");
            cleaner.remove(directory.clone()).await;
            cleaner.finish(all).await;
            assert!(!directory.join("scratch").exists() && !directory.join("outputs").exists());
            assert_eq!((directory.join("tmp/handed-on").exists(), run.exists()), (!all, !all));
        }
    }

    #[tokio::test]
    async fn what_was_not_named_stays() {
        let home = tempfile::tempdir().expect("a directory");
        let run = home.path().join("run");
        let cleaner = Cleaner::start(run.clone());
        let (failed, succeeded) = (attempt(&run, "a", 0), attempt(&run, "a", 1));
        std::os::unix::fs::symlink(&failed, succeeded.join("link")).expect("a link");
        cleaner.remove(succeeded.clone()).await;
        cleaner.finish(true).await;
        assert!(failed.join("outputs/locked/file").exists() && !succeeded.exists());
    }
}
