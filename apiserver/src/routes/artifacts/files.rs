//! The files of an artifact that is a directory, so that a client can take them one by one.

use axum::extract::Path;
use penstock_metastore::{Cursor, Operand};

use crate::error::ApiError;
use crate::listing::token;
use crate::router::Access;
use crate::stored::Place;
use crate::wire::{Query, Reply};

/// What tokens of this list are for.
const LIST: &str = "ArtifactFile";

/// `GET /artifacts/{artifact}/files`
pub(super) async fn files(access: Access, Path(id): Path<String>, query: Query) -> Result<Reply, ApiError> {
    page(&access, &id, &query).await.map_err(|error| error.within("Failed to list the files of an artifact"))
}

async fn page(access: &Access, id: &str, query: &Query) -> Result<Reply, ApiError> {
    let (api, stored, run) = access.artifact(id).await?;
    let artifact = stored.artifact;
    if artifact.content.as_ref().is_some_and(|content| !content.directory) {
        return Err(ApiError::invalid(format!("artifact {id} is a file, and has none of its own: read its content")));
    }
    let place = Place::of_artifact(&api, &run.row.info.pipeline_root, &artifact)?;
    let after = match query.text("page_token")? {
        "" => None,
        text => match token::open(text, LIST, api.token_key())?.cursor {
            Cursor { value: Operand::Text(after), id } if id == artifact.id => Some(after),
            _ => return Err(ApiError::invalid("the page token is of the files of another artifact")),
        },
    };
    let (files, next) = place.files(after.as_deref()).await?;
    let next = match next {
        None => String::new(),
        Some(next) => {
            let cursor = Cursor { value: Operand::Text(next), id: artifact.id };
            token::seal(LIST, "", "", cursor, api.token_key())?
        }
    };
    let size = |size: u64| i64::try_from(size).unwrap_or(i64::MAX);
    let shown = files.into_iter().map(|(path, bytes)| Reply::new().text("path", path).integer("size", size(bytes)));
    Ok(Reply::new().list("files", shown).text("next_page_token", next))
}
