//! `penstock up` with TLS: the stock client, the command line, certificates that are renewed, and a database that is reached
//! over TLS too.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use penstock_tests::deadline::wait_until;
use penstock_tests::invocation::Invocation;
use penstock_tests::pipeline::{Pipeline, Task};
use penstock_tests::python;
use penstock_tests::sandbox::Sandbox;
use penstock_tests::server::Server;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::Value;

#[path = "../../metastore/tests/postgres/secured.rs"]
#[allow(clippy::unwrap_used, reason = "it is part of the tests of another crate, where that is allowed")]
mod secured;
#[path = "../../metastore/tests/postgres/server.rs"]
#[allow(clippy::unwrap_used, reason = "it is part of the tests of another crate, where that is allowed")]
mod server;

/// Longest time that the scenarios of one file may take.
const LIMIT: Duration = Duration::from_secs(400);
const SOON: Duration = Duration::from_secs(60);

/// Files of a certificate for `localhost`.
struct Certificate {
    authority: PathBuf,
    chain: PathBuf,
    key: PathBuf,
}

impl Certificate {
    /// Of an authority of its own, in files that begin with `name`.
    fn new(sandbox: &Sandbox, name: &str) -> Certificate {
        let (authority, chain, key) = made(name);
        Certificate {
            authority: sandbox.write(&format!("{name}-authority.pem"), authority),
            chain: sandbox.write(&format!("{name}.pem"), chain),
            key: sandbox.write(&format!("{name}.key"), key),
        }
    }

    fn flags(&self) -> [&str; 4] {
        ["--tls-cert", text(&self.chain), "--tls-key", text(&self.key)]
    }
}

/// Authority, certificate and key. Authorities are told apart by their names.
fn made(name: &str) -> (String, String, String) {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, format!("Authority {name}"));
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key")).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let leaf = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let leaf = leaf.signed_by(&key, &authority).expect("a certificate");
    (authority.pem(), leaf.pem(), key.serialize_pem())
}

fn text(path: &Path) -> &str {
    path.to_str().expect("paths of tests are text")
}

/// The server by the name that its certificate is for.
fn url(server: &Server) -> String {
    server.url().replace("http://127.0.0.1", "https://localhost")
}

/// The binary against a server, with a data directory in which there is nothing.
fn against(sandbox: &Sandbox, url: &str, authority: Option<&Path>) -> Invocation {
    let penstock = sandbox.penstock().env("PENSTOCK_DATA_DIR", sandbox.path("nothing")).env("PENSTOCK_SERVER", url);
    match authority {
        Some(file) => penstock.env("PENSTOCK_CA_FILE", file),
        None => penstock,
    }
}

fn says(what: &str) -> Value {
    Pipeline::new("says", [Task::new("say", &format!("echo {what}"))]).build()
}

#[test]
fn stock_client_trusts_the_authority_that_it_is_told() {
    let name = "stock_client_trusts_the_authority_that_it_is_told";
    let Some(python) = python::find_or_skip(name) else { return };
    let sandbox = Sandbox::new();
    let certificate = Certificate::new(&sandbox, "own");
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port();
    let (from, authority) = (format!("localhost:{free},127.0.0.0/8"), text(&certificate.authority));
    let imports = ["--import-from", &from, "--import-ca-file", authority];
    let server = Server::start_with(sandbox.penstock().python(&python), &[&certificate.flags()[..], &imports].concat());
    let finished = Invocation::new(&python)
        .environment(&sandbox.path("home"), &sandbox.data_dir())
        .env("PENSTOCK_TEST_API", url(&server))
        .env("PENSTOCK_TEST_CA", authority)
        .env("PENSTOCK_TEST_CERT", &certificate.chain)
        .env("PENSTOCK_TEST_KEY", &certificate.key)
        .env("PENSTOCK_TEST_FILES_PORT", free.to_string())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("client/tls.py"))
        .limit(LIMIT)
        .run();
    let served = server.stop();
    assert!(finished.code() == Some(0), "{finished}\n--- the server: {served}");
    served.expect_code(0);
}

#[test]
fn commands_work_over_tls_and_speak_to_nobody_else() {
    let sandbox = Sandbox::new();
    let certificate = Certificate::new(&sandbox, "own");
    let flags = [&["--host-commands"][..], &certificate.flags()].concat();
    let server = Server::start_with(sandbox.penstock(), &flags);
    let (url, authority) = (url(&server), certificate.authority.as_path());
    let trusting = || against(&sandbox, &url, Some(authority));
    let file = sandbox.write_pipeline("says.json", &says("something"));
    let run = trusting().arg("run").arg(&file).run().expect_code(0);
    assert!(run.stdout.contains("say succeeded"), "{run}");
    for (arguments, part) in [
        (&["logs", "latest", "-f"][..], "something"),
        (&["get"], "succeeded"),
        (&["list"], "says"),
        (&["watch"], "say"),
    ] {
        let said = trusting().args(arguments).run().expect_code(0);
        assert!(said.stdout.contains(part), "{arguments:?}: {said}");
    }
    // By a flag too, which counts for whatever the command is.
    let named = ["list", "--server", &url, "--ca-file", text(authority)];
    sandbox.penstock().env("PENSTOCK_DATA_DIR", sandbox.path("nothing")).args(named).run().expect_code(0);

    let other = Certificate::new(&sandbox, "other");
    let by_address = url.replace("localhost", "127.0.0.1");
    for (url, authority, complaint) in [
        (&url, None, "UnknownIssuer"),
        (&url, Some(other.authority.as_path()), "UnknownIssuer"),
        (&by_address, Some(authority), "not valid for name"),
        (&url.replace("https://", "http://"), Some(authority), "ask for it with https://"),
        (&url, Some(certificate.key.as_path()), "it holds no certificate"),
    ] {
        let list = against(&sandbox, url, authority).arg("list").run().expect_complaint(complaint);
        assert_ne!(list.code(), Some(0), "{list}");
    }
    let untrusted = against(&sandbox, &url, None).arg("list").run();
    untrusted.expect_complaint("--ca-file");

    // Whoever works in the data directory knows the server by its very certificate.
    let schedules = sandbox.penstock().args(["schedule", "list"]).run().expect_code(0);
    assert!(!schedules.stderr.contains("certificate"), "{schedules}");
    std::fs::copy(&other.chain, &certificate.chain).expect("a copy");
    sandbox.penstock().args(["schedule", "list"]).run().expect_complaint("needs a server");
    let said = server.stop().expect_code(0).stdout;
    assert!(said.contains("Penstock is up at https://") && said.contains("ssl_ca_cert"), "{said}");
}

