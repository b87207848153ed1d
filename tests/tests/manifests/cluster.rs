//! A real API server with the accounts, rights and policies of the manifests, and who asks it.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use hyper::Request;
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use penstock_tests::cluster::IMAGE;
use penstock_tests::python::skip;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::render;
use crate::space::{plain_pod, task_pod};

/// Names the `kubectl` of the tests.
pub(crate) const KUBECTL: &str = "PENSTOCK_TEST_KUBECTL";
const KUBECONFIG: &str = "KUBECONFIG";
/// What of the installation only the API server is needed for. The webhook is not: it would refuse what nobody injects.
const INSTALLED: [&str; 8] = [
    "Namespace",
    "ServiceAccount",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
];
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// The cluster of the tests.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    kubectl: OsString,
    config: Config,
}

impl Cluster {
    /// The cluster, with policies that are in force; `None` after saying that the test is skipped.
    pub(crate) async fn find_or_skip(test: &str) -> Option<Cluster> {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let found = (set(KUBECTL), set(KUBECONFIG), set(IMAGE));
        let (Some(kubectl), Some(kubeconfig), Some(_)) = found else {
            let lacking = format!("{KUBECTL}, {KUBECONFIG} or {IMAGE} is not set; `make test` sets them");
            assert!(std::env::var_os("CI").is_none(), "{lacking}, and in CI nothing is skipped");
            skip(test, &lacking);
            return None;
        };
        let file = Kubeconfig::read_from(PathBuf::from(kubeconfig)).expect("the file that KUBECONFIG names is read");
        let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await;
        let cluster = Cluster { kubectl, config: config.expect("the file that KUBECONFIG names is understood") };
        static INSTALLATION: OnceCell<()> = OnceCell::const_new();
        let install = async || {
            cluster.kubectl_with(&["apply", "--server-side", "--force-conflicts", "-f", "-"], &installation());
            cluster.await_policies().await;
        };
        INSTALLATION.get_or_init(install).await;
        Some(cluster)
    }

