//! The object store behind a way that can be made slow, so that a download or an upload lasts as long as a test wants.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use penstock_tests::cluster;
use penstock_tests::deadline::wait_until;
use penstock_tests::python;
use serde_json::json;

use crate::scenario::Scenario;

/// Address of this machine that Pods of the test cluster reach. A variable names that for another cluster.
const HOST: &str = "10.88.0.1";
const HOST_VARIABLE: &str = "PENSTOCK_TEST_HOST_ADDRESS";
/// Bytes that are passed on at a time.
const PIECE: usize = 8 << 10;
/// Pause after each piece while the way is slow: 40 KiB/s for each connection.
const SLOW_PAUSE: Duration = Duration::from_millis(200);
/// Longest time until a namespace uses this way.
const SETTINGS_LIMIT: Duration = Duration::from_secs(60);

/// What is slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slow {
    Nothing,
    Downloads,
    Uploads,
}

#[derive(Debug)]
struct Shared {
    slow: Mutex<Slow>,
    downloaded: AtomicU64,
    uploaded: AtomicU64,
    turned_away: AtomicU64,
    clients: Mutex<Vec<TcpStream>>,
    requests: Mutex<Vec<String>>,
}

/// The way to the store. It ends with the process.
#[derive(Debug, Clone)]
pub(crate) struct SlowStore {
    shared: Arc<Shared>,
}

impl SlowStore {
    /// Whether Pods can reach this way; says otherwise that the test is skipped.
    pub(crate) fn is_reached_or_skip(test: &str) -> bool {
        let is_reached = cluster::state_of_the_test_cluster().is_some() || std::env::var_os(HOST_VARIABLE).is_some();
        if !is_reached {
            python::skip(test, &format!("{HOST_VARIABLE} is not set: Pods must reach this machine"));
        }
        is_reached
    }

    /// Puts itself between the launchers of the scenario's namespace and their store.
    pub(crate) fn in_front_of(scenario: &Scenario, slow: Slow) -> SlowStore {
        let endpoint = &scenario.cluster.store().endpoint;
        let upstream = endpoint.strip_prefix("http://").expect("a store without TLS").trim_end_matches('/').to_owned();
        let host = host();
        let listener = TcpListener::bind((host.as_str(), 0))
            .unwrap_or_else(|error| panic!("Pods must reach this machine at {host} ({HOST_VARIABLE}): {error}"));
        let address = listener.local_addr().expect("its address").to_string();
        let shared = Arc::new(Shared {
            slow: Mutex::new(slow),
            downloaded: AtomicU64::new(0),
            uploaded: AtomicU64::new(0),
            turned_away: AtomicU64::new(0),
            clients: Mutex::default(),
            requests: Mutex::default(),
        });
        let accepted = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                match TcpStream::connect(&upstream) {
                    Ok(server) => pass_on(&client, &server, &accepted),
                    Err(_) => {
                        accepted.turned_away.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        });
        use_endpoint(scenario, &address);
        SlowStore { shared }
    }

    /// From now on.
    pub(crate) fn set(&self, slow: Slow) {
        *self.shared.slow.lock().unwrap_or_else(PoisonError::into_inner) = slow;
    }

    /// Bytes that came from the store.
    pub(crate) fn downloaded(&self) -> u64 {
        self.shared.downloaded.load(Ordering::Relaxed)
    }

    /// Bytes that went to the store.
    pub(crate) fn uploaded(&self) -> u64 {
        self.shared.uploaded.load(Ordering::Relaxed)
    }

    /// Bytes that went the way which is slow.
    pub(crate) fn moved(&self, slow: Slow) -> u64 {
        if slow == Slow::Downloads { self.downloaded() } else { self.uploaded() }
    }

    /// Ends all connections, with what is under way in them.
    pub(crate) fn cut(&self) {
        let mut clients = self.shared.clients.lock().unwrap_or_else(PoisonError::into_inner);
        for client in clients.drain(..) {
            // Those that have ended already cannot be ended.
            let _ = client.shutdown(Shutdown::Both);
        }
    }

    /// Connections that ended at once because the store was away.
    pub(crate) fn turned_away(&self) -> u64 {
        self.shared.turned_away.load(Ordering::Relaxed)
    }

    /// Requests whose first line a condition holds for.
    pub(crate) fn count(&self, is: impl Fn(&str) -> bool) -> usize {
        let requests = self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.iter().filter(|line| is(line)).count()
    }
}

/// Address of this machine that Pods reach.
pub(crate) fn host() -> String {
    std::env::var(HOST_VARIABLE).unwrap_or_else(|_| HOST.to_owned())
}

/// KFP's own configuration of a namespace names the endpoint.
fn use_endpoint(scenario: &Scenario, address: &str) {
    let namespace = scenario.namespace.name();
    let provider = json!({"minio": {"default": {
        "endpoint": address, "disableSSL": true, "forcePathStyle": true, "region": "us-east-1",
        "credentials": {"fromEnv": false, "secretRef": {
            "secretName": "mlpipeline-minio-artifact", "accessKeyKey": "accesskey", "secretKeyKey": "secretkey",
        }},
    }}});
    scenario.cluster.apply(&json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kfp-launcher", "namespace": namespace},
        "data": {"providers": provider.to_string()},
    }));
    wait_until("the namespace's settings to name the slow store", SETTINGS_LIMIT, || {
        let settings = scenario.namespace.get(["configmap", "penstock-settings"]).unwrap_or_default();
        settings["data"]["settings.json"].as_str().is_some_and(|text| text.contains(address))
    });
    // The webhook watches the same object; it hears of it at the same time.
    std::thread::sleep(Duration::from_secs(1));
}

fn pass_on(client: &TcpStream, server: &TcpStream, shared: &Arc<Shared>) {
    if let Ok(client) = client.try_clone() {
        shared.clients.lock().unwrap_or_else(PoisonError::into_inner).push(client);
    }
    for direction in [Slow::Uploads, Slow::Downloads] {
        let (from, to) = if direction == Slow::Uploads { (client, server) } else { (server, client) };
        let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else { return };
        let shared = Arc::clone(shared);
        std::thread::spawn(move || copy(from, to, direction, &shared));
    }
}

/// Until either side ends; then both do.
fn copy(mut from: TcpStream, mut to: TcpStream, direction: Slow, shared: &Shared) {
    let mut piece = vec![0; PIECE];
    loop {
        let count = match from.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        let bytes = &piece[..count];
        if direction == Slow::Uploads {
            note_request(bytes, shared);
            shared.uploaded.fetch_add(count as u64, Ordering::Relaxed);
        } else {
            shared.downloaded.fetch_add(count as u64, Ordering::Relaxed);
        }
        let slow = *shared.slow.lock().unwrap_or_else(PoisonError::into_inner);
        if slow == direction && count > PIECE / 2 {
            std::thread::sleep(SLOW_PAUSE);
        }
        if to.write_all(bytes).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

/// The first line of a request, which begins a piece: a client sends the next only after the answer.
fn note_request(bytes: &[u8], shared: &Shared) {
    let verbs: [&[u8]; 5] = [b"GET /", b"PUT /", b"POST /", b"HEAD /", b"DELETE /"];
    if verbs.iter().any(|verb| bytes.starts_with(verb)) {
        let line = bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line).into_owned();
        shared.requests.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
}
