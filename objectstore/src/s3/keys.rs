//! Keys that change while they are in use (F-26): read from files before each request, and given time to arrive when the
//! store has dropped the old pair before the new one is here.

use std::{
    fmt, fs,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_sdk_s3::config::{
    ConfigBag, Credentials, Intercept, RuntimeComponents, interceptors::FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::box_error::BoxError;
use tokio::time::Instant;

use super::Secret;

/// The most bytes of a key.
const MAX_KEY: u64 = 64 << 10;
/// How long new keys may take to arrive: the kubelet looks at the Secrets that it has mounted about once a minute.
const ARRIVAL: Duration = Duration::from_secs(5 * 60);
/// Codes of answers to requests that are signed with keys which do not count (any more).
const UNKNOWN_KEYS: [&str; 4] = ["InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "InvalidClientTokenId"];

/// Files with a pair of keys. Blanks around a key are not part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFiles {
    /// File with the access key.
    pub access_key_id: PathBuf,
    /// File with the secret key.
    pub secret_access_key: PathBuf,
}

/// A pair of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Keys {
    access_key_id: Secret,
    secret_access_key: Secret,
}

impl fmt::Display for KeyFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the keys of the store ({:?}, {:?})", self.access_key_id, self.secret_access_key)
    }
}

impl KeyFiles {
    /// The pair as it is now. The files are replaced together, but read one after the other.
    pub(super) fn read(&self) -> io::Result<Keys> {
        let mut before = read_key(&self.access_key_id)?;
        loop {
            let secret_access_key = Secret::new(read_key(&self.secret_access_key)?);
            let after = read_key(&self.access_key_id)?;
            if after == before {
                return Ok(Keys { access_key_id: Secret::new(after), secret_access_key });
            }
            before = after;
        }
    }
}

fn read_key(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    fs::File::open(path)?.take(MAX_KEY).read_to_string(&mut text)?;
    match text.trim_ascii() {
        "" => Err(io::Error::new(io::ErrorKind::NotFound, "the file is empty")),
        key => Ok(key.to_owned()),
    }
}

impl Keys {
    pub(super) fn to_credentials(&self) -> Credentials {
        let Keys { access_key_id, secret_access_key } = self;
        Credentials::new(access_key_id.reveal(), secret_access_key.reveal(), None, None, "penstock-key-files")
    }
}

/// Whether the store takes the keys.
#[derive(Debug, Default)]
pub(super) struct KeyStanding {
    state: Mutex<Standing>,
}

#[derive(Debug, Clone, Copy, Default)]
enum Standing {
    /// It has never taken any: what it refuses is wrong.
    #[default]
    Untried,
    /// It took the last ones that it was shown.
    Taken,
    /// It has taken keys, and takes none any more.
    Refused { since: Instant },
}

impl KeyStanding {
    fn taken(&self) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = Standing::Taken;
    }

    /// Whether a refusal with this code may be over once new keys are here.
    pub(super) fn may_be_replaced(&self, code: Option<&str>) -> bool {
        if !code.is_some_and(|code| UNKNOWN_KEYS.contains(&code)) {
            return false;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match *state {
            Standing::Untried => false,
            Standing::Taken => {
                *state = Standing::Refused { since: Instant::now() };
                true
            }
            Standing::Refused { since } => since.elapsed() < ARRIVAL,
        }
    }
}

/// Sees answers that the store gives only to whom it knows.
#[derive(Debug)]
pub(super) struct KeyWitness(pub(super) Arc<KeyStanding>);

impl Intercept for KeyWitness {
    fn name(&self) -> &'static str {
        "KeyWitness"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let status = context.response().map(|response| response.status().as_u16());
        if status.is_some_and(|status| (200..300).contains(&status) || status == 404) {
            self.0.taken();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn f26_keys_that_were_taken_may_be_replaced_and_wrong_ones_fail_at_once() {
        let standing = KeyStanding::default();
        let refused = |code| standing.may_be_replaced(Some(code));
        assert!(!refused("InvalidAccessKeyId"), "they never worked");
        standing.taken();
        assert!(!refused("AccessDenied"), "it knows them, and does not let them");
        assert!(!standing.may_be_replaced(None));
        assert!(refused("InvalidAccessKeyId"));
        tokio::time::advance(ARRIVAL / 2).await;
        assert!(refused("SignatureDoesNotMatch"));
        tokio::time::advance(ARRIVAL / 2).await;
        assert!(!refused("InvalidAccessKeyId"), "not for ever");
        standing.taken();
        assert!(refused("InvalidAccessKeyId"));
    }

    #[test]
    fn t07_keys_are_read_without_blanks_and_not_shown() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = |name: &str| directory.path().join(name);
        let files = KeyFiles { access_key_id: file("access"), secret_access_key: file("secret") };
        assert_eq!(files.read().expect_err("nothing").kind(), io::ErrorKind::NotFound);
        fs::write(file("access"), "AKIA\n").expect("a file");
        fs::write(file("secret"), " hidden \n").expect("a file");
        let keys = files.read().expect("keys");
        assert_eq!(keys.secret_access_key.reveal(), "hidden");
        assert!(!format!("{keys:?}{files}").contains("hidden"));
        fs::write(file("secret"), "\n").expect("a file");
        assert!(files.read().is_err(), "no key");
    }
}
