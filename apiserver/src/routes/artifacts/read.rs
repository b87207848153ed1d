//! An artifact within a JSON reply, as KFP's first clients read it.

use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use penstock_metastore::{Listed, RunRow};
use penstock_spec::artifact::Artifact;
use serde_json::json;

use crate::api::Api;
use crate::error::{ApiError, ErrorKind};
use crate::router::Access;
use crate::stored::Place;
use crate::tasks;
use crate::wire::write::json_response;

/// Largest object that is put into a reply.
const LARGEST: u64 = 16 << 20;

/// A refusal in the shape that uploads have, with the status of the cause.
#[derive(Debug)]
pub(super) struct ReadError(ApiError);

impl IntoResponse for ReadError {
    fn into_response(self) -> Response {
        let body = json!({"error_message": self.0.short_text(), "error_details": self.0.to_string()});
        json_response(self.0.status(), &body)
    }
}

/// `GET /runs/{run}/nodes/{node}/artifacts/{name}:read`
pub(super) async fn read(
    access: Access,
    Path((run, node, name)): Path<(String, String, String)>,
) -> Result<Response, ReadError> {
    let failed = |error: ApiError| {
        if matches!(error.kind(), ErrorKind::Internal) {
            tracing::error!(%error, "an artifact cannot be read");
        }
        ReadError(error.within("Failed to read an artifact"))
    };
    encoded(&access, (&run, &node, &name)).await.map_err(failed)
}

async fn encoded(access: &Access, (run, node, name): (&str, &str, &str)) -> Result<Response, ApiError> {
    let (api, record) = access.run(run).await?;
    let artifact = artifact(&api, &record.row, node, name).await?;
    let elsewhere = format!("/apis/penstock/v1/artifacts/{}/content", artifact.id);
    if artifact.content.as_ref().is_some_and(|content| content.directory) {
        let text = format!("artifact {name} is a directory; read its files at {elsewhere}?path=");
        return Err(ApiError::failed_precondition(text));
    }
    // A result of the cache is where the run stored it that made it.
    let (_, stored, run) = access.artifact(&artifact.id.to_string()).await?;
    let found = Place::of_artifact(&api, &run.row.info.pipeline_root, &stored.artifact)?.object().await?;
    let object = found.ok_or_else(|| ApiError::not_found("Object", &artifact.uri))?;
    let size = object.meta.size;
    if size > LARGEST {
        let text = format!(
            "artifact {name} has {size} bytes, more than the {LARGEST} that are put into a reply; download it at {elsewhere}"
        );
        return Err(ApiError::failed_precondition(text));
    }
    // The object, its encoding and the reply.
    let memory = api.bodies().reserve(usize::try_from(size).unwrap_or(usize::MAX).saturating_mul(4)).await?;
    let bytes = object.bytes(api.stream_room()?).await?;
    let reply = format!("{{\"data\":\"{}\"}}", STANDARD.encode(&bytes));
    drop(bytes);
    let length = reply.len();
    // Kept until the reply was sent.
    let chunks = futures::stream::unfold((Some(reply), memory), |(reply, memory)| async move {
        Some((Ok::<_, std::io::Error>(Bytes::from(reply?)), (None, memory)))
    });
    let mut response = Response::new(Body::from_stream(chunks));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    Ok(response)
}

/// The artifact that a task put out under a name: the output's, or its own.
async fn artifact(api: &Api, run: &RunRow, node: &str, name: &str) -> Result<Artifact, ApiError> {
    let task = tasks::find(api, run, node).await?.row;
    let rows = api.metastore().artifacts(run.info.id).await?.into_iter().filter_map(Listed::readable);
    let mut own: Vec<_> = rows.filter(|row| row.node == task.node).collect();
    let place = own.iter().position(|row| row.output == name);
    match place.or_else(|| own.iter().position(|row| row.artifact.name == name)) {
        Some(place) => Ok(own.swap_remove(place).artifact),
        None => Err(ApiError::not_found("Artifact", name)),
    }
}
