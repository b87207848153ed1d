//! Uploads of one large file in parts.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::{runtime::Handle, sync::OwnedSemaphorePermit, task::JoinSet};

use super::{Object, Transfer, TransferError, source::Opened};
use crate::{
    content::FileDigest,
    error::StoreError,
    local::blocking,
    retry::{RetrySettings, retry},
    store::{MultipartUpload, Part},
};

/// Longest time for an abort.
const ABORT_LIMIT: Duration = Duration::from_secs(30);

/// Aborts the upload unless it was completed, also when the transfer is dropped in its middle.
struct AbortGuard<'a> {
    transfer: &'a Transfer,
    object: Object,
    upload: Option<MultipartUpload>,
}

impl AbortGuard<'_> {
    async fn abort(mut self) {
        if let Some(upload) = &self.upload {
            abort(&self.object, upload, &self.transfer.settings.retry).await;
        }
        self.upload = None;
    }
}

impl Drop for AbortGuard<'_> {
    fn drop(&mut self) {
        if let (Some(upload), Ok(handle)) = (self.upload.take(), Handle::try_current()) {
            let (object, settings) = (self.object.clone(), self.transfer.settings.retry.clone());
            let mut aborts = self.transfer.aborts.lock().unwrap_or_else(PoisonError::into_inner);
            while aborts.try_join_next().is_some() {}
            aborts.spawn_on(async move { abort(&object, &upload, &settings).await }, &handle);
        }
    }
}

async fn abort(object: &Object, upload: &MultipartUpload, settings: &RetrySettings) {
    let aborting = retry(settings, || object.store.abort_multipart(&object.key, upload));
    let reason = match tokio::time::timeout(ABORT_LIMIT, aborting).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "no answer in time".to_owned(),
    };
    tracing::warn!(uri = %object.uri, reason, "a multipart upload was left behind in the store");
}

impl Transfer {
    /// Uploads an open file in parts and returns its digest.
    pub(super) async fn upload_parts(&self, object: &Object, source: Opened) -> Result<FileDigest, TransferError> {
        let part_size = self.part_size(&format!("{:?}", source.path), source.size)?;
        let settings = &self.settings.retry;
        let upload = retry(settings, || object.store.create_multipart(&object.key)).await?;
        let mut guard = AbortGuard { transfer: self, object: object.clone(), upload: Some(upload.clone()) };
        let sent = match self.send_parts(object, &upload, Arc::new(source), part_size).await {
            Ok((parts, digest)) => retry(settings, || object.store.complete_multipart(&object.key, &upload, &parts))
                .await
                .map(|()| digest)
                .map_err(TransferError::from),
            Err(error) => Err(error),
        };
        match sent {
            Ok(digest) => {
                guard.upload = None;
                Ok(digest)
            }
            Err(error) => {
                guard.abort().await;
                Err(error)
            }
        }
    }

    /// Reads the file in order, hashing it, while parts already read are on their way.
    async fn send_parts(
        &self,
        object: &Object,
        upload: &MultipartUpload,
        source: Arc<Opened>,
        part_size: u64,
    ) -> Result<(Vec<Part>, FileDigest), TransferError> {
        let mut hasher = Sha256::new();
        let mut sending: JoinSet<Result<Part, StoreError>> = JoinSet::new();
        let mut parts: Vec<Part> = Vec::new();
        let mut offset = 0;
        let mut number = 0_u32;
        while offset < source.size {
            let length = part_size.min(source.size - offset);
            let permit = self.part_permit(&mut sending, &mut parts, length).await?;
            let reader = Arc::clone(&source);
            let read = blocking(move || {
                let bytes = reader.read_at(offset, length)?;
                hasher.update(&bytes);
                Ok::<_, TransferError>((bytes, hasher))
            });
            let (bytes, after) = read.await?;
            hasher = after;
            number += 1;
            self.spawn_part(&mut sending, object, upload, number, offset, (bytes, permit));
            offset += length;
        }
        blocking(move || source.check_end()).await?;
        while let Some(sent) = sending.join_next().await {
            parts.push(joined(sent)?);
        }
        parts.sort_unstable_by_key(|part| part.number);
        Ok((parts, hasher.finalize().into()))
    }

    /// Room in memory for one more part. While others are under way it is only taken if there is some, otherwise a part
    /// is waited for: a file that holds memory never waits for memory.
    async fn part_permit(
        &self,
        sending: &mut JoinSet<Result<Part, StoreError>>,
        parts: &mut Vec<Part>,
        length: u64,
    ) -> Result<Option<OwnedSemaphorePermit>, TransferError> {
        loop {
            if sending.len() < self.settings.parallel_parts
                && let Some(permit) = self.try_reserve(length)
            {
                return Ok(Some(permit));
            }
            match sending.join_next().await {
                Some(sent) => parts.push(joined(sent)?),
                None => return Ok(self.reserve(length).await),
            }
        }
    }

    fn spawn_part(
        &self,
        sending: &mut JoinSet<Result<Part, StoreError>>,
        object: &Object,
        upload: &MultipartUpload,
        number: u32,
        offset: u64,
        (bytes, permit): (Bytes, Option<OwnedSemaphorePermit>),
    ) {
        let (object, upload, settings) = (object.clone(), upload.clone(), Arc::clone(&self.settings));
        sending.spawn(async move {
            let _permit = permit;
            let Object { store, key, .. } = &object;
            retry(&settings.retry, || store.put_part(key, &upload, number, offset, bytes.clone())).await
        });
    }
}

/// The result of a task of ours, which is never aborted while somebody waits for it.
fn joined<T>(result: Result<Result<T, StoreError>, tokio::task::JoinError>) -> Result<T, StoreError> {
    match result {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => {
                let kind = crate::error::ErrorKind::Unavailable;
                Err(StoreError::new(kind, "write", "a part", "the process is ending"))
            }
        },
    }
}
