//! `penstock up`, as long as a test needs it.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::deadline::wait_until;
use crate::invocation::{Background, Finished, Invocation};

/// Longest time until it answers.
const START: Duration = Duration::from_secs(30);
/// Longest time for an answer of a GET.
const GET_LIMIT: Duration = Duration::from_secs(5);
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
        // Who takes it meanwhile makes the server end with an error, and the test fail.
        let free = free_address();
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

/// A port of this machine that was free a moment ago.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("its address")
}

/// Status and body of a GET; `None` while nobody answers.
pub fn get(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(GET_LIMIT)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

/// A request of its own connection to a server by its URL, and the status and document of the answer, which may take
/// `limit`; `None` when the server went away before it had answered.
pub fn call(server: &str, method: &str, path: &str, body: Option<&Value>, limit: Duration) -> Option<(u16, Value)> {
    let address = server.strip_prefix("http://").expect("a URL");
    let body = body.map(Value::to_string).unwrap_or_default();
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(limit)).ok()?;
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    write!(stream, "{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, serde_json::from_str(body).ok()?))
}
