//! Tasks and other Pods on a real Kubernetes: what goes wrong there, and what must happen then.

mod accounts;
mod admin;
mod api;
mod database;
mod deaths;
mod doctor;
mod drivers;
mod foreign;
mod imports;
mod logs;
mod order;
mod outages;
mod phases;
mod refusals;
mod replicas;
mod reports;
mod retry;
mod scenario;
mod security;
mod settings;
mod slow_store;
mod system;
mod task_pods;
mod terminate;
mod users;
mod volumes;
