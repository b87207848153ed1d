//! Makes claims and deletes them, whatever became of earlier tries.

use std::sync::atomic::Ordering;

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use penstock_spec::keys;
use penstock_spec::plan::Plan;
use penstock_spec::report::FailureCause;
use tracing::info;

use super::patience::Patience;
use super::standing::{Standing, is_penstocks, standing};
use super::wanted::of_workspace;
use crate::kubernetes::attempt::End;
use crate::kubernetes::failure::RequestError;
use crate::kubernetes::run::RunPods;

/// Makes sure that the run's workspace is there, for a task that uses one. Once it was there it is not made again while the
/// run is driven: an empty one in the place of one that somebody deleted would be worse than none.
pub(in crate::kubernetes) async fn ensure_workspace(
    shared: &RunPods,
    plan: &Plan,
    patience: Patience<'_>,
) -> Result<(), End> {
    let Some(wanted) = &plan.workspace else { return Ok(()) };
    if shared.has_workspace.load(Ordering::Relaxed) {
        return Ok(());
    }
    let claim = of_workspace(&plan.run, wanted, &shared.settings.volumes)
        .map_err(|error| End::lost(FailureCause::Refused, error.to_string()))?;
    make(shared, &claim, patience).await?;
    shared.has_workspace.store(true, Ordering::Relaxed);
    Ok(())
}

/// Makes a claim, or finds that the same task or run made it before.
pub(in crate::kubernetes) async fn make(
    shared: &RunPods,
    claim: &PersistentVolumeClaim,
    mut patience: Patience<'_>,
) -> Result<(), End> {
    let name = claim.metadata.name.as_deref().unwrap_or_default();
    let annotations = claim.metadata.annotations.as_ref();
    let made_by = annotations.and_then(|all| all.get(keys::ANNOTATION_MADE_BY)).map_or("", String::as_str);
    loop {
        patience.check_stop()?;
        let permit = shared.create_permit().await;
        let created = shared.claims.create(claim).await;
        drop(permit);
        let error = match created {
            Ok(()) => {
                patience.over();
                return Ok(());
            }
            Err(RequestError::AlreadyExists) => match shared.claims.get(name).await {
                Ok(None) => RequestError::Conflict("one of its name has just gone".to_owned()),
                Ok(Some(found)) => match standing(&found, made_by) {
                    Standing::Own => {
                        patience.over();
                        return Ok(());
                    }
                    Standing::Going => RequestError::Conflict(
                        "one of its name is being deleted, and goes when no Pod mounts it any more".to_owned(),
                    ),
                    Standing::Foreign(why) => {
                        let text = format!("there is a volume claim {} already: {why}", qualified(shared, name));
                        return Err(End::lost(
                            FailureCause::Refused,
                            format!("{text}; choose another name or delete it"),
                        ));
                    }
                },
                Err(error) => error,
            },
            Err(error) => error,
        };
        let what = format!("the volume claim {} cannot be created", qualified(shared, name));
        retry_after(&what, error, &mut patience).await?;
    }
}

/// Deletes a claim. One that is gone already is a failure, unless an earlier try may have done it.
pub(in crate::kubernetes) async fn delete(
    shared: &RunPods,
    name: &str,
    mut may_be_done: bool,
    mut patience: Patience<'_>,
) -> Result<(), End> {
    let refused = |why: &str| {
        let text = format!("the volume claim {} cannot be deleted: {why}", qualified(shared, name));
        Err(End::lost(FailureCause::Refused, text))
    };
    loop {
        patience.check_stop()?;
        let error = match shared.claims.get(name).await {
            Ok(None) if may_be_done => {
                info!(claim = name, "the volume claim is gone, as an earlier try wanted it");
                return Ok(());
            }
            Ok(None) => return refused("there is none of that name"),
            Ok(Some(found)) if is_penstocks(&found) => return refused("Penstock itself is kept on it"),
            // It goes when no Pod mounts it any more.
            Ok(Some(found)) if found.metadata.deletion_timestamp.is_some() => return Ok(()),
            Ok(Some(found)) => {
                may_be_done = true;
                match shared.claims.delete(name, found.metadata.uid.as_deref().unwrap_or_default()).await {
                    Ok(()) | Err(RequestError::NotFound) => return Ok(()),
                    Err(error) => error,
                }
            }
            Err(error) => error,
        };
        let what = format!("the volume claim {} cannot be deleted", qualified(shared, name));
        retry_after(&what, error, &mut patience).await?;
    }
}

/// Waits where another try may succeed.
async fn retry_after(what: &str, error: RequestError, patience: &mut Patience<'_>) -> Result<(), End> {
    match error {
        RequestError::Passing { reason, retry_after } => {
            patience.pause(format!("{what} yet: {reason}"), retry_after).await
        }
        RequestError::Conflict(reason) => patience.pause(format!("{what} yet: {reason}"), None).await,
        error => Err(End::lost(FailureCause::Refused, format!("{what}: {}{}", error.reason(), remedy(&error)))),
    }
}

/// What to do about a right that is missing.
fn remedy(error: &RequestError) -> &'static str {
    match error {
        RequestError::Final(reason) if reason.contains("is forbidden: User") => {
            "; whoever drives the run needs the right: manifests/base/cluster-role.yaml of this version grants it"
        }
        _ => "",
    }
}

fn qualified(shared: &RunPods, name: &str) -> String {
    format!("{}/{name}", shared.namespace)
}
