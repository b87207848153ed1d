//! Pairs of Pods and what is decided about them, in `testdata/`; and Pods that others have changed after injection.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use penstock_spec::keys;
use penstock_spec::limits::Limits;
use penstock_spec::parse::read_yaml;
use penstock_spec::settings::{NamespaceSettings, ObjectKey};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Decision, EntryDelivery, InjectConfig, InjectContext, InjectError, Operation, inject};

/// Rewrites what is compared with, as for all golden files of this repository.
fn is_update() -> bool {
    std::env::var("INSTA_UPDATE").is_ok_and(|value| value == "always")
}

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

fn config() -> InjectConfig {
    InjectConfig::new("registry.example/penstock@sha256:5e1f")
}

fn settings() -> NamespaceSettings {
    let mut settings = NamespaceSettings::kfp_default("http://minio-service.kubeflow:9000");
    settings.allowed_prefixes = vec!["s3://data/team".to_owned(), "minio://mlpipeline".to_owned()];
    settings
}

/// Both ways of the entry.
const WAYS: [EntryDelivery; 2] = [EntryDelivery::Copy, EntryDelivery::ImageVolume];

fn decide(pod: &Value) -> Result<Decision, InjectError> {
    decide_by(EntryDelivery::Copy, pod)
}

fn decide_by(delivery: EntryDelivery, pod: &Value) -> Result<Decision, InjectError> {
    let (config, settings) = (config(), settings());
    inject(pod, &InjectContext { config: &config, namespace: "team-a", settings: Some(&settings), delivery })
}

/// The way that a golden Pod is about.
fn way(name: &str) -> EntryDelivery {
    if name.ends_with("_by_image_volume") { EntryDelivery::ImageVolume } else { EntryDelivery::Copy }
}

#[track_caller]
fn operations(pod: &Value) -> Vec<Operation> {
    match decide(pod).expect("the Pod is accepted") {
        Decision::Patch { operations, .. } => operations,
        other => panic!("{other:?}"),
    }
}

/// Applies a patch with another implementation than the one that made it.
#[track_caller]
fn apply(pod: &Value, operations: &[Operation]) -> Value {
    let patch: json_patch::Patch =
        serde_json::from_value(serde_json::to_value(operations).expect("JSON")).expect("a JSON patch");
    let mut patched = pod.clone();
    json_patch::patch(&mut patched, &patch).expect("the patch applies");
    patched
}

#[track_caller]
fn injected(pod: &Value) -> Value {
    apply(pod, &operations(pod))
}

fn golden(name: &str) -> Value {
    let text = fs::read_to_string(directory().join(format!("{name}.pod.json"))).expect("a golden Pod");
    serde_json::from_str(&text).expect("JSON")
}

fn names() -> Vec<String> {
    let files = fs::read_dir(directory()).expect("testdata");
    let files = files.map(|file| file.expect("a file").file_name().into_string().expect("UTF-8"));
    let mut names: Vec<String> = files.filter_map(|file| Some(file.strip_suffix(".pod.json")?.to_owned())).collect();
    names.sort();
    names
}

#[test]
fn pods_get_what_their_golden_files_say() {
    let mut expected_files = BTreeSet::new();
    let mut differences = Vec::new();
    for name in names() {
        let (file, text) = match decide_by(way(&name), &golden(&name)) {
            Ok(Decision::Patch { operations, warnings }) => {
                let patch = json!({"warnings": warnings, "patch": operations});
                let patch = if warnings.is_empty() { patch["patch"].clone() } else { patch };
                (format!("{name}.patch.json"), serde_json::to_string_pretty(&patch).expect("JSON"))
            }
            Ok(Decision::Skip { reason }) => (format!("{name}.skipped.txt"), reason),
            Ok(Decision::AlreadyInjected) => (format!("{name}.skipped.txt"), "already injected".to_owned()),
            Err(error) => (format!("{name}.denied.txt"), format!("{}: {error}", error.code())),
        };
        let (path, text) = (directory().join(&file), format!("{text}\n"));
        if is_update() {
            fs::write(&path, &text).expect("writes");
        }
        if fs::read_to_string(&path).ok().as_ref() != Some(&text) {
            differences.push(format!("{file}: {text}"));
        }
        expected_files.extend([file, format!("{name}.pod.json")]);
    }
    assert!(differences.is_empty(), "`make snapshots` accepts these:\n{}", differences.join("\n"));
    for file in fs::read_dir(directory()).expect("testdata") {
        let file = file.expect("a file").file_name().into_string().expect("UTF-8");
        assert!(expected_files.contains(&file), "{file} belongs to nothing");
    }
    assert!(expected_files.iter().filter(|file| file.ends_with(".patch.json")).count() >= 20);
}

