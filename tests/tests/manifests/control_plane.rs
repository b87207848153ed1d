//! What webhook and driver may do (T-06): their rights, and the policy that confines them.

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::reports::IMAGES;
use crate::space::{Space, plain_pod, task_pod};

const SYSTEM: &str = "penstock-system";

/// A right: namespace (empty: all), verb, group, resource (with subresource), name (empty: any).
type Right = (&'static str, &'static str, &'static str, &'static str, &'static str);

const RBAC: &str = "rbac.authorization.k8s.io";
const ADMISSION: &str = "admissionregistration.k8s.io";
const LEASES: &str = "coordination.k8s.io";

const HELD: [Right; 41] = [
    ("", "list", "", "namespaces", ""),
    ("", "watch", "", "namespaces", ""),
    ("", "list", "", "pods", ""),
    ("", "watch", "", "pods", ""),
    ("team", "get", "", "pods", "any"),
    ("team", "create", "", "pods", ""),
    ("team", "patch", "", "pods", "any"),
    ("team", "delete", "", "pods", "any"),
    ("team", "get", "", "pods/log", "any"),
    ("team", "get", "", "persistentvolumeclaims", "any"),
    ("team", "list", "", "persistentvolumeclaims", ""),
    ("team", "create", "", "persistentvolumeclaims", ""),
    ("team", "delete", "", "persistentvolumeclaims", "any"),
    ("team", "list", "", "events", ""),
    ("team", "create", "", "serviceaccounts", "penstock-task"),
    ("team", "patch", "", "serviceaccounts", "penstock-task"),
    ("team", "delete", "", "serviceaccounts", "penstock-task"),
    ("", "watch", "", "serviceaccounts", "penstock-task"),
    ("team", "create", RBAC, "roles", "penstock-task"),
    ("team", "patch", RBAC, "roles", "penstock-task"),
    ("", "watch", RBAC, "roles", "penstock-task"),
    ("team", "create", RBAC, "rolebindings", "penstock-task"),
    ("team", "patch", RBAC, "rolebindings", "penstock-task"),
    ("", "list", RBAC, "rolebindings", "penstock-task"),
    ("team", "create", "", "configmaps", "penstock-settings"),
    ("team", "patch", "", "configmaps", "penstock-settings"),
    ("", "watch", "", "configmaps", "penstock-settings"),
    ("", "list", "", "configmaps", "kfp-launcher"),
    ("", "watch", "", "configmaps", "kfp-launcher"),
    ("team", "create", "events.k8s.io", "events", ""),
    ("team", "patch", "events.k8s.io", "events", "any"),
    ("", "create", "authorization.k8s.io", "subjectaccessreviews", ""),
    ("", "list", "", "nodes", ""),
    ("", "watch", "", "nodes", ""),
    ("", "watch", ADMISSION, "mutatingwebhookconfigurations", "penstock"),
    ("", "patch", ADMISSION, "mutatingwebhookconfigurations", "penstock"),
    (SYSTEM, "get", "", "secrets", "penstock-webhook-certificate"),
    (SYSTEM, "update", "", "secrets", "penstock-webhook-certificate"),
    (SYSTEM, "create", LEASES, "leases", "penstock-driver"),
    (SYSTEM, "get", LEASES, "leases", "penstock-driver"),
    (SYSTEM, "update", LEASES, "leases", "penstock-driver"),
];

const NOT_HELD: [Right; 46] = [
    ("", "get", "", "secrets", ""),
    ("", "list", "", "secrets", ""),
    ("team", "get", "", "secrets", "penstock-webhook-certificate"),
    ("team", "get", "", "secrets", "mlpipeline-minio-artifact"),
    (SYSTEM, "list", "", "secrets", ""),
    (SYSTEM, "get", "", "secrets", "another"),
    (SYSTEM, "create", "", "secrets", ""),
    (SYSTEM, "update", LEASES, "leases", "another"),
    (SYSTEM, "delete", LEASES, "leases", "penstock-driver"),
    ("", "update", ADMISSION, "mutatingwebhookconfigurations", "penstock"),
    (SYSTEM, "delete", "", "secrets", "penstock-webhook-certificate"),
    ("", "patch", "", "namespaces", "team"),
    ("", "create", "", "namespaces", ""),
    ("", "delete", "", "namespaces", "team"),
    ("team", "update", "", "pods", "any"),
    ("team", "deletecollection", "", "pods", ""),
    ("team", "create", "", "pods/exec", "any"),
    ("team", "patch", "", "pods/status", "any"),
    ("team", "patch", "", "pods/ephemeralcontainers", "any"),
    ("team", "create", "", "pods/eviction", "any"),
    ("team", "create", "", "pods/binding", "any"),
    ("team", "patch", "", "persistentvolumeclaims", "any"),
    ("team", "watch", "", "persistentvolumeclaims", ""),
    ("team", "deletecollection", "", "persistentvolumeclaims", ""),
    ("", "create", "", "persistentvolumes", ""),
    ("team", "create", "", "serviceaccounts", "another"),
    ("", "list", "", "serviceaccounts", ""),
    ("team", "create", "", "serviceaccounts/token", "penstock-task"),
    ("team", "impersonate", "", "serviceaccounts", "penstock-task"),
    ("team", "create", RBAC, "roles", "another"),
    ("team", "escalate", RBAC, "roles", "penstock-task"),
    ("team", "bind", RBAC, "roles", "penstock-task"),
    ("", "create", RBAC, "clusterroles", "penstock"),
    ("", "create", RBAC, "clusterrolebindings", "penstock"),
    ("", "list", "", "configmaps", ""),
    ("team", "get", "", "configmaps", "another"),
    ("team", "patch", "", "configmaps", "kfp-launcher"),
    ("", "patch", ADMISSION, "mutatingwebhookconfigurations", "another"),
    ("", "delete", ADMISSION, "mutatingwebhookconfigurations", "penstock"),
    ("", "patch", ADMISSION, "validatingadmissionpolicies", "penstock-task-report"),
    ("", "get", "", "nodes", "any"),
    ("", "patch", "", "nodes", "any"),
    ("team", "create", "batch", "jobs", ""),
    ("team", "watch", "", "events", ""),
    ("team", "delete", "", "events", "any"),
    ("kube-system", "get", LEASES, "leases", "penstock-driver"),
];

async fn is_allowed(cluster: &Cluster, user: &str, right: &Right) -> bool {
    let (namespace, verb, group, resource, name) = *right;
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    // The groups of a service account come with its token.
    let own = user.split(':').nth(2).unwrap_or_default();
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
        "spec": {
            "user": user,
            "groups": ["system:serviceaccounts", format!("system:serviceaccounts:{own}"), "system:authenticated"],
            "resourceAttributes": {"namespace": namespace, "verb": verb, "group": group, "resource": resource,
                "subresource": subresource, "name": name},
        },
    });
    let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    let answer = cluster.admin().post(path, &review).await.expect_done();
    answer["status"]["allowed"].as_bool().unwrap_or(false)
}

