//! `penstock-entry`: see the library.

use std::io::Write;
use std::process::ExitCode;

use penstock_entry::args::{Command, parse_args};
use penstock_entry::protocol::{EXIT_LAUNCHER_FAILED, TERMINATION_LOG};
use penstock_entry::{host, termination};

fn main() -> ExitCode {
    match parse_args(std::env::args_os().skip(1), |name| std::env::var_os(name)) {
        Ok(Command::Version) => {
            // A closed standard output is the caller's own choice.
            let _ = writeln!(std::io::stdout(), "penstock-entry {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        Ok(Command::Run(options)) => ExitCode::from(host::run(*options)),
        Err(error) => {
            termination::tell(TERMINATION_LOG.as_ref(), &error.to_string());
            ExitCode::from(EXIT_LAUNCHER_FAILED)
        }
    }
}
