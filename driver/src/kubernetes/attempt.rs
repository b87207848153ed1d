//! One attempt as a Pod, from its creation to what is known of its end. One task of the runtime carries it out, so that
//! nothing that happens to one attempt holds up another (R11).

mod creation;
mod outcome;

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use penstock_launcher::report::{attempt_of, failure};
use penstock_spec::plan::Plan;
use penstock_spec::report::{AttemptRef, Failure, FailureCause, Outcome, Report};
use penstock_spec::timings::Timings;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{info, warn};

use super::backoff::Backoff;
use super::classify::{Elapsed, Expected, Stage, Timeouts, Verdict, classify, stage_of};
use super::metrics::word;
use super::pod::{self, CaBundle};
use super::run::{RunPods, Waiting};
use super::view::View;
use super::watch::{Sighting, Subscription};
use super::witness::Witness;

/// Time after which a Pod that a node has, and that does not start, wants an explanation.
const SLOW_START: Duration = Duration::from_secs(10);

/// How an attempt is taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TakeUp {
    /// It is new: the fact that it starts is durable, and nothing was sent.
    Start,
    /// An earlier driver may have sent its Pod.
    Recover,
}

/// How an attempt ended.
#[derive(Debug)]
pub(super) enum End {
    Reported(Box<Report>),
    Lost(Failure),
}

/// An attempt under way.
pub(super) struct AttemptPod {
    shared: Arc<RunPods>,
    plan: Plan,
    attempt: AttemptRef,
    name: String,
    spec_hash: String,
    stop: watch::Receiver<bool>,
    subscription: Subscription,
    waiting: Waiting,
    /// The Pod that has reported.
    reported: Option<Expected>,
    /// As far as the Pod has shown them.
    timings: Timings,
}

/// An attempt that is over.
pub(super) struct Ended {
    pub(super) end: End,
    /// When it came to each of its steps.
    pub(super) timings: Option<Box<Timings>>,
    /// What its container's status says of the end is still to come.
    pub(super) witness: Option<Witness>,
}

impl End {
    pub(super) fn lost(cause: FailureCause, message: impl Into<String>) -> End {
        End::Lost(failure(cause, message))
    }

    pub(super) fn canceled() -> End {
        End::lost(FailureCause::Canceled, "the attempt was stopped on request")
    }

    /// One word for metrics.
    pub(super) fn result(&self) -> &'static str {
        match self {
            End::Reported(report) => match &report.outcome {
                Outcome::Succeeded(_) => "succeeded",
                Outcome::Failed(failure) => word(failure.cause),
            },
            End::Lost(failure) => word(failure.cause),
        }
    }
}

impl AttemptPod {
    pub(super) fn new(shared: Arc<RunPods>, plan: Plan, stop: watch::Receiver<bool>) -> AttemptPod {
        let name = pod::name_of(&plan);
        let attempt = attempt_of(&plan);
        AttemptPod {
            subscription: shared.watch.subscribe(&name),
            waiting: Waiting::new(Arc::clone(&shared.reasons), attempt.clone()),
            attempt,
            spec_hash: pod::spec_hash(&plan),
            reported: None,
            timings: Timings::default(),
            shared,
            plan,
            name,
            stop,
        }
    }

    /// Carries the attempt out, and tells how it ended.
    pub(super) async fn run(mut self, take_up: TakeUp) -> Ended {
        let pod = match take_up {
            TakeUp::Start => self.create().await,
            TakeUp::Recover => Box::pin(self.recover()).await,
        };
        let end = match pod {
            Ok(pod) => self.follow(pod).await,
            Err(end) => end,
        };
        let witness = self.reported.take().map(|expected| Witness {
            expected,
            shared: self.shared,
            subscription: self.subscription,
            pod: self.name,
            task_path: self.plan.task.path,
        });
        Ended { end, timings: self.timings.known(), witness }
    }

    /// Reads the Pod until there is an answer; nothing if there is none within the limit, or within the time that an
    /// attempt has for its stop.
    async fn read(&mut self, limit: Option<Duration>) -> Option<Option<Pod>> {
        let since = Instant::now();
        let mut backoff = Backoff::default();
        loop {
            let error = match self.shared.api.get(&self.name).await {
                Ok(found) => return Some(found),
                Err(error) => error,
            };
            let stopping = self.stop.borrow().then_some(self.shared.settings.timeouts.stop);
            if limit.into_iter().chain(stopping).any(|limit| since.elapsed() >= limit) {
                return None;
            }
            self.say(Some(format!("its Pod cannot be read: {}", error.reason())));
            tokio::time::sleep(backoff.next(None)).await;
        }
    }

