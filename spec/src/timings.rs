//! When an attempt came to each of its steps.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// Times of an attempt's steps, in their order, each by the clock of whoever saw it. A step that an attempt did not come
/// to, or that nobody saw, has none. What the cluster says of a Pod is exact to the second, the rest to the millisecond.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Timings {
    /// The Pod was created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// The Pod was given a node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_at: Option<Timestamp>,
    /// The launcher of the Pod began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launcher_at: Option<Timestamp>,
    /// Inputs began to be fetched. On one machine the Python environment was ready then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs_at: Option<Timestamp>,
    /// All inputs were in their places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_at: Option<Timestamp>,
    /// The user's container ran: its image was there. The process waits in it until the inputs are ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_at: Option<Timestamp>,
    /// The user's process started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// The user's process ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Outputs and log were stored, or given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored_at: Option<Timestamp>,
}

impl Timings {
    /// These, and from `others` what is missing in them.
    #[must_use]
    pub fn or(self, others: &Timings) -> Timings {
        Timings {
            created_at: self.created_at.or(others.created_at),
            scheduled_at: self.scheduled_at.or(others.scheduled_at),
            launcher_at: self.launcher_at.or(others.launcher_at),
            inputs_at: self.inputs_at.or(others.inputs_at),
            ready_at: self.ready_at.or(others.ready_at),
            container_at: self.container_at.or(others.container_at),
            started_at: self.started_at.or(others.started_at),
            ended_at: self.ended_at.or(others.ended_at),
            stored_at: self.stored_at.or(others.stored_at),
        }
    }

    /// Nothing if no time is known.
    pub fn known(self) -> Option<Box<Timings>> {
        (self != Timings::default()).then(|| Box::new(self))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_are_rfc_3339_and_what_is_not_known_is_left_out() {
        let at = |text: &str| text.parse::<Timestamp>().ok();
        let own = Timings { started_at: at("2026-08-01T10:00:00.25Z"), ..Timings::default() };
        let seen = Timings {
            scheduled_at: at("2026-08-01T09:59:58Z"),
            started_at: at("2026-08-01T10:00:01Z"),
            ..Timings::default()
        };
        let text = json!({"scheduledAt": "2026-08-01T09:59:58Z", "startedAt": "2026-08-01T10:00:00.25Z"});
        assert_eq!(serde_json::to_value(own.or(&seen)).expect("JSON"), text);
        assert_eq!(serde_json::from_value::<Timings>(json!({})).expect("times").known(), None);
    }
}
