//! Server-sent events out of the bytes of an answer.

use penstock_engine::Fact;
use penstock_metastore::StoredFact;
use penstock_spec::Timestamp;
use serde::Deserialize;
use thiserror::Error;

/// Most bytes of one event: a fact holds what a task has put out.
const LIMIT: usize = 64 << 20;

/// What comes is no event of a run.
#[derive(Debug, Error)]
pub(super) enum EventError {
    #[error("an event is larger than {LIMIT} bytes")]
    TooLarge,
    #[error("an event is not understood")]
    Unknown(#[from] serde_json::Error),
}

#[derive(Debug, Deserialize)]
struct EventDocument {
    seq: u64,
    at: Timestamp,
    fact: Fact,
}

/// Puts events together.
#[derive(Debug, Default)]
pub(super) struct Events {
    /// The line that is not complete yet.
    line: Vec<u8>,
    data: String,
}

impl Events {
    /// Takes the next bytes; the facts that are complete with them.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<Vec<StoredFact>, EventError> {
        let mut facts = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.line.len() + piece.len() + self.data.len() > LIMIT {
                return Err(EventError::TooLarge);
            }
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                facts.extend(self.end_of_line()?);
            }
        }
        Ok(facts)
    }

    fn end_of_line(&mut self) -> Result<Option<StoredFact>, EventError> {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end_matches(['\r', '\n']);
        if let Some(data) = line.strip_prefix("data:") {
            if !self.data.is_empty() {
                self.data.push('\n');
            }
            self.data.push_str(data.strip_prefix(' ').unwrap_or(data));
        }
        // The number is in the data too; what else there may be (comments, other fields) says nothing here.
        if !line.is_empty() || self.data.is_empty() {
            return Ok(None);
        }
        let EventDocument { seq, at, fact } = serde_json::from_str(&std::mem::take(&mut self.data))?;
        Ok(Some(StoredFact { seq, at, fact }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = ":\n\nid: 4\ndata: {\"seq\":4,\"at\":\"2026-08-01T10:00:00Z\",\"fact\":{\"fact\":\"attemptStarted\",\
                          \"node\":1,\"attempt\":0}}\n\nid: 5\r\ndata:{\"seq\":5,\ndata: \"at\":\"2026-08-01T10:00:00Z\",\
                          \"fact\":{\"fact\":\"retryRequested\"}}\r\n\r\n:\n\n";

    #[test]
    fn events_are_found_however_they_are_cut() {
        for size in [1, 2, 7, 50, STREAM.len()] {
            let mut events = Events::default();
            let facts: Vec<u64> = STREAM
                .as_bytes()
                .chunks(size)
                .flat_map(|chunk| events.take(chunk).expect("events"))
                .map(|fact| fact.seq)
                .collect();
            assert_eq!(facts, [4, 5], "in pieces of {size}");
        }
    }

    #[test]
    fn i22_what_is_no_fact_is_refused() {
        for text in [
            "data: x\n\n",
            "data: {\"seq\":1}\n\n",
            "data: {\"seq\":1,\"at\":\"2026-08-01T10:00:00Z\",\"fact\":{\"fact\":\"new\"}}\n\n",
        ] {
            assert!(Events::default().take(text.as_bytes()).is_err(), "{text}");
        }
    }
}
