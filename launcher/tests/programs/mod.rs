//! Programs of other packages that tests run.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

/// The entry, built if it is not there or old.
pub(crate) fn entry_binary() -> PathBuf {
    static BUILT: Once = Once::new();
    let launcher = Path::new(env!("CARGO_BIN_EXE_penstock-launcher"));
    let path = launcher.with_file_name("penstock-entry");
    BUILT.call_once(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
        let mut command = Command::new(cargo);
        command.args(["build", "--quiet", "-p", "penstock-entry", "--bin", "penstock-entry"]);
        assert!(command.status().expect("cargo runs").success(), "the entry cannot be built");
    });
    path
}
