use serde_json::Value;

use super::*;

fn read<T: serde::de::DeserializeOwned>(value: Value) -> Read<T> {
    Read::Found(serde_json::from_value(value).expect("an object of its kind"))
}

fn info(minor: &str) -> Read<Info> {
    Read::Found(Info {
        major: "1".to_owned(),
        minor: minor.to_owned(),
        git_version: format!("v1.{minor}.0"),
        ..Info::default()
    })
}

#[test]
fn versions_are_judged() {
    assert_eq!(version(&info("29")).state, FindingState::Bad);
    assert_eq!(version(&info("30+")).state, FindingState::Warning);
    assert_eq!(version(&info("36")).state, FindingState::Good);
    assert_eq!(version(&info("odd")).state, FindingState::Unknown);
    let silent = version(&Read::Failed("connection refused".to_owned()));
    assert_eq!((silent.state, silent.found.contains("connection refused")), (FindingState::Bad, true));
}

fn configuration(bundle: &[u8], policy: &str) -> Read<MutatingWebhookConfiguration> {
    use base64::Engine as _;
    let bundle = base64::engine::general_purpose::STANDARD.encode(bundle);
    read(json!({
        "metadata": {"name": "penstock"},
        "webhooks": [{
            "name": "launcher.penstock.dev", "admissionReviewVersions": ["v1"], "sideEffects": "None",
            "failurePolicy": policy, "clientConfig": {"caBundle": bundle},
        }],
    }))
}

#[test]
fn f20_a_wiped_bundle_and_an_expired_authority_are_told() {
    assert_eq!(webhook(&Read::Missing, "penstock").state, FindingState::Bad);
    assert_eq!(webhook(&configuration(b"", "Fail"), "penstock").state, FindingState::Bad);
    assert_eq!(webhook(&configuration(b"x", "Ignore"), "penstock").state, FindingState::Warning);
    assert_eq!(webhook(&configuration(b"x", "Fail"), "penstock").state, FindingState::Good);
    assert_eq!(certificate(&configuration(b"x", "Fail"), "penstock", Timestamp::UNIX_EPOCH).state, FindingState::Bad);

    let key = rcgen::KeyPair::generate().expect("a key");
    let mut parameters = rcgen::CertificateParams::new(vec!["penstock".to_owned()]).expect("a name");
    parameters.not_after = rcgen::date_time_ymd(2030, 1, 2);
    let pem = parameters.self_signed(&key).expect("a certificate").pem();
    let at = |text: &str| {
        let now = text.parse::<Timestamp>().expect("a time");
        certificate(&configuration(pem.as_bytes(), "Fail"), "penstock", now).state
    };
    assert_eq!(at("2029-06-01T00:00:00Z"), FindingState::Good);
    assert_eq!(at("2030-01-01T20:00:00Z"), FindingState::Warning);
    assert_eq!(at("2030-01-02T00:00:01Z"), FindingState::Bad);
}

#[test]
fn a_namespace_without_the_label_says_how_to_set_it() {
    let plain = namespace(&read(json!({"metadata": {"name": "team"}})), "team");
    let remedy = plain.remedy.expect("a remedy");
    assert_eq!(remedy, "kubectl label namespace team penstock.dev/injection=enabled");
    let labelled = json!({"metadata": {"name": "team", "labels": {"penstock.dev/injection": "enabled"}}});
    assert_eq!(namespace(&read(labelled), "team").state, FindingState::Good);
}

#[test]
fn what_is_missing_is_named() {
    let found = task_account(&[("ServiceAccount", &Read::Found(())), ("Role", &Read::Missing)]);
    assert!(found.found.contains("lacks its Role"), "{found:?}");
    let keys = ["accesskey", "secretkey"];
    let found = secret(&read(json!({"metadata": {}, "data": {"accesskey": "YQ=="}})), "store", &keys);
    assert!(found.found.contains("lacks secretkey"), "{found:?}");
    assert!(secret(&Read::Missing, "store", &keys).remedy.is_some_and(|text| text.contains("accesskey and secretkey")));
    let (found, settings) = settings(&read(json!({"metadata": {}, "data": {"settings.json": "{"}})));
    assert_eq!((found.state, settings), (FindingState::Bad, None));
}

#[test]
fn a_trial_pod_without_a_launcher_is_bad() {
    let plain = trial_pod("busybox");
    assert_eq!(plain.metadata.labels.as_ref().map(std::collections::BTreeMap::len), Some(1));
    assert_eq!(injection(&Read::Found(plain)).state, FindingState::Bad);
    let refused = injection(&Read::Failed("admission webhook denied".to_owned()));
    assert!(refused.found.contains("denied"), "{refused:?}");
    let injected = json!({"spec": {"containers": [], "initContainers": [{"name": "penstock-launcher"}]}});
    assert_eq!(injection(&read(injected)).state, FindingState::Good);
}

#[test]
fn a_driver_that_looks_elsewhere_than_launchers_store_is_told() {
    let settings = NamespaceSettings::kfp_default("http://minio-service.kubeflow:9000");
    let told = |endpoint: &str| {
        let service = read(json!({"metadata": {}, "data": {"PENSTOCK_S3_ENDPOINT": endpoint}}));
        driver_store(&service, &settings).expect("a finding")
    };
    assert_eq!(told("http://minio-service.kubeflow.svc:9000").state, FindingState::Good);
    let other = told("http://other:9000");
    assert_eq!(other.state, FindingState::Warning, "it may be the same by another name");
    assert!(other.found.contains("http://other:9000") && other.found.contains("minio-service.kubeflow"), "{other:?}");
    assert_eq!(driver_store(&Read::Missing, &settings), None, "it may be said elsewhere");
    assert_eq!(driver_store(&read(json!({"metadata": {}})), &settings), None);
}
