//! The program `penstock-launcher`: the sidecar of a Pod, and its hook.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::time::Duration;

use clap::Parser;
use penstock_launcher::link::EntryListener;
use penstock_launcher::pod::args::{LauncherArgs, LauncherCommand, SidecarArgs};
use penstock_launcher::pod::{delivery, own_log, sidecar};
use penstock_launcher::report::describe;
use rustix::fs::Mode;
use rustix::process::umask;

/// How long threads that read or write a file may take to end.
const THREADS_LIMIT: Duration = Duration::from_millis(200);
/// Threads that read and write files. Each costs memory, and a disk is not faster with more.
const BLOCKING_THREADS: usize = 4;
/// Settings of the C library's allocator: the parts of large files come from the system and go back to it. Left to
/// itself it keeps freed ones in the heap of each thread, which doubles the sidecar's memory.
const ALLOCATOR: [(&str, &str); 2] = [("MALLOC_MMAP_THRESHOLD_", "1048576"), ("MALLOC_ARENA_MAX", "2")];

fn main() -> ExitCode {
    let result = match LauncherArgs::parse().command {
        LauncherCommand::Gate(args) => delivery::await_entry(&args.bin_dir).map_err(|error| describe(&error)),
        LauncherCommand::Sidecar(args) => run_sidecar(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("error: {reason}");
            ExitCode::FAILURE
        }
    }
}

/// Begins anew with the allocator's settings, which are only read at a program's start. Nothing is lost where that cannot
/// be done.
fn set_allocator() {
    if ALLOCATOR.iter().all(|(name, _)| std::env::var_os(name).is_some()) {
        return;
    }
    if let Ok(program) = std::env::current_exe() {
        let error = Command::new(program).args(std::env::args_os().skip(1)).envs(ALLOCATOR).exec();
        eprintln!("warning: the sidecar will need more memory: cannot start it with settings of its own: {error}");
    }
}

fn run_sidecar(args: &SidecarArgs) -> Result<(), String> {
    set_allocator();
    own_log::init(args.log_format, args.log_level);
    // What is made in shared volumes is for whatever UID the user's container has.
    umask(Mode::empty());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build()
        .map_err(|error| format!("cannot start: {error}"))?;
    let result = runtime.block_on(sidecar::run(args, EntryListener::bind));
    runtime.shutdown_timeout(THREADS_LIMIT);
    result.map_err(|error| describe(&error))
}
