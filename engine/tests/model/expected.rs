//! What a run should come to, as a tree, and what is known of an earlier round of it.

use std::collections::BTreeMap;
use std::rc::Rc;

use penstock_spec::report::TaskOutputs;
use serde_json::{Map, Value};

use crate::world::{Uris, uris};

/// How a node ends, as far as it does not depend on the order of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Succeeded,
    Failed,
    /// Its condition was false.
    NotTriggered,
    /// Something that it needs did not run, or failed.
    Unschedulable {
        failed: bool,
    },
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Outputs {
    pub(crate) parameters: Map<String, Value>,
    pub(crate) artifacts: Uris,
}

impl From<&TaskOutputs> for Outputs {
    fn from(outputs: &TaskOutputs) -> Outputs {
        Outputs { parameters: outputs.parameters.clone(), artifacts: uris(&outputs.artifacts) }
    }
}

/// Inputs of a task that runs a container.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Inputs {
    pub(crate) parameters: Map<String, Value>,
    pub(crate) defaults: Map<String, Value>,
    pub(crate) artifacts: Uris,
}

#[derive(Debug, Clone)]
pub(crate) struct Expected {
    pub(crate) path: String,
    pub(crate) end: End,
    /// Whether it stays as an earlier round of the run left it.
    pub(crate) kept: bool,
    /// Present if it came to ask the cache, or to its first attempt.
    pub(crate) inputs: Option<Inputs>,
    pub(crate) outputs: Outputs,
    /// Attempts of all rounds, without interrupted ones.
    pub(crate) attempts: u32,
    pub(crate) cached: bool,
    /// Present if it is made of others, and started.
    pub(crate) group: Option<Group>,
}

#[derive(Debug, Clone)]
pub(crate) enum Group {
    Dag(Vec<Rc<Expected>>),
    /// What each iteration would do if it started.
    Loop {
        limit: Option<usize>,
        iterations: Vec<Rc<Expected>>,
    },
}

impl Expected {
    pub(crate) fn ended(path: &str, end: End) -> Expected {
        Expected {
            path: path.to_owned(),
            end,
            kept: false,
            inputs: None,
            outputs: Outputs::default(),
            attempts: 0,
            cached: false,
            group: None,
        }
    }

    /// A node by its path.
    pub(crate) fn find(&self, path: &str) -> Option<&Expected> {
        if self.path == path {
            return Some(self);
        }
        let (Group::Dag(below) | Group::Loop { iterations: below, .. }) = self.group.as_ref()?;
        let leads_there = |it: &&Rc<Expected>| {
            let rest = path.strip_prefix(&it.path);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '[']))
        };
        below.iter().find(leads_there)?.find(path)
    }
}

/// How a node was when the run ended that now goes on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Prior {
    pub(crate) succeeded: bool,
    /// How it was skipped, if no failure was behind that.
    pub(crate) skipped: Option<End>,
    /// Whether tasks within it, or iterations, were begun.
    pub(crate) begun: bool,
    /// Whether it belongs to the latest start of the loop that it is an iteration of.
    pub(crate) current: bool,
    /// What somebody wants of it, and has not come to pass.
    pub(crate) wanted: Wanted,
    /// Whether its result, or all within it, is to be new.
    pub(crate) uncached: bool,
    pub(crate) attempts: u32,
    pub(crate) outputs: Outputs,
}

/// What somebody wants of a node of a run that goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wanted {
    #[default]
    Nothing,
    /// That it is taken up, for what is within it.
    Reopened,
    /// That it starts anew.
    Anew,
}

/// Nodes of an earlier round by path.
pub(crate) type Priors = BTreeMap<String, Prior>;
