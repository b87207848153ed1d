//! A block of lines at the end of the terminal that is drawn over in place.
//!
//! Lines that belong above the block (warnings) go through [`Notices`]. The cursor is hidden while the block is
//! shown, and is back on every way out: end, error, panic.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use console::Term;

const HIDE_CURSOR: &str = "\u{1b}[?25l";
const SHOW_CURSOR: &str = "\u{1b}[?25h";
/// Most lines that wait to be shown above the block.
const NOTICE_LIMIT: usize = 1000;

/// Whether the cursor is hidden, for whoever ends the process.
static CURSOR_HIDDEN: AtomicBool = AtomicBool::new(false);

/// A block of lines that is drawn over in place.
#[derive(Debug)]
pub(crate) struct Live {
    term: Term,
    /// Widths of the lines on the screen, to know how many rows they take after the terminal became narrower.
    drawn: Vec<usize>,
    notices: Notices,
}

impl Live {
    /// Takes over the end of the terminal.
    pub(crate) fn new(term: Term, notices: Notices) -> Self {
        notices.hold(true);
        Self { term, drawn: Vec::new(), notices }
    }

    /// Height and width of the terminal.
    pub(crate) fn size(&self) -> (usize, usize) {
        usable(self.term.size_checked().unwrap_or((24, 80)))
    }

    /// Replaces the block. The lines must not be wider than the terminal.
    pub(crate) fn draw(&mut self, lines: &[String]) -> io::Result<()> {
        let mut frame = String::new();
        if !CURSOR_HIDDEN.swap(true, Ordering::SeqCst) {
            frame.push_str(HIDE_CURSOR);
        }
        self.move_to_start(&mut frame);
        for notice in self.notices.take() {
            push_line(&mut frame, &notice);
        }
        for line in lines {
            push_line(&mut frame, line);
        }
        frame.push_str("\u{1b}[J");
        self.drawn = lines.iter().map(|line| console::measure_text_width(line)).collect();
        self.write(&frame)
    }

    /// Removes the block and gives the terminal back.
    pub(crate) fn clear(&mut self) -> io::Result<()> {
        let mut frame = String::new();
        self.move_to_start(&mut frame);
        frame.push_str("\u{1b}[J");
        self.drawn.clear();
        for notice in self.notices.take() {
            push_line(&mut frame, &notice);
        }
        if CURSOR_HIDDEN.swap(false, Ordering::SeqCst) {
            frame.push_str(SHOW_CURSOR);
        }
        self.write(&frame)
    }

    /// Leaves the block where it is; nothing draws over it any more.
    pub(crate) fn leave(&mut self) {
        self.drawn.clear();
    }

    fn move_to_start(&self, frame: &mut String) {
        let (_, width) = self.size();
        let rows: usize = self.drawn.iter().map(|&drawn| drawn.max(1).div_ceil(width)).sum();
        frame.push('\r');
        if rows > 0 {
            frame.push_str(&format!("\u{1b}[{rows}A"));
        }
    }

    fn write(&self, frame: &str) -> io::Result<()> {
        let mut term = &self.term;
        term.write_all(frame.as_bytes())?;
        term.flush()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // Whatever happened, there is no better place left to report it.
        let _ = self.clear();
        self.notices.hold(false);
    }
}

/// Height and width to draw for. The width is never more than there is: a line that the terminal wraps takes rows that
/// nobody counts, and the next frame leaves them behind.
fn usable((height, width): (u16, u16)) -> (usize, usize) {
    (usize::from(height.max(4)), usize::from(width.max(1)))
}

fn push_line(frame: &mut String, line: &str) {
    frame.push_str(line);
    frame.push_str("\u{1b}[K\r\n");
}

/// Shows the cursor again, for ways out that run no destructors.
pub(crate) fn restore_cursor() {
    if CURSOR_HIDDEN.swap(false, Ordering::SeqCst) {
        let _ = Term::stderr().write_str(SHOW_CURSOR);
    }
}

/// Lines of Penstock's own log. They go to standard error, or wait for the block that is being drawn there.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notices {
    shared: Arc<Mutex<Held>>,
}

#[derive(Debug, Default)]
struct Held {
    holding: bool,
    lines: VecDeque<String>,
}

impl Notices {
    fn hold(&self, holding: bool) {
        let mut held = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        held.holding = holding;
    }

    fn take(&self) -> VecDeque<String> {
        std::mem::take(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner).lines)
    }

    /// Shows one or more lines.
    pub(crate) fn add(&self, text: &str) {
        let mut held = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if held.holding {
            for line in text.lines() {
                if held.lines.len() == NOTICE_LIMIT {
                    held.lines.pop_front();
                }
                held.lines.push_back(line.to_owned());
            }
        } else {
            // A closed standard error must not end the run.
            let _ = io::stderr().write_all(text.as_bytes());
        }
    }
}

/// One message of the log on its way to [`Notices`].
#[derive(Debug)]
pub(crate) struct NoticeWriter {
    notices: Notices,
    buffer: Vec<u8>,
}

impl Write for NoticeWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for NoticeWriter {
    fn drop(&mut self) {
        self.notices.add(&String::from_utf8_lossy(&self.buffer));
    }
}

impl<'a> tracing_subscriber::fmt::MakeWriter<'a> for Notices {
    type Writer = NoticeWriter;

    fn make_writer(&'a self) -> NoticeWriter {
        NoticeWriter { notices: self.clone(), buffer: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_a_narrow_terminal() {
        assert_eq!(usable((6, 15)), (6, 15));
        assert_eq!(usable((1, 1)), (4, 1));
    }
}
