//! Which requests there are, what each requires, and what answers it.
//!
//! A route cannot be added without saying what it requires of the caller, even while everybody may do everything.

mod access;
mod gate;
mod older;
mod owned;
mod path;
mod site;
mod standing;
mod table;

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};

pub use access::{Requires, Resource, Verb};
pub(crate) use gate::{Access, Gate, Public};
pub(crate) use owned::Entered;
pub(crate) use standing::Standing;
pub use table::Route;
pub(crate) use table::Routes;

use crate::api::Api;
use crate::error::{ApiError, ErrorKind};
use crate::metrics;
use crate::routes;

/// Every route, in no particular order.
pub fn route_table() -> Vec<Route> {
    routes::all().into_table()
}

/// Answers requests.
pub fn router(api: Api) -> Router {
    build(api, false)
}

/// The same for a listener that only this machine reaches: it answers only to names of this machine, and those that it is
/// told.
pub(crate) fn loopback_router(api: Api) -> Router {
    build(api, true)
}

fn build(api: Api, is_loopback: bool) -> Router {
    let names = Arc::new(site::Names::new(is_loopback, api.settings().access.hosts()));
    let body_limit = DefaultBodyLimit::max(api.body_limit());
    let counting = middleware::from_fn_with_state(api.clone(), metrics::count);
    let gate = Gate::new(api, is_loopback);
    let (router, verbs) = routes::all().into_router();
    // Fallbacks cover the routes that are there when they are set.
    let router = router.fallback(no_route).method_not_allowed_fallback(wrong_method).layer(body_limit);
    let router = router.layer(Extension(gate.clone())).with_state(gate);
    let verbs: Arc<[path::VerbRoute]> = verbs.into();
    let normalise =
        middleware::from_fn(move |request: Request, next: Next| normalise(Arc::clone(&verbs), request, next));
    // Paths are brought into their one form before any of them is looked up.
    Router::new()
        .fallback_service(router)
        .layer(normalise)
        .layer(middleware::from_fn(move |request: Request, next: Next| check_site(Arc::clone(&names), request, next)))
        .layer(middleware::map_response(harden))
        .layer(counting)
}

async fn normalise(verbs: Arc<[path::VerbRoute]>, mut request: Request, next: Next) -> Response {
    match path::normalise(request.method(), request.uri(), &verbs) {
        Ok(None) => {}
        Ok(Some(uri)) => *request.uri_mut() = uri,
        Err(error) => return error.into_response(),
    }
    next.run(request).await
}

async fn check_site(names: Arc<site::Names>, request: Request, next: Next) -> Response {
    let host = names.check(request.uri(), request.headers());
    match host.and_then(|()| site::check_origin(request.method(), request.uri(), request.headers())) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

/// Says to browsers that an answer is what its type says, and no page: nothing in it is run, and nothing frames it (T-14,
/// T-26).
async fn harden(mut response: Response) -> Response {
    const NO_PAGE: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // What users stored says more.
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(NO_PAGE);
    response
}

async fn no_route(uri: Uri) -> Response {
    if uri.path().starts_with("/apis/") {
        return ApiError::new(ErrorKind::NoRoute, "Not Found").into_response();
    }
    no_page()
}

/// What is answered outside the API where nothing is, as in KFP.
pub(crate) fn no_page() -> Response {
    (StatusCode::NOT_FOUND, "404 page not found\n").into_response()
}

async fn wrong_method() -> ApiError {
    ApiError::new(ErrorKind::WrongMethod, "Method Not Allowed")
}
