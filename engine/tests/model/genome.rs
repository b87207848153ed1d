//! What a case is drawn from: a tree of tasks with bytes that say what each of them is like. `proptest` draws and
//! shrinks it. A byte of zero always means the plainest thing, and a byte means the same whatever stands beside it, so
//! that shrinking keeps what a failure depends on.

use proptest::collection::vec;
use proptest::prelude::*;

/// Bytes of a task.
pub(crate) const CHOICES: usize = 28;

/// One task.
#[derive(Debug, Clone)]
pub(crate) struct Gene {
    pub(crate) choices: [u8; CHOICES],
    /// Tasks within; none for a task that runs something.
    pub(crate) inner: Vec<Gene>,
}

/// One case.
#[derive(Debug, Clone)]
pub(crate) struct Genome {
    /// Inputs and outputs of the pipeline.
    pub(crate) root: [u8; 16],
    pub(crate) tasks: Vec<Gene>,
    /// Decides what tasks do.
    pub(crate) world_seed: u64,
    /// How often tasks fail, are cached, give null or nothing.
    pub(crate) rates: [u8; 4],
    /// What is to happen to the run, see `host`.
    pub(crate) troubles: [u8; 8],
    /// Decisions of the host, one after the other; zeros when it ends.
    pub(crate) schedule: Vec<u8>,
}

fn gene() -> impl Strategy<Value = Gene> {
    let leaf = any::<[u8; CHOICES]>().prop_map(|choices| Gene { choices, inner: Vec::new() });
    leaf.prop_recursive(3, 12, 4, |inner| {
        (any::<[u8; CHOICES]>(), vec(inner, 1..4)).prop_map(|(choices, inner)| Gene { choices, inner })
    })
}

pub(crate) fn genome() -> impl Strategy<Value = Genome> {
    let shape = (any::<[u8; 16]>(), vec(gene(), 1..6));
    let events = (any::<u64>().no_shrink(), any::<[u8; 4]>(), any::<[u8; 8]>(), vec(any::<u8>(), 0..160));
    (shape, events).prop_map(|((root, tasks), (world_seed, rates, troubles, schedule))| Genome {
        root,
        tasks,
        world_seed,
        rates,
        troubles,
        schedule,
    })
}
