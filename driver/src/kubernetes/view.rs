//! What a Pod's status says, with everything optional: parts may be missing or contradict one another (I-21).

use k8s_openapi::api::core::v1::{
    ContainerState, ContainerStateTerminated, ContainerStatus, Pod, PodCondition, PodStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use penstock_spec::Timestamp;
use penstock_spec::keys;
use penstock_spec::timings::Timings;

/// The most bytes of a foreign text in a message of ours.
const MAX_TEXT: usize = 1024;
/// The longest grace that somebody who deletes a Pod can ask us to wait for.
const MAX_GRACE_SECONDS: u64 = 3600;

/// A look at a Pod.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    pod: &'a Pod,
    status: Option<&'a PodStatus>,
}

/// Why a container does not start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) kind: ProblemKind,
    pub(crate) text: String,
    /// The beginning of the text, before the words of a stranger.
    short: String,
}

/// Kinds of reasons why a container does not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProblemKind {
    /// The image's name can never be right.
    ImageName,
    /// The image cannot be pulled now.
    Image,
    /// The container cannot be made: a missing ConfigMap, a user that is refused, ...
    Container,
}

impl<'a> View<'a> {
    pub(crate) fn new(pod: &'a Pod) -> View<'a> {
        View { pod, status: pod.status.as_ref() }
    }

    pub(crate) fn uid(&self) -> Option<&'a str> {
        self.pod.metadata.uid.as_deref()
    }

    pub(crate) fn annotation(&self, key: &str) -> Option<&'a str> {
        self.pod.metadata.annotations.as_ref()?.get(key).map(String::as_str)
    }

    pub(crate) fn phase(&self) -> &'a str {
        self.status.and_then(|status| status.phase.as_deref()).unwrap_or_default()
    }

    /// Reason of the whole Pod, such as `Evicted`; empty when there is none.
    pub(crate) fn reason(&self) -> &'a str {
        self.status.and_then(|status| status.reason.as_deref()).unwrap_or_default()
    }

    pub(crate) fn message(&self) -> &'a str {
        self.status.and_then(|status| status.message.as_deref()).unwrap_or_default()
    }

    pub(crate) fn is_being_deleted(&self) -> bool {
        self.pod.metadata.deletion_timestamp.is_some()
    }

    /// Seconds that the containers have from the deletion on.
    pub(crate) fn deletion_grace(&self) -> u64 {
        let seconds = self.pod.metadata.deletion_grace_period_seconds.unwrap_or_default();
        u64::try_from(seconds).unwrap_or_default().min(MAX_GRACE_SECONDS)
    }

    pub(crate) fn is_scheduled(&self) -> bool {
        self.pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).is_some_and(|node| !node.is_empty())
    }

    /// Whether no container of the Pod runs any more, or ever will.
    pub(crate) fn is_over(&self) -> bool {
        let deleted = self.is_being_deleted() && (!self.is_scheduled() || self.deletion_grace() == 0);
        matches!(self.phase(), "Succeeded" | "Failed") || deleted
    }

    /// How the user's container ended, if it did.
    pub(crate) fn main_end(&self) -> Option<&'a ContainerStateTerminated> {
        self.main()?.state.as_ref()?.terminated.as_ref()
    }

    /// The init container that ended badly, and how: the user's container does not start then. Those that run beside it,
    /// as the launcher does, are started again.
    pub(crate) fn failed_init(&self) -> Option<(&'a str, &'a ContainerStateTerminated)> {
        let declared = self.pod.spec.as_ref()?.init_containers.as_deref()?;
        let runs_once =
            |name: &str| declared.iter().any(|container| container.name == name && container.restart_policy.is_none());
        let mut containers = self.status?.init_container_statuses.as_deref()?.iter();
        containers.find_map(|container| {
            if !runs_once(&container.name) {
                return None;
            }
            let end = container.state.as_ref()?.terminated.as_ref()?;
            (end.exit_code != 0).then_some((container.name.as_str(), end))
        })
    }

    /// Whether the user's container runs or ran.
    pub(crate) fn main_started(&self) -> bool {
        let started = |state: &ContainerState| state.running.is_some() || state.terminated.is_some();
        self.main().is_some_and(|main| {
            main.state.as_ref().is_some_and(started) || main.last_state.as_ref().is_some_and(started)
        })
    }

    pub(crate) fn main_runs(&self) -> bool {
        self.main().and_then(|main| main.state.as_ref()).is_some_and(|state| state.running.is_some())
    }

    /// Whether the launcher can still report.
    pub(crate) fn launcher_runs(&self) -> bool {
        self.launcher().and_then(|launcher| launcher.state.as_ref()).is_some_and(|state| state.running.is_some())
    }

    /// When the Pod came to the steps of which the cluster tells, to the second.
    pub(crate) fn timings(&self) -> Timings {
        let of = |time: Option<&Time>| Timestamp::from_microsecond(time?.0.as_microsecond()).ok();
        let began = |container: Option<&'a ContainerStatus>| {
            let state = container?.state.as_ref()?;
            let running = state.running.as_ref().and_then(|running| running.started_at.as_ref());
            of(running.or_else(|| state.terminated.as_ref()?.started_at.as_ref()))
        };
        let scheduled = self.condition("PodScheduled", "True");
        Timings {
            created_at: of(self.pod.metadata.creation_timestamp.as_ref()),
            scheduled_at: of(scheduled.and_then(|condition| condition.last_transition_time.as_ref())),
            launcher_at: began(self.launcher()),
            container_at: began(self.main()),
            ..Timings::default()
        }
    }

    fn main(&self) -> Option<&'a ContainerStatus> {
        named(self.status?.container_statuses.as_deref()?, keys::MAIN_CONTAINER)
    }

    fn launcher(&self) -> Option<&'a ContainerStatus> {
        named(self.status?.init_container_statuses.as_deref()?, keys::SIDECAR_CONTAINER)
    }

    fn condition(&self, kind: &str, status: &str) -> Option<&'a PodCondition> {
        let conditions = self.status?.conditions.as_deref()?;
        conditions.iter().find(|condition| condition.type_ == kind && condition.status == status)
    }

    /// Who disrupts the Pod, and what they say.
    pub(crate) fn disruption(&self) -> Option<String> {
        let condition = self.condition("DisruptionTarget", "True")?;
        let reason = condition.reason.as_deref().unwrap_or("DisruptionTarget");
        Some(with_message(reason, condition.message.as_deref().unwrap_or_default()))
    }

    /// Why the scheduler finds no node.
    pub(crate) fn unschedulable(&self) -> Option<String> {
        let condition = self.condition("PodScheduled", "False")?;
        let reason = condition.reason.as_deref().unwrap_or("Unschedulable");
        Some(with_message(reason, condition.message.as_deref().unwrap_or_default()))
    }

    /// What it waits for, as short as the cluster says it: how the reason begins.
    pub(crate) fn wait_in_short(&self) -> Option<String> {
        let unschedulable = || {
            let condition = self.condition("PodScheduled", "False")?;
            Some(shorten(condition.reason.as_deref().unwrap_or("Unschedulable")))
        };
        self.problem().map(|problem| problem.short).or_else(unschedulable)
    }

    /// The worst reason why a container does not start.
    pub(crate) fn problem(&self) -> Option<Problem> {
        let status = self.status?;
        let lists = [status.init_container_statuses.as_deref(), status.container_statuses.as_deref()];
        let problems = lists.into_iter().flatten().flatten().filter_map(container_problem);
        problems.min_by_key(|problem| problem.kind as u8)
    }

    /// The first container that waits, and for what.
    pub(crate) fn waits_for(&self) -> Option<String> {
        let status = self.status?;
        let lists = [status.init_container_statuses.as_deref(), status.container_statuses.as_deref()];
        lists.into_iter().flatten().flatten().find_map(|container| {
            let waiting = container.state.as_ref()?.waiting.as_ref()?;
            let reason = waiting.reason.as_deref().filter(|reason| !reason.is_empty())?;
            let text = with_message(reason, waiting.message.as_deref().unwrap_or_default());
            Some(format!("container {} waits: {text}", container.name))
        })
    }
}

