//! Callers that a proxy in front of the server has made out, which it says in a header (T-12).

use std::net::IpAddr;
use std::str::FromStr;

use async_trait::async_trait;
use axum::http::HeaderName;
use ipnet::IpNet;

use super::{Authenticator, Caller, IdentityError, Presented, is_name};

/// Whose word is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedPeers(IpNet);

impl FromStr for TrustedPeers {
    type Err = HeaderError;

    /// An address, or a range of them such as `10.0.0.0/8`.
    fn from_str(text: &str) -> Result<Self, HeaderError> {
        let range = match text.parse::<IpAddr>() {
            Ok(address) => Ok(IpNet::from(address)),
            Err(_) => text.parse::<IpNet>(),
        };
        range.map(Self).map_err(|_| HeaderError::Peers(text.to_owned()))
    }
}

/// Settings that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// No address and no range.
    #[error("{0:?} is neither an address nor a range of addresses such as 10.0.0.0/8")]
    Peers(String),
    /// No name of a header.
    #[error("{0:?} is not the name of a header")]
    Name(String),
}

/// A header with the name of the caller.
#[derive(Debug)]
pub struct TrustedHeader {
    name: HeaderName,
    prefix: String,
    peers: Vec<TrustedPeers>,
}

impl TrustedHeader {
    /// Takes the word of these peers, and of all who connect to a loopback address. `prefix` stands before each name and
    /// is no part of it.
    pub fn new(name: &str, prefix: impl Into<String>, peers: Vec<TrustedPeers>) -> Result<Self, HeaderError> {
        let name = name.parse().map_err(|_| HeaderError::Name(name.to_owned()))?;
        Ok(Self { name, prefix: prefix.into(), peers })
    }

    fn is_trusted(&self, presented: Presented<'_>) -> bool {
        // An address of the old kind may arrive as one of the new kind.
        let is_among = |peer: IpAddr| self.peers.iter().any(|TrustedPeers(range)| range.contains(&peer.to_canonical()));
        presented.on_loopback || presented.peer.is_some_and(is_among)
    }
}

#[async_trait]
impl Authenticator for TrustedHeader {
    async fn identify(&self, presented: Presented<'_>) -> Result<Option<Caller>, IdentityError> {
        let mut values = presented.headers.get_all(&self.name).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if !self.is_trusted(presented) {
            return Ok(None);
        }
        if values.next().is_some() {
            return Err(IdentityError::Refused(format!("the request has more than one header {}", self.name)));
        }
        let text = std::str::from_utf8(value.as_bytes()).ok();
        let user = text.and_then(|text| text.strip_prefix(&self.prefix)).filter(|user| is_name(user));
        match user {
            Some(user) => Ok(Some(Caller { user: user.to_owned(), groups: Vec::new() })),
            None => {
                let text = format!("the header {} is not {:?} and the name of a user", self.name, self.prefix);
                Err(IdentityError::Refused(text))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;

    use super::*;

    async fn identify(
        peers: &[&str],
        peer: Option<&str>,
        on_loopback: bool,
        values: &[&str],
    ) -> Result<Option<String>, IdentityError> {
        let peers = peers.iter().map(|peers| peers.parse().unwrap()).collect();
        let trusted = TrustedHeader::new("kubeflow-userid", "p:", peers).unwrap();
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("kubeflow-userid", value.parse().unwrap());
        }
        let presented = Presented { headers: &headers, peer: peer.map(|peer| peer.parse().unwrap()), on_loopback };
        Ok(trusted.identify(presented).await?.map(|caller| caller.user))
    }

    #[tokio::test]
    async fn t12_the_header_counts_from_trusted_peers_alone() {
        let ann = || Ok(Some("ann".to_owned()));
        let peers = ["10.0.0.0/8", "fd00::1"];
        for peer in ["10.1.2.3", "::ffff:10.1.2.3", "fd00::1"] {
            assert_eq!(identify(&peers, Some(peer), false, &["p:ann"]).await, ann(), "{peer}");
        }
        for peer in [Some("11.1.2.3"), Some("fd00::2"), Some("127.0.0.1"), None] {
            assert_eq!(identify(&peers, peer, false, &["p:ann"]).await, Ok(None), "{peer:?}");
        }
        assert_eq!(identify(&[], Some("127.0.0.1"), true, &["p:ann"]).await, ann());
        assert_eq!(identify(&[], Some("127.0.0.1"), true, &[]).await, Ok(None));
    }

    #[tokio::test]
    async fn t12_a_header_that_is_repeated_or_odd_is_an_error() {
        for values in [&["p:ann", "p:ann"][..], &["ann"], &["p:"], &[""], &["p: ann"], &["p:a\u{9}b"]] {
            let refused = identify(&["10.0.0.0/8"], Some("10.0.0.1"), false, values).await;
            assert!(matches!(refused, Err(IdentityError::Refused(_))), "{values:?}: {refused:?}");
        }
    }

    #[test]
    fn i31_settings_that_mean_nothing_are_refused() {
        assert_eq!("10.0.0.0/33".parse::<TrustedPeers>(), Err(HeaderError::Peers("10.0.0.0/33".to_owned())));
        assert!(TrustedHeader::new("a b", "", Vec::new()).is_err());
    }
}
