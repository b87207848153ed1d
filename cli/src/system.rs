//! What the API tells of the system that it is of: what the driver sees of it at a glance.

use async_trait::async_trait;
use penstock_apiserver::{Check, CheckStatus, SystemChecks};
use penstock_driver::Driver;
use penstock_driver::doctor::{Finding, FindingState, GlanceAt, glance};

/// Looks through a driver's eyes.
#[derive(Debug)]
pub(crate) struct DriverChecks {
    driver: Driver,
    cluster: Option<GlanceAt>,
}

impl DriverChecks {
    /// Of what this driver sees; on one machine that is no cluster.
    pub(crate) fn new(driver: Driver, cluster: Option<GlanceAt>) -> DriverChecks {
        DriverChecks { driver, cluster }
    }
}

#[async_trait]
impl SystemChecks for DriverChecks {
    async fn examine(&self) -> Vec<Check> {
        glance(&self.driver, self.cluster.as_ref()).await.into_iter().map(check).collect()
    }
}

fn check(finding: Finding) -> Check {
    let Finding { subject, state, found, remedy } = finding;
    let status = match state {
        FindingState::Good => CheckStatus::Ok,
        FindingState::Warning | FindingState::Unknown => CheckStatus::Warning,
        FindingState::Bad => CheckStatus::Failed,
    };
    Check { name: subject, status, detail: found, remedy }
}
