//! AdmissionReview in, AdmissionReview out. Whatever comes is answered (I-19): with a decision, with a refusal that the
//! API server can read, or, where not even that is possible, with a status of HTTP.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use penstock_spec::strict_json;
use serde_json::{Value, json};

use crate::inject::{Decision, InjectError, Operation};

/// The only version that is spoken.
const API_VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";
/// The most bytes of a warning; the API server cuts longer ones.
const MAX_WARNING: usize = 256;
/// The most warnings.
const MAX_WARNINGS: usize = 4;
/// The most bytes of a denial's text.
const MAX_MESSAGE: usize = 2048;

/// How a review ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReviewResult {
    /// The Pod gets the launcher.
    Injected,
    /// The Pod would get it: nothing is created.
    DryRun,
    /// The Pod has it.
    Unchanged,
    /// The Pod does not get it.
    Skipped,
    /// The Pod is refused.
    Denied,
    /// The Pod is refused until the namespace's settings are known.
    NotReady,
    /// The review itself is refused.
    Invalid,
}

impl ReviewResult {
    /// All of them.
    pub const ALL: [ReviewResult; 7] = [
        ReviewResult::Injected,
        ReviewResult::DryRun,
        ReviewResult::Unchanged,
        ReviewResult::Skipped,
        ReviewResult::Denied,
        ReviewResult::NotReady,
        ReviewResult::Invalid,
    ];

    /// Label of metrics.
    pub fn label(self) -> &'static str {
        match self {
            ReviewResult::Injected => "injected",
            ReviewResult::DryRun => "dry_run",
            ReviewResult::Unchanged => "unchanged",
            ReviewResult::Skipped => "skipped",
            ReviewResult::Denied => "denied",
            ReviewResult::NotReady => "not_ready",
            ReviewResult::Invalid => "invalid",
        }
    }
}

/// What is answered to a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Status of HTTP: 200 when the body is an AdmissionReview, otherwise it is a text.
    pub status: u16,
    /// Body.
    pub body: Vec<u8>,
    /// How the review ended.
    pub result: ReviewResult,
}

/// The most values of a review, objects, lists, texts and numbers together. Of a Pod's objects with hundreds of
/// containers it has some ten thousand; each takes up to a few hundred bytes of memory.
const MAX_VALUES: usize = 200_000;

/// A review that can be answered as one.
struct Request<'a> {
    uid: &'a str,
    request: &'a Value,
}

/// Answers the body of a request. `decide` gets the Pod and its namespace.
pub fn review(body: &[u8], decide: impl FnOnce(&Value, &str) -> Result<Decision, InjectError>) -> Answer {
    let document = match strict_json::parse_bounded(body, MAX_VALUES) {
        Ok(document) => document,
        Err(error) => return refuse_plainly(&format!("the body is not one JSON document: {error}")),
    };
    let request = match envelope(&document) {
        Ok(request) => request,
        Err(reason) => return refuse_plainly(&reason),
    };
    match subject(request.request) {
        Ok(Subject::Create { pod, namespace, is_dry_run }) => respond(request.uid, decide(pod, namespace), is_dry_run),
        Ok(Subject::Other) => answer(request.uid, ReviewResult::Skipped, json!({"allowed": true})),
        Err(reason) => deny(request.uid, ReviewResult::Invalid, 400, &reason),
    }
}

fn envelope(document: &Value) -> Result<Request<'_>, String> {
    let text = |key: &str| document.get(key).and_then(Value::as_str).unwrap_or_default();
    if text("kind") != KIND || text("apiVersion") != API_VERSION {
        return Err(format!(
            "this is {:?} of {:?}; spoken here is {KIND:?} of {API_VERSION:?} (admissionReviewVersions: [v1])",
            shorten(text("kind"), 64),
            shorten(text("apiVersion"), 64)
        ));
    }
    let request = document.get("request").filter(|request| request.is_object()).ok_or("the review has no request")?;
    let uid = request.get("uid").and_then(Value::as_str).filter(|uid| !uid.is_empty());
    Ok(Request { uid: uid.ok_or("the review's request has no uid")?, request })
}

/// What a review is about.
enum Subject<'a> {
    /// The creation of a Pod.
    Create { pod: &'a Value, namespace: &'a str, is_dry_run: bool },
    /// Something that injection has no say in.
    Other,
}

