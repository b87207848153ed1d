//! Pages of other origins may not change anything (T-26): a browser says where a request comes from.
//!
//! A page can also have its own name lead here, and is of the same origin then. So a server that only this machine reaches
//! answers only to names of this machine, and any other to the names that it is told, if it is told some.

use std::net::IpAddr;

use axum::body::HttpBody;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};

use crate::auth::AllowedHost;
use crate::error::{ApiError, ErrorKind};

/// Set by proxies that replace the host. A page of another origin cannot set it without asking first.
const FORWARDED_HOST: &str = "x-forwarded-host";
/// Said by browsers, of every request, and by no page.
const FETCH_SITE: &str = "sec-fetch-site";

/// Refuses requests that would change something and come from a page of another origin.
pub(super) fn check_origin(method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), ApiError> {
    if method.is_safe() {
        return Ok(());
    }
    let Some(origin) = headers.get(header::ORIGIN) else {
        let is_elsewhere = |site: &HeaderValue| matches!(site.as_bytes(), b"cross-site" | b"same-site");
        return match headers.get(FETCH_SITE).is_some_and(is_elsewhere) {
            true => Err(of_another_origin(FETCH_SITE)),
            false => Ok(()),
        };
    };
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let hosts =
        [host, headers.get(FORWARDED_HOST).and_then(|host| host.to_str().ok()), uri.authority().map(Authority::as_str)];
    let matches = |authority: &str| hosts.iter().flatten().any(|host| host.eq_ignore_ascii_case(authority));
    match origin.is_some_and(matches) {
        true => Ok(()),
        false => Err(of_another_origin("Origin")),
    }
}

fn of_another_origin(said_by: &str) -> ApiError {
    let text = format!(
        "the request comes from a page of another origin: its {said_by} differs from the host that it is sent to"
    );
    ApiError::new(ErrorKind::CrossSite, text)
}

/// Refuses bodies that are no JSON, or do not say that they are: such a request a page of another origin sends without asking
/// first. A request without a body may say what it likes.
pub(super) fn check_type<B: HttpBody>(headers: &HeaderMap, body: &B) -> Result<(), ApiError> {
    let said = headers.get(header::CONTENT_TYPE);
    if body.is_end_stream() || said.is_some_and(is_json) {
        return Ok(());
    }
    let said = match said {
        None => "does not say of which type it is".to_owned(),
        Some(said) => format!("is of the type {:?}", said.to_str().unwrap_or("?")),
    };
    let text = format!("the body of the request {said}: send JSON, with the header Content-Type: application/json");
    Err(ApiError::new(ErrorKind::WrongType, text))
}

