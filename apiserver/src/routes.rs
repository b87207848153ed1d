//! The resources.

mod artifacts;
mod authorization;
mod cache;
mod dashboard;
mod events;
mod experiments;
mod feed;
mod health;
mod lineage;
mod logs;
mod names;
mod notifications;
mod pipelines;
mod pods;
mod records;
mod recurring_runs;
mod retry;
mod run_search;
mod runs;
mod source;
mod system;
mod tags;
mod tree;
mod uploads;
mod v1beta1;
mod versions;

use uuid::Uuid;

use crate::error::ApiError;
use crate::openapi;
use crate::router::Routes;
pub(crate) use artifacts::content_of as described_artifact;
pub(crate) use feed::described as described_change;

/// How what is listed is stored.
pub(crate) const STORAGE_STATES: [&str; 2] = ["AVAILABLE", "ARCHIVED"];

/// Every route there is.
pub(crate) fn all() -> Routes {
    let mut routes = Routes::default();
    let resources = [
        health::routes,
        authorization::routes,
        experiments::routes,
        pipelines::routes,
        versions::routes,
        uploads::routes,
        runs::routes,
        retry::routes,
        records::routes,
        run_search::routes,
        recurring_runs::routes,
        logs::routes,
        artifacts::routes,
        events::routes,
        v1beta1::routes,
        openapi::routes,
        lineage::routes,
        cache::routes,
        feed::routes,
        notifications::routes,
        dashboard::routes,
        tree::routes,
        pods::routes,
        system::routes,
    ];
    for add in resources {
        routes = add(routes);
    }
    routes
}

/// The id in a path. A text that is no id names nothing that exists.
pub(crate) fn parse_id(what: &str, id: &str) -> Result<Uuid, ApiError> {
    Uuid::try_parse(id).map_err(|_| ApiError::not_found(what, id))
}
