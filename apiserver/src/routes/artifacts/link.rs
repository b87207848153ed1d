//! A link with which a browser takes an artifact from its store, without this server in between.
//!
//! The store is told what to say of the file, so that nothing that user code wrote is rendered at the store's origin
//! (T-14). Whoever has the link may use it until it ends.

use std::time::Duration;

use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use penstock_objectstore::LinkSettings;
use penstock_spec::Timestamp;

use super::content::file;
use crate::error::ApiError;
use crate::router::Access;
use crate::stored::media;
use crate::wire::write::json_response;
use crate::wire::{Query, Reply};

const LIFETIME_SECONDS: u64 = 300;
const LONGEST_SECONDS: u64 = 3600;

/// `GET /artifacts/{artifact}/link`
pub(super) async fn link(access: Access, Path(id): Path<String>, query: Query) -> Result<Response, ApiError> {
    let failed = |error: ApiError| error.within("Failed to make a link to an artifact");
    let lifetime = lifetime(&query).map_err(failed)?;
    let (api, file) = file(&access, &id, query.text("path")?).await.map_err(failed)?;
    let guessed = media::guess(&file.name);
    let settings = LinkSettings {
        lifetime,
        content_type: guessed.content_type.to_owned(),
        content_disposition: media::disposition(&file.name, guessed.inline && !query.boolean("download")?),
        endpoint: api.settings().link_endpoint.clone(),
    };
    let ends_at = Timestamp::now().as_second().saturating_add_unsigned(lifetime.as_secs());
    let Some(url) = file.object.link(&settings).await.map_err(failed)? else {
        let text = format!(
            "the store of artifact {id} makes no links: download it at /apis/penstock/v1/artifacts/{id}/content"
        );
        return Err(failed(ApiError::failed_precondition(text)));
    };
    let reply = Reply::new().text("url", url).time("expires_at", Timestamp::from_second(ends_at).ok());
    let mut response = json_response(StatusCode::OK, &reply.into());
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

fn lifetime(query: &Query) -> Result<Duration, ApiError> {
    let seconds = match query.integer("lifetime_seconds")? {
        0 => LIFETIME_SECONDS,
        seconds => u64::try_from(seconds).unwrap_or(0),
    };
    match seconds {
        1..=LONGEST_SECONDS => Ok(Duration::from_secs(seconds)),
        _ => Err(ApiError::invalid(format!("lifetime_seconds must be from 1 to {LONGEST_SECONDS}"))),
    }
}
