//! The stock client of KFP against Penstock on a cluster. What it asks for, and what Pods must show of it, is in
//! `tests/client/on_cluster.py`.

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use penstock_tests::cluster::{Namespace, SYSTEM_NAMESPACE};
use penstock_tests::deadline::wait_until;
use penstock_tests::invocation::{Background, Finished, Invocation};
use penstock_tests::python;
use rustix::process::Signal;

use crate::admin;
use crate::drivers::Host;
use crate::scenario::Scenario;

/// Longest time for all scenarios of a test.
const LIMIT: Duration = Duration::from_secs(600);
/// Longest time until a process answers.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Plays scenarios against an API.
fn play(python: &Path, scenario: &Scenario, namespace: &Namespace, api: SocketAddr, which: &str) -> Finished {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("client/on_cluster.py");
    let sandbox = &scenario.sandbox;
    let client = Invocation::new(python)
        .environment(&sandbox.path("home"), &sandbox.data_dir())
        .env("PENSTOCK_TEST_API", format!("http://{api}"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg(script)
        .arg(which)
        .limit(LIMIT);
    namespace.for_kubectl(client).run()
}

/// Waits until a process of this machine answers on a port.
pub(crate) fn wait_for_api(process: &mut Background, api: SocketAddr) {
    wait_until("the API to answer", START_LIMIT, || {
        assert!(process.is_running(), "what was to answer has ended");
        TcpStream::connect(api).is_ok() && admin::get(api, "/apis/v2beta1/healthz").is_some_and(|(code, _)| code == 200)
    });
}

/// The API alone, over the store of a scenario.
fn apiserver(scenario: &Scenario, namespace: &str) -> (Background, SocketAddr) {
    let (api, admin) = (admin::free_address(), admin::free_address());
    let mut process = scenario
        .penstock(&["apiserver", "--api-namespace", namespace, "--api-listen", &api.to_string()])
        .args(["--admin-listen", &admin.to_string()])
        .env("PENSTOCK_LOG", "info")
        .limit(LIMIT)
        .spawn();
    wait_for_api(&mut process, api);
    assert_eq!(admin::get(admin, "/ready").map(|(code, _)| code), Some(200));
    (process, api)
}

#[test]
fn the_stock_client_uses_the_installed_service() {
    let test = "the_stock_client_uses_the_installed_service";
    let Some(python) = python::find_or_skip(test) else { return };
    let Some(scenario) = Scenario::of_runs(test) else { return };
    let api = admin::free_address();
    let ports = format!("{}:8888", api.port());
    let forward = ["-n", SYSTEM_NAMESPACE, "port-forward", "service/ml-pipeline", &ports];
    let mut forwarded = scenario.cluster.kubectl(forward).limit(LIMIT).spawn();
    wait_for_api(&mut forwarded, api);
    // The same pages as on a machine of one's own are a part of what is installed.
    let (status, page) = admin::get(api, "/").expect("an answer");
    assert!(status == 200 && page.contains("<div id=\"root\">"), "{status}: {page}");
    let (status, system) = admin::get(api, "/apis/penstock/v1/system").expect("an answer");
    assert!(status == 200 && system.contains("\"mode\":\"kubernetes\""), "{status}: {system}");
    let played = play(&python, &scenario, &scenario.namespace, api, "all");
    forwarded.kill_now();
    assert!(played.code() == Some(0), "{played}\n--- the service: {}", scenario.cluster.service_log());
    assert!(!scenario.cluster.service_log().stdout.contains("could not be driven"), "a run met a failure of ours");
}

#[test]
fn an_api_alone_leaves_its_runs_to_a_driver_of_another_process() {
    let test = "an_api_alone_leaves_its_runs_to_a_driver_of_another_process";
    let Some(python) = python::find_or_skip(test) else { return };
    let Some(scenario) = Scenario::new(test) else { return };
    let host = Host::start(&scenario);
    host.wait_until_it_leads();
    let (server, api) = apiserver(&scenario, scenario.namespace.name());
    let played = play(&python, &scenario, &scenario.namespace, api, "apart");
    server.signal(Signal::TERM);
    let served = server.wait();
    assert!(played.code() == Some(0), "{played}\n--- the API: {served}");
    served.expect_code(0);
}

#[test]
fn a_submission_for_a_namespace_without_the_label_is_refused_with_the_remedy() {
    let test = "a_submission_for_a_namespace_without_the_label_is_refused_with_the_remedy";
    let Some(python) = python::find_or_skip(test) else { return };
    let Some(scenario) = Scenario::new(test) else { return };
    let elsewhere = Namespace::unlabelled(scenario.cluster, "unlabelled");
    let (server, api) = apiserver(&scenario, elsewhere.name());
    let played = play(&python, &scenario, &elsewhere, api, "unlabelled");
    let served = server.kill_now();
    assert!(played.code() == Some(0), "{played}\n--- the API: {served}");
}
