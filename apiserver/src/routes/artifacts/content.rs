//! The bytes of an artifact, or of a file of one that is a directory.

use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use penstock_spec::artifact::Artifact;
use penstock_spec::uri::relative_path_of_key;

use super::display::{Shown, shown};
use crate::api::Api;
use crate::error::{ApiError, ErrorKind};
use crate::router::Access;
use crate::stored::range::{self, Asked};
use crate::stored::{Place, StoredObject, media};
use crate::wire::Query;
use crate::wire::conditional::is_known;

/// `GET /artifacts/{artifact}/content`
pub(super) async fn content(
    access: Access,
    Path(id): Path<String>,
    headers: HeaderMap,
    query: Query,
) -> Result<Response, ApiError> {
    let failed = |error: ApiError| error.within("Failed to read an artifact");
    let (api, file) = file(&access, &id, query.text("path")?).await.map_err(failed)?;
    let shown = shown(&file.name, &query, &headers).and_then(|shown| within_limit(shown, &file)).map_err(failed)?;
    reply(&api, &file, &headers, shown).await.map_err(failed)
}

fn within_limit(shown: Shown, file: &File) -> Result<Shown, ApiError> {
    let size = file.object.meta.size;
    match shown.limit.filter(|limit| size > *limit) {
        None => Ok(shown),
        Some(limit) => Err(ApiError::failed_precondition(format!(
            "{:?} has {size} bytes, more than the {limit} that are displayed: download it",
            file.name
        ))),
    }
}

/// A file to be sent.
pub(super) struct File {
    pub(super) object: StoredObject,
    pub(super) name: String,
    /// Version of the content.
    etag: String,
}

/// The file that a request means.
pub(super) async fn file(access: &Access, id: &str, path: &str) -> Result<(Api, File), ApiError> {
    let (api, stored, run) = access.artifact(id).await?;
    let artifact = stored.artifact;
    let place = Place::of_artifact(&api, &run.row.info.pipeline_root, &artifact)?;
    let file = if path.is_empty() { whole(&artifact, &place).await? } else { within(&artifact, &place, path).await? };
    Ok((api, file))
}

/// A file of an artifact that is a directory.
async fn within(artifact: &Artifact, place: &Place, path: &str) -> Result<File, ApiError> {
    let id = artifact.id;
    let is_file = artifact.content.as_ref().is_some_and(|content| !content.directory);
    if is_file {
        return Err(ApiError::invalid(format!("artifact {id} is a file, and has none of its own named {path:?}")));
    }
    if path.ends_with('/') || path.contains('\\') || relative_path_of_key(path).is_none() {
        return Err(ApiError::invalid(format!("path {path:?} is not the relative path of a file")));
    }
    let found = place.below(path).object().await?;
    let object = found.ok_or_else(|| ApiError::not_found("File", format!("{path} of artifact {id}")))?;
    let etag = etag_of_object(&object);
    Ok(File { object, name: last_part(path), etag })
}

/// The file that an artifact is.
async fn whole(artifact: &Artifact, place: &Place) -> Result<File, ApiError> {
    let directory = || {
        let text = format!("artifact {} is a directory: name a file in it with ?path=", artifact.id);
        ApiError::invalid(text)
    };
    if artifact.content.as_ref().is_some_and(|content| content.directory) {
        return Err(directory());
    }
    let Some(object) = place.object().await? else {
        // Of what was imported, nobody has looked at the content.
        return match artifact.content.is_none() && place.is_directory().await? {
            true => Err(directory()),
            false => Err(ApiError::new(ErrorKind::NotFound, format!("nothing is stored at {}", artifact.uri))),
        };
    };
    // Somebody may have stored something else there since.
    let recorded = artifact.content.as_ref().filter(|content| content.size == object.meta.size);
    let etag = match recorded {
        Some(content) => format!("\"{}\"", content.digest),
        None => etag_of_object(&object),
    };
    Ok(File { object, name: last_part(&artifact.uri), etag })
}

fn last_part(path: &str) -> String {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned()
}

/// The store's own word for the version, in the form of a header.
fn etag_of_object(object: &StoredObject) -> String {
    let word = object.meta.etag.as_deref().unwrap_or_default();
    let word: String = word.chars().filter(|c| c.is_ascii_graphic() && *c != '"').collect();
    format!("\"{word}-{}\"", object.meta.size)
}

async fn reply(api: &Api, file: &File, headers: &HeaderMap, shown: Shown) -> Result<Response, ApiError> {
    let size = file.object.meta.size;
    let mut response = if is_known(headers, &file.etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        match range::parse(range_header(headers, &file.etag), size) {
            Asked::Whole => sent(file.object.body(0..size, api.stream_room()?).await?, size),
            Asked::Part(part) => {
                let body = file.object.body(part.clone(), api.stream_room()?).await?;
                let mut response = sent(body, part.end - part.start);
                *response.status_mut() = StatusCode::PARTIAL_CONTENT;
                let text = format!("bytes {}-{}/{size}", part.start, part.end - 1);
                set(&mut response, header::CONTENT_RANGE, &text)?;
                response
            }
            Asked::Unsatisfiable => {
                let mut response = StatusCode::RANGE_NOT_SATISFIABLE.into_response();
                set(&mut response, header::CONTENT_RANGE, &format!("bytes */{size}"))?;
                response
            }
        }
    };
    describe(&mut response, file, shown)?;
    Ok(response)
}

fn sent(body: Body, length: u64) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    response
}

fn describe(response: &mut Response, file: &File, shown: Shown) -> Result<(), ApiError> {
    set(response, header::ETAG, &file.etag)?;
    set(response, header::CONTENT_DISPOSITION, &media::disposition(&file.name, shown.inline))?;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(shown.content_type));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(shown.policy));
    Ok(())
}

fn set(response: &mut Response, name: header::HeaderName, text: &str) -> Result<(), ApiError> {
    let value = HeaderValue::from_str(text)
        .map_err(|error| ApiError::internal(format!("cannot write the header {name}: {error}")))?;
    response.headers_mut().insert(name, value);
    Ok(())
}

/// The range that counts: none when the client wants a part of another version.
fn range_header<'a>(headers: &'a HeaderMap, etag: &str) -> Option<&'a str> {
    let is_same = headers.get(header::IF_RANGE).is_none_or(|wanted| wanted == etag);
    headers.get(header::RANGE).filter(|_| is_same)?.to_str().ok()
}
