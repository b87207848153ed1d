//! Which Pods wait for the webhook (F-19): a copy of its configuration, behind which nobody answers.

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::render;
use crate::space::Space;

const PATH: &str = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";

/// The copy, for the namespaces of one test.
struct Copy {
    cluster: Cluster,
    name: String,
}

impl Copy {
    async fn install(cluster: &Cluster, marker: &str) -> Copy {
        let configuration = render::of_kinds(&render::standalone(), &["MutatingWebhookConfiguration"]);
        let printed = cluster.kubectl_with(&["create", "--dry-run=client", "-o", "json", "-f", "-"], &configuration);
        let mut copy: Value = serde_json::from_str(&printed).expect("kubectl prints JSON");
        let copied = Copy { cluster: cluster.clone(), name: marker.to_owned() };
        copy["metadata"] = json!({"name": marker});
        let hook = &mut copy["webhooks"][0];
        hook["name"] = json!(format!("{marker}.penstock.dev"));
        hook["clientConfig"]["service"]["name"] = json!("penstock-nobody");
        hook["namespaceSelector"]["matchLabels"]["penstock.dev/test"] = json!(marker);
        cluster.admin().post(PATH, &copy).await.expect_done();
        copied
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        self.cluster.kubectl_with(&["delete", "mutatingwebhookconfiguration", &self.name], "");
    }
}

fn pod(label: Option<&str>) -> Value {
    let labels = label.map_or_else(|| json!({}), |value| json!({"penstock.dev/inject": value}));
    json!({"metadata": {"generateName": "plain-", "labels": labels},
        "spec": {"containers": [{"name": "a", "image": "penstock.dev/none"}], "serviceAccountName": "other",
            "automountServiceAccountToken": false}})
}

#[tokio::test]
async fn f19_only_pods_that_ask_for_it_wait_for_the_webhook() {
    let Some(cluster) = Cluster::find_or_skip("f19_only_pods_that_ask_for_it_wait_for_the_webhook").await else {
        return;
    };
    let marker = format!("penstock-test-{}", std::process::id());
    let labels = |value: &str| json!({"penstock.dev/test": marker, "penstock.dev/injection": value});
    let labelled = Space::with_labels(&cluster, &labels("enabled")).await;
    let disabled = Space::with_labels(&cluster, &labels("disabled")).await;
    let _copy = Copy::install(&cluster, &marker).await;
    let admin = cluster.admin();
    let (in_labelled, in_disabled) = (labelled.core("pods?dryRun=All"), disabled.core("pods?dryRun=All"));

    // It takes effect a moment after it is stored. Where Penstock is installed, its own webhook may come first and refuse.
    let failed = ".penstock.dev\"";
    for _ in 0..100 {
        if admin.post(&in_labelled, &pod(Some("enabled"))).await.is_refused_with(failed) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    for label in ["task", "enabled"] {
        admin.post(&in_labelled, &pod(Some(label))).await.expect_refused(label, failed);
    }
    for label in [None, Some("disabled"), Some("")] {
        admin.post(&in_labelled, &pod(label)).await.expect_done();
    }
    for label in [None, Some("enabled")] {
        admin.post(&in_disabled, &pod(label)).await.expect_done();
    }
}
