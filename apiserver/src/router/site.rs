//! Pages of other origins may not change anything (T-26): a browser says where a request comes from.
//!
//! A page can also have its own name resolve to this machine, and is of the same origin then. So a server that only this
//! machine reaches answers only to names of this machine.

use std::net::IpAddr;

use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, Uri, header};

use crate::error::{ApiError, ErrorKind};

/// Set by proxies that replace the host. A page of another origin cannot set it without asking first.
const FORWARDED_HOST: &str = "x-forwarded-host";

/// Refuses requests that would change something and come from a page of another origin.
pub(super) fn check_origin(method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), ApiError> {
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

/// Refuses requests that name another host than this machine or one of `hosts`.
pub(super) fn check_host(uri: &Uri, headers: &HeaderMap, hosts: &[String]) -> Result<(), ApiError> {
    let named = headers.get_all(header::HOST).iter().map(|host| host.to_str().unwrap_or("?"));
    for host in named.chain(uri.authority().map(Authority::as_str)) {
        let name = without_port(host);
        if !is_this_machine(name) && !hosts.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            return Err(ApiError::new(
                ErrorKind::CrossSite,
                format!(
                    "this server answers only to names of its own machine, and {name:?} is none: ask for localhost"
                ),
            ));
        }
    }
    Ok(())
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

fn is_this_machine(name: &str) -> bool {
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    let name = name.to_ascii_lowercase();
    address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        || name == "localhost"
        || name.ends_with(".localhost")
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
        let names = ["kfp.example".to_owned()];
        let asked = |host: &str| {
            let headers = [(header::HOST, host.parse().unwrap())].into_iter().collect();
            check_host(&Uri::from_static("/"), &headers, &names)
        };
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
        assert!(check_host(&Uri::from_static("/"), &HeaderMap::new(), &names).is_ok());
        assert!(check_host(&Uri::from_static("http://evil.example/"), &HeaderMap::new(), &names).is_err());
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
