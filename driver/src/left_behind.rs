//! What a driver that was killed left at work on this machine. Another machine may have taken its runs over since, and
//! cannot end it.

use std::fs;
use std::path::{Path, PathBuf};

use penstock_launcher::{is_recorded_at_work, kill_recorded};
use tracing::warn;
use uuid::Uuid;

use crate::ownership::Ownership;
use crate::process::run_work_dirs;

/// Kills recorded processes of all runs that nobody of this data directory drives; returns how many that were. Blocks.
///
/// Nothing is lost by it: whoever drives such a run next would do the same before it goes on.
pub(crate) fn end(data_dir: &Path) -> usize {
    let mut ended = 0;
    for directory in directories(&run_work_dirs(data_dir)) {
        let name = directory.file_name().and_then(|name| name.to_str());
        let Some(run) = name.and_then(|name| name.parse::<Uuid>().ok()) else { continue };
        // Most are of attempts that failed long ago. A record that cannot be read is looked at again below, and reported.
        let mut attempts: Vec<PathBuf> = directories(&directory).iter().flat_map(|task| directories(task)).collect();
        attempts.retain(|attempt| is_recorded_at_work(attempt).unwrap_or(true));
        if attempts.is_empty() {
            continue;
        }
        // While it is held, nobody starts the next attempt, which must not be taken for one that was left.
        let Ok(_ownership) = Ownership::take(data_dir, run) else { continue };
        for attempt in attempts {
            match kill_recorded(&attempt) {
                Ok(count) => ended += count,
                Err(error) => {
                    warn!(directory = %attempt.display(), error = %error, "cannot read which processes an attempt had");
                }
            }
        }
    }
    ended
}

fn directories(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    // No link is followed: there is nothing of ours behind one.
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()).collect()
}
