//! A recurring run in the words of the API.

use penstock_metastore::{RecurringRun, RecurringSource, Trigger};
use penstock_spec::Timestamp;

use crate::api::Api;
use crate::error::ApiError;
use crate::runs::view::{status, with_runtime_config};
use crate::spec;
use crate::wire::Reply;

/// `RecurringRun`. Of one that lies in no namespace the server's own is told, where its runs go.
pub(crate) fn recurring_run(run: &RecurringRun, api: &Api) -> Result<Reply, ApiError> {
    let (mode, state) = if run.enabled { ("ENABLE", "ENABLED") } else { ("DISABLE", "DISABLED") };
    let namespace = if run.namespace.is_empty() { api.own_namespace() } else { &run.namespace };
    let mut reply = Reply::new()
        .text("recurring_run_id", run.id)
        .text("display_name", &run.display_name)
        .text("description", &run.description)
        .text("service_account", &run.service_account)
        .integer("max_concurrency", i64::from(run.max_concurrency))
        .message("trigger", trigger(&run.trigger))
        .text("mode", mode)
        .time("created_at", run.created_at)
        .time("updated_at", run.updated_at)
        .text("status", state)
        .boolean("no_catchup", run.no_catchup)
        .text("namespace", namespace)
        .text("experiment_id", run.experiment)
        .map("plugins_input", run.plugins_input.clone());
    reply = match &run.source {
        RecurringSource::Version { pipeline, version, .. } => {
            let reference = Reply::new().text("pipeline_id", *pipeline).text("pipeline_version_id", *version);
            reply.message("pipeline_version_reference", reference)
        }
        RecurringSource::Latest(pipeline) => {
            reply.message("pipeline_version_reference", Reply::new().text("pipeline_id", *pipeline))
        }
        RecurringSource::Inline(text) => reply.message("pipeline_spec", spec::shown_inline(text, api.limits())?),
    };
    reply = with_runtime_config(reply, &run.parameters, &run.pipeline_root);
    Ok(match &run.error {
        Some(error) => reply.message("error", status(error)),
        None => reply,
    })
}

fn trigger(trigger: &Trigger) -> Reply {
    match trigger {
        Trigger::Once => Reply::new(),
        Trigger::Cron { expression, start, end } => {
            Reply::new().message("cron_schedule", span(*start, *end).text("cron", expression))
        }
        Trigger::Periodic { seconds, start, end } => {
            Reply::new().message("periodic_schedule", span(*start, *end).integer("interval_second", *seconds))
        }
    }
}

/// Times that are not set are left out here.
fn span(start: Option<Timestamp>, end: Option<Timestamp>) -> Reply {
    let mut reply = Reply::new();
    for (name, time) in [("start_time", start), ("end_time", end)] {
        if time.is_some() {
            reply = reply.time(name, time);
        }
    }
    reply
}
