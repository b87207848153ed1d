//! Records values of earlier runs, which lists of runs are narrowed and sorted by: runs of builds that did not record them.

use std::time::Duration;

use penstock_runtime::logs::chain;
use penstock_runtime::shutdown::Shutdown;

use crate::api::Api;

/// Runs of one transaction.
const AT_A_TIME: u32 = 100;
/// Pause between two transactions: whoever is asked meanwhile comes first.
const PAUSE: Duration = Duration::from_millis(50);
/// Pause after a failure of the store.
const TROUBLE: Duration = Duration::from_secs(30);

/// Works until there is no such run any more, or the end is asked for.
pub async fn run(api: Api, shutdown: Shutdown) {
    tokio::select! {
        () = record_all(&api) => {}
        () = shutdown.requested() => {}
    }
}

async fn record_all(api: &Api) {
    let mut recorded = 0_u64;
    loop {
        match api.metastore().record_values(AT_A_TIME).await {
            Ok(0) => match api.metastore().has_unrecorded_values().await {
                // Another process took them first.
                Ok(true) => {}
                Ok(false) | Err(_) => break,
            },
            Ok(runs) => recorded += runs,
            Err(error) => {
                tracing::warn!(error = %chain(&error), "cannot record values of earlier runs; trying again");
                tokio::time::sleep(TROUBLE).await;
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    if recorded > 0 {
        tracing::info!(runs = recorded, "values of earlier runs are recorded");
    }
}
