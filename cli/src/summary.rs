//! What stands below the tree when a run has ended: its outputs; or which task failed, why, the last lines of its log,
//! and what to do next.

use console::measure_text_width;
use penstock_engine::{NodeId, NodeKind, NodeView, RunState, SkipReason};
use penstock_metastore::{Remark, RemarkKind};
use penstock_spec::Timestamp;
use penstock_spec::artifact::Artifact;
use penstock_spec::pod::pod_name;
use penstock_spec::report::{FailureCause, TaskOutputs};
use penstock_spec::run::{RunStatus, TaskStatus};
use penstock_spec::value;
use uuid::Uuid;

use crate::attempt_log::AttemptLog;
use crate::context::Context;
use crate::feed::Feed;
use crate::remote::logs::RemoteAttempt;
use crate::style::{Line, Tone};
use crate::text::{duration, fit, inert, inert_lines, size};
use crate::tree::run_word;

/// Lines of the failing task's log.
const LOG_LINES: usize = 20;
/// Tasks that are named when several failed.
const NAMED_FAILURES: usize = 5;
/// How long Pods of failed attempts are kept by default.
const KEPT_SECONDS: i64 = 3600;
/// Columns of a parameter's value.
const VALUE_WIDTH: usize = 200;

/// What to say about the end of a run.
#[derive(Debug)]
pub(crate) struct Summary {
    status: RunStatus,
    took: Option<String>,
    selector: String,
    outputs: Vec<(String, String)>,
    on_host: bool,
    reason: Option<String>,
    /// What there is to know of the run beside its tasks.
    remarks: Vec<String>,
    failures: Vec<FailedTask>,
    more_failures: usize,
    /// Namespace and name of the Pod of the task whose log is shown, or else of the first failed task that has one.
    kept_pod: Option<(String, String)>,
}

#[derive(Debug)]
struct FailedTask {
    path: String,
    message: String,
    has_log: bool,
    log: Vec<String>,
}

impl Summary {
    /// Looks at a run. A log that cannot be read is left out: the run's result does not depend on it.
    pub(crate) async fn gather(context: &Context, feed: &Feed) -> Summary {
        let state = feed.state();
        let failed = failed_tasks(state);
        let mut failures = Vec::new();
        for id in failed.iter().take(NAMED_FAILURES) {
            // One that broke before it ran has no log, and must not hide that of another.
            let with_log = !failures.iter().any(|failure: &FailedTask| failure.has_log);
            failures.extend(failed_task(context, feed, *id, with_log).await);
        }
        // Its Pod comes first too.
        let with_log = failed.iter().zip(&failures).filter(|(_, failure)| failure.has_log).map(|(id, _)| id);
        let took = state.started_at().zip(state.ended_at()).map(|(start, end)| duration(start, end));
        Summary {
            status: state.status(),
            took,
            selector: selector(feed.run(), state),
            kept_pod: with_log.chain(&failed).find_map(|id| kept_pod(feed, *id, Timestamp::now())),
            outputs: state.outputs().map(outputs).unwrap_or_default(),
            on_host: state.nodes().any(|view| view.ran_on_host),
            reason: reason(state),
            remarks: feed.remarks().await.iter().map(remark_text).collect(),
            more_failures: failed.len().saturating_sub(failures.len()),
            failures,
        }
    }

    /// As text; with the verdict where nothing above it has said how the run ended.
    pub(crate) fn text(&self, color: bool, with_verdict: bool) -> String {
        let mut lines = Vec::new();
        if with_verdict {
            lines.push(self.verdict());
        }
        if self.on_host {
            lines.push(single(Tone::Caution, "some commands ran on this machine, without their images"));
        }
        if let Some(reason) = self.reason.as_ref().filter(|_| self.failures.is_empty()) {
            lines.extend(reason.lines().map(|line| single(Tone::Plain, format!("  {line}"))));
        }
        lines.extend(self.remarks.iter().map(|remark| single(Tone::Caution, format!("  ! {remark}"))));
        self.failure_lines(&mut lines);
        self.output_lines(&mut lines);
        self.next_lines(&mut lines);
        if !with_verdict && lines.first().is_some_and(|line| line.width() > 0) {
            lines.insert(0, Line::default());
        }
        lines.iter().map(|line| line.render(color, usize::MAX) + "\n").collect()
    }

    fn verdict(&self) -> Line {
        let mut line = Line::default();
        let (tone, word) = run_word(self.status);
        line.push(tone, word);
        if let Some(took) = &self.took {
            line.push(Tone::Plain, format!(" after {took}"));
        }
        line.push(Tone::Faint, format!("  {}", self.selector));
        line
    }

