//! Tells others what happened: signed webhooks, by rules that the operator gives.
//!
//! Each rule goes through the changes of the store from where it stands, and its place is stored once what it sent is
//! delivered or given up: whoever is killed between the two sends it again, under the same id. Only the URLs of the rules
//! are ever called.

mod delivery;
mod message;
mod metrics;
mod rules;
mod standing;

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, stream};
use penstock_metastore::{FeedChange, MetastoreError, NotificationFailure, NotificationRule};
use penstock_runtime::logs::chain;
use penstock_runtime::shutdown::Shutdown;
use penstock_spec::Timestamp;
use tokio::sync::broadcast;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::api::Api;
use crate::changes::OTHERS;
use delivery::Delivery;
use message::Message;
pub use metrics::NotificationMetrics;
pub use rules::{NotificationRules, Rule, RulesError};

/// How long a process keeps a rule without a sign of life.
const HELD: Duration = Duration::from_secs(10);
/// Time between two signs of life.
const RENEWAL: Duration = Duration::from_secs(3);
/// Changes after which a place is stored; so many may be told of twice after a kill.
const AT_A_TIME: u32 = 16;
/// Deliveries of one rule at a time.
const CONCURRENT: usize = 4;
/// Pause after a failure of the store.
const TROUBLE: Duration = Duration::from_secs(5);

/// Sends what is to be sent until the end is asked for.
pub async fn run(api: Api, rules: Arc<NotificationRules>, metrics: NotificationMetrics, shutdown: Shutdown) {
    // Whoever holds a rule is told from an earlier process of the same machine.
    let owner = Uuid::new_v4().to_string();
    let mut tasks = JoinSet::new();
    for rule in rules.all() {
        let (api, rule, owner) = (api.clone(), Arc::clone(rule), owner.clone());
        tasks.spawn(Sender { api, rule, owner, metrics: metrics.clone() }.run());
    }
    shutdown.requested().await;
    // What is on its way is sent again by the next start.
    tasks.shutdown().await;
}

/// Sends the notifications of one rule.
struct Sender {
    api: Api,
    rule: Arc<Rule>,
    owner: String,
    metrics: NotificationMetrics,
}

/// What became of some changes.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sent {
    delivered: u64,
    failed: u64,
}

impl Sender {
    async fn run(self) {
        loop {
            match self.hold().await {
                Ok(()) => tokio::time::sleep(RENEWAL).await,
                Err(error) => {
                    let error = chain(&error);
                    tracing::warn!(rule = self.rule.name, error, "notifications wait for the store; trying again");
                    tokio::time::sleep(TROUBLE).await;
                }
            }
        }
    }

    /// Takes the rule and works until another process has it.
    async fn hold(&self) -> Result<(), MetastoreError> {
        let store = self.api.metastore();
        let mut stored = store.subscribe();
        if !self.claim().await? {
            return Ok(());
        }
        let all = store.notification_rules().await?;
        let Some(mut row) = all.into_iter().find(|row| row.name == self.rule.name) else { return Ok(()) };
        loop {
            let position = store.feed_position().await?;
            if !position.covers(row.position) {
                let from = if row.position < position.pruned { position.pruned } else { position.last };
                let missed = from.saturating_sub(row.position);
                tracing::error!(
                    rule = self.rule.name,
                    changes = missed,
                    "changes were pruned before they were told of"
                );
                (row.position, row.missed) = (from, row.missed.saturating_add(missed));
                if !self.save(&mut row).await? {
                    return Ok(());
                }
            }
            let changes = store.changes_after(None, row.position, AT_A_TIME).await?;
            let Some(last) = changes.last().map(|change| change.id) else {
                self.metrics.lag(&self.rule.name, 0);
                wait(&mut stored).await;
                if !self.claim().await? {
                    return Ok(());
                }
                continue;
            };
            self.metrics.lag(&self.rule.name, position.last.saturating_sub(row.position));
            let Some(sent) = self.send_held(changes).await? else { return Ok(()) };
            row.position = last;
            row.delivered = row.delivered.saturating_add(sent.delivered);
            row.failed = row.failed.saturating_add(sent.failed);
            if !self.save(&mut row).await? {
                return Ok(());
            }
        }
    }

