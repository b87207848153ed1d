//! URIs of objects, strictly read: scheme, bucket and key, compared as such and never as text.

use std::fmt;

/// Greatest length of an S3 key in bytes.
const MAX_KEY: usize = 1024;
/// Greatest length of one part of a local path, as file systems have it.
const MAX_NAME: usize = 255;

/// A URI that cannot be used, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum UriError {
    #[error("{uri:?} is not a URI: expected scheme://bucket/key")]
    NoScheme { uri: String },
    #[error("{uri:?} names no bucket")]
    NoBucket { uri: String },
    #[error("{uri:?} has a bucket name {bucket:?} that no store allows: {reason}")]
    BadBucket { uri: String, bucket: String, reason: &'static str },
    #[error("scheme {scheme:?} of {uri:?} is not supported; supported are file, s3, minio, gs and mem")]
    UnsupportedScheme { uri: String, scheme: String },
    #[error("{uri:?} has a key that cannot be used: {reason}")]
    BadKey { uri: String, reason: &'static str },
}

/// A parsed object URI. `file:///directory/key` has an empty bucket and the absolute path without its first slash as
/// its key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectUri {
    /// `s3`, `minio`, `gs`, `mem` or `file`.
    pub scheme: String,
    /// Bucket; empty for `file`.
    pub bucket: String,
    /// Key without slashes at its ends; may be empty.
    pub key: String,
}

impl ObjectUri {
    /// Reads a URI. A query (`?region=…`) is not part of the key of a root and must be taken off before, see
    /// [`split_query`].
    pub fn parse(uri: &str) -> Result<Self, UriError> {
        let owned = || uri.to_owned();
        let (scheme, rest) = uri.split_once("://").ok_or_else(|| UriError::NoScheme { uri: owned() })?;
        if scheme.is_empty() || !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)) {
            return Err(UriError::NoScheme { uri: owned() });
        }
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        match scheme {
            "file" if !bucket.is_empty() => {
                let reason = "a file URI has three slashes and no host";
                return Err(UriError::BadBucket { uri: owned(), bucket: bucket.to_owned(), reason });
            }
            "file" => {}
            "s3" | "minio" | "gs" | "mem" if bucket.is_empty() => return Err(UriError::NoBucket { uri: owned() }),
            "s3" | "minio" | "gs" | "mem" => check_bucket(bucket).map_err(|reason| UriError::BadBucket {
                uri: owned(),
                bucket: bucket.to_owned(),
                reason,
            })?,
            other => return Err(UriError::UnsupportedScheme { uri: owned(), scheme: other.to_owned() }),
        }
        let key = key.strip_suffix('/').unwrap_or(key);
        check_key(scheme, key).map_err(|reason| UriError::BadKey { uri: owned(), reason })?;
        Ok(Self { scheme: scheme.to_owned(), bucket: bucket.to_owned(), key: key.to_owned() })
    }

    /// The segments of the key.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.key.split('/').filter(|segment| !segment.is_empty())
    }

    /// A URI below this one.
    pub fn join(&self, relative: &str) -> Result<Self, UriError> {
        let key = if self.key.is_empty() { relative.to_owned() } else { format!("{}/{relative}", self.key) };
        let joined = Self { scheme: self.scheme.clone(), bucket: self.bucket.clone(), key };
        if relative_path_of_key(relative).is_none() {
            let reason = "the part below is empty or leaves its place";
            return Err(UriError::BadKey { uri: joined.to_string(), reason });
        }
        check_key(&joined.scheme, &joined.key)
            .map_err(|reason| UriError::BadKey { uri: joined.to_string(), reason })?;
        Ok(joined)
    }

    /// Whether this URI is `root` or lies below it, by whole segments.
    pub fn starts_with(&self, root: &Self) -> bool {
        self.scheme == root.scheme && self.bucket == root.bucket && {
            let mut own = self.segments();
            root.segments().all(|segment| own.next() == Some(segment))
        }
    }
}

impl fmt::Display for ObjectUri {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}://{}", self.scheme, self.bucket)?;
        if self.scheme == "file" || !self.key.is_empty() {
            write!(formatter, "/{}", self.key)?;
        }
        Ok(())
    }
}

