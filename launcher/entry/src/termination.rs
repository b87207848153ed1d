//! Last words: what Kubernetes shows as the reason for which a container ended.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use rustix::fs::{Mode, OFlags, open};

use crate::protocol::MAX_TERMINATION_MESSAGE;

/// Says something of the entry's own to whoever reads the container's log and status.
pub fn tell(path: &Path, message: &str) {
    // Nobody is left to be told of a failure.
    let _ = writeln!(io::stderr(), "penstock-entry: {message}");
    let _ = write_message(path, message);
}

/// Replaces the message of the container's status.
pub fn write_message(path: &Path, message: &str) -> io::Result<()> {
    // User code may have put anything at this place: nothing is followed, and a FIFO does not block. Kubernetes makes
    // the file; where it did not, nobody would read it.
    let flags = OFlags::WRONLY | OFlags::TRUNC | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = open(path, flags, Mode::empty())?;
    File::from(file).write_all(truncate(message, MAX_TERMINATION_MESSAGE).as_bytes())
}

/// The beginning of a text, up to a number of bytes.
pub fn truncate(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("message");
        std::fs::write(&path, "older and longer".repeat(1000)).unwrap();
        write_message(&path, &"\u{e9}".repeat(3000)).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "\u{e9}".repeat(2048));
        write_message(&path, "short").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "short");
        assert_eq!(truncate("a\u{e9}", 2), "a");
    }

    #[test]
    fn a_link_in_its_place_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(write_message(&link, "text").is_err());
        assert!(write_message(&target, "text").is_err(), "it was not asked for");
        assert!(!target.exists());
    }
}
