//! Text that PostgreSQL would refuse. It knows no U+0000, which SQLite stores and which may stand in whatever a task
//! prints; so that nothing is lost, it is written as two other characters there.

use std::borrow::Cow;

/// Begins a character that is written as two. Stands for nothing in Unicode; where a text has it nevertheless, it is
/// written as two as well.
const ESCAPE: char = char::MAX;
const NUL: char = '0';
const ITSELF: char = '1';

/// A text as PostgreSQL stores it.
pub(super) fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', ESCAPE]) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\0' => escaped.extend([ESCAPE, NUL]),
            ESCAPE => escaped.extend([ESCAPE, ITSELF]),
            other => escaped.push(other),
        }
    }
    Cow::Owned(escaped)
}

/// A text as it was before [`escape`].
pub(super) fn unescape(stored: &str) -> Cow<'_, str> {
    if !stored.contains(ESCAPE) {
        return Cow::Borrowed(stored);
    }
    let mut text = String::with_capacity(stored.len());
    let mut characters = stored.chars();
    while let Some(character) = characters.next() {
        match character {
            ESCAPE => text.push(if characters.next() == Some(NUL) { '\0' } else { ESCAPE }),
            other => text.push(other),
        }
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_reads_back() {
        for text in ["", "plain", "\0", "a\0b\0", "\u{10ffff}", "\u{10ffff}0\0\u{10ffff}1", "ä\u{10ffff}\0"] {
            let escaped = escape(text);
            assert!(!escaped.contains('\0'), "{text:?}");
            assert_eq!(unescape(&escaped), text);
        }
        assert!(matches!(escape("plain"), Cow::Borrowed(_)));
        assert!(matches!(unescape("plain"), Cow::Borrowed(_)));
    }
}