/// Splits the query off a root such as `s3://bucket/prefix?region=x`. Names of local directories may hold a `?`.
pub fn split_query(root: &str) -> (&str, Option<&str>) {
    match root.split_once('?') {
        Some((root, query)) if !root.starts_with("file:") => (root, Some(query)),
        _ => (root, None),
    }
}

/// Bucket names as S3 and GCS have them, a little wider: old buckets may hold capitals and underscores.
fn check_bucket(bucket: &str) -> Result<(), &'static str> {
    if !(3..=255).contains(&bucket.len()) {
        return Err("it must have 3 to 255 characters");
    }
    if !bucket.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
        return Err("only letters, digits, '.', '_' and '-' are allowed, and no user or port");
    }
    let edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    if !edge(bucket.bytes().next()) || !edge(bucket.bytes().last()) {
        return Err("it must begin and end with a letter or digit");
    }
    if bucket.contains("..") {
        return Err("it must not hold two dots in a row");
    }
    Ok(())
}

fn check_key(scheme: &str, key: &str) -> Result<(), &'static str> {
    if scheme != "file" && key.len() > MAX_KEY {
        return Err("it has more than 1024 bytes");
    }
    if key.chars().any(|character| character.is_control()) {
        return Err("it holds a control character");
    }
    if key.is_empty() {
        return Ok(());
    }
    for segment in key.split('/') {
        match segment {
            "" => return Err("it holds an empty segment"),
            "." | ".." => return Err("it holds a segment '.' or '..'"),
            _ => {}
        }
    }
    Ok(())
}

/// The path in a user's container that stands for a URI; `None` when its scheme has no local form. The Python side of
/// `kfp` computes the same by itself.
pub fn local_path_in_container(uri: &str) -> Option<String> {
    let (scheme, rest) = uri.split_once("://")?;
    match scheme {
        "gs" => Some(format!("/gcs/{rest}")),
        "s3" | "minio" => Some(format!("/{scheme}/{rest}")),
        "oci" => Some(format!("/oci/{}/models", rest.replace('/', "_"))),
        _ => None,
    }
}