#[tokio::test]
async fn t06_rights_are_the_calls_that_are_made() {
    let Some(cluster) = Cluster::find_or_skip("t06_rights_are_the_calls_that_are_made").await else { return };
    let user = "system:serviceaccount:penstock-system:penstock";
    for right in &HELD {
        assert!(is_allowed(&cluster, user, right).await, "{user} lacks {right:?}");
    }
    for right in &NOT_HELD {
        assert!(!is_allowed(&cluster, user, right).await, "{user} holds {right:?}");
    }
}

/// What an API that runs apart calls. It is what users reach, so it holds nothing that changes the cluster.
const HELD_BY_THE_API: [Right; 6] = [
    ("team", "get", "", "pods", "any"),
    ("team", "get", "", "pods/log", "any"),
    ("team", "list", "", "events", ""),
    ("team", "get", "", "configmaps", "penstock-settings"),
    ("", "create", "authentication.k8s.io", "tokenreviews", ""),
    ("", "create", "authorization.k8s.io", "subjectaccessreviews", ""),
];

#[tokio::test]
async fn t06_an_api_that_runs_apart_changes_nothing_in_the_cluster() {
    let test = "t06_an_api_that_runs_apart_changes_nothing_in_the_cluster";
    let Some(cluster) = Cluster::find_or_skip(test).await else { return };
    // Its account is bound beside that of the usual installation, whose binding has the same name.
    let rendered = crate::render::of_kinds(&crate::render::ha(), &["ServiceAccount", "ClusterRoleBinding"]);
    let own = rendered.split("\n---\n").filter(|object| object.contains("\n  name: penstock-apiserver\n"));
    let binding = format!("penstock-test-{}", std::process::id());
    let renamed = |object: &str| match object.contains("kind: ClusterRoleBinding\n") {
        true => object.replacen("  name: penstock-apiserver\n", &format!("  name: {binding}\n"), 1),
        false => object.to_owned(),
    };
    let objects: Vec<String> = own.map(renamed).collect();
    assert_eq!(objects.len(), 2, "{objects:?}");
    cluster.kubectl_with(&["apply", "-f", "-"], &objects.join("\n---\n"));
    let user = "system:serviceaccount:penstock-system:penstock-apiserver";
    let mut wrong = Vec::new();
    for right in &HELD_BY_THE_API {
        if !is_allowed(&cluster, user, right).await {
            wrong.push(("lacks", right));
        }
    }
    for right in HELD.iter().chain(&NOT_HELD).filter(|right| !HELD_BY_THE_API.contains(right)) {
        if is_allowed(&cluster, user, right).await {
            wrong.push(("holds", right));
        }
    }
    cluster.kubectl_with(&["delete", "-f", "-"], &objects.join("\n---\n"));
    assert_eq!(wrong, [], "{user}");
}

