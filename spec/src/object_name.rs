//! Forms of names that Kubernetes takes for objects and their parts.

/// The most characters of the name of an object.
pub const MAX_OBJECT_NAME: usize = 253;
/// The most characters of a DNS label.
pub const MAX_LABEL: usize = 63;

/// Whether a text can be the name of an object: a DNS subdomain, as Kubernetes checks it, so that its parts are bounded only
/// together.
pub fn is_object_name(text: &str) -> bool {
    text.len() <= MAX_OBJECT_NAME && text.split('.').all(has_form_of_label)
}

/// Whether a text is a DNS label.
pub fn is_label(text: &str) -> bool {
    text.len() <= MAX_LABEL && has_form_of_label(text)
}

/// Whether a part of a name has the form of a DNS label, whatever its length: small letters, digits and, within, `-`.
pub fn has_form_of_label(text: &str) -> bool {
    let is_edge = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    bytes.first().is_some_and(is_edge)
        && bytes.last().is_some_and(is_edge)
        && bytes.iter().all(|byte| is_edge(byte) || *byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_the_forms_that_kubernetes_takes() {
        assert!(is_label("a-1") && !is_label("a.b") && !is_label(&"a".repeat(64)) && !is_label(""));
        assert!(is_object_name("a.b-1") && is_object_name(&"a".repeat(253)));
        assert!(!is_object_name("A") && !is_object_name("a..b") && !is_object_name(&"a".repeat(254)));
    }
}
