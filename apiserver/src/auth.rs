//! Who asks, and what they may do.
//!
//! An [`Authenticator`] finds out who sent a request, an [`Authorizer`] decides whether they may do something in a
//! namespace; neither knows routes or resources, which are the router's. What cannot be found out is refused (R10). This is
//! the only part of the crate that asks Kubernetes.

mod header;
mod hosts;
mod memory;
mod oidc;
mod rules;
mod rules_file;
mod subject_access;
mod token_review;

use std::fmt::{self, Debug};
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use axum::http::{HeaderMap, header as names};

pub use header::{HeaderError, TrustedHeader, TrustedPeers};
pub use hosts::{AllowedHost, HostError};
pub use oidc::{Oidc, OidcError, OidcSettings};
pub use rules::{AccessRules, RulesError};
pub use rules_file::{RulesFile, RulesFileError};
pub use subject_access::SubjectAccessReviews;
pub use token_review::TokenReviews;

/// Longest token that is looked at.
const LONGEST_TOKEN: usize = 16 << 10;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Caller {
    /// Their name, as roles are bound to it.
    pub user: String,
    /// The groups that they belong to.
    pub groups: Vec<String>,
}

/// What a request says about who sends it.
#[derive(Debug, Clone, Copy)]
pub struct Presented<'a> {
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// The other end of the connection, if it is known.
    pub peer: Option<IpAddr>,
    /// Whether it arrived where only this machine can connect.
    pub on_loopback: bool,
}

impl<'a> Presented<'a> {
    /// The bearer token, if there is one.
    pub fn bearer(&self) -> Result<Option<&'a str>, IdentityError> {
        let mut found = self.headers.get_all(names::AUTHORIZATION).iter();
        let Some(value) = found.next() else { return Ok(None) };
        if found.next().is_some() {
            return Err(IdentityError::refused("the request has more than one Authorization header"));
        }
        let Ok(text) = value.to_str() else {
            return Err(IdentityError::refused("the Authorization header is not text"));
        };
        let Some((scheme, token)) = text.split_once(' ') else { return Ok(None) };
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Ok(None);
        }
        match token.trim() {
            "" => Ok(None),
            token if token.len() > LONGEST_TOKEN => {
                let text = format!("the bearer token is longer than {LONGEST_TOKEN} bytes");
                Err(IdentityError::Refused(text))
            }
            token => Ok(Some(token)),
        }
    }
}

/// Why nobody can be made out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// What was presented is not valid.
    #[error("{0}")]
    Refused(String),
    /// Who would know does not answer.
    #[error("{0}")]
    Unavailable(String),
}

impl IdentityError {
    fn refused(text: &str) -> Self {
        Self::Refused(text.to_owned())
    }
}

/// Finds out who sent a request.
#[async_trait]
pub trait Authenticator: Send + Sync + Debug + 'static {
    /// Who it is; `None` when the request presents nothing that this authenticator is for.
    async fn identify(&self, presented: Presented<'_>) -> Result<Option<Caller>, IdentityError>;
}

/// Something that a caller wants to do, in the words of Kubernetes' roles.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Action {
    /// Where; empty for what belongs to no namespace.
    pub namespace: String,
    /// Group of the resource.
    pub group: &'static str,
    /// The resource.
    pub resource: &'static str,
    /// What is done with it.
    pub verb: &'static str,
}

/// Version under which roles are looked up. Roles do not name one.
pub(crate) const VERSION: &str = "v1beta1";

impl fmt::Display for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Action { namespace, group, resource, verb } = self;
        write!(
            formatter,
            "ResourceAttributes{{Namespace:{namespace},Verb:{verb},Group:{group},Version:{VERSION},Resource:{resource}}}"
        )
    }
}

/// Whether somebody may do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// They may.
    Allowed,
    /// They may not, for this reason; it may be empty.
    Denied(String),
}

/// It cannot be found out now whether somebody may do something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ReviewError(pub String);

/// Decides what callers may do.
#[async_trait]
pub trait Authorizer: Send + Sync + Debug + 'static {
    /// Whether this caller may do this.
    async fn decide(&self, caller: &Caller, action: &Action) -> Result<Decision, ReviewError>;
}

/// What namespaces share where they are kept apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sharing {
    /// Whether everybody who is known may `get` and `list` in every namespace.
    pub reading: bool,
    /// Whether pipelines have to be of a namespace: otherwise those of none are for everybody.
    pub pipelines_need_namespace: bool,
}

/// Who may ask the server for what.
#[derive(Debug, Clone, Default)]
pub struct AccessSettings {
    guarded: Option<Guarded>,
    sharing: Sharing,
    hosts: Vec<AllowedHost>,
}

#[derive(Debug, Clone)]
struct Guarded {
    multi_user: bool,
    authenticators: Vec<Arc<dyn Authenticator>>,
    authorizer: Arc<dyn Authorizer>,
}

impl AccessSettings {
    /// Nobody is asked who they are, and everybody may do everything.
    pub fn open() -> Self {
        Self::default()
    }

    /// Callers are those of the first authenticator that a request has something for, and may do what the authorizer
    /// says. With `multi_user`, everything belongs to the namespace that requests name; otherwise all of it belongs to the
    /// server's own.
    pub fn guarded(
        multi_user: bool,
        authenticators: Vec<Arc<dyn Authenticator>>,
        authorizer: Arc<dyn Authorizer>,
    ) -> Self {
        Self { guarded: Some(Guarded { multi_user, authenticators, authorizer }), ..Self::default() }
    }

    /// With what namespaces share; it means something where they are kept apart.
    pub fn with_sharing(self, sharing: Sharing) -> Self {
        Self { sharing, ..self }
    }

    /// With names that the server may be asked by, so that a page whose own name leads here is answered nothing (T-26). A
    /// listener that only this machine reaches is always asked by names of this machine, or by these; others by any if
    /// these are none.
    pub fn with_hosts(self, hosts: Vec<AllowedHost>) -> Self {
        Self { hosts, ..self }
    }

    /// What namespaces share.
    pub(crate) fn sharing(&self) -> Sharing {
        self.sharing
    }

    /// The names that the server may be asked by.
    pub(crate) fn hosts(&self) -> &[AllowedHost] {
        &self.hosts
    }

    /// Whether namespaces of requests count.
    pub fn is_multi_user(&self) -> bool {
        self.guarded.as_ref().is_some_and(|guarded| guarded.multi_user)
    }

    /// Who decides; `None` when everybody may do everything.
    pub(crate) fn authorizer(&self) -> Option<&dyn Authorizer> {
        self.guarded.as_ref().map(|guarded| &*guarded.authorizer)
    }

    /// Who sent a request; `None` when nobody asks for it.
    pub(crate) async fn identify(&self, presented: Presented<'_>) -> Result<Option<Caller>, IdentityError> {
        let Some(guarded) = &self.guarded else { return Ok(None) };
        for authenticator in &guarded.authenticators {
            if let Some(caller) = authenticator.identify(presented).await? {
                return Ok(Some(caller));
            }
        }
        Err(match presented.bearer()? {
            None => IdentityError::refused("User identity is empty in the request header"),
            Some(_) => IdentityError::refused("the bearer token comes from no issuer that this server knows"),
        })
    }
}

/// A name of a user or group that can be shown, stored and compared.
fn is_name(text: &str) -> bool {
    (1..=512).contains(&text.len()) && !text.chars().any(char::is_control) && text.trim() == text
}

#[cfg(test)]
mod tests;
