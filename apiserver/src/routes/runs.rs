//! Runs: made, shown, listed, and what is asked of them.

use axum::extract::Path;
use penstock_metastore::{
    Command, Listed, MetastoreError, RunField, RunRecord, RunRegistration, StorageState, TaskRow,
};
use penstock_spec::Timestamp;
use penstock_spec::run::RunStatus;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::source::{Home, Reference, RuntimeConfig, Scope, ScopeFields, account_or_default, home, scope};
use crate::api::Api;
use crate::caching;
use crate::error::{ApiError, ErrorKind};
use crate::folded;
use crate::listing::ListRequest;
use crate::openapi::Description;
use crate::openapi::schema::Kind;
use crate::recurring::naming;
use crate::router::{Access, Requires, Resource, Routes, Verb};
use crate::runs::{NewSubmission, SubmissionError, plugins, schema, view};
use crate::spec;
use crate::wire::{Fields, Query, Reply, RequestBody, WireError};

pub(super) fn routes(routes: Routes) -> Routes {
    const RUNS: &str = "/apis/v2beta1/runs";
    const RUN: &str = "/apis/v2beta1/runs/{run_id}";
    let requires = |verb| Requires::Access(Resource::Runs, verb);
    routes
        .post(RUNS, requires(Verb::Create), create)
        .describe(Description::new("create_run", "Start a run").body(&schema::RUN).reply(&schema::RUN))
        .get(RUNS, requires(Verb::List), list)
        .describe(
            Description::new("list_runs", "Runs, oldest first, without what happened in them")
                .query("experiment_id", Kind::Id, "Those of this experiment alone.")
                .paged()
                .reply(&schema::RUNS),
        )
        .get(RUN, requires(Verb::Get), get)
        .describe(Description::new("get_run", "A run, and what its tasks came to").reply(&schema::RUN))
        .delete(RUN, requires(Verb::Delete), delete)
        .describe(Description::new("delete_run", "Delete a run"))
        .post("/apis/v2beta1/runs/{run_id}:archive", requires(Verb::Archive), archive)
        .describe(Description::new("archive_run", "Archive a run; it goes on"))
        .post("/apis/v2beta1/runs/{run_id}:unarchive", requires(Verb::Unarchive), unarchive)
        .describe(Description::new("unarchive_run", "Take a run out of the archive"))
        .post("/apis/v2beta1/runs/{run_id}:terminate", requires(Verb::Terminate), terminate)
        .describe(Description::new("terminate_run", "Stop a run"))
        .post("/apis/v2beta1/runs/{run_id}:retry", requires(Verb::Retry), retry)
        .describe(Description::new("retry_run", "Let a failed run go on: what succeeded stays"))
}

/// `Run` as clients send it.
#[derive(Debug)]
struct RunBody {
    experiment: String,
    id: String,
    display_name: String,
    description: String,
    spec: Option<Map<String, Value>>,
    reference: Option<Reference>,
    config: RuntimeConfig,
    service_account: String,
    scheduled_at: Option<Timestamp>,
    recurring_run: String,
    plugins_input: Map<String, Value>,
    has_plugins_output: bool,
}

/// What only the server says; clients send it back.
const OUTPUT_ONLY: [&str; 7] =
    ["pipeline_version_id", "created_at", "finished_at", "state", "error", "run_details", "state_history"];

fn run_body(fields: &mut Fields) -> Result<RunBody, WireError> {
    fields.one_of(&["pipeline_spec", "pipeline_version_reference"])?;
    fields.ignore(&OUTPUT_ONLY)?;
    fields.ignore(&["storage_state"])?;
    Ok(RunBody {
        experiment: fields.text("experiment_id")?,
        id: fields.text("run_id")?,
        display_name: fields.text("display_name")?,
        description: fields.text("description")?,
        spec: fields.structure("pipeline_spec")?,
        reference: Reference::read(fields)?,
        config: RuntimeConfig::read(fields)?,
        service_account: fields.text("service_account")?,
        scheduled_at: fields.time("scheduled_at")?,
        recurring_run: fields.text("recurring_run_id")?,
        plugins_input: fields.structure("plugins_input")?.unwrap_or_default(),
        has_plugins_output: fields.structure("plugins_output")?.is_some_and(|outputs| !outputs.is_empty()),
    })
}