fn subject(request: &Value) -> Result<Subject<'_>, String> {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    match request.get("operation").and_then(Value::as_str) {
        Some("CREATE") => {}
        Some("UPDATE" | "DELETE" | "CONNECT") => return Ok(Subject::Other),
        other => return Err(format!("the operation {:?} is not known", other.map(|name| shorten(name, 64)))),
    }
    let kind = request.get("kind").unwrap_or(&Value::Null);
    if text(kind, "kind") != "Pod" || !text(kind, "group").is_empty() {
        return Err(format!("only Pods are reviewed here, not {:?}", shorten(&text(kind, "kind"), 64)));
    }
    if !text(request, "subResource").is_empty() {
        return Ok(Subject::Other);
    }
    let namespace = request.get("namespace").and_then(Value::as_str).filter(|namespace| !namespace.is_empty());
    let pod = request.get("object").filter(|object| object.is_object()).ok_or("the review has no Pod in `object`")?;
    Ok(Subject::Create {
        pod,
        namespace: namespace.ok_or("the review names no namespace")?,
        is_dry_run: request.get("dryRun").and_then(Value::as_bool).unwrap_or(false),
    })
}

fn respond(uid: &str, decision: Result<Decision, InjectError>, is_dry_run: bool) -> Answer {
    match decision {
        Ok(Decision::Patch { operations, warnings }) => {
            let result = if is_dry_run { ReviewResult::DryRun } else { ReviewResult::Injected };
            patch(uid, result, &operations, warnings)
        }
        Ok(Decision::AlreadyInjected) => answer(uid, ReviewResult::Unchanged, json!({"allowed": true})),
        Ok(Decision::Skip { reason }) => {
            answer(uid, ReviewResult::Skipped, json!({"allowed": true, "warnings": warn(vec![reason])}))
        }
        Err(error) => {
            let result = if error.code() == 503 { ReviewResult::NotReady } else { ReviewResult::Denied };
            deny(uid, result, error.code(), &error.to_string())
        }
    }
}

fn patch(uid: &str, result: ReviewResult, operations: &[Operation], warnings: Vec<String>) -> Answer {
    let patch = match serde_json::to_vec(operations) {
        Ok(patch) => BASE64.encode(patch),
        Err(error) => return deny(uid, ReviewResult::Invalid, 500, &format!("cannot write the patch: {error}")),
    };
    let mut response = json!({"allowed": true, "patchType": "JSONPatch", "patch": patch});
    if !warnings.is_empty() {
        response["warnings"] = json!(warn(warnings));
    }
    answer(uid, result, response)
}

fn deny(uid: &str, result: ReviewResult, code: u16, message: &str) -> Answer {
    let status = json!({"status": "Failure", "code": code, "message": shorten(message, MAX_MESSAGE)});
    answer(uid, result, json!({"allowed": false, "status": status}))
}

fn answer(uid: &str, result: ReviewResult, mut response: Value) -> Answer {
    response["uid"] = json!(uid);
    let review = json!({"apiVersion": API_VERSION, "kind": KIND, "response": response});
    Answer { status: 200, body: review.to_string().into_bytes(), result }
}

fn refuse_plainly(reason: &str) -> Answer {
    let body = format!("{}\n", shorten(reason, MAX_MESSAGE)).into_bytes();
    Answer { status: 400, body, result: ReviewResult::Invalid }
}

fn warn(warnings: Vec<String>) -> Vec<String> {
    warnings.into_iter().take(MAX_WARNINGS).map(|text| shorten(&text, MAX_WARNING).to_owned()).collect()
}

