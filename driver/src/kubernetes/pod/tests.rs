use penstock_spec::plan::PLAN_VERSION;
use penstock_spec::settings::TaskSettings;
use serde_json::{Value, json};

use super::*;

/// A plan of everything that a Pod is made of.
fn plan(changes: &Value) -> Plan {
    let mut plan = json!({
        "version": PLAN_VERSION,
        "run": {
            "id": "6a3a4b1e-0b5f-4c1d-9d58-0d9a6e1f2a3b",
            "name": "hello-x7f2a",
            "displayName": "hello",
            "pipelineName": "hello",
            "namespace": "team",
            "pipelineRoot": "s3://bucket/root",
            "createdAt": "2026-01-01T00:00:00Z",
            "scheduledAt": "2026-01-01T00:00:00Z",
            "caching": true,
        },
        "task": {
            "id": "0d9a6e1f-2a3b-5c1d-9d58-6a3a4b1e0b5f",
            "key": "train",
            "displayName": "Train it",
            "path": "for-loop-1[3]/train",
            "attempt": 0,
        },
        "image": "python:3.11",
        "command": ["sh", "-c", "echo {{$.inputs.parameters['word']}} $(HOME)"],
        "args": ["--executor_input", "{{$}}"],
        "env": [{"name": "A", "value": "{{$.inputs.parameters['word']}}"}, {"name": "B", "value": "$(A)"}],
        "inputs": {"parameters": {"word": "hi"}},
        "taskRoot": "s3://bucket/root/hello/6a3a4b1e-0b5f-4c1d-9d58-0d9a6e1f2a3b/train/attempt",
    });
    for (name, value) in changes.as_object().expect("an object") {
        plan[name] = value.clone();
    }
    serde_json::from_value(plan).expect("a plan")
}

fn built(changes: &Value, settings: &PodSettings) -> TaskPod {
    build(&plan(changes), "team", settings, &NamespaceTasks::default()).expect("a Pod can be made of it")
}

#[test]
fn pod_of_a_small_task() {
    insta::assert_json_snapshot!(built(&json!({}), &PodSettings::default()).pod);
}

#[test]
fn pod_of_a_task_with_everything() {
    let settings = PodSettings {
        ca_bundle: Some(CaBundle::ConfigMap { name: "corporate-ca".to_owned(), key: "bundle.pem".to_owned() }),
        proxy: vec![("https_proxy".to_owned(), "http://proxy:3128".to_owned())],
        accounts: vec!["other/reader".parse().expect("an account")],
        run_as: RunAs { user: Some(1000), group: Some(100), non_root: Some(true) },
    };
    let changes = json!({
        "resources": {
            "requests": {"cpu": "500m", "memory": "512K"},
            "limits": {"cpu": "2", "memory": "2Gi", "nvidia.com/gpu": "1"},
        },
        "imagePullPolicy": "Always",
        "timeoutSeconds": 90,
        "retries": true,
        "task": {
            "id": "0d9a6e1f-2a3b-5c1d-9d58-6a3a4b1e0b5f", "key": "train", "displayName": "Train it", "path": "train",
            "attempt": 2,
        },
    });
    let pod = built(&changes, &settings).pod;
    insta::assert_json_snapshot!(pod);
    let carried = &pod.metadata.annotations.expect("annotations")[keys::ANNOTATION_PLAN];
    assert!(
        !carried.contains("nvidia.com/gpu") && !carried.contains("imagePullPolicy"),
        "the kubelet's, not the launcher's"
    );
}

#[test]
fn pod_of_a_task_with_arguments_alone_and_a_secret_with_authorities() {
    let settings = PodSettings {
        ca_bundle: Some(CaBundle::Secret { name: "ca".to_owned(), key: "ca.crt".to_owned() }),
        ..PodSettings::default()
    };
    let pod = built(&json!({"command": [], "args": ["/bin/true"]}), &settings).pod;
    let spec = pod.spec.expect("a spec");
    assert_eq!(spec.containers[0].command, None, "the first argument is the program");
    insta::assert_json_snapshot!((&spec.containers[0].env, &spec.volumes));
}

#[test]
fn f32_plan_that_is_too_large_for_an_annotation_is_an_object() {
    let TaskPod { pod, plan_object, .. } =
        built(&json!({"inputs": {"parameters": {"word": "x".repeat(20_000)}}}), &PodSettings::default());
    let annotations = pod.metadata.annotations.expect("annotations");
    assert!(!annotations.contains_key(keys::ANNOTATION_PLAN));
    let (uri, bytes) = plan_object.expect("an object");
    let reference: PlanRef = serde_json::from_str(&annotations[keys::ANNOTATION_PLAN_REF]).expect("a reference");
    assert_eq!((reference.uri.as_str(), reference.size), (uri.as_str(), bytes.len() as u64));
    assert_eq!(reference.digest, format_digest(&digest_of(&bytes)));
    assert!(uri.ends_with("/train/attempt/plan.json"), "{uri}");
    let stored: Plan = serde_json::from_slice(&bytes).expect("a plan");
    assert_eq!(stored.inputs.parameters["word"], "x".repeat(20_000));
    let largest = annotations.values().map(String::len).max();
    assert!(largest < Some(keys::MAX_INLINE_PLAN));
}

