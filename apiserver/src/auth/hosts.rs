//! Names that a server may be asked by.

use std::str::FromStr;

/// Longest name of a host.
const LONGEST: usize = 253;

/// A name of a host, or all names below one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedHost {
    /// In small letters.
    name: String,
    /// Whether it stands for what is below it, and not for itself.
    is_parent: bool,
}

/// A text that names no host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the name of a host, such as kfp.example.com or *.example.com: it takes no port, scheme or path")]
pub struct HostError(String);

impl FromStr for AllowedHost {
    type Err = HostError;

    /// `kfp.example.com`, or `*.example.com` for all names below `example.com`.
    fn from_str(text: &str) -> Result<Self, HostError> {
        let (name, is_parent) = text.strip_prefix("*.").map_or((text, false), |name| (name, true));
        let is_label = |label: &str| {
            let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            !label.is_empty() && label.bytes().all(is_inner)
        };
        match name.len() <= LONGEST && name.split('.').all(is_label) {
            true => Ok(Self { name: name.to_ascii_lowercase(), is_parent }),
            false => Err(HostError(text.to_owned())),
        }
    }
}

impl AllowedHost {
    /// Whether a name, without a port, is one of these.
    pub(crate) fn is(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        match self.is_parent {
            false => name == self.name,
            true => {
                name.strip_suffix(&self.name).and_then(|below| below.strip_suffix('.')).is_some_and(|b| !b.is_empty())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_whole() {
        let host = |text: &str| text.parse::<AllowedHost>().unwrap();
        assert!(host("KFP.example").is("kfp.EXAMPLE") && !host("kfp.example").is("a.kfp.example"));
        let below = host("*.example");
        assert!(below.is("a.example") && below.is("a.b.example"));
        assert!(!below.is("example") && !below.is(".example") && !below.is("anexample") && !below.is("a.example.evil"));
    }

    #[test]
    fn i31_what_names_no_host_is_refused() {
        for text in ["", "*", "*.", "a..b", "kfp.example:8888", "https://kfp.example", "a/b", "a.*.b", "ä.example", "."]
        {
            assert_eq!(text.parse::<AllowedHost>(), Err(HostError(text.to_owned())), "{text}");
        }
    }
}
