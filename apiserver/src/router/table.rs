//! The table of routes while it is put together.

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodRouter, delete, get, patch, post};

use super::access::Requires;
use super::path::{self, VerbRoute};
use crate::api::Api;

/// A route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Its method.
    pub method: Method,
    /// Its path, as clients write it, with names in braces for what varies.
    pub path: &'static str,
    /// What it requires of its caller.
    pub requires: Requires,
}

/// Routes with what answers them.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    router: Router<Api>,
    table: Vec<Route>,
}

impl Routes {
    pub(crate) fn get<H: Handler<T, Api>, T: 'static>(self, path: &'static str, requires: Requires, answer: H) -> Self {
        self.add(Method::GET, path, requires, get(answer))
    }

    pub(crate) fn post<H: Handler<T, Api>, T: 'static>(
        self,
        path: &'static str,
        requires: Requires,
        answer: H,
    ) -> Self {
        self.add(Method::POST, path, requires, post(answer))
    }

    pub(crate) fn patch<H: Handler<T, Api>, T: 'static>(
        self,
        path: &'static str,
        requires: Requires,
        answer: H,
    ) -> Self {
        self.add(Method::PATCH, path, requires, patch(answer))
    }

    pub(crate) fn delete<H: Handler<T, Api>, T: 'static>(
        self,
        path: &'static str,
        requires: Requires,
        answer: H,
    ) -> Self {
        self.add(Method::DELETE, path, requires, delete(answer))
    }

    fn add(mut self, method: Method, path: &'static str, requires: Requires, answer: MethodRouter<Api>) -> Self {
        self.router = self.router.route(&path::routed(path), answer);
        self.table.push(Route { method, path, requires });
        self
    }

    /// All routes.
    pub(super) fn into_table(self) -> Vec<Route> {
        self.table
    }

    /// What answers them, and those whose paths end in a verb.
    pub(super) fn into_router(self) -> (Router<Api>, Vec<VerbRoute>) {
        let verbs = self.table.into_iter().filter_map(|route| VerbRoute::new(route.method, route.path)).collect();
        (self.router, verbs)
    }
}
