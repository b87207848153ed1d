use penstock_spec::Timestamp;
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
    assert_eq!(authority(&configuration(b"x", "Fail"), "penstock", Timestamp::UNIX_EPOCH).state, FindingState::Bad);

    let key = rcgen::KeyPair::generate().expect("a key");
    let mut parameters = rcgen::CertificateParams::new(vec!["penstock".to_owned()]).expect("a name");
    parameters.not_after = rcgen::date_time_ymd(2030, 1, 2);
    let pem = parameters.self_signed(&key).expect("a certificate").pem();
    let at = |text: &str| {
        let now = text.parse::<Timestamp>().expect("a time");
        authority(&configuration(pem.as_bytes(), "Fail"), "penstock", now).state
    };
    assert_eq!(at("2029-06-01T00:00:00Z"), FindingState::Good);
    assert_eq!(at("2030-01-01T20:00:00Z"), FindingState::Warning);
    assert_eq!(at("2030-01-02T00:00:01Z"), FindingState::Bad);
}

/// A certificate for `name`, valid in 2029, signed by an authority; the leaf and that authority as PEM.
fn signed(name: &str) -> (String, String) {
    let key = || rcgen::KeyPair::generate().expect("a key");
    let authority_key = key();
    let mut authority = rcgen::CertificateParams::new(Vec::new()).expect("no names");
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    authority.distinguished_name.push(rcgen::DnType::CommonName, format!("authority of {name}"));
    let pem = authority.self_signed(&authority_key).expect("a certificate").pem();
    let mut leaf = rcgen::CertificateParams::new(vec![name.to_owned()]).expect("a name");
    (leaf.not_before, leaf.not_after) = (rcgen::date_time_ymd(2029, 1, 1), rcgen::date_time_ymd(2030, 1, 1));
    let issuer = rcgen::Issuer::new(authority, authority_key);
    (leaf.signed_by(&key(), &issuer).expect("a certificate").pem(), pem)
}

fn certificate_secret(leaf: &str) -> Read<Secret> {
    use base64::Engine as _;
    read(json!({"metadata": {}, "data": {"tls.crt": base64::engine::general_purpose::STANDARD.encode(leaf)}}))
}

#[test]
fn f20_what_the_webhook_serves_is_looked_at() {
    let what = Served { secret: "certificate", namespace: "system", service: "hook" };
    let (leaf, issuer) = signed("hook.system.svc");
    let trusted = configuration(issuer.as_bytes(), "Fail");
    let at = |text: &str, secret: &Read<Secret>, configuration: &Read<MutatingWebhookConfiguration>| {
        let found = served(secret, configuration, what, text.parse::<Timestamp>().expect("a time"));
        (found.state, format!("{} → {}", found.found, found.remedy.unwrap_or_default()))
    };
    let secret = certificate_secret(&leaf);
    for (time, state) in [
        ("2028-06-01T00:00:00Z", FindingState::Bad),
        ("2029-06-01T00:00:00Z", FindingState::Good),
        ("2029-12-31T20:00:00Z", FindingState::Warning),
        ("2030-01-01T00:00:01Z", FindingState::Bad),
    ] {
        assert_eq!(at(time, &secret, &trusted).0, state, "{time}");
    }
    let then = "2029-06-01T00:00:00Z";
    let says = |secret: &Read<Secret>, configuration: &Read<MutatingWebhookConfiguration>, text: &str| {
        let (state, shown) = at(then, secret, configuration);
        assert_eq!((state, shown.contains(text)), (FindingState::Bad, true), "{shown}");
    };
    let (of_another, its_issuer) = signed("other.system.svc");
    says(
        &certificate_secret(&of_another),
        &trusted,
        "it is for other.system.svc, and the cluster calls hook.system.svc",
    );
    says(&secret, &configuration(its_issuer.as_bytes(), "Fail"), "lacks the authority that signed it");
    says(&secret, &configuration(b"", "Fail"), "lacks the authority");
    says(&certificate_secret(""), &trusted, "holds no certificate");
    says(&Read::Missing, &trusted, "there is no Secret system/certificate → the webhook fills it and cannot make it");
    let both = configuration(format!("{its_issuer}{issuer}").as_bytes(), "Fail");
    assert_eq!(at(then, &secret, &both).0, FindingState::Good, "two authorities while one is replaced");
    assert_eq!(at(then, &Read::Failed("forbidden".to_owned()), &trusted).0, FindingState::Unknown);
    let Read::Found(mut by_others) = trusted else { panic!("it was found") };
    let annotation = ("cert-manager.io/inject-ca-from".to_owned(), "system/hook".to_owned());
    by_others.metadata.annotations = Some([annotation].into());
    let (state, shown) = at(then, &Read::Missing, &Read::Found(by_others));
    assert_eq!((state, shown.contains("its Certificate system/hook")), (FindingState::Unknown, true), "{shown}");
}

#[test]
fn t05_each_policy_must_be_there_and_deny() {
    let names = keys::ADMISSION_POLICIES;
    let list = |items: Vec<Value>| json!({"metadata": {}, "items": items});
    let policy = |name: &str| json!({"metadata": {"name": name}, "spec": {"failurePolicy": "Fail"}});
    let binding = |name: &str, action: &str| json!({"metadata": {"name": name}, "spec": {"policyName": name, "validationActions": [action]}});
    let all = || names.map(policy).to_vec();
    let bound = || names.map(|name| binding(name, "Deny")).to_vec();
    let found = |all: Vec<Value>, bound: Vec<Value>| policies(&read(list(all)), &read(list(bound)));
    assert_eq!(found(all(), bound()).state, FindingState::Good);

    let says = |all: Vec<Value>, bound: Vec<Value>, text: &str| {
        let found = found(all, bound);
        assert_eq!((found.state, found.found.as_str()), (FindingState::Bad, text));
        assert!(found.remedy.is_some_and(|remedy| remedy.contains("kubectl apply -k")));
    };
    says(all(), bound()[1..].to_vec(), &format!("{} has no binding that denies", names[0]));
    let mut warns = bound();
    warns[1] = binding(names[1], "Warn");
    says(all(), warns, &format!("{} has no binding that denies", names[1]));
    says(all()[..6].to_vec(), bound(), &format!("{} is missing", names[6]));
    let mut ignores = all();
    ignores[2]["spec"]["failurePolicy"] = json!("Ignore");
    says(ignores, bound(), &format!("{} has failurePolicy Ignore", names[2]));
    let both = found(all()[2..].to_vec(), bound()).found;
    assert_eq!(both, format!("{} is missing; {} is missing", names[0], names[1]));
    assert_eq!(policies(&Read::Failed("forbidden".to_owned()), &read(list(bound()))).state, FindingState::Unknown);
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

#[test]
fn rights_to_volume_claims_that_are_missing_are_named() {
    let found = |get: Read<bool>, create: Read<bool>| claims(&[("get", get), ("create", create)], "team");
    let (yes, no) = (|| Read::Found(true), || Read::Found(false));
    assert_eq!(found(yes(), yes()).state, FindingState::Good);
    let lacks = found(yes(), no());
    assert_eq!(lacks.state, FindingState::Warning, "only pipelines with volumes need it");
    assert!(lacks.found.contains("may not create persistentvolumeclaims in team"), "{lacks:?}");
    assert!(lacks.remedy.is_some_and(|remedy| remedy.contains("kubectl apply -k")));
    assert_eq!(found(Read::Failed("forbidden".to_owned()), no()).state, FindingState::Unknown);
}
