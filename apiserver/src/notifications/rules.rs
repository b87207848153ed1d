//! The rules: a file of the operator's.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use penstock_metastore::FeedChange;
use penstock_spec::limits::Limits;
use penstock_spec::parse::read_yaml;
use reqwest::Url;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::standing::Standing;

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

/// The rules of a file.
#[derive(Debug, Default)]
pub struct NotificationRules(Vec<Arc<Rule>>);

/// A rule: where to send what.
pub struct Rule {
    /// Its name, under which its place is stored.
    pub(super) name: String,
    pub(super) url: Url,
    pub(super) secret: Secret,
    /// How long a notification is tried.
    pub(super) give_up_after: Duration,
    events: BTreeSet<Event>,
    namespaces: BTreeSet<String>,
    pipelines: BTreeSet<String>,
    experiments: BTreeSet<String>,
    states: BTreeSet<String>,
    pub(super) client: reqwest::Client,
    pub(crate) standing: Standing,
}

/// What can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) enum Event {
    /// A run was created.
    #[serde(rename = "run.created")]
    RunCreated,
    /// A run has another state.
    #[serde(rename = "run.state")]
    RunState,
    /// A run ended.
    #[serde(rename = "run.ended")]
    RunEnded,
    /// A run was deleted.
    #[serde(rename = "run.deleted")]
    RunDeleted,
    /// A task ended.
    #[serde(rename = "task.ended")]
    TaskEnded,
}

impl Event {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::RunCreated => "run.created",
            Self::RunState => "run.state",
            Self::RunEnded => "run.ended",
            Self::RunDeleted => "run.deleted",
            Self::TaskEnded => "task.ended",
        }
    }
}

/// What messages are signed with.
pub(super) struct Secret(pub(super) Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(..)")
    }
}

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
struct File {
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
        let file: File = serde_json::from_value(document).map_err(|error| wrong(error.to_string()))?;
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

    /// All of them.
    pub(crate) fn all(&self) -> &[Arc<Rule>] {
        &self.0
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

impl fmt::Debug for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The path of its URL may be a secret.
        formatter
            .debug_struct("Rule")
            .field("name", &self.name)
            .field("receiver", &self.origin())
            .finish_non_exhaustive()
    }
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
        let client = super::delivery::client(ca)?;
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

    /// What the rule has to tell of a change, leaving aside its experiment.
    pub(super) fn event_of(&self, change: &FeedChange) -> Option<Event> {
        let event = *events_of(change).iter().find(|event| self.events.contains(event))?;
        let text = |name: &str| change.detail.get(name).and_then(Value::as_str).unwrap_or_default();
        let is_meant = |wanted: &BTreeSet<String>, found: &str| wanted.is_empty() || wanted.contains(found);
        let is_meant = is_meant(&self.namespaces, &change.namespace)
            && is_meant(&self.pipelines, text("pipeline_name"))
            && is_meant(&self.states, text("state"));
        is_meant.then_some(event)
    }

    /// Whether a change is of an experiment that the rule is for, as far as ids say.
    pub(super) fn is_of_experiment(&self, change: &FeedChange) -> bool {
        let is_named = |id: Uuid| self.experiments.contains(&id.to_string());
        self.experiments.is_empty() || experiment_of(change).is_some_and(is_named)
    }

    /// Whether the rule is for an experiment of this name.
    pub(super) fn names_experiment(&self, name: &str) -> bool {
        self.experiments.contains(name)
    }

    /// The rule's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Where it sends to, without the path: that may be all that keeps others from sending there.
    pub(crate) fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }
}

/// States of runs and tasks.
const STATES: [&str; 8] = ["PENDING", "RUNNING", "SUCCEEDED", "SKIPPED", "FAILED", "CANCELING", "CANCELED", "PAUSED"];

/// What a change is, the narrowest first.
fn events_of(change: &FeedChange) -> &'static [Event] {
    match change.kind.as_str() {
        "run_created" => &[Event::RunCreated],
        "run_state" if change.detail.get("ended") == Some(&Value::Bool(true)) => &[Event::RunEnded, Event::RunState],
        "run_state" => &[Event::RunState],
        "run_deleted" => &[Event::RunDeleted],
        "task_ended" => &[Event::TaskEnded],
        _ => &[],
    }
}

