//! An API server in this process: objects, versions, watches, and faults when asked for. It knows no kinds: a resource
//! is what stands in the path.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::channel::mpsc::UnboundedSender;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// The server. Clones are the same server.
#[derive(Clone)]
pub(crate) struct FakeApi {
    state: Arc<Mutex<State>>,
    changed: Arc<watch::Sender<u64>>,
    address: std::net::SocketAddr,
}

#[derive(Default)]
struct State {
    version: u64,
    objects: BTreeMap<Key, Value>,
    events: Vec<(u64, Key, &'static str, Value)>,
    /// Watches from before this version get a 410.
    oldest: u64,
    /// Watches that began before this one are closed.
    watch_epoch: u64,
    silent: bool,
    faults: Vec<Fault>,
    requests: Vec<String>,
}

/// Resource, namespace and name.
type Key = (String, String, String);

struct Fault {
    method: Method,
    path: String,
    code: u16,
    times: usize,
}

/// What a request is about.
struct Target {
    resource: String,
    namespace: String,
    name: String,
}

impl FakeApi {
    pub(crate) async fn start() -> FakeApi {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = State { version: 1, ..State::default() };
        let api = FakeApi { state: Arc::new(Mutex::new(state)), changed: Arc::new(watch::Sender::new(0)), address };
        let server = api.clone();
        tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let server = server.clone();
                tokio::spawn(async move {
                    let service = hyper::service::service_fn(move |request| {
                        let server = server.clone();
                        async move { Ok::<_, Infallible>(server.answer(request).await) }
                    });
                    // The client may go at any time.
                    let _ =
                        auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
                });
            }
        });
        api
    }

    pub(crate) fn client(&self) -> kube::Client {
        let url = format!("http://{}", self.address).parse().unwrap();
        let mut config = kube::Config::new(url);
        config.default_retry = false;
        kube::Client::try_from(config).unwrap()
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        let result = work(&mut self.state.lock().unwrap());
        self.changed.send_modify(|count| *count += 1);
        result
    }

    /// Puts an object there, or changes it, as somebody else would.
    pub(crate) fn put(&self, resource: &str, namespace: &str, name: &str, content: &Value) {
        let key = (resource.to_owned(), namespace.to_owned(), name.to_owned());
        self.with(|state| state.store(&key, content.clone()));
    }

    /// Merges into an object.
    pub(crate) fn edit(&self, resource: &str, namespace: &str, name: &str, patch: &Value) {
        let mut object = self.get(resource, namespace, name).unwrap();
        merge(&mut object, patch);
        self.put(resource, namespace, name, &object);
    }

    pub(crate) fn remove(&self, resource: &str, namespace: &str, name: &str) {
        let key = (resource.to_owned(), namespace.to_owned(), name.to_owned());
        self.with(|state| state.delete(&key)).unwrap();
    }

    pub(crate) fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<Value> {
        let key = (resource.to_owned(), namespace.to_owned(), name.to_owned());
        self.state.lock().unwrap().objects.get(&key).cloned()
    }

    pub(crate) fn list(&self, resource: &str) -> Vec<Value> {
        let state = self.state.lock().unwrap();
        state.objects.iter().filter(|(key, _)| key.0 == resource).map(|(_, object)| object.clone()).collect()
    }

    /// Requests so far whose text begins so, such as `PATCH /api/v1/namespaces/team`.
    pub(crate) fn requests(&self, beginning: &str) -> usize {
        self.state.lock().unwrap().requests.iter().filter(|request| request.starts_with(beginning)).count()
    }

    /// All requests, for people.
    pub(crate) fn log(&self) -> String {
        self.state.lock().unwrap().requests.join("\n")
    }

    /// The next requests of this kind are refused.
    pub(crate) fn fail(&self, method: Method, path: &str, code: u16, times: usize) {
        self.with(|state| state.faults.push(Fault { method, path: path.to_owned(), code, times }));
    }

    pub(crate) fn heal(&self) {
        self.with(|state| state.faults.clear());
    }

    /// All watches end, and what happened so far cannot be watched any more (F-06).
    pub(crate) fn compact(&self) {
        self.with(|state| {
            state.watch_epoch += 1;
            state.oldest = state.version;
        });
    }

    /// Watches that there are, and those that begin, stay open and say nothing any more (F-05), until it ends: then new
    /// ones speak.
    pub(crate) fn silence(&self, silent: bool) {
        self.with(|state| state.silent = silent);
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path().to_owned();
        let query: BTreeMap<String, String> =
            form_urlencoded::parse(parts.uri.query().unwrap_or("").as_bytes()).into_owned().collect();
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let content: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let watches = query.get("watch").is_some_and(|watch| watch == "true");
        let fault = self.with(|state| {
            state.requests.push(format!("{} {path}{}", parts.method, if watches { "?watch" } else { "" }));
            state.fault(&parts.method, &path)
        });
        if let Some(code) = fault {
            return status(code, "a fault that a test asked for");
        }
        let Some(target) = target(&path) else { return status(404, "no such path") };
        match parts.method {
            Method::GET if watches => self.watch(target, query),
            Method::GET if target.name.is_empty() => self.with(|state| state.list(&target, &query)),
            Method::GET => match self.get(&target.resource, &target.namespace, &target.name) {
                Some(object) => answer(200, &object),
                None => status(404, "not found"),
            },
            Method::PATCH => self.with(|state| {
                let key = target.key();
                let mut object = state.objects.get(&key).cloned().unwrap_or(json!({}));
                merge(&mut object, &content);
                answer(200, &state.store(&key, object))
            }),
            Method::POST => {
                let name = content["metadata"]["name"].as_str().unwrap_or_default().to_owned();
                let key = (target.resource, target.namespace, name);
                self.with(|state| match state.objects.contains_key(&key) {
                    true => status(409, "already exists"),
                    false => answer(201, &state.store(&key, content)),
                })
            }
            Method::DELETE => self.with(|state| {
                let wanted = &content["preconditions"]["uid"];
                match state.objects.get(&target.key()) {
                    None => status(404, "not found"),
                    Some(object) if !wanted.is_null() && object["metadata"]["uid"] != *wanted => {
                        status(409, "the UID in the precondition differs")
                    }
                    Some(_) => answer(200, &state.delete(&target.key()).unwrap()),
                }
            }),
            _ => status(405, "not allowed"),
        }
    }

    fn watch(&self, target: Target, query: BTreeMap<String, String>) -> Response<Body> {
        let (sender, receiver) = futures::channel::mpsc::unbounded();
        tokio::spawn(self.clone().feed(target, query, sender));
        Response::new(StreamBody::new(receiver).boxed_unsync())
    }

    async fn feed(
        self,
        target: Target,
        query: BTreeMap<String, String>,
        sender: UnboundedSender<Result<Frame<Bytes>, Infallible>>,
    ) {
        let mut changed = self.changed.subscribe();
        let seconds = query.get("timeoutSeconds").and_then(|text| text.parse().ok()).unwrap_or(290);
        let end = tokio::time::Instant::now() + Duration::from_secs(seconds);
        let mut after: u64 = query.get("resourceVersion").and_then(|text| text.parse().ok()).unwrap_or(0);
        let begun = self.state.lock().unwrap().watch_epoch;
        let mut silent = false;
        loop {
            let (lines, last, closed) = {
                let state = self.state.lock().unwrap();
                silent |= state.silent;
                if after < state.oldest && !silent {
                    let gone = json!({"type": "ERROR", "object": status_object(410, "too old resource version")});
                    (vec![gone], after, true)
                } else {
                    let new = state.events.iter().filter(|(version, key, _, object)| {
                        *version > after && target.covers(key) && selected(object, &query)
                    });
                    let lines = new.map(|(_, _, kind, object)| json!({"type": kind, "object": object})).collect();
                    (lines, state.version, begun < state.watch_epoch && !silent)
                }
            };
            if !silent {
                after = last;
                for line in lines {
                    if sender.unbounded_send(Ok(Frame::data(Bytes::from(format!("{line}\n"))))).is_err() {
                        return;
                    }
                }
            }
            if closed {
                return;
            }
            tokio::select! {
                _ = changed.changed() => {}
                () = tokio::time::sleep_until(end), if !silent => return,
                () = tokio::time::sleep(Duration::from_secs(60)), if silent => return,
            }
        }
    }
}

