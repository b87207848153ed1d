//! The dashboard: files that hold nothing of anybody, so that everybody may have them.

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;

use crate::api::Api;
use crate::dashboard::{DashboardFile, PAGE};
use crate::openapi::{Description, Reply};
use crate::router::{Public, Requires, Routes, no_page};
use crate::wire::conditional::is_known;

/// What the page may do: what it needs of its own origin. Pages of the same origin may frame it, as Kubeflow's central
/// dashboard does (T-14, T-26).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
                      font-src 'self'; connect-src 'self'; worker-src 'self'; frame-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'self'";
/// Names of assets change with their content.
const FOR_A_YEAR: &str = "public, max-age=31536000, immutable";
const ASK_AGAIN: &str = "no-cache";
/// What is said in place of the page.
const NOT_BUILT: &str = "Penstock is up, and its API is below /apis.\n\nThis build has no dashboard: run `make dashboard` in \
                         the checkout, then build Penstock again.\n";

pub(super) fn routes(routes: Routes) -> Routes {
    let about = |name, text| Description::new(name, text).replies(Reply::File);
    routes
        .get("/", Requires::Nothing, page)
        .describe(about("get_dashboard", "The dashboard"))
        .get("/{file}", Requires::Nothing, file)
        .describe(about("get_dashboard_file", "A file of the dashboard beside its page"))
        .get("/assets/{asset}", Requires::Nothing, asset)
        .describe(about("get_dashboard_asset", "A file that the dashboard's page is made of"))
}

/// `GET /`
async fn page(Public(api): Public, headers: HeaderMap) -> Response {
    match api.settings().dashboard.file(PAGE) {
        Some(page) => answer(page, ASK_AGAIN, &headers),
        None => ([(header::CACHE_CONTROL, ASK_AGAIN)], NOT_BUILT).into_response(),
    }
}

/// `GET /{file}`
async fn file(Public(api): Public, Path(name): Path<String>, headers: HeaderMap) -> Response {
    serve(&api, &name, ASK_AGAIN, &headers)
}

/// `GET /assets/{asset}`
async fn asset(Public(api): Public, Path(name): Path<String>, headers: HeaderMap) -> Response {
    serve(&api, &format!("assets/{name}"), FOR_A_YEAR, &headers)
}

fn serve(api: &Api, name: &str, caching: &'static str, headers: &HeaderMap) -> Response {
    match api.settings().dashboard.file(name) {
        Some(file) => answer(file, caching, headers),
        None => no_page(),
    }
}

fn answer(file: &'static DashboardFile, caching: &'static str, headers: &HeaderMap) -> Response {
    // Content and compressed content are the same to whoever asks whether something has changed.
    let opaque = format!("\"{}\"", file.version);
    let mut response = match (is_known(headers, &opaque), file.gzip.filter(|_| takes_gzip(headers))) {
        (true, _) => StatusCode::NOT_MODIFIED.into_response(),
        (false, Some(gzip)) => {
            let gzip = Bytes::from_static(gzip);
            ([(header::CONTENT_ENCODING, "gzip")], gzip).into_response()
        }
        (false, None) => Bytes::from_static(file.content).into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(file.content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(etag) = HeaderValue::try_from(format!("W/{opaque}")) {
        headers.insert(header::ETAG, etag);
    }
    response
}

/// Whether the client takes gzip: it names it, or everything, and does not say that it weighs nothing.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let codings: Vec<(&str, &str)> = values
        .flat_map(|value| value.split(','))
        .map(|coding| coding.split_once(';').unwrap_or((coding, "")))
        .map(|(name, parameters)| (name.trim(), parameters.trim()))
        .collect();
    let named = |wanted: &str| codings.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
    named("gzip").or_else(|| named("*")).is_some_and(|(_, parameters)| match parameters.strip_prefix("q=") {
        None => true,
        Some(weight) => weight.trim().parse::<f32>().is_ok_and(|weight| weight > 0.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compressed_content_is_for_whoever_takes_it() {
        for (accepted, expected) in [
            ("gzip, deflate, br", true),
            ("GZIP", true),
            ("br;q=1.0, gzip;q=0.8", true),
            ("*", true),
            ("*;q=0.5", true),
            ("gzip; q=0.001", true),
            ("", false),
            ("identity", false),
            ("br", false),
            ("gzip;q=0", false),
            ("gzip;q=0, *", false),
            ("*;q=0", false),
            ("gzip;q=much", false),
        ] {
            let headers = [(header::ACCEPT_ENCODING, HeaderValue::from_static(accepted))].into_iter().collect();
            assert_eq!(takes_gzip(&headers), expected, "{accepted:?}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