#[rstest::rstest]
#[case(json!({"resources": {"limits": {"memory": "1 GB"}}}), "resource limit memory of the task is \"1 GB\"")]
#[case(json!({"resources": {"requests": {"cpu": "-1"}}}), "resource request cpu of the task is \"-1\"")]
#[case(json!({"imagePullPolicy": "always"}), "imagePullPolicy of the task is \"always\"")]
fn f44_values_that_kubernetes_would_refuse_are_named(#[case] changes: Value, #[case] text: &str) {
    let error =
        build(&plan(&changes), "team", &PodSettings::default(), &NamespaceTasks::default()).expect_err("it is refused");
    assert!(error.to_string().starts_with(text), "{error}");
}

fn hash_in(task: &TaskPod) -> &str {
    &task.pod.metadata.annotations.as_ref().expect("annotations")[keys::ANNOTATION_SPEC_HASH]
}

#[test]
fn digest_is_of_what_identifies_the_work() {
    let hash = spec_hash(&plan(&json!({})));
    // A change of this makes strangers of all Pods that run while the driver is upgraded.
    assert_eq!(hash, "sha256:0f77df5b6c18ae393034bd63fa976fcb67f476c1d43c467f7fc1b1066d326fc5");
    let mut others = vec![
        json!({"image": "python:3.12"}),
        json!({"command": ["sh"]}),
        json!({"args": ["--executor_input"]}),
        json!({"taskRoot": "s3://bucket/root/hello/6a3a4b1e-0b5f-4c1d-9d58-0d9a6e1f2a3b/train/other"}),
    ];
    for (part, name, value) in [
        ("run", "id", json!("00000000-0b5f-4c1d-9d58-0d9a6e1f2a3b")),
        ("task", "id", json!("00000000-2a3b-5c1d-9d58-6a3a4b1e0b5f")),
        ("task", "attempt", json!(1)),
    ] {
        let mut whole = serde_json::to_value(plan(&json!({}))).expect("JSON");
        whole[part][name] = value;
        others.push(json!({(part): whole[part]}));
    }
    for other in others {
        assert_ne!(hash, spec_hash(&plan(&other)), "{other}");
    }
}

#[test]
fn digest_is_not_of_the_installation_nor_of_what_a_later_build_may_say() {
    let hash = spec_hash(&plan(&json!({})));
    let proxy = PodSettings { proxy: vec![("http_proxy".to_owned(), "x".to_owned())], ..PodSettings::default() };
    assert_eq!(hash_in(&built(&json!({}), &PodSettings::default())), hash);
    assert_eq!(hash_in(&built(&json!({}), &proxy)), hash);
    for other in [
        json!({"resources": {"limits": {"cpu": "1"}}}),
        json!({"timeoutSeconds": 5}),
        json!({"defaults": {"a": 1}}),
        json!({"retries": true}),
    ] {
        assert_eq!(hash, spec_hash(&plan(&other)), "{other}");
    }
}

#[test]
fn t07_passwords_of_proxies_are_not_shown() {
    let proxy = vec![("https_proxy".to_owned(), "http://user:secret@proxy:3128".to_owned())];
    let shown = format!("{:?}", PodSettings { proxy, ..PodSettings::default() });
    assert!(shown.contains("https_proxy") && !shown.contains("secret"), "{shown}");
}

#[test]
fn deadline_of_a_pod_leaves_the_launcher_time_to_say_so_itself() {
    assert_eq!(deadline(1), 61);
    assert_eq!(deadline(u64::MAX), i64::from(i32::MAX), "what the API server takes at most");
}

fn built_in(settings: RunAs, namespace: RunAs) -> Result<TaskPod, PodError> {
    let settings = PodSettings { run_as: settings, ..PodSettings::default() };
    let tasks = NamespaceTasks { settings: TaskSettings { run_as: namespace }, ..NamespaceTasks::default() };
    build(&plan(&json!({})), "team", &settings, &tasks)
}

