//! Tasks and other Pods on a real Kubernetes: what goes wrong there, and what must happen then.

mod admin;
mod deaths;
mod drivers;
mod foreign;
mod outages;
mod phases;
mod scenario;
mod security;
mod slow_store;
mod system;
mod terminate;