/// `POST /runs`
async fn create(access: Access, body: RequestBody) -> Result<Reply, ApiError> {
    let body = body.read(run_body)?;
    let failed = |error: ApiError| error.within("Failed to create a new run");
    let (api, submission) = submission(&access, body).await.map_err(failed)?;
    let run = submission.id;
    submit(&api, submission).await.map_err(failed)?;
    // One of this id that was there before may lie elsewhere.
    let (_, record) = access.run(&run.to_string()).await.map_err(failed)?;
    shown(&api, &record)
}

/// Makes a run. One of a recurring run is the same whoever asks for it again, and however the rest of the request differs;
/// another one, if the request is the same.
async fn submit(api: &Api, submission: NewSubmission) -> Result<(), ApiError> {
    let (run, is_slot) = (submission.id, submission.registration.recurring_run.is_some());
    if is_slot && api.metastore().run(run).await.is_ok() {
        return Ok(());
    }
    match api.submission().submit(submission.clone()).await {
        Err(SubmissionError::Metastore(MetastoreError::RunExists { .. })) if is_slot => Ok(()),
        Err(SubmissionError::Metastore(error @ MetastoreError::RunExists { .. })) => {
            match api.metastore().run_record(run).await.is_ok_and(|found| is_of(&submission, &found)) {
                true => Ok(()),
                false => Err(error.into()),
            }
        }
        done => done.map_err(refused),
    }
}

/// Whether a stored run is what is being asked for: its answer may have been lost. What the server itself puts in, such as
/// times, does not count.
fn is_of(asked: &NewSubmission, found: &RunRecord) -> bool {
    let text = found.inline_text.as_ref();
    found.registration == asked.registration
        && found.parameters == asked.parameters
        && text.is_none_or(|text| *text == asked.pipeline_text)
        && found.row.info.display_name == asked.display_name
        && view::service_account(&found.row.options) == asked.service_account
        && asked.scheduled_at.is_none_or(|at| at == found.row.info.scheduled_at)
}

/// Everything that can be settled without asking who carries out runs.
async fn submission(access: &Access, body: RunBody) -> Result<(Api, NewSubmission), ApiError> {
    if body.display_name.is_empty() {
        return Err(ApiError::invalid("Run name cannot be empty"));
    }
    if body.has_plugins_output {
        let text = "plugins_output is server-owned and populated exclusively via plugin lifecycle hooks";
        return Err(ApiError::conflict(text));
    }
    plugins::check(&body.plugins_input)?;
    let Home { api, experiment, namespace } = home(access, &body.experiment).await?;
    let recurring_run = recurring_run(access, &body.recurring_run, &namespace).await?;
    let id = match (recurring_run, body.id.as_str()) {
        (Some(recurring), _) => naming::run_id(recurring, &body.display_name),
        (None, "") => Uuid::new_v4(),
        (None, text) => text.parse().map_err(|_| ApiError::invalid(format!("run_id {text:?} is not a UUID")))?,
    };
    let Source { text, pipeline, version } = source(access, body.spec, body.reference).await?;
    let registration = RunRegistration {
        experiment: Some(experiment),
        description: body.description,
        pipeline,
        version,
        recurring_run,
        pipeline_root: body.config.pipeline_root.clone(),
        plugins_input: body.plugins_input,
        slot: None,
    };
    let submission = NewSubmission {
        id,
        pipeline_text: text,
        parameters: body.config.parameters,
        display_name: body.display_name,
        namespace,
        pipeline_root: Some(body.config.pipeline_root).filter(|root| !root.is_empty()),
        service_account: account_or_default(body.service_account),
        scheduled_at: body.scheduled_at,
        cache: caching::rules(&api, &registration).await?,
        registration,
    };
    Ok((api, submission))
}

