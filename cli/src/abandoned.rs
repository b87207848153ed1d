//! Runs that nobody drives any more, because their process was killed: waiting for one would never end.

use std::path::PathBuf;
use std::time::Duration;

use penstock_driver::{HolderWatch, is_driven, is_served};
use tokio::time::Instant;
use uuid::Uuid;

use crate::context::Context;
use crate::failure::Hinted;
use crate::feed::Feed;

/// Time between two looks. A run that is created or resumed has no driver for less than that.
const PAUSE: Duration = Duration::from_secs(2);

/// Looks from time to time whether somebody drives a run.
#[derive(Debug)]
pub(crate) struct DriverWatch {
    data_dir: PathBuf,
    elsewhere: HolderWatch,
    next: Instant,
    missed: bool,
}

impl DriverWatch {
    /// For a run that has not ended.
    pub(crate) fn new(context: &Context) -> DriverWatch {
        let (data_dir, elsewhere) = (context.data_dir.clone(), HolderWatch::new(&context.data_dir));
        DriverWatch { data_dir, elsewhere, next: Instant::now(), missed: false }
    }

    /// Refuses to go on waiting once two looks in a row have found nobody. To be called again and again.
    pub(crate) async fn check(&mut self, feed: &Feed) -> anyhow::Result<()> {
        let now = Instant::now();
        if now < self.next {
            return Ok(());
        }
        self.next = now + PAUSE;
        let is_left = self.is_left(feed).await?;
        let missed_before = std::mem::replace(&mut self.missed, is_left);
        if self.missed && missed_before { Err(nobody(feed.run()).into()) } else { Ok(()) }
    }

    /// Whether nobody drives the run, and there is no service here that will once it has room.
    pub(crate) async fn is_left(&mut self, feed: &Feed) -> anyhow::Result<bool> {
        if is_driven(&self.data_dir, feed.run()) || is_served(&self.data_dir, feed.backend()) {
            return Ok(false);
        }
        let holder = feed.holder().await?;
        Ok(!holder.is_some_and(|claim| self.elsewhere.is_taken(&claim)))
    }
}

/// What to do about a run that nobody drives.
pub(crate) fn hint(run: Uuid) -> String {
    format!("go on with: penstock run --resume {run}")
}

fn nobody(run: Uuid) -> Hinted {
    Hinted::new(format!("run {run} has not ended, and no process drives it any more"), hint(run))
}