/// What the API server fills in between two calls.
fn defaulted(mut pod: Value) -> Value {
    for list in ["initContainers", "containers"] {
        for container in pod["spec"][list].as_array_mut().into_iter().flatten() {
            container["terminationMessagePath"] = json!("/dev/termination-log");
            container["terminationMessagePolicy"] = json!("File");
            container["imagePullPolicy"] = json!("IfNotPresent");
        }
    }
    pod["spec"]["dnsPolicy"] = json!("ClusterFirst");
    pod
}

/// The example that users copy: the Pod of its Job gets both directions and no word of warning.
#[test]
fn the_documented_job_is_injected() {
    let page = include_str!("../../../docs/annotations.md");
    let (_, text) = page.split_once("```yaml\n").expect("an example");
    let (text, _) = text.split_once("```").expect("its end");
    let job = read_yaml(text, &Limits::default()).expect("YAML").remove(0);
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": job["spec"]["template"]["metadata"], "spec": job["spec"]["template"]["spec"],
    });
    let Ok(Decision::Patch { operations, warnings }) = decide(&pod) else { panic!("{:?}", decide(&pod)) };
    assert_eq!(warnings, Vec::<String>::new());
    let result = apply(&pod, &operations);
    let main = &result["spec"]["containers"][0];
    assert_eq!(main["command"], json!([keys::ENTRY_PATH]));
    let argv = pod["spec"]["containers"][0]["args"].clone();
    assert_eq!(main["args"], json!(["--", "sh", "-c", argv[0]]));
    let places = |container: &Value| {
        let mounts = container["volumeMounts"].as_array().expect("mounts").iter();
        mounts.filter_map(|mount| mount["mountPath"].as_str().map(str::to_owned)).collect::<BTreeSet<_>>()
    };
    for place in ["/in", "/out"] {
        assert!(
            places(main).contains(place) && places(&result["spec"]["initContainers"][0]).contains(place),
            "{place}"
        );
    }
    assert_eq!(decide(&defaulted(result)), Ok(Decision::AlreadyInjected));
}

#[test]
fn f21_a_second_call_changes_nothing() {
    let mut patched = 0;
    for (name, way) in names().into_iter().flat_map(|name| WAYS.map(|way| (name.clone(), way))) {
        let pod = golden(&name);
        let Ok(Decision::Patch { operations, .. }) = decide_by(way, &pod) else { continue };
        patched += 1;
        let result = apply(&pod, &operations);
        // Nor does one when nodes have come or gone in between.
        for now in WAYS {
            assert_eq!(decide_by(now, &result), Ok(Decision::AlreadyInjected), "{name}: {way:?}, {now:?}");
            let defaulted = defaulted(result.clone());
            assert_eq!(decide_by(now, &defaulted), Ok(Decision::AlreadyInjected), "{name}: {way:?}, {now:?}");
        }
    }
    assert!(patched >= 40);
}

/// Everything else about a Pod is the same, whatever it is.
#[test]
fn an_image_volume_takes_the_place_of_copy_and_hook_and_of_nothing_else() {
    let mut compared = 0;
    for name in names().iter().filter(|name| !name.starts_with("t24_")) {
        let pod = golden(name);
        let Ok(Decision::Patch { operations, .. }) = decide(&pod) else {
            assert_eq!(decide_by(EntryDelivery::ImageVolume, &pod), decide(&pod), "{name}");
            continue;
        };
        let mut expected = apply(&pod, &operations);
        let volumes = expected["spec"]["volumes"].as_array_mut().expect("a list");
        let volume = volumes.iter_mut().find(|volume| volume["name"] == keys::VOLUME_BIN).expect("there");
        *volume = json!({"name": keys::VOLUME_BIN, "image": {"reference": config().launcher_image}});
        let sidecar = expected.pointer_mut("/spec/initContainers/0").expect("there");
        sidecar["args"] = json!(["sidecar", "--entry-mounted"]);
        sidecar.as_object_mut().expect("an object").remove("lifecycle").expect("a hook");
        let mounts = sidecar["volumeMounts"].as_array_mut().expect("a list");
        assert_eq!(mounts.remove(0)["mountPath"], keys::BIN_DIR);
        let Ok(Decision::Patch { operations, .. }) = decide_by(EntryDelivery::ImageVolume, &pod) else {
            panic!("{name}")
        };
        assert_eq!(apply(&pod, &operations), expected, "{name}");
        compared += 1;
    }
    assert!(compared >= 20);
}

