//! A webhook that runs over loopback with real TLS, clients for it, and as much of Kubernetes' API as it asks for.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part")]

pub mod client;
pub mod fake_api;

use std::net::SocketAddr;
use std::time::Duration;

use kube::Client;
use penstock_runtime::health::Health;
use penstock_runtime::server::ServerLimits;
use penstock_runtime::shutdown::Shutdown;
use penstock_webhook::certificates::{CertificateSettings, CertificateTimes, SelfManaged};
use penstock_webhook::inject::InjectConfig;
use penstock_webhook::nodes::EntryVolume;
use penstock_webhook::{WebhookError, WebhookSettings, run_on};
use prometheus::Registry;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

/// Longer than anything here may take.
pub const PATIENCE: Duration = Duration::from_secs(20);
pub const NAMESPACE: &str = "penstock-system";
pub const SECRET: &str = "penstock-webhook-certificate";
pub const SERVICE: &str = "penstock-webhook";
pub const CONFIGURATION: &str = "penstock";
pub const HOST: &str = "penstock-webhook.penstock-system.svc";

pub struct Webhook {
    pub address: SocketAddr,
    pub health: Health,
    pub registry: Registry,
    pub shutdown: Shutdown,
    pub task: JoinHandle<Result<(), WebhookError>>,
}

pub fn config() -> InjectConfig {
    InjectConfig::new("registry.example/penstock@sha256:5e1f")
}

pub fn self_managed(times: CertificateTimes) -> CertificateSettings {
    CertificateSettings::SelfManaged(SelfManaged {
        namespace: NAMESPACE.to_owned(),
        secret: SECRET.to_owned(),
        service: SERVICE.to_owned(),
        configuration: CONFIGURATION.to_owned(),
        times,
    })
}

pub fn limits() -> ServerLimits {
    ServerLimits { lame_duck: Duration::ZERO, ..ServerLimits::default() }
}

pub async fn start(client: Client, certificates: CertificateSettings) -> Webhook {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    start_on(listener, client, certificates, limits())
}

/// One that looks at nodes.
pub async fn start_looking(client: Client, certificates: CertificateSettings) -> Webhook {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    start_with(listener, client, certificates, limits(), EntryVolume::Auto)
}

pub fn start_on(
    listener: TcpListener,
    client: Client,
    certificates: CertificateSettings,
    limits: ServerLimits,
) -> Webhook {
    start_with(listener, client, certificates, limits, EntryVolume::Copy)
}

fn start_with(
    listener: TcpListener,
    client: Client,
    certificates: CertificateSettings,
    limits: ServerLimits,
    entry_volume: EntryVolume,
) -> Webhook {
    let address = listener.local_addr().expect("its address");
    let (health, registry, shutdown) = (Health::default(), Registry::new(), Shutdown::new());
    let settings = WebhookSettings { listen: address, inject: config(), entry_volume, certificates, limits };
    let task = {
        let (health, registry, shutdown) = (health.clone(), registry.clone(), shutdown.clone());
        tokio::spawn(async move { run_on(listener, settings, client, &registry, health, shutdown).await })
    };
    Webhook { address, health, registry, shutdown, task }
}

impl Webhook {
    pub async fn ready(&self) {
        eventually("the webhook is ready", || async {
            let waiting = self.health.waiting();
            if waiting.is_empty() { Ok(()) } else { Err(format!("{waiting:?}")) }
        })
        .await;
    }

    /// The value of a sample, by its name and labels as they are written out.
    pub fn metric(&self, sample: &str) -> f64 {
        let text = prometheus::TextEncoder::new().encode_to_string(&self.registry.gather()).expect("metrics");
        let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{sample} is not in\n{text}")).parse().expect("a number")
    }
}

/// Waits for something, with a limit.
pub async fn eventually<F: Future<Output = Result<T, String>>, T>(what: &str, mut check: impl FnMut() -> F) -> T {
    let started = Instant::now();
    loop {
        match check().await {
            Ok(value) => return value,
            Err(reason) if started.elapsed() > PATIENCE => panic!("{what} did not come true: {reason}"),
            Err(_) => sleep(Duration::from_millis(20)).await,
        }
    }
}

pub fn golden(name: &str) -> Value {
    let path = format!("{}/testdata/{name}.pod.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).expect("a golden Pod")).expect("JSON")
}

pub fn review(pod: &Value, namespace: &str) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "0f7e", "operation": "CREATE", "namespace": namespace, "dryRun": false,
            "kind": {"group": "", "version": "v1", "kind": "Pod"}, "object": pod,
        },
    })
}
