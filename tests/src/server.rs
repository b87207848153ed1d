//! `penstock up`, as long as a test needs it.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use rustix::process::Signal;

use crate::deadline::wait_until;
use crate::invocation::{Background, Finished, Invocation};

/// Longest time until it answers.
const START: Duration = Duration::from_secs(30);
/// Longest time that a test keeps it.
const LIMIT: Duration = Duration::from_secs(600);

/// A server at work.
#[derive(Debug)]
#[must_use]
pub struct Server {
    process: Background,
    address: SocketAddr,
}

impl Server {
    /// Starts `penstock up` in the environment of an invocation, and waits until it listens.
    pub fn start(penstock: Invocation) -> Server {
        Server::start_with(penstock, &[])
    }

    /// Starts `penstock up` with more arguments.
    pub fn start_with(penstock: Invocation, arguments: &[&str]) -> Server {
        // Free a moment ago; who takes it meanwhile makes the server end with an error, and the test fail.
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
        let mut process = penstock.args(["up", "--listen", &free.to_string()]).args(arguments).limit(LIMIT).spawn();
        wait_until("the server to listen", START, || {
            assert!(process.is_running(), "penstock up has ended");
            TcpStream::connect(free).is_ok()
        });
        Server { process, address: free }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Asks it to end, and waits for that.
    pub fn stop(self) -> Finished {
        self.process.signal(Signal::TERM);
        self.process.wait()
    }

    /// Kills it with no chance to do anything about it.
    pub fn kill(self) -> Finished {
        self.process.kill_now()
    }
}
