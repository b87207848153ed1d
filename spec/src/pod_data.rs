//! Inputs and outputs of a Pod that is no task, as its annotations ask for them: a line `URI -> PATH` for each input, a
//! line `PATH -> URI` for each output. A path or URI that ends with a slash is a directory.

use thiserror::Error;

use crate::uri::{ObjectUri, UriError};

/// The most lines of one annotation.
pub const MAX_ENTRIES: usize = 100;
/// The most bytes of a path.
const MAX_PATH: usize = 4096;
/// What stands behind the URI of the first output: the manifest's.
const MANIFEST_SUFFIX: &str = ".manifest.json";
/// Stands between the two sides.
const ARROW: &str = " -> ";

/// One input or output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodDatum {
    /// Object, or directory of objects.
    pub uri: ObjectUri,
    /// Absolute path without `.`, `..`, empty segments and a slash at the end.
    pub path: String,
    /// Whether it is known to be a directory: one of the two was written with a slash at the end.
    pub is_directory: bool,
}

/// A line that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PodDataError {
    /// No arrow.
    #[error("line {line}: write {expected}, not {text:?}")]
    Form {
        /// From 1.
        line: usize,
        /// What a line looks like.
        expected: &'static str,
        /// The line, shortened.
        text: String,
    },
    /// A bad URI.
    #[error("line {line}: {source}")]
    Uri {
        /// From 1.
        line: usize,
        /// Why.
        source: UriError,
    },
    /// A bad path.
    #[error("line {line}: the path {path:?} {reason}")]
    Path {
        /// From 1.
        line: usize,
        /// The path, shortened.
        path: String,
        /// Why.
        reason: &'static str,
    },
    /// The same path, or one within another.
    #[error("line {line}: the path {path:?} lies in, around or at that of another line")]
    Overlap {
        /// From 1.
        line: usize,
        /// The path.
        path: String,
    },
    /// Too many lines.
    #[error("more than {MAX_ENTRIES} lines")]
    TooMany,
}

/// Reads the annotation of inputs.
pub fn parse_inputs(text: &str) -> Result<Vec<PodDatum>, PodDataError> {
    parse(text, "s3://BUCKET/KEY -> /PATH", |left, right| (left, right))
}

/// Reads the annotation of outputs.
pub fn parse_outputs(text: &str) -> Result<Vec<PodDatum>, PodDataError> {
    parse(text, "/PATH -> s3://BUCKET/KEY", |left, right| (right, left))
}

/// `sides` gives the URI and the path of a line's two sides.
fn parse(
    text: &str,
    expected: &'static str,
    sides: for<'a> fn(&'a str, &'a str) -> (&'a str, &'a str),
) -> Result<Vec<PodDatum>, PodDataError> {
    let mut data: Vec<PodDatum> = Vec::new();
    for (index, text) in text.lines().enumerate() {
        let (line, text) = (index + 1, text.trim());
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        if data.len() == MAX_ENTRIES {
            return Err(PodDataError::TooMany);
        }
        let Some((left, right)) = text.split_once(ARROW) else {
            return Err(PodDataError::Form { line, expected, text: shorten(text) });
        };
        let (uri, path) = sides(left.trim(), right.trim());
        let is_directory = uri.ends_with('/') || path.ends_with('/');
        let uri = ObjectUri::parse(uri.trim_end_matches('/')).map_err(|source| PodDataError::Uri { line, source })?;
        let path =
            clean_path(path).map_err(|reason| PodDataError::Path { line, path: shorten(path), reason })?.to_owned();
        if data.iter().any(|other| overlaps(&other.path, &path)) {
            return Err(PodDataError::Overlap { line, path });
        }
        data.push(PodDatum { uri, path, is_directory });
    }
    Ok(data)
}

/// Where the manifest of outputs is, of which the first one goes to this URI: beside it.
pub fn manifest_uri(first: &ObjectUri) -> Result<ObjectUri, UriError> {
    if first.key.is_empty() {
        return Err(UriError::BadKey {
            uri: first.to_string(),
            reason: "it is empty, and nothing can be put beside it",
        });
    }
    ObjectUri::parse(&format!("{first}{MANIFEST_SUFFIX}"))
}

fn clean_path(path: &str) -> Result<&str, &'static str> {
    let trimmed = path.trim_end_matches('/');
    if !path.starts_with('/') {
        return Err("is not absolute");
    }
    if trimmed.is_empty() {
        return Err("is the root of the file system");
    }
    if path.len() > MAX_PATH {
        return Err("is longer than 4096 bytes");
    }
    if trimmed.split('/').skip(1).any(|part| matches!(part, "" | "." | "..")) {
        return Err("contains an empty segment, '.' or '..'");
    }
    if path.chars().any(char::is_control) {
        return Err("contains a control character");
    }
    Ok(trimmed)
}

/// Whether one path is the other or lies within it.
pub fn overlaps(one: &str, other: &str) -> bool {
    let within = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    within(one, other) || within(other, one)
}

fn shorten(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_name_objects_and_directories() {
        let text = "\n  s3://data/a.csv -> /in/a.csv\n# a comment\ns3://data/images/ -> /in/images\n";
        let data = parse_inputs(text).expect("parses");
        let shown: Vec<_> = data.iter().map(|d| (d.uri.to_string(), d.path.as_str(), d.is_directory)).collect();
        assert_eq!(
            shown,
            [("s3://data/a.csv".to_owned(), "/in/a.csv", false), ("s3://data/images".to_owned(), "/in/images", true)]
        );
        let data = parse_outputs("/out/model/ -> s3://data/model").expect("parses");
        assert_eq!((data[0].path.as_str(), data[0].is_directory), ("/out/model", true));
    }

    #[test]
    fn the_manifest_is_beside_the_first_output() {
        let of = |uri: &str| manifest_uri(&ObjectUri::parse(uri).expect("parses")).map(|uri| uri.to_string());
        assert_eq!(of("s3://data/team/out").as_deref(), Ok("s3://data/team/out.manifest.json"));
        assert!(of("s3://data").is_err(), "another bucket's name is not beside a bucket");
        assert!(of(&format!("s3://data/{}", "k".repeat(1020))).is_err());
    }

    #[test]
    fn i12_bad_lines_are_refused_with_their_number() {
        for (text, reason) in [
            ("s3://bucket/k /in/a", "line 1: write s3://BUCKET/KEY -> /PATH"),
            ("s3://bucket/k -> in/a", "is not absolute"),
            ("s3://bucket/k -> /", "the root of the file system"),
            ("s3://bucket/k -> /in/../etc/passwd", "'..'"),
            ("s3://bucket/k -> /in//a", "empty segment"),
            ("s3://bucket/k -> /in/a\u{7}b", "control character"),
            ("s3://bucket/../k -> /in/a", "line 1: "),
            ("/in/a -> s3://bucket/k", "line 1: "),
            ("s3://bucket/k -> /in\n\ns3://bucket/l -> /in/a", "line 3: the path \"/in/a\" lies in"),
        ] {
            let error = parse_inputs(text).expect_err(text).to_string();
            assert!(error.contains(reason), "{text:?}: {error}");
        }
        let many = (0..=MAX_ENTRIES).map(|n| format!("s3://bucket/{n} -> /in/{n}\n")).collect::<String>();
        assert_eq!(parse_inputs(&many), Err(PodDataError::TooMany));
    }
}
