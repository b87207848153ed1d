//! The form of an upload: one part is looked at, whatever else there is (I-27).

use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{FromRequest as _, Multipart, Request};
use bytes::{Bytes, BytesMut};
use penstock_runtime::server::SMALL_BODY;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

use crate::api::Api;
use crate::error::{ApiError, ErrorKind};
use crate::wire::body::{BODY_WAIT, IDLE_WAIT, stated_length};

const FILE_PART: &str = "uploadfile";
/// Most parts that are skipped on the way to the file.
const MOST_PARTS: usize = 32;

/// The file of an upload.
#[derive(Debug)]
pub(super) struct UploadedFile {
    /// Its name without directories, for people.
    pub(super) name: String,
    pub(super) content: Bytes,
    /// Its part of what bodies may take together.
    _room: Option<OwnedSemaphorePermit>,
}

/// Reads the file.
pub(super) async fn read(api: &Api, request: Request) -> Result<UploadedFile, ApiError> {
    let limit = api.limits().document_bytes;
    let stated = stated_length(request.headers());
    if stated.is_some_and(|bytes| bytes > api.body_limit()) {
        return Err(too_large(limit));
    }
    let room = match stated.unwrap_or(api.body_limit()) {
        ..=SMALL_BODY => None,
        large => Some(api.bodies().reserve(large).await?),
    };
    let mut form = Multipart::from_request(request, &())
        .await
        .map_err(|error| ApiError::invalid(format!("the request is no form: {}", error.body_text())))?;
    let end = Instant::now() + BODY_WAIT;
    for _ in 0..MOST_PARTS {
        let part = timely(end, form.next_field()).await?;
        let Some(part) = part else { break };
        if part.name() != Some(FILE_PART) {
            continue;
        }
        let Some(name) = part.file_name().map(base_name) else { continue };
        let content = collect(part, limit, end).await?;
        return Ok(UploadedFile { name, content, _room: room });
    }
    Err(ApiError::invalid(format!("the form has no file {FILE_PART:?}")))
}

async fn collect(mut part: Field<'_>, limit: usize, end: Instant) -> Result<Bytes, ApiError> {
    let mut content = BytesMut::new();
    while let Some(chunk) = timely(end, part.chunk()).await? {
        if content.len() + chunk.len() > limit {
            return Err(too_large(limit));
        }
        content.extend_from_slice(&chunk);
    }
    Ok(content.freeze())
}

/// Waits for a piece of the form, as long as clients may take for one and for all.
async fn timely<T>(end: Instant, piece: impl Future<Output = Result<T, MultipartError>>) -> Result<T, ApiError> {
    match timeout_at(end.min(Instant::now() + IDLE_WAIT), piece).await {
        Ok(Ok(piece)) => Ok(piece),
        Ok(Err(error)) => Err(ApiError::invalid(format!("the form cannot be read: {}", error.body_text()))),
        Err(_) => Err(ApiError::new(ErrorKind::TooSlow, "the form did not arrive in time")),
    }
}

fn too_large(limit: usize) -> ApiError {
    ApiError::new(ErrorKind::TooLarge, format!("File size too large. Maximum supported size: {limit}"))
}

/// The last part of a path of whatever system.
fn base_name(path: &str) -> String {
    path.rsplit(['/', '\\']).next().unwrap_or_default().replace('\0', "")
}

#[cfg(test)]
mod tests {
    use super::base_name;

    #[test]
    fn i27_of_a_path_only_the_name_counts() {
        assert_eq!(base_name("pipeline.yaml"), "pipeline.yaml");
        assert_eq!(base_name("../../etc/pipeline.yaml"), "pipeline.yaml");
        assert_eq!(base_name("C:\\Users\\x\\pipeline.yaml"), "pipeline.yaml");
        assert_eq!(base_name("a/"), "");
    }
}
