//! The table of routes while it is put together.

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, delete, get, patch, post};

use serde_json::Value;

use super::access::Requires;
use super::gate::{self, Gate};
use super::older;
use super::path::{self, VerbRoute};
use super::site;
use crate::metrics::Operation;
use crate::openapi::Description;

/// The operation of a route that nobody has described.
const UNDESCRIBED: &str = "undescribed";

/// A route.
#[derive(Debug, Clone)]
pub struct Route {
    /// Its method.
    pub method: Method,
    /// Its path, as clients write it, with names in braces for what varies.
    pub path: &'static str,
    /// What it requires of its caller.
    pub requires: Requires,
    /// What is said of it; a test sees to it that there is something.
    pub description: Option<Description>,
}

/// Routes with what answers them.
#[derive(Debug, Default)]
pub(crate) struct Routes(Vec<(Route, MethodRouter<Gate>)>);

impl Routes {
    pub(crate) fn get<H: Handler<T, Gate>, T: 'static>(
        self,
        path: &'static str,
        requires: Requires,
        answer: H,
    ) -> Self {
        self.add(Method::GET, path, requires, get(answer))
    }

    pub(crate) fn post<H: Handler<T, Gate>, T: 'static>(
        self,
        path: &'static str,
        requires: Requires,
        answer: H,
    ) -> Self {
        self.add(Method::POST, path, requires, post(answer))
    }

    pub(crate) fn patch<H: Handler<T, Gate>, T: 'static>(
        self,
        path: &'static str,
        requires: Requires,
        answer: H,
    ) -> Self {
        self.add(Method::PATCH, path, requires, patch(answer))
    }

    pub(crate) fn delete<H: Handler<T, Gate>, T: 'static>(
        self,
        path: &'static str,
        requires: Requires,
        answer: H,
    ) -> Self {
        self.add(Method::DELETE, path, requires, delete(answer))
    }

    fn add(mut self, method: Method, path: &'static str, requires: Requires, answer: MethodRouter<Gate>) -> Self {
        let enter = middleware::from_fn(move |request: Request, next: Next| gate::enter(requires, request, next));
        let answer = answer.layer(enter);
        self.0.push((Route { method, path, requires, description: None }, answer));
        self
    }

    /// Describes the route that was added last.
    pub(crate) fn describe(mut self, description: Description) -> Self {
        if let Some((route, _)) = self.0.last_mut() {
            route.description = Some(description);
        }
        self
    }

    /// Has the route that was added last speak as in v1beta1: its query becomes today's, and its reply that of then.
    pub(crate) fn in_older_words(mut self, query: fn(&str) -> String, reply: fn(Value) -> Value) -> Self {
        if let Some((route, answer)) = self.0.pop() {
            let answer = answer
                .route_layer(middleware::map_request(move |request| async move { older::request(request, query) }))
                .route_layer(middleware::map_response(move |response| older::response(response, reply)));
            self.0.push((route, answer));
        }
        self
    }

    /// All routes.
    pub(super) fn into_table(self) -> Vec<Route> {
        self.0.into_iter().map(|(route, _)| route).collect()
    }

    /// What answers them, and those whose paths end in a verb.
    pub(super) fn into_router(self) -> (Router<Gate>, Vec<VerbRoute>) {
        let (mut router, mut verbs) = (Router::new(), Vec::new());
        for (route, answer) in self.0 {
            // T-26. Forms are what uploads are made of; their routes refuse everything else.
            let takes_form = route.description.as_ref().is_some_and(Description::takes_form);
            let answer = match route.method.is_safe() || takes_form {
                true => answer,
                false => answer.route_layer(middleware::from_fn(check_type)),
            };
            let operation = Operation(route.description.map_or(UNDESCRIBED, |description| description.name));
            let answer = answer.route_layer(middleware::map_response(move |mut response: Response| async move {
                response.extensions_mut().insert(operation);
                response
            }));
            router = router.route(&path::routed(route.path), answer);
            verbs.extend(VerbRoute::new(route.method, route.path));
        }
        (router, verbs)
    }
}

async fn check_type(request: Request, next: Next) -> Response {
    match site::check_type(request.headers(), request.body()) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}