    /// Runs `kubectl` as the administrator and returns what it prints, complaints after the rest.
    ///
    /// # Panics
    /// When it fails.
    pub(crate) fn kubectl_with(&self, args: &[&str], input: &str) -> String {
        let mut command = Command::new(&self.kubectl);
        command.args(args).args(["--request-timeout=30s"]).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("kubectl starts");
        child.stdin.take().expect("it is piped").write_all(input.as_bytes()).expect("kubectl reads");
        let output = child.wait_with_output().expect("kubectl ends");
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "kubectl {args:?}: {said}");
        said
    }

    /// The administrator.
    pub(crate) fn admin(&self) -> Caller {
        self.as_whom(self.config.auth_info.clone())
    }

    /// Who has a token.
    pub(crate) fn bearer(&self, token: &str) -> Caller {
        // Not beside the administrator's certificate, which would win.
        let auth_info = AuthInfo { token: Some(token.to_owned().into()), ..AuthInfo::default() };
        self.as_whom(auth_info)
    }

    /// A service account, as the administrator may impersonate it.
    pub(crate) fn account(&self, namespace: &str, name: &str) -> Caller {
        let user = format!("system:serviceaccount:{namespace}:{name}");
        let auth_info = AuthInfo { impersonate: Some(user), ..self.config.auth_info.clone() };
        self.as_whom(auth_info)
    }

    /// A service account to which no right is denied: what still refuses it are policies.
    pub(crate) fn almighty(&self, namespace: &str, name: &str) -> Caller {
        let user = format!("system:serviceaccount:{namespace}:{name}");
        let groups = Some(vec!["system:masters".to_owned()]);
        let auth_info =
            AuthInfo { impersonate: Some(user), impersonate_groups: groups, ..self.config.auth_info.clone() };
        self.as_whom(auth_info)
    }

    fn as_whom(&self, auth_info: AuthInfo) -> Caller {
        let mut config = self.config.clone();
        config.auth_info = auth_info;
        config.connect_timeout = Some(ANSWER_LIMIT);
        config.read_timeout = Some(ANSWER_LIMIT);
        Caller { client: Client::try_from(config).expect("a client for the cluster") }
    }

    /// Waits until the API server has read all policies: it applies them a moment after it stored them.
    async fn await_policies(&self) {
        let reported = json!({"penstock.dev/report": "{}"});
        // Of several policies that refuse, one is named.
        let mut bare = task_pod("bare", "default");
        bare["spec"]["initContainers"] = json!([]);
        let mut reporting = task_pod("reporting", "default");
        reporting["metadata"]["annotations"]["penstock.dev/report"] = json!("{}");
        let target = json!({"kind": "Node", "name": "none"});
        let binding = json!({"metadata": {"name": "none", "annotations": reported}, "target": target});
        let account = json!({"metadata": {"name": "penstock-task"}});
        let resources = json!({"requests": {"storage": "1Mi"}});
        let claim = json!({
            "metadata": {"name": "none"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": resources},
        });
        let path = |rest: &str| format!("/api/v1/namespaces/default/{rest}?dryRun=All");
        let (admin, task) = (self.admin(), self.almighty("default", "penstock-task"));
        let driver = self.almighty("penstock-system", "penstock");
        for left in (0..200).rev() {
            let refused = [
                admin.post(&path("pods"), &bare).await.is_refused_with("penstock-task-pod"),
                admin.post(&path("pods"), &reporting).await.is_refused_with("penstock-task-report"),
                admin.post(&path("pods/none/binding"), &binding).await.is_refused_with("penstock-pod-binding"),
                driver.post(&path("serviceaccounts"), &account).await.is_refused_with("penstock-control-plane-objects"),
                driver
                    .post(&path("pods"), &plain_pod("plain", "default"))
                    .await
                    .is_refused_with("penstock-control-plane-pods"),
                driver
                    .post(&path("persistentvolumeclaims"), &claim)
                    .await
                    .is_refused_with("penstock-control-plane-claims"),
                task.post(&path("pods"), &task_pod("whole", "default")).await.is_refused_with("penstock-task-account"),
            ];
            if refused.iter().all(|refused| *refused) {
                return;
            }
            assert!(left > 0, "policies that are still not in force after 20 s: {refused:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

fn installation() -> String {
    render::of_kinds(&render::standalone(), &INSTALLED)
}

/// Somebody with rights of his own.
pub(crate) struct Caller {
    client: Client,
}

impl Caller {
    /// Creates.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, "application/json", body).await
    }

    /// Changes, by a merge patch.
    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send("PATCH", path, "application/merge-patch+json", body).await
    }

    /// Applies, as the driver does.
    pub(crate) async fn apply(&self, path: &str, body: &Value) -> Answer {
        let and = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{and}fieldManager=penstock-test&force=true");
        self.send("PATCH", &path, "application/apply-patch+yaml", body).await
    }

    /// Deletes at once.
    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, "application/json", &json!({"gracePeriodSeconds": 0})).await
    }

    /// Reads.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "application/json", &Value::Null).await
    }

    async fn send(&self, method: &str, path: &str, content_type: &str, body: &Value) -> Answer {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request = Request::builder().method(method).uri(path).header("Content-Type", content_type);
        let request = request.body(body).expect("a request");
        let what = format!("{method} {path}");
        match self.client.request::<Value>(request).await {
            Ok(value) => Answer { what, result: Ok(value) },
            Err(kube::Error::Api(status)) => Answer { what, result: Err((status.code, status.message)) },
            Err(error) => panic!("{what}: {error:?}"),
        }
    }
}

/// What the API server says.
#[derive(Debug)]
pub(crate) struct Answer {
    what: String,
    result: Result<Value, (u16, String)>,
}

impl Answer {
    /// The object.
    #[track_caller]
    pub(crate) fn expect_done(self) -> Value {
        match self.result {
            Ok(value) => value,
            Err((code, message)) => panic!("{} was refused: {code} {message}", self.what),
        }
    }

    /// A refusal with this text.
    #[track_caller]
    pub(crate) fn expect_refused(self, case: &str, text: &str) {
        match self.result {
            Ok(value) => panic!("{case}: {} was not refused: {value}", self.what),
            Err((code, message)) => assert!(message.contains(text), "{case}: {}: {code} {message:?}", self.what),
        }
    }

    /// A refusal by one of two policies that both object: the API server asks them in no order, and names the first.
    #[track_caller]
    pub(crate) fn expect_refused_by_either(self, case: &str, texts: [&str; 2]) {
        let text = texts.into_iter().find(|text| self.is_refused_with(text)).unwrap_or(texts[0]);
        self.expect_refused(case, text);
    }

    /// Whether it is a refusal with this text.
    pub(crate) fn is_refused_with(&self, text: &str) -> bool {
        self.result.as_ref().is_err_and(|(_, message)| message.contains(text))
    }
}