#[test]
fn a_pod_with_a_runtime_class_gets_a_copy() {
    let mut pod = golden("task");
    pod["spec"]["runtimeClassName"] = json!("kata");
    assert_eq!(decide_by(EntryDelivery::ImageVolume, &pod), decide(&pod));
}

#[test]
fn the_image_volume_is_pulled_as_the_operator_says_and_others_may_change_that() {
    let (mut config, settings) = (config(), settings());
    config.pull_policy = Some("IfNotPresent".to_owned());
    let delivery = EntryDelivery::ImageVolume;
    let context = InjectContext { config: &config, namespace: "team-a", settings: Some(&settings), delivery };
    let pod = golden("task");
    let Ok(Decision::Patch { operations, .. }) = inject(&pod, &context) else { panic!("it is injected") };
    let mut result = apply(&pod, &operations);
    let volumes = result["spec"]["volumes"].as_array_mut().expect("a list");
    let volume = volumes.iter_mut().find(|volume| volume["name"] == keys::VOLUME_BIN).expect("there");
    assert_eq!(volume["image"], json!({"reference": config.launcher_image, "pullPolicy": "IfNotPresent"}));
    volume["image"]["pullPolicy"] = json!("Always");
    assert_eq!(inject(&result, &context), Ok(Decision::AlreadyInjected));
}

#[test]
fn t24_an_image_volume_holds_our_image_and_its_sidecar_has_no_hooks() {
    let pod = golden("task");
    let Ok(Decision::Patch { operations, .. }) = decide_by(EntryDelivery::ImageVolume, &pod) else { panic!("{pod}") };
    let whole = apply(&pod, &operations);
    let position = |of: &Value| {
        let volumes = of["spec"]["volumes"].as_array().expect("a list");
        volumes.iter().position(|volume| volume["name"] == keys::VOLUME_BIN).expect("there")
    };
    let bin = format!("/spec/volumes/{}", position(&whole));
    let sidecar = "/spec/initContainers/0";
    let change = |path: &str, member: &str, value: Value| {
        let mut pod = whole.clone();
        pod.pointer_mut(path).unwrap_or_else(|| panic!("{path}"))[member] = value;
        pod
    };
    let foreign = json!({"name": keys::VOLUME_BIN, "image": {"reference": "evil"}});
    let list = whole.pointer("/spec/volumes").expect("there").as_array().expect("a list");
    let volumes = |volume: Value| {
        let mut list = list.clone();
        list[position(&whole)] = volume;
        json!(list)
    };
    for broken in [
        change("/spec", "volumes", volumes(foreign)),
        change("/spec", "volumes", volumes(json!({"name": keys::VOLUME_BIN, "emptyDir": {}}))),
        change("/spec", "volumes", volumes(json!({"name": keys::VOLUME_BIN, "hostPath": {"path": "/"}}))),
        change(&bin, "image", json!({})),
        change(sidecar, "image", json!("evil")),
        change(sidecar, "lifecycle", json!({"preStop": {"exec": {"command": ["/usr/bin/penstock"]}}})),
    ] {
        for now in WAYS {
            let Ok(Decision::Patch { operations, .. }) = decide_by(now, &broken) else { panic!("{broken}") };
            assert_eq!(apply(&broken, &operations), whole, "{now:?}");
        }
    }
    // With other arguments the sidecar would copy into a volume that it cannot write to: all of it becomes a copy's.
    let other = change(sidecar, "args", json!(["sidecar"]));
    for now in WAYS {
        let Ok(Decision::Patch { operations, .. }) = decide_by(now, &other) else { panic!("{other}") };
        let result = apply(&other, &operations);
        assert_eq!(decide_by(now, &result), Ok(Decision::AlreadyInjected));
        assert!(result["spec"]["volumes"][position(&result)]["emptyDir"].is_object());
        assert!(result["spec"]["initContainers"][0]["lifecycle"]["postStart"].is_object());
    }
}

