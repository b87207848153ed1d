//! A store whose calls somebody counts. What counting means is the observer's: this crate knows no metrics.

use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;

use crate::error::{ErrorKind, StoreError};
use crate::store::{Body, LinkSettings, ListPage, MultipartUpload, ObjectMeta, ObjectStore, Part};

/// What a call asks of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "they are the methods of the trait")]
pub enum Operation {
    Head,
    Get,
    Put,
    List,
    Delete,
    CreateMultipart,
    PutPart,
    CompleteMultipart,
    AbortMultipart,
}

impl Operation {
    /// All there are.
    pub const ALL: [Operation; 9] = [
        Operation::Head,
        Operation::Get,
        Operation::Put,
        Operation::List,
        Operation::Delete,
        Operation::CreateMultipart,
        Operation::PutPart,
        Operation::CompleteMultipart,
        Operation::AbortMultipart,
    ];

    /// Its name, one of a closed set.
    pub fn name(self) -> &'static str {
        match self {
            Operation::Head => "head",
            Operation::Get => "get",
            Operation::Put => "put",
            Operation::List => "list",
            Operation::Delete => "delete",
            Operation::CreateMultipart => "create_multipart",
            Operation::PutPart => "put_part",
            Operation::CompleteMultipart => "complete_multipart",
            Operation::AbortMultipart => "abort_multipart",
        }
    }
}

/// Is told of each call of a store. Tries that the store's client repeats by itself are one call.
pub trait StoreObserver: Debug + Send + Sync {
    /// A call begins.
    fn called(&self, operation: Operation);
    /// A call failed, or the body that it gave broke off.
    fn failed(&self, operation: Operation, kind: ErrorKind);
    /// Bytes of an object that came.
    fn received(&self, bytes: u64);
    /// Bytes of an object that the store took.
    fn sent(&self, bytes: u64);
}

/// A store with an observer.
#[derive(Debug)]
pub(crate) struct ObservedStore {
    inner: Arc<dyn ObjectStore>,
    observer: Arc<dyn StoreObserver>,
}

impl ObservedStore {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>, observer: Arc<dyn StoreObserver>) -> ObservedStore {
        ObservedStore { inner, observer }
    }

    async fn call<T>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        self.observer.called(operation);
        call.await.inspect_err(|error| self.observer.failed(operation, error.kind()))
    }

    async fn send<T>(
        &self,
        operation: Operation,
        bytes: usize,
        call: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let answer = self.call(operation, call).await?;
        self.observer.sent(bytes as u64);
        Ok(answer)
    }
}

#[async_trait]
impl ObjectStore for ObservedStore {
    async fn head(&self, key: &str) -> Result<Option<ObjectMeta>, StoreError> {
        self.call(Operation::Head, self.inner.head(key)).await
    }

    async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<Body, StoreError> {
        let body = self.call(Operation::Get, self.inner.get(key, range)).await?;
        let observer = Arc::clone(&self.observer);
        let stream = body.stream.inspect(move |chunk| match chunk {
            Ok(bytes) => observer.received(bytes.len() as u64),
            Err(error) => observer.failed(Operation::Get, error.kind()),
        });
        Ok(Body { stream: stream.boxed(), ..body })
    }

    async fn put(&self, key: &str, body: Bytes) -> Result<(), StoreError> {
        self.send(Operation::Put, body.len(), self.inner.put(key, body)).await
    }

    async fn list(&self, prefix: &str, page: Option<&str>) -> Result<ListPage, StoreError> {
        self.call(Operation::List, self.inner.list(prefix, page)).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.call(Operation::Delete, self.inner.delete(key)).await
    }

    async fn create_multipart(&self, key: &str) -> Result<MultipartUpload, StoreError> {
        self.call(Operation::CreateMultipart, self.inner.create_multipart(key)).await
    }

    async fn put_part(
        &self,
        key: &str,
        upload: &MultipartUpload,
        number: u32,
        offset: u64,
        body: Bytes,
    ) -> Result<Part, StoreError> {
        let bytes = body.len();
        self.send(Operation::PutPart, bytes, self.inner.put_part(key, upload, number, offset, body)).await
    }

    async fn complete_multipart(&self, key: &str, upload: &MultipartUpload, parts: &[Part]) -> Result<(), StoreError> {
        self.call(Operation::CompleteMultipart, self.inner.complete_multipart(key, upload, parts)).await
    }

    async fn abort_multipart(&self, key: &str, upload: &MultipartUpload) -> Result<(), StoreError> {
        self.call(Operation::AbortMultipart, self.inner.abort_multipart(key, upload)).await
    }

    async fn link(&self, key: &str, settings: &LinkSettings) -> Result<Option<String>, StoreError> {
        // The store is not called: a link is computed.
        self.inner.link(key, settings).await
    }

    fn max_key_bytes(&self) -> usize {
        self.inner.max_key_bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures::TryStreamExt;

    use super::*;
    use crate::failing::{FailingStore, Fault};
    use crate::memory::MemoryStore;

    #[derive(Debug, Default)]
    struct Notes(Mutex<Vec<String>>);

    impl Notes {
        fn note(&self, text: String) {
            self.0.lock().unwrap().push(text);
        }
    }

    impl StoreObserver for Notes {
        fn called(&self, operation: Operation) {
            self.note(operation.name().to_owned());
        }

        fn failed(&self, operation: Operation, kind: ErrorKind) {
            self.note(format!("{} failed: {kind:?}", operation.name()));
        }

        fn received(&self, bytes: u64) {
            self.note(format!("received {bytes}"));
        }

        fn sent(&self, bytes: u64) {
            self.note(format!("sent {bytes}"));
        }
    }

    #[tokio::test]
    async fn calls_bytes_and_failures_are_told() {
        let notes = Arc::new(Notes::default());
        let failing = FailingStore::new(Arc::new(MemoryStore::new("bucket")), Fault::Unreached, 3, 1);
        let store = ObservedStore::new(Arc::new(failing), Arc::clone(&notes) as Arc<dyn StoreObserver>);
        store.put("key", Bytes::from_static(b"12345")).await.unwrap();
        let body = store.get("key", Some(1..4)).await.unwrap();
        let chunks: Vec<Bytes> = body.stream.try_collect().await.unwrap();
        assert_eq!(chunks.concat(), b"234");
        store.put("key", Bytes::from_static(b"1")).await.unwrap_err();
        let notes = notes.0.lock().unwrap();
        assert_eq!(*notes, ["put", "sent 5", "get", "received 3", "put", "put failed: Unavailable"]);
    }
}
