//! Prints logs of user code: as they are into files and pipes, inert on a terminal, line by line behind the task's path
//! where several are printed.

use std::io::{self, IsTerminal, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

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
}

impl LogPrinter {
    /// With the path to put before each line.
    pub(crate) fn new(prefix: Option<String>) -> LogPrinter {
        LogPrinter { prefix, terminal: io::stdout().is_terminal(), partial: Vec::new() }
    }

    /// Takes the bytes of the log.
    pub(crate) fn sink(&mut self) -> LogSink<'_> {
        LogSink { printer: self }
    }

    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
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
            text.extend_from_slice(inert(last_overwrite(&String::from_utf8_lossy(line))).as_bytes());
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
