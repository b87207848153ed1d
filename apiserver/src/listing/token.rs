//! Page tokens: opaque to clients, and nothing of them is read before it is known that this server made them (T-13).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use penstock_metastore::Cursor;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::error::ApiError;

/// Longest token that is looked at. A token holds the filter, the filter is capped, and base64 adds a third.
const LONGEST: usize = 256 << 10;
const TAG_BYTES: usize = 32;

/// What tokens are authenticated with.
#[derive(Clone)]
pub struct TokenKey(pub(super) [u8; 32]);

impl TokenKey {
    /// A key that nobody else knows: tokens end with the process.
    pub fn random() -> Self {
        Self(rand::random())
    }

    fn mac(&self, payload: &[u8]) -> Result<Hmac<Sha256>, ApiError> {
        let mac = Hmac::<Sha256>::new_from_slice(&self.0);
        let mut mac = mac.map_err(|error| ApiError::internal(format!("cannot authenticate page tokens: {error}")))?;
        mac.update(payload);
        Ok(mac)
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TokenKey(..)")
    }
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Token {
    /// The resource that is listed.
    list: String,
    /// As the first request of the list said.
    pub(crate) sort_by: String,
    /// As the first request of the list said.
    pub(crate) filter: String,
    /// The first row of the page.
    pub(crate) cursor: Cursor,
}

/// Makes a token.
pub(crate) fn seal(
    list: &str,
    sort_by: &str,
    filter: &str,
    cursor: Cursor,
    key: &TokenKey,
) -> Result<String, ApiError> {
    let token = Token { list: list.to_owned(), sort_by: sort_by.to_owned(), filter: filter.to_owned(), cursor };
    let payload = serde_json::to_vec(&token)
        .map_err(|error| ApiError::internal(format!("cannot write the token of the next page: {error}")))?;
    let mut bytes = key.mac(&payload)?.finalize().into_bytes().to_vec();
    bytes.extend(payload);
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// Reads a token that [`seal`] made for the same list with the same key.
pub(crate) fn open(token: &str, list: &str, key: &TokenKey) -> Result<Token, ApiError> {
    let invalid = || ApiError::invalid("Invalid page token");
    if token.len() > LONGEST {
        return Err(invalid());
    }
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| invalid())?;
    let (tag, payload) = bytes.split_at_checked(TAG_BYTES).ok_or_else(invalid)?;
    key.mac(payload)?.verify_slice(tag).map_err(|_| invalid())?;
    let token: Token = serde_json::from_slice(payload).map_err(|_| invalid())?;
    if token.list == list { Ok(token) } else { Err(invalid()) }
}

#[cfg(test)]
mod tests {
    use penstock_metastore::Operand;
    use uuid::Uuid;

    use super::*;

    fn cursor() -> Cursor {
        Cursor { value: Operand::Text("Default".to_owned()), id: Uuid::from_u128(7) }
    }

    #[test]
    fn a_token_says_what_it_was_made_of() {
        let key = TokenKey::random();
        let token = seal("Run", "name desc", "{}", cursor(), &key).unwrap();
        let read = open(&token, "Run", &key).unwrap();
        assert_eq!((read.sort_by.as_str(), read.filter.as_str(), read.cursor), ("name desc", "{}", cursor()));
    }

    #[test]
    fn i22_tokens_that_were_not_made_here_are_refused() {
        let key = TokenKey::random();
        let token = seal("Run", "", "", cursor(), &key).unwrap();
        let refused = |token: &str, list: &str, key: &TokenKey| open(token, list, key).unwrap_err();
        assert_eq!(refused(&token, "Pipeline", &key).short_text(), "Invalid page token");
        refused(&token, "Run", &TokenKey::random());
        refused(&token[1..], "Run", &key);
        refused("", "Run", &key);
        refused("eyJTb3J0QnlGaWVsZE5hbWUiOiJpZCJ9", "Run", &key);
        refused(&"A".repeat(LONGEST + 1), "Run", &key);
        for place in 0..token.len() {
            let mut forged = token.clone().into_bytes();
            forged[place] = if forged[place] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(forged).unwrap();
            assert!(open(&forged, "Run", &key).is_err(), "{place}");
        }
    }

    #[test]
    fn t07_a_key_does_not_print_itself() {
        assert_eq!(format!("{:?}", TokenKey([7; 32])), "TokenKey(..)");
    }
}
