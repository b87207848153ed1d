//! JSON patches (RFC 6902), as small as can be: what is there is never written again.

use serde::Serialize;
use serde_json::{Value, json};

/// One step of a patch.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum Operation {
    /// Adds a member or an item.
    Add {
        /// JSON pointer.
        path: String,
        /// What is added.
        value: Value,
    },
    /// Replaces what is there.
    Replace {
        /// JSON pointer.
        path: String,
        /// What stands there afterwards.
        value: Value,
    },
    /// Takes away what is there.
    Remove {
        /// JSON pointer.
        path: String,
    },
}

/// A patch in the making.
#[derive(Debug, Default)]
pub(super) struct Patch {
    operations: Vec<Operation>,
}

impl Patch {
    pub(super) fn add(&mut self, path: impl Into<String>, value: Value) {
        self.operations.push(Operation::Add { path: path.into(), value });
    }

    /// Sets a member: adds it, or replaces what is there.
    pub(super) fn set(&mut self, path: impl Into<String>, is_there: bool, value: Value) {
        let path = path.into();
        self.operations.push(if is_there {
            Operation::Replace { path, value }
        } else {
            Operation::Add { path, value }
        });
    }

    pub(super) fn replace(&mut self, path: impl Into<String>, value: Value) {
        self.operations.push(Operation::Replace { path: path.into(), value });
    }

    pub(super) fn remove(&mut self, path: impl Into<String>) {
        self.operations.push(Operation::Remove { path: path.into() });
    }

    /// Adds items to the end of a list, which is made first where there is none.
    pub(super) fn append(&mut self, list: &str, is_there: bool, items: Vec<Value>) {
        if items.is_empty() {
            return;
        }
        if !is_there {
            self.add(list, json!([]));
        }
        for item in items {
            self.add(format!("{list}/-"), item);
        }
    }

    /// Puts an item at the beginning of a list, which is made first where there is none.
    pub(super) fn prepend(&mut self, list: &str, is_there: bool, item: Value) {
        if !is_there {
            self.add(list, json!([]));
        }
        self.add(format!("{list}/0"), item);
    }

    pub(super) fn into_operations(self) -> Vec<Operation> {
        self.operations
    }
}

/// A key as a segment of a JSON pointer.
pub(super) fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Whether `actual` holds all that `wanted` does: members that others added, and those that the API server filled in,
/// do not matter; lists are compared item by item.
pub(super) fn covers(actual: &Value, wanted: &Value) -> bool {
    match (actual, wanted) {
        (Value::Object(actual), Value::Object(wanted)) => {
            wanted.iter().all(|(key, wanted)| actual.get(key).is_some_and(|actual| covers(actual, wanted)))
        }
        (Value::Array(actual), Value::Array(wanted)) => {
            actual.len() == wanted.len() && actual.iter().zip(wanted).all(|(actual, wanted)| covers(actual, wanted))
        }
        (actual, wanted) => actual == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_added_does_not_matter_and_what_is_missing_does() {
        let wanted = json!({"name": "a", "items": [{"x": 1}]});
        assert!(covers(&json!({"name": "a", "items": [{"x": 1, "y": 2}], "more": true}), &wanted));
        for actual in
            [json!({"name": "a"}), json!({"name": "a", "items": []}), json!({"name": "b", "items": [{"x": 1}]})]
        {
            assert!(!covers(&actual, &wanted), "{actual}");
        }
    }

    #[test]
    fn keys_are_escaped_in_pointers() {
        assert_eq!(escape("penstock.dev/a~b"), "penstock.dev~1a~0b");
    }
}
