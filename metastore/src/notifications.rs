//! How far the notifications of each rule have come. Who sends them holds the rule for a while at a time, so that of
//! several processes over one store one alone does.

use penstock_spec::Timestamp;

use crate::Metastore;
use crate::codec::{Reason, column, count, encode_count, encode_time, identity, listed, time};
use crate::database::{Connection, Row, query};
use crate::error::MetastoreError;
use crate::rows::Listed;
use crate::runs::MAX_PAGE;
use crate::statements::{Answer, Operation};

/// Failures that are kept of a rule.
const KEPT_FAILURES: i64 = 1000;

/// How far the notifications of a rule have come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationRule {
    /// The rule.
    pub name: String,
    /// The number of the last change that is done with.
    pub position: u64,
    /// When it came that far.
    pub updated_at: Timestamp,
    /// Notifications that were delivered.
    pub delivered: u64,
    /// Notifications that were given up.
    pub failed: u64,
    /// Changes that were pruned before they were looked at.
    pub missed: u64,
}

/// A notification that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationFailure {
    /// The rule.
    pub rule: String,
    /// The number of the change.
    pub change: u64,
    /// When.
    pub at: Timestamp,
    /// How often it was tried.
    pub attempts: u64,
    /// Why it failed the last time.
    pub error: String,
    /// What should have been delivered, as JSON.
    pub event_json: String,
}

/// A request to the writer that is about notifications.
#[derive(Debug)]
pub(crate) enum NotificationOperation {
    Claim { rule: String, owner: String, now: i64, until: i64 },
    Advance { owner: String, rule: NotificationRule, until: i64 },
    Fail(NotificationFailure),
}

impl Metastore {
    /// Takes a rule for a process, or keeps it, unless another one holds it; returns whether it has it now. A rule that is
    /// new begins with what changes from now on.
    pub async fn claim_notifications(
        &self,
        rule: &str,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, MetastoreError> {
        let (now, until) = (encode_time(now), encode_time(until));
        let claim = NotificationOperation::Claim { rule: rule.to_owned(), owner: owner.to_owned(), now, until };
        self.notify(claim).await
    }

    /// Stores how far a rule has come, and keeps it until a time; returns whether the process still had it.
    pub async fn advance_notifications(
        &self,
        owner: &str,
        rule: NotificationRule,
        until: Timestamp,
    ) -> Result<bool, MetastoreError> {
        let until = encode_time(until);
        self.notify(NotificationOperation::Advance { owner: owner.to_owned(), rule, until }).await
    }

    /// Keeps a notification that was given up, in place of an earlier one of the same change.
    pub async fn put_notification_failure(&self, failure: NotificationFailure) -> Result<(), MetastoreError> {
        self.notify(NotificationOperation::Fail(failure)).await.map(drop)
    }

    async fn notify(&self, operation: NotificationOperation) -> Result<bool, MetastoreError> {
        Ok(self.writer.submit(Operation::Notification(Box::new(operation))).await? > 0)
    }

    /// How far all rules have come that ever were, by name.
    pub async fn notification_rules(&self) -> Result<Vec<NotificationRule>, MetastoreError> {
        let rows = query("SELECT * FROM notification_rules ORDER BY name LIMIT $1")
            .bind(i64::from(MAX_PAGE))
            .fetch_all(&self.readers)
            .await
            .map_err(|error| MetastoreError::database("read the rules of notifications", error))?;
        let unreadable = |reason| MetastoreError::Unreadable { row: "a rule of notifications".to_owned(), reason };
        rows.iter().map(|row| rule(row).map_err(unreadable)).collect()
    }

    /// The newest notifications that were given up, the newest first.
    pub async fn notification_failures(&self, limit: u32) -> Result<Vec<Listed<NotificationFailure>>, MetastoreError> {
        let rows = query("SELECT * FROM notification_failures ORDER BY at DESC, rule, change_id LIMIT $1")
            .bind(i64::from(limit.min(MAX_PAGE)))
            .fetch_all(&self.readers)
            .await
            .map_err(|error| MetastoreError::database("read notifications that were given up", error))?;
        Ok(rows.iter().map(|row| listed(failure(row), || identity(row, "rule"))).collect())
    }
}

fn rule(row: &Row) -> Result<NotificationRule, Reason> {
    Ok(NotificationRule {
        name: column(row, "name")?,
        position: count(row, "position")?,
        updated_at: time(row, "updated_at")?,
        delivered: count(row, "delivered")?,
        failed: count(row, "failed")?,
        missed: count(row, "missed")?,
    })
}

fn failure(row: &Row) -> Result<NotificationFailure, Reason> {
    Ok(NotificationFailure {
        rule: column(row, "rule")?,
        change: count(row, "change_id")?,
        at: time(row, "at")?,
        attempts: count(row, "attempts")?,
        error: column(row, "error")?,
        event_json: column(row, "event_json")?,
    })
}

impl NotificationOperation {
    /// What is attempted, for error texts.
    pub(crate) fn description(&self) -> String {
        match self {
            Self::Claim { rule, .. } => format!("take the notifications of rule {rule}"),
            Self::Advance { rule, .. } => format!("store how far the notifications of rule {} have come", rule.name),
            Self::Fail(failure) => format!("keep a notification of rule {} that was given up", failure.rule),
        }
    }

