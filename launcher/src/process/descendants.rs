//! All processes of an attempt, found in `/proc`: the members of its process group and session, their children, and
//! whatever carries the attempt's marker in its environment. On systems without `/proc` only the group is known.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use penstock_spec::keys::ENV_ATTEMPT;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::record::ProcessIdentity;

/// How long killing goes on while new members keep appearing or do not go away.
const KILL_LIMIT: Duration = Duration::from_secs(5);
const KILL_PAUSE: Duration = Duration::from_millis(2);
/// An environment larger than this is not searched to its end.
const MAX_ENVIRONMENT: u64 = 4 << 20;
/// `PF_KTHREAD` among the flags of a process.
const KERNEL_THREAD: u32 = 0x0020_0000;
/// Looks at a process that shows no environment.
const EXEC_LOOKS: u32 = 4;
const EXEC_PAUSE: Duration = Duration::from_millis(1);
/// Within this time no machine gives out all its process numbers, so that those given out since are the ones in between.
const NO_LAP: Duration = Duration::from_millis(50);
/// A system with fewer numbers than this may be through with them sooner.
const USUAL_NUMBERS: u32 = 32_768;
/// Numbers that are looked up one by one; looking through all processes is quicker for more.
const MANY_NUMBERS: u32 = 1_000;
/// The number that was given out last, in this process's own numbering.
const LAST_NUMBER: &str = "/proc/sys/kernel/ns_last_pid";
const HIGHEST_NUMBER: &str = "/proc/sys/kernel/pid_max";

/// The processes of one attempt.
#[derive(Debug, Clone)]
pub struct Family {
    leader: Option<ProcessIdentity>,
    marker: String,
    /// A moment before the leader started; absent when that was not seen.
    since: Option<Instant>,
}

/// What `/proc/<pid>/stat` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessStat {
    state: u8,
    parent: u32,
    group: u32,
    session: u32,
    flags: u32,
    /// Clock ticks since boot.
    pub start_time: u64,
}

impl ProcessStat {
    /// Reads the state of a process; none when there is no such process.
    pub fn read(pid: u32) -> Option<ProcessStat> {
        let text = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
        ProcessStat::parse(&text)
    }

    fn parse(text: &[u8]) -> Option<ProcessStat> {
        // The name, in parentheses, may hold anything; the fields follow its last parenthesis.
        let end = text.iter().rposition(|byte| *byte == b')')?;
        let rest = std::str::from_utf8(text.get(end + 1..)?).ok()?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let number = |index: usize| fields.get(index).and_then(|field| field.parse::<u32>().ok());
        Some(ProcessStat {
            state: *fields.first()?.as_bytes().first()?,
            parent: number(1)?,
            group: number(2)?,
            session: number(3)?,
            flags: number(6)?,
            start_time: fields.get(19)?.parse().ok()?,
        })
    }

    /// Whether it is a thread of the kernel's own, which has no environment.
    fn is_of_kernel(&self) -> bool {
        self.flags & KERNEL_THREAD != 0
    }

    /// Whether the process has ended and waits to be waited for.
    pub fn is_zombie(&self) -> bool {
        matches!(self.state, b'Z' | b'X')
    }
}

impl Family {
    /// The family of a process and of a marker.
    pub fn new(leader: Option<ProcessIdentity>, marker: String) -> Family {
        Family { leader, marker, since: None }
    }

    /// The family of a process that has just started, at a moment after `since`.
    pub fn of_started(leader: Option<ProcessIdentity>, marker: String, since: Instant) -> Family {
        Family { leader, marker, since: Some(since) }
    }

    /// Sends a signal to the leader's group.
    pub fn signal_group(&self, signal: Signal) {
        if let Some(group) = self.leader.as_ref().filter(|leader| leader.is_alive()).and_then(|leader| pid(leader.pid))
        {
            // The only failure is that nobody is left.
            let _ = kill_process_group(group, signal);
        }
    }

