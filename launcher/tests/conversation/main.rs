//! Conversations of the real entry with the launcher's side of the socket.

mod ends;
mod files;
mod first_process;
mod fixture;
mod links;
mod memory;
mod output;
#[path = "../programs/mod.rs"]
mod programs;
mod starts;
mod stops;
