//! Versions of pipelines.
//!
//! The pipeline in the path of a single version is not compared with the version's own: clients rely on that.

use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use penstock_metastore::{EntityUpdate, MetastoreError, PipelineVersion, Tags};
use penstock_spec::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::names::{check_length, name_and_display_name};
use super::tags;
use crate::api::Api;
use crate::error::ApiError;
use crate::listing::ListRequest;
use crate::openapi::schema::{Kind, Message, always, both, shown};
use crate::openapi::{self, Description};
use crate::router::{Access, Requires, Resource, Routes, Verb};
use crate::spec::{self, LoadedPipeline};
use crate::wire::{Fields, Query, Reply, RequestBody, WireError};

const LONGEST_NAME: usize = 127;
const TEXT: &str = "text/plain; charset=utf-8";

pub(super) fn routes(routes: Routes) -> Routes {
    let may = |verb| Requires::Access(Resource::Pipelines, verb);
    const ALL: &str = "/apis/v2beta1/pipelines/{pipeline_id}/versions";
    const ONE: &str = "/apis/v2beta1/pipelines/{pipeline_id}/versions/{pipeline_version_id}";
    const SOURCE: &str = "/apis/penstock/v1/pipelines/{pipeline_id}/versions/{pipeline_version_id}/source";
    routes
        .post(ALL, may(Verb::Create), create)
        .describe(
            Description::new("create_pipeline_version", "Make a version that is fetched from a URL")
                .body(&VERSION)
                .reply(&VERSION),
        )
        .get(ALL, may(Verb::List), list)
        .describe(
            Description::new("list_pipeline_versions", "Versions of a pipeline, oldest first").paged().reply(&VERSIONS),
        )
        .get(ONE, may(Verb::Get), get)
        .describe(Description::new("get_pipeline_version", "A version").reply(&VERSION))
        .patch(ONE, may(Verb::Update), update)
        .describe(
            Description::new(
                "update_pipeline_version",
                "Change display_name and tags of a version; what is absent stays",
            )
            .body(&VERSION)
            .reply(&VERSION),
        )
        .get(SOURCE, may(Verb::Get), source)
        .describe(
            Description::new("get_pipeline_version_source", "The YAML or JSON of a version as it was uploaded")
                .replies(openapi::Reply::Text(TEXT)),
        )
        .delete(ONE, may(Verb::Delete), delete)
        .describe(Description::new("delete_pipeline_version", "Delete a version"))
}

pub(super) const VERSION: Message = Message {
    name: "PipelineVersion",
    fields: &[
        both("pipeline_id", Kind::Id),
        always("pipeline_version_id", Kind::Id),
        both("display_name", Kind::Text),
        both("name", Kind::Text),
        both("description", Kind::Text),
        always("created_at", Kind::Time),
        both("package_url", Kind::Message(&PACKAGE_URL)),
        both("code_source_url", Kind::Text),
        always("pipeline_spec", Kind::Struct),
        both("tags", Kind::Texts),
    ],
};

pub(super) const PACKAGE_URL: Message = Message { name: "Url", fields: &[both("pipeline_url", Kind::Text)] };

const VERSIONS: Message = Message {
    name: "PipelineVersions",
    fields: &[
        shown("pipeline_versions", Kind::Resources(&VERSION)),
        shown("total_size", Kind::Int32),
        shown("next_page_token", Kind::Text),
    ],
};

/// What a request says of a version.
#[derive(Debug, Default)]
pub(super) struct VersionInput {
    pub(super) pipeline: String,
    pub(super) name: String,
    pub(super) display_name: String,
    pub(super) description: String,
    pub(super) code_source_url: String,
    /// Absent: not mentioned.
    pub(super) package_url: Option<String>,
    /// Absent: not mentioned.
    pub(super) tags: Option<Tags>,
}

impl VersionInput {
    pub(super) fn read(fields: &mut Fields) -> Result<Self, WireError> {
        fields.ignore(&["pipeline_version_id", "created_at", "pipeline_spec", "error"])?;
        Ok(Self {
            pipeline: fields.text("pipeline_id")?,
            name: fields.text("name")?,
            display_name: fields.text("display_name")?,
            description: fields.text("description")?,
            code_source_url: fields.text("code_source_url")?,
            package_url: fields.message("package_url", |url| url.text("pipeline_url"))?,
            tags: fields.text_map("tags")?,
        })
    }

    /// A version that does not exist yet.
    pub(super) fn into_new(self, pipeline: Uuid, loaded: LoadedPipeline) -> Result<PipelineVersion, ApiError> {
        let (name, display_name) = name_and_display_name(self.name, self.display_name)?;
        check_length("PipelineVersion.Name", &name, LONGEST_NAME)?;
        let tags = self.tags.unwrap_or_default();
        tags::check(&tags)?;
        Ok(PipelineVersion {
            id: Uuid::new_v4(),
            pipeline,
            name,
            display_name,
            description: self.description,
            created_at: Timestamp::now(),
            package_url: self.package_url.unwrap_or_default(),
            code_source_url: self.code_source_url,
            tags,
            spec: loaded.shown,
            pipeline_text: loaded.text,
        })
    }
}

/// A pipeline that was fetched.
pub(super) struct Imported {
    pub(super) url: String,
    pub(super) file_name: String,
    pub(super) pipeline: LoadedPipeline,
}

