//! From rows to lines: marks, columns, durations, reasons; and which lines to keep on a terminal that is too low.

use console::measure_text_width;
use penstock_engine::SkipReason;
use penstock_spec::Timestamp;
use penstock_spec::run::{RunInfo, RunStatus, TaskStatus, default_display_name};

use super::row::{Counts, Row};
use crate::style::{Line, Tone};
use crate::text::{duration, fit, inert};

/// A picture of a movement, one step each tenth of a second.
const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
/// Columns of a duration.
const DURATION_WIDTH: usize = 7;
/// Most columns that names may take.
const NAME_LIMIT: usize = 48;

/// What the first line is about.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    /// Name of the run.
    pub(crate) name: String,
    /// Name that somebody gave it.
    pub(crate) given_name: Option<String>,
    /// State of the run.
    pub(crate) status: RunStatus,
    /// When it started.
    pub(crate) started_at: Option<Timestamp>,
    /// When it ended.
    pub(crate) finished_at: Option<Timestamp>,
    /// All tasks that run something.
    pub(crate) tasks: Counts,
}

/// The first line.
pub(crate) fn head_line(head: &Head, now: Timestamp) -> Line {
    let mut line = Line::default();
    line.push(Tone::Strong, inert(&head.name));
    if let Some(given) = &head.given_name {
        line.push(Tone::Plain, format!(" ({given})"));
    }
    line.push(Tone::Plain, "  ");
    let (tone, word) = run_word(head.status);
    line.push(tone, word);
    if let Some(started) = head.started_at {
        line.push(Tone::Faint, format!("  {}", duration(started, head.finished_at.unwrap_or(now))));
    }
    let counts = counts_text(&head.tasks, CountsOf::Tasks);
    if !counts.is_empty() {
        line.push(Tone::Faint, format!("  {counts}"));
    }
    line
}

/// The name that somebody gave a run, made inert; nothing for the one that is made of its pipeline and its time.
pub(crate) fn given_name(info: &RunInfo) -> Option<String> {
    let made = default_display_name(&info.pipeline_name, info.created_at);
    let given = info.display_name.trim();
    (!given.is_empty() && given != made && given != info.name).then(|| fit(&inert(given), NAME_LIMIT))
}

/// A run's state in one word and its tone.
pub(crate) fn run_word(status: RunStatus) -> (Tone, &'static str) {
    match status {
        RunStatus::Pending => (Tone::Faint, "pending"),
        RunStatus::Running => (Tone::Active, "running"),
        RunStatus::Succeeded => (Tone::Good, "succeeded"),
        RunStatus::Skipped => (Tone::Faint, "skipped"),
        RunStatus::Failed => (Tone::Bad, "failed"),
        RunStatus::Canceling => (Tone::Caution, "cancelling"),
        RunStatus::Canceled => (Tone::Caution, "cancelled"),
        RunStatus::Paused => (Tone::Caution, "paused"),
    }
}

/// One line for each row.
pub(crate) fn row_lines(rows: &[Row], now: Timestamp) -> Vec<Line> {
    let indent = |row: &Row| 2 + 2 * row.depth;
    let names: Vec<String> = rows.iter().map(|row| inert(&row.name)).collect();
    let column = rows
        .iter()
        .zip(&names)
        .map(|(row, name)| indent(row) + 2 + measure_text_width(name))
        .max()
        .unwrap_or_default()
        .min(NAME_LIMIT);
    rows.iter()
        .zip(&names)
        .map(|(row, name)| {
            let mut line = Line::default();
            line.push(Tone::Plain, " ".repeat(indent(row)));
            let (tone, mark) = mark(row, now);
            line.push(tone, mark);
            line.push(Tone::Plain, " ");
            let room = column.saturating_sub(line.width());
            line.push(if is_quiet(row) { Tone::Faint } else { Tone::Plain }, fit(name, room.max(8)));
            line.pad_to(column);
            let time = time_text(row, now);
            line.push(Tone::Faint, format!("  {time:>DURATION_WIDTH$}"));
            for (tone, note) in notes(row, now) {
                line.push(Tone::Plain, "  ");
                line.push(tone, note);
            }
            line
        })
        .collect()
}

/// Chooses at most `height` lines of the rows: what failed and what is at work first, in the order of the tree, with
/// everything above it. The last line says how many are missing.
pub(crate) fn fit_height(rows: &[Row], lines: Vec<Line>, height: usize) -> Vec<Line> {
    if lines.len() <= height {
        return lines;
    }
    let room = height.saturating_sub(1);
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|&index| rows.get(index).map_or(u8::MAX, interest));
    let mut kept = vec![false; rows.len()];
    let mut used = 0;
    for index in order {
        let missing: Vec<usize> =
            ancestors(rows, index).chain([index]).filter(|&i| kept.get(i) == Some(&false)).collect();
        if used + missing.len() <= room {
            used += missing.len();
            for index in missing {
                if let Some(flag) = kept.get_mut(index) {
                    *flag = true;
                }
            }
        }
    }
    let mut hidden = Counts::default();
    let mut shown = Vec::with_capacity(height);
    for ((line, row), kept) in lines.into_iter().zip(rows).zip(kept) {
        if kept { shown.push(line) } else { hidden.add(row.status) }
    }
    let mut rest = Line::default();
    let what = counts_text(&hidden, CountsOf::Tasks);
    rest.push(Tone::Faint, format!("  … {} more: {what}", hidden.total));
    shown.truncate(room);
    shown.push(rest);
    shown
}

