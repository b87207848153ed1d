//! Settings of `kfp-kubernetes` on a task's Pod.

use std::path::PathBuf;

use penstock_tests::pipeline::{Pipeline, Task};
use penstock_tests::python;
use serde_json::{Value, json};

use crate::scenario::{Scenario, main_runs};

fn add(scenario: &Scenario, kind: &str, name: &str, content: &Value) {
    let data = if kind == "Secret" { "stringData" } else { "data" };
    let metadata = json!({"name": name, "namespace": scenario.namespace.name()});
    scenario.cluster.apply(&json!({"apiVersion": "v1", "kind": kind, "metadata": metadata, data: content}));
}

fn named<'a>(list: &'a Value, name: &str) -> &'a Value {
    let mut items = list.as_array().map(Vec::as_slice).unwrap_or_default().iter();
    items.find(|item| item["name"] == name).unwrap_or(&Value::Null)
}

#[test]
fn pod_of_a_task_is_shaped_by_its_settings() {
    let test = "pod_of_a_task_is_shaped_by_its_settings";
    let Some(python) = python::find_or_skip(test) else { return };
    let Some(scenario) = Scenario::new(test) else { return };
    add(&scenario, "Secret", "token-of-tests", &json!({"token": "a secret of the author's"}));
    add(&scenario, "ConfigMap", "settings.of-tests", &json!({"mode": "fast"}));
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("client/pod_settings.py");
    let run = scenario.namespace.run(&scenario.sandbox).python(&python).arg(script);
    let mut running = run.args(["-p", "secret=token-of-tests"]).spawn();
    let name = scenario.wait_for_pod(&mut running, "looks at its settings", |pod| {
        pod["metadata"]["labels"]["team"] == "tests" && main_runs(pod)
    });
    let pod = scenario.namespace.get(["pod", name.as_str()]).expect("the Pod is there");
    let spec = &pod["spec"];
    assert_eq!(spec["nodeSelector"], json!({"kubernetes.io/os": "linux"}));
    let toleration = json!({"key": "gpu", "operator": "Exists", "effect": "NoSchedule"});
    assert!(spec["tolerations"].as_array().is_some_and(|all| all.contains(&toleration)), "{}", spec["tolerations"]);
    let main = named(&spec["containers"], "main");
    assert_eq!(main["securityContext"]["runAsUser"], 1234);
    assert_eq!(main["securityContext"]["runAsNonRoot"], true);
    assert_eq!(named(&main["env"], "TOKEN")["valueFrom"]["secretKeyRef"]["name"], "token-of-tests");
    let volumes = spec["volumes"].as_array().expect("volumes");
    assert!(volumes.iter().any(|volume| volume["configMap"]["name"] == "settings.of-tests"), "{volumes:#?}");
    let order: Vec<&Value> =
        spec["initContainers"].as_array().expect("init containers").iter().map(|it| &it["name"]).collect();
    assert_eq!(order, ["penstock-launcher", "prepare", "beside"]);
    assert_eq!(named(&spec["initContainers"], "beside")["restartPolicy"], "Always");
    let node = spec["nodeName"].clone();

    let run = running.wait().expect_code(0).document();
    let outputs = &run.task("look").parameters.outputs;
    let found = ["token", "mode", "marker", "user"].map(|name| outputs[name].as_str().unwrap_or_default().trim());
    assert_eq!(found, ["a secret of the author's", "fast", "ready", "1234"]);
    assert_eq!(outputs["node"], node);
    scenario.assert_no_pods_left(&run);
}

#[test]
fn t06_the_secret_of_the_object_store_is_refused_by_name() {
    let test = "t06_the_secret_of_the_object_store_is_refused_by_name";
    let Some(scenario) = Scenario::new(test) else { return };
    let reading = |name: Value| {
        let variables = json!([{"secretKey": "secretkey", "envVar": "KEY"}]);
        Task::new("read", "env")
            .settings(json!({"secretAsEnv": [{"secretNameParameter": name, "keyToEnv": variables}]}))
    };
    let fixed = json!({"runtimeValue": {"constant": "mlpipeline-minio-artifact"}});
    let finished = scenario.run(&Pipeline::new("fixed", [reading(fixed)])).run().expect_code(2);
    finished.expect_complaint("opens the object store of the namespace").expect_complaint("task \"read\"");
    let given =
        Pipeline::new("given", [reading(json!({"componentInputParameter": "secret"}))]).input("secret", "STRING");
    let run = scenario.run(&given).args(["-p", "secret=mlpipeline-minio-artifact"]).run().expect_code(1).document();
    assert!(run.failure_of("read").contains("opens the object store of the namespace"), "{}", run.failure_of("read"));
    assert_eq!(run.task("read").cause.as_deref(), Some("REFUSED"));
    assert!(scenario.namespace.pods().is_empty(), "a Pod was created");
}

#[test]
fn init_container_that_fails_is_the_authors_failure() {
    let Some(scenario) = Scenario::new("init_container_that_fails_is_the_authors_failure") else { return };
    let container = json!({"name": "prepare", "image": "busybox:1.36", "command": ["sh", "-c", "sleep 12; exit 7"]});
    let task = Task::new("work", "true").settings(json!({"initContainers": [container]}));
    let run = scenario.run(&Pipeline::new("init", [task])).run().expect_code(1).document();
    let failure = run.failure_of("work");
    assert!(failure.contains("init container prepare ended with exit code 7"), "{failure}");
    assert_eq!(run.task("work").cause.as_deref(), Some("USER"), "{failure}");
}
