use std::sync::Arc;
use std::time::Duration;

use penstock_apiserver::auth::{AccessRules, AccessSettings, AllowedHost, TrustedHeader};
use penstock_apiserver::{Api, ApiSettings};
use penstock_metastore::Metastore;
use penstock_runtime::shutdown::Shutdown;
use penstock_runtime::tls::{self, CertificateSlot};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::fixture::{NoSubmission, Server};

const LIMIT: Duration = Duration::from_secs(20);

/// Everything that comes back for a request that closes its connection.
async fn exchange(address: std::net::SocketAddr, request: String) -> String {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        stream.write_all(request.as_bytes()).await.expect("the request is taken");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        answer
    };
    timeout(LIMIT, exchange).await.expect("the answer comes in time")
}

#[tokio::test]
async fn requests_are_answered_over_a_connection() {
    let (api, _directory) = Server::api().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(penstock_apiserver::serve(listener, api, Shutdown::new()));
    let get = "GET /apis/v2beta1/healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let answer = exchange(address, get.to_owned()).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("\"multi_user\":false"), "{answer}");
    let body = r#"{"display_name":"x"}"#;
    let post = "POST /apis/v2beta1/experiments HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n";
    // In chunks, and of a size that is known beforehand.
    for (framing, expected) in [
        (format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len()), "200 OK"),
        (format!("Content-Length: {}\r\n\r\n{body}", body.len()), "409 Conflict"),
    ] {
        let answer = exchange(address, format!("{post}{framing}")).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {expected}\r\n")), "{answer}");
    }
    // Refused by the size that it states; nothing of it is read.
    let answer = exchange(address, format!("{post}Content-Length: 1000000000\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    // A page may have its own name resolve to this machine.
    let rebound = get.replace("localhost", "evil.example");
    assert!(exchange(address, rebound).await.starts_with("HTTP/1.1 403 "));
    serving.abort();
}

/// A server that believes the header of these peers, on some address of this machine.
async fn behind_a_proxy(listen: &str, trusted: &[&str]) -> (std::net::SocketAddr, tempfile::TempDir) {
    let directory = tempfile::TempDir::new().expect("a directory");
    let store = Metastore::open(&directory.path().join("penstock.db")).await.expect("a store");
    let peers = trusted.iter().map(|peers| peers.parse().expect("peers")).collect();
    let header = TrustedHeader::new("kubeflow-userid", "", peers).expect("a header");
    let rules = AccessRules::parse("rules: [{users: [ann], namespaces: ['*'], may: edit}]").expect("rules");
    let access = AccessSettings::guarded(false, vec![Arc::new(header)], Arc::new(rules));
    let settings = ApiSettings { access, ..ApiSettings::default() };
    let api = Api::new(settings, store, Arc::new(NoSubmission)).await.expect("a server");
    let listener = TcpListener::bind(listen).await.expect("a listener");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(penstock_apiserver::serve(listener, api, Shutdown::new()));
    (([127, 0, 0, 1], address.port()).into(), directory)
}

#[tokio::test]
async fn t12_the_header_of_a_proxy_counts_where_it_is_said_whom_to_believe() {
    let ann = "kubeflow-userid: ann\r\n";
    let twice = format!("{ann}{ann}");
    // Where only this machine can connect, it is believed; where others can, those who are named are.
    for (listen, trusted, believes) in [
        ("127.0.0.1:0", &[][..], true),
        ("0.0.0.0:0", &["127.0.0.0/8"], true),
        ("[::]:0", &["127.0.0.1"], true),
        ("0.0.0.0:0", &[], false),
        ("0.0.0.0:0", &["10.0.0.0/8"], false),
    ] {
        let (address, _directory) = behind_a_proxy(listen, trusted).await;
        for (headers, expected) in [
            (ann, if believes { "200" } else { "401" }),
            ("kubeflow-userid: bob\r\n", if believes { "403" } else { "401" }),
            (twice.as_str(), "401"),
            ("x-forwarded-for: 10.0.0.1\r\nforwarded: for=10.0.0.1\r\n", "401"),
            ("", "401"),
        ] {
            let head = "GET /apis/v2beta1/runs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
            let answer = exchange(address, format!("{head}{headers}\r\n")).await;
            let status = answer.split(' ').nth(1).expect("a status");
            assert_eq!(status, expected, "{listen} {trusted:?} {headers:?}: {answer}");
        }
    }
}

/// A name that leads here for a page is not one that this server answers to (T-26).
#[tokio::test]
async fn t26_a_listener_that_others_reach_answers_to_the_names_that_it_is_told() {
    for (listen, names, answered, refused) in [
        (
            "0.0.0.0:0",
            &["kfp.example", "*.svc"][..],
            &["kfp.example", "ml-pipeline.team.svc:8888", "10.0.0.1"][..],
            true,
        ),
        ("127.0.0.1:0", &["kfp.example"], &["kfp.example:80", "localhost"], true),
        ("0.0.0.0:0", &[], &["kfp.example"], false),
    ] {
        let names: Vec<AllowedHost> = names.iter().map(|name| name.parse().expect("a name")).collect();
        let access = AccessSettings::open().with_hosts(names);
        let (api, _directory) = Server::api_with(|settings| ApiSettings { access, ..settings }).await;
        let listener = TcpListener::bind(listen).await.expect("a listener");
        let address = ([127, 0, 0, 1], listener.local_addr().expect("an address").port()).into();
        let serving = tokio::spawn(penstock_apiserver::serve(listener, api, Shutdown::new()));
        let ask = async |host: &str, path: &str| {
            exchange(address, format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await
        };
        for host in answered {
            let answer = ask(host, "/apis/v2beta1/experiments").await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{listen} {host}: {answer}");
        }
        for path in ["/apis/v2beta1/experiments", "/metrics", "/nothing"] {
            let answer = ask("evil.example:8888", path).await;
            assert_eq!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("--allowed-host"), refused, "{answer}");
        }
        serving.abort();
    }
}

/// T-20: what comes before a body has a size too.
#[tokio::test]
async fn t20_large_heads_are_refused() {
    let (api, _directory) = Server::api().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    let address = listener.local_addr().expect("an address");
    let serving = tokio::spawn(penstock_apiserver::serve(listener, api, Shutdown::new()));
    let large = "x".repeat(100 << 10);
    for head in [
        format!("GET /apis/v2beta1/experiments?filter={large} HTTP/1.1\r\nHost: localhost"),
        format!("GET /apis/v2beta1/experiments HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {large}"),
    ] {
        let answer = exchange(address, format!("{head}\r\nConnection: close\r\n\r\n")).await;
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(["414", "431"].contains(&status), "{answer}");
    }
    serving.abort();
}

/// A server that speaks TLS, with a certificate for these names, and a client that trusts it and is led here by all of them.
async fn with_tls(names: &[&str]) -> (u16, reqwest::ClientBuilder, tempfile::TempDir) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names.clone()).expect("a certificate");
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let slot = CertificateSlot::default();
    slot.install(tls::certified_key(chain.as_bytes(), key.as_bytes()).expect("a pair"));
    let (api, directory) = Server::api().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    let address = listener.local_addr().expect("an address");
    let config = penstock_apiserver::tls(&slot).expect("TLS");
    tokio::spawn(penstock_apiserver::serve_tls(listener, config, api, Shutdown::new()));
    let _ = rustls::crypto::ring::default_provider().install_default();
    let authority = reqwest::Certificate::from_pem(chain.as_bytes()).expect("an authority");
    let client = reqwest::Client::builder().tls_certs_only([authority]).no_proxy().timeout(LIMIT);
    let client = names.iter().fold(client, |client, name| client.resolve(name, address));
    (address.port(), client, directory)
}

