//! The environment of the user's program: the container's, without what is for the entry.

use std::collections::BTreeMap;
use std::ffi::OsString;

use crate::protocol::ENV_OF_ENTRY;

/// The variables of the user's program. What the launcher sets wins over the container's own.
pub fn build_environment(
    own: impl IntoIterator<Item = (OsString, OsString)>,
    set: &BTreeMap<String, String>,
) -> Vec<(OsString, OsString)> {
    let kept = own.into_iter().filter(|(name, _)| {
        let is_ours = ENV_OF_ENTRY.iter().any(|ours| name == *ours);
        !is_ours && name.to_str().is_none_or(|name| !set.contains_key(name))
    });
    let set = set.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    kept.chain(set).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_is_taken_out_and_the_launchers_wins() {
        let own = [("A", "1"), ("B", "2"), ("PENSTOCK_ENTRY_HOLD_SECONDS", "3"), ("PENSTOCK_PROJECT", "4")];
        let own = own.map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let set = BTreeMap::from([("B".to_owned(), "5".to_owned()), ("C".to_owned(), String::new())]);
        let built = build_environment(own, &set);
        let expected = [("A", "1"), ("PENSTOCK_PROJECT", "4"), ("B", "5"), ("C", "")];
        assert_eq!(built, expected.map(|(name, value)| (OsString::from(name), OsString::from(value))));
    }
}