#[test]
fn f20_a_renewed_certificate_is_served_without_a_restart() {
    let sandbox = Sandbox::new();
    let certificate = Certificate::new(&sandbox, "own");
    let server = Server::start_with(sandbox.penstock(), &certificate.flags());
    let url = url(&server);
    let list = |authority: &Path| against(&sandbox, &url, Some(authority)).arg("list").run();
    list(&certificate.authority).expect_code(0);
    let (authority, chain, key) = made("next");
    let authority = sandbox.write("next-authority.pem", authority);
    // One file comes after the other, and meanwhile they do not fit.
    sandbox.write("own.pem", chain);
    std::thread::sleep(Duration::from_secs(11));
    list(&certificate.authority).expect_code(0);
    sandbox.write("own.key", key);
    wait_until("the renewed one to be served", SOON, || list(&authority).code() == Some(0));
    assert_ne!(list(&certificate.authority).code(), Some(0));
    server.stop().expect_code(0);
}

#[test]
fn i31_what_cannot_be_served_is_refused_before_anything_listens() {
    let sandbox = Sandbox::new();
    let (own, other) = (Certificate::new(&sandbox, "own"), Certificate::new(&sandbox, "other"));
    let absent = sandbox.path("absent.pem");
    let up = |arguments: &[&str]| sandbox.penstock().args(["up", "--listen", "127.0.0.1:0"]).args(arguments).run();
    for (arguments, complaint) in [
        (&["--tls-cert", text(&own.chain)][..], "--tls-key"),
        (&["--tls-key", text(&own.key)], "--tls-cert"),
        (&["--tls-cert", text(&absent), "--tls-key", text(&own.key)], "absent.pem"),
        (&["--tls-cert", text(&own.chain), "--tls-key", text(&other.key)], "cannot be used together"),
        (&["--tls-cert", text(&own.key), "--tls-key", text(&own.key)], "no certificate"),
        (&["--tls-cert", text(&own.chain), "--tls-key", text(&own.chain)], "private key"),
        (&["--import-from", "example.com", "--import-ca-file", text(&own.key)], "--import-ca-file"),
        (&["--store-public-endpoint", "s3.example.com"], "--store-public-endpoint"),
    ] {
        let refused = up(arguments).expect_code(2).expect_complaint(complaint);
        assert!(!refused.stderr.contains("BEGIN"), "{refused}");
    }
    // Others are not let in because they speak TLS.
    let open = sandbox.penstock().args(["up", "--listen", "0.0.0.0:0"]).args(own.flags()).run();
    open.expect_code(2).expect_complaint("--auth");
}

#[test]
fn a_server_reaches_its_database_over_tls() {
    let Some(database) = secured::Secured::start() else { return };
    let sandbox = Sandbox::new();
    let certificate = Certificate::new(&sandbox, "own");
    let flags = [&["--host-commands"][..], &certificate.flags()].concat();
    let verified = |authority: &str| {
        let parameters = format!("sslmode=verify-full&sslrootcert={}", database.file(authority));
        sandbox.penstock().env("PENSTOCK_DATABASE_URL", database.url("penstock", secured::HOST, &parameters))
    };
    let server = Server::start_with(verified("authority.pem"), &flags);
    let file = sandbox.write_pipeline("says.json", &says("something"));
    let run = || against(&sandbox, &url(&server), Some(&certificate.authority)).arg("run").arg(&file).run();
    run().expect_code(0);
    database.restart();
    run().expect_code(0);
    let plain = "SELECT count(*) FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) \
                 WHERE application_name LIKE 'penstock-%' AND NOT ssl";
    assert_eq!(database.sql(plain).trim(), "0");
    let refused = verified("other.pem").args(["list"]).run().expect_code(1).expect_complaint("UnknownIssuer");
    assert!(refused.stderr.contains("sslrootcert"), "{refused}");
    let own = database.url(secured::CERTIFIED, secured::HOST, "sslmode=require");
    sandbox.penstock().env("PENSTOCK_DATABASE_URL", own).args(["list"]).run().expect_complaint("client certificate");
    server.stop().expect_code(0);
}
