//! How the system stands that the server is of: what is looked at, and how often.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use penstock_metastore::Metastore;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

/// How long what was found counts. Whoever asks meanwhile is told the same.
const FRESH: Duration = Duration::from_secs(10);
/// Longest wait for the metastore.
const STORE_LIMIT: Duration = Duration::from_secs(5);
/// From here on the metastore is slow: what people wait for asks it several times.
const SLOW: Duration = Duration::from_millis(500);
/// Longest wait for everything else.
const LIMIT: Duration = Duration::from_secs(15);

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What it is.
    pub name: String,
    /// How it is.
    pub status: CheckStatus,
    /// What was found.
    pub detail: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

/// How a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckStatus {
    /// As it should be.
    Ok,
    /// It works, but not as it should; or it could not be looked at.
    Warning,
    /// Runs fail, or cannot be shown.
    Failed,
}

impl CheckStatus {
    /// The words of all of them.
    pub(crate) const WORDS: [&str; 3] = ["OK", "WARNING", "FAILED"];

    pub(crate) fn word(self) -> &'static str {
        let [ok, warning, failed] = Self::WORDS;
        match self {
            Self::Ok => ok,
            Self::Warning => warning,
            Self::Failed => failed,
        }
    }
}

/// Looks at what the server itself does not know: where tasks run, and where they store.
#[async_trait]
pub trait SystemChecks: Send + Sync + Debug + 'static {
    /// Looks, without changing anything.
    async fn examine(&self) -> Vec<Check>;
}

/// What was found last.
#[derive(Debug, Default)]
pub(crate) struct Examined(Mutex<Option<(Instant, Arc<[Check]>)>>);

impl Examined {
    /// What was found just now, or is found by looking. One looks at a time, and the others wait for it.
    pub(crate) async fn checks(&self, store: &Metastore, others: Option<&dyn SystemChecks>) -> Arc<[Check]> {
        let mut last = self.0.lock().await;
        if let Some((at, checks)) = &*last
            && at.elapsed() < FRESH
        {
            return Arc::clone(checks);
        }
        let (of_store, of_others) = tokio::join!(check_store(store), check_others(others));
        let checks: Arc<[Check]> = std::iter::once(of_store).chain(of_others).collect();
        *last = Some((Instant::now(), Arc::clone(&checks)));
        checks
    }
}

async fn check_store(store: &Metastore) -> Check {
    let begun = Instant::now();
    let answer = match timeout(STORE_LIMIT, store.feed_position()).await {
        Ok(Ok(_)) => Ok(begun.elapsed()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", STORE_LIMIT.as_secs())),
    };
    judge_store(answer)
}

fn judge_store(answer: Result<Duration, String>) -> Check {
    let (status, detail, remedy) = match answer {
        Ok(took) => {
            let detail = format!("it answers within {} ms", took.as_millis() + 1);
            match took < SLOW {
                true => (CheckStatus::Ok, detail, None),
                false => (CheckStatus::Warning, detail, Some("see what else its machine or its disk is busy with")),
            }
        }
        Err(reason) => {
            let remedy = "see the log of the server, and whether its database is up and its disk has room";
            (CheckStatus::Failed, format!("it cannot be read: {reason}"), Some(remedy))
        }
    };
    Check { name: "metastore".to_owned(), status, detail, remedy: remedy.map(str::to_owned) }
}

async fn check_others(others: Option<&dyn SystemChecks>) -> Vec<Check> {
    let Some(others) = others else { return Vec::new() };
    match timeout(LIMIT, others.examine()).await {
        Ok(checks) => checks,
        Err(_) => vec![Check {
            name: "system".to_owned(),
            status: CheckStatus::Warning,
            detail: format!("looking at it takes more than {} s", LIMIT.as_secs()),
            remedy: Some("see the log of the server; on a cluster, penstock doctor".to_owned()),
        }],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_judged_by_its_answer() {
        let judged = |answer| {
            let Check { status, detail, remedy, .. } = judge_store(answer);
            (status.word(), detail, remedy.is_some())
        };
        assert_eq!(judged(Ok(Duration::from_micros(300))), ("OK", "it answers within 1 ms".to_owned(), false));
        assert_eq!(judged(Ok(SLOW)), ("WARNING", "it answers within 501 ms".to_owned(), true));
        let failed = judged(Err("the disk is gone".to_owned()));
        assert_eq!(failed, ("FAILED", "it cannot be read: the disk is gone".to_owned(), true));
    }
}
