//! Bearer tokens of an issuer of OpenID Connect: signed by one of its keys, for this server, and in date.

mod claims;
mod fetch;
mod keys;
mod signature;

use async_trait::async_trait;
use jsonwebtoken::dangerous::insecure_decode_claims;
use jsonwebtoken::decode_header;
use serde::Deserialize;

use self::fetch::Fetch;
use self::keys::Keys;
use super::{Authenticator, Caller, IdentityError, Presented};

/// What is asked of tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcSettings {
    /// The issuer's URL, to the letter as its tokens have it.
    pub issuer: String,
    /// Whom tokens must be meant for: the client id of this server.
    pub audience: String,
    /// The claim with the name of the user.
    pub user_claim: String,
    /// The claim with the groups of the user.
    pub groups_claim: String,
    /// Certificates (PEM) of authorities that are trusted for the issuer beside those of this machine.
    pub authorities: Option<Vec<u8>>,
}

/// Settings that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OidcError {
    /// No URL, or one that anybody on the way could answer.
    #[error("the issuer {0:?} is not an https URL without query (http only on this machine)")]
    Issuer(String),
    /// Certificates that cannot be read, most likely.
    #[error("cannot set up requests to the issuer: {0}")]
    Client(String),
}

/// Checks tokens with the keys that an issuer publishes.
#[derive(Debug)]
pub struct Oidc {
    settings: OidcSettings,
    keys: Keys,
}

impl Oidc {
    /// Nothing is fetched before a token comes.
    pub fn new(settings: OidcSettings) -> Result<Self, OidcError> {
        Self::with_pace(settings, keys::Pace::default())
    }

    fn with_pace(settings: OidcSettings, pace: keys::Pace) -> Result<Self, OidcError> {
        signature::install();
        let fetch = Fetch::new(&settings.issuer, settings.authorities.as_deref())?;
        Ok(Self { keys: Keys::new(fetch, pace), settings })
    }
}

/// Whose token it says that it is. Nothing else of it is believed.
#[derive(Deserialize)]
struct Unverified {
    iss: String,
}

#[async_trait]
impl Authenticator for Oidc {
    async fn identify(&self, presented: Presented<'_>) -> Result<Option<Caller>, IdentityError> {
        let Some(token) = presented.bearer()? else { return Ok(None) };
        let said = insecure_decode_claims::<Unverified>(token);
        if !said.is_ok_and(|said| said.iss == self.settings.issuer) {
            return Ok(None);
        }
        let refused = |reason: String| IdentityError::Refused(format!("the bearer token is not valid: {reason}"));
        let header = decode_header(token).map_err(|_| refused("its header names no known algorithm".to_owned()))?;
        signature::check_header(&header).map_err(|reason| refused(reason.to_owned()))?;
        let known = self.keys.of(header.kid.as_deref()).await?;
        let candidates = known.fitting(&header);
        let claims = claims::verify(token, &header, candidates, &self.settings).map_err(refused)?;
        claims::caller(&claims, &self.settings).map(Some).map_err(refused)
    }
}

#[cfg(test)]
mod tests;