    fn failure_lines(&self, lines: &mut Vec<Line>) {
        for failure in &self.failures {
            lines.push(Line::default());
            let mut messages = failure.message.lines();
            let mut line = single(Tone::Bad, "✗ ");
            line.push(Tone::Strong, &failure.path);
            line.push(Tone::Plain, format!("  {}", messages.next().unwrap_or_default()));
            lines.push(line);
            lines.extend(messages.map(|text| single(Tone::Plain, format!("    {text}"))));
            for text in &failure.log {
                let mut line = single(Tone::Faint, "  │ ");
                line.push(Tone::Plain, text);
                lines.push(line);
            }
        }
        if self.more_failures > 0 {
            lines.push(single(Tone::Faint, format!("  … {} more failed", self.more_failures)));
        }
    }

    fn output_lines(&self, lines: &mut Vec<Line>) {
        let column = self.outputs.iter().map(|(name, _)| measure_text_width(name)).max().unwrap_or_default() + 4;
        if !self.outputs.is_empty() {
            lines.push(Line::default());
        }
        for (name, value) in &self.outputs {
            let mut line = single(Tone::Faint, format!("  {name}"));
            line.pad_to(column);
            line.push(Tone::Plain, value);
            lines.push(line);
        }
    }

    fn next_lines(&self, lines: &mut Vec<Line>) {
        if !matches!(self.status, RunStatus::Failed | RunStatus::Canceled) {
            return;
        }
        lines.push(Line::default());
        let mut hint = |what: &str, command: String| {
            let mut line = single(Tone::Faint, what);
            line.pad_to(20);
            line.push(Tone::Plain, command);
            lines.push(line);
        };
        if let Some(task) = self.failures.iter().find(|failure| failure.has_log) {
            hint("the whole log", format!("penstock logs {} {}", self.selector, quoted(&task.path)));
        }
        if let Some((namespace, pod)) = &self.kept_pod {
            hint("its Pod (an hour)", format!("kubectl -n {} describe pod {}", quoted(namespace), quoted(pod)));
        }
        hint("go on as it was", format!("penstock retry {}", self.selector));
        hint("go on with changes", "penstock run your file again: what did not change comes from the cache".to_owned());
    }
}

/// How to name the run on the command line: its name when a shell takes it as it is.
pub(crate) fn selector(run: Uuid, state: &RunState) -> String {
    let plain = |name: &&str| !name.starts_with('-') && !name.is_empty() && name.chars().all(is_plain);
    state.info().map(|info| info.name.as_str()).filter(plain).map_or_else(|| run.to_string(), str::to_owned)
}

/// A word as a shell takes it literally.
pub(crate) fn quoted(word: &str) -> String {
    if word.chars().all(is_plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

fn is_plain(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.' | '/')
}

fn single(tone: Tone, text: impl Into<String>) -> Line {
    let mut line = Line::default();
    line.push(tone, text);
    line
}

/// Tasks that failed by themselves, the earliest first; after them those that failed where another had failed before.
fn failed_tasks(state: &RunState) -> Vec<NodeId> {
    let by_itself = |cause| !matches!(cause, FailureCause::Upstream | FailureCause::Canceled);
    let mut failed: Vec<_> = state
        .nodes()
        .filter(|view| view.status == TaskStatus::Failed && view.skip_reason().is_none())
        .filter(|view| view.failure().is_some_and(|failure| by_itself(failure.cause)))
        .filter(|view| {
            matches!(view.kind, NodeKind::Container | NodeKind::Importer) || state.children(view.id).is_empty()
        })
        .map(|view| (follows_a_failure(state, view.id), view.ended_at, view.id))
        .collect();
    failed.sort();
    failed.into_iter().map(|(.., id)| id).collect()
}

/// Whether something that a task, or a group around it, depends on had failed before it started. It may have failed for
/// want of what that would have made, in the same moment.
fn follows_a_failure(state: &RunState, id: NodeId) -> bool {
    let mut at = state.node(id);
    while let Some(view) = at {
        if view.dependencies().filter_map(|on| state.node(on)).any(|on| has_broken(&on)) {
            return true;
        }
        at = view.parent.and_then(|parent| state.node(parent));
    }
    false
}

fn has_broken(view: &NodeView<'_>) -> bool {
    let did_not_run = || matches!(view.skip_reason(), Some(SkipReason::UpstreamFailed { .. }));
    view.status == TaskStatus::Failed || did_not_run()
}

async fn failed_task(context: &Context, feed: &Feed, id: NodeId, with_log: bool) -> Option<FailedTask> {
    let state = feed.state();
    let view = state.node(id)?;
    let mut lines = None;
    if let Some(attempt) = view.attempt.filter(|_| with_log) {
        lines = match last_lines(context, feed, &view, attempt).await {
            Ok(lines) => lines,
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "the log of the failed task cannot be read");
                None
            }
        };
    }
    Some(FailedTask {
        path: inert(&state.path(id)),
        message: inert_lines(&view.failure()?.message),
        has_log: lines.is_some(),
        log: lines.unwrap_or_default(),
    })
}

