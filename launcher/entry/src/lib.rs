//! The first process of the user's container: waits for the launcher, runs the user's program, tells how it ended.

pub mod protocol;
