//! As much of Kubernetes' API as the webhook asks for, over loopback: one Secret, one MutatingWebhookConfiguration,
//! ConfigMaps and nodes, with versions, conflicts and watches.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response, StatusCode};
use kube::Client;
use penstock_runtime::server::{self, BodyBudget, ServerLimits, read_body};
use penstock_runtime::shutdown::Shutdown;
use penstock_spec::settings::NamespaceSettings;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;

use super::{CONFIGURATION, NAMESPACE, SERVICE};

/// How long a watch without news stays open.
const WATCH: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
struct Objects {
    version: u64,
    /// By path of their collection and name.
    objects: BTreeMap<(String, String), Value>,
    /// Writes by method.
    writes: BTreeMap<String, u32>,
    /// Requests that are still to fail, and with what.
    failing: (u32, u16),
    /// Methods that nobody may use, and how many requests that has hit.
    forbidden: (Vec<Method>, u32),
    /// Whether nobody may list nodes, and how many requests that has hit.
    hidden_nodes: (bool, u32),
}

#[derive(Debug, Clone)]
pub struct FakeApi {
    address: SocketAddr,
    objects: Arc<Mutex<Objects>>,
    changed: watch::Sender<u64>,
}

const SECRETS: &str = "/api/v1/namespaces/penstock-system/secrets";
const CONFIGURATIONS: &str = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";
const CONFIG_MAPS: &str = "/api/v1/configmaps";
const NODES: &str = "/api/v1/nodes";

impl FakeApi {
    pub async fn start() -> FakeApi {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let api = FakeApi { address, objects: Arc::default(), changed: watch::Sender::new(0) };
        api.put(CONFIGURATIONS, CONFIGURATION, configuration());
        api.settings("team-a", &settings());
        let handler = {
            let api = api.clone();
            move |request| api.clone().handle(request)
        };
        tokio::spawn(server::serve(listener, None, ServerLimits::default(), Shutdown::new(), handler));
        api
    }

    pub fn client(&self) -> Client {
        let url = format!("http://{}", self.address).parse().expect("a URL");
        let mut config = kube::Config::new(url);
        // As the product's: what fails is tried again by whoever asked.
        config.default_retry = false;
        Client::try_from(config).expect("a client")
    }

    pub fn settings(&self, namespace: &str, settings: &NamespaceSettings) {
        let text = serde_json::to_string(settings).expect("JSON");
        let object = json!({
            "metadata": {"name": "penstock-settings", "namespace": namespace}, "data": {"settings.json": text},
        });
        self.put(CONFIG_MAPS, namespace, object);
    }

    /// A Linux node, as its kubelet describes it.
    pub fn node(&self, name: &str, kubelet: &str, runtime: &str) {
        let info = json!({
            "machineID": "", "systemUUID": "", "bootID": "", "kernelVersion": "", "osImage": "", "kubeProxyVersion": "",
            "operatingSystem": "linux", "architecture": "amd64", "kubeletVersion": kubelet,
            "containerRuntimeVersion": runtime,
        });
        self.put(NODES, name, json!({"metadata": {"name": name}, "status": {"nodeInfo": info}}));
    }

    /// Answers requests for nodes with 403.
    pub fn hide_nodes(&self) {
        self.objects.lock().expect("unpoisoned").hidden_nodes.0 = true;
    }

    /// Requests for nodes that were answered so.
    pub fn refused_nodes(&self) -> u32 {
        self.objects.lock().expect("unpoisoned").hidden_nodes.1
    }

    fn hides(&self, path: &str) -> bool {
        let (are_hidden, refused) = &mut self.objects.lock().expect("unpoisoned").hidden_nodes;
        let is_hidden = *are_hidden && path.starts_with(NODES);
        *refused += u32::from(is_hidden);
        is_hidden
    }