/// The recurring run that a run says it is of: the caller's to see, and of the same namespace.
async fn recurring_run(access: &Access, id: &str, namespace: &str) -> Result<Option<Uuid>, ApiError> {
    if id.is_empty() {
        return Ok(None);
    }
    let (_, recurring) = access.needing(Resource::RecurringRuns, Verb::Get).recurring_run(id).await?;
    if access.is_multi_user() && recurring.namespace != namespace {
        let text =
            format!("recurring run {id} belongs to namespace '{}' instead of '{namespace}'", recurring.namespace);
        return Err(ApiError::invalid(text));
    }
    Ok(Some(recurring.id))
}

/// What a run is made from.
struct Source {
    text: String,
    pipeline: Option<Uuid>,
    version: Option<Uuid>,
}

async fn source(
    access: &Access,
    spec: Option<Map<String, Value>>,
    reference: Option<Reference>,
) -> Result<Source, ApiError> {
    match (reference, spec) {
        (Some(reference), _) if !reference.is_empty() => {
            let found = reference.resolve(access).await?;
            Ok(Source { text: found.pipeline_text, pipeline: Some(found.pipeline), version: Some(found.id) })
        }
        (_, Some(spec)) => Ok(Source { text: Value::Object(spec).to_string(), pipeline: None, version: None }),
        (_, None) => Err(ApiError::invalid(
            "the run has nothing to run: give pipeline_spec, or pipeline_version_reference with pipeline_id or \
             pipeline_version_id",
        )),
    }
}

pub(super) fn refused(error: SubmissionError) -> ApiError {
    match error {
        SubmissionError::Pipeline(text) | SubmissionError::Parameters(text) | SubmissionError::Refused(text) => {
            ApiError::invalid(text)
        }
        SubmissionError::Unavailable(text) => ApiError::new(ErrorKind::Unavailable, text),
        SubmissionError::Metastore(error) => error.into(),
    }
}

/// `GET /runs/{id}`
pub(super) async fn get(access: Access, Path(id): Path<String>) -> Result<Reply, ApiError> {
    let failed = |error: ApiError| error.within("Failed to get a run");
    let (api, record) = access.run(&id).await.map_err(failed)?;
    let run = record.row.info.id;
    let rows = api.metastore().tasks(run).await.map_err(|error| failed(error.into()))?;
    let rows: Vec<TaskRow> = rows.into_iter().filter_map(Listed::readable).collect();
    let reply = shown(&api, &record)?;
    Ok(match view::details(&record.row, &rows) {
        Some(details) => reply.message("run_details", details),
        None => reply,
    })
}

pub(super) const SCOPE: ScopeFields<RunField> = ScopeFields {
    namespace: RunField::Namespace,
    experiment: RunField::Experiment,
    missing: "A run cannot have an empty namespace in multi-user mode",
};

/// `GET /runs`
pub(super) async fn list(access: Access, query: Query) -> Result<Reply, ApiError> {
    let failed = |error: ApiError| error.within("Failed to list runs");
    let Scope { api, predicates, unseen } = scope(&access, &query, &SCOPE).await.map_err(failed)?;
    let asked = ListRequest::read(&query)?.ask::<RunField>(api.token_key(), predicates).map_err(failed)?;
    let page = match unseen {
        Some(experiment) => api.metastore().list_run_records_of(experiment, &asked.listing).await,
        None => api.metastore().list_run_records(&asked.listing).await,
    };
    let page = page.map_err(|error| failed(error.into()))?;
    asked.reply(api.token_key(), page, ("runs", "run_id"), |record| match shown(&api, &record) {
        Ok(reply) => reply.into(),
        Err(error) => Reply::new().text("run_id", record.row.info.id).message("error", error.to_status()).into(),
    })
}

/// `POST /runs/{id}:archive`
async fn archive(access: Access, Path(id): Path<String>) -> Result<Reply, ApiError> {
    let archive = async {
        let (api, record) = access.run(&id).await?;
        store(&api, &record, StorageState::Archived).await
    };
    archive.await.map_err(|error: ApiError| error.within("Failed to archive a run"))
}

