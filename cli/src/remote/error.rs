//! How requests to a server fail, and what the user can do about it.

use penstock_runtime::tls;
use serde_json::Value;

use super::client::show_a_token;
use super::place::{Named, Place};
use crate::failure::{Hinted, Refusal};
use crate::text::{fit, inert};

/// How a server says that it wants to know where.
const ONE_OF_MANY: &str = "in multi-user mode";

/// Columns of a foreign answer that are shown.
const SHOWN: usize = 80;

/// A request did not bring what was asked for.
///
/// It is no error of its own: it becomes one with [`anyhow::Error::from`], which says what to do.
#[derive(Debug)]
pub(crate) enum RemoteError {
    /// There was no answer.
    Unreachable {
        /// The server.
        server: Place,
        /// What went wrong.
        source: reqwest::Error,
    },
    /// There was no answer in time.
    Late {
        /// The server.
        server: Place,
        /// How long was waited.
        seconds: u64,
    },
    /// Something answers there, but not as KFP's API does.
    Foreign {
        /// The server.
        server: Place,
        /// Its status.
        status: u16,
        /// What it answered.
        what: String,
    },
    /// KFP's API is there, but what is asked for is Penstock's own.
    NoSuchRoute {
        /// The server.
        server: Place,
        /// The path.
        path: String,
    },
    /// The server said no.
    Refused {
        /// The server.
        server: Place,
        /// Its status.
        status: u16,
        /// Its text.
        text: String,
    },
    /// The answer is not what it should be.
    Unreadable {
        /// What was asked for.
        path: String,
        /// What is wrong.
        reason: String,
    },
}

impl RemoteError {
    /// What an answer with a status of failure means.
    pub(crate) fn of_answer(server: Place, path: &str, status: u16, body: &[u8]) -> RemoteError {
        let answer: Option<Value> = serde_json::from_slice(body).ok();
        let text = |name: &str| Some(answer.as_ref()?.get(name)?.as_str()?.to_owned());
        let short = || {
            let text = answer.as_ref()?.pointer("/details/0/message")?.as_str()?;
            // Of its own failures the server says nothing there.
            (status < 500).then(|| text.to_owned())
        };
        match short().or_else(|| text("message")).or_else(|| text("error_message")) {
            Some(message) if status == 404 && message == "Not Found" => {
                RemoteError::NoSuchRoute { server, path: path.to_owned() }
            }
            Some(text) => RemoteError::Refused { server, status, text },
            None => {
                let text = String::from_utf8_lossy(body);
                let what = fit(&inert(text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default()), SHOWN);
                RemoteError::Foreign { server, status, what }
            }
        }
    }

    /// The status of a refusal.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            Self::NoSuchRoute { .. } => Some(404),
            _ => None,
        }
    }

    /// Whether the same request may well succeed a moment later.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Late { .. } => true,
            Self::Refused { status, .. } | Self::Foreign { status, .. } => matches!(status, 429 | 500..=599),
            Self::NoSuchRoute { .. } | Self::Unreadable { .. } => false,
        }
    }

    /// What the server or the connection said, in one line.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Unreachable { server, source } => {
                format!("cannot reach the server {server}: {}", innermost(source))
            }
            Self::Late { server, seconds } => format!("the server {server} did not answer within {seconds} s"),
            Self::Foreign { server, status, what } => {
                format!("what answers at {server} is not KFP's API: status {status}, {what:?}")
            }
            Self::NoSuchRoute { server, path } => format!("the server {server} does not know {path}"),
            Self::Refused { text, .. } => text.clone(),
            Self::Unreadable { path, reason } => format!("the answer to {path} cannot be read: {reason}"),
        }
    }

    /// What the user can do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Unreachable { server, source } if tls::is_untrusted(source) => Some(format!(
                "{} names authorities of your own; the certificate must be for the host of the URL, and none of an \
                 authority itself (basicConstraints=CA:FALSE)",
                server.named.ca_file_or_variable()
            )),
            Self::Unreachable { server, .. } | Self::Late { server, .. } => Some(format!(
                "check {}, and that the server is up; {} names authorities of your own",
                server.named.url_or_variable(),
                server.named.ca_file()
            )),
            Self::Foreign { server, .. } => Some(format!(
                "{} is the URL that kfp.Client takes as its host: what stands before /apis",
                server.named.url_or_variable()
            )),
            Self::NoSuchRoute { .. } => Some(
                "it serves KFP's API, but not this part of Penstock's: is it Penstock, and as new as this command? What is \
                 there can be brought over with `penstock import --from`"
                    .to_owned(),
            ),
            Self::Refused { server, status, text } => refused(server.named, *status, text),
            Self::Unreadable { .. } => Some("is the server newer than this command?".to_owned()),
        }
    }

    /// Whether it is the user's to ask for something else.
    fn is_usage(&self) -> bool {
        matches!(self, Self::Refused { status: 400 | 404 | 409 | 413, .. })
    }
}