    /// What the API server trusts.
    pub fn bundle(&self) -> String {
        let configuration = self.get(CONFIGURATIONS, CONFIGURATION).expect("the configuration");
        let text = configuration["webhooks"][1]["clientConfig"]["caBundle"].as_str().unwrap_or_default();
        String::from_utf8(BASE64.decode(text).expect("base64")).expect("PEM")
    }

    pub fn configuration(&self) -> Value {
        self.get(CONFIGURATIONS, CONFIGURATION).expect("the configuration")
    }

    /// What a re-applied manifest does.
    pub fn wipe_bundle(&self) {
        self.put(CONFIGURATIONS, CONFIGURATION, configuration());
    }

    pub fn writes(&self, method: &str) -> u32 {
        self.objects.lock().expect("unpoisoned").writes.get(method).copied().unwrap_or(0)
    }

    /// Makes the next requests fail: all of them with 500, only writes with 409.
    pub fn fail(&self, count: u32, code: u16) {
        self.objects.lock().expect("unpoisoned").failing = (count, code);
    }

    /// Answers requests of these methods with 403.
    pub fn forbid(&self, methods: &[Method]) {
        self.objects.lock().expect("unpoisoned").forbidden.0 = methods.to_vec();
    }

    /// Requests that were answered with 403.
    pub fn refused(&self) -> u32 {
        self.objects.lock().expect("unpoisoned").forbidden.1
    }

    /// Takes the Secret with the certificates away.
    pub fn delete_certificates(&self) {
        self.objects.lock().expect("unpoisoned").objects.retain(|(collection, _), _| collection != SECRETS);
    }

    fn is_forbidden(&self, method: &Method) -> bool {
        let forbidden = &mut self.objects.lock().expect("unpoisoned").forbidden;
        let is_forbidden = forbidden.0.contains(method);
        forbidden.1 += u32::from(is_forbidden);
        is_forbidden
    }

    pub fn left_to_fail(&self) -> u32 {
        self.objects.lock().expect("unpoisoned").failing.0
    }

    fn fails(&self, is_write: bool) -> Option<u16> {
        let failing = &mut self.objects.lock().expect("unpoisoned").failing;
        if failing.0 == 0 || (failing.1 == 409 && !is_write) {
            return None;
        }
        failing.0 -= 1;
        Some(failing.1)
    }

    fn get(&self, collection: &str, name: &str) -> Option<Value> {
        self.objects.lock().expect("unpoisoned").objects.get(&(collection.to_owned(), name.to_owned())).cloned()
    }

    fn put(&self, collection: &str, name: &str, mut object: Value) -> Value {
        let mut objects = self.objects.lock().expect("unpoisoned");
        objects.version += 1;
        object["metadata"]["resourceVersion"] = json!(objects.version.to_string());
        objects.objects.insert((collection.to_owned(), name.to_owned()), object.clone());
        self.changed.send_replace(objects.version);
        object
    }

    async fn handle(self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let query = request.uri().query().unwrap_or_default().to_owned();
        let budget = BodyBudget::new(1 << 20);
        let (body, _room) = read_body(request.into_body(), 1 << 20, &budget).await.expect("a body");
        let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        if let Some(code) = self.fails(method != Method::GET) {
            return status(code, if code == 409 { "Conflict" } else { "InternalError" });
        }
        if self.is_forbidden(&method) || self.hides(&path) {
            return status(403, "Forbidden");
        }
        for collection in [SECRETS, CONFIGURATIONS, CONFIG_MAPS, NODES] {
            let Some(rest) = path.strip_prefix(collection) else { continue };
            let name = rest.trim_start_matches('/');
            return match method {
                Method::GET if name.is_empty() && query.contains("watch=") => self.watch(collection, &query).await,
                Method::GET if name.is_empty() => self.list(collection),
                Method::GET => self.get(collection, name).map_or_else(not_found, |object| reply(200, &object)),
                method => self.write(&method, collection, name, &body),
            };
        }
        not_found()
    }