/// The last lines of an attempt's log, wherever that is.
async fn last_lines(
    context: &Context,
    feed: &Feed,
    view: &NodeView<'_>,
    attempt: u32,
) -> anyhow::Result<Option<Vec<String>>> {
    let (state, id) = (feed.state(), view.id);
    if let Some(client) = feed.client() {
        let Some(log) = RemoteAttempt::new(state, id, attempt) else { return Ok(None) };
        return log.last_lines(client, LOG_LINES).await;
    }
    let Some(log) = AttemptLog::new(context, state, id, attempt, view.log_uri()) else { return Ok(None) };
    log.last_lines(context, LOG_LINES).await
}

/// The Pod of a task that failed in it lately: it is kept for a look, unless the user says otherwise. One that came to
/// nothing, such as for its image, is not kept.
fn kept_pod(feed: &Feed, id: NodeId, now: Timestamp) -> Option<(String, String)> {
    let view = feed.state().node(id).filter(|_| feed.on_kubernetes())?;
    let is_recent = now.duration_since(view.ended_at?).as_secs() < KEPT_SECONDS;
    if !is_recent || view.failure()?.cause == FailureCause::Refused {
        return None;
    }
    let info = feed.info();
    Some((info.namespace.clone(), pod_name(&info.name, view.key, view.task_id()?, view.attempt?)))
}

fn remark_text(remark: &Remark) -> String {
    let text = inert(&remark.text);
    match remark.kind {
        RemarkKind::Quarantined => format!("the driver leaves the run alone until somebody retries it: {text}"),
        RemarkKind::Contradiction => format!("{}: {text}; the report counts", inert(&remark.subject)),
    }
}

fn reason(state: &RunState) -> Option<String> {
    let text = state.failure().map(|failure| failure.message.as_str()).or(state.stop_reason())?;
    Some(inert_lines(text))
}

/// Names and values of outputs as people read them.
pub(crate) fn outputs(outputs: &TaskOutputs) -> Vec<(String, String)> {
    let parameters = outputs
        .parameters
        .iter()
        .map(|(name, value)| (inert(name), fit(&inert(&in_one_line(&value::to_text(value))), VALUE_WIDTH)));
    let artifacts = outputs.artifacts.iter().flat_map(|(name, list)| {
        list.iter().enumerate().map(move |(index, artifact)| {
            let name = if list.len() > 1 { format!("{name}[{index}]") } else { name.clone() };
            (inert(&name), describe(artifact))
        })
    });
    parameters.chain(artifacts).collect()
}

/// The first line, with a mark if there are more. The newline that programs end their output with makes no second line.
fn in_one_line(text: &str) -> String {
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    if lines.next().is_some() { format!("{first} …") } else { first.to_owned() }
}

fn describe(artifact: &Artifact) -> String {
    let title = &artifact.artifact_type.schema_title;
    let mut details: Vec<String> = Vec::new();
    details.extend((!title.is_empty()).then(|| title.clone()));
    if let Some(content) = &artifact.content {
        if content.directory {
            details.push(format!("{} files", content.files));
        }
        details.push(size(content.size));
    }
    let details = if details.is_empty() { String::new() } else { format!("  ({})", details.join(", ")) };
    inert(&format!("{}{details}", artifact.uri))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remarks_say_what_follows_from_them_and_are_inert() {
        let remark = |kind, subject: &str| {
            let (at, text) = (Timestamp::UNIX_EPOCH, "its facts\u{7} are damaged".to_owned());
            remark_text(&Remark { kind, subject: subject.to_owned(), at, text })
        };
        let held = remark(RemarkKind::Quarantined, "");
        assert_eq!(held, "the driver leaves the run alone until somebody retries it: its facts\\u{7} are damaged");
        let other = remark(RemarkKind::Contradiction, "train, attempt 1");
        assert_eq!(other, "train, attempt 1: its facts\\u{7} are damaged; the report counts");
    }

    #[test]
    fn only_values_of_several_lines_are_shown_as_cut_off() {
        for (value, shown) in
            [("0.93\n", "0.93"), ("0.93\r\n", "0.93"), ("0.93", "0.93"), ("one\ntwo\n", "one …"), ("\n", ""), ("", "")]
        {
            assert_eq!(in_one_line(value), shown, "{value:?}");
        }
    }

    #[test]
    fn words_that_a_shell_would_change_are_quoted() {
        assert_eq!(quoted("for-loop-1[3]/train"), "'for-loop-1[3]/train'");
        assert_eq!(quoted("train"), "train");
        assert_eq!(quoted("it's"), "'it'\\''s'");
    }
}
