//! All replicas of the API are replaced, one after the other, under clients that open a connection for each request and try
//! nothing again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use penstock_tests::cluster::{self, SYSTEM_NAMESPACE};
use penstock_tests::deadline::wait_until;
use penstock_tests::invocation::Invocation;
use penstock_tests::python;
use serde_json::Value;

use super::Replicas;
use crate::scenario::Scenario;

/// Longest time for all of it.
const LIMIT: Duration = Duration::from_secs(240);
/// Longest time until the old Pods are gone. They end in order.
const GONE_LIMIT: Duration = Duration::from_secs(60);

pub(super) fn play(test: &str, python: &Path, scenario: &Scenario, replicas: &Replicas) {
    if !cluster::is_test_cluster_or_skip(test, "Services must be reached from this machine") {
        return;
    }
    let service = scenario.cluster.get(["-n", SYSTEM_NAMESPACE, "service", "ml-pipeline"]).expect("the Service");
    let address = service["spec"]["clusterIP"].as_str().expect("its address");
    let (sandbox, script) = (&scenario.sandbox, PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("client/load.py"));
    let load = Invocation::new(python)
        .environment(&sandbox.path("home"), &sandbox.data_dir())
        .env("PENSTOCK_TEST_API", format!("http://{address}:8888"))
        .env("PENSTOCK_TEST_STARTED", sandbox.path("load-started"))
        .env("PENSTOCK_TEST_STOP", sandbox.path("load-stop"))
        .arg(script)
        .limit(LIMIT)
        .spawn();
    wait_until("load", GONE_LIMIT, || sandbox.has("load-started"));
    let before = replicas.pods("penstock-apiserver");
    scenario.cluster.call(["-n", SYSTEM_NAMESPACE, "rollout", "restart", "deployment/penstock-apiserver"]);
    replicas.cluster.await_rollout("penstock-apiserver");
    wait_until("the old Pods to be gone", GONE_LIMIT, || {
        let list = scenario.cluster.get(["-n", SYSTEM_NAMESPACE, "pods"]).unwrap_or_default();
        let pods = list["items"].as_array().cloned().unwrap_or_default();
        !pods.iter().any(|pod| before.iter().any(|name| pod["metadata"]["name"] == name.as_str()))
    });
    sandbox.write("load-stop", "");
    let loaded = load.wait().expect_code(0);
    let counts: Value = serde_json::from_str(&loaded.stdout).expect("the load prints JSON");
    python::note(test, &format!("a rolling restart under load: {counts}"));
    assert_eq!(counts["failures"].as_array().map(Vec::len), Some(0), "{counts:#}");
    assert!(counts["reads"].as_i64() > Some(100) && counts["writes"].as_i64() > Some(20), "{counts}");
    assert_eq!(counts["lost"], Value::Array(Vec::new()), "what was acknowledged is not there");
}
