//! What a route requires of its caller, in the words of KFP's roles.

use crate::auth::Action;

/// What a route requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Requires {
    /// Nothing: it tells and changes nothing that is anybody's.
    Nothing,
    /// A caller who is known; what else it takes is said by the request.
    Caller,
    /// The right to do this with resources of that kind.
    Access(Resource, Verb),
}

/// Kinds of resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Resource {
    Experiments,
    /// Pipelines and their versions.
    Pipelines,
    Runs,
    /// KFP calls them jobs where it grants access.
    RecurringRuns,
    /// What KFP's dashboard shows of a namespace beside the rest.
    Viewers,
}

/// What is done with a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Verb {
    Create,
    Get,
    List,
    Update,
    Delete,
    Archive,
    Unarchive,
    Terminate,
    Retry,
    Enable,
    Disable,
    /// Read what a run has stored.
    ReadArtifact,
}

impl Resource {
    fn group(self) -> &'static str {
        if self == Self::Viewers { "kubeflow.org" } else { "pipelines.kubeflow.org" }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Experiments => "experiments",
            Self::Pipelines => "pipelines",
            Self::Runs => "runs",
            Self::RecurringRuns => "jobs",
            Self::Viewers => "viewers",
        }
    }
}

impl Verb {
    fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Get => "get",
            Self::List => "list",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Archive => "archive",
            Self::Unarchive => "unarchive",
            Self::Terminate => "terminate",
            Self::Retry => "retry",
            Self::Enable => "enable",
            Self::Disable => "disable",
            Self::ReadArtifact => "readArtifact",
        }
    }
}

/// The same in the words of Kubernetes.
pub(super) fn action(resource: Resource, verb: Verb, namespace: &str) -> Action {
    Action { namespace: namespace.to_owned(), group: resource.group(), resource: resource.word(), verb: verb.word() }
}
