//! Prints logs of user code: as they are into files and pipes, inert on a terminal, line by line behind the task's path
//! where several are printed.

use std::io::{self, IsTerminal, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use penstock_spec::Timestamp;
use penstock_spec::log_times::{LogPiece, LogTimes, Stamps};
use tokio::io::AsyncWrite;

use crate::text::{inert, last_overwrite};

/// Longest line that is held back until it is complete (I-32).
const LINE_LIMIT: usize = 64 * 1024;

/// How to print one log.
#[derive(Debug)]
pub(crate) struct LogPrinter {
    prefix: Option<String>,
    terminal: bool,
    /// The line that is not complete yet.
    partial: Vec<u8>,
    /// Whether lines begin with their times.
    is_stamped: bool,
    /// If the times have to be put there.
    stamping: Option<Stamping>,
}

/// A log that is printed with the times of its lines.
#[derive(Debug, Default)]
struct Stamping {
    stamps: Stamps,
    times: LogTimes,
    /// Whether it is being written: what its times do not have yet was printed a moment ago.
    is_growing: bool,
    /// How much of it was printed.
    offset: u64,
}

impl LogPrinter {
    /// With the path to put before each line, and perhaps the time.
    pub(crate) fn new(prefix: Option<String>, with_times: bool) -> LogPrinter {
        let stamping = with_times.then(Stamping::default);
        LogPrinter { stamping, ..LogPrinter::stamped(prefix, with_times) }
    }

    /// Of a log whose lines may begin with their times already.
    pub(crate) fn stamped(prefix: Option<String>, is_stamped: bool) -> LogPrinter {
        let (terminal, partial) = (io::stdout().is_terminal(), Vec::new());
        LogPrinter { prefix, terminal, partial, is_stamped, stamping: None }
    }

    /// Whether it asks for the times of the log.
    pub(crate) fn wants_times(&self) -> bool {
        self.stamping.is_some()
    }

    /// Tells it an index of the log's times, and whether the log is still being written.
    pub(crate) fn learn(&mut self, index: &str, is_growing: bool) {
        if let Some(stamping) = &mut self.stamping {
            stamping.times = LogTimes::default();
            stamping.times.read(index);
            stamping.is_growing = is_growing;
        }
    }

    /// Prints a part of the log that has its times with it.
    pub(crate) fn print(&mut self, piece: &LogPiece) -> io::Result<()> {
        match &mut self.stamping {
            Some(stamping) => {
                stamping.offset += piece.bytes.len() as u64;
                let text = stamping.stamps.put(piece);
                self.take_text(&text)
            }
            None => self.take_text(&piece.bytes),
        }
    }

    /// Takes the bytes of the log.
    pub(crate) fn sink(&mut self) -> LogSink<'_> {
        LogSink { printer: self }
    }

    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(stamping) = &self.stamping else { return self.take_text(bytes) };
        let rest = stamping.is_growing.then(Timestamp::now);
        self.print(&LogPiece::timed(bytes.to_vec(), stamping.offset, &stamping.times, rest))
    }

    fn take_text(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.prefix.is_none() && !self.terminal {
            return io::stdout().write_all(bytes);
        }
        let mut text = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.partial.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.partial.len() > LINE_LIMIT {
                self.finish_line(&mut text);
            }
        }
        io::stdout().write_all(&text)
    }

    fn finish_line(&mut self, text: &mut Vec<u8>) {
        let line = std::mem::take(&mut self.partial);
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        if let Some(prefix) = &self.prefix {
            text.extend_from_slice(prefix.as_bytes());
            text.extend_from_slice(b" | ");
        }
        if self.terminal {
            let line = String::from_utf8_lossy(line);
            let (time, line) = line.split_once(' ').filter(|_| self.is_stamped).unwrap_or(("", &line));
            if !time.is_empty() {
                text.extend_from_slice(inert(time).as_bytes());
                text.push(b' ');
            }
            text.extend_from_slice(inert(last_overwrite(line)).as_bytes());
        } else {
            text.extend_from_slice(line);
        }
        text.push(b'\n');
    }

    fn finish(&mut self) -> io::Result<()> {
        if self.partial.is_empty() {
            return Ok(());
        }
        let mut text = Vec::new();
        self.finish_line(&mut text);
        io::stdout().write_all(&text)
    }
}

/// Where the bytes of a log go. Shutting it down ends the last line.
#[derive(Debug)]
pub(crate) struct LogSink<'a> {
    printer: &'a mut LogPrinter,
}

impl AsyncWrite for LogSink<'_> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(self.get_mut().printer.take(bytes).map(|()| bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(io::stdout().flush())
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.get_mut().printer.finish().and_then(|()| io::stdout().flush()))
    }
}
