//! Tasks and other Pods on a real Kubernetes: what goes wrong there, and what must happen then.

mod deaths;
mod foreign;
mod logs;
mod outages;
mod scenario;
mod security;
mod terminate;
