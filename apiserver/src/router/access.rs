//! What a route requires of its caller, in the words of KFP's roles.

/// What a route requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Requires {
    /// Nothing: it tells and changes nothing that is anybody's.
    Nothing,
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
}
