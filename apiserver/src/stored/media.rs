//! What a browser is told about a file that user code wrote: nothing by which it would run or render what the file
//! says (T-03).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What need not be escaped in the name of a file.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');
/// Longest name that is suggested.
const LONGEST: usize = 200;

/// How a file is described.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Media {
    /// Its type.
    pub(crate) content_type: &'static str,
    /// Whether a browser may show it rather than save it.
    pub(crate) inline: bool,
}

/// Guesses by the end of the name. Whatever could hold markup or a script is bytes to be saved.
pub(crate) fn guess(name: &str) -> Media {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).unwrap_or_default();
    let content_type = match extension.as_str() {
        "txt" | "log" | "md" | "yaml" | "yml" | "toml" | "jsonl" => "text/plain; charset=utf-8",
        "csv" => "text/csv; charset=utf-8",
        "json" => "application/json",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        _ => return Media { content_type: "application/octet-stream", inline: false },
    };
    Media { content_type, inline: true }
}

/// Whether a file is a drawing: an image that can hold markup.
pub(crate) fn is_drawing(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, extension)| extension.eq_ignore_ascii_case("svg"))
}

/// The `Content-Disposition` for a file of this name.
pub(crate) fn disposition(name: &str, inline: bool) -> String {
    let kind = if inline { "inline" } else { "attachment" };
    let name: String = name.chars().filter(|character| !character.is_control()).take(LONGEST).collect();
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '_' }).collect();
    match plain == name {
        true => format!("{kind}; filename=\"{plain}\""),
        false => format!("{kind}; filename=\"{plain}\"; filename*=UTF-8''{}", utf8_percent_encode(&name, PLAIN)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t03_what_could_be_rendered_is_bytes_to_be_saved() {
        for name in
            ["a.html", "a.HTM", "a.svg", "a.xml", "a.xhtml", "a.js", "a.pdf", "a", "", ".", "a.png.html", "a.txt "]
        {
            assert_eq!(guess(name), Media { content_type: "application/octet-stream", inline: false }, "{name}");
        }
        assert_eq!(guess("x.PNG"), Media { content_type: "image/png", inline: true });
        assert_eq!(guess("report.txt").content_type, "text/plain; charset=utf-8");
    }

    #[test]
    fn i14_names_cannot_leave_their_header() {
        assert_eq!(disposition("model.bin", false), "attachment; filename=\"model.bin\"");
        assert_eq!(
            disposition("a\"\r\nSet-Cookie: ä", true),
            "inline; filename=\"a_Set-Cookie___\"; filename*=UTF-8''a%22Set-Cookie%3A%20%C3%A4"
        );
        assert!(disposition(&"ä".repeat(5000), false).len() < 2000);
    }
}
