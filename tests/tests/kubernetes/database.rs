//! A PostgreSQL server of this machine that Pods reach, as those of users are: by address, role and password.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::slow_store;

#[path = "../../../metastore/tests/postgres/server.rs"]
#[allow(clippy::unwrap_used, reason = "it is part of the tests of another crate, where that is allowed")]
mod server;

/// Who the Pods are to the server.
const ROLE: &str = "app";

/// A server with a database for an installation.
pub(crate) struct Database {
    server: server::Server,
    address: SocketAddr,
    password: String,
}

impl Database {
    /// A new one; `None` after saying that the test is skipped. The server itself listens at a socket in its directory,
    /// which a thread leads to from an address that Pods reach.
    pub(crate) fn start() -> Option<Database> {
        let server = server::Server::start()?;
        let password = format!("{:032x}", rand::random::<u128>());
        server.sql("postgres", &format!("CREATE ROLE {ROLE} LOGIN PASSWORD '{password}'"));
        server.sql("postgres", &format!("CREATE DATABASE penstock OWNER {ROLE}"));
        let setting = |name: &str| PathBuf::from(server.sql("postgres", &format!("SHOW {name}")).trim());
        // The tests' own role comes without a password, nobody else.
        std::fs::write(setting("hba_file"), "local all penstock trust\nlocal all all scram-sha-256\n")
            .expect("who may connect is written");
        server.sql("postgres", "SELECT pg_reload_conf()");
        let socket = setting("unix_socket_directories").join(".s.PGSQL.5432");
        let address = lead_to(socket);
        Some(Database { server, address, password })
    }

    /// What the Secret of an installation says of it.
    pub(crate) fn secret(&self) -> Value {
        let url = format!("postgres://{ROLE}@{}/penstock?sslmode=disable", self.address);
        json!({"url": url, "password": self.password})
    }

    /// The server is away from now on: nobody is let through any more.
    pub(crate) fn stop(&self) {
        self.server.stop();
    }

    /// It is there again, with what it had.
    pub(crate) fn start_again(&self) {
        self.server.start_again();
    }

    /// What a statement prints.
    pub(crate) fn sql(&self, sql: &str) -> String {
        self.server.sql("penstock", sql).trim().to_owned()
    }
}

/// The address at which a socket is reached, until the process ends.
fn lead_to(socket: PathBuf) -> SocketAddr {
    let host = slow_store::host();
    let listener = TcpListener::bind((host.as_str(), 0))
        .unwrap_or_else(|error| panic!("Pods must reach this machine at {host}: {error}"));
    let address = listener.local_addr().expect("its address");
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            // A client that is not let through sees its connection end.
            let _ = pass_on(client, &socket);
        }
    });
    address
}

fn pass_on(client: TcpStream, socket: &Path) -> io::Result<()> {
    let server = UnixStream::connect(socket)?;
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    let (mut from_server, mut to_client) = (server, client);
    std::thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_server);
        to_server.shutdown(Shutdown::Both)
    });
    std::thread::spawn(move || {
        let _ = io::copy(&mut from_server, &mut to_client);
        to_client.shutdown(Shutdown::Both)
    });
    Ok(())
}