/// Whether everything of one is in the other, lists in their order, but for what injection is to change.
fn keeps(path: &str, result: &Value, original: &Value) -> bool {
    match (result, original) {
        (_, Value::Null) => true,
        (Value::Object(result), Value::Object(original)) => original.iter().all(|(key, value)| {
            let is_changed = matches!(key.as_str(), "command" | "args" | "terminationGracePeriodSeconds");
            is_changed || result.get(key).is_some_and(|there| keeps(&format!("{path}/{key}"), there, value))
        }),
        (Value::Array(result), Value::Array(original)) => {
            let mut result = result.iter();
            original.iter().all(|wanted| result.any(|there| keeps(path, there, wanted)))
        }
        (result, original) => result == original,
    }
}

#[test]
fn what_was_there_stays_and_patches_replace_only_what_they_must() {
    for name in names().iter().filter(|name| !name.starts_with("t24_")) {
        let pod = golden(name);
        let Ok(Decision::Patch { operations, .. }) = decide(&pod) else { continue };
        assert!(keeps("", &apply(&pod, &operations), &pod), "{name}");
        for operation in operations {
            if let Operation::Replace { path, .. } = operation {
                let last = path.rsplit('/').next().expect("a segment");
                assert!(["command", "args", "terminationGracePeriodSeconds"].contains(&last), "{name}: {path}");
            }
        }
    }
}

#[test]
fn without_settings_a_pod_is_denied_until_they_are_there() {
    let config = config();
    let delivery = EntryDelivery::default();
    let context = InjectContext { config: &config, namespace: "team-b", settings: None, delivery };
    for name in ["task", "job_with_directories"] {
        let error = inject(&golden(name), &context).expect_err("no settings");
        assert_eq!(error.code(), 503);
        let text = error.to_string();
        assert!(text.starts_with("namespace team-b has no settings yet (ConfigMap penstock-settings)"), "{text}");
    }
    // Who asks for nothing needs no settings.
    assert!(matches!(inject(&golden("job_that_asks_for_nothing"), &context), Ok(Decision::Skip { .. })));
}

#[test]
fn operators_and_namespaces_say_how_the_sidecar_works() {
    let (mut config, mut settings) = (config(), settings());
    config.environment = vec![(keys::ENV_LAUNCHER_LOG, "debug".to_owned())];
    settings.store_ca = Some(ObjectKey { name: "corporate".to_owned(), key: "root.pem".to_owned() });
    let delivery = EntryDelivery::default();
    let context = InjectContext { config: &config, namespace: "team-a", settings: Some(&settings), delivery };
    for name in ["task", "job_with_directories"] {
        let pod = golden(name);
        let Ok(Decision::Patch { operations, .. }) = inject(&pod, &context) else { panic!("{name}") };
        let injected = apply(&pod, &operations);
        let sidecar = &injected["spec"]["initContainers"][0];
        let value = |name: &str| {
            let variables = sidecar["env"].as_array().expect("list");
            variables.iter().find(|variable| variable["name"] == name).map(|variable| variable["value"].clone())
        };
        assert_eq!(value(keys::ENV_LAUNCHER_LOG), Some(json!("debug")));
        let files = "credentials/mlpipeline-minio-artifact/accesskey credentials/mlpipeline-minio-artifact/secretkey \
                     store-ca.crt";
        assert_eq!(value(keys::ENV_LAUNCHER_FILES), Some(json!(files)));
        let volumes = injected["spec"]["volumes"].as_array().expect("list");
        let volume = volumes.iter().find(|volume| volume["name"] == keys::VOLUME_POD).expect("there");
        let authorities = json!({"configMap": {
            "name": "corporate", "optional": true, "items": [{"key": "root.pem", "path": "store-ca.crt"}],
        }});
        assert!(volume["projected"]["sources"].as_array().expect("list").contains(&authorities), "{volume}");
        // Only the launcher has them.
        assert!(!injected["spec"]["containers"][0].to_string().contains(keys::ENV_LAUNCHER_LOG));
    }
}