/// Rows above a row, nearest first.
fn ancestors(rows: &[Row], index: usize) -> impl Iterator<Item = usize> {
    let mut depth = rows.get(index).map_or(0, |row| row.depth);
    (0..index).rev().filter(move |&above| match rows.get(above) {
        Some(row) if row.depth < depth => {
            depth = row.depth;
            true
        }
        _ => false,
    })
}

/// Smaller is more interesting.
fn interest(row: &Row) -> u8 {
    match row.status {
        TaskStatus::Failed if row.skipped.is_none() => 0,
        TaskStatus::Running => 1,
        TaskStatus::Pending if row.retry_at.is_some() => 1,
        TaskStatus::Pending => 2,
        TaskStatus::Succeeded => 3,
        TaskStatus::Failed | TaskStatus::Skipped | TaskStatus::Canceled => 4,
    }
}

fn is_quiet(row: &Row) -> bool {
    matches!(row.status, TaskStatus::Skipped) || (row.status == TaskStatus::Pending && row.retry_at.is_none())
}

fn mark(row: &Row, now: Timestamp) -> (Tone, &'static str) {
    match row.status {
        TaskStatus::Pending if row.retry_at.is_some() => (Tone::Caution, "↻"),
        TaskStatus::Pending => (Tone::Faint, "○"),
        TaskStatus::Running => (Tone::Active, spinner(now)),
        TaskStatus::Succeeded => (Tone::Good, "✓"),
        TaskStatus::Skipped => (Tone::Faint, "–"),
        TaskStatus::Failed if row.skipped.is_some() => (Tone::Faint, "–"),
        TaskStatus::Failed => (Tone::Bad, "✗"),
        TaskStatus::Canceled => (Tone::Caution, "■"),
    }
}

fn spinner(now: Timestamp) -> &'static str {
    let step = now.as_millisecond().div_euclid(100).rem_euclid(SPINNER.len() as i64);
    usize::try_from(step).ok().and_then(|step| SPINNER.get(step)).copied().unwrap_or("⠿")
}

fn time_text(row: &Row, now: Timestamp) -> String {
    match (row.status, row.started_at) {
        _ if row.cached => String::new(),
        (TaskStatus::Pending | TaskStatus::Skipped, _) | (_, None) => String::new(),
        (_, Some(started)) => duration(started, row.finished_at.unwrap_or(now)),
    }
}

fn notes(row: &Row, now: Timestamp) -> Vec<(Tone, String)> {
    let mut notes = Vec::new();
    if let Some(counts) = &row.iterations {
        let tone = if counts.failed > 0 { Tone::Bad } else { Tone::Faint };
        notes.push((tone, counts_text(counts, CountsOf::Iterations)));
    }
    if row.cached {
        notes.push((Tone::Active, "cached".to_owned()));
    }
    if row.attempt.is_some_and(|attempt| attempt > 0) {
        notes.push((Tone::Caution, attempt_text(row.attempt)));
    }
    if row.on_host {
        notes.push((Tone::Caution, "ran on this machine, without its image".to_owned()));
    }
    if let Some(reason) = &row.skipped {
        notes.push((Tone::Faint, skip_text(reason)));
    } else if let Some(at) = row.retry_at.filter(|_| row.status == TaskStatus::Pending) {
        notes.push((Tone::Caution, format!("next attempt in {}", duration(now, at))));
    } else if row.queued {
        notes.push((Tone::Faint, "queued".to_owned()));
    }
    if let Some(reason) = &row.waits {
        notes.push((Tone::Faint, reason.clone()));
    }
    if let Some(failure) = row.failure.as_ref().filter(|_| !row.has_rows_below) {
        let tone = if row.status == TaskStatus::Failed { Tone::Bad } else { Tone::Faint };
        notes.push((tone, first_line(&failure.message)));
    }
    notes
}

/// An attempt as people count them.
pub(crate) fn attempt_text(attempt: Option<u32>) -> String {
    attempt.map(|attempt| format!("attempt {}", u64::from(attempt) + 1)).unwrap_or_default()
}

/// Why a task did not run.
pub(crate) fn skip_text(reason: &SkipReason) -> String {
    match reason {
        SkipReason::Condition { condition } => format!("skipped: {} is false", first_line(condition)),
        SkipReason::Upstream { task } => format!("skipped: {} did not run", inert(task)),
        SkipReason::UpstreamFailed { task } => format!("not run: {} failed", inert(task)),
    }
}

/// The first line of a text, made inert.
pub(crate) fn first_line(text: &str) -> String {
    let mut lines = text.lines().map(str::trim_end).filter(|line| !line.is_empty());
    let first = inert(lines.next().unwrap_or_default());
    if lines.next().is_some() { format!("{first} …") } else { first }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum CountsOf {
    Tasks,
    Iterations,
}

fn counts_text(counts: &Counts, of: CountsOf) -> String {
    let mut parts = Vec::new();
    match of {
        CountsOf::Iterations if counts.total == 0 => return "no items".to_owned(),
        CountsOf::Iterations => parts.push(format!("{}/{} done", counts.done, counts.total)),
        CountsOf::Tasks => {
            let cached = if counts.cached > 0 { format!(" ({} cached)", counts.cached) } else { String::new() };
            let ran = counts.done.saturating_sub(counts.skipped);
            parts.extend((ran > 0).then(|| format!("{ran} done{cached}")));
            parts.extend((counts.skipped > 0).then(|| format!("{} skipped", counts.skipped)));
        }
    }
    for (count, word) in [(counts.running, "running"), (counts.failed, "failed"), (counts.canceled, "cancelled")] {
        parts.extend((count > 0).then(|| format!("{count} {word}")));
    }
    if of == CountsOf::Tasks && counts.waiting() > 0 {
        parts.push(format!("{} waiting", counts.waiting()));
    }
    parts.join(", ")
}
