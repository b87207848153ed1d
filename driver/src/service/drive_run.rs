//! What the service needs of a driver.

use async_trait::async_trait;
use penstock_metastore::RunToDrive;
use uuid::Uuid;

use crate::drive::{RunControl, RunEnd};
use crate::driver::Driver;
use crate::error::DriveError;

/// Drives one run. [`Driver`] does.
#[async_trait]
pub trait DriveRun: Send + Sync + 'static {
    /// Drives a run to its end, or until it is asked to stop.
    async fn drive(&self, run: Uuid, control: RunControl) -> Result<RunEnd, DriveError>;

    /// Whether a run that is to be driven is for this process. Asked again with each look.
    fn may_drive(&self, _run: &RunToDrive) -> bool {
        true
    }

    /// Gets ready, before any run is driven.
    async fn prepare(&self) {}
}

#[async_trait]
impl DriveRun for Driver {
    async fn drive(&self, run: Uuid, control: RunControl) -> Result<RunEnd, DriveError> {
        self.drive_when_free(run, control, false).await
    }

    fn may_drive(&self, run: &RunToDrive) -> bool {
        Driver::may_drive(self, run)
    }

    async fn prepare(&self) {
        self.end_left_behind().await;
    }
}
