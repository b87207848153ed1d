//! The file of the rules, and the secrets that it names.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use penstock_spec::limits::Limits;
use penstock_spec::parse::read_yaml;
use reqwest::Url;
use serde::Deserialize;

use super::{Event, NotificationRules, Rule, STATES, Secret, Standing};
use crate::notifications::delivery;

/// Most rules.
const MOST_RULES: usize = 100;
const LONGEST_NAME: usize = 63;
/// Least bytes of a secret: fewer could be guessed.
const LEAST_SECRET: usize = 16;
/// Largest file of rules or secret, in bytes.
const LARGEST_FILE: u64 = 1 << 20;
/// What secrets of Standard Webhooks begin with; the rest is base64.
const SECRET_PREFIX: &str = "whsec_";
const GIVE_UP_AFTER: Duration = Duration::from_secs(3600);
const LONGEST_PATIENCE: Duration = Duration::from_secs(3 * 24 * 3600);

/// The rules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// A file cannot be read.
    #[error("cannot read {}, which is to hold {what}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// What it holds is not understood.
    #[error("the rules of notifications in {} cannot be used: {reason}", path.display())]
    Rules {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RulesFile {
    rules: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    url: String,
    secret_file: PathBuf,
    ca_file: Option<PathBuf>,
    #[serde(default)]
    events: BTreeSet<Event>,
    #[serde(default)]
    namespaces: BTreeSet<String>,
    #[serde(default)]
    pipelines: BTreeSet<String>,
    #[serde(default)]
    experiments: BTreeSet<String>,
    #[serde(default)]
    states: BTreeSet<String>,
    give_up_after: Option<String>,
}

impl NotificationRules {
    /// Reads a file of rules, and the secrets that it names. Paths in it are relative to it.
    pub fn load(path: &Path) -> Result<Self, RulesError> {
        let text = read(path, "rules of notifications")?;
        let wrong = |reason: String| RulesError::Rules { path: path.to_owned(), reason };
        let text = String::from_utf8(text).map_err(|_| wrong("it is not UTF-8".to_owned()))?;
        let mut documents = read_yaml(&text, &Limits::default()).map_err(|error| wrong(error.to_string()))?;
        let (Some(document), true) = (documents.pop(), documents.is_empty()) else {
            return Err(wrong("it is to hold one document with a list \"rules\"".to_owned()));
        };
        let file: RulesFile = serde_json::from_value(document).map_err(|error| wrong(error.to_string()))?;
        if file.rules.len() > MOST_RULES {
            return Err(wrong(format!("there are {} rules, and at most {MOST_RULES} are possible", file.rules.len())));
        }
        let directory = path.parent().unwrap_or(Path::new("."));
        let mut rules: Vec<Arc<Rule>> = Vec::with_capacity(file.rules.len());
        for entry in file.rules {
            let name = entry.name.clone();
            if rules.iter().any(|rule| rule.name == name) {
                return Err(wrong(format!("two rules have the name {name:?}")));
            }
            let secret = read(&directory.join(&entry.secret_file), "the secret of notifications")?;
            let ca =
                entry.ca_file.as_ref().map(|file| read(&directory.join(file), "certificates (PEM)")).transpose()?;
            let rule =
                Rule::new(entry, &secret, ca.as_deref()).map_err(|reason| wrong(format!("rule {name:?}: {reason}")))?;
            rules.push(Arc::new(rule));
        }
        Ok(Self(rules))
    }
}

fn read(path: &Path, what: &'static str) -> Result<Vec<u8>, RulesError> {
    use std::io::Read as _;
    let failed = |source| RulesError::Read { path: path.to_owned(), what, source };
    let mut bytes = Vec::new();
    std::fs::File::open(path).map_err(failed)?.take(LARGEST_FILE + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LARGEST_FILE {
        let text = format!("it has more than {LARGEST_FILE} bytes");
        return Err(failed(std::io::Error::new(std::io::ErrorKind::FileTooLarge, text)));
    }
    Ok(bytes)
}

impl Rule {
    fn new(entry: Entry, secret: &[u8], ca: Option<&[u8]>) -> Result<Self, String> {
        let Entry {
            name,
            url,
            secret_file,
            ca_file: _,
            events,
            namespaces,
            pipelines,
            experiments,
            states,
            give_up_after,
        } = entry;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(is_plain) {
            return Err(format!("a name has letters, digits, -, _ and ., at most {LONGEST_NAME}"));
        }
        let url = Url::parse(&url).map_err(|error| format!("url: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err("url begins with https:// or http://".to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("url holds no user and password: what is sent is signed".to_owned());
        }
        let secret = decode(secret).map_err(|reason| format!("secret_file {}: {reason}", secret_file.display()))?;
        let give_up_after = match give_up_after {
            None => GIVE_UP_AFTER,
            Some(text) => humantime::parse_duration(&text)
                .map_err(|error| format!("give_up_after: {error} (write 90s, 30m, 2h)"))?
                .min(LONGEST_PATIENCE),
        };
        let unknown = states.iter().find(|state| !STATES.contains(&state.as_str()));
        if let Some(state) = unknown {
            return Err(format!("states: {state:?} is none of {}", STATES.join(", ")));
        }
        let events = if events.is_empty() { BTreeSet::from([Event::RunEnded]) } else { events };
        let client = delivery::client(ca)?;
        let standing = Standing::default();
        Ok(Self {
            name,
            url,
            secret,
            give_up_after,
            events,
            namespaces,
            pipelines,
            experiments,
            states,
            client,
            standing,
        })
    }
}

fn decode(bytes: &[u8]) -> Result<Secret, String> {
    let bytes = bytes.trim_ascii();
    let secret = match bytes.strip_prefix(SECRET_PREFIX.as_bytes()) {
        Some(encoded) => STANDARD.decode(encoded).map_err(|_| format!("what follows {SECRET_PREFIX} is not base64"))?,
        None => bytes.to_vec(),
    };
    if secret.len() < LEAST_SECRET {
        return Err(format!("it holds {} bytes, and at least {LEAST_SECRET} are needed", secret.len()));
    }
    Ok(Secret(secret))
}
