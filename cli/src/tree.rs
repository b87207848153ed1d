//! The tree of a run's tasks: a pure function from the run's state and the time to lines.
//!
//! Loops are one line with counters; only iterations that failed are opened. [`outline`] decides what has a line,
//! [`layout`] how it looks.

mod layout;
mod outline;
mod row;

use penstock_engine::RunState;
use penstock_spec::Timestamp;

pub(crate) use layout::{attempt_text, first_line, given_name, run_word, skip_text};
pub(crate) use outline::order;

use crate::style::Line;
use crate::waiting::Waiting;

/// How to show a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tree {
    expand: bool,
}

impl Tree {
    /// With `expand` all iterations of loops have their lines.
    pub(crate) fn new(expand: bool) -> Tree {
        Tree { expand }
    }

    /// The run at this time, in at most `height` lines. `waiting` is what tasks wait for.
    pub(crate) fn lines(self, state: &RunState, waiting: &Waiting, now: Timestamp, height: Option<usize>) -> Vec<Line> {
        let outline = outline::outline(state, waiting, self.expand);
        let mut lines = layout::row_lines(&outline.rows, now);
        if let Some(height) = height {
            lines = layout::fit_height(&outline.rows, lines, height.saturating_sub(1));
        }
        lines.insert(0, layout::head_line(&outline.head, now));
        lines
    }
}

#[cfg(test)]
mod tests;
