//! Buckets of S3 and of servers that speak it.
//!
//! Correctness needs only PUT, GET, HEAD, LIST, DELETE and multipart (F-28): the SDK's default checksum trailers are
//! off, nothing is conditional, and digests are the transfer engine's. Keys are taken as they are.

use std::{fmt::Debug, ops::Range, sync::Arc};

use async_trait::async_trait;
use aws_sdk_s3::{
    presigning::PresigningConfig,
    primitives::ByteStream,
    types::{CompletedMultipartUpload, CompletedPart, EncodingType},
};
use bytes::Bytes;
use futures::{StreamExt, stream};
use penstock_spec::Timestamp;
use uuid::Uuid;

use crate::{
    error::{ErrorKind, StoreError},
    store::{Body, LinkSettings, ListPage, MultipartUpload, ObjectMeta, ObjectStore, Part},
};

mod connection;
mod failure;
mod keys;
mod listing;

pub(crate) use connection::check_endpoint;
pub use connection::{S3Connection, S3Credentials, S3Settings, Secret};
use failure::Attempt;
pub use keys::KeyFiles;

/// Name of the user metadata that tells whose multipart upload made an object.
const NONCE: &str = "penstock-upload";

/// A bucket.
#[derive(Clone)]
pub struct S3Store {
    connection: Arc<S3Connection>,
    bucket: String,
}

impl Debug for S3Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("S3Store")
            .field("endpoint", &self.connection.endpoint_name())
            .field("bucket", &self.bucket)
            .finish_non_exhaustive()
    }
}

impl S3Store {
    /// A bucket behind a connection.
    pub fn new(connection: Arc<S3Connection>, bucket: impl Into<String>) -> S3Store {
        S3Store { connection, bucket: bucket.into() }
    }

    fn attempt(&self, operation: &'static str, key: &str) -> Attempt {
        let object = format!("s3://{}/{} at {}", self.bucket, key.escape_debug(), self.connection.endpoint_name());
        Attempt { operation, object, standing: self.connection.standing().map(Arc::clone) }
    }

    /// A key that an S3 request can carry and that comes back as it was sent.
    fn check_key(&self, operation: &'static str, key: &str) -> Result<(), StoreError> {
        let reason = match key {
            "" => "the key is empty",
            _ if key.len() > self.max_key_bytes() => "the key is longer than 1024 bytes",
            // HTTP clients and servers fold such parts of a path, so the object would be another one.
            _ if key.split('/').any(|part| matches!(part, "." | "..")) => "a part of the key is `.` or `..`",
            _ => return Ok(()),
        };
        let Attempt { operation, object, .. } = self.attempt(operation, key);
        Err(StoreError::new(ErrorKind::Invalid, operation, object, reason))
    }

    /// Why an object may not be looked at: the answer to HEAD has no body that could say so.
    async fn denial(&self, key: &str) -> Option<StoreError> {
        let client = self.connection.client().await;
        let read = client.get_object().bucket(&self.bucket).key(key).range("bytes=0-0").send().await;
        let error = self.attempt("look at", key).failure(&read.err()?);
        // Whoever may read a part of it was denied something else.
        matches!(error.kind(), ErrorKind::Denied | ErrorKind::Unavailable).then_some(error)
    }

    /// Whether the object at `key` was made by this upload.
    async fn was_completed(&self, key: &str, upload: &MultipartUpload) -> bool {
        let client = self.connection.client().await;
        match client.head_object().bucket(&self.bucket).key(key).send().await {
            Ok(head) => head.metadata().and_then(|metadata| metadata.get(NONCE)) == Some(&upload.nonce),
            Err(_) => false,
        }
    }
}

fn size_of(length: Option<i64>) -> u64 {
    length.and_then(|length| u64::try_from(length).ok()).unwrap_or_default()
}

