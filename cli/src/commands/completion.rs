//! `penstock completion`: scripts for shells.

use std::io::Write;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Cli;

/// Prints the script.
pub(crate) fn completion(shell: Shell) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "penstock", &mut script);
    // A reader that went away has seen enough.
    let _ = std::io::stdout().write_all(&script);
}
