//! The run that the user means, in the data directory or at a server.

use penstock_apiserver::records::RunDetails;
use penstock_metastore::Metastore;
use uuid::Uuid;

use crate::context::Context;
use crate::failure::Refusal;
use crate::feed::Feed;
use crate::remote::client::Client;
use crate::remote::runs;

/// What to do about a word that means no run.
pub(crate) const LIST_HINT: &str = "`penstock list` shows the runs";

/// A run that exists.
#[derive(Debug)]
pub(crate) enum OpenRun {
    /// In the data directory.
    Local {
        /// What knows it.
        metastore: Metastore,
        /// Its id.
        run: Uuid,
    },
    /// At a server.
    Remote {
        /// The server.
        client: Client,
        /// What it says of the run.
        details: Box<RunDetails>,
    },
}

impl OpenRun {
    /// Looks for it.
    pub(crate) async fn find(context: &Context, selector: &str) -> anyhow::Result<OpenRun> {
        match context.server()? {
            Some(client) => OpenRun::find_at(client, selector).await,
            None => {
                let (metastore, run) = context.find_run(selector).await?;
                Ok(OpenRun::Local { metastore, run })
            }
        }
    }

    /// Looks for it at a server.
    pub(crate) async fn find_at(client: Client, selector: &str) -> anyhow::Result<OpenRun> {
        match runs::find(&client, selector).await {
            Ok(details) => Ok(OpenRun::Remote { client, details: Box::new(details) }),
            Err(error) if matches!(error.status(), Some(400 | 404)) && !is_missing_route(&error) => {
                let unknown = UnknownRun { is_ambiguous: error.status() == Some(400) };
                let hint = error.hint().unwrap_or_else(|| LIST_HINT.to_owned());
                Err(anyhow::Error::new(unknown).context(Refusal::new(error.text()).with_hint(hint)))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The run as it is now.
    pub(crate) async fn feed_from_now(&self) -> anyhow::Result<Feed> {
        match self {
            OpenRun::Local { metastore, run } => Feed::from_now(metastore, *run).await,
            OpenRun::Remote { client, details } => {
                let mut feed = runs::feed(client, details)?;
                feed.catch_up(|_, _| {}).await?;
                Ok(feed)
            }
        }
    }

    /// The run from its first fact.
    pub(crate) async fn feed_from_start(&self) -> anyhow::Result<Feed> {
        match self {
            OpenRun::Local { metastore, run } => Feed::from_start(metastore, *run).await,
            OpenRun::Remote { client, details } => runs::feed(client, details),
        }
    }

    /// The metastore, of a run in the data directory.
    pub(crate) fn metastore(&self) -> Option<&Metastore> {
        match self {
            OpenRun::Local { metastore, .. } => Some(metastore),
            OpenRun::Remote { .. } => None,
        }
    }

    /// Closes what was opened.
    pub(crate) async fn close(self) {
        if let OpenRun::Local { metastore, .. } = self {
            metastore.close().await;
        }
    }
}

fn is_missing_route(error: &crate::remote::error::RemoteError) -> bool {
    matches!(error, crate::remote::error::RemoteError::NoSuchRoute { .. })
}

/// A server knows no run, or several, by a word.
#[derive(Debug, thiserror::Error)]
#[error("")]
pub(crate) struct UnknownRun {
    /// Whether there are several.
    pub(crate) is_ambiguous: bool,
}
