//! What becomes of the workspaces of runs that have ended.

use penstock_spec::Timestamp;
use penstock_spec::keys;
use penstock_spec::run::{RunInfo, RunStatus};
use uuid::Uuid;

use super::api::ClaimApi;
use super::standing::{Standing, standing};
use super::wanted::made_by_run;
use crate::kubernetes::KubernetesHost;
use crate::kubernetes::cleanup::{RunStanding, remove_kept, repeated};
use crate::kubernetes::failure::RequestError;

/// Deletes the workspace of a run, if it has one. A task's Pod that still mounts it keeps it until it ends.
pub(crate) async fn remove_workspace(host: &KubernetesHost, run: &RunInfo) -> Result<(), RequestError> {
    if run.workspace.is_none() {
        return Ok(());
    }
    let (api, name) = (host.volume_claims(&run.namespace), run.workspace_claim());
    repeated(|| async {
        let Some(found) = api.get(&name).await? else { return Ok(()) };
        if standing(&found, &made_by_run(run)) != Standing::Own {
            return Ok(());
        }
        remove(&api, &name, found.metadata.uid.as_deref().unwrap_or_default()).await
    })
    .await
}

async fn remove(api: &ClaimApi, name: &str, uid: &str) -> Result<(), RequestError> {
    match api.delete(name, uid).await {
        // It is gone, or it is another.
        Err(RequestError::NotFound | RequestError::Conflict(_)) => Ok(()),
        other => other,
    }
}

/// Deletes the workspaces of a namespace whose runs do not need them any more; how many. Pods of failed attempts that are kept
/// to be looked at would keep a workspace too, and go before it, but where their pipeline says that it is not time yet.
/// Whoever may not list claims has made none.
pub(crate) async fn sweep_workspaces<F>(
    host: &KubernetesHost,
    namespace: &str,
    now: Timestamp,
    standing_of: impl Fn(Uuid) -> F,
) -> Result<u32, RequestError>
where
    F: Future<Output = Option<RunStanding>>,
{
    let api = host.volume_claims(namespace);
    let found = match api.list_workspaces().await {
        Ok(found) => found,
        Err(error @ (RequestError::Final(_) | RequestError::NotFound)) => {
            tracing::debug!(namespace, reason = error.reason(), "workspaces of earlier runs cannot be listed");
            return Ok(0);
        }
        Err(error) => return Err(error),
    };
    let (mut removed, mut first) = (0, Ok(()));
    for claim in found {
        let run = claim.labels.as_ref().and_then(|labels| labels.get(keys::LABEL_RUN_ID));
        let run = run.and_then(|run| Uuid::parse_str(run).ok());
        let (Some(run), Some(name), Some(uid)) = (run, claim.name, claim.uid) else { continue };
        let standing = standing_of(run).await;
        if !is_over(standing, now) {
            continue;
        }
        if are_pods_over(standing, now) {
            first = first.and(remove_kept(host, namespace, run).await);
        }
        if claim.deletion_timestamp.is_some() {
            continue;
        }
        match repeated(|| remove(&api, &name, &uid)).await {
            Ok(()) => removed += 1,
            Err(error) => first = first.and(Err(error)),
        }
    }
    first.map(|()| removed)
}

/// Whether nobody needs the workspace of a run any more: it has succeeded, or it has ended and its pipeline says for how long
/// what is left is kept. A run that is not known is another driver's.
fn is_over(run: Option<RunStanding>, now: Timestamp) -> bool {
    run.is_some_and(|run| match run.status {
        RunStatus::Succeeded | RunStatus::Skipped => true,
        status => status.is_final() && run.kept_until.is_some_and(|until| now >= until),
    })
}

/// Whether Pods that keep a workspace which is over may go, too.
fn are_pods_over(run: Option<RunStanding>, now: Timestamp) -> bool {
    run.and_then(|run| run.kept_until).is_none_or(|until| now >= until)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workspace_goes_with_success_and_otherwise_when_its_time_is_over() {
        let at = |second| Timestamp::from_second(second).expect("in range");
        let is_over = |status, kept_until: Option<i64>| {
            is_over(Some(RunStanding { status, kept_until: kept_until.map(at) }), at(1000))
        };
        assert!(
            is_over(RunStatus::Succeeded, None) && is_over(RunStatus::Succeeded, Some(2000)),
            "nobody can retry it"
        );
        assert!(!is_over(RunStatus::Failed, None), "a retry needs it");
        assert!(!is_over(RunStatus::Failed, Some(1001)) && is_over(RunStatus::Failed, Some(1000)));
        assert!(is_over(RunStatus::Canceled, Some(999)));
        assert!(!is_over(RunStatus::Running, Some(999)) && !is_over(RunStatus::Pending, None), "it goes on");
        assert!(!super::is_over(None, at(1000)), "another driver's");
        let pods_are_over = |kept_until: Option<i64>| {
            let run = RunStanding { status: RunStatus::Succeeded, kept_until: kept_until.map(at) };
            are_pods_over(Some(run), at(1000))
        };
        assert!(pods_are_over(None) && pods_are_over(Some(1000)) && !pods_are_over(Some(1001)));
    }
}
