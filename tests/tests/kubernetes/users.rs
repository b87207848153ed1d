//! Several teams on a cluster: accounts of it, with tokens and roles of it, by the stock client of KFP. What each of them
//! does and may not do is in `tests/client/multi_user.py`.

use std::path::PathBuf;
use std::time::Duration;

use penstock_tests::cluster::{Cluster, Namespace};
use penstock_tests::invocation::Invocation;
use penstock_tests::python;
use rustix::process::Signal;
use serde_json::json;

use crate::admin;
use crate::api::wait_for_api;
use crate::drivers::Host;
use crate::scenario::Scenario;

/// Longest time for all scenarios.
const LIMIT: Duration = Duration::from_secs(600);
const AUDIENCE: &str = "pipelines.kubeflow.org";
const LOOKING: [&str; 3] = ["get", "list", "readArtifact"];
const WORKING: [&str; 9] =
    ["create", "update", "delete", "archive", "unarchive", "terminate", "retry", "enable", "disable"];

/// An account with a role in its namespace; its token for this API.
fn account(cluster: &Cluster, namespace: &str, name: &str, works: bool) -> String {
    let metadata = json!({"name": name, "namespace": namespace});
    cluster.apply(&json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}));
    let verbs: Vec<&str> = LOOKING.iter().chain(WORKING.iter().filter(|_| works)).copied().collect();
    let rules =
        json!([{"apiGroups": [AUDIENCE], "resources": ["experiments", "pipelines", "runs", "jobs"], "verbs": verbs}]);
    let version = "rbac.authorization.k8s.io/v1";
    cluster.apply(&json!({"apiVersion": version, "kind": "Role", "metadata": metadata, "rules": rules}));
    cluster.apply(&json!({
        "apiVersion": version, "kind": "RoleBinding", "metadata": metadata,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
    }));
    cluster.call(["-n", namespace, "create", "token", name, "--audience", AUDIENCE]).trim().to_owned()
}

#[test]
fn t10_teams_of_a_cluster_use_what_is_theirs_by_the_stock_client() {
    let test = "t10_teams_of_a_cluster_use_what_is_theirs_by_the_stock_client";
    let Some(python) = python::find_or_skip(test) else { return };
    let Some(scenario) = Scenario::new(test) else { return };
    let cluster = scenario.cluster;
    let (team_b, system) = (Namespace::new(cluster, "users"), Namespace::unlabelled(cluster, "users"));
    let (a, b, own) = (scenario.namespace.name(), team_b.name(), system.name());
    let tokens = json!({
        "ann": account(cluster, a, "ann", true),
        "bob": account(cluster, b, "bob", true),
        "vera": account(cluster, a, "vera", false),
        "olga": account(cluster, own, "olga", true),
    });
    let host = Host::start(&scenario);
    host.wait_until_it_leads();
    let (api, admin) = (admin::free_address(), admin::free_address());
    let mut server = scenario
        .penstock(&["apiserver", "--multi-user", "--auth", "token-review", "--api-namespace", own])
        .args(["--api-listen", &api.to_string(), "--admin-listen", &admin.to_string()])
        .env("PENSTOCK_LOG", "info")
        .limit(LIMIT)
        .spawn();
    wait_for_api(&mut server, api);
    let played = Invocation::new(&python)
        .environment(&scenario.sandbox.path("home"), &scenario.sandbox.data_dir())
        .env("PENSTOCK_TEST_API", format!("http://{api}"))
        .env("PENSTOCK_TEST_NAMESPACES", format!("{a},{b},{own}"))
        .env("PENSTOCK_TEST_TOKENS", tokens.to_string())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("client/multi_user.py"))
        .limit(LIMIT)
        .run();
    server.signal(Signal::TERM);
    let served = server.wait();
    assert!(played.code() == Some(0), "{played}\n--- the API: {served}");
    // What callers show is nobody's to read.
    let shown = tokens.as_object().expect("tokens").values().filter_map(|token| token.as_str());
    assert_eq!(shown.filter(|token| served.stderr.contains(token)).count(), 0);
    served.expect_code(0);
}
