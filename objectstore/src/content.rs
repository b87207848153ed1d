//! Digests of files and directories, as `penstock_spec::artifact::Content` states them.
//!
//! A file's digest is the SHA-256 of its bytes. A directory's is the SHA-256 over its files sorted by path (as bytes,
//! parts joined by `/`), each contributing: the path, a zero byte, the size as eight bytes (big endian) and the file's
//! SHA-256. Directories without files, modes, owners and times contribute nothing.

use penstock_spec::artifact::Content;
use sha2::{Digest, Sha256};

/// SHA-256 of a file.
pub type FileDigest = [u8; 32];

/// A file of a stored directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Relative path, parts joined by `/`.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Digest of the bytes.
    pub digest: FileDigest,
}

/// The content of a single file.
pub fn file_content(size: u64, digest: &FileDigest) -> Content {
    Content { directory: false, files: 1, size, digest: format_digest(digest) }
}

/// The content of a directory; sorts the entries.
pub fn directory_content(entries: &mut [FileEntry]) -> Content {
    entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let mut hasher = Sha256::new();
    let mut size = 0_u64;
    for entry in entries.iter() {
        hasher.update(entry.path.as_bytes());
        hasher.update([0]);
        hasher.update(entry.size.to_be_bytes());
        hasher.update(entry.digest);
        size = size.saturating_add(entry.size);
    }
    Content { directory: true, files: entries.len() as u64, size, digest: format_digest(&hasher.finalize().into()) }
}

/// `sha256:<hex>`.
pub fn format_digest(digest: &FileDigest) -> String {
    use std::fmt::Write as _;

    let mut text = String::with_capacity(7 + 64);
    text.push_str("sha256:");
    for byte in digest {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// SHA-256 of some bytes.
pub fn digest_of(bytes: &[u8]) -> FileDigest {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, bytes: &[u8]) -> FileEntry {
        FileEntry { path: path.to_owned(), size: bytes.len() as u64, digest: digest_of(bytes) }
    }

    #[test]
    fn directory_digest_depends_on_names_and_bytes_but_not_on_order() {
        let one = directory_content(&mut [entry("a", b"1"), entry("b/c", b"2")]);
        assert_eq!(one, directory_content(&mut [entry("b/c", b"2"), entry("a", b"1")]));
        assert_ne!(one.digest, directory_content(&mut [entry("a", b"1"), entry("b/d", b"2")]).digest);
        assert_ne!(one.digest, directory_content(&mut [entry("a", b"2"), entry("b/c", b"1")]).digest);
        assert_eq!((one.files, one.size, one.directory), (2, 2, true));
    }

    #[test]
    fn file_digest_is_the_plain_sha256() {
        assert_eq!(
            file_content(3, &digest_of(b"abc")).digest,
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
