//! `penstock doctor` on a cluster that is well, and on one in which something is broken.

use penstock_tests::cluster::Cluster;
use serde_json::{Value, json};

use crate::scenario::Scenario;

/// What `penstock doctor` says.
struct Diagnosis {
    code: Option<i32>,
    document: Value,
}

impl Diagnosis {
    fn of(scenario: &Scenario, args: &[&str]) -> Diagnosis {
        let finished = scenario.penstock(&["doctor", "-o", "json"]).args(args).run();
        let document = serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {finished}"));
        Diagnosis { code: finished.code(), document }
    }

    fn findings(&self) -> impl Iterator<Item = &Value> {
        self.document["findings"].as_array().into_iter().flatten()
    }

    #[track_caller]
    fn expect_healthy(&self) {
        assert_eq!((self.code, &self.document["healthy"]), (Some(0), &json!(true)), "{:#}", self.document);
    }

    /// A finding that keeps tasks from running, with what it found and what to do.
    #[track_caller]
    fn expect_bad(&self, subject: &str, found: &str, remedy: &str) {
        assert_eq!((self.code, &self.document["healthy"]), (Some(1), &json!(false)), "{:#}", self.document);
        let bad = self.findings().find(|finding| finding["subject"] == subject);
        let text = |field: &str| bad.and_then(|bad| bad[field].as_str()).unwrap_or_default();
        assert_eq!(text("state"), "BAD", "{subject}: {:#}", self.document);
        assert!(text("found").contains(found) && text("remedy").contains(remedy), "{bad:#?}");
    }
}

/// An object of the whole cluster that is put back in the end, as it was.
struct Removed<'a> {
    cluster: &'a Cluster,
    object: Value,
}

impl<'a> Removed<'a> {
    fn from(cluster: &'a Cluster, kind: &str, name: &str) -> Removed<'a> {
        let mut object = cluster.get([kind, name]).unwrap_or_else(|| panic!("there is no {kind} {name}"));
        for field in ["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"] {
            object["metadata"].as_object_mut().expect("metadata").remove(field);
        }
        cluster.call(["delete", kind, name]);
        Removed { cluster, object }
    }
}

impl Drop for Removed<'_> {
    fn drop(&mut self) {
        let (code, text) = self.cluster.try_apply(&self.object);
        assert!(code == Some(0) || std::thread::panicking(), "cannot put {} back: {text}", self.object);
    }
}

/// A configuration of the test's own that no Pod is ever sent by.
struct Configuration<'a>(&'a Cluster, String);

impl<'a> Configuration<'a> {
    /// As the installed one, but for the authorities.
    fn without_bundle(scenario: &'a Scenario) -> Configuration<'a> {
        let name = format!("{}-doctor", scenario.namespace.name());
        let mut object =
            scenario.cluster.get(["mutatingwebhookconfiguration", "penstock"]).expect("Penstock is installed");
        object["metadata"] = json!({"name": name});
        for hook in object["webhooks"].as_array_mut().expect("webhooks") {
            hook["clientConfig"].as_object_mut().expect("how it is called").remove("caBundle");
            hook["objectSelector"] = json!({"matchLabels": {"penstock.test/none": "none"}});
            hook["failurePolicy"] = json!("Ignore");
        }
        let own = Configuration(scenario.cluster, name);
        scenario.cluster.apply(&object);
        own
    }
}

impl Drop for Configuration<'_> {
    fn drop(&mut self) {
        let _ = self.0.kubectl(["delete", "mutatingwebhookconfiguration", &self.1, "--ignore-not-found"]).run();
    }
}

#[test]
fn a_cluster_that_is_well_has_no_finding() {
    let Some(scenario) = Scenario::new("a_cluster_that_is_well_has_no_finding") else { return };
    let diagnosis = Diagnosis::of(&scenario, &[]);
    diagnosis.expect_healthy();
    for finding in diagnosis.findings() {
        assert_eq!(finding["state"], "GOOD", "{finding:#}");
    }
    let subjects: Vec<_> = diagnosis.findings().filter_map(|finding| finding["subject"].as_str()).collect();
    for subject in [
        "webhook certificate",
        "admission policies",
        "store credentials",
        "store from here",
        "injection",
        "volume claims",
    ] {
        assert!(subjects.contains(&subject), "{subject} is not looked at: {subjects:?}");
    }
    let text = scenario.penstock(&["doctor"]).run().expect_code(0).stdout;
    assert!(text.contains("a trial Pod got its launcher"), "{text}");
    assert!(scenario.namespace.pods().is_empty(), "the trial Pod is there");
}

#[test]
fn what_is_missing_in_a_namespace_is_named_with_its_remedy() {
    let Some(scenario) = Scenario::new("what_is_missing_in_a_namespace_is_named_with_its_remedy") else { return };
    let namespace = scenario.namespace.name();
    let secret = "mlpipeline-minio-artifact";
    scenario.cluster.call(["-n", namespace, "delete", "secret", secret]);
    let remedy = format!("create the Secret {secret} with the keys accesskey and secretkey");
    Diagnosis::of(&scenario, &[]).expect_bad("store credentials", &format!("there is no Secret {secret}"), &remedy);

    scenario.cluster.call(["label", "namespace", namespace, "penstock.dev/injection-"]);
    let remedy = format!("kubectl label namespace {namespace} penstock.dev/injection=enabled");
    Diagnosis::of(&scenario, &[]).expect_bad("namespace", "lacks the label penstock.dev/injection=enabled", &remedy);
}

#[test]
fn f20_what_is_broken_in_the_installation_is_named_with_its_remedy() {
    let test = "f20_what_is_broken_in_the_installation_is_named_with_its_remedy";
    let Some(scenario) = Scenario::alone(test) else { return };
    let configuration = Configuration::without_bundle(&scenario);
    let diagnosis = Diagnosis::of(&scenario, &["--webhook-configuration", &configuration.1]);
    diagnosis.expect_bad("webhook", "its caBundle is empty", "the webhook writes its authority there");
    diagnosis.expect_bad("webhook authority", "holds no certificate", "see the log of the webhook");
    diagnosis.expect_bad("webhook certificate", "the caBundle lacks the authority that signed it", "see its log");

    let diagnosis = Diagnosis::of(&scenario, &["--certificate-secret", "none"]);
    diagnosis.expect_bad("webhook certificate", "there is no Secret penstock-system/none", "kubectl apply -k");
    let diagnosis = Diagnosis::of(&scenario, &["--webhook-service", "none"]);
    diagnosis.expect_bad("webhook certificate", "the cluster calls none.penstock-system.svc", "--webhook-service");
    diagnosis.expect_bad("webhook server", "no Pod serves penstock-system/none", "get pods");

    let binding = Removed::from(scenario.cluster, "validatingadmissionpolicybinding", "penstock-pod-binding");
    let diagnosis = Diagnosis::of(&scenario, &[]);
    drop(binding);
    let found = "penstock-pod-binding has no binding that denies";
    diagnosis.expect_bad("admission policies", found, "kubectl apply -k");
    Diagnosis::of(&scenario, &[]).expect_healthy();
}
