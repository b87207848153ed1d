//! Recurring runs: made, shown, listed, changed, enabled, disabled, deleted. Their runs are made by [`crate::schedules`];
//! [`slots`] tells when they are due, and makes runs out of turn.

mod edit;
mod slots;

use axum::extract::Path;
use penstock_metastore::{CountsFrom, RecurringRun, RecurringRunField, RecurringSource, Trigger};
use penstock_spec::Timestamp;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::source::{Home, Reference, RuntimeConfig, Scope, ScopeFields, account_or_default, elsewhere, home, scope};
use crate::api::Api;
use crate::error::ApiError;
use crate::listing::ListRequest;
use crate::openapi::Description;
use crate::openapi::schema::Kind;
use crate::recurring::{check_inputs, naming, schema, view};
use crate::router::{Access, Requires, Resource, Routes, Verb};
use crate::runs::plugins;
use crate::schedule::Schedule;
use crate::wire::{Enumeration, Fields, Query, Reply, RequestBody, WireError};

const MOST_AT_A_TIME: i64 = 10;
const MODES: &Enumeration = &[("MODE_UNSPECIFIED", 0), ("ENABLE", ENABLE), ("DISABLE", 2)];
const ENABLE: i64 = 1;
const PROPAGATION: &Enumeration =
    &[("DELETE_PROPAGATION_POLICY_UNSPECIFIED", 0), ("FOREGROUND", 1), ("BACKGROUND", 2), ("ORPHAN", 3)];

pub(super) fn routes(routes: Routes) -> Routes {
    const ALL: &str = "/apis/v2beta1/recurringruns";
    const ONE: &str = "/apis/v2beta1/recurringruns/{recurring_run_id}";
    let may = |verb| Requires::Access(Resource::RecurringRuns, verb);
    routes
        .post(ALL, may(Verb::Create), create)
        .describe(
            Description::new("create_recurring_run", "Make a recurring run")
                .body(&schema::RECURRING_RUN)
                .reply(&schema::RECURRING_RUN),
        )
        .post("/apis/penstock/v1/recurringruns:import", may(Verb::Create), import)
        .describe(
            Description::new(
                "import_recurring_run",
                "Make a recurring run that has run at another place: only what is due after its first enabling is its own",
            )
            .body(&schema::RECURRING_RUN)
            .reply(&schema::RECURRING_RUN),
        )
        .get(ALL, may(Verb::List), list)
        .describe(
            Description::new("list_recurring_runs", "Recurring runs, oldest first")
                .query("experiment_id", Kind::Id, "Those of this experiment alone.")
                .paged()
                .reply(&schema::RECURRING_RUNS),
        )
        .get(ONE, may(Verb::Get), get)
        .describe(Description::new("get_recurring_run", "A recurring run").reply(&schema::RECURRING_RUN))
        .delete(ONE, may(Verb::Delete), delete)
        .describe(Description::new("delete_recurring_run", "Delete a recurring run; its runs stay"))
        .post("/apis/v2beta1/recurringruns/{recurring_run_id}:enable", may(Verb::Enable), enable)
        .describe(Description::new("enable_recurring_run", "Let it fire"))
        .post("/apis/v2beta1/recurringruns/{recurring_run_id}:disable", may(Verb::Disable), disable)
        .describe(Description::new("disable_recurring_run", "Let it fire no more"))
        .patch("/apis/penstock/v1/recurringruns/{recurring_run_id}", may(Verb::Update), edit::edit)
        .describe(
            Description::new("edit_recurring_run", "Change a recurring run; what is absent stays, and what has fired")
                .body(&schema::CHANGE)
                .reply(&schema::RECURRING_RUN),
        )
        .get("/apis/penstock/v1/recurringruns/{recurring_run_id}/next", may(Verb::Get), slots::next)
        .describe(
            Description::new("next_slots", "When a recurring run is due next")
                .query("count", Kind::Int32, "How many times: 5 unless it is said, at most 100.")
                .reply(&schema::TIMES),
        )
        .post("/apis/penstock/v1/recurringruns:preview", Requires::Caller, slots::preview)
        .describe(
            Description::new("preview_slots", "When a trigger would be due")
                .body(&schema::PREVIEW)
                .reply(&schema::TIMES),
        )
        .post(
            "/apis/penstock/v1/recurringruns/{recurring_run_id}:run",
            Requires::Access(Resource::Runs, Verb::Create),
            slots::run_now,
        )
        .describe(
            Description::new("run_recurring_run", "Make a run of a recurring run now, for no slot")
                .reply(&crate::runs::schema::RUN),
        )
        .post(
            "/apis/penstock/v1/recurringruns/{recurring_run_id}:backfill",
            Requires::Access(Resource::Runs, Verb::Create),
            slots::backfill,
        )
        .describe(
            Description::new(
                "backfill_recurring_run",
                "Make runs for slots that have passed without one, at most 100, as there is room for them",
            )
            .body(&schema::RANGE)
            .reply(&schema::BACKFILLED),
        )
        .delete("/apis/penstock/v1/recurringruns/{recurring_run_id}/backfill", may(Verb::Update), slots::cancel)
        .describe(Description::new("cancel_backfill", "Make no run for slots that have passed and still wait for room"))
}