impl Target {
    fn key(&self) -> Key {
        (self.resource.clone(), self.namespace.clone(), self.name.clone())
    }

    fn covers(&self, key: &Key) -> bool {
        self.resource == key.0 && (self.namespace.is_empty() || self.namespace == key.1)
    }
}

/// Reads a path such as `/apis/group/version/namespaces/team/roles/name`.
fn target(path: &str) -> Option<Target> {
    let rest = match path.strip_prefix("/api/v1/") {
        Some(rest) => rest,
        None => path.strip_prefix("/apis/")?.splitn(3, '/').nth(2)?,
    };
    let parts: Vec<&str> = rest.split('/').collect();
    let (resource, namespace, name) = match parts.as_slice() {
        ["namespaces", name] => ("namespaces", "", *name),
        ["namespaces", namespace, resource] => (*resource, *namespace, ""),
        ["namespaces", namespace, resource, name] => (*resource, *namespace, *name),
        [resource] => (*resource, "", ""),
        _ => return None,
    };
    Some(Target { resource: resource.to_owned(), namespace: namespace.to_owned(), name: name.to_owned() })
}

impl State {
    fn fault(&mut self, method: &Method, path: &str) -> Option<u16> {
        let fault = self.faults.iter_mut().find(|fault| fault.method == *method && path.contains(&fault.path))?;
        let code = fault.code;
        fault.times -= 1;
        self.faults.retain(|fault| fault.times > 0);
        Some(code)
    }

