//! Paths in the one form in which they are looked up: single slashes, escapes that can be decoded, and the verb of
//! `runs/{run_id}:archive` as a segment of its own, which the look-up can tell from the id.

use axum::http::uri::PathAndQuery;
use axum::http::{Method, Uri};
use percent_encoding::percent_decode_str;

use crate::error::ApiError;

/// What stands before a verb that has become a segment.
const MARK: &str = "/@";

/// A route whose path ends in a verb.
#[derive(Debug, Clone)]
pub(super) struct VerbRoute {
    method: Method,
    /// Its path without the verb.
    resource: &'static str,
    verb: &'static str,
}

impl VerbRoute {
    /// `None` when the path does not end in a verb.
    pub(super) fn new(method: Method, route: &'static str) -> Option<VerbRoute> {
        let (_, verb) = route.rsplit_once("}:")?;
        let resource = route.strip_suffix(verb)?.strip_suffix(':')?;
        Some(VerbRoute { method, resource, verb })
    }

    /// Whether a request for this is meant for the route: other names may well end like a verb.
    fn fits(&self, method: &Method, resource: &str, verb: &str) -> bool {
        let (expected, found) = (self.resource.split('/'), resource.split('/'));
        *method == self.method
            && verb == self.verb
            && expected.clone().count() == found.clone().count()
            && expected.zip(found).all(|(expected, found)| expected.starts_with('{') || expected == found)
    }
}

/// A route's path as it is looked up.
pub(super) fn routed(route: &str) -> String {
    match route.rsplit_once("}:") {
        Some((path, verb)) => format!("{path}}}{MARK}{verb}"),
        None => route.to_owned(),
    }
}

/// Brings the path of a request into the form in which it is looked up; `None` when it has it.
pub(super) fn normalise(method: &Method, uri: &Uri, verbs: &[VerbRoute]) -> Result<Option<Uri>, ApiError> {
    let path = uri.path();
    check_escapes(path)?;
    let mut normal = String::with_capacity(path.len() + MARK.len());
    for character in path.chars() {
        if character != '/' || !normal.ends_with('/') {
            normal.push(character);
        }
    }
    if let Some((resource, verb)) = normal.rsplit_once(':')
        && verbs.iter().any(|route| route.fits(method, resource, verb))
    {
        normal = format!("{resource}{MARK}{verb}");
    }
    if normal == path {
        return Ok(None);
    }
    if let Some(query) = uri.query() {
        normal.push('?');
        normal.push_str(query);
    }
    let malformed = || ApiError::malformed("malformed path");
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(normal).map_err(|_| malformed())?);
    Uri::from_parts(parts).map(Some).map_err(|_| malformed())
}

/// Escapes must be whole, and what they stand for must be text.
fn check_escapes(path: &str) -> Result<(), ApiError> {
    let mut rest = path.as_bytes();
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        match rest.get(at + 1..at + 3) {
            Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) && digits != b"00" => {}
            _ => return Err(ApiError::malformed("malformed percent-encoding in the path")),
        }
        rest = rest.get(at + 3..).unwrap_or_default();
    }
    match percent_decode_str(path).decode_utf8() {
        Ok(_) => Ok(()),
        Err(_) => Err(ApiError::malformed("the path is not UTF-8 once it is decoded")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(method: &Method, uri: &str) -> Result<String, ApiError> {
        let uri: Uri = uri.parse().unwrap();
        let routes = [
            (Method::POST, "/runs/{run_id}:archive"),
            (Method::POST, "/runs/{run_id}:unarchive"),
            (Method::GET, "/runs/{run_id}/artifacts/{name}:read"),
        ];
        let verbs: Vec<VerbRoute> =
            routes.into_iter().filter_map(|(method, route)| VerbRoute::new(method, route)).collect();
        Ok(normalise(method, &uri, &verbs)?.unwrap_or(uri).to_string())
    }

    #[test]
    fn a_verb_becomes_a_segment() {
        assert_eq!(routed("/runs/{run_id}:archive"), "/runs/{run_id}/@archive");
        assert!(VerbRoute::new(Method::POST, "/runs/{run_id}").is_none());
        assert_eq!(routed("/runs/{run_id}"), "/runs/{run_id}");
        assert_eq!(normal(&Method::POST, "/runs/a:b:archive?x=1:y").unwrap(), "/runs/a:b/@archive?x=1:y");
        // A name may well end like a verb, and an id with an escaped colon is no verb.
        assert_eq!(normal(&Method::GET, "/names/x:archive").unwrap(), "/names/x:archive");
        assert_eq!(normal(&Method::GET, "/names/x:read").unwrap(), "/names/x:read");
        assert_eq!(normal(&Method::GET, "/runs/a/artifacts/b:c:read").unwrap(), "/runs/a/artifacts/b:c/@read");
        assert_eq!(normal(&Method::POST, "/runs/x%3Aarchive").unwrap(), "/runs/x%3Aarchive");
        assert_eq!(normal(&Method::POST, "/runs/x:explode").unwrap(), "/runs/x:explode");
    }

    #[test]
    fn i12_slashes_are_single() {
        assert_eq!(normal(&Method::GET, "//apis///v2beta1/runs?a=//").unwrap(), "/apis/v2beta1/runs?a=//");
        assert_eq!(normal(&Method::GET, "/apis/%2e%2e//x").unwrap(), "/apis/%2e%2e/x");
    }

    #[test]
    fn i12_escapes_that_stand_for_nothing_are_refused() {
        for uri in ["/runs/%", "/runs/%4", "/runs/%zz", "/runs/%00", "/runs/%ff", "/runs/a%2"] {
            assert_eq!(normal(&Method::GET, uri).unwrap_err().status(), 400, "{uri}");
        }
        assert!(normal(&Method::GET, "/runs/%E4%BD%A0%25").is_ok());
    }
}