/// `RecurringRun` as clients send it.
#[derive(Debug)]
struct RecurringRunBody {
    display_name: String,
    description: String,
    experiment: String,
    namespace: String,
    spec: Option<Map<String, Value>>,
    reference: Option<Reference>,
    config: RuntimeConfig,
    service_account: String,
    max_concurrency: i64,
    trigger: Trigger,
    mode: i64,
    no_catchup: bool,
    plugins_input: Map<String, Value>,
}

/// What only the server says; clients send it back.
const OUTPUT_ONLY: [&str; 6] =
    ["recurring_run_id", "pipeline_version_id", "created_at", "updated_at", "status", "error"];

fn recurring_run_body(fields: &mut Fields) -> Result<RecurringRunBody, WireError> {
    fields.one_of(&["pipeline_spec", "pipeline_version_reference"])?;
    fields.ignore(&OUTPUT_ONLY)?;
    Ok(RecurringRunBody {
        display_name: fields.text("display_name")?,
        description: fields.text("description")?,
        experiment: fields.text("experiment_id")?,
        namespace: fields.text("namespace")?,
        spec: fields.structure("pipeline_spec")?,
        reference: Reference::read(fields)?,
        config: RuntimeConfig::read(fields)?,
        service_account: fields.text("service_account")?,
        max_concurrency: fields.integer("max_concurrency")?,
        trigger: fields.message("trigger", trigger)?.unwrap_or(Trigger::Once),
        mode: fields.enumeration("mode", MODES)?,
        no_catchup: fields.boolean("no_catchup")?,
        plugins_input: fields.structure("plugins_input")?.unwrap_or_default(),
    })
}

fn trigger(fields: &mut Fields) -> Result<Trigger, WireError> {
    fields.one_of(&["cron_schedule", "periodic_schedule"])?;
    let cron = fields.message("cron_schedule", |fields| {
        Ok(Trigger::Cron {
            start: fields.time("start_time")?,
            end: fields.time("end_time")?,
            expression: fields.text("cron")?,
        })
    })?;
    let periodic = fields.message("periodic_schedule", |fields| {
        Ok(Trigger::Periodic {
            start: fields.time("start_time")?,
            end: fields.time("end_time")?,
            seconds: fields.integer("interval_second")?,
        })
    })?;
    Ok(cron.or(periodic).unwrap_or(Trigger::Once))
}

/// `POST /recurringruns`
async fn create(access: Access, body: RequestBody) -> Result<Reply, ApiError> {
    let create = async {
        let (api, recurring) = recurring_run(&access, body.read(recurring_run_body)?).await?;
        stored(&api, recurring).await
    };
    create.await.map_err(|error: ApiError| error.within("Failed to create a recurring run"))
}

