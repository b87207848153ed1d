//! Objects of the store as bodies of replies. Which object it is never comes from a request (T-03): only what runs have
//! recorded is opened.

pub(crate) mod media;
pub(crate) mod range;

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt as _, stream};
use penstock_objectstore::retry::{RetrySettings, retry};
use penstock_objectstore::{ErrorKind as StoreErrorKind, LinkSettings, ObjectMeta, ObjectStore, StoreError};
use penstock_spec::artifact::Artifact;
use penstock_spec::uri::{ObjectUri, relative_path_of_key, split_query};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use crate::api::Api;
use crate::error::{ApiError, ErrorKind};

/// Tries of each request of the store: somebody waits for the answer.
const TRIES: u32 = 3;
/// How long a request of the store may take with all its tries.
const OPEN_WAIT: Duration = Duration::from_secs(20);
/// How long the store may send nothing.
const CHUNK_WAIT: Duration = Duration::from_secs(60);

/// A place of the store.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    store: Arc<dyn ObjectStore>,
    key: String,
}

/// An object that is there.
#[derive(Debug, Clone)]
pub(crate) struct StoredObject {
    store: Arc<dyn ObjectStore>,
    pub(crate) meta: ObjectMeta,
}

impl Place {
    /// Where a URI leads that a run recorded. With several users it must lie below the root under which the run stores
    /// what it makes: what runs say is up to their users, and the server may read more than they.
    pub(crate) fn of_run(api: &Api, root: &str, uri: &str) -> Result<Place, ApiError> {
        if api.settings().access.is_multi_user() && !lies_below(root, uri) {
            let text = format!(
                "{uri} is not below the pipeline root of the run that names it, so this server does not read it for its \
                 users: read it with credentials of your own"
            );
            return Err(ApiError::new(ErrorKind::PermissionDenied, text));
        }
        Self::open(api, uri)
    }

    /// Where an artifact is. With several users only what an attempt stored itself is read, and that it did.
    pub(crate) fn of_artifact(api: &Api, root: &str, artifact: &Artifact) -> Result<Place, ApiError> {
        if api.settings().access.is_multi_user() && artifact.content.is_none() {
            let text = format!(
                "artifact {} was imported from {}, so this server does not read it for its users: read it with \
                 credentials of your own",
                artifact.id, artifact.uri
            );
            return Err(ApiError::new(ErrorKind::PermissionDenied, text));
        }
        Self::of_run(api, root, &artifact.uri)
    }

    /// Where a recorded URI leads.
    fn open(api: &Api, uri: &str) -> Result<Place, ApiError> {
        let stores = api.settings().stores.as_ref().ok_or_else(|| {
            ApiError::new(
                ErrorKind::Unavailable,
                "this server reads no object store, so what runs stored is not served",
            )
        })?;
        let (store, key) = stores.open(uri).map_err(|error| refused(&error))?;
        Ok(Place { store, key })
    }

    /// A place below this one; the path must have been checked.
    pub(crate) fn below(&self, path: &str) -> Place {
        Place { store: Arc::clone(&self.store), key: format!("{}/{path}", self.key) }
    }

    /// The object of this place, if there is one.
    pub(crate) async fn object(&self) -> Result<Option<StoredObject>, ApiError> {
        let found = patiently(|| self.store.head(&self.key)).await?;
        Ok(found.map(|meta| StoredObject { store: Arc::clone(&self.store), meta }))
    }

    /// Paths and sizes of files below this place, a page of them, and where the next page begins. What marks directories in
    /// some stores is none.
    pub(crate) async fn files(&self, after: Option<&str>) -> Result<(Vec<(String, u64)>, Option<String>), ApiError> {
        let prefix = format!("{}/", self.key);
        let page = patiently(|| self.store.list(&prefix, after)).await?;
        let mut files = Vec::with_capacity(page.objects.len());
        for object in page.objects.into_iter().filter(|object| !object.key.ends_with('/') || object.size > 0) {
            let path = object.key.strip_prefix(&prefix).filter(|path| relative_path_of_key(path).is_some());
            let Some(path) = path else {
                let text =
                    format!("what is stored at {} is no file of a directory: its name leads elsewhere", object.key);
                return Err(ApiError::failed_precondition(text));
            };
            files.push((path.to_owned(), object.size));
        }
        Ok((files, page.next))
    }

    /// Whether there are objects below this place.
    pub(crate) async fn is_directory(&self) -> Result<bool, ApiError> {
        let prefix = format!("{}/", self.key);
        let page = patiently(|| self.store.list(&prefix, None)).await?;
        Ok(!page.objects.is_empty())
    }
}

