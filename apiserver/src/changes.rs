//! Hearing that a run went on.

use std::time::Duration;

use penstock_metastore::{Change, Metastore};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::timeout;
use uuid::Uuid;

/// How long it may take until something is noticed that another process stored.
pub(crate) const OTHERS: Duration = Duration::from_secs(2);

/// The facts of one run, as a bell.
#[derive(Debug)]
pub(crate) struct RunChanges {
    run: Uuid,
    changes: broadcast::Receiver<Change>,
}

impl RunChanges {
    /// Listens from now on: what is read of the store after this misses nothing.
    pub(crate) fn listen(metastore: &Metastore, run: Uuid) -> Self {
        Self { run, changes: metastore.subscribe() }
    }

    /// Waits until the store is worth a look. Nothing is missed when it is not waited out.
    pub(crate) async fn changed(&mut self) {
        let own = async {
            loop {
                match self.changes.recv().await {
                    Ok(Change::FactsAppended { run, .. }) if run == self.run => return,
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => return,
                    Err(RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        // Late is as good as heard.
        let _ = timeout(OTHERS, own).await;
        // The look that follows covers whatever else was told by now.
        while !matches!(self.changes.try_recv(), Err(TryRecvError::Empty | TryRecvError::Closed)) {}
    }
}
