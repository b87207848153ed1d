//! Waits for children, adopted ones too, and sends signals.

use std::time::Instant;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process, kill_process_group, wait};

use crate::protocol::End;

/// What was waited for.
#[derive(Debug)]
pub struct Reaped {
    /// How the user's process ended, if it did.
    pub main: Option<End>,
    /// Whether any child is left.
    pub others: bool,
}

/// Takes the orphans of this container (or, where it is not the first process, of what it starts).
pub fn adopt_orphans() {
    if !is_first() {
        // Without it some orphans get away, which matters only in a Pod that shares its process namespace.
        let _ = rustix::process::set_child_subreaper(Some(getpid()));
    }
}

/// Waits for all children that have ended.
pub fn reap(main: Option<Pid>) -> Reaped {
    let mut reaped = Reaped { main: None, others: true };
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if Some(pid) == main => reaped.main = end_of(status),
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) => return reaped,
            // There are none.
            Err(_) => {
                reaped.others = false;
                return reaped;
            }
        }
    }
}

fn end_of(status: WaitStatus) -> Option<End> {
    let code = status.exit_status().map(End::Code);
    code.or_else(|| status.terminating_signal().map(End::Signal))
}

/// Sends a signal to a process that was not yet waited for, and to its group. It may have moved to another.
pub fn signal_group(leader: Pid, signal: Signal) {
    let sent = kill_process_group(leader, signal);
    if sent.is_err() || signal == Signal::KILL {
        // The only failure is that it has ended.
        let _ = kill_process(leader, signal);
    }
}

/// Sends a signal to everything that the user's process left behind.
pub fn signal_rest(group: Pid, signal: Signal) {
    if is_first() {
        // Group 1 in a call of kill stands for every process that this one may signal, but for itself. As the first
        // process it sees those of its own container only.
        let _ = kill_process_group(Pid::INIT, signal);
        return;
    }
    let _ = kill_process_group(group, signal);
    for child in list_children() {
        let _ = kill_process(child, signal);
    }
}

fn is_first() -> bool {
    getpid().is_init()
}

/// This process's children, as far as the kernel lists them.
fn list_children() -> Vec<Pid> {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    let numbers = lists.flat_map(|list| list.split_ascii_whitespace().map(str::to_owned).collect::<Vec<_>>());
    numbers.filter_map(|number| Pid::from_raw(number.parse().ok()?)).collect()
}

/// The user's process.
#[derive(Debug)]
pub struct MainProcess {
    /// Its number, and that of its group.
    pub pid: Pid,
    /// When it started.
    pub since: Instant,
    /// When it ended.
    pub ended: Option<Instant>,
    /// Kills for want of memory before it started.
    pub oom_kills: u64,
}
