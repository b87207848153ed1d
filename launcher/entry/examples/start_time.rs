//! How long the entry takes from its own start to the user's process, when there is nothing to wait for: the time until
//! a small program has connected to a socket, started by the entry and, for comparison, directly.
//!
//! `cargo run --release -p penstock-entry --example start_time -- PATH/TO/penstock-entry [ROUNDS]`

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use penstock_entry::frame::{FrameDecoder, encode_frame};
use penstock_entry::protocol::{EntryMessage, LauncherMessage, MAX_FRAME};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const CHILD: &str = "--child";

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        [_, CHILD, socket] => {
            UnixStream::connect(socket)?;
            Ok(())
        }
        [_, entry] => measure(entry, 200),
        [_, entry, rounds] => measure(entry, rounds.parse()?),
        _ => Err("the path of penstock-entry is missing".into()),
    }
}

fn measure(entry: &str, rounds: usize) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (socket, signal) = (folder.path().join("entry"), folder.path().join("child"));
    let (launcher, started) = (UnixListener::bind(&socket)?, UnixListener::bind(&signal)?);
    let own = std::env::current_exe()?.to_string_lossy().into_owned();
    let argv = vec![own.clone(), CHILD.to_owned(), signal.to_string_lossy().into_owned()];
    let log = folder.path().join("log").to_string_lossy().into_owned();
    let (mut direct, mut wrapped) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let since = Instant::now();
        let mut child = Command::new(&own).args(&argv[1..]).stdout(Stdio::null()).spawn()?;
        started.accept()?;
        direct.push(since.elapsed());
        child.wait()?;

        let since = Instant::now();
        let mut child = spawn_entry(entry, &socket, &argv)?;
        let (mut link, _) = launcher.accept()?;
        hear(&mut link, |message| matches!(message, EntryMessage::Hello { .. }))?;
        say(&mut link, &LauncherMessage::Welcome { nonce: "nonce".to_owned() })?;
        let (env, directories, log) = (BTreeMap::new(), Vec::new(), Some(log.clone()));
        say(
            &mut link,
            &LauncherMessage::Start { argv: argv.clone(), env, directories, log, grace_ms: 1000, hold_ms: 1000 },
        )?;
        started.accept()?;
        wrapped.push(since.elapsed());
        hear(&mut link, |message| matches!(message, EntryMessage::Exited(_)))?;
        say(&mut link, &LauncherMessage::Acknowledge { exit_code: None, message: None })?;
        child.wait()?;
    }
    let mut out = std::io::stdout();
    writeln!(out, "rounds: {rounds}")?;
    report(&mut out, "started directly", &mut direct)?;
    report(&mut out, "started by the entry", &mut wrapped)
}

fn spawn_entry(entry: &str, socket: &Path, argv: &[String]) -> std::io::Result<Child> {
    let mut command = Command::new(entry);
    command.arg("--socket").arg(socket).arg("--").args(argv).stdin(Stdio::null()).stdout(Stdio::null()).spawn()
}

fn say(link: &mut UnixStream, message: &LauncherMessage) -> Result<()> {
    Ok(link.write_all(&encode_frame(message)?)?)
}

/// Reads until a message is there. The entry sends no two before it is answered but for those that are read over here.
fn hear(link: &mut UnixStream, wanted: impl Fn(&EntryMessage) -> bool) -> Result<()> {
    let mut decoder = FrameDecoder::new(MAX_FRAME);
    let mut buffer = [0; 4096];
    loop {
        let size = link.read(&mut buffer)?;
        if size == 0 {
            return Err("the entry has closed the connection".into());
        }
        decoder.feed(&buffer[..size]);
        while let Some(frame) = decoder.next_frame()? {
            if wanted(&serde_json::from_slice(&frame)?) {
                return Ok(());
            }
        }
    }
}

fn report(out: &mut impl Write, what: &str, times: &mut [Duration]) -> Result<()> {
    times.sort();
    let at = |share: usize| {
        let time = times.get((times.len() * share / 100).min(times.len() - 1)).copied().unwrap_or_default();
        format!("{:.2} ms", time.as_secs_f64() * 1e3)
    };
    Ok(writeln!(out, "{what}: median {}, 5% {}, 95% {}, 99% {}", at(50), at(5), at(95), at(99))?)
}
