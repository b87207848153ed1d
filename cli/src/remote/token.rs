//! The token that a server is shown. It is never printed.

use std::fmt;
use std::io::Read as _;
use std::path::Path;

use reqwest::header::HeaderValue;

use crate::failure::Refusal;

/// Most bytes of a token.
const LIMIT: u64 = 64 * 1024;

/// What a variable holds that is for a token.
#[derive(Clone)]
pub(crate) struct TokenText(pub(crate) String);

impl fmt::Debug for TokenText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TokenText(..)")
    }
}

/// A token.
#[derive(Clone)]
pub(crate) struct Token(HeaderValue);

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(..)")
    }
}

impl Token {
    /// The token of a file, or else the one of the environment; `source` names where that stood.
    pub(crate) fn find(
        file: Option<&Path>,
        environment: Option<&TokenText>,
        source: &str,
    ) -> Result<Option<Token>, Refusal> {
        match (file, environment) {
            (Some(file), _) => Token::read(file).map(Some),
            (None, Some(TokenText(text))) => Token::parse(text, source).map(Some),
            (None, None) => Ok(None),
        }
    }

    fn read(file: &Path) -> Result<Token, Refusal> {
        let failed =
            |error: std::io::Error| Refusal::new(format!("cannot read the token file {}: {error}", file.display()));
        let mut text = String::new();
        std::fs::File::open(file).map_err(failed)?.take(LIMIT).read_to_string(&mut text).map_err(failed)?;
        Token::parse(&text, &file.display().to_string())
    }

    fn parse(text: &str, source: &str) -> Result<Token, Refusal> {
        let text = text.trim();
        if text.is_empty() {
            return Err(Refusal::new(format!("there is no token in {source}")));
        }
        let header = HeaderValue::try_from(format!("Bearer {text}"));
        let mut header = header.ok().filter(|_| !text.contains(char::is_whitespace)).ok_or_else(|| {
            Refusal::new(format!("{source} holds no token: a token is one word of printable characters"))
        })?;
        header.set_sensitive(true);
        Ok(Token(header))
    }

    /// The value of the header `Authorization`.
    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_word_and_is_never_shown() {
        let find = |text: &str| Token::find(None, Some(&TokenText(text.to_owned())), "PENSTOCK_TOKEN");
        let token = find(" secret\n").unwrap().unwrap();
        assert_eq!(format!("{token:?}"), "Token(..)");
        assert!(!format!("{:?}", token.header()).contains("secret"));
        for text in ["", "two words", "a\u{7}b"] {
            let refusal = find(text).unwrap_err();
            assert!(refusal.to_string().contains("PENSTOCK_TOKEN"), "{refusal}");
        }
        assert!(Token::find(None, None, "PENSTOCK_TOKEN").unwrap().is_none());
    }
}
