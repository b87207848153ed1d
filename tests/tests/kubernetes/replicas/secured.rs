//! The API behind TLS, as `manifests/components/tls` has it serve the certificate of a Secret.

use std::path::{Path, PathBuf};
use std::time::Duration;

use penstock_tests::cluster::SYSTEM_NAMESPACE;
use penstock_tests::deadline::wait_until;
use penstock_tests::invocation::Invocation;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::json;

use super::{ANSWER_LIMIT, Replicas};
use crate::admin;
use crate::scenario::Scenario;

/// Longest time for what the client does.
const LIMIT: Duration = Duration::from_secs(240);

pub(super) fn play(python: &Path, scenario: &Scenario, replicas: &Replicas) {
    let (authority, chain, key) = certificate();
    scenario.cluster.apply(&json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "stringData": {"tls.crt": chain, "tls.key": key},
        "metadata": {"name": "penstock-api-tls", "namespace": SYSTEM_NAMESPACE},
    }));
    replicas.cluster.apply_overlay_with("ha", &["tls"]);
    replicas.cluster.await_rollout("penstock-apiserver");
    let address = admin::free_address();
    let ports = format!("{}:8888", address.port());
    let forward = ["-n", SYSTEM_NAMESPACE, "port-forward", "service/ml-pipeline", &ports];
    let mut forward = scenario.cluster.kubectl(forward).limit(LIMIT).spawn();
    wait_until("the API to answer those who do not speak TLS", ANSWER_LIMIT, || {
        assert!(forward.is_running(), "the port is not forwarded");
        admin::get(address, "/apis/v2beta1/healthz")
            .is_some_and(|(status, text)| status == 400 && text.contains("https"))
    });
    let (sandbox, script) = (&scenario.sandbox, PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("client/secured.py"));
    let client = Invocation::new(python)
        .environment(&sandbox.path("home"), &sandbox.data_dir())
        .env("PENSTOCK_TEST_API", format!("https://localhost:{}", address.port()))
        .env("PENSTOCK_TEST_CA", sandbox.write("authority.pem", authority))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg(script)
        .limit(LIMIT);
    let played = client.run();
    forward.kill_now();
    played.expect_code(0);
}

/// Authority, certificate and key for what forwards the port.
fn certificate() -> (String, String, String) {
    // Names of their own: OpenSSL takes a certificate of its authority's name for one that signed itself.
    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, "Authority of the tests");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key")).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let leaf = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let leaf = leaf.signed_by(&key, &authority).expect("a certificate");
    (authority.pem(), leaf.pem(), key.serialize_pem())
}
