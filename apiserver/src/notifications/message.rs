//! What is sent: a CloudEvent as structured JSON, signed as Standard Webhooks has it, so that libraries for both read it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use penstock_metastore::FeedChange;
use serde_json::{Value, json};
use sha2::Sha256;
use uuid::Uuid;

use super::rules::{Event, Secret};
use crate::routes::described_change;

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// The same for the same change, however often it is sent.
    pub(crate) id: String,
    /// The event.
    pub(crate) body: String,
}

impl Message {
    pub(super) fn new(event: Event, change: &FeedChange) -> Self {
        let FeedChange { id, namespace, run, at, detail, .. } = change;
        let id = Uuid::new_v5(run, format!("{}/{id}/{}", event.as_str(), at.as_nanosecond()).as_bytes()).to_string();
        let task = detail.get("task_path").and_then(Value::as_str);
        let recurring_run = detail.get("recurring_run_id").and_then(Value::as_str).unwrap_or_default();
        let subject = match (event, task) {
            (Event::RecurringRunRefused, _) => format!("recurringruns/{recurring_run}"),
            (_, Some(path)) => format!("runs/{run}/tasks/{path}"),
            (_, None) => format!("runs/{run}"),
        };
        let source = match namespace.as_str() {
            "" => "/apis/penstock/v1".to_owned(),
            namespace => format!("/apis/penstock/v1/namespaces/{namespace}"),
        };
        let body = json!({
            "specversion": "1.0",
            "id": id,
            "source": source,
            "type": format!("dev.penstock.{}", event.as_str()),
            "subject": subject,
            "time": at.to_string(),
            "datacontenttype": "application/json",
            "data": described_change(change),
        });
        Self { id, body: body.to_string() }
    }

    /// The signature over id, time and body: who repeats a message later cannot change its time.
    pub(super) fn signature(&self, secret: &Secret, second: i64) -> Result<String, String> {
        let mac = Hmac::<Sha256>::new_from_slice(&secret.0);
        let mut mac = mac.map_err(|error| format!("cannot sign: {error}"))?;
        mac.update(format!("{}.{second}.", self.id).as_bytes());
        mac.update(self.body.as_bytes());
        Ok(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_a_cloud_event_of_one_identity() {
        let detail = json!({"task_path": "train", "state": "FAILED"});
        let change = FeedChange {
            id: 7,
            namespace: "team".to_owned(),
            run: Uuid::from_u128(1),
            kind: "task_ended".to_owned(),
            at: "2026-08-01T10:00:00Z".parse().unwrap(),
            detail: detail.as_object().unwrap().clone(),
        };
        let message = Message::new(Event::TaskEnded, &change);
        assert_eq!(message, Message::new(Event::TaskEnded, &change));
        assert_ne!(message.id, Message::new(Event::TaskEnded, &FeedChange { id: 8, ..change.clone() }).id);
        let body: Value = serde_json::from_str(&message.body).unwrap();
        let expected = json!({
            "specversion": "1.0", "id": message.id, "type": "dev.penstock.task.ended", "time": "2026-08-01T10:00:00Z",
            "source": "/apis/penstock/v1/namespaces/team", "subject": format!("runs/{}/tasks/train", change.run),
            "datacontenttype": "application/json", "data": body["data"],
        });
        assert_eq!((&body, &body["data"]["state"]), (&expected, &json!("FAILED")));
    }

    #[test]
    fn what_keeps_a_recurring_run_from_firing_is_told_of_it() {
        let detail = json!({"recurring_run_id": "abc", "error": "away"});
        let change = FeedChange {
            id: 7,
            namespace: "team".to_owned(),
            run: Uuid::nil(),
            kind: "recurring_run_refused".to_owned(),
            at: "2026-08-01T10:00:00Z".parse().unwrap(),
            detail: detail.as_object().unwrap().clone(),
        };
        let message = Message::new(Event::RecurringRunRefused, &change);
        let body: Value = serde_json::from_str(&message.body).unwrap();
        assert_eq!((&body["subject"], &body["data"]["run_id"]), (&json!("recurringruns/abc"), &Value::Null));
        assert_eq!(body["type"], json!("dev.penstock.recurring_run.refused"));
    }

    /// The example of the specification of Standard Webhooks.
    #[test]
    fn signatures_are_those_of_standard_webhooks() {
        let message =
            Message { id: "msg_p5jXN8AQM9LWM0D4loKWxJek".to_owned(), body: "{\"test\": 2432232314}".to_owned() };
        let secret = Secret(STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap());
        let signature = message.signature(&secret, 1_614_265_330).unwrap();
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
