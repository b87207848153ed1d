//! Schedules of a server: KFP's recurring runs.

use penstock_spec::Timestamp;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::Client;
use super::error::RemoteError;
use crate::failure::Refusal;
use crate::text::inert;

/// Schedules of a page.
const PAGE: &str = "50";
/// Pages that are read, at most.
const MOST_PAGES: usize = 200;

/// A recurring run as the API shows it; what is not looked at here stays in it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Schedule(pub(crate) Value);

impl Schedule {
    /// A member that is a text.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// Its id.
    pub(crate) fn id(&self) -> &str {
        self.text("recurring_run_id")
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        self.text("display_name")
    }

    /// Whether it makes runs.
    pub(crate) fn is_enabled(&self) -> bool {
        self.text("mode") == "ENABLE"
    }

    /// When it is due, in one line.
    pub(crate) fn trigger(&self) -> String {
        trigger_text(self.0.get("trigger").unwrap_or(&Value::Null))
    }
}

/// A trigger in one line.
pub(crate) fn trigger_text(trigger: &Value) -> String {
    let text = |pointer: &str| trigger.pointer(pointer).and_then(Value::as_str).map(inert);
    let time = |name: &str| text(&format!("/periodic_schedule/{name}"))?.parse::<Timestamp>().ok();
    if let (Some("1"), Some(start), Some(end)) =
        (text("/periodic_schedule/interval_second").as_deref(), time("start_time"), time("end_time"))
        && end.duration_since(start) == jiff::SignedDuration::from_secs(1)
    {
        return format!("once, at {end}");
    }
    let mut shown = match (text("/cron_schedule/cron"), text("/periodic_schedule/interval_second")) {
        (Some(cron), _) => format!("cron {cron}"),
        (None, Some(seconds)) => match seconds.parse() {
            Ok(seconds) => format!("every {}", humantime::format_duration(std::time::Duration::from_secs(seconds))),
            Err(_) => format!("every {seconds}s"),
        },
        (None, None) => "once".to_owned(),
    };
    for (word, name) in [("after", "start_time"), ("until", "end_time")] {
        let at = |kind: &str| text(&format!("/{kind}/{name}"));
        if let Some(at) = at("cron_schedule").or_else(|| at("periodic_schedule")) {
            shown.push_str(&format!(", {word} {at}"));
        }
    }
    shown
}

/// All schedules.
pub(crate) async fn all(client: &Client) -> Result<Vec<Schedule>, RemoteError> {
    matching(client, None).await
}

async fn matching(client: &Client, name: Option<&str>) -> Result<Vec<Schedule>, RemoteError> {
    #[derive(Deserialize)]
    struct Page {
        #[serde(default, rename = "recurringRuns")]
        recurring_runs: Vec<Value>,
        #[serde(default)]
        next_page_token: String,
    }
    let filter = name.map(|name| {
        json!({"predicates": [{"operation": "EQUALS", "key": "display_name", "string_value": name}]}).to_string()
    });
    let (mut schedules, mut token) = (Vec::new(), String::new());
    for _ in 0..MOST_PAGES {
        let mut query = vec![("page_size", PAGE), ("sort_by", "created_at")];
        query.extend(filter.as_deref().map(|filter| ("filter", filter)));
        query.extend(client.where_in_it());
        if !token.is_empty() {
            query.push(("page_token", &token));
        }
        let page: Page = client.get(&["apis", "v2beta1", "recurringruns"], &query).await?;
        schedules.extend(page.recurring_runs.into_iter().map(Schedule));
        token = page.next_page_token;
        if token.is_empty() {
            return Ok(schedules);
        }
    }
    Err(RemoteError::Unreadable {
        path: "recurringruns".to_owned(),
        reason: format!("there are more than {MOST_PAGES} pages of them"),
    })
}

/// The schedule of a name, if there is one.
pub(crate) async fn named(client: &Client, name: &str) -> anyhow::Result<Option<Schedule>> {
    // Filters do not mind the case of letters; names do.
    let mut found: Vec<Schedule> =
        matching(client, Some(name)).await?.into_iter().filter(|schedule| schedule.name() == name).collect();
    match found.len() {
        0 | 1 => Ok(found.pop()),
        several => Err(Refusal::new(format!("{several} schedules are named {}; give the id of one", inert(name)))
            .with_problems(found.iter().map(|schedule| schedule.id().to_owned()))
            .into()),
    }
}