    /// Carries it out; the answer is how many rows it changed.
    pub(crate) async fn apply(&self, connection: &mut Connection) -> Result<Answer, sqlx::Error> {
        match self {
            Self::Claim { rule, owner, now, until } => claim(connection, rule, owner, *now, *until).await,
            Self::Advance { owner, rule, until } => advance(connection, owner, rule, *until).await,
            Self::Fail(failure) => fail(connection, failure).await,
        }
    }
}

async fn claim(
    connection: &mut Connection,
    rule: &str,
    owner: &str,
    now: i64,
    until: i64,
) -> Result<Answer, sqlx::Error> {
    let claimed = query(
        "INSERT INTO notification_rules (name, position, owner, owned_until, updated_at, delivered, failed, missed) \
         SELECT $1, last_id, $2, $3, $4, 0, 0, 0 FROM change_counter WHERE only_row = 1 \
         ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, owned_until = excluded.owned_until \
         WHERE notification_rules.owner = excluded.owner OR notification_rules.owned_until <= excluded.updated_at",
    )
    .bind(rule)
    .bind(owner)
    .bind(until)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(claimed)
}

async fn advance(
    connection: &mut Connection,
    owner: &str,
    rule: &NotificationRule,
    until: i64,
) -> Result<Answer, sqlx::Error> {
    let advanced = query(
        "UPDATE notification_rules SET position = $3, updated_at = $4, delivered = $5, failed = $6, missed = $7, \
           owned_until = $8 WHERE name = $1 AND owner = $2",
    )
    .bind(&rule.name)
    .bind(owner)
    .bind(encode_count(rule.position))
    .bind(encode_time(rule.updated_at))
    .bind(encode_count(rule.delivered))
    .bind(encode_count(rule.failed))
    .bind(encode_count(rule.missed))
    .bind(until)
    .execute(connection)
    .await?;
    Ok(advanced)
}

async fn fail(connection: &mut Connection, failure: &NotificationFailure) -> Result<Answer, sqlx::Error> {
    let kept = query(
        "INSERT INTO notification_failures (rule, change_id, at, attempts, error, event_json) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (rule, change_id) DO UPDATE SET at = excluded.at, \
           attempts = excluded.attempts, error = excluded.error, event_json = excluded.event_json",
    )
    .bind(&failure.rule)
    .bind(encode_count(failure.change))
    .bind(encode_time(failure.at))
    .bind(encode_count(failure.attempts))
    .bind(&failure.error)
    .bind(&failure.event_json)
    .execute(&mut *connection)
    .await?;
    query(
        "DELETE FROM notification_failures WHERE rule = $1 AND change_id <= \
         (SELECT change_id FROM notification_failures WHERE rule = $1 ORDER BY change_id DESC LIMIT 1 OFFSET $2)",
    )
    .bind(&failure.rule)
    .bind(KEPT_FAILURES)
    .execute(connection)
    .await?;
    Ok(kept)
}
