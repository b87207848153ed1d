//! How an attempt comes to its Pod: it is created, or found where an earlier try or an earlier driver created it.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use penstock_launcher::report::describe;
use penstock_spec::keys;
use penstock_spec::report::FailureCause;
use tokio::time::Instant;
use tracing::{info, warn};

use super::{AttemptPod, End, requested};
use crate::kubernetes::accounts::may_report;
use crate::kubernetes::backoff::Backoff;
use crate::kubernetes::failure::RequestError;
use crate::kubernetes::identity::{lacks_launcher, stranger};
use crate::kubernetes::namespace::NamespaceSettingsError;
use crate::kubernetes::pod::{self, PlanObject, TaskPod};
use crate::kubernetes::volumes::{Patience, ensure_workspace};

impl AttemptPod {
    /// Makes the Pod, or finds that it exists. An error is the end of the attempt.
    pub(super) async fn create(&mut self) -> Result<Arc<Pod>, End> {
        let since = Instant::now();
        let limit = self.shared.settings.timeouts.pending;
        let mut backoff = Backoff::default();
        let TaskPod { mut pod, plan_object, warnings } = self.build(since).await?;
        for reason in warnings {
            warn!(
                pod = self.name,
                task.path = self.plan.task.path,
                reason,
                "a setting of the task for Kubernetes gives way"
            );
        }
        self.check_account(since).await?;
        self.ensure_workspace().await?;
        self.store_plan(plan_object).await?;
        let mut sent = false;
        loop {
            if *self.stop.borrow() && !sent {
                return Err(End::canceled());
            }
            let permit = self.shared.create_permit().await;
            self.shared.observe_hop();
            let created = self.shared.api.create(&pod).await;
            drop(permit);
            sent = true;
            let (reason, wait) = match created {
                Ok(pod) => {
                    self.say(None);
                    return self.with_launcher(pod).await;
                }
                Err(RequestError::AlreadyExists) => match self.find_existing().await {
                    Ok(Some(pod)) => return self.with_launcher(pod).await,
                    Ok(None) => ("its Pod is being deleted".to_owned(), backoff.next(None)),
                    Err(end) => return Err(end),
                },
                Err(RequestError::Passing { reason, retry_after }) => (reason, backoff.next(retry_after)),
                Err(RequestError::Final(reason))
                    if is_refused_for_root(&reason, &pod)
                        && since.elapsed() < self.shared.settings.timeouts.settings =>
                {
                    self.pause(backoff.next(None)).await?;
                    pod = self.build(since).await?.pod;
                    (reason, Duration::ZERO)
                }
                Err(error @ RequestError::Conflict(_)) => (error.reason(), backoff.next(None)),
                Err(error @ (RequestError::Final(_) | RequestError::NotFound)) => {
                    let text = format!("the Pod {} cannot be created: {}", self.qualified(), error.reason());
                    return Err(End::lost(FailureCause::Refused, text));
                }
            };
            if since.elapsed() >= limit {
                let (name, seconds) = (self.qualified(), limit.as_secs());
                let text = format!("the Pod {name} could not be created for {seconds} s: {reason}");
                return Err(End::lost(FailureCause::Infrastructure, text));
            }
            self.say(Some(format!("its Pod cannot be created yet: {reason}")));
            self.pause(wait).await?;
        }
    }

    /// The Pod as the settings of installation and namespace are now.
    async fn build(&mut self, since: Instant) -> Result<TaskPod, End> {
        let shared = Arc::clone(&self.shared);
        let mut backoff = Backoff::default();
        let tasks = loop {
            let error = match shared.host.tasks.get(&shared.host, &shared.namespace).await {
                Ok(tasks) => break tasks,
                Err(error) => error,
            };
            let is_passing = matches!(error, RequestError::Passing { .. });
            let error = NamespaceSettingsError { namespace: shared.namespace.clone(), reason: error.reason() };
            if !is_passing {
                return Err(End::lost(FailureCause::Refused, error.to_string()));
            }
            if since.elapsed() >= shared.settings.timeouts.pending {
                return Err(End::lost(FailureCause::Infrastructure, error.to_string()));
            }
            self.say(Some(format!("its Pod cannot be created yet: {error}")));
            self.pause(backoff.next(None)).await?;
        };
        pod::build(&self.plan, &shared.namespace, &shared.settings.pod, &tasks)
            .map_err(|error| End::lost(FailureCause::Refused, error.to_string()))
    }

