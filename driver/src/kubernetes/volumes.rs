//! Volume claims: those that tasks create and delete, which takes a request and no Pod, and the workspaces of runs.

mod api;
mod making;
mod patience;
mod removal;
mod settings;
mod standing;
mod task;
mod wanted;

pub(crate) use api::ClaimApi;
pub(super) use making::ensure_workspace;
pub(super) use patience::Patience;
pub(crate) use removal::{remove_workspace, sweep_workspaces};
pub use settings::{ACCESS_MODES, VolumeSettings};
pub(super) use task::{AttemptClaim, Work};
pub use wanted::ClaimError;
pub(crate) use wanted::of_workspace;
