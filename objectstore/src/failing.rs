//! A double that makes calls fail: wraps any store, counts the calls, and breaks the ones it was told to.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream};

use crate::{
    error::{ErrorKind, StoreError},
    store::{Body, ListPage, MultipartUpload, ObjectMeta, ObjectStore, Part},
};

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The store was not reached: the call had no effect.
    Unreached,
    /// The call took effect, but its answer was lost.
    AnswerLost,
    /// The call is refused.
    Denied,
    /// The body of a read ends early. Other calls are unreached.
    Truncated,
    /// A byte of the body of a read is another one. Other calls are unreached.
    Altered,
}

/// A store some of whose calls fail.
#[derive(Debug)]
pub struct FailingStore {
    inner: Arc<dyn ObjectStore>,
    fault: Fault,
    first: u64,
    count: u64,
    calls: AtomicU64,
    faults: AtomicU64,
}

impl FailingStore {
    /// Makes `count` calls fail, beginning with call `first` (from 1).
    pub fn new(inner: Arc<dyn ObjectStore>, fault: Fault, first: u64, count: u64) -> FailingStore {
        FailingStore { inner, fault, first, count, calls: AtomicU64::new(0), faults: AtomicU64::new(0) }
    }

    /// Calls so far.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// Calls that failed so far. A test that injects a fault must see that it happened.
    pub fn faults(&self) -> u64 {
        self.faults.load(Ordering::SeqCst)
    }

    /// The fault of this call, if it is to have one.
    fn fault(&self) -> Option<Fault> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let hit = call >= self.first && call - self.first < self.count;
        hit.then(|| {
            self.faults.fetch_add(1, Ordering::SeqCst);
            self.fault
        })
    }

    async fn call<T>(&self, key: &str, inner: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let failed = |kind, reason| Err(StoreError::new(kind, "use", key, reason));
        match self.fault() {
            None => inner.await,
            Some(Fault::Denied) => failed(ErrorKind::Denied, "injected: denied"),
            Some(Fault::AnswerLost) => {
                inner.await?;
                failed(ErrorKind::Unavailable, "injected: answer lost")
            }
            Some(_) => failed(ErrorKind::Unavailable, "injected: unreached"),
        }
    }
}

/// Cuts off the second half of every chunk.
fn truncated(body: Body) -> Body {
    let stream = body.stream.map(|chunk| {
        chunk.map(|mut chunk| {
            chunk.truncate(chunk.len() / 2);
            chunk
        })
    });
    Body { stream: stream.boxed(), ..body }
}

/// Flips a bit of every chunk.
fn altered(body: Body) -> Body {
    let stream = body.stream.map(|chunk| {
        chunk.map(|chunk| {
            let mut bytes = chunk.to_vec();
            if let Some(byte) = bytes.last_mut() {
                *byte ^= 1;
            }
            Bytes::from(bytes)
        })
    });
    Body { stream: stream.boxed(), ..body }
}

#[async_trait]
impl ObjectStore for FailingStore {
    async fn head(&self, key: &str) -> Result<Option<ObjectMeta>, StoreError> {
        self.call(key, self.inner.head(key)).await
    }

    async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<Body, StoreError> {
        let broken = |reason| StoreError::new(ErrorKind::Incomplete, "read", key, reason);
        match self.fault() {
            None => self.inner.get(key, range).await,
            Some(Fault::Denied) => Err(StoreError::new(ErrorKind::Denied, "read", key, "injected: denied")),
            Some(Fault::Truncated) => self.inner.get(key, range).await.map(truncated),
            Some(Fault::Altered) => self.inner.get(key, range).await.map(altered),
            Some(Fault::AnswerLost) => {
                let body = self.inner.get(key, range).await?;
                let broken = stream::once(std::future::ready(Err(broken("injected: the body broke off"))));
                Ok(Body { stream: body.stream.take(1).chain(broken).boxed(), ..body })
            }
            Some(Fault::Unreached) => Err(StoreError::new(ErrorKind::Unavailable, "read", key, "injected: unreached")),
        }
    }

    async fn put(&self, key: &str, body: Bytes) -> Result<(), StoreError> {
        self.call(key, self.inner.put(key, body)).await
    }

    async fn list(&self, prefix: &str, page: Option<&str>) -> Result<ListPage, StoreError> {
        self.call(prefix, self.inner.list(prefix, page)).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.call(key, self.inner.delete(key)).await
    }

    async fn create_multipart(&self, key: &str) -> Result<MultipartUpload, StoreError> {
        self.call(key, self.inner.create_multipart(key)).await
    }

    async fn put_part(
        &self,
        key: &str,
        upload: &MultipartUpload,
        number: u32,
        offset: u64,
        body: Bytes,
    ) -> Result<Part, StoreError> {
        self.call(key, self.inner.put_part(key, upload, number, offset, body)).await
    }

    async fn complete_multipart(&self, key: &str, upload: &MultipartUpload, parts: &[Part]) -> Result<(), StoreError> {
        self.call(key, self.inner.complete_multipart(key, upload, parts)).await
    }

    async fn abort_multipart(&self, key: &str, upload: &MultipartUpload) -> Result<(), StoreError> {
        self.call(key, self.inner.abort_multipart(key, upload)).await
    }

    fn max_key_bytes(&self) -> usize {
        self.inner.max_key_bytes()
    }
}