#[tokio::test]
async fn requests_are_answered_over_tls_in_both_versions_of_http() {
    let (port, builder, _directory) = with_tls(&["localhost", "evil.example"]).await;
    let url = |path: &str| format!("https://localhost:{port}/apis/v2beta1/{path}");
    let client = builder.build().expect("a client");
    let healthy = client.get(url("healthz")).send().await.expect("an answer");
    assert_eq!((healthy.status().as_u16(), healthy.version()), (200, reqwest::Version::HTTP_2));
    let made = client.post(url("experiments")).json(&serde_json::json!({"display_name": "x"})).send().await;
    let made: serde_json::Value = made.expect("an answer").json().await.expect("a document");
    let id = made["experiment_id"].as_str().expect("an id");
    // Routes whose paths and queries are rewritten.
    let archived = client.post(url(&format!("experiments/{id}:archive"))).send().await.expect("an answer");
    assert_eq!(archived.status(), 200);
    let old =
        format!("https://localhost:{port}//apis/v1beta1/experiments?sort_by=id&resource_reference_key.type=NAMESPACE");
    assert_eq!(client.get(old).send().await.expect("an answer").status(), 200);
    // Pages of other origins, and those whose names lead here.
    let from =
        |origin: String| client.post(url(&format!("experiments/{id}:unarchive"))).header("origin", origin).send();
    assert_eq!(from("https://evil.example".to_owned()).await.expect("an answer").status(), 403);
    assert_eq!(from(format!("https://localhost:{port}")).await.expect("an answer").status(), 200);
    let rebound = format!("https://evil.example:{port}/apis/v2beta1/healthz");
    assert_eq!(client.get(rebound).send().await.expect("an answer").status(), 403);
}

#[tokio::test]
async fn clients_of_http_1_1_speak_it_over_tls_too() {
    let (port, builder, _directory) = with_tls(&["localhost"]).await;
    let client = builder.http1_only().build().expect("a client");
    let answer = client.get(format!("https://localhost:{port}/apis/v2beta1/healthz")).send().await.expect("an answer");
    assert_eq!((answer.status().as_u16(), answer.version()), (200, reqwest::Version::HTTP_11));
    assert!(answer.text().await.expect("text").contains("multi_user"));
}