fn timestamp_of(time: Option<&aws_sdk_s3::primitives::DateTime>) -> Option<Timestamp> {
    time.and_then(|time| Timestamp::from_second(time.secs()).ok())
}

#[async_trait]
impl ObjectStore for S3Store {
    async fn head(&self, key: &str) -> Result<Option<ObjectMeta>, StoreError> {
        self.check_key("look at", key)?;
        let client = self.connection.client().await;
        match client.head_object().bucket(&self.bucket).key(key).send().await {
            Ok(head) => Ok(Some(ObjectMeta {
                key: key.to_owned(),
                size: size_of(head.content_length()),
                modified: timestamp_of(head.last_modified()),
                etag: head.e_tag().map(str::to_owned),
            })),
            Err(error) => {
                let error = match self.attempt("look at", key).failure(&error) {
                    error if error.kind() == ErrorKind::Denied => self.denial(key).await.unwrap_or(error),
                    error => error,
                };
                // The answer to HEAD has no body, so a missing bucket looks like a missing object here; whatever is
                // done with the object next says which it was.
                if error.kind() == ErrorKind::NotFound { Ok(None) } else { Err(error) }
            }
        }
    }

    async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<Body, StoreError> {
        self.check_key("read", key)?;
        let client = self.connection.client().await;
        let mut request = client.get_object().bucket(&self.bucket).key(key);
        if let Some(range) = &range {
            if range.is_empty() {
                return Ok(Body { object_size: None, etag: None, stream: stream::empty().boxed() });
            }
            request = request.range(format!("bytes={}-{}", range.start, range.end - 1));
        }
        let attempt = self.attempt("read", key);
        let output = match request.send().await {
            Ok(output) => output,
            Err(error) => return Err(attempt.failure(&error)),
        };
        let object_size = match output.content_range() {
            Some(range) => range.rsplit_once('/').and_then(|(_, size)| size.parse().ok()),
            None => output.content_length().and_then(|length| u64::try_from(length).ok()),
        };
        if range.is_some_and(|range| output.content_range().is_none() && object_size != Some(range.end)) {
            let reason = "the server does not answer ranges";
            return Err(StoreError::new(ErrorKind::Invalid, attempt.operation, attempt.object, reason));
        }
        let etag = output.e_tag().map(str::to_owned);
        let stream = stream::try_unfold((output.body, attempt), |(mut body, attempt)| async move {
            match body.try_next().await {
                Ok(Some(chunk)) => Ok(Some((chunk, (body, attempt)))),
                Ok(None) => Ok(None),
                Err(error) => Err(attempt.broken_body(&error)),
            }
        });
        Ok(Body { object_size, etag, stream: stream.boxed() })
    }

    async fn put(&self, key: &str, body: Bytes) -> Result<(), StoreError> {
        self.check_key("write", key)?;
        let client = self.connection.client().await;
        let request = client.put_object().bucket(&self.bucket).key(key).body(ByteStream::from(body));
        request.send().await.map(drop).map_err(|error| self.attempt("write", key).failure(&error))
    }

    async fn list(&self, prefix: &str, page: Option<&str>) -> Result<ListPage, StoreError> {
        let client = self.connection.client().await;
        let request = client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(prefix)
            .set_continuation_token(page.map(str::to_owned))
            // XML cannot carry control characters.
            .encoding_type(EncodingType::Url);
        let attempt = self.attempt("list", prefix);
        let output = request.send().await.map_err(|error| attempt.failure(&error))?;
        listing::read_page(output, prefix, page)
            .map_err(|reason| StoreError::new(ErrorKind::Invalid, attempt.operation, attempt.object, reason))
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.check_key("delete", key)?;
        let client = self.connection.client().await;
        match client.delete_object().bucket(&self.bucket).key(key).send().await {
            Ok(_) => Ok(()),
            Err(error) => {
                let error = self.attempt("delete", key).failure(&error);
                // Some servers say so, S3 does not.
                if error.code() == Some("NoSuchKey") { Ok(()) } else { Err(error) }
            }
        }
    }

