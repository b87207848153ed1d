//! What clients still call of the version before, v1beta1: the same handlers, with queries and replies in its words.

mod query;
mod schema;
mod view;

use axum::extract::Path;

use super::{experiments, pipelines, recurring_runs, runs, versions};
use crate::error::ApiError;
use crate::openapi::Description;
use crate::openapi::schema::{Kind, Message};
use crate::router::{Access, Requires, Resource, Routes, Verb};
use crate::wire::{Query, Reply};

pub(super) fn routes(routes: Routes) -> Routes {
    let may = |resource, verb| Requires::Access(resource, verb);
    let get = |name, summary, reply: &'static Message| Description::new(name, summary).reply(reply);
    let routes = routes
        .get("/apis/v1beta1/experiments", may(Resource::Experiments, Verb::List), experiments::list)
        .describe(of_namespace(get("old_list_experiments", "Experiments, oldest first", &schema::EXPERIMENTS)))
        .in_older_words(query::of_list, view::experiments)
        .get("/apis/v1beta1/experiments/{experiment_id}", may(Resource::Experiments, Verb::Get), experiments::get)
        .describe(get("old_get_experiment", "An experiment", &schema::EXPERIMENT))
        .in_older_words(query::unchanged, view::experiment)
        .get("/apis/v1beta1/runs", may(Resource::Runs, Verb::List), runs::list)
        .describe(of_experiment(get("old_list_runs", "Runs, oldest first", &schema::RUNS)))
        .in_older_words(query::of_list, view::runs)
        .get("/apis/v1beta1/runs/{run_id}", may(Resource::Runs, Verb::Get), runs::get)
        .describe(get("old_get_run", "A run", &schema::RUN_DETAIL))
        .in_older_words(query::unchanged, view::run_detail)
        .delete("/apis/v1beta1/runs/{run_id}", may(Resource::Runs, Verb::Delete), runs::delete)
        .describe(Description::new("old_delete_run", "Delete a run"))
        .get("/apis/v1beta1/jobs", may(Resource::RecurringRuns, Verb::List), recurring_runs::list)
        .describe(of_experiment(get("old_list_jobs", "Recurring runs, oldest first", &schema::JOBS)))
        .in_older_words(query::of_list, view::jobs)
        .get("/apis/v1beta1/jobs/{recurring_run_id}", may(Resource::RecurringRuns, Verb::Get), recurring_runs::get)
        .describe(get("old_get_job", "A recurring run", &schema::JOB))
        .in_older_words(query::unchanged, view::job);
    of_pipelines(routes)
}

fn of_pipelines(routes: Routes) -> Routes {
    let may = |verb| Requires::Access(Resource::Pipelines, verb);
    let get = |name, summary, reply: &'static Message| Description::new(name, summary).reply(reply);
    routes
        .get("/apis/v1beta1/pipelines", may(Verb::List), pipelines::list)
        .describe(of_namespace(get("old_list_pipelines", "Pipelines, oldest first", &schema::PIPELINES)))
        .in_older_words(query::of_list, view::pipelines)
        .get("/apis/v1beta1/pipelines/{pipeline_id}", may(Verb::Get), pipelines::get)
        .describe(get("old_get_pipeline", "A pipeline", &schema::PIPELINE))
        .in_older_words(query::unchanged, view::pipeline)
        .delete("/apis/v1beta1/pipelines/{pipeline_id}", may(Verb::Delete), pipelines::delete)
        .describe(Description::new("old_delete_pipeline", "Delete a pipeline that has no versions"))
        .in_older_words(query::without_cascade, view::unchanged)
        .get("/apis/v1beta1/pipelines/{pipeline_id}/templates", may(Verb::Get), versions::list)
        .describe(get("old_get_template", "The newest version of a pipeline, as text", &schema::TEMPLATE))
        .in_older_words(query::newest, view::newest_template)
        .get("/apis/v1beta1/pipeline_versions", may(Verb::List), list_versions)
        .describe(
            get("old_list_pipeline_versions", "Versions of a pipeline, oldest first", &schema::VERSIONS)
                .required("resource_key.id", Kind::Id, "The pipeline.")
                .query("resource_key.type", Kind::Words(&["PIPELINE"]), "What it is that has versions.")
                .paged(),
        )
        .in_older_words(query::of_list, view::versions)
        .get("/apis/v1beta1/pipeline_versions/{pipeline_version_id}", may(Verb::Get), get_version)
        .describe(get("old_get_pipeline_version", "A version", &schema::VERSION))
        .in_older_words(query::unchanged, view::version)
        .get("/apis/v1beta1/pipeline_versions/{pipeline_version_id}/templates", may(Verb::Get), get_version)
        .describe(get("old_get_version_template", "A version, as text", &schema::TEMPLATE))
        .in_older_words(query::unchanged, view::template)
}

fn of_experiment(description: Description) -> Description {
    description
        .query("resource_reference_key.id", Kind::Text, "Those of this experiment, or of this namespace, alone.")
        .query("resource_reference_key.type", Kind::Words(&["EXPERIMENT", "NAMESPACE"]), "What the id is one of.")
        .paged()
}

fn of_namespace(description: Description) -> Description {
    description
        .query("resource_reference_key.id", Kind::Text, "Those of this namespace alone.")
        .query("resource_reference_key.type", Kind::Words(&["NAMESPACE"]), "What the id is one of.")
        .paged()
}

/// `GET /pipeline_versions/{id}`
async fn get_version(access: Access, Path(id): Path<String>) -> Result<Reply, ApiError> {
    versions::get(access, Path((String::new(), id))).await
}

/// `GET /pipeline_versions?resource_key.id=`
async fn list_versions(access: Access, query: Query) -> Result<Reply, ApiError> {
    let pipeline = query.text("resource_key.id")?.to_owned();
    if pipeline.is_empty() {
        return Err(ApiError::invalid("say of which pipeline: resource_key.id is empty"));
    }
    versions::list(access, Path(pipeline), query).await
}
