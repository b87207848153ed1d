//! Whole attempts with real processes, real Python and a local store.

mod commands;
mod packages;
mod python;
mod world;