fn is_json(said: &HeaderValue) -> bool {
    let essence = said.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// The names that a listener answers to.
#[derive(Debug)]
pub(super) struct Names {
    is_loopback: bool,
    allowed: Vec<AllowedHost>,
}

impl Names {
    pub(super) fn new(is_loopback: bool, allowed: &[AllowedHost]) -> Self {
        Self { is_loopback, allowed: allowed.to_vec() }
    }

    /// Refuses requests that are sent to another name.
    pub(super) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), ApiError> {
        let named = headers.get_all(header::HOST).iter().map(|host| host.to_str().unwrap_or("?"));
        let mut names = named.chain(uri.authority().map(Authority::as_str)).map(without_port);
        match names.find(|name| !self.answers_to(name)) {
            None => Ok(()),
            Some(name) => Err(ApiError::new(
                ErrorKind::CrossSite,
                format!(
                    "this server does not answer to the name {name:?}: ask for localhost, or have its operator add the \
                     name with --allowed-host"
                ),
            )),
        }
    }

    fn answers_to(&self, name: &str) -> bool {
        // Its own names, because ports are forwarded to it. No page can have an address lead elsewhere than it did, so
        // addresses are believed where others connect.
        let is_known = is_this_machine(name) || self.allowed.iter().any(|host| host.is(name));
        is_known || (!self.is_loopback && (self.allowed.is_empty() || address(name).is_some()))
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

fn address(name: &str) -> Option<IpAddr> {
    name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name).parse().ok()
}

fn is_this_machine(name: &str) -> bool {
    let address = address(name);
    let name = name.to_ascii_lowercase();
    address.is_some_and(|address| address.is_loopback()) || name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_with(method: &Method, headers: &[(&'static str, &'static str)]) -> Result<(), ApiError> {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        check_origin(method, &Uri::from_static("/apis/v2beta1/runs"), &headers)
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
    fn t26_a_server_of_one_machine_answers_to_its_names() {
        let names = Names::new(true, &["kfp.example".parse().unwrap()]);
        let asked = |host: &str| names.check(&Uri::from_static("/"), &sent_to(host));
        for host in [
            "localhost",
            "LOCALHOST:8888",
            "127.0.0.1:8888",
            "127.9.9.9",
            "[::1]:8888",
            "[::1]",
            "a.localhost",
            "KFP.example:1",
        ] {
            assert!(asked(host).is_ok(), "{host}");
        }
        for host in
            ["evil.example:8888", "127.0.0.1.evil.example", "localhost.evil.example", "192.168.0.1", "", "a:b:1"]
        {
            assert_eq!(asked(host).unwrap_err().status(), 403, "{host}");
        }
        assert!(names.check(&Uri::from_static("/"), &HeaderMap::new()).is_ok());
        assert!(names.check(&Uri::from_static("http://evil.example/"), &HeaderMap::new()).is_err());
    }

    fn sent_to(host: &str) -> HeaderMap {
        [(header::HOST, host.parse().unwrap())].into_iter().collect()
    }

    #[test]
    fn t26_a_server_that_others_reach_answers_to_the_names_that_it_is_told() {
        let asked = |names: &Names, host: &str| names.check(&Uri::from_static("/"), &sent_to(host)).is_ok();
        let told = Names::new(false, &["kfp.example".parse().unwrap(), "*.svc".parse().unwrap()]);
        // As itself, by the name of a service, forwarded, and as a Pod.
        for host in ["KFP.example", "ml-pipeline.team.svc:8888", "localhost:8888", "10.1.2.3:8888", "[fd00::1]:8888"] {
            assert!(asked(&told, host), "{host}");
        }
        for host in ["evil.example", "kfp.example.evil.example", "svc", "10.1.2.3.evil.example", "akfp.example", ""] {
            assert!(!asked(&told, host), "{host}");
        }
        assert!(asked(&Names::new(false, &[]), "anything.example"), "who is told nothing believes everything");
    }

    #[test]
    fn t26_what_browsers_say_of_a_page_without_an_origin_counts() {
        for site in ["cross-site", "same-site"] {
            assert!(check_with(&Method::POST, &[("sec-fetch-site", site)]).is_err(), "{site}");
            assert!(check_with(&Method::GET, &[("sec-fetch-site", site)]).is_ok(), "{site}");
        }
        for site in ["same-origin", "none"] {
            assert!(check_with(&Method::POST, &[("sec-fetch-site", site)]).is_ok(), "{site}");
        }
    }

    #[test]
    fn t26_a_body_is_json_and_says_so() {
        let check = |said: Option<&'static str>, body: &'static str| {
            let headers = said.map(|said| (header::CONTENT_TYPE, HeaderValue::from_static(said))).into_iter().collect();
            check_type(&headers, &axum::body::Body::from(body)).map_err(|error| error.status().as_u16())
        };
        for said in
            ["application/json", "application/json; charset=utf-8", "Application/JSON", "application/merge-patch+json"]
        {
            assert_eq!(check(Some(said), "{}"), Ok(()), "{said}");
        }
        for said in [
            None,
            Some("text/plain"),
            Some("text/plain; application/json"),
            Some("application/x-www-form-urlencoded"),
            Some("multipart/form-data; boundary=edge"),
            Some("application/jsonp"),
            Some("text/x+json"),
            Some(""),
        ] {
            assert_eq!(check(said, "{}"), Err(415), "{said:?}");
            assert_eq!(check(said, ""), Ok(()), "{said:?}");
        }
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
