//! Experiments.

use axum::extract::Path;
use penstock_metastore::{Experiment, ExperimentField, StorageState};
use penstock_spec::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::STORAGE_STATES;
use super::names::check_length;
use crate::api::DEFAULT_EXPERIMENT;
use crate::error::ApiError;
use crate::listing::ListRequest;
use crate::openapi::Description;
use crate::openapi::schema::{Kind, Message, always, both, given, shown};
use crate::router::{Access, Requires, Resource, Routes, Verb};
use crate::wire::{Query, Reply, RequestBody};

const LONGEST_NAME: usize = 128;
const NO_NAMESPACE: &str = "An experiment cannot have an empty namespace in multi-user mode";

pub(super) fn routes(routes: Routes) -> Routes {
    let may = |verb| Requires::Access(Resource::Experiments, verb);
    routes
        .post("/apis/v2beta1/experiments", may(Verb::Create), create)
        .describe(Description::new("create_experiment", "Make an experiment").body(&EXPERIMENT).reply(&EXPERIMENT))
        .get("/apis/v2beta1/experiments", may(Verb::List), list)
        .describe(Description::new("list_experiments", "Experiments, oldest first").paged().reply(&EXPERIMENTS))
        .get("/apis/v2beta1/experiments/{experiment_id}", may(Verb::Get), get)
        .describe(Description::new("get_experiment", "An experiment").reply(&EXPERIMENT))
        .post("/apis/v2beta1/experiments/{experiment_id}:archive", may(Verb::Archive), archive)
        .describe(Description::new(
            "archive_experiment",
            "Archive an experiment with its runs, and disable what recurs in it",
        ))
        .post("/apis/v2beta1/experiments/{experiment_id}:unarchive", may(Verb::Unarchive), unarchive)
        .describe(Description::new(
            "unarchive_experiment",
            "Take an experiment out of the archive; its runs stay there",
        ))
        .delete("/apis/v2beta1/experiments/{experiment_id}", may(Verb::Delete), delete)
        .describe(Description::new("delete_experiment", "Delete an experiment; its runs stay"))
}

const EXPERIMENT: Message = Message {
    name: "Experiment",
    fields: &[
        always("experiment_id", Kind::Id),
        both("display_name", Kind::Text),
        both("description", Kind::Text),
        always("created_at", Kind::Time),
        given("namespace", Kind::Text),
        always("storage_state", Kind::Words(&STORAGE_STATES)),
        always("last_run_created_at", Kind::Time),
    ],
};

const EXPERIMENTS: Message = Message {
    name: "Experiments",
    fields: &[
        shown("experiments", Kind::Resources(&EXPERIMENT)),
        shown("total_size", Kind::Int32),
        shown("next_page_token", Kind::Text),
    ],
};

async fn create(access: Access, body: RequestBody) -> Result<Reply, ApiError> {
    let create = async {
        let (name, description, namespace) = body.read(|fields| {
            fields.ignore(&["experiment_id", "created_at", "storage_state", "last_run_created_at"])?;
            Ok((fields.text("display_name")?, fields.text("description")?, fields.text("namespace")?))
        })?;
        let place = access.namespace(&namespace, NO_NAMESPACE).await?;
        if name.is_empty() {
            return Err(ApiError::invalid("Experiment must have a non-empty name"));
        }
        check_length("Experiment.Name", &name, LONGEST_NAME)?;
        let experiment = Experiment {
            id: Uuid::new_v4(),
            namespace: place.namespace,
            name,
            description,
            created_at: Timestamp::now(),
            storage_state: StorageState::Available,
            last_run_created_at: None,
        };
        place.api.metastore().create_experiment(experiment.clone()).await?;
        Ok(show(experiment, &access))
    };
    create.await.map_err(|error| error.within("Failed to create a new experiment"))
}

pub(super) async fn list(access: Access, query: Query) -> Result<Reply, ApiError> {
    let list = async {
        let place = access.namespace(query.text("namespace")?, NO_NAMESPACE).await?;
        let (scope, api) = (place.only(ExperimentField::Namespace), place.api);
        let asked = ListRequest::read(&query)?.ask(api.token_key(), scope)?;
        let page = api.metastore().list_experiments(&asked.listing).await?;
        asked.reply(api.token_key(), page, ("experiments", "experiment_id"), |row| Value::from(show(row, &access)))
    };
    list.await.map_err(|error| error.within("Failed to list experiments"))
}

pub(super) async fn get(access: Access, Path(id): Path<String>) -> Result<Reply, ApiError> {
    let found = access.experiment(&id).await.map_err(|error| error.within("Failed to get an experiment"));
    found.map(|(_, experiment)| show(experiment, &access))
}

async fn archive(access: Access, Path(id): Path<String>) -> Result<Reply, ApiError> {
    store(&access, &id, StorageState::Archived).await.map_err(|error| error.within("Failed to archive an experiment"))
}

async fn unarchive(access: Access, Path(id): Path<String>) -> Result<Reply, ApiError> {
    store(&access, &id, StorageState::Available)
        .await
        .map_err(|error| error.within("Failed to unarchive an experiment"))
}

async fn delete(access: Access, Path(id): Path<String>) -> Result<Reply, ApiError> {
    let delete = async {
        let (api, experiment) = access.experiment(&id).await?;
        let is_default =
            experiment.name.eq_ignore_ascii_case(DEFAULT_EXPERIMENT) && experiment.namespace == api.namespace();
        // Nothing falls back to it where namespaces have their own.
        if is_default && !access.is_multi_user() {
            let message = format!("Failed to delete experiment {id}. The default experiment cannot be deleted");
            return Err(ApiError::conflict(message));
        }
        api.metastore().delete_experiment(experiment.id).await?;
        Ok(Reply::new())
    };
    delete.await.map_err(|error| error.within("Failed to delete an experiment"))
}

async fn store(access: &Access, id: &str, state: StorageState) -> Result<Reply, ApiError> {
    let (api, experiment) = access.experiment(id).await?;
    api.metastore().set_experiment_storage(experiment.id, state).await?;
    Ok(Reply::new())
}

/// What clients see.
fn show(experiment: Experiment, access: &Access) -> Reply {
    Reply::new()
        .text("experiment_id", experiment.id)
        .text("display_name", experiment.name)
        .text("description", experiment.description)
        .time("created_at", experiment.created_at)
        .text("storage_state", experiment.storage_state.as_str())
        .time("last_run_created_at", experiment.last_run_created_at)
        .text("namespace", access.shown_namespace(experiment.namespace))
}
