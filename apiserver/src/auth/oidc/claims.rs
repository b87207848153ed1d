//! What a token says, once it is known to be the issuer's.

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Header, Validation, decode};
use serde_json::{Map, Value};

use super::OidcSettings;
use super::keys::Key;
use crate::auth::{Caller, is_name};

/// How far clocks may be apart, in seconds.
const LEEWAY: u64 = 60;
/// Most groups of a user.
const MOST_GROUPS: usize = 512;
/// What names of Kubernetes' own begin with: its accounts, its groups. No issuer speaks for those.
const RESERVED: &str = "system:";
/// The claim that may come with another one that says whether somebody looked into it.
const EMAIL: &str = "email";
const EMAIL_VERIFIED: &str = "email_verified";

/// The claims of a token that one of these keys signed, for this server, and that is in date.
pub(super) fn verify<'a>(
    token: &str,
    header: &Header,
    keys: impl Iterator<Item = &'a Key>,
    settings: &OidcSettings,
) -> Result<Map<String, Value>, String> {
    let mut validation = Validation::new(header.alg);
    validation.leeway = LEEWAY;
    validation.validate_nbf = true;
    validation.set_issuer(&[&settings.issuer]);
    validation.set_audience(&[&settings.audience]);
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    let mut refusal = "its signature is by none of the issuer's keys".to_owned();
    for key in keys {
        match decode::<Map<String, Value>>(token, &key.key, &validation) {
            Ok(verified) => return Ok(verified.claims),
            Err(error) => match reason(error.kind(), settings) {
                Some(reason) => refusal = reason,
                None => continue,
            },
        }
    }
    Err(refusal)
}

/// Why a token does not count; `None` if another key may have signed it.
fn reason(kind: &ErrorKind, settings: &OidcSettings) -> Option<String> {
    Some(match kind {
        ErrorKind::ExpiredSignature => "it has expired".to_owned(),
        ErrorKind::ImmatureSignature => "it is not valid yet".to_owned(),
        ErrorKind::InvalidAudience => format!("it is not meant for {:?}", settings.audience),
        ErrorKind::InvalidIssuer => format!("it is not of the issuer {:?}", settings.issuer),
        ErrorKind::MissingRequiredClaim(claim) => format!("it has no claim {claim}, or an odd one"),
        ErrorKind::InvalidClaimFormat(claim) => format!("its claim {claim} cannot be read"),
        ErrorKind::InvalidSignature | ErrorKind::InvalidAlgorithm => return None,
        _ => "it cannot be read".to_owned(),
    })
}

/// Who a token is about.
pub(super) fn caller(claims: &Map<String, Value>, settings: &OidcSettings) -> Result<Caller, String> {
    let claim = settings.user_claim.as_str();
    let Some(user) = claims.get(claim).and_then(Value::as_str).filter(|user| is_name(user)) else {
        return Err(format!("it has no claim {claim} with the name of a user"));
    };
    if user.starts_with(RESERVED) {
        return Err(format!("its claim {claim} is {user:?}, and names with {RESERVED} are Kubernetes' own"));
    }
    if claim == EMAIL && claims.get(EMAIL_VERIFIED).is_some_and(|verified| *verified != true && *verified != "true") {
        return Err("its address of mail is not verified".to_owned());
    }
    let groups = match claims.get(&settings.groups_claim) {
        Some(Value::String(group)) => vec![group.clone()],
        Some(Value::Array(groups)) => groups.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    if groups.len() > MOST_GROUPS {
        return Err(format!("its user is in {} groups, more than {MOST_GROUPS}", groups.len()));
    }
    let groups = groups.into_iter().filter(|group| is_name(group) && !group.starts_with(RESERVED)).collect();
    Ok(Caller { user: user.to_owned(), groups })
}