    async fn claim(&self) -> Result<bool, MetastoreError> {
        let now = Timestamp::now();
        self.api.metastore().claim_notifications(&self.rule.name, &self.owner, now, until(now)).await
    }

    async fn save(&self, row: &mut NotificationRule) -> Result<bool, MetastoreError> {
        row.updated_at = Timestamp::now();
        let until = until(row.updated_at);
        self.api.metastore().advance_notifications(&self.owner, row.clone(), until).await
    }

    /// Sends some changes, and keeps the rule meanwhile; nothing if another process took it.
    async fn send_held(&self, changes: Vec<FeedChange>) -> Result<Option<Sent>, MetastoreError> {
        let mut work = std::pin::pin!(self.send(changes));
        loop {
            tokio::select! {
                sent = &mut work => return sent.map(Some),
                () = tokio::time::sleep(RENEWAL) => if !self.claim().await? { return Ok(None) },
            }
        }
    }

    async fn send(&self, changes: Vec<FeedChange>) -> Result<Sent, MetastoreError> {
        let mut messages = Vec::new();
        for change in changes {
            if let Some(message) = self.message(&change).await? {
                messages.push((change, message));
            }
        }
        let mut sent = Sent::default();
        let mut ends =
            stream::iter(messages).map(|(change, message)| self.deliver(change, message)).buffer_unordered(CONCURRENT);
        while let Some(delivered) = ends.next().await {
            match delivered? {
                true => sent.delivered += 1,
                false => sent.failed += 1,
            }
        }
        Ok(sent)
    }

    /// What to say of a change, if the rule is for it.
    async fn message(&self, change: &FeedChange) -> Result<Option<Message>, MetastoreError> {
        let Some(event) = self.rule.event_of(change) else { return Ok(None) };
        if !self.rule.is_of_experiment(change) {
            let id = rules::experiment_of(change);
            let name = match id {
                Some(id) => match self.api.metastore().experiment(id).await {
                    Ok(experiment) => Some(experiment.name),
                    Err(MetastoreError::NotFound { .. }) => None,
                    Err(error) => return Err(error),
                },
                None => None,
            };
            if !name.is_some_and(|name| self.rule.names_experiment(&name)) {
                return Ok(None);
            }
        }
        Ok(Some(Message::new(event, change)))
    }

    /// Delivers a message or gives it up; returns whether it was delivered.
    async fn deliver(&self, change: FeedChange, message: Message) -> Result<bool, MetastoreError> {
        let delivery = Delivery { rule: &self.rule, message: &message, metrics: &self.metrics };
        let Err(given_up) = delivery.carry_out().await else { return Ok(true) };
        tracing::error!(
            rule = self.rule.name, run.id = %change.run, change = change.id, attempts = given_up.attempts,
            error = given_up.error, "a notification is given up"
        );
        let failure = NotificationFailure {
            rule: self.rule.name.clone(),
            change: change.id,
            at: Timestamp::now(),
            attempts: given_up.attempts,
            error: given_up.error,
            event_json: message.body,
        };
        self.api.metastore().put_notification_failure(failure).await?;
        Ok(false)
    }
}

fn until(now: Timestamp) -> Timestamp {
    now.checked_add(HELD).unwrap_or(now)
}

/// Waits until the store is worth a look.
async fn wait(stored: &mut broadcast::Receiver<penstock_metastore::Change>) {
    if let Ok(Err(broadcast::error::RecvError::Closed)) = tokio::time::timeout(OTHERS, stored.recv()).await {
        tokio::time::sleep(OTHERS).await;
    }
}
