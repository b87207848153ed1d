//! Importers on a cluster: what another run left in the store, by the URI of either scheme, and what is in an image.

use std::time::Duration;

use penstock_tests::cluster;
use penstock_tests::deadline::wait_until;
use penstock_tests::pipeline::{Pipeline, Task};
use serde_json::{Value, json};

use crate::scenario::Scenario;

const SETTINGS_LIMIT: Duration = Duration::from_secs(60);

/// A task that does something with an artifact of a type, which is imported from a URI.
fn pipeline(uri: &str, artifact_type: &str, command: &str) -> Value {
    let import = Task::new("import", "").input("uri", "STRING", json!(uri)).artifact("artifact");
    let read = Task::new("read", command).artifact_from("data", "import", "artifact").output("text", "STRING");
    let mut pipeline = Pipeline::new("imports", [import, read]).build();
    pipeline["deploymentSpec"]["executors"]["exec-import"] = json!({"importer": {
        "artifactUri": {"runtimeParameter": "uri"},
        "typeSchema": {"schemaTitle": artifact_type, "schemaVersion": "0.0.1"},
        "metadata": {"origin": "elsewhere"},
        "reimport": true,
    }});
    pipeline
}

/// KFP's configuration of a namespace whose `s3://` is the store of the tests, like its `minio://`.
fn use_s3(scenario: &Scenario) {
    let endpoint = &scenario.cluster.store().cluster_endpoint;
    let address = endpoint.strip_prefix("http://").expect("a store without TLS").trim_end_matches('/');
    let secret = json!({
        "secretName": "mlpipeline-minio-artifact", "accessKeyKey": "accesskey", "secretKeyKey": "secretkey",
    });
    let provider = json!({"default": {
        "endpoint": address, "disableSSL": true, "forcePathStyle": true, "region": "us-east-1",
        "credentials": {"fromEnv": false, "secretRef": secret},
    }});
    scenario.cluster.apply(&json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "kfp-launcher", "namespace": scenario.namespace.name()},
        "data": {"providers": json!({"minio": provider, "s3": provider}).to_string()},
    }));
    wait_until("the namespace's settings to know both schemes", SETTINGS_LIMIT, || {
        let settings = scenario.namespace.get(["configmap", "penstock-settings"]).unwrap_or_default();
        let text = settings["data"]["settings.json"].as_str().unwrap_or_default().to_owned();
        let settings: Value = serde_json::from_str(&text).unwrap_or_default();
        let stores = settings["stores"].as_array().cloned().unwrap_or_default();
        stores.iter().filter(|store| store["endpoint"] == endpoint.trim_end_matches('/')).count() == 2
    });
    // The webhook watches the same object; it hears of it at the same time.
    std::thread::sleep(Duration::from_secs(1));
}

#[test]
fn an_artifact_of_another_run_is_imported_by_either_scheme() {
    let Some(scenario) = Scenario::new("an_artifact_of_another_run_is_imported_by_either_scheme") else { return };
    use_s3(&scenario);
    let make = Pipeline::new("makes", [Task::new("make", "echo imported rows > \"$1\"").artifact("data")]);
    let run = scenario.run(&make).run().expect_code(0).document();
    let uri = run.task("make").artifacts.outputs["data"][0].uri.clone();
    let key = uri.strip_prefix("minio://").unwrap_or_else(|| panic!("{uri} is elsewhere"));
    for uri in [uri.clone(), format!("s3://{key}")] {
        let file =
            scenario.sandbox.write_pipeline("imports.json", &pipeline(&uri, "system.Dataset", "cat \"$1\" > \"$2\""));
        let run = scenario.namespace.run(&scenario.sandbox).arg(file).run().expect_code(0).document();
        assert_eq!(run.task("read").parameters.outputs["text"], json!("imported rows\n"), "{uri}");
        let imported = &run.task("import").artifacts.outputs["artifact"][0];
        assert_eq!((&imported.uri, &imported.metadata["origin"]), (&uri, &json!("elsewhere")));
    }
}

#[test]
fn a_model_in_an_image_is_mounted_where_it_is_looked_for() {
    let test = "a_model_in_an_image_is_mounted_where_it_is_looked_for";
    if !cluster::is_test_cluster_or_skip(test, "it needs nodes that mount images") {
        return;
    }
    let Some(scenario) = Scenario::new(test) else { return };
    // Any image will do: what is beside its model is there too.
    let command = "test -x \"${1%/models}/bin/busybox\" && ! touch \"${1%/models}/new\" && echo \"$1\" > \"$2\"";
    let file = scenario.sandbox.write_pipeline("model.json", &pipeline("oci://busybox:1.37", "system.Model", command));
    let run = scenario.namespace.run(&scenario.sandbox).arg(file).run().expect_code(0).document();
    assert_eq!(run.task("read").parameters.outputs["text"], json!("/oci/busybox:1.37/models\n"));
    let outputs = &run.task("import").artifacts.outputs["artifact"];
    assert_eq!(outputs[0].uri, "oci://busybox:1.37");
}
