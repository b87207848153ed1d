//! The limit on open files: each connection is one, and many systems begin with fewer than a server may have.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What all connections of the API, the stores and a few tasks need at most.
const WANTED: u64 = 8192;

/// Raises the soft limit of this process as far as is of use. Processes of tasks inherit it, which a much higher one would
/// make slow: some programs go through all files that could be open.
pub(crate) fn raise() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(WANTED, |maximum| maximum.min(WANTED));
    if current.is_none_or(|current| current >= wanted) {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }) {
        tracing::warn!(%error, "the limit on open files stays as it is; fewer clients can be connected");
    }
}