/// `DELETE /runs/{id}`
pub(super) async fn delete(access: Access, Path(id): Path<String>) -> Result<Reply, ApiError> {
    let failed = |error: ApiError| error.within("Failed to delete a run");
    let (api, record) = access.run(&id).await.map_err(failed)?;
    let run = record.row.info.id;
    let deleted = match api.submission().leaves_traces(&record.row) {
        true => api.metastore().leave_to_driver_to_delete(run).await,
        false => api.metastore().delete_run(run).await,
    };
    deleted.map_err(|error| failed(error.into()))?;
    Ok(Reply::new())
}

async fn store(api: &Api, record: &RunRecord, state: StorageState) -> Result<Reply, ApiError> {
    api.metastore().set_run_storage(record.row.info.id, state).await?;
    Ok(Reply::new())
}

/// `POST /runs/{id}:unarchive`
async fn unarchive(access: Access, Path(id): Path<String>) -> Result<Reply, ApiError> {
    take_out(&access, &id).await.map_err(|error| error.within("Failed to unarchive a run"))
}

async fn take_out(access: &Access, id: &str) -> Result<Reply, ApiError> {
    let (api, record) = access.run(id).await?;
    if let Some(experiment) = record.registration.experiment {
        // One that was deleted keeps nothing in the archive.
        let archived = match api.metastore().experiment(experiment).await {
            Ok(found) => found.storage_state == StorageState::Archived,
            Err(MetastoreError::NotFound { .. }) => false,
            Err(error) => return Err(error.into()),
        };
        if archived {
            let text = format!("Failed to unarchive run {id} as experiment {experiment} must be un-archived first");
            return Err(ApiError::failed_precondition(text));
        }
    }
    store(&api, &record, StorageState::Available).await
}

/// `POST /runs/{id}:terminate`
async fn terminate(access: Access, Path(id): Path<String>) -> Result<Reply, ApiError> {
    ask_to_end(&access, &id).await.map_err(|error| error.within("Failed to terminate a run"))
}

async fn ask_to_end(access: &Access, id: &str) -> Result<Reply, ApiError> {
    let (api, record) = access.run(id).await?;
    let is_active = matches!(record.row.status, RunStatus::Pending | RunStatus::Running | RunStatus::Paused);
    if !is_active || matches!(record.pending, Some(Command::Terminate { .. })) {
        return Err(ApiError::invalid(format!("Failed to terminate a run {id}. Row not found")));
    }
    command(&api, &record, "terminate", Command::Terminate { reason: "terminated by a client of the API".to_owned() })
        .await
}

/// `POST /runs/{id}:retry`
async fn retry(access: Access, Path(id): Path<String>) -> Result<Reply, ApiError> {
    ask_to_go_on(&access, &id).await.map_err(|error| error.within("Failed to retry a run"))
}

async fn ask_to_go_on(access: &Access, id: &str) -> Result<Reply, ApiError> {
    let (api, record) = access.run(id).await?;
    if !record.row.status.is_final() || record.pending.is_some() {
        return Err(ApiError::conflict(format!("Cannot claim run {id} for retry: not in a terminal state")));
    }
    if !matches!(record.row.status, RunStatus::Failed | RunStatus::Canceled) {
        return Err(ApiError::conflict("Workflow must be Failed/Error to retry"));
    }
    // Without it, tasks would begin with an empty one in its place.
    if record.row.info.workspace.is_some() {
        let now = Timestamp::now();
        if let Some(reason) = folded::look(&api, &record.row, move |_, state| state.retry_refusal(&[], now)).await? {
            return Err(ApiError::conflict(reason));
        }
    }
    command(&api, &record, "retry", Command::Retry).await
}

/// Asks a run for something. Asked twice in the same situation, it is one command.
pub(super) async fn command(api: &Api, record: &RunRecord, word: &str, command: Command) -> Result<Reply, ApiError> {
    let key = format!("api-{word}-{}", record.row.fact_count);
    api.metastore().put_command(record.row.info.id, &key, &command).await?;
    Ok(Reply::new())
}

/// The run; of one that has no version, with its pipeline.
pub(super) fn shown(api: &Api, record: &RunRecord) -> Result<Reply, ApiError> {
    let spec = record.inline_text.as_deref().map(|text| spec::shown_inline(text, api.limits())).transpose()?;
    Ok(view::run(record, spec))
}
