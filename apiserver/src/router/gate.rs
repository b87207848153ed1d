//! The gate that each route lies behind: who asks is found out before anything else of a request is looked at, and
//! handlers get the server only together with something that the caller may have.
//!
//! A handler cannot take the server out of the state of the router. It takes an [`Access`], which gives the server away
//! for a namespace or an object once that was checked, or a [`Public`], which gives it away on routes that are about
//! nobody's things and say so.

use std::net::IpAddr;

use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use penstock_runtime::server::Peer;

use super::access::{Requires, Resource, Verb, action};
use crate::api::Api;
use crate::auth::{Caller, Decision, IdentityError, Presented, Sharing};
use crate::error::{ApiError, ErrorKind};

/// The state of the router. What is in it is for bodies, which are read for everybody who was let in.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    api: Api,
    is_loopback: bool,
}

impl Gate {
    pub(super) fn new(api: Api, is_loopback: bool) -> Self {
        Self { api, is_loopback }
    }

    /// What a body may take.
    pub(crate) fn for_bodies(&self) -> &Api {
        &self.api
    }
}

/// Who asks, and what the route requires of them.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    api: Api,
    /// Whether they ask where only this machine can connect.
    on_loopback: bool,
    /// Nobody where nobody is asked.
    caller: Option<Caller>,
    requires: Requires,
}

/// The server, on a route that requires nothing, or no more than a known caller.
#[derive(Debug, Clone)]
pub(crate) struct Public(pub(crate) Api);

/// Lets a request in, or not.
pub(super) async fn enter(requires: Requires, mut request: Request, next: Next) -> Response {
    let Some(Gate { api, is_loopback: on_loopback }) = request.extensions().get::<Gate>().cloned() else {
        return forgotten("a route lies behind no gate").into_response();
    };
    let caller = match requires {
        Requires::Nothing => None,
        Requires::Caller | Requires::Access(..) => {
            let presented = Presented { headers: request.headers(), peer: peer(request.extensions()), on_loopback };
            match api.settings().access.identify(presented).await {
                Ok(caller) => caller,
                Err(error) => return unknown(error).into_response(),
            }
        }
    };
    request.extensions_mut().insert(Access { api, on_loopback, caller, requires });
    next.run(request).await
}

/// The other end of the connection of a request.
pub(super) fn peer(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<Peer>().map(|Peer(address)| address.ip())
}

fn unknown(error: IdentityError) -> ApiError {
    match error {
        IdentityError::Refused(reason) => {
            ApiError::new(ErrorKind::Unauthenticated, format!("Failed to check authorization. {reason}"))
        }
        IdentityError::Unavailable(reason) => {
            ApiError::new(ErrorKind::Unavailable, format!("cannot find out who the caller is: {reason}"))
        }
    }
}

/// A fault of this server that must not let anybody in.
fn forgotten(text: &str) -> ApiError {
    debug_assert!(false, "{text}");
    ApiError::internal(text)
}

impl Access {
    /// The name of the caller; nobody's where nobody is asked.
    pub(crate) fn user(&self) -> Option<&str> {
        self.caller.as_ref().map(|caller| caller.user.as_str())
    }

    /// The same caller for something else that a request needs beside what its route requires.
    pub(crate) fn needing(&self, resource: Resource, verb: Verb) -> Self {
        Self { requires: Requires::Access(resource, verb), ..self.clone() }
    }

    /// Whether callers are asked who they are.
    pub(super) fn is_guarded(&self) -> bool {
        self.api.settings().access.authorizer().is_some()
    }

    /// The same for whoever the same request comes from now, with what it said of its sender.
    pub(super) async fn again(&self, headers: &HeaderMap, peer: Option<IpAddr>) -> Result<Self, ApiError> {
        let presented = Presented { headers, peer, on_loopback: self.on_loopback };
        let caller = self.api.settings().access.identify(presented).await.map_err(unknown)?;
        Ok(Self { caller, ..self.clone() })
    }

    /// What namespaces share.
    pub(super) fn sharing(&self) -> Sharing {
        self.api.settings().access.sharing()
    }

    /// Whether namespaces of requests count.
    pub(crate) fn is_multi_user(&self) -> bool {
        self.api.settings().access.is_multi_user()
    }

    /// The server, for what lies in a namespace, if the caller may. Where namespaces of requests do not count, everything
    /// lies in the server's own.
    pub(super) async fn within(&self, namespace: &str) -> Result<Api, ApiError> {
        let is_named = self.is_multi_user() && !namespace.is_empty();
        // What was made before namespaces counted, and what is shared, is the server's own.
        let namespace = if is_named { namespace } else { self.api.own_namespace() };
        let Requires::Access(resource, verb) = self.requires else {
            return Err(forgotten("a route uses what it does not require"));
        };
        let settings = &self.api.settings().access;
        let Some(authorizer) = settings.authorizer() else { return Ok(self.api.clone()) };
        let Some(caller) = &self.caller else { return Err(forgotten("a caller was not asked for")) };
        if is_named && self.only_looks() && settings.sharing().reading {
            return Ok(self.api.clone());
        }
        let action = action(resource, verb, namespace);
        match authorizer.decide(caller, &action).await {
            Ok(Decision::Allowed) => Ok(self.api.clone()),
            Ok(Decision::Denied(reason)) => {
                let text =
                    format!("User '{}' is not authorized with reason: {reason} (request: {action})", caller.user);
                Err(ApiError::new(ErrorKind::PermissionDenied, text))
            }
            Err(error) => {
                let text = format!("cannot find out whether the caller may: {error} (request: {action})");
                Err(ApiError::new(ErrorKind::Unavailable, text))
            }
        }
    }

    /// The server, for what every caller may see.
    pub(super) fn for_all(&self) -> Api {
        self.api.clone()
    }

    /// The store, to look up where something lies before it is known whether the caller may.
    pub(super) fn store(&self) -> &penstock_metastore::Metastore {
        self.api.metastore()
    }

    /// Whether the route does no more than look.
    pub(super) fn only_looks(&self) -> bool {
        matches!(self.requires, Requires::Access(_, Verb::Get | Verb::List))
    }
}

impl<S: Sync> FromRequestParts<S> for Access {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Access>().cloned().ok_or_else(|| forgotten("a route lies behind no gate"))
    }
}

impl<S: Sync> FromRequestParts<S> for Public {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        match parts.extensions.get::<Access>() {
            Some(Access { api, requires: Requires::Nothing | Requires::Caller, .. }) => Ok(Self(api.clone())),
            _ => Err(forgotten("a route requires rights and is answered as if it did not")),
        }
    }
}
