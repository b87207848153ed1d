//! Tasks and other Pods on a real Kubernetes: what goes wrong there, and what must happen then.

mod deaths;
mod foreign;
mod outages;
mod refusals;
mod scenario;
mod security;
mod terminate;
