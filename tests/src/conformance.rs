//! Runs foreign pipelines, such as Kubeflow's own samples, and writes down what became of each.
//!
//! Every pipeline is read and checked. Whether it can run on this machine is decided by rules over what the pipeline
//! says ([`needs`]) and a small table of facts that it does not say ([`settings`]); the rest runs.

pub mod corpus;
pub mod needs;
pub mod page;
pub mod settings;
pub mod trial;