#[tokio::test]
async fn t06_a_tasks_account_holds_one_right() {
    let Some(cluster) = Cluster::find_or_skip("t06_a_tasks_account_holds_one_right").await else { return };
    let space = Space::new(&cluster).await;
    let user = format!("system:serviceaccount:{}:penstock-task", space.name);
    // The role is the one that the driver makes; it is granted here by who may grant only what the driver holds.
    for right in HELD.iter().chain(&NOT_HELD) {
        assert!(!is_allowed(&cluster, &user, right).await, "{user} holds {right:?}");
    }
}

#[tokio::test]
async fn t06_the_driver_makes_the_account_of_tasks_in_labelled_namespaces() {
    let test = "t06_the_driver_makes_the_account_of_tasks_in_labelled_namespaces";
    let Some(cluster) = Cluster::find_or_skip(test).await else { return };
    let space = Space::with_labels(&cluster, &json!({"penstock.dev/injection": "enabled"})).await;
    let plain = Space::new(&cluster).await;
    let driver = cluster.account(SYSTEM, "penstock");

    let admin = cluster.admin();
    for (kind, _) in objects(&space.name) {
        admin.delete(&path(&space, kind)).await;
        admin.delete(&path(&plain, kind)).await;
    }
    for (kind, body) in objects(&space.name) {
        // Created by applying, with no right to create others of the kind; and again, which changes it.
        driver.apply(&path(&space, kind), &body).await.expect_done();
        driver.apply(&path(&space, kind), &body).await.expect_done();
        admin.apply(&path(&plain, kind), &body).await.expect_done();
        driver.apply(&path(&plain, kind), &body).await.expect_refused(kind, "only in namespaces with the label");
    }
    // What was made before the label went away is removed after it has gone.
    for (kind, _) in objects(&space.name).iter().rev() {
        driver.delete(&path(&space, kind)).await.expect_done();
        driver.delete(&path(&plain, kind)).await.expect_done();
    }
}