fn named<'a>(statuses: &'a [ContainerStatus], name: &str) -> Option<&'a ContainerStatus> {
    statuses.iter().find(|status| status.name == name)
}

fn container_problem(container: &ContainerStatus) -> Option<Problem> {
    let waiting = container.state.as_ref()?.waiting.as_ref()?;
    let reason = waiting.reason.as_deref()?;
    let kind = match reason {
        "InvalidImageName" => ProblemKind::ImageName,
        "ErrImagePull"
        | "ImagePullBackOff"
        | "ImageInspectError"
        | "ErrImageNeverPull"
        | "RegistryUnavailable"
        | "SignatureValidationFailed" => ProblemKind::Image,
        "CreateContainerConfigError"
        | "CreateContainerError"
        | "ImageVolumeMountFailed"
        | "RunContainerError"
        | "PreCreateHookError"
        | "PreStartHookError"
        | "PostStartHookError" => ProblemKind::Container,
        _ => return None,
    };
    let text = with_message(reason, waiting.message.as_deref().unwrap_or_default());
    let container = format!("container {}, image {:?}", container.name, container.image);
    Some(Problem { kind, text: format!("{container}: {text}"), short: format!("{container}: {}", shorten(reason)) })
}

/// A reason, and the message that goes with it.
pub(crate) fn with_message(reason: &str, message: &str) -> String {
    let message = message.trim();
    if message.is_empty() { shorten(reason) } else { format!("{}: {}", shorten(reason), shorten(message)) }
}

/// The beginning of a foreign text.
pub(crate) fn shorten(text: &str) -> String {
    if text.len() <= MAX_TEXT {
        return text.to_owned();
    }
    let mut end = MAX_TEXT;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", text.get(..end).unwrap_or_default())
}