    /// Why a Pod of the attempt's name is not the attempt's.
    fn stranger(&self, pod: &Pod) -> Option<&'static str> {
        stranger(pod, &self.attempt, &self.spec_hash, pod::account_of(&self.plan))
    }

    /// Under an account of the user's, the launcher reports with that account's rights. To find them missing only when
    /// user code has ended would be to run it in vain. The role may be on its way: the namespace's label is new.
    async fn check_account(&mut self, since: Instant) -> Result<(), End> {
        let Some(account) = self.plan.service_account.clone() else { return Ok(()) };
        let shared = Arc::clone(&self.shared);
        let (settings, namespace) = (&shared.settings, &shared.namespace);
        let mut backoff = Backoff::default();
        while may_report(&settings.client, settings.request_deadline, namespace, &account).await == Some(false) {
            let reason = format!(
                "the service account {account:?} of namespace {namespace}, which the task asks for, may not patch Pods \
                 there, so its launcher could not report: create the account, and then: kubectl -n {namespace} create \
                 rolebinding penstock-{account} --role={} --serviceaccount={namespace}:{account}",
                keys::TASK_ROLE
            );
            if since.elapsed() >= settings.timeouts.settings {
                return Err(End::lost(FailureCause::Refused, reason));
            }
            self.say(Some(reason));
            self.pause(backoff.next(None)).await?;
        }
        Ok(())
    }

    async fn ensure_workspace(&mut self) -> Result<(), End> {
        let limit = self.shared.settings.timeouts.pending;
        let patience = Patience::new(&mut self.stop, &mut self.waiting, &self.plan.task.path, limit);
        ensure_workspace(&self.shared, &self.plan, patience).await
    }

    async fn store_plan(&mut self, object: Option<PlanObject>) -> Result<(), End> {
        let Some((uri, plan)) = object else { return Ok(()) };
        let stored = tokio::select! {
            stored = self.shared.transfer.put_bytes(&uri, plan) => Some(stored),
            () = requested(&mut self.stop) => None,
        };
        match stored {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => {
                let text = format!("cannot store the plan of the task at {uri}: {}", describe(&error));
                Err(End::lost(FailureCause::Infrastructure, text))
            }
            None => Err(self.stopped_before_creation().await),
        }
    }

    /// Waits before the next try. An attempt that is to stop ends here.
    async fn pause(&mut self, wait: Duration) -> Result<(), End> {
        let stopped = tokio::time::timeout(wait, requested(&mut self.stop)).await.is_ok();
        if stopped { Err(self.stopped_before_creation().await) } else { Ok(()) }
    }

    /// The attempt is to stop while it is not known whether its Pod exists: an answer may have been lost.
    async fn stopped_before_creation(&mut self) -> End {
        match self.read(None).await.flatten() {
            Some(pod) if self.stranger(&pod).is_none() => {
                let pod = self.shared.watch.observe(pod);
                self.follow(pod).await
            }
            _ => End::canceled(),
        }
    }

    /// The Pod of the attempt's name, if it is the attempt's; nothing if it went away meanwhile or is about to.
    async fn find_existing(&mut self) -> Result<Option<Pod>, End> {
        let Some(Some(pod)) = self.read(Some(self.shared.settings.timeouts.pending)).await else { return Ok(None) };
        match self.stranger(&pod) {
            None => Ok(Some(pod)),
            // Wait until the name is free (F-09).
            Some(_) if pod.metadata.deletion_timestamp.is_some() => Ok(None),
            Some(why) => {
                let name = self.qualified();
                let text =
                    format!("there is a Pod {name} already that is not the attempt's: {why}; delete it and retry");
                Err(End::lost(FailureCause::Refused, text))
            }
        }
    }

    /// A Pod that was admitted without the launcher must not run (F-19).
    async fn with_launcher(&mut self, pod: Pod) -> Result<Arc<Pod>, End> {
        let Some(lack) = lacks_launcher(&pod) else { return Ok(self.shared.watch.observe(pod)) };
        let pod = self.shared.watch.observe(pod);
        if let Err(error) = self.shared.discard(&pod).await {
            warn!(pod = self.name, reason = error.reason(), "a Pod without the launcher could not be deleted");
        }
        let (name, namespace) = (self.qualified(), &self.shared.namespace);
        let text = format!(
            "the Pod {name} was admitted without Penstock's launcher, and is deleted: {lack}. Is the namespace labelled \
             (kubectl label namespace {namespace} penstock.dev/injection=enabled), and the webhook registered? \
             `penstock doctor` looks"
        );
        Err(End::lost(FailureCause::Infrastructure, text))
    }

    /// Takes up what an earlier driver may have left: its Pod, its manifest, or nothing. Our finalizer keeps a Pod until
    /// its outcome is recorded, so where there is none, none was sent; a creation that is still under way collides
    /// harmlessly with another.
    pub(super) async fn recover(&mut self) -> Result<Arc<Pod>, End> {
        let found = self.read(None).await.flatten();
        match found {
            Some(pod) => match self.stranger(&pod) {
                None => {
                    info!(pod = self.name, task.path = self.plan.task.path, "takes up the Pod of an earlier driver");
                    self.with_launcher(pod).await
                }
                Some(why) => self.recover_without(Some(why)).await,
            },
            None => self.recover_without(None).await,
        }
    }

    async fn recover_without(&mut self, why: Option<&str>) -> Result<Arc<Pod>, End> {
        if let Some(report) = self.adopted().await {
            return Err(End::Reported(Box::new(report)));
        }
        if *self.stop.borrow() {
            return Err(End::canceled());
        }
        if let Some(why) = why {
            warn!(pod = self.name, why, "a Pod of an attempt's name is not the attempt's");
        }
        self.create().await
    }
}

/// Whether a Pod was refused because it may run as root. The namespace's settings say that it must not, unless they are
/// about to be written: its label is new.
fn is_refused_for_root(reason: &str, pod: &Pod) -> bool {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let mut contexts = containers.filter_map(|container| container.security_context.as_ref());
    let may_be_root = contexts.all(|context| context.run_as_non_root.is_none());
    may_be_root && reason.contains("violates PodSecurity") && reason.contains("runAsNonRoot")
}