/// What the driver keeps in a namespace.
fn objects(namespace: &str) -> [(&'static str, Value); 4] {
    let object =
        |group: &str, kind: &str, name: &str| json!({"apiVersion": group, "kind": kind, "metadata": {"name": name}});
    let version = "rbac.authorization.k8s.io/v1";
    let mut role = object(version, "Role", "penstock-task");
    role["rules"] = json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["patch"]}]);
    let mut binding = object(version, "RoleBinding", "penstock-task");
    binding["roleRef"] = json!({"apiGroup": RBAC, "kind": "Role", "name": "penstock-task"});
    binding["subjects"] = json!([{"kind": "ServiceAccount", "name": "penstock-task", "namespace": namespace}]);
    let mut settings = object("v1", "ConfigMap", "penstock-settings");
    settings["data"] = json!({"settings.json": "{}"});
    [
        ("serviceaccounts", object("v1", "ServiceAccount", "penstock-task")),
        ("roles", role),
        ("rolebindings", binding),
        ("configmaps", settings),
    ]
}

fn path(space: &Space, kind: &str) -> String {
    match kind {
        "roles" | "rolebindings" => space.rbac(&format!("{kind}/penstock-task")),
        "configmaps" => space.core("configmaps/penstock-settings"),
        _ => space.core(&format!("{kind}/penstock-task")),
    }
}

#[tokio::test]
async fn t06_the_driver_hands_out_no_right_that_it_does_not_have() {
    let Some(cluster) = Cluster::find_or_skip("t06_the_driver_hands_out_no_right_that_it_does_not_have").await else {
        return;
    };
    let space = Space::with_labels(&cluster, &json!({"penstock.dev/injection": "enabled"})).await;
    let driver = cluster.account(SYSTEM, "penstock");
    let [_, (kind, mut role), ..] = objects(&space.name);
    role["rules"][0]["resources"] = json!(["secrets"]);
    driver
        .apply(&path(&space, kind), &role)
        .await
        .expect_refused("a right to Secrets", "attempting to grant RBAC permissions");
}

#[tokio::test]
async fn t06_the_driver_touches_task_pods_only() {
    let Some(cluster) = Cluster::find_or_skip("t06_the_driver_touches_task_pods_only").await else { return };
    let space = Space::new(&cluster).await;
    let (admin, driver) = (cluster.admin(), cluster.account(SYSTEM, "penstock"));
    let foreign = "touches no Pods but those with the label penstock.dev/inject=task";
    let mut plain = plain_pod("plain", "other");
    plain["metadata"]["finalizers"] = json!(["example.com/mine"]);
    admin.post(&space.core("pods"), &plain).await.expect_done();
    let release = json!({"metadata": {"finalizers": null}});
    driver.patch(&space.pod("plain"), &release).await.expect_refused("a patch", foreign);
    driver.delete(&space.pod("plain")).await.expect_refused("a deletion", foreign);
    let disguise = json!({"metadata": {"labels": {"penstock.dev/inject": "task"}}});
    driver.patch(&space.pod("plain"), &disguise).await.expect_refused("a disguise", "penstock.dev/inject");

    let created = "creates no Pods but those with the label penstock.dev/inject=task";
    driver.post(&space.core("pods"), &plain_pod("new", "other")).await.expect_refused("a Pod of another kind", created);

    let task = task_pod("task", "penstock-task");
    let unlabelled = "creates Pods only in namespaces with the label";
    driver.post(&space.core("pods"), &task).await.expect_refused("a namespace without label", unlabelled);
    space.add_task_pod("task", "penstock-task").await;
    let mut containers = task["spec"]["containers"].clone();
    containers[0]["image"] = json!("evil");
    let image = json!({"spec": {"containers": containers}});
    let specification = "does not change the specification";
    driver.patch(&space.pod("task"), &image).await.expect_refused_by_either("another image", [specification, IMAGES]);
    // The namespace may have lost its label: what was begun there is ended there.
    driver.patch(&space.pod("task"), &release).await.expect_done();
    driver.delete(&space.pod("task")).await.expect_done();
}