    fn write(&self, method: &Method, collection: &str, name: &str, body: &Value) -> Response<Full<Bytes>> {
        let name = if name.is_empty() { body["metadata"]["name"].as_str().unwrap_or_default() } else { name };
        let there = self.get(collection, name);
        let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
        let is_conflict = match (method, &there) {
            (&Method::POST, there) => there.is_some(),
            (_, None) => return not_found(),
            (_, Some(there)) => !version(body).is_null() && version(body) != version(there),
        };
        if is_conflict {
            return status(409, "Conflict");
        }
        *self.objects.lock().expect("unpoisoned").writes.entry(method.to_string()).or_default() += 1;
        let object = match *method {
            Method::PATCH => merged(there.unwrap_or_default(), body),
            _ => body.clone(),
        };
        reply(200, &self.put(collection, name, object))
    }

    fn list(&self, collection: &str) -> Response<Full<Bytes>> {
        let objects = self.objects.lock().expect("unpoisoned");
        let items: Vec<&Value> =
            objects.objects.iter().filter(|((of, _), _)| of == collection).map(|(_, object)| object).collect();
        reply(200, &json!({"metadata": {"resourceVersion": objects.version.to_string()}, "items": items}))
    }

    async fn watch(&self, collection: &str, query: &str) -> Response<Full<Bytes>> {
        let since: u64 = (query.split('&').find_map(|part| part.strip_prefix("resourceVersion=")))
            .and_then(|version| version.parse().ok())
            .unwrap_or(0);
        let news = || {
            let objects = self.objects.lock().expect("unpoisoned");
            let is_new = |object: &&Value| {
                object["metadata"]["resourceVersion"]
                    .as_str()
                    .is_some_and(|v| v.parse::<u64>().is_ok_and(|v| v > since))
            };
            let of = objects.objects.iter().filter(|((of, _), _)| of == collection).map(|(_, object)| object);
            of.filter(is_new).map(|object| json!({"type": "MODIFIED", "object": object}).to_string() + "\n").collect()
        };
        let mut changed = self.changed.subscribe();
        let waiting = async {
            loop {
                let news: String = news();
                if !news.is_empty() {
                    return news;
                }
                changed.changed().await.expect("the API lives");
            }
        };
        let news = timeout(WATCH, waiting).await.unwrap_or_default();
        server::response(StatusCode::OK, "application/json", news)
    }
}

pub fn settings() -> NamespaceSettings {
    let mut settings = NamespaceSettings::kfp_default("http://minio-service.kubeflow:9000");
    settings.allowed_prefixes = vec!["s3://data/team".to_owned()];
    settings
}

/// Two entries: a foreign one, and ours without a bundle.
fn configuration() -> Value {
    json!({
        "metadata": {"name": CONFIGURATION},
        "webhooks": [
            {"name": "foreign.example.org", "clientConfig": {"url": "https://example.org/", "caBundle": "Zm9yZWlnbg=="},
             "admissionReviewVersions": ["v1"], "sideEffects": "None"},
            {"name": "pods.penstock.dev", "clientConfig": {"service": {"name": SERVICE, "namespace": NAMESPACE}},
             "admissionReviewVersions": ["v1"], "sideEffects": "None", "fieldOfTomorrow": 7},
        ],
    })
}

/// A strategic merge, as far as it is used: entries by name.
fn merged(mut there: Value, patch: &Value) -> Value {
    for change in patch["webhooks"].as_array().into_iter().flatten() {
        let entries = there["webhooks"].as_array_mut().expect("entries");
        let entry = entries.iter_mut().find(|entry| entry["name"] == change["name"]).expect("the entry");
        entry["clientConfig"]["caBundle"] = change["clientConfig"]["caBundle"].clone();
    }
    there
}

fn reply(code: u16, object: &Value) -> Response<Full<Bytes>> {
    let code = StatusCode::from_u16(code).expect("a status");
    server::response(code, "application/json", object.to_string())
}

fn status(code: u16, reason: &str) -> Response<Full<Bytes>> {
    reply(code, &json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason}))
}

fn not_found() -> Response<Full<Bytes>> {
    status(404, "NotFound")
}
