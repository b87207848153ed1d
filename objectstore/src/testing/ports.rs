//! Ports of the loopback interface that no other test server takes, in whichever process it is.

use std::{
    env,
    fs::{self, File},
    io,
    net::TcpListener,
};

use rand::RngExt;

/// Ports of one claim.
const COUNT: u16 = 16;
/// Below the numbers that systems give to connections that ask for none.
const FIRST: u16 = 20_000;
const CLAIMS: u16 = 750;

/// Consecutive ports. A lock on a file, which the kernel gives back when its holder dies, keeps others away.
#[derive(Debug)]
pub(super) struct Ports {
    first: u16,
    _lock: File,
}

impl Ports {
    /// Ports that nobody listens on.
    pub(super) fn claim() -> io::Result<Ports> {
        let directory = env::temp_dir().join("penstock-test-ports");
        fs::create_dir_all(&directory)?;
        let start = rand::rng().random_range(0..CLAIMS);
        for step in 0..CLAIMS {
            let first = FIRST + (start + step) % CLAIMS * COUNT;
            let lock = File::options().create(true).append(true).open(directory.join(first.to_string()))?;
            let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
            if lock.try_lock().is_ok() && (first..first + COUNT).all(is_free) {
                return Ok(Ports { first, _lock: lock });
            }
        }
        Err(io::Error::other(format!("all ports from {FIRST} to {} are taken", FIRST + CLAIMS * COUNT)))
    }

    /// One of them.
    pub(super) fn get(&self, index: u16) -> u16 {
        self.first + index.min(COUNT - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_do_not_overlap() {
        let (one, two) = (Ports::claim().expect("ports"), Ports::claim().expect("ports"));
        assert!(one.first.abs_diff(two.first) >= COUNT);
    }
}