    /// Kills every member and waits until none is left, within a limit. Returns how many were killed. Blocks.
    pub fn kill_now(&self) -> usize {
        if !has_proc() {
            self.signal_group(Signal::KILL);
            return usize::from(self.leader.is_some());
        }
        let started = Instant::now();
        let mut killed = HashMap::new();
        loop {
            let members = self.members();
            if members.is_empty() || started.elapsed() > KILL_LIMIT {
                return killed.len();
            }
            for member in members {
                // The number cannot have changed hands within this moment in practice; a signal to nobody is fine.
                if let Some(target) = pid(member.pid) {
                    let _ = kill_process(target, Signal::KILL);
                }
                killed.insert(member.pid, member.start_time);
            }
            std::thread::sleep(KILL_PAUSE);
        }
    }

    /// The members that are alive now, the leader among them.
    pub fn members(&self) -> Vec<ProcessIdentity> {
        let processes = self.recent_processes().unwrap_or_else(all_processes);
        let own = std::process::id();
        let leader = self.leader.as_ref().map(|leader| leader.pid);
        let oldest = self.leader.as_ref().map_or(0, |leader| leader.start_time);
        let mut members = Vec::new();
        for (pid, stat) in &processes {
            // Nothing that the leader started is older than the leader.
            if *pid == own || *pid <= 1 || stat.is_zombie() || stat.is_of_kernel() || stat.start_time < oldest {
                continue;
            }
            let related = leader.is_some_and(|leader| {
                *pid == leader || stat.group == leader || stat.session == leader || descends(*pid, leader, &processes)
            });
            if related || has_marker(*pid, &self.marker) {
                members.push(ProcessIdentity { pid: *pid, start_time: stat.start_time });
            }
        }
        members
    }

    /// The processes that are younger than a leader that has lived for a moment only. None when that cannot be told.
    ///
    /// Looking through all of `/proc` takes longer than a short task runs. Numbers are given out in ascending order, so
    /// what a short-lived leader started, and what that started, lies between its number and the last one.
    fn recent_processes(&self) -> Option<HashMap<u32, ProcessStat>> {
        let (leader, since) = (self.leader.as_ref()?.pid, self.since?);
        let mut found = HashMap::new();
        let mut next = leader;
        loop {
            let last = last_number()?;
            let is_certain = last >= leader && last - leader <= MANY_NUMBERS && since.elapsed() < NO_LAP;
            if !is_certain {
                return None;
            }
            // A member may have started another and ended before it was looked at: until no number is new.
            if last < next {
                return Some(found);
            }
            found.extend((next..=last).filter_map(|pid| Some((pid, ProcessStat::read(pid)?))));
            next = last + 1;
        }
    }
}

/// The process number that was given out last; none when this system does not say, or has few numbers.
fn last_number() -> Option<u32> {
    static HAS_USUAL_NUMBERS: OnceLock<bool> = OnceLock::new();
    let read = |path: &str| std::fs::read_to_string(path).ok()?.trim().parse::<u32>().ok();
    let usual = || read(HIGHEST_NUMBER).is_some_and(|highest| highest >= USUAL_NUMBERS);
    if !*HAS_USUAL_NUMBERS.get_or_init(usual) {
        return None;
    }
    read(LAST_NUMBER)
}

pub(super) fn pid(number: u32) -> Option<Pid> {
    i32::try_from(number).ok().filter(|number| *number > 1).and_then(Pid::from_raw)
}

/// Whether this system shows its processes as Linux does.
pub(super) fn has_proc() -> bool {
    std::path::Path::new("/proc/self/stat").exists()
}

fn all_processes() -> HashMap<u32, ProcessStat> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter_map(|pid| Some((pid, ProcessStat::read(pid)?)))
        .collect()
}

fn descends(pid: u32, ancestor: u32, processes: &HashMap<u32, ProcessStat>) -> bool {
    let mut at = pid;
    // Longer than any chain of parents: numbers read at different moments could make a circle.
    for _ in 0..processes.len() {
        match processes.get(&at) {
            Some(stat) if stat.parent == ancestor => return true,
            Some(stat) if stat.parent > 1 => at = stat.parent,
            _ => return false,
        }
    }
    false
}

