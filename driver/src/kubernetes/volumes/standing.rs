//! What a claim that is there already means to who asks for one of its name. Pure.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use penstock_spec::keys;

/// What a claim is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Made before by the same.
    Own,
    /// On its way out: its name will be free.
    Going,
    /// Somebody else's, for this reason.
    Foreign(String),
}

/// What a claim is to whoever says so of itself.
pub(crate) fn standing(found: &PersistentVolumeClaim, made_by: &str) -> Standing {
    if found.metadata.deletion_timestamp.is_some() {
        return Standing::Going;
    }
    let annotations = found.metadata.annotations.as_ref();
    match annotations.and_then(|annotations| annotations.get(keys::ANNOTATION_MADE_BY)) {
        Some(by) if by == made_by => Standing::Own,
        Some(by) => Standing::Foreign(format!("another task or run made it ({by})")),
        None => Standing::Foreign("no run of Penstock made it".to_owned()),
    }
}

/// Whether a claim holds what Penstock itself is kept on, runs in the same namespace or not.
pub(crate) fn is_penstocks(found: &PersistentVolumeClaim) -> bool {
    let labels = found.metadata.labels.as_ref();
    labels.and_then(|labels| labels.get(keys::LABEL_PART_OF)).is_some_and(|part| part == keys::MANAGED_BY)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn claim(metadata: &Value) -> PersistentVolumeClaim {
        serde_json::from_value(json!({"metadata": metadata})).expect("a claim")
    }

    #[test]
    fn claim_is_ones_own_only_if_it_says_so() {
        let by = |who: &str| claim(&json!({"annotations": {"penstock.dev/made-by": who}}));
        assert_eq!(standing(&by("r/t"), "r/t"), Standing::Own);
        assert!(matches!(standing(&by("r/u"), "r/t"), Standing::Foreign(reason) if reason.contains("r/u")));
        assert!(matches!(standing(&claim(&json!({"labels": {"a": "b"}})), "r/t"), Standing::Foreign(_)));
        let mut going = by("r/t");
        going.metadata.deletion_timestamp = serde_json::from_value(json!("2026-01-01T00:00:00Z")).ok();
        assert_eq!(standing(&going, "r/t"), Standing::Going, "whoever made it");
    }

    #[test]
    fn what_penstock_is_kept_on_is_known_by_its_label() {
        assert!(is_penstocks(&claim(&json!({"labels": {"app.kubernetes.io/part-of": "penstock"}}))));
        assert!(!is_penstocks(&claim(&json!({"labels": {"app.kubernetes.io/part-of": "other"}}))));
        assert!(!is_penstocks(&claim(&json!({}))));
    }
}
