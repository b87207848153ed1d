//! A launcher's socket and an entry that connects to it.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::future::Future;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use penstock_entry::protocol::{EntryMessage, EntryState, LauncherMessage, ProcessEnd};
use penstock_launcher::link::{EntryLink, EntryListener, Hello};
use tokio::process::{Child, Command};

use crate::programs::entry_binary;

pub(crate) const NONCE: &str = "a-nonce";
const LIMIT: Duration = Duration::from_secs(60);

/// Where a conversation takes place.
pub(crate) struct Stage {
    folder: tempfile::TempDir,
    pub(crate) listener: EntryListener,
}

/// An entry and the connection to it.
pub(crate) struct Pair {
    pub(crate) entry: Child,
    /// None while no launcher runs.
    pub(crate) link: Option<EntryLink>,
    pub(crate) hello: Hello,
}

/// Fails rather than wait for ever.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.expect("in time")
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < LIMIT, "in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) fn strings(argv: &[&str]) -> Vec<String> {
    argv.iter().map(|arg| (*arg).to_owned()).collect()
}

pub(crate) fn is_root(what: &str) -> bool {
    let root = rustix::process::getuid().is_root();
    if !root {
        eprintln!("skipped, because it needs root: {what}");
    }
    root
}

impl Stage {
    pub(crate) fn new() -> Stage {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).expect("open to all");
        std::fs::write(folder.path().join("message"), "").expect("a termination log");
        std::fs::set_permissions(folder.path().join("message"), Permissions::from_mode(0o666)).expect("open to all");
        let listener = EntryListener::bind(&folder.path().join("socket")).expect("a socket");
        Stage { folder, listener }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn log(&self) -> Vec<u8> {
        std::fs::read(self.path("log")).expect("a log")
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.log()).expect("text")
    }

    /// What Kubernetes would show.
    pub(crate) fn message(&self) -> String {
        std::fs::read_to_string(self.path("message")).expect("a termination log")
    }

    /// A launcher that was restarted.
    pub(crate) fn restart(&mut self) {
        self.listener = EntryListener::bind(&self.path("socket")).expect("a socket");
    }

    /// The entry, not yet started, behind a program that starts it (if any).
    pub(crate) fn entry_behind(&self, wrapper: &[&str], argv: &[&str]) -> Command {
        let entry = entry_binary();
        let mut line: Vec<&str> = wrapper.iter().copied().chain([path_text(&entry)]).collect();
        let (socket, message, bundle) = (self.path("socket"), self.path("message"), self.path("ca-bundle"));
        line.extend(["--socket", path_text(&socket), "--termination-log", path_text(&message)]);
        line.extend(["--ca-bundle", path_text(&bundle), "--"]);
        line.extend(argv);
        let mut command = Command::new(line[0]);
        command.args(&line[1..]).stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        command
    }

    pub(crate) fn entry(&self, argv: &[&str]) -> Command {
        self.entry_behind(&[], argv)
    }

    /// What a launcher says to start a program.
    pub(crate) fn start(&self, argv: &[&str]) -> LauncherMessage {
        self.start_with_log(argv, Some(path_text(&self.path("log"))))
    }

    /// The same with another log, or none.
    pub(crate) fn start_with_log(&self, argv: &[&str], log: Option<&str>) -> LauncherMessage {
        LauncherMessage::Start {
            argv: strings(argv),
            env: BTreeMap::new(),
            directories: Vec::new(),
            log: log.map(str::to_owned),
            grace_ms: 400,
            hold_ms: 1500,
        }
    }

    /// An entry that waits for its start.
    pub(crate) async fn waiting(&mut self, mut command: Command) -> Pair {
        let entry = command.spawn().expect("an entry");
        let (mut link, hello) = soon(self.listener.accept(None)).await.expect("a connection");
        assert_eq!((&hello.nonce, &hello.state), (&None, &EntryState::Waiting));
        soon(link.send(&LauncherMessage::Welcome { nonce: NONCE.to_owned() })).await.expect("sent");
        Pair { entry, link: Some(link), hello }
    }

    /// An entry whose program runs.
    pub(crate) async fn running(&mut self, argv: &[&str]) -> Pair {
        let command = self.entry(argv);
        self.running_as(command, argv).await
    }

    pub(crate) async fn running_as(&mut self, command: Command, argv: &[&str]) -> Pair {
        let mut pair = self.waiting(command).await;
        pair.say(&self.start(argv)).await;
        assert_eq!(pair.hear().await, EntryMessage::Started);
        pair
    }

    /// A shell script from its start to its end, and the entry's exit code.
    pub(crate) async fn run(&mut self, script: &str) -> (ProcessEnd, i32) {
        let mut pair = self.running(&["sh", "-c", script]).await;
        let end = pair.end().await;
        (end, pair.leave().await)
    }
}

impl Pair {
    pub(crate) fn link(&mut self) -> &mut EntryLink {
        self.link.as_mut().expect("a launcher")
    }

    /// The launcher dies: its connection closes, and nobody listens until the next [`EntryListener::bind`].
    pub(crate) fn lose_launcher(&mut self) {
        self.link = None;
    }

    pub(crate) async fn say(&mut self, message: &LauncherMessage) {
        soon(self.link().send(message)).await.expect("sent");
    }

    pub(crate) async fn hear(&mut self) -> EntryMessage {
        soon(self.link().next()).await.expect("a message")
    }

    /// How the process ended.
    pub(crate) async fn end(&mut self) -> ProcessEnd {
        match self.hear().await {
            EntryMessage::Exited(end) => end,
            other => panic!("not an end: {other:?}"),
        }
    }

    /// Gives leave to exit; the exit code.
    pub(crate) async fn leave(mut self) -> i32 {
        self.say(&LauncherMessage::Acknowledge { exit_code: None, message: None }).await;
        self.exit_code().await
    }

    pub(crate) async fn exit_code(&mut self) -> i32 {
        soon(self.entry.wait()).await.expect("an end").code().expect("a code")
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(self.pid(), signal).expect("sent");
    }

    pub(crate) fn pid(&self) -> rustix::process::Pid {
        let pid = self.entry.id().and_then(|pid| i32::try_from(pid).ok()).expect("it runs");
        rustix::process::Pid::from_raw(pid).expect("a number")
    }
}

fn path_text(path: &Path) -> &str {
    path.to_str().expect("text")
}

impl Drop for Pair {
    /// A test that fails leaves no process behind.
    fn drop(&mut self) {
        let Some(pid) = self.entry.id().and_then(|pid| rustix::process::Pid::from_raw(i32::try_from(pid).ok()?)) else {
            return;
        };
        for child in children_of(pid) {
            let _ = rustix::process::kill_process_group(child, rustix::process::Signal::KILL);
        }
    }
}

/// Children of a process.
pub(crate) fn children_of(pid: rustix::process::Pid) -> Vec<rustix::process::Pid> {
    let path = format!("/proc/{0}/task/{0}/children", pid.as_raw_nonzero());
    let list = std::fs::read_to_string(path).unwrap_or_default();
    list.split_ascii_whitespace().filter_map(|pid| rustix::process::Pid::from_raw(pid.parse().ok()?)).collect()
}
