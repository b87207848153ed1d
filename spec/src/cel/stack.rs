//! Enough stack for the parser and the evaluator, which recurse. The depth of what they are given is bounded, but its
//! bound needs more than the two megabytes that threads usually have.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Enough for the deepest expression that [`super::budget::check_depth`] lets through, without optimisation too.
const STACK_BYTES: usize = 64 << 20;

/// The work panicked, or no thread could be had for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failed;

/// Does the work here when it is shallow, otherwise on a thread with a large stack.
pub(super) fn run<T: Send>(shallow: bool, work: impl FnOnce() -> T + Send) -> Result<T, Failed> {
    if shallow {
        return catch_unwind(AssertUnwindSafe(work)).map_err(|_| Failed);
    }
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().name("cel".to_owned()).stack_size(STACK_BYTES);
        let thread = builder.spawn_scoped(scope, work).map_err(|_| Failed)?;
        thread.join().map_err(|_| Failed)
    })
}
