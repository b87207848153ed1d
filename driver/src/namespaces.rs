//! Namespaces: from the label alone to everything that Pods with a launcher need there, and back.
//!
//! [`kfp_launcher`] reads a namespace's configuration, [`reconcile`] says what ought to be there and what differs, and
//! [`NamespaceController`] keeps it true. Pods are none of this module's business.

mod apply;
mod controller;
pub mod kfp_launcher;
mod notice;
pub mod reconcile;
mod status;

pub use controller::{NamespaceController, NamespaceControllerError, NamespaceControllerSettings};
pub use status::{NamespaceState, NamespaceStatus};
