//! What each process of Penstock needs once: logs, metrics and the admin port, TLS that reloads, and a graceful end.
//!
//! A module per concern, none of which knows what the process does: [`logs`], [`shutdown`], [`health`], [`admin`],
//! [`tls`] and [`server`], the accept loop that every listener of ours goes through.

pub mod admin;
pub mod health;
pub mod logs;
pub mod server;
pub mod shutdown;
pub mod tls;