/// The schedule that the user means by its name or id.
pub(crate) async fn find(client: &Client, word: &str) -> anyhow::Result<Schedule> {
    if let Ok(id) = word.parse::<uuid::Uuid>() {
        return Ok(Schedule(client.get(&["apis", "v2beta1", "recurringruns", &id.to_string()], &[]).await?));
    }
    named(client, word).await?.ok_or_else(|| {
        Refusal::new(format!("there is no schedule {}", inert(word)))
            .with_hint("`penstock schedule list` shows them")
            .into()
    })
}

/// Creates one.
pub(crate) async fn create(client: &Client, body: &Value) -> Result<Schedule, RemoteError> {
    client.send(Method::POST, &["apis", "v2beta1", "recurringruns"], body).await.map(Schedule)
}

/// Creates one that has run at another place: what was due before it is enabled is not its own.
pub(crate) async fn import(client: &Client, body: &Value) -> Result<(), RemoteError> {
    let path = ["apis", "penstock", "v1", "recurringruns:import"];
    client.send::<Value>(Method::POST, &path, body).await.map(drop)
}

/// Changes one.
pub(crate) async fn change(client: &Client, id: &str, change: &Value) -> Result<Schedule, RemoteError> {
    client.send(Method::PATCH, &["apis", "penstock", "v1", "recurringruns", id], change).await.map(Schedule)
}

/// Lets one make runs, or keeps it from that.
pub(crate) async fn enable(client: &Client, id: &str, enabled: bool) -> Result<(), RemoteError> {
    let verb = if enabled { "enable" } else { "disable" };
    client.act(Method::POST, &["apis", "v2beta1", "recurringruns", &format!("{id}:{verb}")]).await
}

/// Deletes one.
pub(crate) async fn delete(client: &Client, id: &str) -> Result<(), RemoteError> {
    client.act(Method::DELETE, &["apis", "v2beta1", "recurringruns", id]).await
}

/// Makes a run of one.
pub(crate) async fn run_now(client: &Client, id: &str) -> Result<Value, RemoteError> {
    let path = ["apis", "penstock", "v1", "recurringruns", &format!("{id}:run")];
    client.send(Method::POST, &path, &json!({})).await
}

/// What has become of slots that passed without a run.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Backfilled {
    /// Runs that were made.
    pub(crate) runs: Vec<Value>,
    /// Slots that wait for room.
    pub(crate) waiting_times: Vec<Timestamp>,
}

/// Makes the runs of slots that passed without one, as far as there is room.
pub(crate) async fn backfill(
    client: &Client,
    id: &str,
    from: Timestamp,
    to: Timestamp,
) -> Result<Backfilled, RemoteError> {
    let path = ["apis", "penstock", "v1", "recurringruns", &format!("{id}:backfill")];
    client.send(Method::POST, &path, &json!({"start_time": from, "end_time": to})).await
}

/// Lets no slot wait for room any more.
pub(crate) async fn cancel_backfill(client: &Client, id: &str) -> Result<(), RemoteError> {
    client.act(Method::DELETE, &["apis", "penstock", "v1", "recurringruns", id, "backfill"]).await
}

#[derive(Deserialize)]
struct Times {
    #[serde(default)]
    next_times: Vec<Timestamp>,
}

/// When one is due.
pub(crate) async fn next(client: &Client, id: &str) -> Result<Vec<Timestamp>, RemoteError> {
    let times: Times = client.get(&["apis", "penstock", "v1", "recurringruns", id, "next"], &[]).await?;
    Ok(times.next_times)
}

/// When a trigger would be due.
pub(crate) async fn preview(client: &Client, trigger: &Value, no_catchup: bool) -> Result<Vec<Timestamp>, RemoteError> {
    let body = json!({"trigger": trigger, "no_catchup": no_catchup});
    let times: Times = client.send(Method::POST, &["apis", "penstock", "v1", "recurringruns:preview"], &body).await?;
    Ok(times.next_times)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trigger_is_one_line() {
        for (trigger, expected) in [
            (json!({}), "once"),
            (json!({"cron_schedule": {"cron": "0 0 9 * * *"}}), "cron 0 0 9 * * *"),
            (json!({"periodic_schedule": {"interval_second": "5400"}}), "every 1h 30m"),
            (
                json!({"periodic_schedule": {
                    "interval_second": "1", "start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T00:00:01Z",
                }}),
                "once, at 2026-01-01T00:00:01Z",
            ),
            (
                json!({"cron_schedule": {"cron": "@daily", "end_time": "2026-01-01T00:00:00Z"}}),
                "cron @daily, until 2026-01-01T00:00:00Z",
            ),
        ] {
            assert_eq!(trigger_text(&trigger), expected);
        }
    }
}