/// `POST /recurringruns:import`
async fn import(access: Access, body: RequestBody) -> Result<Reply, ApiError> {
    let import = async {
        let (api, mut recurring) = recurring_run(&access, body.read(recurring_run_body)?).await?;
        recurring.counts_from = match recurring.enabled {
            true => CountsFrom::Time(recurring.created_at),
            false => CountsFrom::FirstEnabling,
        };
        stored(&api, recurring).await
    };
    import.await.map_err(|error: ApiError| error.within("Failed to import a recurring run"))
}

async fn stored(api: &Api, recurring: RecurringRun) -> Result<Reply, ApiError> {
    let reply = view::recurring_run(&recurring, api)?;
    api.metastore().create_recurring_run(recurring).await?;
    api.schedule_changes().notify_one();
    Ok(reply)
}

/// The recurring run that is asked for; what it makes could run now.
async fn recurring_run(access: &Access, body: RecurringRunBody) -> Result<(Api, RecurringRun), ApiError> {
    if body.display_name.is_empty() {
        return Err(ApiError::invalid("Recurring run's name cannot be empty"));
    }
    let max_concurrency = max_concurrency(body.max_concurrency)?;
    let Home { api, experiment, namespace } = home(access, &body.experiment).await?;
    let now = Timestamp::now();
    wanted(&api, &body.trigger, body.no_catchup, now)?;
    plugins::check(&body.plugins_input)?;
    check_namespace(&api, experiment, &body.namespace).await?;
    let source = source(access, &api, (body.spec, body.reference), &body.config.parameters).await?;
    let recurring = RecurringRun {
        id: Uuid::new_v4(),
        namespace,
        run_name: naming::run_name(&body.display_name),
        display_name: body.display_name,
        description: body.description,
        experiment,
        created_at: now,
        updated_at: now,
        enabled: body.mode == ENABLE,
        max_concurrency,
        no_catchup: body.no_catchup,
        trigger: body.trigger,
        source,
        parameters: body.config.parameters,
        pipeline_root: body.config.pipeline_root,
        service_account: account_or_default(body.service_account),
        plugins_input: body.plugins_input,
        fired: 0,
        last_fired: None,
        counts_from: CountsFrom::Start,
        revision: 0,
        error: None,
    };
    Ok((api, recurring))
}

/// The schedule that somebody wants from now on.
fn wanted(api: &Api, trigger: &Trigger, no_catchup: bool, now: Timestamp) -> Result<Schedule, ApiError> {
    Schedule::wanted(trigger, no_catchup, &api.schedule_zone(), now)
        .map_err(|error| ApiError::invalid(error.to_string()))
}

fn max_concurrency(asked: i64) -> Result<u32, ApiError> {
    match u32::try_from(asked) {
        Ok(number) if (1..=MOST_AT_A_TIME).contains(&asked) => Ok(number),
        _ => Err(ApiError::invalid(format!(
            "Max concurrency of a recurring run must be at least 1 and at most {MOST_AT_A_TIME}. Received {asked}"
        ))),
    }
}

async fn check_namespace(api: &Api, experiment: Uuid, asked: &str) -> Result<(), ApiError> {
    if asked.is_empty() {
        return Ok(());
    }
    let namespace = api.metastore().experiment(experiment).await?.namespace;
    if asked == namespace {
        return Ok(());
    }
    Err(elsewhere(experiment, &namespace, asked))
}

/// What its runs are made from, if it takes these parameters now.
async fn source(
    access: &Access,
    api: &Api,
    (spec, reference): (Option<Map<String, Value>>, Option<Reference>),
    parameters: &Map<String, Value>,
) -> Result<RecurringSource, ApiError> {
    let (source, text) = named_source(access, spec, reference.as_ref()).await?;
    check_inputs(&text, parameters, api.limits())?;
    Ok(source)
}

