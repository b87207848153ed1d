//! What is installed: that it renders to the snapshot, that a real API server takes it, and that its rights and policies
//! allow what they must and nothing else.
//!
//! The API server alone decides all of this: no Pod here ever starts.

mod cluster;
mod control_plane;
mod render;
mod reports;
mod selection;
mod space;
mod task_pods;
