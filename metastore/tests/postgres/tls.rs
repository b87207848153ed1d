//! Connections over TLS: they are encrypted, and whoever is not who the URL says is not spoken to.

use std::error::Error as _;
use std::time::{Duration, Instant};

use penstock_metastore::{Metastore, MetastoreError, StoreLocation};
use uuid::Uuid;

use crate::secured::{CERTIFIED, HOST, Secured};

/// Nobody waits for what will not come.
const AT_ONCE: Duration = Duration::from_secs(5);
const USER: &str = "penstock";

async fn open(url: &str) -> Result<Metastore, MetastoreError> {
    Metastore::open(StoreLocation::Postgres(url.parse().expect("a URL"))).await
}

/// Sessions of stores, encrypted or not.
fn sessions(server: &Secured, encrypted: bool) -> u32 {
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) \
         WHERE application_name LIKE 'penstock-%' AND ssl = {encrypted}"
    );
    server.sql(&sql).trim().parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn all_sessions_of_a_store_are_encrypted_also_those_after_a_restart() {
    let Some(server) = Secured::start() else { return };
    let url = server.url(USER, HOST, &format!("sslmode=verify-full&sslrootcert={}", server.file("authority.pem")));
    let store = open(&url).await.expect("the server is who the URL says");
    for _ in 0..2 {
        assert!(store.namespaces().await.expect("a read").is_empty());
        // Whoever writes connects again for it, too.
        let refused = store.delete_run(Uuid::from_u128(1)).await.expect_err("there is no run");
        assert!(matches!(refused, MetastoreError::NoSuchRun { .. }), "{refused}");
        let encrypted = sessions(&server, true);
        assert!(encrypted >= 2, "one that writes and one that reads: {encrypted}");
        assert_eq!(sessions(&server, false), 0);
        server.restart();
    }
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t30_a_server_that_is_not_who_the_url_says_is_refused_at_once() {
    let Some(server) = Secured::start() else { return };
    let (own, other) = (server.file("authority.pem"), server.file("other.pem"));
    let shown = format!("sslcert={}&sslkey={}", server.file("client.pem"), server.file("client.key"));
    let absent = server.file("absent.pem");
    for (user, host, parameters, refusal) in [
        (USER, HOST, format!("sslmode=verify-full&sslrootcert={other}"), "UnknownIssuer"),
        (USER, HOST, format!("sslmode=verify-ca&sslrootcert={other}"), "UnknownIssuer"),
        // The authorities of this machine do not know it.
        (USER, HOST, "sslmode=verify-full".to_owned(), "UnknownIssuer"),
        // Its certificate is for a name, and it is called by another.
        (USER, "127.0.0.1", format!("sslmode=verify-full&sslrootcert={own}"), "not valid for name"),
        (USER, HOST, format!("sslmode=verify-full&sslrootcert={absent}"), "No such file"),
        // What the server itself refuses: no TLS, no certificate.
        (USER, HOST, "sslmode=disable".to_owned(), "no encryption"),
        (CERTIFIED, HOST, format!("sslmode=verify-full&sslrootcert={own}"), "client certificate"),
        (USER, "127.0.0.1", format!("sslmode=verify-ca&sslrootcert={own}"), ""),
        (USER, "127.0.0.1", "sslmode=require".to_owned(), ""),
        (CERTIFIED, HOST, format!("sslmode=verify-full&sslrootcert={own}&{shown}"), ""),
    ] {
        let started = Instant::now();
        match open(&server.url(user, host, &parameters)).await {
            Ok(store) => {
                store.close().await;
                assert_eq!(refusal, "", "{user} {host} {parameters}");
            }
            Err(error) => {
                let text = format!("{error}: {}", error.source().map(ToString::to_string).unwrap_or_default());
                assert!(!refusal.is_empty() && text.contains(refusal), "{user} {host} {parameters}: {text}");
                // What is not there may come: the socket of a server that starts is looked for in the same way.
                let took = started.elapsed();
                assert!(took < AT_ONCE || refusal == "No such file", "{user} {host} {parameters}: {took:?}");
                if refusal == "UnknownIssuer" {
                    assert!(text.contains("sslrootcert"), "{text}");
                }
            }
        }
    }
}
