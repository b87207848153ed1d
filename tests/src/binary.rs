//! The binary under test.

use std::path::PathBuf;

/// Where the binary is, when it is not beside the tests.
pub const VARIABLE: &str = "PENSTOCK_BIN";

/// Path of the built `penstock`.
///
/// # Panics
/// When it has not been built: nothing else can be tested then.
pub fn penstock() -> PathBuf {
    let path = match std::env::var_os(VARIABLE) {
        Some(path) => PathBuf::from(path),
        None => beside_the_tests(),
    };
    assert!(path.is_file(), "there is no binary at {}: run `make test`, or set {VARIABLE}", path.display());
    path
}

/// `<target>/debug/penstock`; tests are in `<target>/debug/deps`.
fn beside_the_tests() -> PathBuf {
    let own = std::env::current_exe().expect("a process knows its own file");
    let folder = own.parent().expect("a file has a folder");
    let profile = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    profile.join("penstock")
}

/// Folder of the sample pipelines.
pub fn samples() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("pipelines")
}
