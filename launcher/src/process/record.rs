//! The record of an attempt's process, by which a later Penstock finds and kills what an earlier one left.

use std::io;
use std::path::Path;

use rustix::process::test_kill_process;
use serde::{Deserialize, Serialize};

use super::descendants::{self, Family, has_proc};

/// File of the record in an attempt's directory.
pub const RECORD_FILE: &str = "process.json";
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
/// Far more than a record of ours has.
const MAX_RECORD: u64 = 64 << 10;

/// A process beyond doubt: numbers are used again, but not with the same start time within one boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessIdentity {
    /// Number.
    pub pid: u32,
    /// Start time in clock ticks since boot.
    pub start_time: u64,
}

impl ProcessIdentity {
    /// The process that has the number now.
    pub fn of(pid: u32) -> Option<ProcessIdentity> {
        if !has_proc() {
            return Some(ProcessIdentity { pid, start_time: 0 });
        }
        let stat = descendants::ProcessStat::read(pid)?;
        Some(ProcessIdentity { pid, start_time: stat.start_time })
    }

    /// Whether this very process exists. One that has ended but was not waited for counts as gone.
    pub fn is_alive(&self) -> bool {
        if !has_proc() {
            return descendants::pid(self.pid).is_some_and(|pid| test_kill_process(pid).is_ok());
        }
        descendants::ProcessStat::read(self.pid)
            .is_some_and(|stat| stat.start_time == self.start_time && !stat.is_zombie())
    }
}

/// What is written down about an attempt's process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessRecord {
    /// Identity of the boot; nothing of another boot runs any more.
    pub boot_id: String,
    /// Value of `PENSTOCK_ATTEMPT` in the environment of the process and of all that it starts.
    pub marker: String,
    /// The process, once it has started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessIdentity>,
}

impl ProcessRecord {
    /// The record of a process that is about to start.
    pub fn announce(marker: &str) -> ProcessRecord {
        ProcessRecord { boot_id: boot_id(), marker: marker.to_owned(), process: None }
    }

    /// Writes the record, whole or not at all. It need not survive a power failure: then there is no process either.
    pub fn write(&self, work_dir: &Path) -> io::Result<()> {
        let temporary = work_dir.join(format!("{RECORD_FILE}.new"));
        std::fs::write(&temporary, serde_json::to_vec(self)?)?;
        std::fs::rename(temporary, work_dir.join(RECORD_FILE))
    }

    /// Reads the record of an attempt; none when no process was started.
    pub fn read(work_dir: &Path) -> io::Result<Option<ProcessRecord>> {
        let path = work_dir.join(RECORD_FILE);
        match std::fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
            Ok(metadata) if metadata.len() > MAX_RECORD => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the record is too large to be one of ours"));
            }
            Ok(_) => {}
        }
        Ok(Some(serde_json::from_slice(&std::fs::read(path)?)?))
    }
}

fn boot_id() -> String {
    std::fs::read_to_string(BOOT_ID).map(|text| text.trim().to_owned()).unwrap_or_default()
}

/// Whether the process that is recorded in an attempt's directory may be at work: it exists, or nobody knows whether it was
/// started. Costs little, and knows nothing of what a process that has ended left behind.
pub fn is_recorded_at_work(work_dir: &Path) -> io::Result<bool> {
    let record = ProcessRecord::read(work_dir)?.filter(|record| record.boot_id == boot_id());
    Ok(record.is_some_and(|record| record.process.is_none_or(|process| process.is_alive())))
}

/// Kills the process that is recorded in an attempt's directory and everything that it started, if anything of it is
/// still alive. Returns how many processes were killed. Blocks for up to a few seconds.
pub fn kill_recorded(work_dir: &Path) -> io::Result<usize> {
    let Some(record) = ProcessRecord::read(work_dir)? else { return Ok(0) };
    // Without `/proc` nothing tells the process from another one of its number.
    if !has_proc() || record.boot_id != boot_id() || record.marker.is_empty() {
        return Ok(0);
    }
    // A number that belongs to another process by now must not lead to that process's family.
    let process = record.process.filter(ProcessIdentity::is_alive);
    Ok(Family::new(process, record.marker).kill_now())
}