/// The beginning of a text, in whole characters.
fn shorten(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Value {
        json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "request": {
                "uid": "u-1", "operation": "CREATE", "namespace": "team-a",
                "kind": {"group": "", "version": "v1", "kind": "Pod"},
                "object": {"spec": {}},
            },
        })
    }

    fn with(path: &str, value: Value) -> Value {
        let mut review = request();
        *review.pointer_mut(path).expect("there") = value;
        review
    }

    fn asked(review: &Value, decision: Result<Decision, InjectError>) -> (Answer, Value) {
        let answer = super::review(review.to_string().as_bytes(), |_, namespace| {
            assert_eq!(namespace, "team-a");
            decision
        });
        let body = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
        (answer, body)
    }

    fn one_operation() -> Decision {
        let operations = vec![Operation::Add { path: "/spec/x".to_owned(), value: json!(1) }];
        Decision::Patch { operations, warnings: vec!["ü".repeat(300); 9] }
    }

    #[test]
    fn a_patch_travels_in_base64_with_short_warnings() {
        let (answer, body) = asked(&request(), Ok(one_operation()));
        assert_eq!((answer.status, answer.result), (200, ReviewResult::Injected));
        let response = &body["response"];
        assert_eq!((&response["uid"], &response["allowed"]), (&json!("u-1"), &json!(true)));
        assert_eq!(response["patchType"], "JSONPatch");
        let patch = BASE64.decode(response["patch"].as_str().expect("a text")).expect("base64");
        let patch: Value = serde_json::from_slice(&patch).expect("JSON");
        assert_eq!(patch, json!([{"op": "add", "path": "/spec/x", "value": 1}]));
        let warnings = response["warnings"].as_array().expect("a list");
        assert_eq!(warnings.len(), MAX_WARNINGS);
        assert!(warnings.iter().all(|warning| warning.as_str().expect("a text").len() <= MAX_WARNING));
    }

    #[test]
    fn i19_a_dry_run_gets_the_same_patch_and_is_not_counted_as_injected() {
        let mut dry = request();
        dry["request"]["dryRun"] = json!(true);
        let (answer, body) = asked(&dry, Ok(one_operation()));
        assert_eq!(answer.result, ReviewResult::DryRun);
        assert_eq!(body, asked(&request(), Ok(one_operation())).1);
    }

    #[test]
    fn denials_have_a_code_and_a_message() {
        let error = InjectError::NoSettings { namespace: "team-a".to_owned() };
        let (answer, body) = asked(&request(), Err(error));
        assert_eq!((answer.status, answer.result), (200, ReviewResult::NotReady));
        assert_eq!((&body["response"]["allowed"], &body["response"]["status"]["code"]), (&json!(false), &json!(503)));
        let (answer, body) = asked(&request(), Err(InjectError::RestartPolicy));
        assert_eq!(answer.result, ReviewResult::Denied);
        assert!(body["response"]["status"]["message"].as_str().expect("a text").contains("restartPolicy: Never"));
        let (answer, body) = asked(&request(), Ok(Decision::Skip { reason: "why".to_owned() }));
        assert_eq!((answer.result, &body["response"]["warnings"]), (ReviewResult::Skipped, &json!(["why"])));
    }

    #[test]
    fn i19_reviews_that_cannot_be_answered_as_such_are_refused_with_400() {
        let duplicate = request().to_string().replace("\"uid\":\"u-1\"", "\"uid\":\"u-1\",\"uid\":\"u-2\"");
        assert!(duplicate.contains("u-2"));
        let bodies = [
            String::new(),
            "{}".to_owned(),
            "[]".to_owned(),
            "null".to_owned(),
            "\u{0}".to_owned(),
            "[".repeat(100_000),
            duplicate,
            request().to_string() + "{}",
            with("/apiVersion", json!("admission.k8s.io/v1beta1")).to_string(),
            with("/kind", json!("Pod")).to_string(),
            with("/request", json!(null)).to_string(),
            with("/request/uid", json!("")).to_string(),
            with("/request/uid", json!(7)).to_string(),
        ];
        for body in bodies {
            let answer = super::review(body.as_bytes(), |_, _| panic!("nothing to decide"));
            assert_eq!((answer.status, answer.result), (400, ReviewResult::Invalid), "{body:.80}");
            assert!(!answer.body.is_empty() && answer.body.len() <= MAX_MESSAGE + 1);
        }
    }

    #[test]
    fn i19_other_bad_reviews_get_a_refusal_with_their_uid() {
        for review in [
            with("/request/operation", json!("PONDER")),
            with("/request/operation", json!(null)),
            with("/request/kind/kind", json!("Deployment")),
            with("/request/kind/group", json!("example.org")),
            with("/request/kind", json!("Pod")),
            with("/request/namespace", json!("")),
            with("/request/object", json!(null)),
            with("/request/object", json!([])),
        ] {
            let answer = super::review(review.to_string().as_bytes(), |_, _| panic!("nothing to decide"));
            let body: Value = serde_json::from_slice(&answer.body).expect("a review");
            assert_eq!((answer.status, answer.result), (200, ReviewResult::Invalid), "{review}");
            assert_eq!((&body["response"]["uid"], &body["response"]["allowed"]), (&json!("u-1"), &json!(false)));
            assert_eq!(body["response"]["status"]["code"], 400);
        }
    }

    #[test]
    fn i19_other_operations_pass_untouched() {
        for operation in ["UPDATE", "DELETE", "CONNECT"] {
            let review = with("/request/operation", json!(operation));
            let answer = super::review(review.to_string().as_bytes(), |_, _| panic!("nothing to decide"));
            assert_eq!(answer.result, ReviewResult::Skipped);
        }
    }
}
