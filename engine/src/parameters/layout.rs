//! Times as text, UTC: in Go's layouts, which show a certain moment as an example, and in `strftime` formats.

use std::fmt::Write as _;

use penstock_spec::Timestamp;

/// What Go's layouts know, and the `strftime` directive that stands for it. Of two that begin alike, the longer first.
const LAYOUT: &[(&str, &str)] = &[
    ("January", "%B"),
    ("Jan", "%b"),
    ("Monday", "%A"),
    ("Mon", "%a"),
    ("MST", "UTC"),
    ("2006", "%Y"),
    ("-07:00:00", "+00:00:00"),
    ("-07:00", "+00:00"),
    ("-070000", "+000000"),
    ("-0700", "+0000"),
    ("-07", "+00"),
    ("Z07:00:00", "Z"),
    ("Z07:00", "Z"),
    ("Z070000", "Z"),
    ("Z0700", "Z"),
    ("Z07", "Z"),
    ("002", "%j"),
    ("01", "%m"),
    ("02", "%d"),
    ("03", "%I"),
    ("04", "%M"),
    ("05", "%S"),
    ("06", "%y"),
    ("15", "%H"),
    ("__2", "%_3j"),
    ("_2", "%e"),
    ("PM", "%p"),
    ("pm", "%P"),
    ("1", "%-m"),
    ("2", "%-d"),
    ("3", "%-I"),
    ("4", "%-M"),
    ("5", "%-S"),
];

/// Formats a time after a Go layout.
pub(super) fn format(time: Timestamp, layout: &str) -> String {
    let mut result = String::with_capacity(layout.len());
    let mut rest = layout;
    while let Some(character) = rest.chars().next() {
        if let Some((fraction, length)) = fraction(time, rest, result.chars().next_back()) {
            result.push_str(&fraction);
            rest = rest.get(length..).unwrap_or_default();
            continue;
        }
        let known = LAYOUT.iter().find(|(pattern, _)| rest.starts_with(pattern));
        // "Jan" and "Mon" only count where no lower-case letter goes on, as in "Janet".
        let known = known.filter(|(pattern, _)| {
            let word = matches!(*pattern, "Jan" | "Mon");
            let next = rest.get(pattern.len()..).and_then(|after| after.chars().next());
            !(word && next.is_some_and(|next| next.is_ascii_lowercase()))
        });
        match known.and_then(|(pattern, directive)| Some((pattern, strftime(time, directive)?))) {
            Some((pattern, text)) => {
                result.push_str(&text);
                rest = rest.get(pattern.len()..).unwrap_or_default();
            }
            None => {
                result.push(character);
                rest = rest.get(character.len_utf8()..).unwrap_or_default();
            }
        }
    }
    result
}

/// `.000` or `,999` after the seconds: zeros keep trailing zeros, nines drop them.
fn fraction(time: Timestamp, rest: &str, before: Option<char>) -> Option<(String, usize)> {
    let mut characters = rest.chars();
    let separator = characters.next().filter(|it| matches!(it, '.' | ','))?;
    let digit = characters.next().filter(|it| matches!(it, '0' | '9'))?;
    let count = rest.get(1..)?.chars().take_while(|it| *it == digit).count();
    let followed = rest.get(1 + count..).and_then(|after| after.chars().next());
    if !before?.is_ascii_digit() || count > 9 || followed.is_some_and(|next| next.is_ascii_digit()) {
        return None;
    }
    let digits = format!("{:09}", time.subsec_nanosecond().unsigned_abs());
    let mut text = digits.get(..count)?.to_owned();
    if digit == '9' {
        text.truncate(text.trim_end_matches('0').len());
    }
    let text = if text.is_empty() { text } else { format!("{separator}{text}") };
    Some((text, 1 + count))
}

/// Formats a time after a `strftime` format; nothing if the format is not one.
pub(super) fn strftime(time: Timestamp, format: &str) -> Option<String> {
    let mut text = String::new();
    write!(text, "{}", time.strftime(format)).ok()?;
    Some(text)
}
