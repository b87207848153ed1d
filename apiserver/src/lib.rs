//! KFP's REST interface, version v2beta1, over the metastore: what an unmodified `kfp.Client` speaks.
//!
//! Which endpoints exist is said by [`router::route_table`]; each resource is a module of `routes`. What is the same for
//! all of them is apart and knows no resource: [`wire`] (JSON in requests and replies), [`error`] (refusals).
//!
//! This crate drives no run and knows no Pod: it asks the metastore.

mod api;
pub mod error;
pub mod router;
mod routes;
pub mod wire;

pub use api::{Api, ApiSettings};
pub use router::router;
