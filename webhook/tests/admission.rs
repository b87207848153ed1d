//! Reviews over TLS, as the API server sends them, and as nobody should.

mod support;

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use penstock_runtime::server::ServerLimits;
use penstock_webhook::certificates::CertificateTimes;
use penstock_webhook::inject::{Decision, EntryDelivery, InjectContext, inject};
use serde_json::{Value, json};
use support::client::Hook;
use support::fake_api::{FakeApi, settings};
use support::{
    PATIENCE, Webhook, config, eventually, golden, limits, review, self_managed, start, start_looking, start_on,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

async fn running() -> (FakeApi, Webhook) {
    let api = FakeApi::start().await;
    let webhook = start(api.client(), self_managed(CertificateTimes::default())).await;
    webhook.ready().await;
    (api, webhook)
}

#[tokio::test(flavor = "multi_thread")]
async fn admit_gives_over_tls_what_inject_decides() {
    let (api, webhook) = running().await;
    let mut hook = Hook::connect(webhook.address, &api.bundle()).await.expect("connects");
    let (config, settings) = (config(), settings());
    let context = InjectContext {
        config: &config,
        namespace: "team-a",
        settings: Some(&settings),
        delivery: EntryDelivery::Copy,
    };
    for name in ["task", "task_with_fields_of_the_future", "job_with_directories", "job_without_command", "static_pod"]
    {
        let pod = golden(name);
        let reply = hook.post(review(&pod, "team-a").to_string().as_bytes()).await.expect("answers");
        let response = &reply.json()["response"];
        assert_eq!((reply.status, &response["uid"]), (200, &json!("0f7e")), "{name}");
        match inject(&pod, &context) {
            Ok(Decision::Patch { operations, .. }) => {
                let patch = BASE64.decode(response["patch"].as_str().expect("a patch")).expect("base64");
                let patch: Value = serde_json::from_slice(&patch).expect("JSON");
                assert_eq!(patch, serde_json::to_value(operations).expect("JSON"), "{name}");
            }
            Ok(_) => assert!(response["allowed"] == true && response["patch"].is_null(), "{name}"),
            Err(error) => assert_eq!(response["status"]["message"], json!(error.to_string()), "{name}"),
        }
    }
    let mut dry = review(&golden("task"), "team-a");
    dry["request"]["dryRun"] = json!(true);
    let reply = hook.post(dry.to_string().as_bytes()).await.expect("answers");
    assert!(reply.json()["response"]["patch"].is_string());
    for (result, count) in [("injected", 3.0), ("denied", 1.0), ("skipped", 1.0), ("dry_run", 1.0), ("invalid", 0.0)] {
        let sample = format!("penstock_webhook_admissions_total{{result=\"{result}\"}}");
        assert_eq!(webhook.metric(&sample), count, "{sample}");
    }
    assert_eq!(webhook.metric("penstock_webhook_admission_seconds_count"), 6.0);
    assert_eq!(webhook.metric("penstock_webhook_admissions_in_flight"), 0.0);
    assert_eq!(webhook.metric("penstock_webhook_settings_namespaces"), 1.0);
    let now = jiff::Timestamp::now().as_second() as f64;
    let expiry = webhook.metric("penstock_webhook_certificate_expiry_timestamp_seconds{certificate=\"leaf\"}");
    assert!(expiry > now + 29.0 * 86_400.0, "{expiry}");
}

#[tokio::test(flavor = "multi_thread")]
async fn admit_waits_for_no_api_call_and_knows_settings_once_they_are_written() {
    let (api, webhook) = running().await;
    let mut hook = Hook::connect(webhook.address, &api.bundle()).await.expect("connects");
    let body = review(&golden("task"), "team-new").to_string();
    let reply = hook.post(body.as_bytes()).await.expect("answers");
    let status = &reply.json()["response"]["status"];
    assert_eq!(status["code"], 503);
    assert!(status["message"].as_str().expect("a text").starts_with("namespace team-new has no settings yet"));
    api.settings("team-new", &settings());
    let hook = tokio::sync::Mutex::new(hook);
    eventually("the settings are known", || async {
        let reply = hook.lock().await.post(body.as_bytes()).await?;
        if reply.json()["response"]["allowed"] == true { Ok(()) } else { Err("denied".to_owned()) }
    })
    .await;
    assert_eq!(webhook.metric("penstock_webhook_settings_namespaces"), 2.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn admit_mounts_the_launchers_image_once_every_node_can_and_copies_when_one_cannot() {
    let api = FakeApi::start().await;
    api.node("a", "v1.36.3", "containerd://2.2.9");
    let webhook = start_looking(api.client(), self_managed(CertificateTimes::default())).await;
    webhook.ready().await;
    let hook = Hook::connect(webhook.address, &api.bundle()).await.expect("connects");
    let hook = tokio::sync::Mutex::new(hook);
    let body = review(&golden("task"), "team-a").to_string();
    let (webhook, hook, body) = (&webhook, &hook, &body);
    let becomes = |by_image: bool| async move {
        eventually("the way of the entry changes", || async {
            let reply = hook.lock().await.post(body.as_bytes()).await?.json();
            let patch =
                BASE64.decode(reply["response"]["patch"].as_str().ok_or("no patch")?).map_err(|e| e.to_string())?;
            let is_by_image = String::from_utf8_lossy(&patch).contains("--entry-mounted");
            if is_by_image == by_image { Ok(()) } else { Err(format!("by image: {is_by_image}")) }
        })
        .await;
        assert_eq!(webhook.metric("penstock_webhook_entry_image_volume"), f64::from(u8::from(by_image)));
    };
    becomes(true).await;
    api.node("b", "v1.36.3", "containerd://1.7.27");
    becomes(false).await;
    api.node("b", "v1.36.3", "containerd://2.1.0");
    becomes(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn admit_copies_and_is_ready_where_nodes_may_not_be_looked_at() {
    let api = FakeApi::start().await;
    api.node("a", "v1.36.3", "containerd://2.2.9");
    api.hide_nodes();
    let webhook = start_looking(api.client(), self_managed(CertificateTimes::default())).await;
    eventually("nodes are asked for", || async { if api.refused_nodes() > 0 { Ok(()) } else { Err("no".to_owned()) } })
        .await;
    webhook.ready().await;
    let mut hook = Hook::connect(webhook.address, &api.bundle()).await.expect("connects");
    let reply = hook.post(review(&golden("task"), "team-a").to_string().as_bytes()).await.expect("answers").json();
    let patch = BASE64.decode(reply["response"]["patch"].as_str().expect("a patch")).expect("base64");
    assert!(!String::from_utf8_lossy(&patch).contains("--entry-mounted"));
    assert_eq!(webhook.metric("penstock_webhook_entry_image_volume"), 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn i19_i25_odd_requests_get_an_answer() {
    let (api, webhook) = running().await;
    let bundle = api.bundle();
    let pod = golden("task");
    // A review of 3 MiB, the most that the API server takes, is an ordinary one.
    let mut large = pod.clone();
    large["metadata"]["annotations"]["large"] = json!("x".repeat(3 << 20));
    let large = review(&large, "team-a").to_string().into_bytes();
    let huge = vec![b' '; (8 << 20) + 1];
    let json = "application/json";
    for (method, path, kind, body, status) in [
        ("POST", "/mutate", json, large, 200),
        ("POST", "/mutate", "application/json; charset=utf-8", review(&pod, "team-a").to_string().into_bytes(), 200),
        ("POST", "/mutate", json, huge, 413),
        ("POST", "/mutate", json, Vec::new(), 400),
        ("POST", "/mutate", json, b"{\"a\":1,\"a\":2}".to_vec(), 400),
        ("POST", "/mutate", json, b"{}".to_vec(), 400),
        ("POST", "/mutate", "text/plain", b"{}".to_vec(), 415),
        ("GET", "/mutate", json, Vec::new(), 405),
        ("POST", "/", json, Vec::new(), 404),
    ] {
        let mut hook = Hook::connect(webhook.address, &bundle).await.expect("connects");
        let reply = hook.request(method, path, kind, &body).await.expect("answers");
        assert_eq!(reply.status, status, "{method} {path} {kind} {} bytes", body.len());
    }
}

/// Memory of this process.
fn resident_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    let kib: usize = line.trim().trim_end_matches("kB").trim().parse().expect("a number");
    kib << 10
}

#[tokio::test(flavor = "multi_thread")]
async fn t20_a_flood_of_large_reviews_takes_bounded_memory_and_others_are_answered() {
    let (api, webhook) = running().await;
    let bundle = api.bundle();
    // The most values in the least bytes.
    let mut flood = b"[0".to_vec();
    while flood.len() < (8 << 20) - 2 {
        flood.extend_from_slice(b",0");
    }
    flood.push(b']');
    let flood = std::sync::Arc::new(flood);
    let before = resident_bytes();
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let (flood, bundle, address) = (flood.clone(), bundle.clone(), webhook.address);
        senders.spawn(async move {
            // One that waited too long is told so, or cut off.
            let mut hook = Hook::connect(address, &bundle).await?;
            hook.post(&flood).await.map(|reply| reply.status)
        });
    }
    let (mut most, mut answered) = (0, 0);
    let mut hook = Hook::connect(webhook.address, &bundle).await.expect("connects");
    let normal = review(&golden("task"), "team-a").to_string();
    while !senders.is_empty() {
        while let Some(sent) = senders.try_join_next() {
            let status = sent.expect("no panic");
            assert!(!matches!(status, Ok(200)), "{status:?}");
        }
        most = most.max(resident_bytes().saturating_sub(before));
        let reply = hook.post(normal.as_bytes()).await.expect("answers");
        assert_eq!(reply.json()["response"]["allowed"], true);
        answered += u32::from(!senders.is_empty());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(most < 200 << 20, "{} MiB more while 64 reviews of 8 MiB came", most >> 20);
    assert!(answered > 0, "none was answered while they came");
}

#[tokio::test(flavor = "multi_thread")]
async fn i26_half_open_connections_hold_nobody_up() {
    let api = FakeApi::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let limits = ServerLimits { connections: 32, handshake: Duration::from_millis(500), ..limits() };
    let webhook = start_on(listener, api.client(), self_managed(CertificateTimes::default()), limits);
    webhook.ready().await;
    let mut silent = Vec::new();
    for _ in 0..64 {
        silent.push(TcpStream::connect(webhook.address).await.expect("connects"));
    }
    let started = Instant::now();
    let mut hook = Hook::connect(webhook.address, &api.bundle()).await.expect("connects");
    let reply = hook.post(review(&golden("task"), "team-a").to_string().as_bytes()).await.expect("answers");
    assert_eq!(reply.status, 200);
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_connections_are_answered_and_a_drain_loses_none() {
    let (api, webhook) = running().await;
    let bundle = api.bundle();
    let body = review(&golden("task"), "team-a").to_string();
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (bundle, body, address) = (bundle.clone(), body.clone(), webhook.address);
        clients.spawn(async move {
            let mut hook = Hook::connect(address, &bundle).await?;
            for _ in 0..5 {
                let reply = hook.post(body.as_bytes()).await?;
                assert_eq!(reply.status, 200);
            }
            Ok::<_, String>(())
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended.expect("no panic").expect("answered");
    }
    let sample = "penstock_webhook_admissions_total{result=\"injected\"}";
    assert_eq!(webhook.metric(sample), 500.0);
    let mut hook = Hook::connect(webhook.address, &bundle).await.expect("connects");
    webhook.shutdown.request();
    // Either it is answered, or it was closed before anything was asked: never half an answer.
    if let Ok(reply) = hook.post(body.as_bytes()).await {
        assert_eq!(reply.json()["response"]["allowed"], true);
    }
    timeout(PATIENCE, webhook.task).await.expect("it ends").expect("no panic").expect("no error");
}
