//! Pages of other origins may not change anything (T-26): a browser says where a request comes from.

use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, Uri, header};

use crate::error::{ApiError, ErrorKind};

/// Set by proxies that replace the host. A page of another origin cannot set it without asking first.
const FORWARDED_HOST: &str = "x-forwarded-host";

/// Refuses requests that would change something and come from a page of another origin.
pub(super) fn check(method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), ApiError> {
    if method.is_safe() {
        return Ok(());
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let hosts =
        [host, headers.get(FORWARDED_HOST).and_then(|host| host.to_str().ok()), uri.authority().map(Authority::as_str)];
    let matches = |authority: &str| hosts.iter().flatten().any(|host| host.eq_ignore_ascii_case(authority));
    match origin.is_some_and(matches) {
        true => Ok(()),
        false => Err(ApiError::new(
            ErrorKind::CrossSite,
            "the request comes from a page of another origin: its Origin differs from the host that it is sent to",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_with(method: &Method, headers: &[(&'static str, &'static str)]) -> Result<(), ApiError> {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        check(method, &Uri::from_static("/apis/v2beta1/runs"), &headers)
    }

    #[test]
    fn t26_pages_of_other_origins_change_nothing() {
        let host = ("host", "localhost:8888");
        for origin in ["http://evil.example", "http://localhost:3000", "null", "http://localhost:8888.evil.example"] {
            let error = check_with(&Method::POST, &[host, ("origin", origin)]).unwrap_err();
            assert_eq!(error.status(), 403, "{origin}");
        }
        assert!(check_with(&Method::DELETE, &[("origin", "http://localhost:8888")]).is_err());
    }

    #[test]
    fn everybody_else_may() {
        let host = ("host", "localhost:8888");
        assert!(check_with(&Method::POST, &[host]).is_ok());
        assert!(check_with(&Method::POST, &[host, ("origin", "http://LOCALHOST:8888")]).is_ok());
        assert!(check_with(&Method::GET, &[host, ("origin", "http://evil.example")]).is_ok());
        let proxied = [host, ("x-forwarded-host", "kfp.example"), ("origin", "https://kfp.example")];
        assert!(check_with(&Method::PATCH, &proxied).is_ok());
    }
}
