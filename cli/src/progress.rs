//! How the progress of a run is shown: a tree in place on a terminal, lines elsewhere, or not at all.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::time::Instant;

use console::Term;
use jiff::tz::TimeZone;
use penstock_engine::{NodeId, RunState};
use penstock_metastore::StoredFact;
use penstock_spec::Timestamp;
use penstock_spec::run::TaskStatus;

use crate::args::{OutputFormat, ProgressArgs};
use crate::context::Context;
use crate::live::Live;
use crate::plain;
use crate::style::{Line, Tone};
use crate::tree::Tree;
use crate::waiting::{WaitEnds, Waiting, Waits};

/// Shows progress. What cannot be written (a closed pipe) is not shown, and the run goes on.
pub(crate) enum Progress {
    /// Redrawn in place.
    Tree {
        live: Live,
        tree: Tree,
        color: bool,
        /// Whether somebody asked the run to end by Ctrl-C here.
        footer: Option<&'static str>,
    },
    /// A line for each event.
    Lines { stream: Stream, zone: TimeZone, waits: Waits<Attempt>, ends: WaitEnds<Attempt> },
    /// Nothing.
    Quiet,
}

/// A task and its attempt.
type Attempt = (NodeId, u32);

/// Where progress goes: with `-o json` standard output belongs to the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

impl Stream {
    fn is_terminal(self) -> bool {
        match self {
            Self::Out => io::stdout().is_terminal(),
            Self::Err => io::stderr().is_terminal(),
        }
    }

    /// Writes whole lines; a reader that went away is no error.
    pub(crate) fn print(self, text: &str) {
        let _ = match self {
            Self::Out => io::stdout().lock().write_all(text.as_bytes()),
            Self::Err => io::stderr().lock().write_all(text.as_bytes()),
        };
    }
}

impl Progress {
    /// Chooses by the flags and by where output goes.
    pub(crate) fn new(context: &Context, args: &ProgressArgs) -> Progress {
        if args.quiet {
            return Self::Quiet;
        }
        let stream = match args.output {
            OutputFormat::Text => Stream::Out,
            OutputFormat::Json => Stream::Err,
        };
        if !stream.is_terminal() || context.dumb_terminal {
            let (waits, ends) = (Waits::default(), WaitEnds::default());
            return Self::Lines { stream, zone: TimeZone::system(), waits, ends };
        }
        let (term, color) = match stream {
            Stream::Out => (Term::stdout(), context.color_out),
            Stream::Err => (Term::stderr(), context.color_err),
        };
        Self::Tree { live: Live::new(term, context.notices.clone()), tree: Tree::new(args.expand), color, footer: None }
    }

    /// A fact was added.
    pub(crate) fn fact(&mut self, state: &RunState, fact: &StoredFact) {
        if let Self::Lines { stream, zone, .. } = self
            && let Some(line) = plain::line(state, fact, zone)
        {
            stream.print(&format!("{line}\n"));
        }
    }

    /// Time went on. `waiting` is what tasks wait for.
    pub(crate) fn draw(&mut self, state: &RunState, waiting: &Waiting) {
        let (live, tree, color, footer) = match self {
            Self::Tree { live, tree, color, footer } => (live, tree, color, footer),
            Self::Lines { stream, zone, waits, ends } => {
                let waiting = of_attempts(state, waiting);
                let over = at_work(state, ends.due(Instant::now(), &waiting));
                if !over.is_empty() {
                    let line = plain::wait_end_line(state, &over, Timestamp::now(), zone);
                    stream.print(&format!("{line}\n"));
                }
                for (reason, attempts) in waits.due(Instant::now(), &waiting) {
                    let tasks: Vec<NodeId> = attempts.iter().map(|(task, _)| *task).collect();
                    let line = plain::waiting_line(state, &reason, &tasks, Timestamp::now(), zone);
                    stream.print(&format!("{line}\n"));
                    ends.said(attempts);
                }
                return;
            }
            Self::Quiet => return,
        };
        let (height, width) = live.size();
        // One row stays free for the cursor, one for the footer.
        let mut lines = tree.lines(state, waiting, Timestamp::now(), Some(height.saturating_sub(2)));
        if let Some(text) = footer {
            let mut line = Line::default();
            line.push(Tone::Caution, *text);
            lines.push(line);
        }
        let rendered: Vec<String> = lines.iter().map(|line| line.render(*color, width)).collect();
        let _ = live.draw(&rendered);
    }

    /// Says something about the command itself.
    pub(crate) fn say(&mut self, text: &'static str) {
        match self {
            Self::Tree { footer, .. } => *footer = Some(text),
            Self::Lines { .. } | Self::Quiet => Stream::Err.print(&format!("{text}\n")),
        }
    }

    /// The end: the whole tree stays on the screen.
    pub(crate) fn end(mut self, state: &RunState) {
        let Self::Tree { live, tree, color, .. } = &mut self else { return };
        let (_, width) = live.size();
        let lines = tree.lines(state, &Waiting::new(), Timestamp::now(), None);
        let rendered: Vec<String> = lines.iter().map(|line| line.render(*color, width)).collect();
        let _ = live.draw(&rendered);
        live.leave();
    }
}

/// The attempts that wait: the next one of a task begins to wait anew.
fn of_attempts(state: &RunState, waiting: &Waiting) -> BTreeMap<Attempt, String> {
    let attempt = |task: NodeId| state.node(task).and_then(|view| view.attempt).unwrap_or_default();
    waiting.iter().map(|(task, reason)| ((*task, attempt(*task)), reason.clone())).collect()
}

/// The tasks of those attempts that have not ended.
fn at_work(state: &RunState, attempts: Vec<Attempt>) -> Vec<NodeId> {
    let runs = |task: NodeId, attempt: u32| {
        state.node(task).is_some_and(|view| view.status == TaskStatus::Running && view.attempt == Some(attempt))
    };
    attempts.into_iter().filter(|(task, attempt)| runs(*task, *attempt)).map(|(task, _)| task).collect()
}