    /// Watches the Pod to its end.
    async fn follow(&mut self, first: Arc<Pod>) -> End {
        let expected = Expected { attempt: self.attempt.clone(), uid: first.metadata.uid.clone() };
        let mut pod = Some(first);
        let mut confirmed = false;
        let mut stage: Option<(Stage, Instant)> = None;
        let mut stopping: Option<Instant> = None;
        loop {
            self.note_timings(pod.as_deref(), &expected);
            let now = Instant::now();
            let present = stage_of(pod.as_deref(), &expected);
            let since = match stage {
                Some((before, since)) if before == present => since,
                _ => now,
            };
            stage = Some((present, since));
            if stopping.is_none() && *self.stop.borrow() {
                stopping = Some(now);
                self.delete(&expected).await;
            }
            let elapsed = Elapsed { in_stage: now - since, stopping: stopping.map(|since| now - since) };
            let again = match classify(pod.as_deref(), &expected, elapsed, &self.shared.settings.timeouts) {
                Verdict::Wait { reason, again } => {
                    let (reason, again) = hinted((present, elapsed.in_stage), reason, again, self.hint());
                    let end = end_of_wait(present, &self.shared.settings.timeouts).filter(|_| stopping.is_none());
                    let short = pod.as_deref().and_then(|pod| View::new(pod).wait_in_short());
                    self.say(reason.map(|reason| with_end(reason, short.as_deref(), end.as_deref())));
                    again
                }
                Verdict::Reported(report) => {
                    self.shared.report_seen(&report);
                    self.reported = Some(expected);
                    self.timings = report.timings.as_deref().cloned().unwrap_or_default().or(&self.timings);
                    return self.reported(*report).await;
                }
                Verdict::Terminated => return End::canceled(),
                Verdict::Lost(mut failure) if confirmed => {
                    if present == Stage::Starting
                        && let Some(hint) = self.hint()
                    {
                        failure.message = format!("{}; {hint}", failure.message);
                    }
                    return self.lost(failure).await;
                }
                Verdict::Lost(_) => {
                    // Nothing is failed because of what a cache says (R7).
                    pod = self.confirm(pod).await;
                    confirmed = true;
                    continue;
                }
            };
            confirmed = false;
            self.wait_for_news(again, stopping.is_some()).await;
            pod = match self.subscription.latest() {
                Sighting::Seen(latest) => Some(latest),
                Sighting::Unseen => pod,
                // Its last words count; that it is gone is confirmed by a read.
                Sighting::Missing(last) => {
                    let last = last.or(pod);
                    self.note_timings(last.as_deref(), &expected);
                    if !last.as_deref().is_some_and(|last| has_final_report(last, &expected, elapsed)) {
                        confirmed = true;
                        self.confirm(last).await
                    } else {
                        last
                    }
                }
            };
        }
    }

    /// What the Pod's status says stays known when the Pod is gone.
    fn note_timings(&mut self, pod: Option<&Pod>, expected: &Expected) {
        if let Some(pod) = pod.filter(|pod| pod.metadata.uid == expected.uid) {
            self.timings = View::new(pod).timings().or(&self.timings);
        }
    }

    /// What might keep the Pod from starting, of what the installation adds to it.
    fn hint(&self) -> Option<String> {
        self.shared.settings.pod.ca_bundle.as_ref().map(CaBundle::requirement)
    }

