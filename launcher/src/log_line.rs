//! The last line of a log, as a hint for people.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

/// How much of the end of a log is searched for its last line.
const TAIL: u64 = 8 << 10;
/// Longest excerpt of a log in a message.
const SHOWN: usize = 400;

/// The last line of a log that is not empty, made harmless for a terminal and bounded (I-32). None where it tells nobody
/// anything: the end of something that was printed over several lines, such as `}`.
pub(crate) fn last_line(mut log: File) -> Option<String> {
    let length = log.metadata().ok()?.len();
    log.seek(SeekFrom::Start(length.saturating_sub(TAIL))).ok()?;
    let mut bytes = Vec::new();
    log.take(TAIL).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
    if !line.chars().any(char::is_alphanumeric) {
        return None;
    }
    let inert = line.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
    Some(inert.take(SHOWN).collect())
}
