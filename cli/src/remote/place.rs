//! Which server is spoken to, and by which flags and variables the user says so.

use std::fmt;

/// How a server came to be spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named {
    /// The user named it.
    Server,
    /// It was found in the data directory.
    Found,
    /// It is where an import goes.
    Target,
    /// It is where an import comes from.
    Source,
}

impl Named {
    /// What its URL stands in.
    pub(crate) fn url(self) -> &'static str {
        match self {
            Named::Server | Named::Target => "--server",
            Named::Found => "the address in server.json",
            Named::Source => "--from",
        }
    }

    /// The same, with the variable.
    pub(crate) fn url_or_variable(self) -> &'static str {
        match self {
            Named::Server | Named::Target | Named::Found => "--server (PENSTOCK_SERVER)",
            Named::Source => "--from (PENSTOCK_FROM)",
        }
    }

    /// What its authorities stand in.
    pub(crate) fn ca_file(self) -> &'static str {
        match self {
            Named::Source => "--from-ca-file",
            Named::Server | Named::Found | Named::Target => "--ca-file",
        }
    }

    /// The same, with the variable.
    pub(crate) fn ca_file_or_variable(self) -> &'static str {
        match self {
            Named::Source => "--from-ca-file (PENSTOCK_FROM_CA_FILE)",
            Named::Server | Named::Found | Named::Target => "--ca-file (PENSTOCK_CA_FILE)",
        }
    }

    /// The variable that its token stands in.
    pub(crate) fn token(self) -> &'static str {
        match self {
            Named::Source => "PENSTOCK_FROM_TOKEN",
            Named::Server | Named::Found | Named::Target => "PENSTOCK_TOKEN",
        }
    }

    /// What a file with its token stands in.
    pub(crate) fn token_file(self) -> &'static str {
        match self {
            Named::Source => "--from-token-file",
            Named::Server | Named::Found | Named::Target => "--token-file",
        }
    }

    /// What says where in it, if several use it.
    pub(crate) fn namespace(self) -> &'static str {
        match self {
            Named::Source => "--from-namespace",
            Named::Target => "--to-namespace (PENSTOCK_NAMESPACE)",
            Named::Server | Named::Found => "--namespace (PENSTOCK_NAMESPACE)",
        }
    }
}

/// A server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// Where it is.
    pub(crate) url: String,
    /// How it was named.
    pub(crate) named: Named,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.url)
    }
}
