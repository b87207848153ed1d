//! The server that works in the data directory of this machine, found by what it leaves there.
//!
//! `penstock up` writes its address into the data directory and removes it at its end; several may serve one directory, and
//! the last one comes first. What a killed one left behind is told from a server at work by asking it.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use penstock_driver::{BackendKind, is_served};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::client::{Client, Trust};
use super::place::Named;
use crate::context::Context;
use crate::failure::Refusal;

const FILE: &str = "server.json";
/// Most bytes of the file.
const LIMIT: u64 = 64 * 1024;
/// Most servers that are kept in mind beside the last one.
const MOST_EARLIER: usize = 16;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Address {
    url: String,
    pid: u32,
    /// File whose certificate it shows, where it speaks TLS. Whatever name that is for, it is the one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    certificate: Option<PathBuf>,
}

/// The servers of a data directory: the last one that came, and those that were at work then.
#[derive(Debug, Serialize, Deserialize)]
struct Servers {
    #[serde(flatten)]
    last: Address,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    earlier: Vec<Address>,
}

impl Servers {
    fn of(mut addresses: Vec<Address>) -> Option<Servers> {
        let last = (!addresses.is_empty()).then(|| addresses.remove(0))?;
        Some(Servers { last, earlier: addresses })
    }

    /// The last one first.
    fn addresses(self) -> impl Iterator<Item = Address> {
        std::iter::once(self.last).chain(self.earlier)
    }
}

/// Those that a file names, the last one first.
fn read(path: &Path) -> Vec<Address> {
    use std::io::Read as _;

    let servers = || -> Option<Servers> {
        let mut text = String::new();
        std::fs::File::open(path).ok()?.take(LIMIT).read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    };
    servers().into_iter().flat_map(Servers::addresses).collect()
}

fn write(path: &Path, servers: &Servers) -> anyhow::Result<()> {
    let failed = || format!("cannot write {}", path.display());
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(directory).with_context(failed)?;
    file.write_all(serde_json::to_string(servers)?.as_bytes()).with_context(failed)?;
    file.persist(path).with_context(failed)?;
    Ok(())
}

/// Whether the process of a server is there. Who has its number by now does not answer as it does.
fn lives(address: &Address) -> bool {
    let pid = i32::try_from(address.pid).ok().and_then(rustix::process::Pid::from_raw);
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

/// Says where the server of a data directory is, as long as the value lives.
#[derive(Debug)]
pub(crate) struct Announcement {
    path: PathBuf,
    address: Address,
}

impl Announcement {
    /// Writes it. Of several servers of one directory the last one counts, as long as it is there.
    pub(crate) fn write(
        data_dir: &Path,
        listen: SocketAddr,
        certificate: Option<&Path>,
    ) -> anyhow::Result<Announcement> {
        let mut reached = listen;
        if listen.ip().is_unspecified() {
            reached.set_ip(match listen {
                SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        let scheme = if certificate.is_some() { "https" } else { "http" };
        let certificate = certificate.map(Path::to_owned);
        let address = Address { url: format!("{scheme}://{reached}"), pid: std::process::id(), certificate };
        let path = data_dir.join(FILE);
        let earlier = read(&path).into_iter().filter(lives).take(MOST_EARLIER).collect();
        write(&path, &Servers { last: address.clone(), earlier })?;
        Ok(Announcement { path, address })
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        let others = read(&self.path).into_iter().filter(|address| *address != self.address && lives(address));
        match Servers::of(others.collect()) {
            // That it is still named there does no harm: it is asked, and does not answer.
            Some(others) => drop(write(&self.path, &others)),
            None => drop(std::fs::remove_file(&self.path)),
        }
    }
}

/// The server that is named, or else the one at work in the data directory. `what` needs it.
pub(crate) async fn server_or_local(context: &Context, what: &str) -> anyhow::Result<Client> {
    if let Some(client) = context.server()? {
        return Ok(client);
    }
    let data_dir = &context.data_dir;
    let is_served = is_served(data_dir, BackendKind::Process);
    let found = is_served.then(|| read(&data_dir.join(FILE))).into_iter().flatten();
    for Address { url, certificate, .. } in found {
        let trust = certificate.as_deref().map_or(Trust::System, Trust::Certificate);
        let client = Client::new(&url, Named::Found, None, trust)?;
        let health: Result<Value, _> = client.get(&["apis", "v2beta1", "healthz"], &[]).await;
        match health {
            Ok(_) => return Ok(client),
            Err(error) => tracing::debug!("the server that {FILE} names does not answer: {}", error.text()),
        }
    }
    Err(Refusal::new(format!("{what} needs a server, and none is at work in {}", data_dir.display()))
        .with_hint("start one with `penstock up`, or name one with --server (PENSTOCK_SERVER)")
        .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announcement_is_there_as_long_as_its_server_and_no_longer() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join(FILE);
        let urls = || read(&path).into_iter().map(|address| address.url).collect::<Vec<_>>();
        let first = Announcement::write(directory.path(), "0.0.0.0:81".parse().unwrap(), None).unwrap();
        assert_eq!(urls(), ["http://127.0.0.1:81"]);
        let second = Announcement::write(directory.path(), "[::1]:82".parse().unwrap(), Some(Path::new("/x"))).unwrap();
        let third = Announcement::write(directory.path(), "[::1]:83".parse().unwrap(), None).unwrap();
        assert_eq!(urls(), ["http://[::1]:83", "https://[::1]:82", "http://127.0.0.1:81"]);
        drop(second);
        drop(third);
        assert_eq!(urls(), ["http://127.0.0.1:81"]);
        drop(first);
        assert!(!path.exists());
        // What a killed one left behind is not kept in mind.
        let killed = Address { url: "http://h".to_owned(), pid: u32::MAX, certificate: None };
        write(&path, &Servers { last: killed, earlier: Vec::new() }).unwrap();
        let fourth = Announcement::write(directory.path(), "127.0.0.1:84".parse().unwrap(), None).unwrap();
        assert_eq!(urls(), ["http://127.0.0.1:84"]);
        drop(fourth);
        std::fs::write(&path, "{").unwrap();
        assert_eq!(urls(), [""; 0]);
    }
}
