//! TLS for servers: the certificate can be swapped at any time and is looked up anew at each handshake.

mod files;

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

pub use files::{CertificateFiles, CertificateFilesError, Expiry};

/// How HTTP/2 is called in a handshake, where client and server settle what they speak.
pub(crate) const HTTP_2: &[u8] = b"h2";
const HTTP_1_1: &[u8] = b"http/1.1";

/// Why a certificate cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// No PEM, or none of the right kind.
    #[error("cannot read the {what} as PEM")]
    Pem {
        /// `certificate chain` or `private key`.
        what: &'static str,
        /// Why.
        #[source]
        source: pem::Error,
    },
    /// There is none in it.
    #[error("the certificate chain holds no certificate")]
    Empty,
    /// The two do not belong together, or are of a kind that cannot be used.
    #[error("the certificate and its private key cannot be used together")]
    Key(#[source] rustls::Error),
    /// The provider lacks what is needed.
    #[error("cannot set up TLS")]
    Setup(#[source] rustls::Error),
}

/// The cryptography of all our TLS.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Reads a chain, leaf first, and the key of its leaf.
pub fn certified_key(chain: &[u8], key: &[u8]) -> Result<CertifiedKey, TlsError> {
    let pem = |what| move |source| TlsError::Pem { what, source };
    let chain =
        CertificateDer::pem_slice_iter(chain).collect::<Result<Vec<_>, _>>().map_err(pem("certificate chain"))?;
    if chain.is_empty() {
        return Err(TlsError::Empty);
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(pem("private key"))?;
    CertifiedKey::from_der(chain, key, &provider()).map_err(TlsError::Key)
}

/// Whether a connection failed because the certificate of the other side is not trusted.
pub fn is_untrusted(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(rustls::Error::InvalidCertificate(_)) = error.downcast_ref() {
            return true;
        }
        // An error of a stream holds another one without naming it as its source.
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        cause = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    false
}

/// Where the certificate that is served now stands. Clones share the place; it is empty at first, and then no
/// handshake succeeds.
#[derive(Debug, Clone, Default)]
pub struct CertificateSlot {
    current: Arc<ArcSwapOption<CertifiedKey>>,
}

impl CertificateSlot {
    /// Serves another certificate from the next handshake on. Connections that stand are not touched.
    pub fn install(&self, certificate: CertifiedKey) {
        self.current.store(Some(Arc::new(certificate)));
    }

    /// Whether there is one.
    pub fn is_filled(&self) -> bool {
        self.current.load().is_some()
    }
}

impl ResolvesServerCert for CertificateSlot {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.current.load_full()
    }
}

/// What is spoken over TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocols {
    /// HTTP/1.1: those who call are few.
    Http1,
    /// HTTP/2 with clients that can, otherwise HTTP/1.1.
    Http2,
}

/// How a server of ours speaks TLS: versions 1.2 and 1.3, and whatever certificate is in the slot.
pub fn server_config(slot: &CertificateSlot, protocols: Protocols) -> Result<Arc<ServerConfig>, TlsError> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Setup)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(slot.clone()));
    config.alpn_protocols = match protocols {
        Protocols::Http1 => vec![HTTP_1_1.to_vec()],
        Protocols::Http2 => vec![HTTP_2.to_vec(), HTTP_1_1.to_vec()],
    };
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_is_refused_is_told_from_other_failures() {
        let refused = || rustls::Error::from(rustls::CertificateError::UnknownIssuer);
        assert!(is_untrusted(&refused()));
        assert!(is_untrusted(&TlsError::Key(refused())));
        assert!(is_untrusted(&std::io::Error::other(std::io::Error::other(refused()))));
        assert!(!is_untrusted(&std::io::Error::other("reset")));
        assert!(!is_untrusted(&rustls::Error::DecryptError));
    }

    #[test]
    fn i31_bad_certificates_are_told_apart() {
        let one = rcgen::generate_simple_self_signed(vec!["a.svc".to_owned()]).expect("generates");
        let other = rcgen::generate_simple_self_signed(vec!["a.svc".to_owned()]).expect("generates");
        let (chain, key) = (one.cert.pem(), one.signing_key.serialize_pem());
        assert!(certified_key(chain.as_bytes(), key.as_bytes()).is_ok());
        assert!(matches!(certified_key(b"", key.as_bytes()), Err(TlsError::Empty)));
        assert!(matches!(certified_key(chain.as_bytes(), b"no key"), Err(TlsError::Pem { what: "private key", .. })));
        let foreign = other.signing_key.serialize_pem();
        assert!(matches!(certified_key(chain.as_bytes(), foreign.as_bytes()), Err(TlsError::Key(_))));
    }
}