impl From<RemoteError> for anyhow::Error {
    fn from(error: RemoteError) -> Self {
        let text = error.text();
        match (error.is_usage(), error.hint()) {
            (true, Some(hint)) => Refusal::new(text).with_hint(hint).into(),
            (true, None) => Refusal::new(text).into(),
            (false, Some(hint)) => Hinted::new(text, hint).into(),
            (false, None) => anyhow::anyhow!(text),
        }
    }
}

/// What can be done about a server that said no.
fn refused(named: Named, status: u16, text: &str) -> Option<String> {
    match status {
        400 if text.ends_with(ONE_OF_MANY) => {
            Some(format!("several teams use this server, each in a namespace: name yours with {}", named.namespace()))
        }
        401 => Some(show_a_token(named)),
        403 => Some(format!(
            "the token ({}, {}) belongs to somebody who may not do this",
            named.token(),
            named.token_file()
        )),
        _ => None,
    }
}

/// The last cause, which alone says what happened to the connection.
fn innermost(error: &reqwest::Error) -> String {
    let mut at: &dyn std::error::Error = error;
    let mut texts = Vec::new();
    while let Some(cause) = at.source() {
        texts.push(cause.to_string());
        at = cause;
    }
    texts.pop().unwrap_or_else(|| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> RemoteError {
        let server = Place { url: "http://h".to_owned(), named: Named::Source };
        RemoteError::of_answer(server, "/apis/x", status, body.as_bytes())
    }

    #[test]
    fn texts_are_those_of_the_api() {
        let details = r#"{"code":5,"message":"Failed: ResourceNotFoundError: Run x not found","details":[{"message":"Run x not found"}]}"#;
        assert_eq!(answer(404, details).text(), "Run x not found");
        let broken =
            r#"{"code":13,"message":"Failed: the disk is full","details":[{"message":"Internal Server Error"}]}"#;
        assert_eq!(answer(500, broken).text(), "Failed: the disk is full");
        assert_eq!(answer(400, r#"{"error_message":"no file","error_details":"x"}"#).text(), "no file");
        assert!(matches!(answer(404, r#"{"code":5,"message":"Not Found"}"#), RemoteError::NoSuchRoute { .. }));
    }

    #[test]
    fn what_is_no_api_is_said_to_be_none() {
        for (status, body) in [(404, "<html>\u{1b}[2J"), (200, "[]"), (502, ""), (404, "{}")] {
            let error = answer(status, body);
            assert!(matches!(error, RemoteError::Foreign { .. }), "{error:?}");
            assert!(!error.text().contains('\u{1b}'));
        }
        assert!(answer(502, "bad gateway").may_pass());
        assert!(!answer(404, "page not found").may_pass());
    }
    #[test]
    fn hints_name_what_the_user_has_named() {
        let refused = |status, text: &str| {
            let body = serde_json::json!({"code": 3, "message": "Failed", "details": [{"message": text}]});
            answer(status, &body.to_string()).hint().unwrap_or_default()
        };
        assert!(refused(401, "who are you").contains("PENSTOCK_FROM_TOKEN, or in a file that --from-token-file"));
        assert!(refused(403, "no").contains("--from-token-file"));
        let missing = refused(400, "An experiment cannot have an empty namespace in multi-user mode");
        assert!(missing.contains("--from-namespace"), "{missing}");
        assert_eq!(refused(400, "another"), "");
        assert!(answer(200, "[]").hint().unwrap_or_default().contains("--from (PENSTOCK_FROM)"));
    }
}
