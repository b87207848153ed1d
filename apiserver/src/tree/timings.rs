//! When an attempt came to each of its steps, as clients read it.

use penstock_spec::Timestamp;
use penstock_spec::timings::Timings;
use serde::Serialize;

/// [`Timings`] in the spelling of the API.
#[derive(Debug, Serialize)]
pub(super) struct TimingsDocument {
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scheduled_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    launcher_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inputs_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ready_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    container_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stored_at: Option<Timestamp>,
}

impl From<&Timings> for TimingsDocument {
    fn from(timings: &Timings) -> Self {
        let Timings {
            created_at,
            scheduled_at,
            launcher_at,
            inputs_at,
            ready_at,
            container_at,
            started_at,
            ended_at,
            stored_at,
        } = *timings;
        Self {
            created_at,
            scheduled_at,
            launcher_at,
            inputs_at,
            ready_at,
            container_at,
            started_at,
            ended_at,
            stored_at,
        }
    }
}