    async fn create_multipart(&self, key: &str) -> Result<MultipartUpload, StoreError> {
        self.check_key("write", key)?;
        let client = self.connection.client().await;
        let nonce = Uuid::new_v4().to_string();
        let request = client.create_multipart_upload().bucket(&self.bucket).key(key).metadata(NONCE, &nonce);
        let attempt = self.attempt("start a multipart upload of", key);
        let output = request.send().await.map_err(|error| attempt.failure(&error))?;
        match output.upload_id {
            Some(id) if !id.is_empty() => Ok(MultipartUpload { id, nonce }),
            _ => {
                let reason = "the server named no upload";
                Err(StoreError::new(ErrorKind::Invalid, attempt.operation, attempt.object, reason))
            }
        }
    }

    async fn put_part(
        &self,
        key: &str,
        upload: &MultipartUpload,
        number: u32,
        _offset: u64,
        body: Bytes,
    ) -> Result<Part, StoreError> {
        let client = self.connection.client().await;
        let request = client
            .upload_part()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(&upload.id)
            .part_number(i32::try_from(number).unwrap_or(i32::MAX))
            .body(ByteStream::from(body));
        let attempt = self.attempt("write a part of", key);
        let output = request.send().await.map_err(|error| attempt.failure(&error))?;
        match output.e_tag {
            Some(etag) => Ok(Part { number, etag }),
            None => {
                let reason = "the server gave the part no ETag";
                Err(StoreError::new(ErrorKind::Invalid, attempt.operation, attempt.object, reason))
            }
        }
    }

    async fn complete_multipart(&self, key: &str, upload: &MultipartUpload, parts: &[Part]) -> Result<(), StoreError> {
        let client = self.connection.client().await;
        let parts = parts.iter().map(|part| {
            let number = i32::try_from(part.number).unwrap_or(i32::MAX);
            CompletedPart::builder().part_number(number).e_tag(&part.etag).build()
        });
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.collect())).build();
        let request = client
            .complete_multipart_upload()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(&upload.id)
            .multipart_upload(parts);
        match request.send().await {
            Ok(_) => Ok(()),
            // Answer lost, then "no such upload" to the SDK's own second try: look before believing it (F-25).
            Err(_) if self.was_completed(key, upload).await => Ok(()),
            Err(error) => Err(self.attempt("complete the upload of", key).failure(&error)),
        }
    }

    async fn abort_multipart(&self, key: &str, upload: &MultipartUpload) -> Result<(), StoreError> {
        let client = self.connection.client().await;
        let request = client.abort_multipart_upload().bucket(&self.bucket).key(key).upload_id(&upload.id);
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) => {
                let error = self.attempt("abort the upload of", key).failure(&error);
                if error.code() == Some("NoSuchUpload") { Ok(()) } else { Err(error) }
            }
        }
    }

    async fn link(&self, key: &str, settings: &LinkSettings) -> Result<Option<String>, StoreError> {
        self.check_key("link to", key)?;
        let attempt = self.attempt("link to", key);
        if matches!(self.connection.credentials(), S3Credentials::Anonymous) {
            return Ok(None);
        }
        let signing = PresigningConfig::expires_in(settings.lifetime)
            .map_err(|error| StoreError::new(ErrorKind::Invalid, "link to", &attempt.object, error.to_string()))?;
        let client = match &settings.endpoint {
            Some(endpoint) => self.connection.client_at(endpoint).await,
            None => self.connection.client().await,
        };
        let request = client
            .get_object()
            .bucket(&self.bucket)
            .key(key)
            .response_content_type(&settings.content_type)
            .response_content_disposition(&settings.content_disposition);
        let signed = request.presigned(signing).await.map_err(|error| attempt.failure(&error))?;
        Ok(Some(signed.uri().to_owned()))
    }
}
