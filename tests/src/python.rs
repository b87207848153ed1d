//! A Python that has kfp. `make test` provides it; without it, tests that need it say that they are skipped, and fail
//! where skipping must not go unseen.

use std::io::Write;
use std::path::PathBuf;

/// Names the interpreter.
pub const VARIABLE: &str = "PENSTOCK_TEST_PYTHON";

/// The interpreter, if there is one.
///
/// # Panics
/// In CI, or when the variable names no file.
pub fn find() -> Option<PathBuf> {
    let Some(path) = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from) else {
        assert!(std::env::var_os("CI").is_none(), "{VARIABLE} is not set, and in CI nothing is skipped");
        return None;
    };
    assert!(path.is_file(), "{VARIABLE} names {}, which does not exist", path.display());
    Some(path)
}

/// The interpreter; `None` after saying that the test is skipped.
pub fn find_or_skip(test: &str) -> Option<PathBuf> {
    let found = find();
    if found.is_none() {
        skip(test, &format!("{VARIABLE} is not set; `make test` sets it"));
    }
    found
}

/// Says that a test is skipped and why, past the capture of the test's output.
pub fn skip(test: &str, why: &str) {
    // If standard error is gone, nobody is there to be told.
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {why}");
}

/// Says something that is worth knowing when a test fails, past the capture of its output.
pub fn note(test: &str, what: &str) {
    let _ = writeln!(std::io::stderr(), "{test}: {what}");
}
