//! A token in user code: asked for task by task, allowed by the installation (T-06, pod-injection 53).

use penstock_spec::keys;
use penstock_tests::pipeline::{Pipeline, Task};
use serde_json::{Value, json};

use crate::scenario::Scenario;

/// The account of the tests.
const ACCOUNT: &str = "reader";
/// What it may read.
const NOTE: &str = "a note for those who may read it";
/// Reads a ConfigMap of its namespace as every client library would, if it has a token.
const READ: &str = r#"
import json, os, ssl, sys, urllib.request
folder = "/var/run/secrets/kubernetes.io/serviceaccount/"
def answer():
    if not os.path.exists(folder):
        return "no token"
    token, namespace = (open(folder + name).read() for name in ("token", "namespace"))
    server = "https://%s:%s" % (os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"])
    url = server + "/api/v1/namespaces/%s/configmaps/note" % namespace
    request = urllib.request.Request(url, headers={"Authorization": "Bearer " + token})
    context = ssl.create_default_context(cafile=folder + "ca.crt")
    with urllib.request.urlopen(request, context=context, timeout=30) as reply:
        return json.load(reply)["data"]["text"]
open(sys.argv[1], "w").write(answer())
"#;

fn reading(name: &str) -> Task {
    Task::new(name, "").image("python:3.11").command(&["python3", "-c", READ]).output("answer", "STRING")
}

fn asking(name: &str) -> Task {
    reading(name).annotation(keys::ANNOTATION_SERVICE_ACCOUNT, ACCOUNT)
}

/// An account of the namespace that may read the note.
fn add_account(scenario: &Scenario) {
    let namespace = scenario.namespace.name();
    let object = |version: &str, kind: &str, name: &str| json!({"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": namespace}});
    let with = |mut object: Value, members: Value| {
        for (name, value) in members.as_object().expect("members") {
            object[name] = value.clone();
        }
        object
    };
    let rbac = "rbac.authorization.k8s.io";
    let version = format!("{rbac}/v1");
    let rules = json!([{"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["note"], "verbs": ["get"]}]);
    let role = json!({"apiGroup": rbac, "kind": "Role", "name": ACCOUNT});
    let subjects = json!([{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": namespace}]);
    for object in [
        object("v1", "ServiceAccount", ACCOUNT),
        with(object("v1", "ConfigMap", "note"), json!({"data": {"text": NOTE}})),
        with(object(&version, "Role", ACCOUNT), json!({ "rules": rules })),
        with(object(&version, "RoleBinding", ACCOUNT), json!({"roleRef": role, "subjects": subjects})),
    ] {
        scenario.cluster.apply(&object);
    }
}

/// As the documentation and the refusal say it.
fn let_it_report(scenario: &Scenario) {
    let namespace = scenario.namespace.name();
    let account = format!("--serviceaccount={namespace}:{ACCOUNT}");
    scenario.cluster.call([
        "-n",
        namespace,
        "create",
        "rolebinding",
        "penstock-reader",
        "--role=penstock-task",
        &account,
    ]);
}

#[test]
fn t06_a_task_that_asks_has_a_token_of_an_account_that_is_allowed_and_others_have_none() {
    let test = "t06_a_task_that_asks_has_a_token_of_an_account_that_is_allowed_and_others_have_none";
    let Some(scenario) = Scenario::new(test) else { return };
    add_account(&scenario);
    let_it_report(&scenario);
    let allowed = format!("{}/{ACCOUNT}", scenario.namespace.name());
    let pipeline = Pipeline::new("tokens", [asking("asks"), reading("plain")]);
    let run = scenario.run(&pipeline).args(["--allow-task-account", &allowed]).run().expect_code(0).document();
    let answer = |task: &str| run.task(task).parameters.outputs["answer"].clone();
    assert_eq!(answer("asks"), json!(NOTE));
    assert_eq!(answer("plain"), json!("no token"));
    scenario.assert_no_pods_left(&run);
}

#[test]
fn t06_an_account_that_is_not_allowed_or_cannot_report_is_refused_before_user_code_runs() {
    let test = "t06_an_account_that_is_not_allowed_or_cannot_report_is_refused_before_user_code_runs";
    let Some(scenario) = Scenario::new(test) else { return };
    add_account(&scenario);
    let (namespace, pipeline) = (scenario.namespace.name(), Pipeline::new("refused", [asking("asks")]));
    let refused = |args: &[&str], remedy: &str| {
        let run = scenario.run(&pipeline).args(args).run().expect_code(1).document();
        let error = run.failure_of("asks");
        assert!(error.contains(remedy), "{error}");
        assert_eq!(run.task("asks").cause.as_deref(), Some("REFUSED"), "{error}");
        assert!(scenario.namespace.pods().is_empty(), "a Pod was created");
    };
    refused(&[], &format!("--allow-task-account {namespace}/{ACCOUNT}"));
    refused(&["--allow-task-account", "other/reader"], "is not allowed in namespace");
    let grant =
        format!("create rolebinding penstock-{ACCOUNT} --role=penstock-task --serviceaccount={namespace}:{ACCOUNT}");
    refused(&["--allow-task-account", "*/reader"], &grant);
}
