//! When which part of a log was written.
//!
//! A log is what a program printed, byte for byte, so its times lie beside it: an index of marks, of which each says how
//! long the log had become by when.

mod stamps;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::Timestamp;

pub use stamps::Stamps;

/// What the name of a log's index has behind that of the log.
pub const SUFFIX: &str = ".times";
/// The most bytes that an index is read with. One that [`Pace`] made is smaller, however long its log was written to.
pub const MOST_BYTES: u64 = 4 << 20;

/// The shortest time between two marks.
const FINEST_MS: i64 = 100;
/// How many shortest steps a log's whole time is divided into once they would be longer.
const STEPS: i64 = 10_000;

/// Where the index of a log lies that is an object.
pub fn index_uri(log_uri: &str) -> String {
    format!("{log_uri}{SUFFIX}")
}

/// Where the index of a log lies that is a file.
pub fn index_path(log: &Path) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(SUFFIX);
    name.into()
}

/// How long a log had become by a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    length: u64,
    /// Milliseconds of Unix time.
    at: i64,
}

/// The times of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogTimes {
    /// Lengths increase, and times do not decrease.
    marks: Vec<Mark>,
}

impl LogTimes {
    /// Adds that a log has this length by now, and returns the line that says so in its index; nothing if it is no longer
    /// than it was.
    pub fn note(&mut self, length: u64, at: Timestamp) -> Option<String> {
        if length <= self.length() {
            return None;
        }
        // Clocks are set back now and then.
        let at = at.as_millisecond().max(self.marks.last().map_or(i64::MIN, |mark| mark.at));
        self.marks.push(Mark { length, at });
        Some(format!("{length} {at}\n"))
    }

    /// How much of the log has times.
    pub fn length(&self) -> u64 {
        self.marks.last().map_or(0, |mark| mark.length)
    }

    /// Whether nothing of the log has.
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// By when the byte at an offset was written.
    pub fn at(&self, offset: u64) -> Option<Timestamp> {
        let first = self.marks.partition_point(|mark| mark.length <= offset);
        Timestamp::from_millisecond(self.marks.get(first)?.at).ok()
    }

    /// The times of a log from which the first `start` bytes were taken away.
    pub fn behind(&self, start: u64) -> Self {
        let rest = self.marks.iter().filter(|mark| mark.length > start);
        Self { marks: rest.map(|mark| Mark { length: mark.length - start, at: mark.at }).collect() }
    }

    /// Adds what an index says. What cannot be read in it is left out, and so is what contradicts what is before it.
    pub fn read(&mut self, index: &str) {
        for (length, at) in index.lines().filter_map(mark_of) {
            self.note(length, at);
        }
    }

    /// The index.
    pub fn index(&self) -> String {
        let mut text = String::new();
        for Mark { length, at } in &self.marks {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{length} {at}");
        }
        text
    }
}

fn mark_of(line: &str) -> Option<(u64, Timestamp)> {
    let (length, at) = line.split_once(' ')?;
    Some((length.parse().ok()?, Timestamp::from_millisecond(at.parse().ok()?).ok()?))
}

/// Which looks at a growing log are noted: fewer the longer it is written to, so that its index stays small.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    begun: Timestamp,
    noted: Option<Timestamp>,
}

impl Pace {
    /// Of a log that is written from now on.
    pub fn new(begun: Timestamp) -> Self {
        Self { begun, noted: None }
    }

    /// Whether what a look shows now is to be noted.
    pub fn is_due(&self, now: Timestamp) -> bool {
        let since = |then: Timestamp| now.as_millisecond() - then.as_millisecond();
        let step = FINEST_MS.max(since(self.begun) / STEPS);
        self.noted.is_none_or(|noted| since(noted) >= step || since(noted) < 0)
    }

    /// It was noted.
    pub fn noted(&mut self, now: Timestamp) {
        self.noted = Some(now);
    }
}

/// A part of a log as it comes, with its times.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogPiece {
    /// What was printed.
    pub bytes: Vec<u8>,
    /// By when it was, up to which byte of the piece; of what is behind the last of them, it is not known.
    pub times: Vec<(usize, Option<Timestamp>)>,
}

impl LogPiece {
    /// A part of which nobody knows when it was printed.
    pub fn without_times(bytes: Vec<u8>) -> Self {
        Self { bytes, times: Vec::new() }
    }