/// The one way from an object key to a relative path (T-02). Refuses what could leave the target: empty keys, empty
/// parts, `.`, `..`, NUL, a slash at the beginning, and parts longer than file systems allow. One slash at the end,
/// as markers of directories have it, is ignored.
pub fn relative_path_of_key(key: &str) -> Option<std::path::PathBuf> {
    let key = key.strip_suffix('/').unwrap_or(key);
    let mut path = std::path::PathBuf::new();
    for part in key.split('/') {
        let unusable = matches!(part, "" | "." | "..") || part.len() > MAX_NAME || part.contains('\0');
        if unusable {
            return None;
        }
        path.push(part);
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(uri: &str) -> ObjectUri {
        ObjectUri::parse(uri).unwrap()
    }

    #[rstest::rstest]
    #[case("s3://bucket/a/b", "s3", "bucket", "a/b")]
    #[case("s3://bucket", "s3", "bucket", "")]
    #[case("minio://mlpipeline/v2/artifacts/", "minio", "mlpipeline", "v2/artifacts")]
    #[case("file:///srv/x y", "file", "", "srv/x y")]
    #[case("s3://bucket/%2e%2e/a;b#c", "s3", "bucket", "%2e%2e/a;b#c")]
    fn uris_are_taken_apart_and_never_decoded(
        #[case] uri: &str,
        #[case] scheme: &str,
        #[case] bucket: &str,
        #[case] key: &str,
    ) {
        let parsed = parse(uri);
        assert_eq!((parsed.scheme.as_str(), parsed.bucket.as_str(), parsed.key.as_str()), (scheme, bucket, key));
        assert_eq!(parsed.to_string(), uri.trim_end_matches('/'));
    }

    #[rstest::rstest]
    #[case("bucket/key")]
    #[case("://bucket/key")]
    #[case("s3://")]
    #[case("s3:///key")]
    #[case("s3://user:secret@bucket/key")]
    #[case("s3://bucket:9000/key")]
    #[case("s3://b/key")]
    #[case("s3://-bucket/key")]
    #[case("s3://buc..ket/key")]
    #[case("s3://bucket/a/../b")]
    #[case("s3://bucket/./b")]
    #[case("s3://bucket/a//b")]
    #[case("s3://bucket/a\nb")]
    #[case("s3://bucket/a\0b")]
    #[case("file://host/path")]
    #[case("https://bucket/key")]
    fn i12_i13_odd_uris_are_refused(#[case] uri: &str) {
        assert!(ObjectUri::parse(uri).is_err());
    }

    #[test]
    fn i13_an_unsupported_scheme_is_named() {
        let error = ObjectUri::parse("ftp://host/path").unwrap_err().to_string();
        assert!(error.contains("\"ftp\""), "{error}");
        assert!(ObjectUri::parse(&format!("s3://bucket/{}", "k".repeat(1025))).is_err());
    }

    #[test]
    fn t03_prefixes_are_compared_by_segments() {
        assert!(parse("s3://bucket/run-1/x").starts_with(&parse("s3://bucket/run-1")));
        assert!(parse("s3://bucket/run-1").starts_with(&parse("s3://bucket")));
        assert!(!parse("s3://bucket/run-10/x").starts_with(&parse("s3://bucket/run-1")));
        assert!(!parse("s3://bucket2/run-1").starts_with(&parse("s3://bucket")));
        assert!(!parse("gs://bucket/run-1").starts_with(&parse("s3://bucket/run-1")));
        assert!(!parse("s3://bucket").starts_with(&parse("s3://bucket/run-1")));
    }

    #[test]
    fn joining_never_leaves_the_place() {
        let root = parse("s3://bucket/root");
        assert_eq!(root.join("a/b").unwrap().to_string(), "s3://bucket/root/a/b");
        assert_eq!(parse("s3://bucket").join("a").unwrap().to_string(), "s3://bucket/a");
        for bad in ["", "..", "../x", "a/../b", "/x", "a//b"] {
            assert!(root.join(bad).is_err(), "{bad:?}");
        }
    }

    #[rstest::rstest]
    #[case("a", Some("a"))]
    #[case("a/b.c/", Some("a/b.c"))]
    #[case("%2e%2e/a", Some("%2e%2e/a"))]
    #[case("", None)]
    #[case("/", None)]
    #[case("/a", None)]
    #[case("a//b", None)]
    #[case("./a", None)]
    #[case("a/..", None)]
    #[case("a\0b", None)]
    fn t02_keys_become_relative_paths_or_nothing(#[case] key: &str, #[case] expected: Option<&str>) {
        assert_eq!(relative_path_of_key(key), expected.map(std::path::PathBuf::from));
    }

    #[test]
    fn t02_parts_longer_than_file_names_are_refused() {
        assert_eq!(relative_path_of_key(&"k".repeat(256)), None);
    }

    proptest::proptest! {
        #[test]
        fn t02_no_key_leaves_the_target(key in "[./a\\\\\0]{0,12}") {
            if let Some(path) = relative_path_of_key(&key) {
                let normal = |part| matches!(part, std::path::Component::Normal(_));
                proptest::prop_assert!(path.components().all(normal));
            }
        }

        #[test]
        fn i13_reading_uris_never_panics(uri in "(s3|file|gs)?:?/{0,3}[^ ]{0,20}") {
            if let Ok(parsed) = ObjectUri::parse(&uri) {
                proptest::prop_assert_eq!(ObjectUri::parse(&parsed.to_string()), Ok(parsed));
            }
        }
    }

    #[rstest::rstest]
    #[case("gs://b/k", Some("/gcs/b/k"))]
    #[case("s3://b/k", Some("/s3/b/k"))]
    #[case("minio://b/k", Some("/minio/b/k"))]
    #[case("oci://r/i:t", Some("/oci/r_i:t/models"))]
    #[case("https://x/y", None)]
    #[case("plain", None)]
    fn containers_see_local_paths(#[case] uri: &str, #[case] expected: Option<&str>) {
        assert_eq!(local_path_in_container(uri).as_deref(), expected);
    }

    #[test]
    fn query_is_split_off_everything_but_local_directories() {
        assert_eq!(split_query("s3://b/p?region=x&y"), ("s3://b/p", Some("region=x&y")));
        assert_eq!(split_query("file:///data/what?/p"), ("file:///data/what?/p", None));
    }
}
