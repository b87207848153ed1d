//! Changes of a recurring run. What has fired stays fired.

use axum::extract::Path;
use penstock_metastore::{RecurringRun, RecurringSource, Trigger};
use penstock_spec::Timestamp;
use serde_json::{Map, Value};

use super::{max_concurrency, named_source, trigger, wanted};
use crate::api::Api;
use crate::error::ApiError;
use crate::recurring::{check_inputs, view, with_trigger};
use crate::router::Access;
use crate::routes::source::{Reference, account_or_default};
use crate::runs::plugins;
use crate::wire::{Fields, Reply, RequestBody, WireError};

/// Times that a change is tried while the recurring run fires or others change it.
const TRIES: u32 = 5;

/// What is to change; absent: nothing.
#[derive(Debug)]
struct Change {
    display_name: Option<String>,
    description: Option<String>,
    trigger: Option<Trigger>,
    max_concurrency: Option<i64>,
    no_catchup: Option<bool>,
    parameters: Option<Map<String, Value>>,
    service_account: Option<String>,
    plugins_input: Option<Map<String, Value>>,
    spec: Option<Map<String, Value>>,
    reference: Option<Reference>,
}

fn change(fields: &mut Fields) -> Result<Change, WireError> {
    fields.one_of(&["pipeline_spec", "pipeline_version_reference"])?;
    let config = fields.message("runtime_config", |fields| fields.structure("parameters"))?;
    Ok(Change {
        display_name: fields.optional_text("display_name")?,
        description: fields.optional_text("description")?,
        trigger: fields.message("trigger", trigger)?,
        max_concurrency: fields.optional_integer("max_concurrency")?,
        no_catchup: fields.optional_boolean("no_catchup")?,
        parameters: config.flatten(),
        service_account: fields.optional_text("service_account")?,
        plugins_input: fields.structure("plugins_input")?,
        spec: fields.structure("pipeline_spec")?,
        reference: Reference::read(fields)?,
    })
}

/// `PATCH /recurringruns/{id}`
pub(super) async fn edit(access: Access, Path(id): Path<String>, body: RequestBody) -> Result<Reply, ApiError> {
    let edit = async {
        let change = body.read(change)?;
        let given = change.source(&access).await?;
        for _ in 0..TRIES {
            let (api, before) = access.recurring_run(&id).await?;
            let changed = change.apply(&api, before, given.clone())?;
            if api.metastore().update_recurring_run(changed.clone()).await? {
                api.schedule_changes().notify_one();
                return view::recurring_run(&changed, &api);
            }
        }
        Err(ApiError::conflict(format!(
            "recurring run {id} fires or is changed all the time, and could not be changed; try again"
        )))
    };
    edit.await.map_err(|error: ApiError| error.within("Failed to change a recurring run"))
}

impl Change {
    /// What its runs are to be made from, if that changes.
    async fn source(&self, access: &Access) -> Result<Option<(RecurringSource, String)>, ApiError> {
        match (&self.reference, &self.spec) {
            (None, None) => Ok(None),
            (reference, spec) => named_source(access, spec.clone(), reference.as_ref()).await.map(Some),
        }
    }

    fn apply(
        &self,
        api: &Api,
        before: RecurringRun,
        given: Option<(RecurringSource, String)>,
    ) -> Result<RecurringRun, ApiError> {
        let now = Timestamp::now();
        let mut after = RecurringRun { updated_at: now, error: None, ..before };
        if let Some(name) = &self.display_name {
            if name.is_empty() {
                return Err(ApiError::invalid("Recurring run's name cannot be empty"));
            }
            after.display_name.clone_from(name);
        }
        if let Some(description) = &self.description {
            after.description.clone_from(description);
        }
        if let Some(asked) = self.max_concurrency {
            after.max_concurrency = max_concurrency(asked)?;
        }
        after.no_catchup = self.no_catchup.unwrap_or(after.no_catchup);
        if let Some(account) = &self.service_account {
            after.service_account = account_or_default(account.clone());
        }
        if let Some(input) = &self.plugins_input {
            plugins::check(input)?;
            after.plugins_input.clone_from(input);
        }
        if let Some(trigger) = self.trigger.as_ref().filter(|trigger| **trigger != after.trigger) {
            if *trigger == Trigger::Once {
                let text = "a recurring run cannot lose its trigger: run it now with :run, or disable it";
                return Err(ApiError::invalid(text));
            }
            // One that has always been there may be such that earlier builds took, and everything else can change all the same.
            wanted(api, trigger, after.no_catchup, now)?;
            after = with_trigger(after, trigger.clone(), now);
        }
        if let Some(parameters) = &self.parameters {
            after.parameters.clone_from(parameters);
        }
        match (given, &after.source) {
            (Some((source, text)), _) => {
                check_inputs(&text, &after.parameters, api.limits())?;
                after.source = source;
            }
            // The latest version is looked at each time that a run is made.
            (None, RecurringSource::Version { text, .. } | RecurringSource::Inline(text))
                if self.parameters.is_some() =>
            {
                check_inputs(text, &after.parameters, api.limits())?;
            }
            (None, _) => {}
        }
        Ok(after)
    }
}