/// Whether a process carries the marker. A process of somebody else cannot be read, and is not ours.
fn has_marker(pid: u32, marker: &str) -> bool {
    for _ in 0..EXEC_LOOKS {
        let Some(environment) = read_environment(pid) else { return false };
        if !environment.is_empty() {
            return environment.split(|byte| *byte == 0).any(|entry| {
                let value = entry.strip_prefix(ENV_ATTEMPT.as_bytes()).and_then(|rest| rest.strip_prefix(b"="));
                value == Some(marker.as_bytes())
            });
        }
        // Empty for a moment while a process becomes another program, and for good in one that was started so.
        std::thread::sleep(EXEC_PAUSE);
    }
    false
}

fn read_environment(pid: u32) -> Option<Vec<u8>> {
    let file = File::open(format!("/proc/{pid}/environ")).ok()?;
    let mut environment = Vec::new();
    file.take(MAX_ENVIRONMENT).read_to_end(&mut environment).ok()?;
    Some(environment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_with_parentheses_in_its_name_is_read() {
        let text = b"77 (a) R (b)) S 5 6 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 99 1";
        let stat = ProcessStat::parse(text).expect("a stat line");
        assert_eq!((stat.state, stat.parent, stat.group, stat.session, stat.start_time), (b'S', 5, 6, 7, 12345));
        assert_eq!(ProcessStat::parse(b"77 (x"), None);
        assert_eq!(ProcessStat::parse(b"77 (x) S 1"), None);
    }

    #[test]
    fn members_of_a_short_life_are_those_that_a_look_at_all_processes_finds() {
        let marker = format!("short-life-{}", std::process::id());
        for script in ["exit 0", "sleep 60 & exit 0", "setsid sh -c 'sleep 60 & exec sleep 60' & exit 0"] {
            let mut command = std::process::Command::new("sh");
            command.args(["-c", script]).env(ENV_ATTEMPT, &marker);
            let since = Instant::now();
            let mut child = command.spawn().expect("a shell starts");
            let leader = ProcessIdentity::of(child.id());
            let family = Family::of_started(leader.clone(), marker.clone(), since);
            child.wait().expect("the shell ends");
            let short = family.recent_processes().is_some();
            let sorted = |mut members: Vec<ProcessIdentity>| {
                members.sort_by_key(|member| member.pid);
                members
            };
            // What is still on its way is waited for, in the way that needs no numbers.
            let all = Family::new(leader, marker.clone());
            let expected = script.matches("sleep").count();
            let deadline = Instant::now() + KILL_LIMIT;
            while all.members().len() < expected && Instant::now() < deadline {
                std::thread::sleep(KILL_PAUSE);
            }
            let quick = Family { since: Some(Instant::now()), ..family.clone() };
            assert_eq!(sorted(quick.members()), sorted(all.members()), "{script:?}, short life: {short}");
            assert_eq!(family.kill_now(), expected, "{script:?}");
            assert_eq!(all.members(), Vec::new());
        }
    }

    #[test]
    fn numbers_tell_nothing_of_a_leader_that_lived_long_or_whose_start_was_not_seen() {
        let leader = ProcessIdentity::of(std::process::id());
        assert!(Family::new(leader.clone(), "marker".to_owned()).recent_processes().is_none());
        if let Some(long_ago) = Instant::now().checked_sub(NO_LAP) {
            assert!(Family::of_started(leader, "marker".to_owned(), long_ago).recent_processes().is_none());
        }
    }

    #[test]
    fn own_process_is_found_with_its_start_time() {
        let identity = ProcessIdentity::of(std::process::id()).expect("this process exists");
        assert!(identity.is_alive());
        assert!(!ProcessIdentity { start_time: identity.start_time + 1, ..identity }.is_alive());
    }
}