    async fn wait_for_news(&mut self, again: Option<Duration>, stopping: bool) {
        let later = async {
            match again {
                Some(again) => tokio::time::sleep(again).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.subscription.changed() => {}
            () = later => {}
            () = requested(&mut self.stop), if !stopping => {}
        }
    }

    /// The Pod as it is now, or nothing if there is none. Without an answer it is as it was.
    async fn confirm(&mut self, last: Option<Arc<Pod>>) -> Option<Arc<Pod>> {
        match self.read(None).await {
            Some(Some(pod)) => Some(self.shared.watch.observe(pod)),
            Some(None) => {
                self.subscription.forget();
                None
            }
            None => last,
        }
    }

    /// Asks for the end of the Pod. That it could not be asked for is found by the bound on stopping.
    async fn delete(&mut self, expected: &Expected) {
        let Some(uid) = expected.uid.as_deref() else { return };
        let mut backoff = Backoff::default();
        let since = Instant::now();
        while let Err(error) = self.shared.api.delete(&self.name, uid).await {
            if since.elapsed() >= self.shared.settings.timeouts.stop {
                warn!(pod = self.name, reason = error.reason(), "the Pod could not be deleted");
                return;
            }
            tokio::time::sleep(backoff.next(None)).await;
        }
    }

    /// Shows what the attempt waits for.
    fn say(&mut self, reason: Option<String>) {
        if self.waiting.say(reason.clone())
            && let Some(reason) = reason
        {
            info!(task.path = self.plan.task.path, pod = self.name, reason, "the task waits");
        }
    }

    fn qualified(&self) -> String {
        format!("{}/{}", self.shared.namespace, self.name)
    }
}

/// Waits for the request to stop.
pub(super) async fn requested(stop: &mut watch::Receiver<bool>) {
    let asked = stop.wait_for(|stop| *stop).await.is_ok();
    if !asked {
        // Nobody can ask any more.
        std::future::pending::<()>().await;
    }
}

/// Adds a hint to the reason of a Pod that takes long to start.
fn hinted(
    (stage, in_stage): (Stage, Duration),
    reason: Option<String>,
    again: Option<Duration>,
    hint: Option<String>,
) -> (Option<String>, Option<Duration>) {
    let (Stage::Starting, Some(reason), Some(hint)) = (stage, &reason, hint) else { return (reason, again) };
    match SLOW_START.checked_sub(in_stage).filter(|left| !left.is_zero()) {
        Some(left) => (Some(reason.clone()), Some(again.map_or(left, |again| again.min(left)))),
        None => (Some(format!("{reason}; {hint}")), again),
    }
}

/// When a wait for an image or a node is given up, and which flag says so. What counts is the time in which nothing changes.
fn end_of_wait(stage: Stage, limits: &Timeouts) -> Option<String> {
    let image = (limits.image, "--image-timeout");
    let (limit, flag) = match stage {
        Stage::ImageProblem => image,
        Stage::ContainerProblem => image.min((limits.start, "--start-timeout")),
        Stage::Scheduling | Stage::Unschedulable => (limits.pending, "--pending-timeout"),
        _ => return None,
    };
    let limit = match limit.as_secs() {
        0 => format!("{limit:?}"),
        seconds if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        seconds if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        seconds => format!("{seconds}s"),
    };
    Some(format!(" (gives up after {limit}: {flag})"))
}

/// Puts it where it is seen on a narrow terminal: before the message of the cluster, which may be long.
fn with_end(reason: String, short: Option<&str>, end: Option<&str>) -> String {
    let Some(end) = end else { return reason };
    match short.and_then(|short| Some((short, reason.strip_prefix(short)?))) {
        Some((short, message)) => format!("{short}{end}{message}"),
        None => reason + end,
    }
}

fn has_final_report(pod: &Pod, expected: &Expected, elapsed: Elapsed) -> bool {
    let verdict = classify(Some(pod), expected, elapsed, &Timeouts::default());
    matches!(verdict, Verdict::Reported(_))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn f16_wait_for_an_image_or_a_node_says_when_it_is_given_up() {
        let limits = Timeouts { start: Duration::from_secs(90), ..Timeouts::default() };
        let end = |stage| end_of_wait(stage, &limits);
        assert_eq!(end(Stage::ImageProblem).as_deref(), Some(" (gives up after 5m: --image-timeout)"));
        assert_eq!(end(Stage::Unschedulable).as_deref(), Some(" (gives up after 1h: --pending-timeout)"));
        assert_eq!(end(Stage::ContainerProblem).as_deref(), Some(" (gives up after 90s: --start-timeout)"));
        assert_eq!(end(Stage::Starting), None, "every Pod does for a while");

        let condition =
            json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"});
        let waiting = json!({"waiting": {"reason": "ErrImagePull", "message": "not found"}});
        let main =
            json!({"name": "main", "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": waiting});
        for (status, expected) in [
            (json!({"conditions": [condition]}), "Unschedulable (gives up after 1h: --pending-timeout): 0/1 nodes"),
            (
                json!({"containerStatuses": [main]}),
                "container main, image \"i\": ErrImagePull (gives up after 5m: --image-timeout): not found",
            ),
            (json!({}), "waits for the scheduler (gives up after 1h: --pending-timeout)"),
        ] {
            let pod: Pod = serde_json::from_value(json!({"metadata": {}, "status": status})).expect("a Pod");
            let attempt = AttemptRef { run_id: Uuid::from_u128(1), task_id: Uuid::from_u128(2), attempt: 0 };
            let expected_pod = Expected { attempt, uid: None };
            let stage = stage_of(Some(&pod), &expected_pod);
            let verdict = classify(Some(&pod), &expected_pod, Elapsed::default(), &limits);
            let Verdict::Wait { reason: Some(reason), .. } = verdict else { panic!("it waits: {verdict:?}") };
            let short = View::new(&pod).wait_in_short();
            assert_eq!(with_end(reason, short.as_deref(), end(stage).as_deref()), expected);
        }
    }

    #[test]
    fn f16_pod_that_takes_long_to_start_says_what_it_mounts() {
        let bundle = CaBundle::Secret { name: "corporate-ca".to_owned(), key: "ca.crt".to_owned() };
        let hinted = |stage, seconds| {
            let reason = Some("container main waits: PodInitializing".to_owned());
            let again = Some(Duration::from_secs(60));
            hinted((stage, Duration::from_secs(seconds)), reason, again, Some(bundle.requirement()))
        };
        let (reason, again) = hinted(Stage::Starting, 4);
        assert_eq!(reason.as_deref(), Some("container main waits: PodInitializing"), "as any Pod does for a while");
        assert_eq!(again, Some(Duration::from_secs(6)));
        let (reason, again) = hinted(Stage::Starting, 10);
        let text = "container main waits: PodInitializing; it mounts the key ca.crt of the Secret corporate-ca of its \
                    namespace (--ca-bundle-secret): is that there?";
        assert_eq!((reason.as_deref(), again), (Some(text), Some(Duration::from_secs(60))));
        assert_eq!(hinted(Stage::ImageProblem, 10).0.as_deref(), Some("container main waits: PodInitializing"));
    }
}
