//! How notifications stand.

use std::collections::HashMap;

use penstock_metastore::{Listed, NotificationFailure, NotificationRule};
use serde_json::Value;

use crate::api::Api;
use crate::error::ApiError;
use crate::notifications::Rule;
use crate::openapi::{Description, Reply as Replied};
use crate::router::{Access, Requires, Resource, Routes, Verb};
use crate::wire::Reply;

/// Failures that are shown, the newest.
const FAILURES: u32 = 100;

pub(super) fn routes(routes: Routes) -> Routes {
    routes.get("/apis/penstock/v1/notifications", Requires::Access(Resource::Runs, Verb::List), get).describe(
        Description::new("get_notifications", "How the rules stand by which others are told what happens")
            .replies(Replied::AnyJson),
    )
}

/// `GET /notifications`
async fn get(access: Access) -> Result<Reply, ApiError> {
    let status = async { status(&access.server().await?).await };
    status.await.map_err(|error| error.within("Failed to tell how notifications stand"))
}

async fn status(api: &Api) -> Result<Reply, ApiError> {
    let store = api.metastore();
    let last = store.feed_position().await?.last;
    let rows = store.notification_rules().await?.into_iter().map(|row| (row.name.clone(), row));
    let rows: HashMap<String, NotificationRule> = rows.collect();
    let failures = store.notification_failures(FAILURES).await?.into_iter().filter_map(Listed::readable);
    let configured = api.settings().notifications.as_ref();
    let rules =
        configured.into_iter().flat_map(|rules| rules.all()).map(|rule| shown(rule, rows.get(rule.name()), last));
    Ok(Reply::new().list("rules", rules).list("failures", failures.map(|failure| failed(&failure))))
}

fn shown(rule: &Rule, row: Option<&NotificationRule>, last: u64) -> Reply {
    let mut reply = Reply::new().text("name", rule.name()).text("receiver", rule.origin());
    if let Some(row) = row {
        let number = |reply: Reply, name: &str, value: u64| reply.message(name, Value::from(value));
        reply = number(reply, "position", row.position);
        reply = number(reply, "waiting_changes", last.saturating_sub(row.position));
        reply = number(reply, "delivered", row.delivered);
        reply = number(reply, "failed", row.failed);
        reply = number(reply, "missed_changes", row.missed).time("updated_at", row.updated_at);
    }
    match rule.standing.trouble() {
        Some(trouble) => {
            let trouble = Reply::new()
                .message("attempts", Value::from(trouble.attempts))
                .text("error", trouble.error)
                .time("at", trouble.at);
            reply.message("trouble", trouble)
        }
        None => reply,
    }
}

fn failed(failure: &NotificationFailure) -> Reply {
    let NotificationFailure { rule, change, at, attempts, error, event_json } = failure;
    Reply::new()
        .text("rule", rule)
        .message("change_id", Value::from(*change))
        .time("at", *at)
        .message("attempts", Value::from(*attempts))
        .text("error", error)
        .message("event", serde_json::from_str::<Value>(event_json).unwrap_or_default())
}