/// What a request names as the source of runs, and the pipeline that it is now.
async fn named_source(
    access: &Access,
    spec: Option<Map<String, Value>>,
    reference: Option<&Reference>,
) -> Result<(RecurringSource, String), ApiError> {
    match (reference, spec) {
        (Some(reference), _) if !reference.is_empty() => {
            let found = reference.resolve(access).await?;
            let text = found.pipeline_text.clone();
            let source = match reference.version.is_empty() {
                true => RecurringSource::Latest(found.pipeline),
                false => {
                    RecurringSource::Version { pipeline: found.pipeline, version: found.id, text: found.pipeline_text }
                }
            };
            Ok((source, text))
        }
        (_, Some(spec)) => {
            let text = Value::Object(spec).to_string();
            Ok((RecurringSource::Inline(text.clone()), text))
        }
        (_, None) => Err(ApiError::invalid(
            "Cannot create a job with an empty pipeline ID: give pipeline_spec, or pipeline_version_reference with \
             pipeline_id or pipeline_version_id",
        )),
    }
}

/// `GET /recurringruns/{id}`
pub(super) async fn get(access: Access, Path(id): Path<String>) -> Result<Reply, ApiError> {
    let get = async {
        let (api, recurring) = access.recurring_run(&id).await?;
        view::recurring_run(&recurring, &api)
    };
    get.await.map_err(|error| error.within("Failed to get a recurring run"))
}

const SCOPE: ScopeFields<RecurringRunField> = ScopeFields {
    namespace: RecurringRunField::Namespace,
    experiment: RecurringRunField::Experiment,
    missing: "a recurring run cannot have an empty namespace in multi-user mode",
};

/// `GET /recurringruns`
pub(super) async fn list(access: Access, query: Query) -> Result<Reply, ApiError> {
    let list = async {
        let Scope { api, predicates, unseen } = scope(&access, &query, &SCOPE).await?;
        let asked = ListRequest::read(&query)?.ask(api.token_key(), predicates)?;
        let page = match unseen {
            Some(experiment) => api.metastore().list_recurring_runs_of(experiment, &asked.listing).await?,
            None => api.metastore().list_recurring_runs(&asked.listing).await?,
        };
        asked.reply(api.token_key(), page, ("recurringRuns", "recurring_run_id"), |recurring| {
            let shown = view::recurring_run(&recurring, &api);
            let failed = |error: ApiError| {
                Reply::new().text("recurring_run_id", recurring.id).message("error", error.to_status())
            };
            shown.unwrap_or_else(failed).into()
        })
    };
    list.await.map_err(|error: ApiError| error.within("Failed to list recurring runs"))
}

/// `POST /recurringruns/{id}:enable`
async fn enable(access: Access, Path(id): Path<String>) -> Result<Reply, ApiError> {
    set_enabled(&access, &id, true).await.map_err(|error| error.within("Failed to enable a recurring run"))
}

/// `POST /recurringruns/{id}:disable`
async fn disable(access: Access, Path(id): Path<String>) -> Result<Reply, ApiError> {
    set_enabled(&access, &id, false).await.map_err(|error| error.within("Failed to disable a recurring run"))
}

async fn set_enabled(access: &Access, id: &str, enabled: bool) -> Result<Reply, ApiError> {
    let (api, recurring) = access.recurring_run(id).await?;
    api.metastore().enable_recurring_run(recurring.id, enabled).await?;
    api.schedule_changes().notify_one();
    Ok(Reply::new())
}

/// `DELETE /recurringruns/{id}`. How deletion spreads is a matter of Kubernetes, and means nothing here.
async fn delete(access: Access, Path(id): Path<String>, query: Query) -> Result<Reply, ApiError> {
    let delete = async {
        query.enumeration("propagation_policy", PROPAGATION)?;
        let (api, recurring) = access.recurring_run(&id).await?;
        api.metastore().delete_recurring_run(recurring.id).await?;
        Ok(Reply::new())
    };
    delete.await.map_err(|error: ApiError| error.within("Failed to delete a recurring run"))
}
