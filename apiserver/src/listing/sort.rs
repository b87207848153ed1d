//! `sort_by`: a field and a direction.

use super::fields::Listable;
use crate::error::ApiError;

/// The field, and whether the greatest comes first.
pub(super) fn parse<F: Listable>(sort_by: &str) -> Result<(F, bool), ApiError> {
    let lower = sort_by.to_ascii_lowercase();
    let words: Vec<&str> = lower.split_whitespace().take(3).collect();
    let (field, descending) = match words.as_slice() {
        [] => return Ok((F::DEFAULT, false)),
        [field] | [field, "asc"] => (*field, false),
        [field, "desc"] => (*field, true),
        _ => {
            return Err(ApiError::invalid(format!(
                "Received invalid sort by format {sort_by:?}. Supported format: \"field_name\", \"field_name desc\", or \
                 \"field_name asc\""
            )));
        }
    };
    match F::by_key(field) {
        Some(field) => Ok((field, descending)),
        None => Err(ApiError::invalid(format!("Invalid sorting field: {field:?} on listable type {}", F::NAME))),
    }
}

#[cfg(test)]
mod tests {
    use penstock_metastore::{ExperimentField, PipelineField, RunField};

    use super::parse;

    #[test]
    fn a_field_and_a_direction_are_read_in_any_case() {
        assert_eq!(parse::<ExperimentField>("").unwrap(), (ExperimentField::CreatedAt, false));
        assert_eq!(parse::<ExperimentField>(" display_name ").unwrap(), (ExperimentField::Name, false));
        assert_eq!(parse::<RunField>("Created_At DESC").unwrap(), (RunField::CreatedAt, true));
        assert_eq!(parse::<PipelineField>("name  asc").unwrap(), (PipelineField::Name, false));
    }

    #[test]
    fn t13_anything_else_is_refused() {
        let message = |sort_by: &str| parse::<RunField>(sort_by).unwrap_err().short_text().to_owned();
        assert_eq!(message("unknownfield"), r#"Invalid sorting field: "unknownfield" on listable type Run"#);
        assert_eq!(
            message("id;drop table runs"),
            "Received invalid sort by format \"id;drop table runs\". Supported \
                    format: \"field_name\", \"field_name desc\", or \"field_name asc\""
        );
        for sort_by in ["name up", "name desc desc", "name desc, id", "tags.x", "updated_at"] {
            assert!(parse::<RunField>(sort_by).is_err(), "{sort_by}");
        }
    }
}
