//! Pipelines. Their versions, and uploads, are apart.

use axum::extract::Path;
use penstock_metastore::{EntityUpdate, MetastoreError, PipelineField, StoredPipeline, Tags};
use penstock_spec::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::names::{check_length, name_and_display_name};
use super::tags;
use super::versions::{self, VersionInput};
use crate::error::ApiError;
use crate::listing::ListRequest;
use crate::openapi::Description;
use crate::openapi::schema::{Kind, Message, always, both, given, shown};
use crate::router::{Access, Entered, Requires, Resource, Routes, Verb};
use crate::wire::{Fields, Query, Reply, RequestBody, WireError};

const LONGEST_NAME: usize = 128;

pub(super) fn routes(routes: Routes) -> Routes {
    let may = |verb| Requires::Access(Resource::Pipelines, verb);
    routes
        .post("/apis/v2beta1/pipelines", may(Verb::Create), create)
        .describe(
            Description::new("create_pipeline", "Make a pipeline without versions").body(&PIPELINE).reply(&PIPELINE),
        )
        .get("/apis/v2beta1/pipelines", may(Verb::List), list)
        .describe(Description::new("list_pipelines", "Pipelines, oldest first").paged().reply(&PIPELINES))
        .get("/apis/v2beta1/pipelines/{pipeline_id}", may(Verb::Get), get)
        .describe(Description::new("get_pipeline", "A pipeline").reply(&PIPELINE))
        .get("/apis/v2beta1/pipelines/names/{name}", may(Verb::Get), get_by_name)
        .describe(Description::new("get_pipeline_by_name", "The pipeline of a name").reply(&PIPELINE))
        .patch("/apis/v2beta1/pipelines/{pipeline_id}", may(Verb::Update), update)
        .describe(
            Description::new("update_pipeline", "Change display_name and tags of a pipeline; what is absent stays")
                .body(&PIPELINE)
                .reply(&PIPELINE),
        )
        .delete("/apis/v2beta1/pipelines/{pipeline_id}", may(Verb::Delete), delete)
        .describe(Description::new("delete_pipeline", "Delete a pipeline").query(
            "cascade",
            Kind::Boolean,
            "With its versions. Otherwise it must have none.",
        ))
        .post("/apis/v2beta1/pipelines/create", may(Verb::Create), create_with_version)
        .describe(
            Description::new("import_pipeline", "Make a pipeline whose version is fetched from a URL")
                .body(&IMPORT)
                .reply(&PIPELINE),
        )
}

pub(super) const PIPELINE: Message = Message {
    name: "Pipeline",
    fields: &[
        always("pipeline_id", Kind::Id),
        both("display_name", Kind::Text),
        both("name", Kind::Text),
        both("description", Kind::Text),
        always("created_at", Kind::Time),
        given("namespace", Kind::Text),
        both("tags", Kind::Texts),
    ],
};

const PIPELINES: Message = Message {
    name: "Pipelines",
    fields: &[
        shown("pipelines", Kind::Resources(&PIPELINE)),
        shown("total_size", Kind::Int32),
        shown("next_page_token", Kind::Text),
    ],
};

const IMPORT: Message = Message {
    name: "PipelineImport",
    fields: &[
        given("pipeline", Kind::Message(&PIPELINE)),
        given("pipeline_version", Kind::Message(&versions::VERSION)),
    ],
};

/// What a request says of a pipeline.
#[derive(Debug, Default)]
pub(super) struct PipelineInput {
    pub(super) name: String,
    pub(super) display_name: String,
    pub(super) description: String,
    pub(super) namespace: String,
    /// Absent: not mentioned.
    pub(super) tags: Option<Tags>,
}

impl PipelineInput {
    fn read(fields: &mut Fields) -> Result<Self, WireError> {
        fields.ignore(&["pipeline_id", "created_at", "error"])?;
        Ok(Self {
            name: fields.text("name")?,
            display_name: fields.text("display_name")?,
            description: fields.text("description")?,
            namespace: fields.text("namespace")?,
            tags: fields.text_map("tags")?,
        })
    }

    /// A pipeline that does not exist yet, in a namespace that was entered for it.
    pub(super) fn into_new(self, namespace: String) -> Result<StoredPipeline, ApiError> {
        let (name, display_name) = name_and_display_name(self.name, self.display_name)?;
        check_length("Pipeline.Name", &name, LONGEST_NAME)?;
        let tags = self.tags.unwrap_or_default();
        tags::check(&tags)?;
        Ok(StoredPipeline {
            id: Uuid::new_v4(),
            namespace,
            name,
            display_name,
            description: self.description,
            created_at: Timestamp::now(),
            tags,
        })
    }
}

async fn create(access: Access, body: RequestBody) -> Result<Reply, ApiError> {
    let create = async {
        let input = body.read(PipelineInput::read)?;
        let place = access.namespace_of_pipelines(&input.namespace).await?;
        let pipeline = input.into_new(place.namespace)?;
        place.api.metastore().create_pipeline(pipeline.clone(), None).await.map_err(|error| match error {
            MetastoreError::NameTaken { name, .. } => ApiError::already_exists(format!(
                "Failed to create a new pipeline. The name {name} already exist. Please specify a new name"
            )),
            other => other.into(),
        })?;
        Ok(show(pipeline, &access))
    };
    create.await.map_err(|error: ApiError| error.within("Failed to create a new pipeline"))
}