impl StoredObject {
    /// A part of it, as it comes. `room` is given back at the end.
    pub(crate) async fn read(
        &self,
        range: Range<u64>,
        room: OwnedSemaphorePermit,
    ) -> Result<impl Stream<Item = io::Result<Bytes>> + Send + use<>, ApiError> {
        let chunks = self.chunks(range).await?;
        Ok(stream::try_unfold((chunks, room), |(mut chunks, room)| async move {
            match timeout(CHUNK_WAIT, chunks.next()).await {
                Ok(None) => Ok(None),
                Ok(Some(Ok(chunk))) => Ok(Some((chunk, (chunks, room)))),
                Ok(Some(Err(error))) => {
                    tracing::warn!(%error, "a reply ends early: the object cannot be read on");
                    Err(io::Error::other(error))
                }
                Err(_) => {
                    tracing::warn!("a reply ends early: the store sends nothing");
                    Err(io::ErrorKind::TimedOut.into())
                }
            }
        }))
    }

    /// A link to it, if the store makes any.
    pub(crate) async fn link(&self, settings: &LinkSettings) -> Result<Option<String>, ApiError> {
        patiently(|| self.store.link(&self.meta.key, settings)).await
    }

    /// A part of it that is small.
    pub(crate) async fn part(&self, range: Range<u64>) -> Result<Bytes, ApiError> {
        let mut chunks = self.chunks(range).await?;
        let mut part = BytesMut::new();
        loop {
            match timeout(CHUNK_WAIT, chunks.next()).await {
                Ok(None) => return Ok(part.freeze()),
                Ok(Some(chunk)) => part.extend_from_slice(&chunk.map_err(|error| refused(&error))?),
                Err(_) => return Err(ApiError::new(ErrorKind::Unavailable, "the object store sends nothing")),
            }
        }
    }

    async fn chunks(&self, range: Range<u64>) -> Result<BoxStream<'static, Result<Bytes, StoreError>>, ApiError> {
        if range.is_empty() {
            return Ok(stream::empty().boxed());
        }
        let body = patiently(|| self.store.get(&self.meta.key, Some(range.clone()))).await?;
        if self.meta.etag.is_some() && body.etag.is_some() && body.etag != self.meta.etag {
            let text = format!("{} was replaced while it was opened; try again", self.meta.key);
            return Err(ApiError::new(ErrorKind::Unavailable, text));
        }
        Ok(body.stream)
    }

    /// The same as a body.
    pub(crate) async fn body(&self, range: Range<u64>, room: OwnedSemaphorePermit) -> Result<Body, ApiError> {
        Ok(Body::from_stream(self.read(range, room).await?))
    }

    /// All of it. The caller has seen that it is not too large.
    pub(crate) async fn bytes(&self, room: OwnedSemaphorePermit) -> Result<Bytes, ApiError> {
        let mut chunks = std::pin::pin!(self.read(0..self.meta.size, room).await?);
        let mut whole = BytesMut::new();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| {
                ApiError::new(ErrorKind::Unavailable, format!("cannot read {}: {error}", self.meta.key))
            })?;
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }
}

async fn patiently<T, F>(operation: impl FnMut() -> F) -> Result<T, ApiError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let settings = RetrySettings { tries: TRIES, budget: OPEN_WAIT, ..RetrySettings::default() };
    match timeout(OPEN_WAIT, retry(&settings, operation)).await {
        Ok(done) => done.map_err(|error| refused(&error)),
        Err(_) => Err(ApiError::new(ErrorKind::Unavailable, "the object store does not answer")),
    }
}

/// Whether a place is below another, by whole segments (T-03).
fn lies_below(root: &str, uri: &str) -> bool {
    let parse = |uri: &str| ObjectUri::parse(split_query(uri).0);
    matches!((parse(root), parse(uri)), (Ok(root), Ok(uri)) if uri.starts_with(&root))
}

/// What failures of the object store mean to clients.
fn refused(error: &StoreError) -> ApiError {
    let kind = match error.kind() {
        StoreErrorKind::NotFound => ErrorKind::NotFound,
        // The recorded URI is one that this server does not read.
        StoreErrorKind::Invalid | StoreErrorKind::Conflict => ErrorKind::FailedPrecondition,
        StoreErrorKind::Unavailable | StoreErrorKind::Incomplete => ErrorKind::Unavailable,
        StoreErrorKind::Denied | StoreErrorKind::Full => ErrorKind::Internal,
    };
    ApiError::new(kind, error.to_string())
}