/// The experiment of a change's run.
pub(super) fn experiment_of(change: &FeedChange) -> Option<Uuid> {
    change.detail.get("experiment_id")?.as_str()?.parse().ok()
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

#[cfg(test)]
mod tests {
    use penstock_spec::Timestamp;
    use serde_json::json;

    use super::*;

    fn loaded(text: &str, secret: &str) -> Result<NotificationRules, String> {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("secret"), secret).unwrap();
        let path = directory.path().join("rules.yaml");
        std::fs::write(&path, text).unwrap();
        NotificationRules::load(&path).map_err(|error| penstock_runtime::logs::chain(&error))
    }

    const SECRET: &str = "0123456789abcdef0123456789abcdef\n";

    #[allow(clippy::needless_pass_by_value, reason = "callers write json!(...)")]
    fn change(kind: &str, namespace: &str, detail: Value) -> FeedChange {
        let detail = detail.as_object().unwrap().clone();
        let (run, at) = (Uuid::from_u128(1), Timestamp::UNIX_EPOCH);
        FeedChange { id: 1, namespace: namespace.to_owned(), run, kind: kind.to_owned(), at, detail }
    }

    #[test]
    fn rules_say_what_is_told() {
        let text = "
rules:
- name: failures
  url: https://example.com/hook
  secret_file: secret
  events: [run.ended, task.ended]
  namespaces: [team]
  pipelines: [train]
  states: [FAILED]
- {name: all, url: 'http://127.0.0.1:1/x', secret_file: secret, experiments: [Default]}
";
        let rules = loaded(text, SECRET).unwrap();
        let [failures, all] = rules.all() else { panic!("{rules:?}") };
        let failed = json!({"state": "FAILED", "ended": true, "pipeline_name": "train"});
        assert_eq!(failures.event_of(&change("run_state", "team", failed.clone())), Some(Event::RunEnded));
        assert_eq!(failures.event_of(&change("task_ended", "team", failed.clone())), Some(Event::TaskEnded));
        assert_eq!(failures.event_of(&change("run_state", "other", failed.clone())), None);
        assert_eq!(failures.event_of(&change("run_created", "team", failed.clone())), None);
        for differs in [
            json!({"state": "SUCCEEDED", "ended": true, "pipeline_name": "train"}),
            json!({"state": "FAILED", "ended": true}),
        ] {
            assert_eq!(failures.event_of(&change("run_state", "team", differs)), None);
        }
        assert_eq!(all.event_of(&change("run_state", "", json!({"state": "RUNNING", "ended": false}))), None);
        assert_eq!(all.event_of(&change("run_state", "", failed.clone())), Some(Event::RunEnded));
        assert!(
            failures.is_of_experiment(&change("run_state", "", failed.clone()))
                && !all.is_of_experiment(&change("run_state", "", failed))
        );
        assert!(all.names_experiment("Default"));
        assert_eq!(failures.origin(), "https://example.com");
        let shown = format!("{rules:?}");
        assert!(!shown.contains("0123456789") && !shown.contains("hook"), "secrets are not shown: {shown}");
    }

    #[test]
    fn i31_rules_that_are_not_understood_are_refused() {
        let rule = |more: &str| format!("rules: [{{name: a, url: 'https://example.com', secret_file: secret{more}}}]");
        assert!(loaded(&rule(""), SECRET).is_ok());
        assert!(loaded(&rule(""), "whsec_MDEyMzQ1Njc4OWFiY2RlZg==").is_ok());
        for (text, secret, expected) in [
            (rule(""), "short", "at least 16"),
            (rule(""), "whsec_?", "not base64"),
            (rule(", events: [run.exploded]"), SECRET, "run.exploded"),
            (rule(", states: [BROKEN]"), SECRET, "BROKEN"),
            (rule(", give_up_after: soon"), SECRET, "give_up_after"),
            (rule(", secrets: x"), SECRET, "secrets"),
            (rule("").replace("https://example.com", "ftp://x"), SECRET, "https://"),
            (rule("").replace("https://example.com", "https://u:p@x"), SECRET, "user and password"),
            (rule("").replace("name: a", "name: a b"), SECRET, "letters"),
            (rule("").replace("secret_file: secret", "secret_file: gone"), SECRET, "gone"),
            ("rules: {}".to_owned(), SECRET, "invalid type"),
            ("[".to_owned(), SECRET, "yaml"),
        ] {
            let error = loaded(&text, secret).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