/// Fetches the pipeline of a version that is to be.
pub(super) async fn import(api: &Api, version: Option<&VersionInput>) -> Result<Imported, ApiError> {
    let refused = |text: &str| ApiError::invalid(format!("Failed to create a pipeline version. {text}"));
    let url = match version.map(|version| version.package_url.as_deref()) {
        None => return Err(refused("Pipeline version is nil")),
        Some(None) => return Err(refused("Package URL is nil")),
        Some(Some("")) => return Err(refused("Package URL is empty")),
        Some(Some(url)) => url.to_owned(),
    };
    let Some(importer) = &api.settings().importer else {
        return Err(refused(
            "This server fetches no pipelines from URLs: upload the file instead, or start it with --import-from",
        ));
    };
    let limit = api.limits().document_bytes;
    let room = api.bodies().reserve(limit).await?;
    let fetched = importer.fetch(&url, limit).await.map_err(|error| ApiError::invalid(error.to_string()))?;
    let file_name = fetched.file_name.clone();
    let limits = api.limits().clone();
    // A large one takes seconds.
    let loading = tokio::task::spawn_blocking(move || {
        let loaded = spec::load(&fetched.file_name, &fetched.content, &limits);
        drop((fetched, room));
        loaded
    });
    let loaded =
        loading.await.map_err(|error| ApiError::internal(format!("reading {url} did not end well: {error}")))?;
    let pipeline = loaded.map_err(|error| ApiError::invalid(error.to_string()))?;
    Ok(Imported { url, file_name, pipeline })
}

async fn create(access: Access, Path(pipeline): Path<String>, body: RequestBody) -> Result<Reply, ApiError> {
    let create = async {
        let version = body.read(VersionInput::read)?;
        if version.pipeline.is_empty() {
            return Err(ApiError::invalid("Failed to create a pipeline version. Parent pipeline id is empty"));
        }
        // Nothing is fetched for a pipeline that does not exist.
        let (api, pipeline) = access.pipeline(&pipeline).await?;
        let imported = import(&api, Some(&version)).await?;
        let version = version.into_new(pipeline.id, imported.pipeline)?;
        api.metastore().create_version(version.clone()).await.map_err(taken)?;
        Ok(show(version))
    };
    create.await.map_err(|error: ApiError| error.within("Failed to create a new pipeline version"))
}

/// In the words that clients know.
pub(super) fn taken(error: MetastoreError) -> ApiError {
    match error {
        MetastoreError::NameTaken { name, .. } => ApiError::already_exists(format!(
            "Failed to create a new pipeline version. The name {name} already exist. Specify a new name"
        )),
        other => other.into(),
    }
}

pub(super) async fn list(access: Access, Path(pipeline): Path<String>, query: Query) -> Result<Reply, ApiError> {
    let list = async {
        let (api, pipeline) = access.listed_pipeline(&pipeline).await?;
        let asked = ListRequest::read(&query)?.ask(api.token_key(), Vec::new())?;
        let page = api.metastore().list_versions(pipeline, &asked.listing).await?;
        asked.reply(api.token_key(), page, ("pipeline_versions", "pipeline_version_id"), |row| Value::from(show(row)))
    };
    list.await.map_err(|error| error.within("Failed to list pipeline versions"))
}

pub(super) async fn get(access: Access, Path((_, id)): Path<(String, String)>) -> Result<Reply, ApiError> {
    let found = access.version(&id).await.map_err(|error| error.within("Failed to get a pipeline version"));
    found.map(|(_, version)| show(version))
}

/// `GET /pipelines/{pipeline}/versions/{version}/source`
async fn source(access: Access, Path((_, id)): Path<(String, String)>) -> Result<Response, ApiError> {
    let found = access.version(&id).await;
    let (_, version) = found.map_err(|error| error.within("Failed to get the source of a pipeline version"))?;
    // Browsers must not take it for anything else.
    Ok(([(header::CONTENT_TYPE, TEXT)], version.pipeline_text).into_response())
}

async fn update(access: Access, Path((_, id)): Path<(String, String)>, body: RequestBody) -> Result<Reply, ApiError> {
    let update = async {
        let (api, version) = access.version(&id).await?;
        let VersionInput { display_name, tags, .. } = body.read(VersionInput::read)?;
        if let Some(tags) = &tags {
            tags::check(tags)?;
        }
        let display_name = Some(display_name).filter(|name| !name.is_empty());
        let update = EntityUpdate { display_name, tags };
        Ok(show(api.metastore().update_version(version.id, update).await?))
    };
    update.await.map_err(|error: ApiError| error.within("Failed to update a pipeline version"))
}

async fn delete(access: Access, Path((_, id)): Path<(String, String)>) -> Result<Reply, ApiError> {
    let delete = async {
        let (api, version) = access.version(&id).await?;
        api.metastore().delete_version(version.id).await?;
        Ok(Reply::new())
    };
    delete.await.map_err(|error: ApiError| error.within("Failed to delete a pipeline version"))
}

/// What clients see.
pub(super) fn show(version: PipelineVersion) -> Reply {
    let reply = Reply::new()
        .text("pipeline_id", version.pipeline)
        .text("pipeline_version_id", version.id)
        .text("display_name", version.display_name)
        .text("name", version.name)
        .text("description", version.description)
        .time("created_at", version.created_at);
    let reply = match version.package_url {
        url if url.is_empty() => reply,
        url => reply.message("package_url", Reply::new().text("pipeline_url", url)),
    };
    reply
        .text("code_source_url", version.code_source_url)
        .message("pipeline_spec", version.spec)
        .text_map("tags", &version.tags)
}