#[tokio::test]
async fn t06_the_driver_makes_and_deletes_volume_claims_where_tasks_run_only() {
    let test = "t06_the_driver_makes_and_deletes_volume_claims_where_tasks_run_only";
    let Some(cluster) = Cluster::find_or_skip(test).await else { return };
    let space = Space::with_labels(&cluster, &json!({"penstock.dev/injection": "enabled"})).await;
    let plain = Space::new(&cluster).await;
    let (admin, driver) = (cluster.admin(), cluster.account(SYSTEM, "penstock"));
    let claim = |name: &str, labels: Value| {
        json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name, "labels": labels},
            "spec": {
                "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}, "storageClassName": "",
            },
        })
    };
    let workspace = json!({"penstock.dev/workspace": "true"});
    let (all, one) = (|space: &Space| space.core("persistentvolumeclaims"), "persistentvolumeclaims/one");
    driver.post(&all(&space), &claim("one", json!({}))).await.expect_done();
    driver.delete(&space.core(one)).await.expect_done();

    let unlabelled = "volume claims only in namespaces with the label";
    driver.post(&all(&plain), &claim("one", workspace.clone())).await.expect_refused("a claim", unlabelled);
    admin.post(&all(&plain), &claim("one", json!({}))).await.expect_done();
    driver.delete(&plain.core(one)).await.expect_refused("somebody's claim", unlabelled);
    // Of a namespace that has lost its label.
    admin.post(&all(&plain), &claim("two", workspace)).await.expect_done();
    driver.delete(&plain.core("persistentvolumeclaims/two")).await.expect_done();

    admin.post(&all(&space), &claim("data", json!({"app.kubernetes.io/part-of": "penstock"}))).await.expect_done();
    let own = "does not delete the volume claim that it is kept on";
    driver.delete(&space.core("persistentvolumeclaims/data")).await.expect_refused("its own", own);
}

/// Everything is applied to a namespace beside that of an installation, and nothing is stored.
#[tokio::test]
async fn everything_is_accepted_without_a_warning() {
    let Some(cluster) = Cluster::find_or_skip("everything_is_accepted_without_a_warning").await else { return };
    // A Pod that is not `restricted` would be warned about.
    let strict = json!({"pod-security.kubernetes.io/warn": "restricted"});
    let space = Space::with_labels(&cluster, &strict).await;
    for rendered in [crate::render::standalone(), crate::render::ha()] {
        assert_accepted(&cluster, &rendered.replace(SYSTEM, &space.name));
    }
}

fn assert_accepted(cluster: &Cluster, rendered: &str) {
    let args = ["apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f", "-"];
    let said = cluster.kubectl_with(&args, rendered);
    // kubectl's own, where the installation was not applied by the server.
    let is_migration = |line: &&str| line.contains("kubectl.kubernetes.io/last-applied-configuration");
    let warnings = said.lines().filter(|line| line.contains("Warning") && !is_migration(line));
    assert_eq!(warnings.collect::<Vec<_>>(), Vec::<&str>::new());
    let accepted = said.lines().filter(|line| line.ends_with("serverside-applied (server dry run)")).count();
    assert_eq!(accepted, rendered.split("\n---\n").count(), "{said}");
}

/// The API server says of each expression whether it fits what it is about, somewhat after it was stored.
#[tokio::test]
async fn policies_fit_what_they_are_about() {
    let Some(cluster) = Cluster::find_or_skip("policies_fit_what_they_are_about").await else { return };
    let path =
        format!("/apis/{ADMISSION}/v1/validatingadmissionpolicies?labelSelector=app.kubernetes.io/part-of=penstock");
    for left in (0..100).rev() {
        let list = cluster.admin().get(&path).await.expect_done();
        let policies = list["items"].as_array().expect("a list");
        let is_checked = |policy: &&Value| policy["status"]["observedGeneration"] == policy["metadata"]["generation"];
        if !policies.is_empty() && policies.iter().all(|policy| is_checked(&policy)) {
            for policy in policies {
                let warnings = &policy["status"]["typeChecking"]["expressionWarnings"];
                assert!(warnings.is_null(), "{}: {warnings}", policy["metadata"]["name"]);
            }
            return;
        }
        assert!(left > 0, "policies that are still unchecked after 20 s: {list}");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}
