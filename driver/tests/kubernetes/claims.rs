//! Volume claims of the API server in process.

use std::collections::{BTreeMap, BTreeSet};

use hyper::Method;
use penstock_spec::keys;
use serde_json::{Value, json};

use crate::api::Outcome;

/// The claims of the namespace.
#[derive(Default)]
pub(crate) struct Claims {
    by_name: BTreeMap<String, Value>,
    made: u64,
    /// Those that Pods mount.
    held: BTreeSet<String>,
}

impl Claims {
    /// The request, in the words of faults and calls.
    pub(crate) fn verb(method: &Method, name: &str) -> Option<&'static str> {
        match (method, name.is_empty()) {
            (&Method::POST, true) => Some("create_claim"),
            (&Method::GET, true) => Some("list_claims"),
            (&Method::GET, false) => Some("get_claim"),
            (&Method::DELETE, false) => Some("delete_claim"),
            _ => None,
        }
    }

    pub(crate) fn all(&self) -> Vec<Value> {
        self.by_name.values().cloned().collect()
    }

    pub(crate) fn create(&mut self, name: &str, mut claim: Value) -> Outcome {
        if self.by_name.contains_key(name) {
            return Err((409, "AlreadyExists", format!("persistentvolumeclaims {name:?} already exists")));
        }
        self.made += 1;
        claim["metadata"]["uid"] = json!(format!("claim-{}", self.made));
        self.by_name.insert(name.to_owned(), claim.clone());
        Ok(claim)
    }

    pub(crate) fn get(&self, name: &str) -> Outcome {
        let missing = || (404, "NotFound", format!("persistentvolumeclaims {name:?} not found"));
        self.by_name.get(name).cloned().ok_or_else(missing)
    }

    /// What a list by the label of workspaces says.
    pub(crate) fn workspaces(&self) -> Value {
        let is_one = |claim: &&Value| claim["metadata"]["labels"][keys::LABEL_WORKSPACE] == "true";
        let items: Vec<&Value> = self.by_name.values().filter(is_one).collect();
        json!({"kind": "PersistentVolumeClaimList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items})
    }

    pub(crate) fn delete(&mut self, name: &str, options: &Value) -> Outcome {
        let mut claim = self.get(name)?;
        let uid = &options["preconditions"]["uid"];
        if !uid.is_null() && claim["metadata"]["uid"] != *uid {
            return Err((409, "Conflict", "the UID in the precondition does not match".to_owned()));
        }
        if self.held.contains(name) {
            claim["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
            self.by_name.insert(name.to_owned(), claim.clone());
        } else {
            self.by_name.remove(name);
        }
        Ok(claim)
    }

    pub(crate) fn hold(&mut self, name: &str, is_held: bool) {
        if is_held {
            self.held.insert(name.to_owned());
            return;
        }
        self.held.remove(name);
        if self.by_name.get(name).is_some_and(|claim| !claim["metadata"]["deletionTimestamp"].is_null()) {
            self.by_name.remove(name);
        }
    }
}
