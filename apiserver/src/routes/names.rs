//! Names: what is the name when only one of two is given, and how long names may be.

use crate::error::ApiError;

/// The identity and the name for people of something new; either stands in for the other.
pub(super) fn name_and_display_name(name: String, display_name: String) -> Result<(String, String), ApiError> {
    match (name.is_empty(), display_name.is_empty()) {
        (true, true) => Err(ApiError::invalid("name is required")),
        (true, false) => Ok((display_name.clone(), display_name)),
        (false, true) => Ok((name.clone(), name)),
        (false, false) => Ok((name, display_name)),
    }
}

/// Refuses a text that is longer than its field, such as `Pipeline.Name`, may be. Lengths are in bytes.
pub(super) fn check_length(field: &str, text: &str, limit: usize) -> Result<(), ApiError> {
    if text.len() > limit {
        return Err(ApiError::invalid(format!("{field} length cannot exceed {limit}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_name_stands_in_for_the_other() {
        let names = |name: &str, display_name: &str| name_and_display_name(name.to_owned(), display_name.to_owned());
        assert_eq!(names("a", "b").unwrap(), ("a".to_owned(), "b".to_owned()));
        assert_eq!(names("a", "").unwrap(), ("a".to_owned(), "a".to_owned()));
        assert_eq!(names("", "b").unwrap(), ("b".to_owned(), "b".to_owned()));
        assert_eq!(names("", "").unwrap_err().short_text(), "name is required");
    }

    #[test]
    fn lengths_are_in_bytes() {
        assert!(check_length("Pipeline.Name", &"x".repeat(128), 128).is_ok());
        let error = check_length("Pipeline.Name", &"é".repeat(65), 128).unwrap_err();
        assert_eq!(error.short_text(), "Pipeline.Name length cannot exceed 128");
    }
}
