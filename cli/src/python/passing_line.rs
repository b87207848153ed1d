//! A line on the terminal that goes away: what the user waits for. Elsewhere than on a terminal nothing is written.

use std::convert::Infallible;
use std::future::Future;
use std::io::Write;
use std::time::Duration;

use console::{Term, measure_text_width};

use crate::text::{fit, inert};

/// How long something takes before that is worth a line.
const PATIENCE: Duration = Duration::from_millis(400);

/// Does some work. Where it takes long, a line is there until it is done, however it ends.
pub(super) async fn with_line<T>(text: &str, work: impl Future<Output = T>) -> T {
    with_line_after(PATIENCE, text, work).await
}

async fn with_line_after<T>(patience: Duration, text: &str, work: impl Future<Output = T>) -> T {
    let shown = async {
        tokio::time::sleep(patience).await;
        let _line = Line::show(Term::stderr(), text);
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        done = work => done,
        never = shown => match never {},
    }
}

/// Goes away when it is dropped.
struct Line {
    term: Term,
    columns: usize,
}

impl Line {
    fn show(term: Term, text: &str) -> Option<Line> {
        let (_, width) = term.size_checked().filter(|_| term.is_term())?;
        // In the last column, terminals begin a new line.
        let text = fit(&inert(text), usize::from(width).saturating_sub(1));
        write(&term, &text);
        Some(Line { columns: measure_text_width(&text), term })
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        write(&self.term, &blank(self.columns));
    }
}

/// Writes over a line, also where a terminal knows no sequences for that.
fn blank(columns: usize) -> String {
    format!("\r{}\r", " ".repeat(columns))
}

/// That it cannot be shown matters to nobody.
fn write(mut term: &Term, text: &str) {
    let _ = term.write_all(text.as_bytes());
    let _ = term.flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_is_done_whether_it_gets_a_line_or_not() {
        assert_eq!(with_line("compiling", async { 1 }).await, 1);
        let later = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            2
        };
        assert_eq!(with_line_after(Duration::ZERO, "compiling", later).await, 2);
    }

    #[test]
    fn line_is_written_over_to_its_last_column() {
        assert_eq!(blank(3), "\r   \r");
    }
}
