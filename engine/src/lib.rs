//! The DAG state machine. Events go in; facts (what was decided) and effects (what ought to be done) come out.
//!
//! A run's state is the fold of its facts. [`RunState::step`] is the only place where a pipeline advances; all of
//! KFP's semantics is here and nowhere else. There is no clock, no randomness and no I/O in this crate: time is an
//! argument, identifiers follow from the run and the task's path.

mod effect;
mod event;
mod fact;

pub use effect::{Effect, ImportRequest, Timer};
pub use event::{CacheHit, Event, ImportResult};
pub use fact::{CacheSource, Fact, NodeId, SkipReason};
