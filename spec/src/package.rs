//! From the bytes of an uploaded file to the text of its documents. Archives are read in memory, entry by entry, and
//! nothing is ever written to a disk (T-01); what may be unpacked is capped while it streams (T-21).

use std::io::{Cursor, Read};

use crate::limits::Limits;

/// Name of the entry that wins in an archive.
const PIPELINE_ENTRY: &str = "pipeline.yaml";
/// Below this size no ratio is asked for: small files of repeated text pack very well.
const RATIO_FREE_BYTES: u64 = 1 << 20;

/// What an upload holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Text of one or two documents, YAML or JSON.
    pub pipeline_text: String,
}

/// Why an upload cannot be read.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum PackageError {
    #[error("file size too large ({bytes} bytes), maximum supported size: {limit}")]
    TooLarge { bytes: usize, limit: usize },
    #[error("the file is empty")]
    Empty,
    #[error(
        "unexpected pipeline file format of {name:?}: support .zip, .tar.gz, .json or YAML, but its content is no \
         archive and its name does not end in .yaml, .yml or .json"
    )]
    Format { name: String },
    #[error("the archive unpacks to more than {limit} bytes")]
    UnpackedTooLarge { limit: u64 },
    #[error("the archive unpacks to more than {ratio} times its size")]
    Ratio { ratio: u64 },
    #[error("the archive has more than {limit} entries")]
    TooManyEntries { limit: usize },
    #[error("the archive holds no file")]
    NoEntry,
    #[error("the archive's first entry {entry:?} is neither pipeline.yaml nor a YAML file")]
    Entry { entry: String },
    #[error("reading the zip archive")]
    Zip(#[source] zip::result::ZipError),
    #[error("reading the gzip archive")]
    Gzip(#[source] std::io::Error),
    #[error("the {encoding} text of the pipeline is invalid at byte {at}")]
    Encoding { encoding: &'static str, at: usize },
    #[error("the text of the pipeline holds a NUL character at byte {at}: this is binary data, not YAML")]
    Binary { at: usize },
}

/// Unpacks an upload. What the bytes are wins over what the name says.
pub fn unpack(file_name: &str, bytes: &[u8], limits: &Limits) -> Result<Package, PackageError> {
    if bytes.len() > limits.document_bytes {
        return Err(PackageError::TooLarge { bytes: bytes.len(), limit: limits.document_bytes });
    }
    let content;
    let bytes = if bytes.starts_with(b"PK") {
        content = from_zip(bytes, limits)?;
        content.as_slice()
    } else if bytes.starts_with(&[0x1f, 0x8b]) {
        content = from_tar_gz(bytes, limits)?;
        content.as_slice()
    } else if has_yaml_name(file_name) || has_suffix(file_name, ".json") {
        bytes
    } else {
        return Err(PackageError::Format { name: file_name.to_owned() });
    };
    decode(bytes).map(|pipeline_text| Package { pipeline_text })
}

fn has_suffix(name: &str, suffix: &str) -> bool {
    name.len() >= suffix.len()
        && name
            .as_bytes()
            .get(name.len() - suffix.len()..)
            .is_some_and(|end| end.eq_ignore_ascii_case(suffix.as_bytes()))
}

fn has_yaml_name(name: &str) -> bool {
    has_suffix(name, ".yaml") || has_suffix(name, ".yml")
}

/// The text of a document: UTF-8, or UTF-16 with a byte order mark.
pub fn decode(bytes: &[u8]) -> Result<String, PackageError> {
    let text = match bytes {
        [] => return Err(PackageError::Empty),
        [0xff, 0xfe, rest @ ..] => decode_utf16(rest, u16::from_le_bytes)?,
        [0xfe, 0xff, rest @ ..] => decode_utf16(rest, u16::from_be_bytes)?,
        [0xef, 0xbb, 0xbf, rest @ ..] | rest => match std::str::from_utf8(rest) {
            Ok(text) => text.to_owned(),
            Err(error) => return Err(PackageError::Encoding { encoding: "UTF-8", at: error.valid_up_to() }),
        },
    };
    match text.find('\0') {
        Some(at) => Err(PackageError::Binary { at }),
        None if text.trim().is_empty() => Err(PackageError::Empty),
        None => Ok(text),
    }
}

fn decode_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, PackageError> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let invalid = |at| PackageError::Encoding { encoding: "UTF-16", at };
    if !rest.is_empty() {
        return Err(invalid(bytes.len()));
    }
    let mut text = String::with_capacity(bytes.len() / 2);
    for (index, character) in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))).enumerate() {
        text.push(character.map_err(|_| invalid(2 + 2 * index))?);
    }
    Ok(text)
}

