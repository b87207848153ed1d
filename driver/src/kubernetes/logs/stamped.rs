//! What a node sends when it is asked for the times of a log: in front of each line the time at which its first bytes were
//! printed, and a space.

use penstock_spec::Timestamp;
use penstock_spec::log_times::LogPiece;

/// The longest time that a node writes, with room to spare: `2026-08-01T10:00:00.123456789+00:00`.
const LONGEST: usize = 64;

/// Takes the times out, however what is sent is cut.
#[derive(Debug, Default)]
pub(super) struct Stamped {
    /// The beginning of a time that was cut.
    begun: Vec<u8>,
    /// Whether what comes next belongs to a line whose time was there.
    is_within: bool,
    /// The time of that line.
    at: Option<Timestamp>,
}

impl Stamped {
    /// What was printed of the next part.
    pub(super) fn read(&mut self, mut sent: &[u8]) -> LogPiece {
        let mut piece = LogPiece::default();
        while !sent.is_empty() {
            if !self.is_within {
                sent = self.begin(sent, &mut piece);
                continue;
            }
            let line = sent.iter().position(|byte| *byte == b'\n').map_or(sent.len(), |end| end + 1);
            let (line, rest) = sent.split_at_checked(line).unwrap_or((sent, &[]));
            piece.bytes.extend_from_slice(line);
            piece.times.push((piece.bytes.len(), self.at));
            self.is_within = !line.ends_with(b"\n");
            sent = rest;
        }
        piece
    }

    /// Reads the time that a line begins with; returns what is behind it.
    fn begin<'a>(&mut self, sent: &'a [u8], piece: &mut LogPiece) -> &'a [u8] {
        let room = LONGEST.saturating_sub(self.begun.len());
        let end = sent.iter().take(room).position(|byte| matches!(byte, b' ' | b'\n'));
        let Some(end) = end else {
            if sent.len() < room {
                self.begun.extend_from_slice(sent);
                return &[];
            }
            return self.without_time(sent, piece);
        };
        let (time, rest) = sent.split_at_checked(end).unwrap_or((sent, &[]));
        let text = [self.begun.as_slice(), time].concat();
        let at = std::str::from_utf8(&text).ok().and_then(|text| text.parse::<Timestamp>().ok());
        match (at, rest.split_first()) {
            (Some(at), Some((b' ', rest))) => {
                self.begun.clear();
                (self.at, self.is_within) = (Some(at), true);
                rest
            }
            _ => self.without_time(sent, piece),
        }
    }

    /// A line that does not begin with a time is all the log's.
    fn without_time<'a>(&mut self, sent: &'a [u8], piece: &mut LogPiece) -> &'a [u8] {
        piece.bytes.append(&mut self.begun);
        (self.at, self.is_within) = (None, true);
        sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: &[u8] =
        b"2026-08-01T10:00:00.123456789Z one\n2026-08-01T10:00:01Z \n2026-08-01T12:00:02+02:00 three 3\nno time\n";

    fn at(text: &str) -> Option<Timestamp> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn times_are_taken_out_of_lines() {
        let piece = Stamped::default().read(SENT);
        assert_eq!(piece.bytes, b"one\n\nthree 3\nno time\n");
        let expected = [
            (4, at("2026-08-01T10:00:00.123456789Z")),
            (5, at("2026-08-01T10:00:01Z")),
            (13, at("2026-08-01T10:00:02Z")),
            (21, None),
        ];
        assert_eq!(piece.times, expected);
    }

    #[test]
    fn it_does_not_matter_where_what_is_sent_is_cut() {
        for size in 1..SENT.len() {
            let mut stamped = Stamped::default();
            let mut whole = LogPiece::default();
            for part in SENT.chunks(size) {
                let piece = stamped.read(part);
                let before = whole.bytes.len();
                whole.bytes.extend(piece.bytes);
                for (until, at) in piece.times {
                    if whole.times.last().is_some_and(|(_, last)| *last == at) {
                        whole.times.pop();
                    }
                    whole.times.push((before + until, at));
                }
            }
            assert_eq!(whole, Stamped::default().read(SENT), "{size}");
        }
    }

    #[test]
    fn what_is_longer_than_a_time_is_none() {
        let long = "x".repeat(1000);
        assert_eq!(
            Stamped::default().read(long.as_bytes()),
            LogPiece { bytes: long.into_bytes(), times: vec![(1000, None)] }
        );
    }
}