#[test]
fn i19_hundreds_of_containers_are_no_trouble() {
    let mut pod = golden("task");
    let containers = pod["spec"]["containers"].as_array_mut().expect("a list");
    containers.splice(0..0, (0..500).map(|n| json!({"name": format!("c{n}"), "image": "x"})));
    let result = injected(&pod);
    assert_eq!(result["spec"]["containers"][500]["command"], json!([keys::ENTRY_PATH]));
    assert!(operations(&pod).len() < 20);
}

#[test]
fn f21_what_others_do_to_the_sidecar_afterwards_stays_unless_it_is_ours() {
    let whole = injected(&golden("task"));
    let sidecar = "/spec/initContainers/0";
    let change = |path: &str, value: Value| {
        let mut pod = whole.clone();
        *pod.pointer_mut(path).unwrap_or_else(|| panic!("{path}")) = value;
        pod
    };
    let mut without_policy = whole.clone();
    without_policy.pointer_mut(sidecar).expect("there").as_object_mut().expect("object").remove("restartPolicy");
    let mut without_mounts = whole.clone();
    without_mounts.pointer_mut(sidecar).expect("there")["volumeMounts"] = json!([]);
    let mut without_volume = whole.clone();
    without_volume["spec"]["volumes"].as_array_mut().expect("list").retain(|volume| volume["name"] != keys::VOLUME_POD);
    for broken in [
        without_policy,
        without_mounts,
        without_volume,
        change(&format!("{sidecar}/restartPolicy"), Value::Null),
        change(&format!("{sidecar}/image"), json!("evil")),
        change(&format!("{sidecar}/env/1"), json!({"name": keys::ENV_LAUNCHER_POD_UID, "value": "forged"})),
        change(&format!("{sidecar}/securityContext"), json!({"privileged": true})),
        change(&format!("{sidecar}/lifecycle"), json!({})),
        change(&format!("{sidecar}/volumeMounts/3/readOnly"), json!(false)),
        change("/spec/containers/0/volumeMounts/5/readOnly", json!(false)),
        change("/metadata/annotations/penstock.dev~1injected", json!("0.0.1")),
        change("/spec/terminationGracePeriodSeconds", json!(1)),
        change("/spec/containers/0/env/0/value", json!("1")),
    ] {
        let repaired = injected(&broken);
        assert!(super::patch::covers(&repaired, &strip_order(&whole, &repaired)), "{:?}", operations(&broken));
        assert_eq!(decide(&repaired), Ok(Decision::AlreadyInjected));
    }
    // Another injector's work.
    let mut more = whole.clone();
    more["spec"]["initContainers"].as_array_mut().expect("list").insert(0, json!({"name": "first", "image": "x"}));
    more["spec"]["initContainers"][1]["env"]
        .as_array_mut()
        .expect("list")
        .push(json!({"name": "AWS_ROLE", "value": "r"}));
    more["spec"]["initContainers"][1]["resources"] = json!({"limits": {"cpu": "9"}});
    more["spec"]["containers"].as_array_mut().expect("list").insert(0, json!({"name": "proxy", "image": "x"}));
    assert_eq!(decide(&more), Ok(Decision::AlreadyInjected));
}

/// Volumes that were missing are appended, so their order differs: the expectation follows.
fn strip_order(whole: &Value, repaired: &Value) -> Value {
    let mut whole = whole.clone();
    let order = |name: &Value| {
        let volumes = repaired["spec"]["volumes"].as_array().expect("list");
        volumes.iter().position(|volume| volume["name"] == *name)
    };
    whole["spec"]["volumes"].as_array_mut().expect("list").sort_by_key(|volume| order(&volume["name"]));
    whole
}

#[test]
fn the_hold_is_bounded_by_the_operator_and_by_the_pods_own_deadline_and_never_by_its_author() {
    let hold = |pod: &Value| {
        let environment = injected(pod)["spec"]["containers"][0]["env"].as_array().expect("a list").clone();
        let of_ours = environment.iter().filter(|variable| variable["name"] == keys::ENV_ENTRY_HOLD);
        of_ours.map(|variable| variable["value"].as_str().expect("text").to_owned()).collect::<Vec<_>>()
    };
    for name in ["task", "job_with_directories"] {
        let mut pod = golden(name);
        assert_eq!(hold(&pod), ["21600"]);
        pod["spec"]["activeDeadlineSeconds"] = json!(660);
        assert_eq!(hold(&pod), ["660"]);
        pod["spec"]["activeDeadlineSeconds"] = json!(1_000_000);
        assert_eq!(hold(&pod), ["21600"]);
        let own = json!({"name": keys::ENV_ENTRY_HOLD, "value": "1"});
        pod["spec"]["containers"][0]["env"] = json!([own, {"name": "A", "value": "b"}, own]);
        assert_eq!(hold(&pod), ["21600", "21600"]);
    }
}

