//! Logs that are printed with the times of their lines.

use penstock_spec::Timestamp;

/// The lines of a log without their times, of which each is one, and none is before the one above it.
///
/// # Panics
/// If a line has none, or times run backwards.
pub fn without_times(log: &str) -> String {
    let mut last = Timestamp::MIN;
    let mut text = String::new();
    for line in log.lines() {
        let (time, line) = line.split_once(' ').unwrap_or_else(|| panic!("no time: {log}"));
        let time: Timestamp = time.parse().unwrap_or_else(|error| panic!("{time} is no time ({error}): {log}"));
        assert!(time >= last, "{log}");
        last = time;
        text.push_str(line);
        text.push('\n');
    }
    text
}