    /// The part of a log at an offset, whose times an index has; `rest` is that of what the index does not have yet.
    pub fn timed(bytes: Vec<u8>, offset: u64, index: &LogTimes, rest: Option<Timestamp>) -> Self {
        let end = offset + bytes.len() as u64;
        let first = index.marks.partition_point(|mark| mark.length <= offset);
        let mut times = Vec::new();
        for mark in index.marks.get(first..).unwrap_or_default() {
            let until = usize::try_from(mark.length.min(end) - offset).unwrap_or(bytes.len());
            times.push((until, Timestamp::from_millisecond(mark.at).ok()));
            if mark.length >= end {
                break;
            }
        }
        if rest.is_some() && times.last().is_none_or(|(until, _)| *until < bytes.len()) {
            times.push((bytes.len(), rest));
        }
        Self { bytes, times }
    }

    /// What is left of it behind its first `count` bytes.
    pub fn behind(&self, count: usize) -> Self {
        let rest = self.times.iter().filter(|(until, _)| *until > count);
        Self {
            bytes: self.bytes.get(count..).unwrap_or_default().to_vec(),
            times: rest.map(|(until, at)| (until - count, *at)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(1_795_818_506_000 + milliseconds).unwrap()
    }

    fn times(marks: &[(u64, i64)]) -> LogTimes {
        let mut times = LogTimes::default();
        for (length, milliseconds) in marks {
            times.note(*length, at(*milliseconds)).unwrap();
        }
        times
    }

    #[test]
    fn byte_was_written_by_the_first_look_that_saw_it() {
        let times = times(&[(10, 0), (12, 200)]);
        assert_eq!((times.at(0), times.at(9)), (Some(at(0)), Some(at(0))));
        assert_eq!((times.at(10), times.at(11), times.at(12)), (Some(at(200)), Some(at(200)), None));
        assert_eq!(times.length(), 12);
    }

    #[test]
    fn index_says_what_was_noted() {
        let noted = times(&[(10, 0), (12, 200)]);
        assert_eq!(noted.index(), "10 1795818506000\n12 1795818506200\n");
        let mut read = LogTimes::default();
        read.read(&noted.index());
        assert_eq!(read, noted);
    }

    #[test]
    fn index_that_others_wrote_is_read_as_far_as_it_makes_sense() {
        let mut times = LogTimes::default();
        times.read("10 1795818506000\nx y\n\n9 1795818506001\n-3 1\n12\n99999999999999999999 1\n12 99999999999999999\n14 5\n\u{fffd}");
        assert_eq!(times.index(), "10 1795818506000\n14 1795818506000\n");
    }

    #[test]
    fn log_whose_beginning_is_gone_keeps_the_times_of_the_rest() {
        assert_eq!(times(&[(10, 0), (12, 200), (15, 300)]).behind(10).index(), "2 1795818506200\n5 1795818506300\n");
    }

    #[test]
    fn clock_that_is_set_back_stands_still() {
        let mut times = times(&[(10, 500)]);
        times.note(11, at(0));
        assert_eq!(times.at(10), Some(at(500)));
    }

    #[test]
    fn index_stays_small_however_long_a_log_is_written_to() {
        let (mut pace, mut times) = (Pace::new(at(0)), LogTimes::default());
        let (mut now, month) = (0, 31 * 24 * 3600 * 1000);
        while now < month {
            if pace.is_due(at(now)) {
                pace.noted(at(now));
                times.note(u64::try_from(now).unwrap() * 1_000_000 + 1, at(now));
            }
            now += FINEST_MS.max(now / (10 * STEPS));
        }
        let (size, marks) = (times.index().len() as u64, times.marks.len());
        assert!(size <= MOST_BYTES && marks > 50_000, "{marks} marks, {size} bytes");
    }

    #[test]
    fn piece_has_the_times_of_its_part() {
        let index = times(&[(10, 0), (12, 200), (15, 300)]);
        let piece = LogPiece::timed(b"abcdef".to_vec(), 9, &index, None);
        assert_eq!(piece.times, [(1, Some(at(0))), (3, Some(at(200))), (6, Some(at(300)))]);
        assert_eq!(piece.behind(2), LogPiece::timed(b"cdef".to_vec(), 11, &index, None));
        let piece = LogPiece::timed(b"abcdef".to_vec(), 12, &index, Some(at(400)));
        assert_eq!(piece.times, [(3, Some(at(300))), (6, Some(at(400)))]);
        assert_eq!(LogPiece::timed(b"ab".to_vec(), 15, &index, None), LogPiece::without_times(b"ab".to_vec()));
    }
}
