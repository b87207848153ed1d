//! PostgreSQL servers for tests: Debian's own binaries, a directory that goes away with the process, a socket in it.

use std::fmt;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

/// PostgreSQL refuses to be run by root; this is nobody's number on Debian.
const NOBODY: u32 = 65_534;
const USER: &str = "penstock";

/// A server that runs until this is dropped, or the process ends.
pub(crate) struct Server {
    binaries: PathBuf,
    directory: TempDir,
    root: bool,
    settings: String,
    /// Ends the server and removes its files when this process, and with it the other end of the pipe, is gone.
    watchdog: Child,
}

impl Server {
    /// A server of its own. `None` after saying that the test is skipped.
    pub(crate) fn start() -> Option<Self> {
        Self::start_with("", |_| {})
    }

    /// The same with settings of the test's own, behind those that all have. `prepare` may add to the data directory.
    pub(crate) fn start_with(settings: &str, prepare: impl FnOnce(&Path)) -> Option<Self> {
        let Some(binaries) = binaries() else {
            assert!(std::env::var_os("CI").is_none(), "PostgreSQL is missing, and in CI nothing is skipped");
            let test = std::thread::current().name().unwrap_or("a test").to_owned();
            let said = format!("SKIPPED {test}: PostgreSQL is not installed; `make test` installs it\n");
            // Past the capture of the test's output, and at once: others say the same. If standard error is gone, nobody is
            // there to be told.
            let _ = std::io::stderr().write_all(said.as_bytes());
            return None;
        };
        let directory = tempfile::Builder::new().prefix("pgtest").tempdir_in("/tmp").unwrap();
        let root = fs::metadata(directory.path()).unwrap().uid() == 0;
        if root {
            chown(directory.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let data = directory.path().join("data");
        let settings = format!(
            "-c listen_addresses= -c unix_socket_directories={} -c max_connections=300 -c fsync=off -c autovacuum=off {settings}",
            directory.path().display()
        );
        // The usual order of text is not that of its bytes, so that nothing depends on it.
        run(as_nobody(root, &binaries, "initdb").arg("-D").arg(&data).args([
            "--username",
            USER,
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--locale-provider=icu",
            "--icu-locale=en",
            "--no-sync",
        ]));
        fs::OpenOptions::new()
            .append(true)
            .open(data.join("postgresql.auto.conf"))
            .unwrap()
            .write_all(b"log_min_messages = warning\n")
            .unwrap();
        prepare(&data);
        let watchdog = watch(root, &binaries, directory.path());
        let server = Self { binaries, directory, root, settings, watchdog };
        server.start_again();
        Some(server)
    }

    /// Starts what was stopped.
    pub(crate) fn start_again(&self) {
        run(self.control("start").arg("-o").arg(&self.settings));
    }

    /// Ends all sessions and the server.
    #[allow(dead_code, reason = "not every program that starts servers stops them")]
    pub(crate) fn stop(&self) {
        run(self.control("stop").args(["-m", "fast"]));
    }

    /// Kills the server as a loss of power would, and starts it again.
    #[allow(dead_code, reason = "not every program that starts servers restarts them")]
    pub(crate) fn crash_and_restart(&self) {
        run(self.control("restart").args(["-m", "immediate"]));
    }

    /// Ends all sessions and starts the server again.
    #[allow(dead_code, reason = "not every program that starts servers restarts them")]
    pub(crate) fn restart(&self) {
        run(self.control("restart").args(["-m", "fast"]));
    }

    fn control(&self, action: &str) -> Command {
        let mut command = as_nobody(self.root, &self.binaries, "pg_ctl");
        let directory = self.directory.path();
        command.arg(action).args(["-w", "-t", "60", "-D"]).arg(directory.join("data"));
        command.arg("-l").arg(directory.join("log"));
        command
    }

    /// URL of a database that may not exist yet.
    pub(crate) fn url(&self, database: &str) -> String {
        let host = self.directory.path().to_str().unwrap().replace('/', "%2F");
        format!("postgres://{USER}@{host}/{database}")
    }

    /// Runs SQL, one statement, in a database.
    #[allow(dead_code, reason = "programs of this crate have connections for that")]
    pub(crate) fn sql(&self, database: &str, sql: &str) -> String {
        self.sql_at(5432, database, sql)
    }

    /// The same where the server has another port, which names its socket too.
    #[allow(dead_code, reason = "not every program that starts servers gives them ports")]
    pub(crate) fn sql_at(&self, port: u16, database: &str, sql: &str) -> String {
        let mut command = as_nobody(self.root, &self.binaries, "psql");
        command.args(["--port", &port.to_string()]);
        command.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--username", USER, "--host"]);
        command.arg(self.directory.path()).args(["--dbname", database, "--command", sql]);
        run(&mut command)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.url(""))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}

/// The server that the tests of this process share. `None` after saying that the test is skipped.
#[allow(dead_code, reason = "not every program that starts servers shares one")]
pub(crate) fn shared() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    if binaries().is_none() {
        // Said for each test.
        return Server::start().map(|_| unreachable!());
    }
    SERVER.get_or_init(Server::start).as_ref()
}

/// Where the newest PostgreSQL of this machine is.
fn binaries() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let number = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions.filter_map(|entry| Some(entry.ok()?.path())).max_by_key(|path| number(path))?;
    Some(newest.join("bin")).filter(|path| path.join("initdb").is_file())
}

fn as_nobody(root: bool, binaries: &Path, program: &str) -> Command {
    let path = binaries.join(program);
    let mut command = if root {
        let mut command = Command::new("setpriv");
        let nobody = NOBODY.to_string();
        command.args(["--reuid", &nobody, "--regid", &nobody, "--clear-groups", "--"]).arg(path);
        command
    } else {
        Command::new(path)
    };
    command.current_dir("/").env("HOME", "/nonexistent").env_remove("PGOPTIONS").stdin(Stdio::null());
    command
}

fn watch(root: bool, binaries: &Path, directory: &Path) -> Child {
    let script = "read _; \"$0\" stop -m immediate -D \"$1/data\"; rm -rf \"$1\"";
    let mut command = as_nobody(root, Path::new("/bin"), "sh");
    command.args(["-c", script]).arg(binaries.join("pg_ctl")).arg(directory);
    // A signal that ends a test run from the keyboard is not for it.
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Runs a command to its end. What it leaves running must not hold its output, so that goes to a file.
fn run(command: &mut Command) -> String {
    let output = tempfile::NamedTempFile::new().unwrap();
    let end = || fs::OpenOptions::new().append(true).open(output.path()).unwrap();
    let status = command.stdout(end()).stderr(end()).status().unwrap();
    let said = fs::read_to_string(output.path()).unwrap();
    assert!(status.success(), "{command:?}: {said}");
    said
}
