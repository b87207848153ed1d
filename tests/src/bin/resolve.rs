//! Looks a name up and prints its addresses: what the programs of the image do before they connect.

use std::io::Write as _;
use std::net::ToSocketAddrs as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(name) = std::env::args().nth(1) else {
        let _ = writeln!(std::io::stderr(), "usage: resolve NAME");
        return ExitCode::from(2);
    };
    match (name.as_str(), 0).to_socket_addrs() {
        Ok(addresses) => {
            for address in addresses {
                let _ = writeln!(std::io::stdout(), "{}", address.ip());
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "cannot resolve {name}: {error}");
            ExitCode::FAILURE
        }
    }
}