#[test]
fn f21_a_program_that_others_put_before_the_entry_goes_behind_it() {
    for name in ["task", "job_with_directories"] {
        let mut pod = injected(&golden(name));
        let main = &mut pod["spec"]["containers"][0];
        let mut args = vec![json!(keys::ENTRY_PATH)];
        args.extend(main["args"].as_array().expect("list").iter().cloned());
        (main["command"], main["args"]) = (json!(["/vault-env"]), json!(args));
        let repaired = injected(&pod);
        let main = &repaired["spec"]["containers"][0];
        assert_eq!(main["command"], json!([keys::ENTRY_PATH]));
        assert_eq!(main["args"][0], "--");
        assert_eq!(main["args"][1], "/vault-env");
        assert!(!main["args"].as_array().expect("list").contains(&json!(keys::ENTRY_PATH)), "{main}");
        assert_eq!(decide(&repaired), Ok(Decision::AlreadyInjected));
    }
}

#[test]
fn f21_a_proxy_that_moves_to_the_front_afterwards_is_not_taken_for_the_users_container() {
    let mut pod = injected(&golden("job_with_a_file_in_and_a_file_out"));
    let proxy = json!({"name": "istio-proxy", "image": "proxy", "command": ["proxy"]});
    pod["spec"]["containers"].as_array_mut().expect("list").insert(0, proxy);
    assert_eq!(decide(&pod), Ok(Decision::AlreadyInjected));
}

#[test]
fn t24_no_container_of_the_user_gets_at_the_launchers_volumes_after_injection() {
    for (container, mount) in [
        (0, json!({"name": keys::VOLUME_POD, "mountPath": "/loot"})),
        (0, json!({"name": keys::VOLUME_POD, "mountPath": keys::BIN_DIR})),
        (0, json!({"name": keys::VOLUME_CONTROL, "mountPath": "/writable"})),
        (1, json!({"name": keys::VOLUME_BIN, "mountPath": "/bin2"})),
        (1, json!({"name": "s3-scratch", "mountPath": "/penstock/pod"})),
    ] {
        let mut pod = injected(&golden("task_with_init_containers_and_sidecars"));
        let list = &mut pod["spec"]["containers"][container]["volumeMounts"];
        if list.is_null() {
            *list = json!([]);
        }
        list.as_array_mut().expect("list").push(mount.clone());
        assert!(decide(&pod).is_err(), "{mount}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z/.~-]{0,12}".prop_map(Value::from),
        Just(json!(keys::ENTRY_PATH)),
        Just(json!(keys::VOLUME_POD)),
        Just(json!("s3://data/team/x -> /data/x")),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("name|spec|containers|command|mountPath|[a-z]{1,6}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// All places of a document.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| pointers(item, &format!("{at}/{index}"), found));
        }
        Value::Object(members) => members
            .iter()
            .for_each(|(key, member)| pointers(member, &format!("{at}/{}", super::patch::escape(key)), found)),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// Whatever stands anywhere in a Pod, injected or not: no panic, and what is patched is patched once.
    #[test]
    fn i19_any_pod_is_decided_and_a_patch_is_complete(
        which in any::<prop::sample::Index>(), place in any::<prop::sample::Index>(), is_injected: bool, value in any_json(),
        ways in prop::array::uniform3(prop::sample::select(WAYS.to_vec())),
    ) {
        let names = names();
        let mut pod = golden(&names[which.index(names.len())]);
        if is_injected && let Ok(Decision::Patch { operations, .. }) = decide_by(ways[0], &pod) {
            pod = apply(&pod, &operations);
        }
        let mut places = Vec::new();
        pointers(&pod, "", &mut places);
        *pod.pointer_mut(&places[place.index(places.len())]).expect("there") = value;
        if let Ok(Decision::Patch { operations, .. }) = decide_by(ways[1], &pod) {
            let result = apply(&pod, &operations);
            prop_assert_eq!(decide_by(ways[2], &result), Ok(Decision::AlreadyInjected));
        }
    }
}
