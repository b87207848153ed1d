//! Runs and schedules of a server: what commands ask of it by HTTP.
//!
//! [`client`] knows requests and how they fail, and no resource; the other modules say what is asked. A run is followed by
//! the facts that the server streams, so that everything that shows a run shows one from here and one from there alike.

pub(crate) mod artifacts;
pub(crate) mod cache;
pub(crate) mod catalog;
pub(crate) mod client;
pub(crate) mod document;
pub(crate) mod error;
mod events;
pub(crate) mod experiments;
pub(crate) mod facts;
pub(crate) mod local;
pub(crate) mod logs;
mod pinned;
pub(crate) mod place;
pub(crate) mod runs;
pub(crate) mod schedules;
pub(crate) mod session;
pub(crate) mod token;
