//! Which names are accepted, and how they are shown.

use crate::keys;
use crate::limits::Limits;

/// What is wrong with a name of any kind.
pub(super) fn fault(name: &str, limits: &Limits) -> Option<&'static str> {
    if name.is_empty() {
        return Some("is empty");
    }
    if name.len() > limits.name_bytes {
        return Some("is too long");
    }
    name.chars().any(char::is_control).then_some("holds a control character")
}

/// What is wrong with a name that becomes a segment of object keys and paths.
pub(super) fn segment_fault(name: &str, limits: &Limits) -> Option<&'static str> {
    if matches!(name, "." | "..") {
        return Some("cannot be used as part of a path");
    }
    let slash = name.contains(['/', '\\']).then_some("holds a slash, so it cannot be used as part of a path");
    fault(name, limits).or(slash)
}

/// What is wrong with the name of an output artifact, which lies beside what we store ourselves.
pub(super) fn artifact_fault(name: &str, limits: &Limits) -> Option<&'static str> {
    let reserved = name == keys::MANIFEST_OBJECT
        || name == keys::OUTPUT_METADATA_FILE
        || name.strip_prefix(keys::EXECUTOR_LOGS).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    segment_fault(name, limits).or(reserved.then_some("is reserved"))
}

/// What is wrong with the name of a pipeline. KFP's server takes nearly everything with one character that the SDK
/// would write; slashes separate segments, as in `namespace/team/pipeline/train`.
pub(super) fn pipeline_fault(name: &str, limits: &Limits) -> Option<&'static str> {
    if !name.bytes().any(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
        return Some("has none");
    }
    name.split('/').find_map(|segment| segment_fault(segment, limits))
}

/// A text with the characters escaped that would hide or reorder others.
pub(super) fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        let hidden = matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}');
        if hidden || character.is_control() {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}
