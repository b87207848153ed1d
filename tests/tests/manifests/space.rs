//! A namespace of a test's own, with the account of tasks in it.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use crate::cluster::{Caller, Cluster};

/// A namespace that is removed in the end.
pub(crate) struct Space {
    cluster: Cluster,
    /// Its name.
    pub(crate) name: String,
}

impl Space {
    /// One in which Pods are not shown to the webhook.
    pub(crate) async fn new(cluster: &Cluster) -> Space {
        Space::with_labels(cluster, &json!({})).await
    }

    /// One with labels.
    pub(crate) async fn with_labels(cluster: &Cluster, labels: &Value) -> Space {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("penstock-manifests-{}-{number}", std::process::id());
        let space = Space { cluster: cluster.clone(), name };
        let admin = cluster.admin();
        let namespace = json!({"metadata": {"name": space.name, "labels": labels}});
        admin.post("/api/v1/namespaces", &namespace).await.expect_done();
        for account in ["penstock-task", "other"] {
            space.add_account(&admin, account).await;
        }
        space
    }

    /// An account that may patch Pods.
    async fn add_account(&self, admin: &Caller, account: &str) {
        let rbac = "rbac.authorization.k8s.io";
        let object =
            |group: &str, kind: &str| json!({"apiVersion": group, "kind": kind, "metadata": {"name": account}});
        let version = format!("{rbac}/v1");
        let mut role = object(&version, "Role");
        role["rules"] = json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["patch"]}]);
        let mut binding = object(&version, "RoleBinding");
        binding["roleRef"] = json!({"apiGroup": rbac, "kind": "Role", "name": account});
        binding["subjects"] = json!([{"kind": "ServiceAccount", "name": account, "namespace": self.name}]);
        // Applied, as a driver that is at work may have made the same.
        let own = object("v1", "ServiceAccount");
        admin.apply(&self.core(&format!("serviceaccounts/{account}")), &own).await.expect_done();
        admin.apply(&self.rbac(&format!("roles/{account}")), &role).await.expect_done();
        admin.apply(&self.rbac(&format!("rolebindings/{account}")), &binding).await.expect_done();
    }

    /// Path of something of the core group.
    pub(crate) fn core(&self, rest: &str) -> String {
        format!("/api/v1/namespaces/{}/{rest}", self.name)
    }

    /// Path of something that is about rights.
    pub(crate) fn rbac(&self, rest: &str) -> String {
        format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{}/{rest}", self.name)
    }

    /// Path of a Pod.
    pub(crate) fn pod(&self, name: &str) -> String {
        self.core(&format!("pods/{name}"))
    }

    /// Creates the Pod of a task, as the webhook leaves it; returns its UID.
    pub(crate) async fn add_task_pod(&self, name: &str, account: &str) -> String {
        let pod = self.cluster.admin().post(&self.core("pods"), &task_pod(name, account)).await.expect_done();
        pod["metadata"]["uid"].as_str().expect("a Pod has a UID").to_owned()
    }

    /// An account with a token that is bound to a Pod.
    pub(crate) async fn bound(&self, account: &str, pod: &str, uid: &str) -> Caller {
        let reference = json!({"apiVersion": "v1", "kind": "Pod", "name": pod, "uid": uid});
        self.token(account, &json!({"expirationSeconds": 600, "boundObjectRef": reference})).await
    }

    /// An account with a token that is bound to nothing.
    pub(crate) async fn unbound(&self, account: &str) -> Caller {
        self.token(account, &json!({"expirationSeconds": 600})).await
    }

    async fn token(&self, account: &str, spec: &Value) -> Caller {
        let path = self.core(&format!("serviceaccounts/{account}/token"));
        let answer = self.cluster.admin().post(&path, &json!({"spec": spec})).await.expect_done();
        self.cluster.bearer(answer["status"]["token"].as_str().expect("a token"))
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        // A test that has failed already must not end the process here.
        let clean = || {
            let pods = self.cluster.kubectl_with(&["-n", &self.name, "get", "pods", "-o", "name"], "");
            for pod in pods.lines().filter(|line| line.starts_with("pod/")) {
                let patch = r#"{"metadata":{"finalizers":null}}"#;
                self.cluster.kubectl_with(&["-n", &self.name, "patch", pod, "--type=merge", "-p", patch], "");
            }
            self.cluster.kubectl_with(&["delete", "namespace", &self.name, "--wait=false"], "");
        };
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(clean)).is_err() {
            penstock_tests::python::note("manifests", &format!("the namespace {} is left", self.name));
        }
    }
}

/// The Pod of a task, as the webhook leaves it. No node ever takes it.
pub(crate) fn task_pod(name: &str, account: &str) -> Value {
    let mount = |name: &str, is_read_only: bool| json!({"name": format!("penstock-{name}"), "mountPath": format!("/penstock/{name}"), "readOnly": is_read_only});
    json!({
        "metadata": {
            "name": name,
            "labels": {"penstock.dev/inject": "task", "penstock.dev/run-id": "run", "app": "mine"},
            "annotations": {"penstock.dev/plan": "{}", "penstock.dev/spec-hash": "sha256:0", "note": "mine"},
            "finalizers": ["penstock.dev/task"],
        },
        "spec": {
            "restartPolicy": "Never",
            "serviceAccountName": account,
            "automountServiceAccountToken": false,
            "nodeSelector": {"penstock.dev/no-such-node": "true"},
            "initContainers": [{
                "name": "penstock-launcher", "image": "penstock.dev/none", "restartPolicy": "Always",
                "command": ["/penstock-launcher"], "args": ["sidecar"],
                "volumeMounts": [mount("bin", false), mount("control", false), mount("shared", false), mount("pod", true)],
            }],
            "containers": [{
                "name": "main", "image": "penstock.dev/none",
                "command": ["/penstock/bin/penstock-entry"], "args": ["--", "true"],
                "volumeMounts": [mount("bin", true), mount("control", true), mount("shared", false)],
            }],
            "volumes": [
                {"name": "penstock-bin", "emptyDir": {}},
                {"name": "penstock-control", "emptyDir": {}},
                {"name": "penstock-shared", "emptyDir": {}},
                {"name": "penstock-pod", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}},
            ],
        },
    })
}

/// A Pod that is no task's. No node ever takes it.
pub(crate) fn plain_pod(name: &str, account: &str) -> Value {
    json!({
        "metadata": {"name": name},
        "spec": {
            "serviceAccountName": account,
            "automountServiceAccountToken": false,
            "nodeSelector": {"penstock.dev/no-such-node": "true"},
            "containers": [{"name": "main", "image": "penstock.dev/none"}],
        },
    })
}
