//! Tasks and other Pods on a real Kubernetes: what goes wrong there, and what must happen then.

mod deaths;
mod drivers;
mod foreign;
mod logs;
mod outages;
mod phases;
mod refusals;
mod scenario;
mod security;
mod system;
mod terminate;
