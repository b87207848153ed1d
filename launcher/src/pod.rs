//! The sidecar of a Pod: everything around the user's process, which runs in a container of its own.
//!
//! [`machine`] decides: events in, actions out, nothing else; [`ending`] says what the end of a process means.
//! [`sidecar`] is the host. A [`job`] is what there is to do: a [`task`] of a run ([`layout`] says where its files are),
//! or the inputs and outputs that any other Pod asks for ([`data`]). [`entry`] speaks with the user's container,
//! [`report`] and [`api_server`] tell the driver how it ended, [`memory`] survives a restart of the sidecar.
//!
//! Everything that comes from the user's container is foreign input: it is read without following links, bounded, and
//! can only lie about its own task (T-04).

pub mod api_server;
pub mod args;
pub mod assignment;
pub mod data;
pub mod delivery;
pub mod ending;
pub mod entry;
pub mod job;
pub mod layout;
pub mod log;
pub mod machine;
pub mod memory;
pub mod own_log;
pub mod report;
pub mod setup;
pub mod sidecar;
mod socket;
pub mod stores;
pub mod task;
