//! Runs foreign pipelines, such as Kubeflow's own samples, and writes down what became of each.
//!
//! Every pipeline is read and checked. Whether it can run on this machine, or on a cluster without internet ([`place`]), is
//! decided by rules over what the pipeline says ([`needs`]) and a small table of facts that it does not say ([`settings`]); the rest runs. What a run must give
//! was written down by hand from the sources of the pipelines ([`expected`]).

pub mod corpus;
pub mod expected;
pub mod needs;
pub mod page;
pub mod place;
pub mod record;
pub mod settings;
pub mod stand_in;
pub mod trial;
