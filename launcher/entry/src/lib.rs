//! The first process of the user's container: waits for the launcher, runs the user's program, tells how it ended, and
//! keeps the container open until everything is stored.
//!
//! [`protocol`] and [`frame`] are what it shares with the launcher. [`supervisor`] decides what to do, free of effects;
//! [`host`] does it: [`link`] speaks with the launcher, [`process`] starts and ends processes, [`output`] copies what
//! they print, [`memory`] and [`termination`] are the kernel's and Kubernetes' side.

pub mod args;
pub mod frame;
pub mod host;
pub mod link;
pub mod memory;
pub mod open;
pub mod output;
pub mod process;
pub mod protocol;
pub mod supervisor;
pub mod termination;
