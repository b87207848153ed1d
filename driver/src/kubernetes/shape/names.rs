//! Forms of keys and values of labels that Kubernetes takes.

use penstock_spec::object_name::{MAX_LABEL, is_object_name};

/// Whether a text can be the key of a label or annotation.
pub(super) fn is_key(text: &str) -> bool {
    match text.split_once('/') {
        Some((prefix, name)) => is_object_name(prefix) && is_part(name) && !name.is_empty(),
        None => is_part(text) && !text.is_empty(),
    }
}

/// Whether a text can be the value of a label.
pub(super) fn is_label_value(text: &str) -> bool {
    is_part(text)
}

fn is_part(text: &str) -> bool {
    let is_edge = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    text.len() <= MAX_LABEL
        && is_edge(bytes.first())
        && is_edge(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_have_the_forms_that_kubernetes_takes() {
        for key in ["a", "A_b.c", "example.com/a", "a/b"] {
            assert!(is_key(key), "{key}");
        }
        for key in ["", "/", "a/", "/a", "a/b/c", "Ex/a", "-a", "a b", "a/-"] {
            assert!(!is_key(key), "{key}");
        }
        assert!(is_label_value("") && is_label_value("A.b_c") && !is_label_value("-a") && !is_label_value("a/b"));
    }
}
