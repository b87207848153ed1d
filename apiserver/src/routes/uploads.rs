//! Uploads: a file becomes a pipeline with its first version, or one more version of a pipeline.

mod form;

use axum::extract::Request;

use self::form::UploadedFile;
use super::pipelines::{self, PipelineInput};
use super::tags;
use super::versions::{self, VersionInput};
use crate::api::Api;
use crate::error::{ApiError, ErrorKind, UploadError};
use crate::openapi::Description;
use crate::openapi::schema::{Kind, Message, given};
use crate::router::{Access, Entered, Requires, Resource, Routes, Verb};
use crate::spec::{self, LoadError, LoadedPipeline};
use crate::wire::{Query, Reply};

const UNREADABLE_FORM: &str = "Failed to read pipeline from file";
const UNREADABLE_FILE: &str = "Failed to read a pipeline spec file";
const NO_PIPELINE: &str = "Failed to create a pipeline and a pipeline version";
const NO_VERSION: &str = "Failed to create a pipeline version";
const REFUSED: &str = "Failed to create a pipeline";

pub(super) fn routes(routes: Routes) -> Routes {
    let may_create = Requires::Access(Resource::Pipelines, Verb::Create);
    let named = |description: Description| {
        description
            .query("name", Kind::Text, "Name; that of the file unless it is said.")
            .query("display_name", Kind::Text, "Name for people.")
            .query("description", Kind::Text, "For people.")
            .query("tags", Kind::Text, "An object of strings as JSON.")
            .query("code_source_url", Kind::Text, "Where the source is.")
            .form(&UPLOAD)
    };
    let upload_pipeline = Description::new("upload_pipeline", "A file becomes a pipeline with its first version");
    let upload_next = Description::new("upload_pipeline_version", "A file becomes one more version of a pipeline")
        .required("pipelineid", Kind::Text, "The pipeline.");
    routes
        .post("/apis/v2beta1/pipelines/upload", may_create, upload)
        .describe(named(upload_pipeline).reply(&pipelines::PIPELINE))
        .post("/apis/v2beta1/pipelines/upload_version", may_create, upload_version)
        .describe(named(upload_next).reply(&versions::VERSION))
}

const UPLOAD: Message = Message { name: "Upload", fields: &[given("uploadfile", Kind::File)] };

/// What the query of an upload says.
struct UploadInput {
    name: String,
    display_name: String,
    description: String,
    code_source_url: String,
    tags: String,
}

impl UploadInput {
    fn read(query: &Query) -> Result<Self, ApiError> {
        let text = |name| query.text(name).map(str::to_owned);
        Ok(Self {
            name: text("name")?,
            display_name: text("display_name")?,
            description: text("description")?,
            code_source_url: text("code_source_url")?,
            tags: text("tags")?,
        })
    }

    /// The name, or what stands in for it.
    fn name_or(&self, file_name: &str) -> String {
        let name =
            [self.name.as_str(), self.display_name.as_str(), file_name].into_iter().find(|name| !name.is_empty());
        name.unwrap_or_default().to_owned()
    }
}

async fn upload(access: Access, query: Query, request: Request) -> Result<Reply, UploadError> {
    // Nothing is read for those who may not.
    let asked = query.text("namespace").map_err(UploadError::plain)?;
    let place = access.namespace_of_pipelines(asked).await;
    let Entered { api, namespace, .. } = place.map_err(|error| UploadError::new(REFUSED, error))?;
    let file = form::read(&api, request).await.map_err(|error| match error.kind() {
        ErrorKind::TooLarge => UploadError::new(UNREADABLE_FILE, error),
        _ => UploadError::new(UNREADABLE_FORM, error),
    })?;
    let input = UploadInput::read(&query).map_err(UploadError::plain)?;
    let tags = tags::parse(&input.tags).map_err(UploadError::plain)?;
    let name = input.name_or(&file.name);
    let (display_name, description) = (input.display_name, input.description);
    let pipeline = PipelineInput { name, display_name, description, tags: Some(tags), ..PipelineInput::default() };
    let pipeline = pipeline.into_new(namespace).map_err(UploadError::plain)?;
    let loaded = load(&api, file, UNREADABLE_FILE).await?;
    let version = VersionInput {
        name: pipeline.name.clone(),
        display_name: pipeline.display_name.clone(),
        description: pipeline.description.clone(),
        code_source_url: input.code_source_url,
        ..VersionInput::default()
    };
    let version = version.into_new(pipeline.id, loaded).map_err(UploadError::plain)?;
    let created = api.metastore().create_pipeline(pipeline.clone(), Some(version)).await;
    created.map_err(|error| UploadError::new(NO_PIPELINE, error.into()))?;
    Ok(pipelines::show(pipeline, &access))
}

async fn upload_version(access: Access, query: Query, request: Request) -> Result<Reply, UploadError> {
    let refused = |error: ApiError| UploadError::new(NO_VERSION, error);
    let pipeline = query.text("pipelineid").map_err(refused)?;
    if pipeline.is_empty() {
        return Err(refused(ApiError::invalid("Please specify a pipeline id when creating versions")));
    }
    // A file is not read for a pipeline that does not exist, or that is not the caller's to change.
    let (api, pipeline) = access.pipeline(pipeline).await.map_err(refused)?;
    let file = form::read(&api, request).await.map_err(refused)?;
    let input = UploadInput::read(&query).map_err(UploadError::plain)?;
    let tags = tags::parse(&input.tags).map_err(UploadError::plain)?;
    let version = VersionInput {
        name: input.name_or(&file.name),
        display_name: input.display_name,
        description: input.description,
        code_source_url: input.code_source_url,
        tags: Some(tags),
        ..VersionInput::default()
    };
    let loaded = load(&api, file, NO_VERSION).await?;
    let version = version.into_new(pipeline.id, loaded).map_err(UploadError::plain)?;
    let created = api.metastore().create_version(version.clone()).await;
    created.map_err(|error| refused(versions::taken(error)))?;
    Ok(versions::show(version))
}

/// Reads the pipeline in a file, away from the threads that serve requests: a large one takes seconds.
async fn load(api: &Api, file: UploadedFile, unreadable: &'static str) -> Result<LoadedPipeline, UploadError> {
    let limits = api.limits().clone();
    let loading = tokio::task::spawn_blocking(move || {
        let loaded = spec::load(&file.name, &file.content, &limits);
        // The file's part of the budget is held until it has been read.
        drop(file);
        loaded
    });
    match loading.await {
        Ok(Ok(loaded)) => Ok(loaded),
        Ok(Err(LoadError::File(error))) => Err(UploadError::new(unreadable, ApiError::invalid(error.to_string()))),
        Ok(Err(LoadError::Spec(text))) => Err(UploadError::plain(ApiError::invalid(text))),
        Err(error) => {
            let error = ApiError::internal(format!("reading the uploaded file did not end well: {error}"));
            Err(UploadError::new(unreadable, error))
        }
    }
}
