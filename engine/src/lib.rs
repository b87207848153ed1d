//! The DAG state machine. Events go in; facts (what was decided) and effects (what ought to be done) come out.
//!
//! A run's state is the fold of its facts. [`RunState::step`] is the only place where a pipeline advances; all of
//! KFP's semantics is here and nowhere else. There is no clock, no randomness and no I/O in this crate: time is an
//! argument, identifiers follow from the run and the task's path.

mod apply;
mod cache_explanation;
mod cache_key;
mod effect;
mod event;
mod fact;
mod final_status;
mod identity;
mod importer;
mod loops;
mod node;
mod outputs;
mod outstanding;
pub mod parameters;
mod pipeline;
mod plan;
mod resolve;
mod retry;
mod state;
mod step;
mod trigger;
mod view;
mod workspace;

pub use apply::FoldError;
pub use cache_explanation::{
    CacheRefusal, CacheVerdict, Difference, EarlierResult, NearestResult, PassedOver, differences, explain_cache,
};
pub use effect::{Effect, ImportRequest, Timer};
pub use event::{CacheHit, Event, ImportResult};
pub use fact::{CacheSource, Fact, NodeId, SkipReason};
pub use identity::task_id;
pub use node::NodeKind;
pub use outstanding::outstanding;
pub use parameters::ParameterError;
pub use pipeline::Pipeline;
pub use retry::{INFRASTRUCTURE_RETRIES, INTERRUPTED_RETRIES};
pub use state::{MAX_NODES, RunState, Step};
pub use view::{Activity, NodeView};
