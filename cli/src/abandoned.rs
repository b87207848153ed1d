//! Runs that nobody drives any more, because their process was killed: waiting for one would never end.

use std::path::PathBuf;
use std::time::Duration;

use penstock_driver::is_driven;
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
    next: Instant,
    missed: bool,
}

impl DriverWatch {
    /// For a run that has not ended.
    pub(crate) fn new(context: &Context, run: Uuid) -> DriverWatch {
        DriverWatch { data_dir: context.data_dir.clone(), run, next: Instant::now(), missed: false }
    }

    /// Refuses to go on waiting once two looks in a row have found nobody. To be called again and again.
    pub(crate) fn check(&mut self) -> Result<(), Hinted> {
        let now = Instant::now();
        if now < self.next {
            return Ok(());
        }
        self.next = now + PAUSE;
        let missed_before = std::mem::replace(&mut self.missed, !is_driven(&self.data_dir, self.run));
        if self.missed && missed_before { Err(nobody(self.run)) } else { Ok(()) }
    }
}

/// What to do about a run that nobody drives.
pub(crate) fn hint(run: Uuid) -> String {
    format!("go on with: penstock run --resume {run}")
}

fn nobody(run: Uuid) -> Hinted {
    Hinted::new(format!("run {run} has not ended, and no process drives it any more"), hint(run))
}
