//! Times in front of the lines of a log, as `kubectl logs --timestamps` has them.

use super::LogPiece;
use crate::Timestamp;

/// What stands in place of a time that is not known, as in syslog's messages (RFC 5424).
const UNKNOWN: &str = "-";

/// Puts the time at which a line began in front of it, however the log is cut.
#[derive(Debug, Default)]
pub struct Stamps {
    is_within_line: bool,
    /// The last time, and how it is written: many lines have the same.
    written: Option<(Timestamp, String)>,
}

impl Stamps {
    /// A piece of the log with its times.
    pub fn put(&mut self, piece: &LogPiece) -> Vec<u8> {
        let mut text = Vec::with_capacity(piece.bytes.len() * 2);
        let mut times = piece.times.iter().peekable();
        let mut from = 0;
        for line in piece.bytes.split_inclusive(|byte| *byte == b'\n') {
            while times.next_if(|(until, _)| *until <= from).is_some() {}
            if !self.is_within_line {
                let at = times.peek().and_then(|(_, at)| *at);
                text.extend_from_slice(self.word(at).as_bytes());
                text.push(b' ');
            }
            text.extend_from_slice(line);
            self.is_within_line = !line.ends_with(b"\n");
            from += line.len();
        }
        text
    }

    /// RFC 3339, in UTC, to the millisecond.
    fn word(&mut self, at: Option<Timestamp>) -> &str {
        let Some(at) = at else { return UNKNOWN };
        if self.written.as_ref().is_none_or(|(last, _)| *last != at) {
            self.written = Some((at, format!("{at:.3}")));
        }
        self.written.as_ref().map_or(UNKNOWN, |(_, word)| word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Option<Timestamp> {
        Some(text.parse().unwrap())
    }

    fn log() -> LogPiece {
        let times = vec![(5, at("2026-08-01T10:00:00Z")), (8, at("2026-08-01T10:00:01.5Z")), (11, None)];
        LogPiece { bytes: b"a\nb\n\ncd\ne\nf".to_vec(), times }
    }

    const STAMPED: &str = "2026-08-01T10:00:00.000Z a\n2026-08-01T10:00:00.000Z b\n2026-08-01T10:00:00.000Z \n\
                           2026-08-01T10:00:01.500Z cd\n- e\n- f";

    #[test]
    fn each_line_has_the_time_at_which_it_began() {
        assert_eq!(Stamps::default().put(&log()), STAMPED.as_bytes());
    }

    #[test]
    fn it_does_not_matter_where_a_log_is_cut() {
        for size in 1..log().bytes.len() {
            let (mut stamps, mut text, mut rest) = (Stamps::default(), Vec::new(), log());
            while !rest.bytes.is_empty() {
                let next = rest.behind(size.min(rest.bytes.len()));
                rest.bytes.truncate(rest.bytes.len() - next.bytes.len());
                text.extend(stamps.put(&rest));
                rest = next;
            }
            assert_eq!(String::from_utf8_lossy(&text), STAMPED, "{size}");
        }
    }

    #[test]
    fn piece_without_times_has_none() {
        assert_eq!(Stamps::default().put(&LogPiece::without_times(b"x\n".to_vec())), b"- x\n");
    }
}
