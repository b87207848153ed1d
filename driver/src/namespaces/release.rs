//! Lets go of task Pods in a namespace that is being deleted (R3, F-40): the process that drives their runs may be gone
//! for good, and then nobody else would take our finalizer off them.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use penstock_spec::keys;
use tokio::time::Instant;

use super::apply::{Caretaker, Next, SOON};
use crate::kubernetes::{View, without_finalizer};
use crate::service::api_failure::{ApiFailure, request};

/// Pods that one look lets go of; those beyond them wait for the next.
const PAGE: u32 = 500;

/// Whether nothing of a Pod runs any more, so that it is only our finalizer that keeps it.
fn is_only_held(pod: &Pod) -> bool {
    let view = View::new(pod);
    view.is_being_deleted() && view.is_over()
}

impl Caretaker<'_> {
    /// Lets go of the Pods of a namespace that is being deleted, after a while in which their own driver may record how
    /// they ended. `known`: whether anything of ours was there.
    pub(super) async fn release(&self, namespace: &str, known: bool) -> Result<Next, ApiFailure> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let tasks = ListParams::default().labels(&format!("{}={}", keys::LABEL_INJECT, keys::INJECT_TASK)).limit(PAGE);
        let what = || format!("list task Pods of {namespace}, which is being deleted");
        let listed = request(self.request_timeout, what, pods.list(&tasks)).await?;
        let held: Vec<&Pod> = listed.items.iter().filter(|pod| without_finalizer(pod).is_some()).collect();
        if held.is_empty() && !known {
            self.standing.forget(namespace);
            return Ok(Next::OnChange);
        }
        let since = self.standing.terminating(namespace, Instant::now());
        if held.is_empty() {
            return Ok(Next::OnChange);
        }
        let left = self.hold.saturating_sub(since.elapsed());
        if !left.is_zero() {
            return Ok(Next::After(left));
        }
        let mut failure = None;
        for pod in held.into_iter().filter(|pod| is_only_held(pod)) {
            if let Err(error) = self.let_go(&pods, namespace, pod).await {
                failure = failure.or(Some(error));
            }
        }
        failure.map_or(Ok(Next::After(SOON.min(self.hold))), Err)
    }

    async fn let_go(&self, pods: &Api<Pod>, namespace: &str, pod: &Pod) -> Result<(), ApiFailure> {
        let (name, Some(patch)) = (pod.name_any(), without_finalizer(pod)) else { return Ok(()) };
        let parameters = PatchParams { field_manager: Some(keys::MANAGED_BY.to_owned()), ..PatchParams::default() };
        let what = || format!("take the finalizer off Pod {namespace}/{name}");
        let patch = Patch::Strategic(&patch);
        match request(self.request_timeout, what, pods.patch_metadata(&name, &parameters, &patch)).await {
            Ok(_) => {}
            // It is gone, or another has its name.
            Err(failure) if matches!(failure.code(), Some(404 | 409 | 422)) => return Ok(()),
            Err(failure) => return Err(failure),
        }
        self.standing.metrics().writes.with_label_values(&["Pod", "release"]).inc();
        let run = pod.labels().get(keys::LABEL_RUN_ID).map_or("", String::as_str);
        tracing::warn!(
            namespace,
            pod = name,
            run.id = run,
            "let go of a Pod whose end no driver has recorded: its namespace is being deleted"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn f40_only_pods_of_which_nothing_runs_are_let_go() {
        let only_held = |metadata: Value, node: Option<&str>, phase: &str| {
            let pod = json!({"metadata": metadata, "spec": {"nodeName": node, "containers": []},
                             "status": {"phase": phase}});
            is_only_held(&serde_json::from_value(pod).expect("a Pod"))
        };
        let deleted =
            |grace: u32| json!({"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": grace});
        assert!(only_held(deleted(60), Some("n"), "Failed"));
        assert!(only_held(deleted(0), Some("n"), "Running"), "the kubelet has confirmed it, or it was forced");
        assert!(only_held(deleted(60), None, "Pending"), "it has no node");
        assert!(!only_held(deleted(60), Some("n"), "Running"), "it still may report");
        assert!(!only_held(json!({}), Some("n"), "Succeeded"), "nobody has asked for its deletion");
    }
}
