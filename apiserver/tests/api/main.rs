//! The router over a real store: requests as clients send them, replies as they read them.

mod experiments;
mod fixture;
mod listener;
mod pipelines;
mod protocol;
mod recurring_runs;
mod uploads;
mod versions;