#[test]
fn pod_of_a_namespace_that_takes_no_root() {
    let restricted = RunAs { user: Some(65532), group: Some(65532), non_root: Some(true) };
    let pod = built_in(RunAs::default(), restricted).expect("a Pod can be made").pod;
    insta::assert_json_snapshot!(pod.spec.expect("a spec").containers[0].security_context);
    let of_driver = RunAs { user: Some(1000), ..RunAs::default() };
    let spec = built_in(of_driver, restricted).expect("a Pod can be made").pod.spec.expect("a spec");
    let context = spec.containers[0].security_context.as_ref().expect("a security context");
    assert_eq!(
        (context.run_as_user, context.run_as_group, context.run_as_non_root),
        (Some(1000), Some(65532), Some(true)),
        "field by field"
    );
}

#[rstest::rstest]
#[case(
    Some(0),
    None,
    None,
    Some(true),
    "by --task-run-as-user of the driver, which is root, and root is refused by the namespace"
)]
#[case(
    None,
    Some(true),
    Some(0),
    None,
    "by the annotation penstock.dev/run-as-user of the namespace, which is root, and root is refused by --task-run-as-non-root"
)]
#[case(None, None, Some(0), Some(true), "its annotation penstock.dev/run-as-non-root): change one of them")]
fn i31_root_where_root_is_refused_is_named_with_who_asked_for_it(
    #[case] user: Option<i64>,
    #[case] non_root: Option<bool>,
    #[case] namespace_user: Option<i64>,
    #[case] namespace_non_root: Option<bool>,
    #[case] text: &str,
) {
    let namespace = RunAs { user: namespace_user, group: None, non_root: namespace_non_root };
    let error = built_in(RunAs { user, group: None, non_root }, namespace).expect_err("it is refused");
    assert!(error.to_string().contains(text), "{error}");
}

fn with_account(allowed: &[&str]) -> Result<Pod, PodError> {
    let accounts = allowed.iter().map(|text| text.parse().expect("an account")).collect();
    let settings = PodSettings { accounts, ..PodSettings::default() };
    let plan = plan(&json!({"serviceAccount": "reader"}));
    build(&plan, "team", &settings, &NamespaceTasks::default()).map(|task| task.pod)
}

#[test]
fn pod_of_a_task_under_an_account_of_its_own() {
    let pod = with_account(&["team/other", "team/reader"]).expect("it is allowed");
    let spec = pod.spec.expect("a spec");
    assert_eq!(spec.service_account_name.as_deref(), Some("reader"));
    assert_eq!(spec.automount_service_account_token, Some(false), "not for the launcher, which has its own");
    let annotations = pod.metadata.annotations.expect("annotations");
    assert_eq!(annotations[keys::ANNOTATION_SERVICE_ACCOUNT], "reader", "what the admission policy goes by");
    assert!(!annotations[keys::ANNOTATION_PLAN].contains("serviceAccount"), "the kubelet's, not the launcher's");
    let mount = spec.containers[0].volume_mounts.as_ref().and_then(|mounts| mounts.last());
    insta::assert_json_snapshot!((mount, spec.volumes.as_ref().and_then(|volumes| volumes.last())));
}

#[rstest::rstest]
#[case(&[])]
#[case(&["other/reader", "team/other"])]
fn t06_an_account_that_is_not_allowed_is_refused_with_the_flag_that_allows_it(#[case] allowed: &[&str]) {
    let error = with_account(allowed).expect_err("it is refused").to_string();
    assert!(error.contains("\"reader\" (annotation penstock.dev/service-account)"), "{error}");
    assert!(error.contains("--allow-task-account team/reader of the driver"), "{error}");
    with_account(&["*/reader"]).expect("allowed everywhere");
}

/// What an author asks of a task's Pod, as a plan carries it.
fn asked(settings: &Value, more: &Value) -> Value {
    let mut pod = json!({ "config": settings });
    for (name, value) in more.as_object().expect("an object") {
        pod[name] = value.clone();
    }
    json!({ "pod": pod })
}

#[test]
fn pod_of_a_task_whose_author_asks_for_something() {
    let volume = json!({"volumeName": "scratch", "mountPath": "/scratch"});
    let name = json!({"componentInputParameter": "secret"});
    let secret = json!({"secretNameParameter": name, "keyToEnv": [{"secretKey": "k", "envVar": "A"}]});
    let container = json!({"name": "prepare", "image": "busybox:1.36", "volumeMounts": [volume]});
    let settings = json!({
        "secretAsEnv": [secret], "emptyDirMounts": [volume], "initContainers": [container],
        "podMetadata": {"labels": {"team": "a", "pipeline/runid": "x"}}, "nodeSelector": {"labels": {"disk": "fast"}},
        "securityContext": {"runAsUser": "7"},
    });
    let values = json!({"values": {"secretAsEnv[0].secretNameParameter": {"value": "given"}}});
    let changes = asked(&settings, &values);
    let built = built(&changes, &PodSettings::default());
    assert_eq!(built.warnings.len(), 2, "a label and a variable: {:?}", built.warnings);
    let annotations = built.pod.metadata.annotations.as_ref().expect("annotations");
    assert!(!annotations[keys::ANNOTATION_PLAN].contains("given"), "the kubelet's, not the launcher's");
    assert_eq!(annotations[keys::ANNOTATION_SPEC_HASH], spec_hash(&plan(&json!({}))), "an upgrade makes no strangers");
    insta::assert_json_snapshot!(built.pod);
}

