//! Rules in a file, which is read again when it changes.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use async_trait::async_trait;
use penstock_runtime::logs::chain;
use prometheus::{IntCounterVec, IntGauge, Opts, Registry};
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;
use tokio::time::sleep;

use super::{AccessRules, Action, Authorizer, Caller, Decision, ReviewError, RulesError};

/// Time between two looks at the file.
const LOOK: Duration = Duration::from_secs(5);
/// What is being written differs from what it was this long ago.
const SETTLE: Duration = Duration::from_millis(200);
/// Longest file.
const LARGEST: u64 = 1 << 20;

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RulesFileError {
    /// It cannot be read.
    #[error("{0}")]
    Read(#[from] io::Error),
    /// No file, or a large one.
    #[error("it is no file of at most {LARGEST} bytes")]
    Size,
    /// It is not text.
    #[error("it is not UTF-8")]
    Encoding,
    /// It holds something else.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// The registry has such numbers already.
    #[error("cannot set up metrics")]
    Metrics(#[from] prometheus::Error),
}

/// The rules of a file as it is by now. A file that cannot be used changes nothing: the rules before it stay, and say so.
#[derive(Debug)]
pub struct RulesFile(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    rules: RwLock<Arc<AccessRules>>,
    current: IntGauge,
    reads: IntCounterVec,
}

impl RulesFile {
    /// Reads the file, which must be of use, and looks at it as long as this value lives. Needs a runtime.
    pub async fn open(path: PathBuf, registry: &Registry) -> Result<Self, RulesFileError> {
        let content = read(&path).await?;
        let rules = RwLock::new(Arc::new(parse(&content)?));
        let current = IntGauge::new(
            "penstock_access_rules_current",
            "Whether the access rules in force are those of the file: 0 while it cannot be used.",
        )?;
        let reads = Opts::new(
            "penstock_access_rules_reads_total",
            "Times that the file of access rules had changed, by result: taken, or refused because it cannot be used.",
        );
        let reads = IntCounterVec::new(reads, &["result"])?;
        registry.register(Box::new(current.clone()))?;
        registry.register(Box::new(reads.clone()))?;
        current.set(1);
        let shared = Arc::new(Shared { path, rules, current, reads });
        tokio::spawn(watch(Arc::downgrade(&shared), content));
        Ok(Self(shared))
    }
}

/// Looks at the file until nobody has the rules any more.
async fn watch(shared: Weak<Shared>, content: Vec<u8>) {
    let mut last = Ok(content);
    loop {
        sleep(LOOK).await;
        let Some(shared) = shared.upgrade() else { return };
        let found = read(&shared.path).await.map_err(|error| chain(&error));
        if found == last {
            continue;
        }
        sleep(SETTLE).await;
        if read(&shared.path).await.map_err(|error| chain(&error)) != found {
            continue;
        }
        let rules = match &found {
            Ok(content) => parse(content).map_err(|error| chain(&error)),
            Err(reason) => Err(reason.clone()),
        };
        shared.take(rules);
        last = found;
    }
}

impl Shared {
    fn take(&self, rules: Result<AccessRules, String>) {
        let (is_current, result) = match rules {
            Ok(rules) => {
                tracing::info!(file = %self.path.display(), "the access rules have changed");
                // Nothing panics while it is held.
                *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
                (1, "taken")
            }
            Err(reason) => {
                let file = self.path.display();
                tracing::error!(%file, reason, "the file of --access-rules cannot be used: the rules before it stay");
                (0, "refused")
            }
        };
        self.current.set(is_current);
        self.reads.with_label_values(&[result]).inc();
    }
}

async fn read(path: &Path) -> Result<Vec<u8>, RulesFileError> {
    // A pipe would be waited for.
    if !tokio::fs::metadata(path).await?.is_file() {
        return Err(RulesFileError::Size);
    }
    let mut content = Vec::new();
    File::open(path).await?.take(LARGEST + 1).read_to_end(&mut content).await?;
    match content.len() as u64 > LARGEST {
        true => Err(RulesFileError::Size),
        false => Ok(content),
    }
}

fn parse(content: &[u8]) -> Result<AccessRules, RulesFileError> {
    let text = std::str::from_utf8(content).map_err(|_| RulesFileError::Encoding)?;
    Ok(AccessRules::parse(text)?)
}

#[async_trait]
impl Authorizer for RulesFile {
    async fn decide(&self, caller: &Caller, action: &Action) -> Result<Decision, ReviewError> {
        let rules = Arc::clone(&*self.0.rules.read().unwrap_or_else(PoisonError::into_inner));
        rules.decide(caller, action).await
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    struct Trial {
        folder: TempDir,
        file: RulesFile,
        registry: Registry,
    }

    fn rules_for(user: &str) -> String {
        format!("rules: [{{users: [{user}], namespaces: [team-a], may: edit}}]")
    }

    impl Trial {
        async fn start() -> Trial {
            let (folder, registry) = (TempDir::new().unwrap(), Registry::new());
            let path = folder.path().join("rules.yaml");
            std::fs::write(&path, rules_for("ann")).unwrap();
            let file = RulesFile::open(path, &registry).await.unwrap();
            Trial { folder, file, registry }
        }

        fn write(&self, content: impl AsRef<[u8]>) {
            std::fs::write(self.folder.path().join("rules.yaml"), content).unwrap();
        }

        async fn may(&self, user: &str) -> bool {
            let caller = Caller { user: user.to_owned(), groups: Vec::new() };
            let namespace = "team-a".to_owned();
            let action = Action { namespace, group: "pipelines.kubeflow.org", resource: "runs", verb: "get" };
            self.file.decide(&caller, &action).await.unwrap() == Decision::Allowed
        }

        /// Until the file was seen to have changed so many times.
        async fn wait(&self, result: &str, times: u64) {
            let wait = async {
                while self.file.0.reads.with_label_values(&[result]).get() < times {
                    sleep(Duration::from_millis(100)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(20), wait).await.expect("the change is seen");
        }

        fn metrics(&self) -> String {
            prometheus::TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap()
        }
    }

    #[tokio::test]
    async fn what_changes_counts_and_what_cannot_be_used_changes_nothing() {
        let trial = Trial::start().await;
        assert!(trial.may("ann").await && !trial.may("bob").await);
        trial.write(rules_for("bob"));
        trial.wait("taken", 1).await;
        assert!(!trial.may("ann").await && trial.may("bob").await);
        trial.write("rules: [{users: [eve]");
        trial.wait("refused", 1).await;
        assert!(trial.may("bob").await && !trial.may("eve").await);
        assert!(trial.metrics().contains("penstock_access_rules_current 0\n"), "{}", trial.metrics());
        std::fs::remove_file(trial.folder.path().join("rules.yaml")).unwrap();
        trial.wait("refused", 2).await;
        assert!(trial.may("bob").await);
        // As the volume of a ConfigMap changes: another file under the same name.
        std::fs::write(trial.folder.path().join("next"), rules_for("ann")).unwrap();
        symlink("next", trial.folder.path().join("rules.yaml")).unwrap();
        trial.wait("taken", 2).await;
        assert!(trial.may("ann").await && !trial.may("bob").await);
        assert!(trial.metrics().contains("penstock_access_rules_current 1\n"), "{}", trial.metrics());
    }

    #[tokio::test]
    async fn i31_a_file_that_is_of_no_use_at_the_start_is_refused() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("rules.yaml");
        let open = async || RulesFile::open(path.clone(), &Registry::new()).await.unwrap_err().to_string();
        assert!(open().await.contains("No such file"));
        for (content, reason) in [
            (vec![b' '; (1 << 20) + 1], "at most 1048576 bytes"),
            (vec![0xff], "not UTF-8"),
            (b"rules: 5".to_vec(), "does not hold rules"),
        ] {
            std::fs::write(&path, content).unwrap();
            assert!(open().await.contains(reason), "{reason}");
        }
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(open().await.contains("no file"));
    }
}