/// The version is fetched from a URL. Nothing but that and its tags is taken from what the request says of it: it is called
/// as the pipeline.
async fn create_with_version(access: Access, body: RequestBody) -> Result<Reply, ApiError> {
    let create = async {
        let (pipeline, version) = body.read(|fields| {
            let pipeline = fields.message("pipeline", PipelineInput::read)?;
            Ok((pipeline, fields.message("pipeline_version", VersionInput::read)?))
        })?;
        let Some(mut pipeline) = pipeline else {
            return Err(ApiError::invalid("Failed to create a pipeline. Pipeline is nil"));
        };
        let place = access.namespace_of_pipelines(&pipeline.namespace).await?;
        let imported = versions::import(&place.api, version.as_ref()).await?;
        if pipeline.name.is_empty() && pipeline.display_name.is_empty() {
            pipeline.name.clone_from(&imported.file_name);
        }
        let pipeline = pipeline.into_new(place.namespace)?;
        let version = VersionInput {
            name: pipeline.name.clone(),
            display_name: pipeline.display_name.clone(),
            description: pipeline.description.clone(),
            package_url: Some(imported.url),
            tags: version.and_then(|version| version.tags),
            ..VersionInput::default()
        };
        let version = version.into_new(pipeline.id, imported.pipeline)?;
        place.api.metastore().create_pipeline(pipeline.clone(), Some(version)).await?;
        Ok(show(pipeline, &access))
    };
    create.await.map_err(|error: ApiError| error.within("Failed to create a new pipeline and a pipeline version"))
}

pub(super) async fn list(access: Access, query: Query) -> Result<Reply, ApiError> {
    let list = async {
        let place = access.namespace_of_pipelines(query.text("namespace")?).await?;
        let (scope, api) = (place.only(PipelineField::Namespace), place.api);
        let asked = ListRequest::read(&query)?.ask(api.token_key(), scope)?;
        let page = api.metastore().list_pipelines(&asked.listing).await?;
        asked.reply(api.token_key(), page, ("pipelines", "pipeline_id"), |row| Value::from(show(row, &access)))
    };
    list.await.map_err(|error| error.within("Failed to list pipelines"))
}

pub(super) async fn get(access: Access, Path(id): Path<String>) -> Result<Reply, ApiError> {
    let found = access.pipeline(&id).await.map_err(|error| error.within("Failed to get a pipeline"));
    found.map(|(_, pipeline)| show(pipeline, &access))
}

async fn get_by_name(access: Access, Path(name): Path<String>, query: Query) -> Result<Reply, ApiError> {
    let get = async {
        // Before it is known whether there is one of this name.
        let Entered { api, namespace, .. } = access.namespace_of_pipelines(query.text("namespace")?).await?;
        let found = api.metastore().pipeline_by_name(&namespace, &name).await.map_err(|error| match error {
            MetastoreError::NotFound { .. } => ApiError::not_found("Namespace/Pipeline", format!("{namespace}/{name}")),
            other => other.into(),
        })?;
        Ok(show(found, &access))
    };
    get.await.map_err(|error: ApiError| error.within("Failed to get a pipeline by its name"))
}

async fn update(access: Access, Path(id): Path<String>, body: RequestBody) -> Result<Reply, ApiError> {
    let update = async {
        let (api, pipeline) = access.pipeline(&id).await?;
        let update = entity_update(body.read(PipelineInput::read)?)?;
        Ok(show(api.metastore().update_pipeline(pipeline.id, update).await?, &access))
    };
    update.await.map_err(|error: ApiError| error.within("Failed to update a pipeline"))
}

/// Of what a request says, the part that can be changed.
fn entity_update(input: PipelineInput) -> Result<EntityUpdate, ApiError> {
    if let Some(tags) = &input.tags {
        tags::check(tags)?;
    }
    let display_name = Some(input.display_name).filter(|name| !name.is_empty());
    Ok(EntityUpdate { display_name, tags: input.tags })
}

pub(super) async fn delete(access: Access, Path(id): Path<String>, query: Query) -> Result<Reply, ApiError> {
    let delete = async {
        let cascade = query.boolean("cascade")?;
        let (api, pipeline) = access.pipeline(&id).await?;
        api.metastore().delete_pipeline(pipeline.id, cascade).await?;
        Ok(Reply::new())
    };
    delete.await.map_err(|error: ApiError| error.within("Failed to delete a pipeline"))
}

/// What clients see.
pub(super) fn show(pipeline: StoredPipeline, access: &Access) -> Reply {
    Reply::new()
        .text("pipeline_id", pipeline.id)
        .text("display_name", pipeline.display_name)
        .text("name", pipeline.name)
        .text("description", pipeline.description)
        .time("created_at", pipeline.created_at)
        .text_map("tags", &pipeline.tags)
        .text("namespace", access.shown_namespace(pipeline.namespace))
}