#[test]
fn settings_that_no_pod_can_have_are_told_with_their_field() {
    let changes = asked(&json!({"emptyDirMounts": [{"volumeName": "a", "mountPath": "/s3"}]}), &json!({}));
    let built = build(&plan(&changes), "team", &PodSettings::default(), &NamespaceTasks::default());
    let error = built.expect_err("it is refused").to_string();
    assert!(
        error.starts_with("the settings of the task for Kubernetes are wrong: emptyDirMounts[0].mountPath"),
        "{error}"
    );
}

fn context_of(wished: &Value, installation: RunAs, namespace: RunAs) -> Result<(Value, Vec<String>), PodError> {
    let settings = PodSettings { run_as: installation, ..PodSettings::default() };
    let tasks = NamespaceTasks { settings: TaskSettings { run_as: namespace }, ..NamespaceTasks::default() };
    let plan = plan(&asked(&json!({ "securityContext": wished }), &json!({})));
    let built = build(&plan, "team", &settings, &tasks)?;
    let context = json!(built.pod.spec.expect("a spec").containers[0].security_context);
    Ok((context, built.warnings))
}

#[test]
fn installation_and_namespace_win_over_the_author_field_by_field() {
    let (nobody, none) = (RunAs { user: Some(65532), group: None, non_root: Some(true) }, RunAs::default());
    let of = |context: &Value| json!([context["runAsUser"], context["runAsGroup"], context["runAsNonRoot"]]);
    let wished = json!({"runAsUser": "7", "runAsGroup": "8"});
    let (context, warnings) = context_of(&wished, none, none).expect("a Pod");
    assert_eq!((of(&context), warnings), (json!([7, 8, null]), Vec::new()));
    let (context, warnings) = context_of(&wished, RunAs { user: Some(9), ..none }, nobody).expect("a Pod");
    assert_eq!(of(&context), json!([9, 8, true]));
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let (context, warnings) = context_of(&json!({"runAsUser": "0"}), none, nobody).expect("a Pod");
    assert_eq!((of(&context), warnings.len()), (json!([65532, null, true]), 1), "the author's root gives way");
    let (context, _) = context_of(&json!({"runAsUser": "0"}), none, none).expect("a Pod");
    assert_eq!(of(&context), json!([0, null, null]), "root, where nobody refuses it");
    assert_eq!(context["capabilities"], json!({"drop": ["ALL"]}));
}

#[test]
fn i31_an_author_who_asks_for_root_where_it_is_refused_is_named() {
    let non_root = RunAs { non_root: Some(true), ..RunAs::default() };
    let error = context_of(&json!({"runAsUser": "0"}), non_root, RunAs::default()).expect_err("it is refused");
    let expected =
        "runAsUser of the task (kubernetes.set_security_context), which is root, and root is refused by --task-run";
    assert!(error.to_string().contains(expected), "{error}");
    let user = RunAs { user: Some(0), ..RunAs::default() };
    let error = context_of(&json!({"runAsNonRoot": true}), RunAs::default(), user).expect_err("it is refused");
    assert!(error.to_string().contains("refused by runAsNonRoot of the task"), "{error}");
}

#[test]
fn settings_that_a_component_takes_as_data_are_in_the_plan_that_the_launcher_gets() {
    let settings = json!({"nodeSelector": {"labels": {"disk": "fast"}}});
    let passed = json!({
        "passthroughs": [{"field": "KUBERNETES_NODE_SELECTOR"}, {"field": "ENV", "applyToTask": true}],
        "taskConfigInputs": ["config"],
    });
    let mut changes = asked(&settings, &passed);
    changes["inputs"] = json!({"parameters": {"config": {"nodeSelector": null, "env": [{"name": "A", "value": "b"}]}}});
    let pod = built(&changes, &PodSettings::default()).pod;
    assert_eq!(pod.spec.expect("a spec").node_selector, None, "it is not to apply to the task");
    let carried: Value =
        serde_json::from_str(&pod.metadata.annotations.expect("annotations")[keys::ANNOTATION_PLAN]).expect("JSON");
    let expected = json!({"nodeSelector": {"disk": "fast"}, "env": [{"name": "A", "value": "b"}]});
    assert_eq!(carried["inputs"]["parameters"]["config"], expected);
}
