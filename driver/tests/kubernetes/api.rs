//! An API server for Pods, in process and on loopback: harsher than a real one where a test asks for it. What it cannot
//! show is a kubelet's own order of things.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use penstock_spec::keys;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::claims::Claims;

pub(crate) const NAMESPACE: &str = "team";

type Answer = Response<BoxBody<Bytes, Infallible>>;

/// What happens to a request.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// It is refused with a code, a reason and a message.
    Refuse(u16, &'static str, String),
    /// It takes effect, and the answer is lost.
    LoseAnswer,
    /// A Pod of somebody else takes its name first.
    Occupy,
    /// Somebody adds a finalizer first.
    AddFinalizer,
    /// There is never an answer.
    Hang,
}

/// A request that was answered, or taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) verb: &'static str,
    pub(crate) name: String,
}

#[derive(Default)]
struct State {
    version: u64,
    /// Events before this version are forgotten.
    compacted: u64,
    pods: BTreeMap<String, Value>,
    claims: Claims,
    /// What the namespace's ConfigMap of settings holds, and how often it was read.
    settings: Option<String>,
    settings_reads: usize,
    /// Whether accounts may patch Pods; nobody may ask when absent.
    may_patch: Option<bool>,
    reviews: usize,
    /// Whether only what lies in a namespace may be listed, and whether the namespace has lost its label.
    is_confined: bool,
    is_unlabelled: bool,
    /// Whether Pods that may be root's are refused.
    is_restricted: bool,
    events: Vec<(u64, &'static str, Value)>,
    calls: Vec<Call>,
    faults: VecDeque<(&'static str, Fault)>,
    webhook_is_absent: bool,
    /// Logs that are to break off in the middle.
    broken_logs: u32,
    /// Says which events are never delivered, by their kind and Pod.
    mute: Option<fn(&str, &Value) -> bool>,
    /// Watches that are open now deliver nothing, and never end: those opened up to this one.
    silent_up_to: u64,
    watches: u64,
    /// The request at which everything stops, and whether it takes effect before.
    freeze: Option<(usize, bool)>,
}

/// The server.
pub(crate) struct FakeApi {
    state: Mutex<State>,
    changed: watch::Sender<u64>,
    frozen: watch::Sender<bool>,
    /// Counts up to cut all watches.
    cut: watch::Sender<u64>,
    address: std::net::SocketAddr,
}

/// The first line of a log that is shorter than it says it is.
fn broken_log() -> Answer {
    let pieces = futures::stream::unfold(true, |is_first| async move {
        if !is_first {
            // By now the line was sent.
            tokio::time::sleep(Duration::from_millis(50)).await;
            return None;
        }
        Some((Ok(Frame::data(Bytes::from_static(b"hello\n"))), false))
    });
    let body = BodyExt::boxed(StreamBody::new(Box::pin(pieces) as BoxedEvents));
    Response::builder().header("content-length", 12).body(body).expect("an answer")
}

impl FakeApi {
    pub(crate) async fn start() -> Arc<FakeApi> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let api = Arc::new(FakeApi {
            state: Mutex::new(State { version: 100, ..State::default() }),
            changed: watch::Sender::new(0),
            frozen: watch::Sender::new(false),
            cut: watch::Sender::new(0),
            address: listener.local_addr().expect("an address"),
        });
        let server = Arc::clone(&api);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let api = Arc::clone(&server);
                tokio::spawn(async move {
                    let service = service_fn(move |request| Arc::clone(&api).answer(request));
                    let _ =
                        auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        api
    }

    pub(crate) fn client(&self) -> kube::Client {
        let mut config = kube::Config::new(format!("http://{}", self.address).parse().expect("a URI"));
        config.default_retry = false;
        kube::Client::try_from(config).expect("a client")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds the lock")
    }

    pub(crate) fn pods(&self) -> Vec<Value> {
        self.state().pods.values().cloned().collect()
    }

    pub(crate) fn claims(&self) -> Vec<Value> {
        self.state().claims.all()
    }

    /// Makes a volume claim as somebody else does.
    pub(crate) fn add_claim(&self, claim: &Value) {
        let name = claim["metadata"]["name"].as_str().expect("a name").to_owned();
        self.state().claims.create(&name, claim.clone()).expect("a new claim");
    }

    /// Deletes a volume claim as somebody else does.
    pub(crate) fn delete_claim(&self, name: &str) {
        self.state().claims.delete(name, &Value::Null).expect("a claim");
    }

    /// A volume claim that is deleted stays until it is let go, as one does that a Pod mounts.
    pub(crate) fn hold_claim(&self, name: &str, is_held: bool) {
        self.state().claims.hold(name, is_held);
        self.changed.send_modify(|count| *count += 1);
    }

    pub(crate) fn calls(&self, verb: &str) -> Vec<String> {
        self.state().calls.iter().filter(|call| call.verb == verb).map(|call| call.name.clone()).collect()
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// The next request of this verb meets a fault.
    pub(crate) fn fault(&self, verb: &'static str, fault: Fault) {
        self.state().faults.push_back((verb, fault));
    }

    /// Answers with a log that break off in the middle.
    pub(crate) fn break_logs(&self, count: u32) {
        self.state().broken_logs = count;
    }

    fn log_breaks_off(&self) -> bool {
        let mut state = self.state();
        let left = state.broken_logs.checked_sub(1);
        state.broken_logs = left.unwrap_or_default();
        left.is_some()
    }

    pub(crate) fn pending_faults(&self) -> usize {
        self.state().faults.len()
    }

    /// The namespace's settings.
    pub(crate) fn set_settings(&self, text: Option<String>) {
        self.state().settings = text;
    }

    pub(crate) fn settings_reads(&self) -> usize {
        self.state().settings_reads
    }

    /// Whether the accounts of the namespace may patch Pods.
    pub(crate) fn set_may_patch(&self, may: bool) {
        self.state().may_patch = Some(may);
    }

    /// How often it was asked whether an account may.
    pub(crate) fn reviews(&self) -> usize {
        self.state().reviews
    }

    /// From now on the namespace takes no Pods of root.
    pub(crate) fn confine(&self, is_confined: bool) {
        self.state().is_confined = is_confined;
    }

    pub(crate) fn take_label(&self, is_unlabelled: bool) {
        self.state().is_unlabelled = is_unlabelled;
    }

    pub(crate) fn restrict(&self) {
        self.state().is_restricted = true;
    }

    pub(crate) fn remove_webhook(&self) {
        self.state().webhook_is_absent = true;
    }

    pub(crate) fn mute(&self, mute: Option<fn(&str, &Value) -> bool>) {
        self.state().mute = mute;
    }

    /// Everything stops at a request from now on.
    pub(crate) fn freeze_at(&self, request: usize, after: bool) {
        let mut state = self.state();
        let from = state.calls.len();
        state.freeze = Some((from + request, after));
    }

    pub(crate) async fn frozen(&self) {
        let _ = self.frozen.subscribe().wait_for(|frozen| *frozen).await;
    }

    pub(crate) fn thaw(&self) {
        self.state().freeze = None;
        self.frozen.send_replace(false);
    }

    /// Watches that are open now go silent without an end.
    pub(crate) fn silence(&self) {
        let mut state = self.state();
        state.silent_up_to = state.watches;
    }

    /// Cuts all watches, and forgets all events: they have to list anew.
    pub(crate) fn expire(&self) {
        let mut state = self.state();
        state.version += 1;
        state.compacted = state.version;
        state.events.clear();
        drop(state);
        self.cut.send_modify(|cut| *cut += 1);
    }

    /// Changes a Pod as a kubelet or launcher does.
    pub(crate) fn change(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let mut state = self.state();
        let Some(mut pod) = state.pods.get(name).cloned() else { return };
        change(&mut pod);
        state.store(name, pod);
        drop(state);
        self.changed.send_modify(|count| *count += 1);
    }

    /// Delivers an old state of a Pod again.
    pub(crate) fn replay(&self, old: &Value) {
        let mut state = self.state();
        state.version += 1;
        let version = state.version;
        state.events.push((version, "MODIFIED", old.clone()));
        drop(state);
        self.changed.send_modify(|count| *count += 1);
    }

    /// Deletes a Pod as somebody does who also removes finalizers.
    pub(crate) fn delete_by_force(&self, name: &str) {
        let mut state = self.state();
        state.remove(name);
        drop(state);
        self.changed.send_modify(|count| *count += 1);
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Answer, std::io::Error> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
        let path = parts.uri.path().trim_end_matches('/').to_owned();
        let query = parts.uri.query().unwrap_or_default().to_owned();
        if path.ends_with("/configmaps/penstock-settings") {
            let mut state = self.state();
            state.settings_reads += 1;
            return Ok(match &state.settings {
                Some(text) => whole(StatusCode::OK, &json!({"metadata": {}, "data": {"settings.json": text}})),
                None => status(404, "NotFound", "configmaps \"penstock-settings\" not found"),
            });
        }
        if path.ends_with("/subjectaccessreviews") {
            return Ok(self.review(&body));
        }
        if let "/api/v1/pods" | "/api/v1/namespaces" = path.as_str() {
            return Ok(self.everywhere(&path));
        }
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        if let Some(name) = path.strip_prefix(&format!("/api/v1/namespaces/{NAMESPACE}/persistentvolumeclaims")) {
            let name = name.trim_start_matches('/');
            let Some(verb) = Claims::verb(&parts.method, name) else {
                return Ok(status(405, "MethodNotAllowed", "no such method"));
            };
            return self.answer_with(verb, name.to_owned(), &body).await;
        }
        let Some(rest) = path.strip_prefix(&format!("/api/v1/namespaces/{NAMESPACE}/pods")) else {
            return Ok(status(404, "NotFound", &format!("namespaces not found: {path}")));
        };
        let name = rest.trim_start_matches('/').to_owned();
        if let Some(name) = name.strip_suffix("/log") {
            return Ok(self.log(name));
        }
        let verb = match (&parts.method, name.is_empty()) {
            (&Method::POST, true) => "create",
            (&Method::GET, true) if query.contains("watch=") => return Ok(self.watch(&query)),
            (&Method::GET, true) => "list",
            (&Method::GET, false) => "get",
            (&Method::DELETE, false) => "delete",
            (&Method::PATCH, false) => "patch",
            _ => return Ok(status(405, "MethodNotAllowed", "no such method")),
        };
        self.answer_with(verb, name, &body).await
    }

    async fn answer_with(&self, verb: &'static str, name: String, body: &Value) -> Result<Answer, std::io::Error> {
        let (answer, lost) = self.carry_out(verb, name, body).await;
        self.changed.send_modify(|count| *count += 1);
        if lost { Err(std::io::Error::other("the answer is lost")) } else { Ok(answer) }
    }

    /// A list of the whole cluster, which is one namespace: its Pods, or itself.
    fn everywhere(&self, path: &str) -> Answer {
        let state = self.state();
        if state.is_confined {
            return status(403, "Forbidden", "the list of all namespaces is forbidden");
        }
        match path {
            "/api/v1/pods" => whole(StatusCode::OK, &state.list()),
            _ => {
                let items = if state.is_unlabelled { json!([]) } else { json!([{"metadata": {"name": NAMESPACE}}]) };
                let metadata = json!({"resourceVersion": state.version.to_string()});
                whole(
                    StatusCode::OK,
                    &json!({"kind": "NamespaceList", "apiVersion": "v1", "metadata": metadata, "items": items}),
                )
            }
        }
    }

    fn review(&self, body: &[u8]) -> Answer {
        let mut state = self.state();
        state.reviews += 1;
        self.changed.send_modify(|count| *count += 1);
        let Some(allowed) = state.may_patch else {
            return status(403, "Forbidden", "subjectaccessreviews is forbidden");
        };
        let mut review: Value = serde_json::from_slice(body).unwrap_or_default();
        let user = format!("system:serviceaccount:{NAMESPACE}:reader");
        let asks = review["spec"]["user"] == user && review["spec"]["resourceAttributes"]["verb"] == "patch";
        review["status"] = json!({"allowed": allowed && asks});
        whole(StatusCode::CREATED, &review)
    }

    async fn carry_out(&self, verb: &'static str, name: String, body: &Value) -> (Answer, bool) {
        let name = match verb {
            "create" | "create_claim" => body["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
            _ => name,
        };
        let (before, after, fault) = {
            let mut state = self.state();
            state.calls.push(Call { verb, name: name.clone() });
            let number = state.calls.len();
            let frozen = *self.frozen.borrow();
            let at = state.freeze.filter(|(at, _)| *at == number);
            let position = state.faults.iter().position(|(of, _)| *of == verb);
            let fault = position.and_then(|position| state.faults.remove(position)).map(|(_, fault)| fault);
            (frozen || at.is_some_and(|(_, after)| !after), at.is_some(), fault)
        };
        if before {
            self.frozen.send_replace(true);
            std::future::pending::<()>().await;
        }
        if let Some(Fault::Refuse(code, reason, message)) = &fault {
            return (status(*code, reason, message), false);
        }
        if let Some(Fault::Hang) = &fault {
            std::future::pending::<()>().await;
        }
        if let Some(Fault::AddFinalizer) = &fault {
            self.change(&name, |pod| {
                if let Some(finalizers) = pod["metadata"]["finalizers"].as_array_mut() {
                    finalizers.push(json!("other/one"));
                }
            });
        }
        let answer = self.apply(verb, &name, body, matches!(fault, Some(Fault::Occupy)));
        if after {
            self.frozen.send_replace(true);
            std::future::pending::<()>().await;
        }
        let answer = match answer {
            Ok(object) => whole(StatusCode::OK, &object),
            Err((code, reason, message)) => status(code, reason, &message),
        };
        (answer, matches!(fault, Some(Fault::LoseAnswer)))
    }

    /// What the user's container wrote, once it has started.
    fn log(&self, name: &str) -> Answer {
        let pod = self.state().pods.get(name).cloned();
        match pod.map(|pod| pod["status"]["phase"] == "Running") {
            None => status(404, "NotFound", &format!("pods {name:?} not found")),
            Some(false) => {
                status(400, "BadRequest", "container \"main\" in pod \"p\" is waiting to start: PodInitializing")
            }
            Some(true) if self.log_breaks_off() => broken_log(),
            Some(true) => Response::new(Full::new(Bytes::from_static(b"hello\nworld\n")).boxed()),
        }
    }

    fn apply(&self, verb: &str, name: &str, body: &Value, occupied: bool) -> Outcome {
        let mut state = self.state();
        if occupied {
            let stranger = json!({"metadata": {"name": name, "labels": {keys::LABEL_INJECT: keys::INJECT_TASK}}});
            state.create(name, stranger);
        }
        match verb {
            "create" => state.admit(name, body.clone()),
            "list" => Ok(state.list()),
            "get" => state.pods.get(name).cloned().ok_or((404, "NotFound", format!("pods {name:?} not found"))),
            "delete" => state.delete(name, body),
            "create_claim" => state.claims.create(name, body.clone()),
            "list_claims" => Ok(state.claims.workspaces()),
            "get_claim" => state.claims.get(name),
            "delete_claim" => state.claims.delete(name, body),
            _ => state.patch(name, body),
        }
    }

    /// A stream of events after a version.
    fn watch(self: &Arc<Self>, query: &str) -> Answer {
        let version = query.split('&').find_map(|part| part.strip_prefix("resourceVersion="));
        let version: u64 = version.and_then(|text| text.parse().ok()).unwrap_or_default();
        let number = {
            let mut state = self.state();
            state.watches += 1;
            state.watches
        };
        let quiet = query.split('&').find_map(|part| part.strip_prefix("timeoutSeconds=")?.parse().ok()).unwrap_or(30);
        let (api, changed, cut) = (Arc::clone(self), self.changed.subscribe(), self.cut.subscribe());
        let start = (api, version, changed, cut);
        let events = futures::stream::unfold(start, move |(api, version, mut changed, mut cut)| async move {
            loop {
                changed.mark_unchanged();
                if number <= api.state().silent_up_to {
                    std::future::pending::<()>().await;
                }
                let next = {
                    let state = api.state();
                    match version < state.compacted {
                        true => {
                            Some((u64::MAX, json!({"type": "ERROR", "object": failure(410, "Expired", "too old")})))
                        }
                        false => state.event_after(version),
                    }
                };
                if version == u64::MAX || *api.frozen.borrow() {
                    return None;
                }
                if let Some((version, event)) = next {
                    let line = Bytes::from(format!("{event}\n"));
                    return Some((Ok::<_, Infallible>(Frame::data(line)), (api, version, changed, cut)));
                }
                tokio::select! {
                    _ = changed.changed() => {}
                    _ = cut.changed() => return None,
                    () = tokio::time::sleep(Duration::from_secs(quiet)) => return None,
                }
            }
        });
        Response::new(BodyExt::boxed(StreamBody::new(Box::pin(events) as BoxedEvents)))
    }
}

type BoxedEvents = std::pin::Pin<Box<dyn futures::Stream<Item = Result<Frame<Bytes>, Infallible>> + Send + Sync>>;

pub(crate) type Outcome = Result<Value, (u16, &'static str, String)>;

impl State {
    fn store(&mut self, name: &str, mut pod: Value) -> Value {
        self.version += 1;
        let is_new = !self.pods.contains_key(name);
        pod["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.pods.insert(name.to_owned(), pod.clone());
        self.events.push((self.version, if is_new { "ADDED" } else { "MODIFIED" }, pod.clone()));
        pod
    }

    fn create(&mut self, name: &str, mut pod: Value) -> Value {
        pod["metadata"]["uid"] = json!(format!("uid-{}", self.version));
        pod["metadata"]["namespace"] = json!(NAMESPACE);
        pod["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
        pod["status"] = json!({"phase": "Pending"});
        self.store(name, pod)
    }

    fn admit(&mut self, name: &str, mut pod: Value) -> Outcome {
        if self.pods.contains_key(name) {
            return Err((409, "AlreadyExists", format!("pods {name:?} already exists")));
        }
        if self.is_restricted && pod["spec"]["containers"][0]["securityContext"]["runAsNonRoot"] != true {
            let message = format!(
                "pods {name:?} is forbidden: violates PodSecurity \"restricted:latest\": runAsNonRoot != true (pod or \
                 container \"main\" must set securityContext.runAsNonRoot=true)"
            );
            return Err((403, "Forbidden", message));
        }
        if !self.webhook_is_absent {
            let sidecar = json!({"name": keys::SIDECAR_CONTAINER, "restartPolicy": "Always"});
            pod["spec"]["initContainers"] = json!([sidecar]);
            pod["spec"]["containers"][0]["command"] = json!([keys::ENTRY_PATH]);
        }
        Ok(self.create(name, pod))
    }

    fn list(&self) -> Value {
        let items: Vec<&Value> = self.pods.values().collect();
        let metadata = json!({"resourceVersion": self.version.to_string()});
        json!({"kind": "PodList", "apiVersion": "v1", "metadata": metadata, "items": items})
    }

    fn same(&self, name: &str, uid: &Value) -> Result<Value, (u16, &'static str, String)> {
        let Some(pod) = self.pods.get(name) else { return Err((404, "NotFound", format!("pods {name:?} not found"))) };
        match uid.is_null() || pod["metadata"]["uid"] == *uid {
            true => Ok(pod.clone()),
            false => Err((409, "Conflict", "the UID in the precondition does not match".to_owned())),
        }
    }

    fn delete(&mut self, name: &str, options: &Value) -> Outcome {
        let mut pod = self.same(name, &options["preconditions"]["uid"])?;
        pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        pod["metadata"]["deletionGracePeriodSeconds"] = json!(60);
        let pod = self.store(name, pod);
        self.remove_if_over(name);
        Ok(pod)
    }

    fn patch(&mut self, name: &str, patch: &Value) -> Outcome {
        let mut pod = self.same(name, &patch["metadata"]["uid"])?;
        let mut patch = patch.clone();
        // Part of strategic merge patches.
        let gone = patch["metadata"].as_object_mut().and_then(|all| all.remove("$deleteFromPrimitiveList/finalizers"));
        if let (Some(gone), Some(all)) = (&gone, pod["metadata"]["finalizers"].as_array_mut()) {
            all.retain(|finalizer| !gone.as_array().is_some_and(|gone| gone.contains(finalizer)));
        }
        merge(&mut pod, &patch);
        let pod = self.store(name, pod);
        self.remove_if_over(name);
        Ok(pod)
    }

    /// A Pod that is being deleted goes when nothing of it runs and nobody holds it.
    fn remove_if_over(&mut self, name: &str) {
        let Some(pod) = self.pods.get(name) else { return };
        let held = pod["metadata"]["finalizers"].as_array().is_some_and(|finalizers| !finalizers.is_empty());
        let over = pod["spec"]["nodeName"].is_null() || pod["status"]["phase"] != "Running";
        if !held && over && !pod["metadata"]["deletionTimestamp"].is_null() {
            self.remove(name);
        }
    }

    fn remove(&mut self, name: &str) {
        if let Some(mut pod) = self.pods.remove(name) {
            self.version += 1;
            pod["metadata"]["resourceVersion"] = json!(self.version.to_string());
            self.events.push((self.version, "DELETED", pod));
        }
    }

    fn event_after(&self, version: u64) -> Option<(u64, Value)> {
        let heard = |kind: &str, pod: &Value| self.mute.is_none_or(|mute| !mute(kind, pod));
        let (version, kind, object) = self.events.iter().find(|(at, kind, pod)| *at > version && heard(kind, pod))?;
        Some((*version, json!({"type": kind, "object": object})))
    }
}

impl FakeApi {
    /// What a kubelet does when all containers of a Pod have ended.
    pub(crate) fn end(&self, name: &str, change: impl FnOnce(&mut Value)) {
        self.change(name, change);
        self.state().remove_if_over(name);
        self.changed.send_modify(|count| *count += 1);
    }
}

fn merge(target: &mut Value, patch: &Value) {
    let Some(members) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (name, value) in members {
        match value {
            Value::Null => drop(target.as_object_mut().and_then(|target| target.remove(name))),
            value => merge(&mut target[name], value),
        }
    }
}

fn failure(code: u16, reason: &str, message: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message})
}

fn status(code: u16, reason: &str, message: &str) -> Answer {
    whole(StatusCode::from_u16(code).expect("a code"), &failure(code, reason, message))
}

fn whole(code: StatusCode, body: &Value) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body.to_string())).boxed());
    *answer.status_mut() = code;
    answer
}