    fn store(&mut self, key: &Key, mut object: Value) -> Value {
        self.version += 1;
        let kind = if self.objects.contains_key(key) { "MODIFIED" } else { "ADDED" };
        let uid = self.objects.get(key).and_then(|old| old["metadata"]["uid"].as_str().map(str::to_owned));
        if !object["metadata"].is_object() {
            object["metadata"] = json!({});
        }
        let metadata = &mut object["metadata"];
        metadata["name"] = json!(key.2);
        if !key.1.is_empty() {
            metadata["namespace"] = json!(key.1);
        }
        metadata["uid"] = json!(uid.unwrap_or_else(|| format!("uid-{}", self.version)));
        metadata["resourceVersion"] = json!(self.version.to_string());
        self.objects.insert(key.clone(), object.clone());
        self.events.push((self.version, key.clone(), kind, object.clone()));
        object
    }

    fn delete(&mut self, key: &Key) -> Option<Value> {
        let mut object = self.objects.remove(key)?;
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.events.push((self.version, key.clone(), "DELETED", object.clone()));
        Some(object)
    }

    fn list(&self, target: &Target, query: &BTreeMap<String, String>) -> Response<Body> {
        let found = self.objects.iter().filter(|(key, object)| target.covers(key) && selected(object, query));
        let items: Vec<&Value> = found.map(|(_, object)| object).collect();
        answer(
            200,
            &json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": self.version.to_string()},
                    "items": items}),
        )
    }
}

/// Whether an object fits the selectors of a request.
fn selected(object: &Value, query: &BTreeMap<String, String>) -> bool {
    let terms =
        |name: &str| query.get(name).map(|text| text.split(',').map(str::to_owned).collect()).unwrap_or_default();
    let labels: Vec<String> = terms("labelSelector");
    let fields: Vec<String> = terms("fieldSelector");
    let label = |term: &String| match term.split_once('=') {
        Some((name, value)) => object["metadata"]["labels"][name] == *value,
        None => !object["metadata"]["labels"][term].is_null(),
    };
    let field = |term: &String| {
        let (path, value, equal) = match term.split_once("!=") {
            Some((path, value)) => (path, value, false),
            None => term.split_once('=').map(|(path, value)| (path, value, true)).unwrap(),
        };
        (object.pointer(&format!("/{}", path.replace('.', "/"))).and_then(Value::as_str) == Some(value)) == equal
    };
    labels.iter().all(label) && fields.iter().all(field)
}

/// As a merge patch; near enough to server-side apply for objects with one owner.
fn merge(object: &mut Value, patch: &Value) {
    // Part of strategic merge patches.
    const DELETE: &str = "$deleteFromPrimitiveList/finalizers";
    match (object, patch) {
        (Value::Object(object), Value::Object(patch)) => {
            for (name, value) in patch {
                if name == DELETE {
                    let gone = value.as_array().cloned().unwrap_or_default();
                    if let Some(all) = object.get_mut("finalizers").and_then(Value::as_array_mut) {
                        all.retain(|finalizer| !gone.contains(finalizer));
                    }
                } else if value.is_null() {
                    object.remove(name);
                } else {
                    merge(object.entry(name).or_insert(Value::Object(Map::new())), value);
                }
            }
        }
        (object, patch) => *object = patch.clone(),
    }
}

fn status_object(code: u16, message: &str) -> Value {
    let reason = match code {
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        410 => "Expired",
        503 => "ServiceUnavailable",
        _ => "InternalError",
    };
    json!({"apiVersion": "v1", "kind": "Status", "status": "Failure", "code": code, "message": message, "reason": reason})
}

fn status(code: u16, message: &str) -> Response<Body> {
    answer(code, &status_object(code, message))
}

fn answer(code: u16, content: &Value) -> Response<Body> {
    let body = Full::new(Bytes::from(content.to_string())).boxed_unsync();
    Response::builder().status(code).header("content-type", "application/json").body(body).unwrap()
}
