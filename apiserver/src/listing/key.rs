//! The key of page tokens, kept where a restart and other replicas find it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::token::TokenKey;

/// A secret that is shorter could be guessed.
const SHORTEST: usize = 32;
/// A file that is longer is no secret.
const LONGEST: u64 = 64 << 10;

/// A key cannot be had from a file.
#[derive(Debug, thiserror::Error)]
#[error("cannot take the key of page tokens from {path}: {reason}")]
pub struct TokenKeyError {
    path: PathBuf,
    reason: String,
    #[source]
    source: Option<io::Error>,
}

impl TokenKeyError {
    fn io(path: &Path, source: io::Error) -> Self {
        Self { path: path.to_owned(), reason: "it cannot be read or made".to_owned(), source: Some(source) }
    }
}

impl TokenKey {
    /// The key that follows from a file's content: the same for all who have the same file.
    pub fn of_file(path: &Path) -> Result<Self, TokenKeyError> {
        let mut secret = Vec::new();
        let file = File::open(path).map_err(|error| TokenKeyError::io(path, error))?;
        file.take(LONGEST + 1).read_to_end(&mut secret).map_err(|error| TokenKeyError::io(path, error))?;
        let refused = |reason: String| TokenKeyError { path: path.to_owned(), reason, source: None };
        if secret.len() < SHORTEST {
            return Err(refused(format!("it has {} bytes, and a key needs at least {SHORTEST}", secret.len())));
        }
        if secret.len() as u64 > LONGEST {
            return Err(refused(format!("it has more than {LONGEST} bytes")));
        }
        Ok(Self::of_secret(&secret))
    }

    /// The key that follows from what nobody else knows.
    pub fn of_secret(secret: &[u8]) -> Self {
        Self(Sha256::new_with_prefix(b"penstock page tokens\0").chain_update(secret).finalize().into())
    }

    /// The same; where there is no file, one is made that its owner alone can read. Of several processes that do so at the
    /// same time, all take what the first has made.
    pub fn of_file_or_new(path: &Path) -> Result<Self, TokenKeyError> {
        if !path.exists() {
            make(path).map_err(|error| TokenKeyError::io(path, error))?;
        }
        Self::of_file(path)
    }
}

/// Puts a file in its place whole, unless there is one by then.
fn make(path: &Path) -> io::Result<()> {
    let draft = path.with_extension(Uuid::new_v4().simple().to_string());
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        file.write_all(&rand::random::<[u8; SHORTEST]>())?;
        file.sync_all()?;
        match fs::hard_link(&draft, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        }
    };
    let written = write();
    // It has another name by now, or is of no use.
    let removed = fs::remove_file(&draft);
    written.and(removed)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use penstock_metastore::{Cursor, Operand};

    use super::*;
    use crate::listing::token::{open, seal};

    /// Whether a token of one is good for the other.
    fn agree(one: &TokenKey, other: &TokenKey) -> bool {
        let cursor = Cursor { value: Operand::Text("x".to_owned()), id: Uuid::nil() };
        open(&seal("Run", "", "", cursor, one).unwrap(), "Run", other).is_ok()
    }

    #[test]
    fn a_token_outlives_the_process_and_is_good_on_replicas() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("page-tokens.key");
        let first = TokenKey::of_file_or_new(&path).unwrap();
        assert!(agree(&first, &TokenKey::of_file_or_new(&path).unwrap()));
        assert!(agree(&first, &TokenKey::of_file(&path).unwrap()));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        let copy = directory.path().join("copy");
        fs::copy(&path, &copy).unwrap();
        assert!(agree(&first, &TokenKey::of_file(&copy).unwrap()));
        fs::remove_file(&path).unwrap();
        assert!(!agree(&first, &TokenKey::of_file_or_new(&path).unwrap()));
    }

    #[test]
    fn processes_that_start_together_have_one_key() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        let keys: Vec<TokenKey> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| TokenKey::of_file_or_new(&path).unwrap())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| agree(&keys[0], key)));
    }

    #[test]
    fn i31_files_that_are_no_keys_are_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        let text = TokenKey::of_file(&path).unwrap_err().to_string();
        assert!(text.contains(path.to_str().unwrap()), "{text}");
        for (size, reason) in [(0, "0 bytes"), (31, "31 bytes"), (100_000, "more than 65536")] {
            fs::write(&path, vec![b'x'; size]).unwrap();
            let text = TokenKey::of_file_or_new(&path).unwrap_err().to_string();
            assert!(text.contains(reason), "{text}");
        }
        assert!(TokenKey::of_file(directory.path()).is_err());
        assert!(TokenKey::of_file_or_new(&directory.path().join("no/such/key")).is_err());
    }
}
