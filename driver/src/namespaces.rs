//! Namespaces: from the label alone to everything that Pods with a launcher need there, and back.
//!
//! [`kfp_launcher`] reads a namespace's configuration, [`reconcile`] says what ought to be there and what differs, and
//! [`NamespaceController`] keeps it true. Of Pods, it only lets go of those that would
//! keep a namespace from being deleted.

mod apply;
mod controller;
pub mod kfp_launcher;
mod notice;
pub mod reconcile;
mod release;
mod status;

pub use controller::{NamespaceController, NamespaceControllerError, NamespaceControllerSettings};
pub use status::{NamespaceState, NamespaceStatus};
