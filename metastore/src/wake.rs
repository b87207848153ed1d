//! What processes that share a PostgreSQL store tell each other: notifications that are sent with the transaction that
//! they are about, and reach whoever listens once it is committed.
//!
//! They only wake somebody up. One that is lost, because nobody was listening at the time, is made up for by whoever looks
//! at the store now and then in any case.

use std::fmt::Write;
use std::time::Duration;

use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::sync::broadcast;
use uuid::Uuid;

use crate::location::PostgresLocation;
use crate::open::listener_options;
use crate::rows::Change;

/// Where notifications are sent. All stores of a database share it; what is not understood is passed over.
pub(crate) const CHANNEL: &str = "penstock";

/// PostgreSQL's limit is 8000 bytes.
const PAYLOAD_BYTES: usize = 7900;
/// Without a word for so long, it is tried whether the connection is still there.
const QUIET: Duration = Duration::from_secs(60);
/// Longest time to get a connection, or an answer on it.
const DEADLINE: Duration = Duration::from_secs(15);
/// Between two attempts to connect.
const PAUSE: Duration = Duration::from_secs(1);

/// What is sent of these changes: the sender, so that it need not listen to itself, and a word for each.
pub(crate) fn payloads(sender: Uuid, changes: impl IntoIterator<Item = Change>) -> Vec<String> {
    let head = sender.simple().to_string();
    let mut payloads: Vec<String> = Vec::new();
    for change in changes {
        let word = match change {
            Change::RunCreated { run } => format!(" n{}", run.simple()),
            Change::FactsAppended { run, seq } => format!(" f{}.{seq}", run.simple()),
            Change::CommandStored { run } => format!(" c{}", run.simple()),
            Change::RunChanged { run } => format!(" s{}", run.simple()),
            Change::RecurringRunsChanged => " r".to_owned(),
        };
        match payloads.last_mut().filter(|payload| payload.len() + word.len() <= PAYLOAD_BYTES) {
            Some(payload) => payload.push_str(&word),
            None => {
                let mut payload = head.clone();
                // Writing to a string cannot fail.
                let _ = write!(payload, "{word}");
                payloads.push(payload);
            }
        }
    }
    payloads
}

/// The changes of a notification that somebody else sent. Words of a newer build are passed over.
fn changes(receiver: Uuid, payload: &str) -> Vec<Change> {
    let mut words = payload.split(' ');
    let sender = words.next().and_then(|sender| sender.parse::<Uuid>().ok());
    if sender.is_none_or(|sender| sender == receiver) {
        return Vec::new();
    }
    words.filter_map(change).collect()
}

fn change(word: &str) -> Option<Change> {
    let (kind, rest) = word.split_at_checked(1)?;
    match kind {
        "n" => Some(Change::RunCreated { run: rest.parse().ok()? }),
        "c" => Some(Change::CommandStored { run: rest.parse().ok()? }),
        "s" => Some(Change::RunChanged { run: rest.parse().ok()? }),
        "r" => Some(Change::RecurringRunsChanged),
        "f" => {
            let (run, seq) = rest.split_once('.')?;
            Some(Change::FactsAppended { run: run.parse().ok()?, seq: seq.parse().ok()? })
        }
        _ => None,
    }
}

/// Passes on what other processes store, until the task is ended.
pub(crate) async fn listen(location: PostgresLocation, receiver: Uuid, sender: broadcast::Sender<Change>) {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(DEADLINE)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_lazy_with(listener_options(&location));
    let mut reported = false;
    loop {
        let listening = async {
            let mut listener = PgListener::connect_with(&pool).await?;
            listener.listen(CHANNEL).await?;
            Ok::<_, sqlx::Error>(listener)
        };
        match tokio::time::timeout(DEADLINE, listening).await {
            Ok(Ok(listener)) => {
                reported = false;
                pass_on(listener, receiver, &sender).await;
            }
            // Without it everything takes a little longer, so once is enough.
            Ok(Err(error)) if !std::mem::replace(&mut reported, true) => {
                tracing::warn!(error = %error, "cannot listen to what other processes store; it is looked for instead");
            }
            Ok(Err(_)) | Err(_) => {}
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Passes on changes until the connection is lost.
async fn pass_on(mut listener: PgListener, receiver: Uuid, sender: &broadcast::Sender<Change>) {
    listener.eager_reconnect(false);
    loop {
        match tokio::time::timeout(QUIET, listener.try_recv()).await {
            Ok(Ok(Some(notification))) => {
                for change in changes(receiver, notification.payload()) {
                    // Nobody may be listening.
                    let _ = sender.send(change);
                }
            }
            Ok(Ok(None) | Err(_)) => return,
            Err(_) => {
                let ping = sqlx::query("SELECT 1").execute(&mut listener);
                if !matches!(tokio::time::timeout(DEADLINE, ping).await, Ok(Ok(_))) {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_reach_everybody_but_their_sender() {
        let (sender, run) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let sent: Vec<Change> = (0..1000)
            .flat_map(|seq| {
                [Change::RunCreated { run }, Change::FactsAppended { run, seq }, Change::CommandStored { run }]
            })
            .chain([Change::RunChanged { run }, Change::RecurringRunsChanged])
            .collect();
        let payloads = payloads(sender, sent.clone());
        assert!(payloads.len() > 1 && payloads.iter().all(|payload| payload.len() < 8000));
        let received = |receiver| payloads.iter().flat_map(|payload| changes(receiver, payload)).collect::<Vec<_>>();
        assert_eq!(received(Uuid::from_u128(3)), sent);
        assert_eq!(received(sender), []);
    }

    #[test]
    fn what_is_not_understood_is_passed_over() {
        let sender = Uuid::from_u128(1).simple();
        let run = Uuid::from_u128(2);
        for payload in ["", " ", "hello world", "nobody n00000000000000000000000000000002"] {
            assert_eq!(changes(Uuid::nil(), payload), [], "{payload:?}");
        }
        let payload = format!("{sender} x n äö f1.2 f{}.x  c{}", run.simple(), run.simple());
        assert_eq!(changes(Uuid::nil(), &payload), [Change::CommandStored { run }]);
    }
}
