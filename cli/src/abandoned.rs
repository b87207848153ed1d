//! Runs that nobody drives any more, because their process was killed: waiting for one would never end.

use std::path::{Path, PathBuf};
use std::time::Duration;

use penstock_driver::{BackendKind, is_driven, is_served};
use tokio::time::Instant;
use uuid::Uuid;

use crate::context::Context;
use crate::failure::Hinted;

/// Time between two looks. A run that is created or resumed has no driver for less than that.
const PAUSE: Duration = Duration::from_secs(2);

/// Looks from time to time whether somebody drives a run.
#[derive(Debug)]
pub(crate) struct DriverWatch {
    data_dir: PathBuf,
    run: Uuid,
    backend: BackendKind,
    next: Instant,
    missed: bool,
}

impl DriverWatch {
    /// For a run that has not ended.
    pub(crate) fn new(context: &Context, run: Uuid, backend: BackendKind) -> DriverWatch {
        DriverWatch { data_dir: context.data_dir.clone(), run, backend, next: Instant::now(), missed: false }
    }

    /// Refuses to go on waiting once two looks in a row have found nobody. To be called again and again.
    pub(crate) fn check(&mut self) -> Result<(), Hinted> {
        let now = Instant::now();
        if now < self.next {
            return Ok(());
        }
        self.next = now + PAUSE;
        let missed_before = std::mem::replace(&mut self.missed, is_left(&self.data_dir, self.run, self.backend));
        if self.missed && missed_before { Err(nobody(self.run)) } else { Ok(()) }
    }
}

/// Whether nobody drives a run, and there is no service that will once it has room.
pub(crate) fn is_left(data_dir: &Path, run: Uuid, backend: BackendKind) -> bool {
    !is_driven(data_dir, run) && !is_served(data_dir, backend)
}

/// What to do about a run that nobody drives.
pub(crate) fn hint(run: Uuid) -> String {
    format!("go on with: penstock run --resume {run}")
}

fn nobody(run: Uuid) -> Hinted {
    Hinted::new(format!("run {run} has not ended, and no process drives it any more"), hint(run))
}
