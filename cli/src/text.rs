//! Small pieces of text as people read them: durations, ages, sizes, counts, and foreign text made inert.

use penstock_spec::Timestamp;

/// Makes one line of foreign text safe to show: control characters, escape sequences and marks that change the
/// direction or are invisible appear escaped (I-14, I-32). Tabs stay.
pub(crate) fn inert(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    for character in line.chars() {
        if character == '\t' || !is_active(character) {
            text.push(character);
        } else {
            text.extend(character.escape_unicode());
        }
    }
    text
}

/// [`inert`] for text of several lines.
pub(crate) fn inert_lines(text: &str) -> String {
    text.lines().map(inert).collect::<Vec<_>>().join("\n")
}

/// What a terminal would have shown of a line that a progress bar wrote over again and again.
pub(crate) fn last_overwrite(line: &str) -> &str {
    let line = line.trim_end_matches('\r');
    line.rsplit('\r').next().unwrap_or(line)
}

fn is_active(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// A duration in at most two units: `0.4s`, `12s`, `3m 05s`, `2h 07m`, `3d 4h`.
pub(crate) fn duration(from: Timestamp, to: Timestamp) -> String {
    let milliseconds = to.as_millisecond().saturating_sub(from.as_millisecond()).max(0);
    let seconds = milliseconds / 1000;
    match seconds {
        0..10 => format!("{}.{}s", seconds, milliseconds % 1000 / 100),
        10..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h {:02}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// How long ago something was, in one unit: `just now`, `4m ago`.
pub(crate) fn age(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(then.as_second()).max(0);
    match seconds {
        0..5 => "just now".to_owned(),
        5..60 => format!("{seconds}s ago"),
        60..3600 => format!("{}m ago", seconds / 60),
        3600..86_400 => format!("{}h ago", seconds / 3600),
        _ => format!("{}d ago", seconds / 86_400),
    }
}

/// A number of bytes: `512 B`, `1.5 KiB`, `3.2 GiB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = UNITS[0];
    for next in &UNITS[1..] {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

/// Cuts text to at most `width` columns, with `…` in place of what is missing.
pub(crate) fn fit(text: &str, width: usize) -> String {
    console::truncate_str(text, width, "…").into_owned()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(0, "0.0s")]
    #[case(449, "0.4s")]
    #[case(9_999, "9.9s")]
    #[case(10_000, "10s")]
    #[case(185_000, "3m 05s")]
    #[case(7_620_000, "2h 07m")]
    #[case(273_600_000, "3d 4h")]
    #[case(-5_000, "0.0s")]
    fn durations_have_at_most_two_units(#[case] milliseconds: i64, #[case] expected: &str) {
        let end = Timestamp::from_millisecond(milliseconds + 1_000_000_000).unwrap();
        assert_eq!(duration(Timestamp::from_millisecond(1_000_000_000).unwrap(), end), expected);
    }

    #[rstest]
    #[case(0, "0 B")]
    #[case(1023, "1023 B")]
    #[case(1536, "1.5 KiB")]
    #[case(u64::MAX, "16384.0 PiB")]
    fn sizes_have_one_unit(#[case] bytes: u64, #[case] expected: &str) {
        assert_eq!(size(bytes), expected);
    }

    #[test]
    fn i32_control_sequences_are_shown_escaped() {
        assert_eq!(inert("a\u{1b}[31mred\u{7}\tb"), "a\\u{1b}[31mred\\u{7}\tb");
        assert_eq!(inert("\u{9b}2J"), "\\u{9b}2J");
    }

    #[test]
    fn i14_bidirectional_marks_are_shown_escaped() {
        assert_eq!(inert("x\u{202e}y\u{200b}"), "x\\u{202e}y\\u{200b}");
    }

    #[test]
    fn a_line_written_over_shows_its_last_state() {
        assert_eq!(last_overwrite("10%\r50%\r100%"), "100%");
        assert_eq!(last_overwrite("10%\r100%\r"), "100%");
        assert_eq!(last_overwrite("plain"), "plain");
    }
}
