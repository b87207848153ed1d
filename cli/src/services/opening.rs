//! Opening the store of runs. A database that cannot be reached is waited for: other services of the process go on meanwhile.

use std::time::Duration;

use penstock_driver::{Driver, DriverError, DriverSettings};
use penstock_runtime::health::Condition;
use penstock_runtime::logs::chain;
use penstock_runtime::shutdown::Shutdown;
use tokio::task::JoinSet;

use super::{Ended, failure_of};

/// Between two attempts. Each goes on for ten seconds by itself.
const PAUSE: Duration = Duration::from_millis(200);

/// A driver over its store, once that is there; `None` if the process is asked to end before. What waiting does not change is
/// an error, and so is a service that ends meanwhile.
pub(super) async fn open(
    settings: DriverSettings,
    ready: Condition,
    services: &mut JoinSet<Ended>,
    shutdown: &Shutdown,
) -> anyhow::Result<Option<Driver>> {
    let opening = once_reachable(settings, &ready);
    tokio::select! {
        opened = opening => opened.map(Some),
        () = shutdown.requested() => Ok(None),
        // There is the admin port at least.
        Some(ended) = services.join_next() => failure_of(ended, shutdown).map_or(Ok(None), Err),
    }
}

async fn once_reachable(settings: DriverSettings, ready: &Condition) -> anyhow::Result<Driver> {
    ready.set_waiting("it is being opened");
    loop {
        match Driver::open(settings.clone()).await {
            Ok(driver) => {
                ready.set_ready();
                return Ok(driver);
            }
            Err(error) if is_unreachable(&error) => {
                let reason = chain(&error);
                tracing::warn!(error = %reason, "the store of runs cannot be reached; it is tried again");
                ready.set_waiting(reason);
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn is_unreachable(error: &DriverError) -> bool {
    matches!(error, DriverError::Metastore { source, .. } if source.is_unreachable())
}
