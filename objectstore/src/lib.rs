//! Object stores: one trait, its implementations (S3, a local directory, memory), the registry that finds the store of
//! a URI, and the transfer engine that moves files and directories with bounded memory and checked digests.
//!
//! What this crate leaves to others: which URIs a task may use, where settings come from (flags, environment,
//! ConfigMaps), and what an artifact means. It never reads the environment itself; with
//! [`S3Credentials::Chain`] the SDK's standard credential chain does.

pub mod content;
pub mod error;
#[cfg(feature = "testing")]
pub mod failing;
mod link;
pub mod local;
pub mod memory;
pub mod observe;
pub mod retry;
pub mod s3;
pub mod store;
pub mod stores;
#[cfg(feature = "testing")]
pub mod testing;
pub mod transfer;

pub use error::{ErrorKind, StoreError};
pub use link::{LinkEndpoint, LinkEndpointError};
pub use observe::{Operation, StoreObserver};
pub use s3::{KeyFiles, S3Credentials, S3Settings, Secret};
pub use store::{Body, LinkSettings, ListPage, MultipartUpload, ObjectMeta, ObjectStore, Part};
pub use stores::{LocalAccess, S3Override, StoreSettings, Stores};
pub use transfer::{Downloaded, Opener, Transfer, TransferError, TransferSettings, UploadSource};
