//! Certificates that somebody else writes into files. They are read again and again: a mounted Secret is swapped by links,
//! which watches of files do not see.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tracing::{info, warn};

use super::{CertificateSlot, TlsError, certified_key};
use crate::health::Condition;
use crate::logs;

/// The names that Kubernetes gives the parts of a TLS Secret.
const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";
/// The most bytes of a file.
const MAX_FILE: u64 = 1 << 20;

/// When a certificate expires, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Expiry(pub i64);

impl Expiry {
    fn is_over(self) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        i64::try_from(now).is_ok_and(|now| now >= self.0)
    }
}

/// Why what is in the files is not served.
#[derive(Debug, thiserror::Error)]
pub enum CertificateFilesError {
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file is none of a certificate or key.
    #[error("{path} has {size} bytes, more than a certificate")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        size: u64,
    },
    /// Their content cannot be used.
    #[error("cannot use the certificate in {chain} with the key in {key}")]
    Unusable {
        /// The chain's file.
        chain: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why.
        #[source]
        source: TlsError,
    },
    /// The certificate does not say until when it counts.
    #[error("cannot read the certificate in {path} as X.509")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
}

/// A certificate chain and its key in files, and where what they hold is served.
pub struct CertificateFiles {
    chain: PathBuf,
    key: PathBuf,
    slot: CertificateSlot,
    served: Option<Pair>,
}

/// Chain and key, in PEM.
#[derive(PartialEq)]
struct Pair(Vec<u8>, Vec<u8>);

impl fmt::Debug for CertificateFiles {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CertificateFiles { chain, key, slot: _, served: _ } = self;
        formatter.debug_struct("CertificateFiles").field("chain", chain).field("key", key).finish_non_exhaustive()
    }
}

impl CertificateFiles {
    /// A chain and a key that go into the slot once they are [loaded](CertificateFiles::load).
    pub fn new(chain: PathBuf, key: PathBuf, slot: CertificateSlot) -> CertificateFiles {
        CertificateFiles { chain, key, slot, served: None }
    }

    /// Those of a directory that is a mounted TLS Secret, or like one.
    pub fn in_directory(directory: &Path, slot: CertificateSlot) -> CertificateFiles {
        CertificateFiles::new(directory.join(CERTIFICATE), directory.join(KEY), slot)
    }

    /// Reads the files, and serves what is in them from now on if it is good. Otherwise what was served before goes on.
    pub async fn load(&mut self) -> Result<Expiry, CertificateFilesError> {
        let pair = Pair(read(&self.chain).await?, read(&self.key).await?);
        if self.served.as_ref() != Some(&pair) {
            let certificate = certified_key(&pair.0, &pair.1).map_err(|source| CertificateFilesError::Unusable {
                chain: self.chain.clone(),
                key: self.key.clone(),
                source,
            })?;
            self.slot.install(certificate);
            info!(file = %self.chain.display(), "another certificate is served");
        }
        let expiry = expiry(&pair.0).ok_or_else(|| CertificateFilesError::Foreign { path: self.chain.clone() });
        self.served = Some(pair);
        expiry
    }

    /// Loads them again and again, for ever. What is wrong is logged once, and the condition says it as long as nothing can
    /// be served. `expires` is told of each certificate that was found.
    pub async fn follow(mut self, poll: Duration, condition: Condition, expires: impl Fn(Expiry)) {
        let mut complaint: Option<String> = None;
        loop {
            match self.load().await {
                Ok(expiry) => {
                    expires(expiry);
                    let over = || format!("the certificate in {} has expired", self.chain.display());
                    let reason = expiry.is_over().then(over);
                    match &reason {
                        Some(reason) => condition.set_waiting(reason.clone()),
                        None => condition.set_ready(),
                    }
                    complain(&mut complaint, reason);
                }
                Err(error) => {
                    let reason = logs::chain(&error);
                    if self.served.is_none() {
                        condition.set_waiting(reason.clone());
                    }
                    complain(&mut complaint, Some(reason));
                }
            }
            tokio::time::sleep(poll).await;
        }
    }
}

/// Says once what is wrong.
fn complain(last: &mut Option<String>, reason: Option<String>) {
    if let Some(reason) = reason.as_ref().filter(|_| *last != reason) {
        warn!(reason, "the files of a certificate are not as they should be; the next look tries again");
    }
    *last = reason;
}

async fn read(path: &Path) -> Result<Vec<u8>, CertificateFilesError> {
    let failed = |source| CertificateFilesError::Read { path: path.to_owned(), source };
    let size = tokio::fs::metadata(path).await.map_err(failed)?.len();
    if size > MAX_FILE {
        return Err(CertificateFilesError::TooLarge { path: path.to_owned(), size });
    }
    tokio::fs::read(path).await.map_err(failed)
}

/// Of the first certificate of a text, which is the leaf.
fn expiry(chain: &[u8]) -> Option<Expiry> {
    let (_, pem) = x509_parser::pem::parse_x509_pem(chain).ok()?;
    let certificate = pem.parse_x509().ok()?;
    Some(Expiry(certificate.validity().not_after.timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str) -> (String, String) {
        let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).expect("generates");
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[tokio::test]
    async fn a_pair_that_does_not_fit_leaves_the_last_good_one_in_place() {
        let folder = tempfile::tempdir().expect("a directory");
        let slot = CertificateSlot::default();
        let mut files = CertificateFiles::in_directory(folder.path(), slot.clone());
        let error = files.load().await.expect_err("there are none");
        assert!(error.to_string().contains("tls.crt"), "{error}");
        let (chain, key) = pair("one");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("it is written");
        write(CERTIFICATE, &chain);
        write(KEY, &key);
        assert!(!files.load().await.expect("a pair").is_over());
        assert!(slot.is_filled());
        // As between two writes of somebody who renews them.
        let (next_chain, next_key) = pair("one");
        write(CERTIFICATE, &next_chain);
        assert!(matches!(files.load().await, Err(CertificateFilesError::Unusable { .. })));
        assert!(files.served.as_ref().is_some_and(|served| served.0 == chain.as_bytes()));
        write(KEY, &next_key);
        files.load().await.expect("a pair again");
        assert!(files.served.as_ref().is_some_and(|served| served.0 == next_chain.as_bytes()));
        write(KEY, &"x".repeat(usize::try_from(MAX_FILE).unwrap_or_default() + 1));
        assert!(matches!(files.load().await, Err(CertificateFilesError::TooLarge { .. })));
    }

    #[test]
    fn t07_a_key_does_not_print_itself() {
        let mut files = CertificateFiles::in_directory(Path::new("/x"), CertificateSlot::default());
        files.served = Some(Pair(b"chain".to_vec(), b"secret".to_vec()));
        assert_eq!(format!("{files:?}"), "CertificateFiles { chain: \"/x/tls.crt\", key: \"/x/tls.key\", .. }");
    }
}
