//! Starts the user's program the way the container runtime would have: same environment, working directory, standard
//! input and search, in a process group of its own.

pub mod authorities;
pub mod children;
pub mod directories;
pub mod environment;

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::io::Errno;

use crate::protocol::{EXIT_LAUNCHER_FAILED, EXIT_NOT_EXECUTABLE, EXIT_NOT_FOUND, End, MAX_TEXT};
use crate::termination::truncate;

/// Where `execvp` looks when there is no `PATH`.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// Starts a program, its output in pipes.
pub fn start(argv: &[String], environment: &[(OsString, OsString)]) -> Result<Child, End> {
    let Some((program, arguments)) = argv.split_first().filter(|(program, _)| !program.is_empty()) else {
        return Err(not_started(EXIT_NOT_FOUND, "cannot start the user's program: it has no name".to_owned()));
    };
    let path = environment.iter().rev().find(|(name, _)| name == "PATH").map(|(_, value)| value.as_os_str());
    let mut failure = None;
    for candidate in candidates(program, path) {
        let mut command = Command::new(&candidate);
        command
            .arg0(program)
            .args(arguments)
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .process_group(0)
            .stdin(Stdio::inherit())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        match command.spawn() {
            Ok(child) => return Ok(child),
            // As `execvp`: the search goes on where another directory may hold it, and remembers what was there.
            Err(error) if is_elsewhere(&error) => {
                failure.get_or_insert((candidate, error));
            }
            Err(error) => {
                failure = Some((candidate, error));
                break;
            }
        }
    }
    Err(match failure {
        Some((candidate, error)) => refused(program, &candidate, &error),
        None => missing(program, path),
    })
}

/// The files that a name may stand for, in order; only those that are there.
fn candidates(program: &str, path: Option<&OsStr>) -> Vec<PathBuf> {
    if program.contains('/') {
        let path = PathBuf::from(program);
        // What we may not see was meant all the same.
        let there = path.metadata().map_or_else(|error| error.kind() == io::ErrorKind::PermissionDenied, |_| true);
        return there.then_some(path).into_iter().collect();
    }
    let directories = path.unwrap_or(OsStr::new(DEFAULT_PATH)).as_bytes().split(|byte| *byte == b':');
    directories
        .map(|directory| match directory {
            // An empty element is the working directory. A slash keeps the name from being looked up again.
            [] => Path::new(".").join(program),
            directory => Path::new(OsStr::from_bytes(directory)).join(program),
        })
        // A directory of PATH that this user may not search says nothing of the program: as in a shell, it is not found.
        .filter(|path| path.metadata().is_ok())
        .collect()
}

fn is_elsewhere(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied | io::ErrorKind::NotADirectory)
}

fn missing(program: &str, path: Option<&OsStr>) -> End {
    let shown = truncate(program, MAX_TEXT / 4);
    let place = match path {
        _ if program.contains('/') => "there is no such file in the container's image".to_owned(),
        Some(path) => {
            let path = path.to_string_lossy();
            format!("there is no such program in the container's image (PATH is {})", truncate(&path, MAX_TEXT / 4))
        }
        None => {
            format!("there is no such program in the container's image (PATH is not set, looked in {DEFAULT_PATH})")
        }
    };
    not_started(EXIT_NOT_FOUND, format!("cannot start {shown:?}: {place}"))
}

fn refused(program: &str, candidate: &Path, error: &io::Error) -> End {
    let why = match Errno::from_io_error(error) {
        _ if candidate.is_dir() => "it is a directory".to_owned(),
        Some(Errno::NOENT) => {
            "the interpreter or loader that it names does not exist in the container's image".to_owned()
        }
        Some(Errno::ACCESS) => format!("the container's user may not execute it, or its volume forbids it ({error})"),
        Some(Errno::NOEXEC) => format!("it is no program for this machine and names no interpreter ({error})"),
        Some(Errno::TOOBIG) => format!("its arguments and environment are too long ({error})"),
        _ => error.to_string(),
    };
    let (shown, candidate) = (truncate(program, MAX_TEXT / 4), candidate.to_string_lossy());
    not_started(
        EXIT_NOT_EXECUTABLE,
        format!("cannot start {shown:?}: found {}, but {why}", truncate(&candidate, MAX_TEXT / 4)),
    )
}

/// The end of what was not started through no fault of the program.
pub fn not_prepared(message: String) -> End {
    not_started(EXIT_LAUNCHER_FAILED, message)
}

fn not_started(code: u8, mut message: String) -> End {
    message.truncate(message.floor_char_boundary(MAX_TEXT));
    End::NotStarted { code, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code_and_message(argv: &[&str], path: Option<&str>) -> (u8, String) {
        let argv: Vec<String> = argv.iter().map(|arg| (*arg).to_owned()).collect();
        let environment: Vec<_> = path.map(|path| ("PATH".into(), path.into())).into_iter().collect();
        match start(&argv, &environment) {
            Err(End::NotStarted { code, message }) => (code, message),
            other => panic!("{argv:?}: {other:?}"),
        }
    }

    #[test]
    fn reasons_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let script = |name: &str, text: &str, mode: u32| {
            std::fs::write(at(name), text).unwrap();
            std::fs::set_permissions(at(name), std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        };
        script("plain", "text", 0o644);
        script("lost", "#!/no/such/interpreter\n", 0o755);
        script("empty", "", 0o755);
        for (argv, path, code, part) in [
            (vec!["no-such-program"], Some("/bin"), 127, "PATH is /bin"),
            (vec!["no-such-program"], None, 127, "PATH is not set"),
            (vec!["/no/such/file"], Some("/bin"), 127, "no such file"),
            (vec![], Some("/bin"), 127, "no name"),
            (vec![""], Some("/bin"), 127, "no name"),
            (vec!["plain"], folder.path().to_str(), 126, "may not execute"),
            (vec!["lost"], folder.path().to_str(), 126, "interpreter"),
            (vec!["empty"], folder.path().to_str(), 126, "no program for this machine"),
            (vec!["/etc"], Some("/bin"), 126, "is a directory"),
        ] {
            let (found, message) = code_and_message(&argv, path);
            assert_eq!(found, code, "{argv:?}: {message}");
            assert!(message.contains(part), "{argv:?}: {message}");
        }
        let long = "x".repeat(3 << 20);
        let (code, message) = code_and_message(&["true", &long], Some("/usr/bin:/bin"));
        assert_eq!(code, 126);
        assert!(message.contains("too long"), "{message}");
        let (_, message) = code_and_message(&[&long], Some("/bin"));
        assert!(message.len() <= MAX_TEXT, "{}", message.len());
    }

    #[test]
    fn a_file_that_cannot_run_does_not_hide_one_that_can() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("true"), "text").unwrap();
        let path = format!("/no/such:{}:/usr/bin:/bin", folder.path().display());
        let mut child = start(&["true".to_owned()], &[("PATH".into(), path.into())]).expect("started");
        assert!(child.wait().unwrap().success());
    }
}