fn from_zip(bytes: &[u8], limits: &Limits) -> Result<Vec<u8>, PackageError> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(PackageError::Zip)?;
    if archive.len() > limits.archive_entries {
        return Err(PackageError::TooManyEntries { limit: limits.archive_entries });
    }
    let index = match archive.index_for_name(PIPELINE_ENTRY) {
        Some(index) => index,
        None => {
            if archive.is_empty() {
                return Err(PackageError::NoEntry);
            }
            let first = archive.by_index_raw(0).map_err(PackageError::Zip)?;
            let entry = first.name().map_err(PackageError::Zip)?;
            if !has_yaml_name(&entry) {
                return Err(PackageError::Entry { entry: entry.into_owned() });
            }
            0
        }
    };
    let entry = archive.by_index(index).map_err(PackageError::Zip)?;
    if !entry.is_file() {
        return Err(PackageError::Entry { entry: entry.name().map_err(PackageError::Zip)?.into_owned() });
    }
    read_capped(entry, bytes.len(), limits, |error| PackageError::Zip(error.into()))
}

fn from_tar_gz(bytes: &[u8], limits: &Limits) -> Result<Vec<u8>, PackageError> {
    let unpacked = read_capped(flate2::read::MultiGzDecoder::new(bytes), bytes.len(), limits, PackageError::Gzip)?;
    let mut archive = tar::Archive::new(unpacked.as_slice());
    let mut first = None;
    for (index, entry) in archive.entries().map_err(PackageError::Gzip)?.enumerate() {
        if index >= limits.archive_entries {
            return Err(PackageError::TooManyEntries { limit: limits.archive_entries });
        }
        let entry = entry.map_err(PackageError::Gzip)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if name == PIPELINE_ENTRY {
            return read_capped(entry, bytes.len(), limits, PackageError::Gzip);
        }
        if first.is_none() {
            let is_yaml = has_yaml_name(&name);
            let content =
                if is_yaml { read_capped(entry, bytes.len(), limits, PackageError::Gzip)? } else { Vec::new() };
            first = Some((name, is_yaml, content));
        }
    }
    match first {
        Some((_, true, content)) => Ok(content),
        Some((entry, false, _)) => Err(PackageError::Entry { entry }),
        None => Err(PackageError::NoEntry),
    }
}

/// Reads a stream that may be a bomb.
fn read_capped(
    mut stream: impl Read,
    packed: usize,
    limits: &Limits,
    failed: impl Fn(std::io::Error) -> PackageError,
) -> Result<Vec<u8>, PackageError> {
    let limit = limits.document_bytes as u64;
    let by_ratio = (packed as u64).saturating_mul(limits.archive_ratio).max(RATIO_FREE_BYTES);
    let mut content = Vec::new();
    (&mut stream).take(limit.min(by_ratio) + 1).read_to_end(&mut content).map_err(failed)?;
    if content.len() as u64 > limit {
        return Err(PackageError::UnpackedTooLarge { limit });
    }
    if content.len() as u64 > by_ratio {
        return Err(PackageError::Ratio { ratio: limits.archive_ratio });
    }
    Ok(content)
}

#[cfg(test)]
mod tests;
