//! A server that several users share, with things of two namespaces in its store.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::{Method, Request};
use penstock_apiserver::auth::{
    AccessRules, AccessSettings, Action, Authenticator, Authorizer, Caller, Decision, IdentityError, Presented,
    ReviewError, Sharing,
};
use penstock_apiserver::{Api, ApiSettings, NewSubmission, Submission, SubmissionError};
use penstock_engine::{Fact, NodeId, task_id};
use penstock_metastore::{
    Append, ArtifactRow, CountsFrom, Experiment, ExperimentField, Listing, Metastore, NewRun, PipelineField,
    PipelineVersion, RecurringRun, RecurringRunField, RecurringSource, RunField, RunRegistration, RunUpdate,
    StorageState, StoredPipeline, TaskRow, Trigger, VersionField,
};
use penstock_objectstore::{LocalAccess, StoreSettings, Stores};
use penstock_spec::Timestamp;
use penstock_spec::report::TaskOutputs;
use penstock_spec::run::{RunInfo, RunStatus, TaskStatus};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::dashboard::BUILT;
use crate::fixture::{Answer, PIPELINE, Server, shown};
use crate::recorded::{TASK, artifact, file_of, row};

/// The namespace of the things that tests name.
pub(crate) const NAMESPACE: &str = "team-a";
const OTHER: &str = "team-b";
const RULES: &str = "
rules:
  - {users: [viewer], namespaces: [team-a], may: view}
  - {users: [editor], namespaces: [team-a], may: edit}
  - {groups: [strangers], namespaces: [team-b], may: edit}
  - {users: [operator], namespaces: [penstock-system], may: edit}
";

/// What is taken away while a server is at work.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// Tokens that are no longer valid.
    pub(crate) tokens: HashSet<&'static str>,
    /// Users who may nothing any more.
    pub(crate) rights: HashSet<&'static str>,
    /// Whether nobody says what callers may do.
    pub(crate) silent: bool,
}

/// Tokens are names, except for some.
#[derive(Debug)]
struct Tokens(Arc<Mutex<Taken>>);

#[async_trait::async_trait]
impl Authenticator for Tokens {
    async fn identify(&self, presented: Presented<'_>) -> Result<Option<Caller>, IdentityError> {
        match presented.bearer()? {
            None => Ok(None),
            Some(ended) if self.0.lock().expect("no panic").tokens.contains(ended) => {
                Err(IdentityError::Refused("the bearer token is not valid: it has ended".to_owned()))
            }
            Some("forged") => Err(IdentityError::Refused("the bearer token is not valid".to_owned())),
            Some("unknowable") => Err(IdentityError::Unavailable("the issuer is away".to_owned())),
            Some(name) => Ok(Some(Caller { user: name.to_owned(), groups: vec![format!("{name}s")] })),
        }
    }
}

/// Rules that somebody cannot be looked up in.
#[derive(Debug)]
struct Rules(AccessRules, Arc<Mutex<Taken>>);

#[async_trait::async_trait]
impl Authorizer for Rules {
    async fn decide(&self, caller: &Caller, action: &Action) -> Result<Decision, ReviewError> {
        let is_taken = {
            let taken = self.1.lock().expect("no panic");
            if taken.silent {
                return Err(ReviewError("roles are away".to_owned()));
            }
            taken.rights.contains(caller.user.as_str())
        };
        match caller.user.as_str() {
            _ if is_taken => Ok(Decision::Denied("it was taken away".to_owned())),
            "lost" => Err(ReviewError("roles are away".to_owned())),
            _ => self.0.decide(caller, action).await,
        }
    }
}

/// Stores runs without looking at them.
#[derive(Debug)]
struct Runs(Metastore);

#[async_trait::async_trait]
impl Submission for Runs {
    async fn submit(&self, submission: NewSubmission) -> Result<(), SubmissionError> {
        let info = info(submission.id, &submission.display_name, &submission.namespace, "");
        let run = NewRun {
            info,
            pipeline_text: submission.pipeline_text,
            parameters: submission.parameters,
            options: json!({}),
            registration: submission.registration,
        };
        Ok(self.0.create_run(run).await?)
    }
}

fn info(id: Uuid, name: &str, namespace: &str, root: &str) -> RunInfo {
    let now = Timestamp::now();
    RunInfo {
        id,
        name: "hello-abcde".to_owned(),
        display_name: name.to_owned(),
        pipeline_name: "hello".to_owned(),
        namespace: namespace.to_owned(),
        pipeline_root: root.to_owned(),
        created_at: now,
        scheduled_at: now,
        caching: true,
        workspace: None,
    }
}

/// What there is. Ids of the other namespace say so.
pub(crate) struct Things {
    pub(crate) experiment: Uuid,
    pub(crate) pipeline: Uuid,
    version: Uuid,
    pub(crate) run: Uuid,
    recurring: Uuid,
    artifact: Uuid,
    pub(crate) imported: Uuid,
    pub(crate) foreign: Uuid,
    pub(crate) shared_pipeline: Uuid,
    pub(crate) other_experiment: Uuid,
    pub(crate) other_pipeline: Uuid,
    pub(crate) other_version: Uuid,
    pub(crate) other_recurring: Uuid,
}

impl Things {
    /// What stands for the names in paths.
    pub(crate) fn names(&self) -> Vec<(&'static str, String)> {
        let text = |id: Uuid| id.to_string();
        vec![
            ("experiment_id", text(self.experiment)),
            ("pipeline_id", text(self.pipeline)),
            ("pipeline_version_id", text(self.version)),
            ("name", "pipeline%20of%20team-a".to_owned()),
            ("run_id", text(self.run)),
            ("recurring_run_id", text(self.recurring)),
            ("node_id", text(task_id(self.run, TASK))),
            ("task_id", text(task_id(self.run, TASK))),
            ("attempt", "0".to_owned()),
            ("artifact_name", "out".to_owned()),
            ("artifact_id", text(self.artifact)),
            ("file", "favicon.svg".to_owned()),
            ("asset", "index-1a2b.js".to_owned()),
        ]
    }
}

pub(crate) struct Shared {
    pub(crate) server: Server,
    pub(crate) store: Metastore,
    pub(crate) things: Things,
    /// What tests take away.
    pub(crate) taken: Arc<Mutex<Taken>>,
    /// What [`Shared::state`] was in the beginning.
    pub(crate) at_first: String,
}

impl Shared {
    pub(crate) async fn start() -> Shared {
        Self::start_with(Sharing::default()).await
    }

    /// Where namespaces share something.
    pub(crate) async fn start_with(sharing: Sharing) -> Shared {
        let directory = TempDir::new().expect("a directory");
        let files = directory.path().to_owned();
        let store = Metastore::open(&files.join("penstock.db")).await.expect("a store");
        let local = LocalAccess::Beneath(vec![files.clone()]);
        let stores = Stores::new(StoreSettings { local, ..StoreSettings::default() }).expect("stores");
        let taken = Arc::<Mutex<Taken>>::default();
        let rules = Arc::new(Rules(AccessRules::parse(RULES).expect("rules"), Arc::clone(&taken)));
        let tokens = Arc::new(Tokens(Arc::clone(&taken)));
        let settings = ApiSettings {
            own_namespace: "penstock-system".to_owned(),
            stores: Some(Arc::new(stores)),
            access: AccessSettings::guarded(true, vec![tokens], rules).with_sharing(sharing),
            dashboard: BUILT,
            ..ApiSettings::default()
        };
        let submission = Arc::new(Runs(store.clone()));
        let api = Api::new(settings, store.clone(), submission).await.expect("a server");
        let things = fill(&store, &files).await;
        let mut shared = Shared { server: Server::over(api, directory), store, things, taken, at_first: String::new() };
        shared.at_first = shared.state().await;
        shared
    }

    /// A run in the namespace whose task is at work.
    pub(crate) async fn running(&self) -> Uuid {
        let id = Uuid::new_v4();
        let new = NewRun {
            info: info(id, "at work", NAMESPACE, "file:///nowhere"),
            pipeline_text: PIPELINE.to_owned(),
            parameters: Map::new(),
            options: json!({}),
            registration: RunRegistration::default(),
        };
        self.store.create_run(new).await.expect("a run");
        self.store.take_epoch(id).await.expect("an epoch");
        let mut append = Append::new(id, 1, 0);
        append.facts.push((Fact::AttemptStarted { node: NodeId(1), attempt: 0 }, Timestamp::now()));
        append.tasks.push(row(TASK, TaskStatus::Running, Some(0)));
        self.store.append(append).await.expect("it is stored");
        id
    }

    /// Everything that there is.
    pub(crate) async fn state(&self) -> String {
        let store = &self.store;
        let experiments = store.list_experiments(&Listing::by(ExperimentField::Id, 100)).await.expect("experiments");
        let pipelines = store.list_pipelines(&Listing::by(PipelineField::Id, 100)).await.expect("pipelines");
        let versions = Listing::by(VersionField::Id, 100);
        let versions = store.list_versions(self.things.pipeline, &versions).await.expect("versions");
        let runs = store.list_run_records(&Listing::by(RunField::Id, 100)).await.expect("runs");
        let recurring = Listing::by(RecurringRunField::Id, 100);
        let recurring = store.list_recurring_runs(&recurring).await.expect("recurring runs");
        format!("{experiments:#?}{pipelines:#?}{versions:#?}{runs:#?}{recurring:#?}")
    }

    pub(crate) async fn call(&self, method: Method, path: &str, token: &str, body: &str) -> Answer {
        let request = Request::builder().method(method).uri(path).header("authorization", format!("Bearer {token}"));
        let request = request.header("content-type", "application/json");
        self.server.send(request.body(Body::from(body.to_owned())).expect("a request")).await
    }

    pub(crate) async fn get(&self, path: &str, token: Option<&str>) -> Answer {
        match token {
            Some(token) => self.call(Method::GET, path, token, "").await,
            None => self.server.send(Request::get(path).body(Body::empty()).expect("a request")).await,
        }
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: &Value) -> Answer {
        self.call(Method::POST, path, token, &body.to_string()).await
    }
}

async fn fill(store: &Metastore, files: &Path) -> Things {
    let (own, other) = (Filled::new(store, files, NAMESPACE, 0).await, Filled::new(store, files, OTHER, 100).await);
    let shared_pipeline = pipeline(store, "", "shared 1").await.0;
    pipeline(store, "", "shared 2").await;
    Things {
        experiment: own.experiment,
        pipeline: own.pipeline.0,
        version: own.pipeline.1,
        run: own.run,
        recurring: own.recurring,
        artifact: Uuid::from_u128(1),
        imported: Uuid::from_u128(2),
        foreign: Uuid::from_u128(3),
        shared_pipeline,
        other_experiment: other.experiment,
        other_pipeline: other.pipeline.0,
        other_version: other.pipeline.1,
        other_recurring: other.recurring,
    }
}

/// One of each in a namespace.
struct Filled {
    experiment: Uuid,
    pipeline: (Uuid, Uuid),
    run: Uuid,
    recurring: Uuid,
}

impl Filled {
    async fn new(store: &Metastore, files: &Path, namespace: &str, first_artifact: u128) -> Filled {
        let experiment = Experiment {
            id: Uuid::new_v4(),
            namespace: namespace.to_owned(),
            name: format!("experiment of {namespace}"),
            description: String::new(),
            created_at: Timestamp::now(),
            storage_state: StorageState::Available,
            last_run_created_at: None,
        };
        let id = experiment.id;
        store.create_experiment(experiment).await.expect("an experiment");
        let pipeline = pipeline(store, namespace, &format!("pipeline of {namespace}")).await;
        let recurring = recurring(store, namespace, id).await;
        let run = run(store, files, namespace, id, first_artifact).await;
        Filled { experiment: id, pipeline, run, recurring }
    }
}

async fn pipeline(store: &Metastore, namespace: &str, name: &str) -> (Uuid, Uuid) {
    let (id, version) = (Uuid::new_v4(), Uuid::new_v4());
    let stored = StoredPipeline {
        id,
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        display_name: name.to_owned(),
        description: String::new(),
        created_at: Timestamp::now(),
        tags: Default::default(),
    };
    let first = PipelineVersion {
        id: version,
        pipeline: id,
        name: name.to_owned(),
        display_name: name.to_owned(),
        description: String::new(),
        created_at: Timestamp::now(),
        package_url: String::new(),
        code_source_url: String::new(),
        tags: Default::default(),
        spec: shown(),
        pipeline_text: PIPELINE.to_owned(),
    };
    store.create_pipeline(stored, Some(first)).await.expect("a pipeline");
    (id, version)
}

async fn recurring(store: &Metastore, namespace: &str, experiment: Uuid) -> Uuid {
    let (id, now) = (Uuid::new_v4(), Timestamp::now());
    let recurring = RecurringRun {
        id,
        namespace: namespace.to_owned(),
        display_name: format!("recurring run of {namespace}"),
        description: String::new(),
        experiment,
        created_at: now,
        updated_at: now,
        run_name: "hello-bcdfg".to_owned(),
        enabled: false,
        max_concurrency: 1,
        no_catchup: false,
        trigger: Trigger::Cron { expression: "0 0 9 * * 1-5".to_owned(), start: None, end: None },
        source: RecurringSource::Inline(shown().to_string()),
        parameters: Map::new(),
        pipeline_root: String::new(),
        service_account: "pipeline-runner".to_owned(),
        plugins_input: Map::new(),
        fired: 0,
        last_fired: None,
        counts_from: CountsFrom::Start,
        revision: 0,
        error: None,
    };
    store.create_recurring_run(recurring).await.expect("a recurring run");
    id
}

/// A run that has ended, with a log and artifacts: one that it stored, one that was imported, and one that it says it stored
/// where another namespace does.
async fn run(store: &Metastore, files: &Path, namespace: &str, experiment: Uuid, first_artifact: u128) -> Uuid {
    let id = Uuid::new_v4();
    let file = |namespace: &str, name: &str| {
        let path: PathBuf = files.join(namespace).join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(&path, b"0123456789").expect("a file");
        format!("file://{}", path.display())
    };
    // One name begins with the other (T-03).
    let foreign = format!("{namespace}-of-others");
    let root = format!("file://{}", files.join(namespace).display());
    let registration = RunRegistration { experiment: Some(experiment), ..RunRegistration::default() };
    let new = NewRun {
        info: info(id, &format!("run of {namespace}"), namespace, &root),
        pipeline_text: PIPELINE.to_owned(),
        parameters: Map::new(),
        options: json!({}),
        registration,
    };
    store.create_run(new).await.expect("a run");
    store.take_epoch(id).await.expect("an epoch");
    let log_uri = Some(file(namespace, "log"));
    let node = NodeId(1);
    let artifacts = [
        ("out", artifact(first_artifact + 1, &file(namespace, "model.txt"), file_of(10))),
        ("imported", artifact(first_artifact + 2, &file(namespace, "data.txt"), None)),
        ("foreign", artifact(first_artifact + 3, &file(&foreign, "secret.txt"), file_of(10))),
    ];
    let now = Timestamp::now();
    let mut append = Append::new(id, 1, 0);
    append.facts.push((Fact::AttemptStarted { node, attempt: 0 }, now));
    let succeeded = Fact::TaskSucceeded {
        node,
        attempt: Some(0),
        outputs: TaskOutputs::default(),
        cached_from: None,
        log_uri: log_uri.clone(),
        ran_on_host: false,
        timings: None,
    };
    append.facts.push((succeeded, now));
    let ended = serde_json::from_value(json!({"fact": "runEnded", "status": "SUCCEEDED", "outputs": {}}));
    append.facts.push((ended.expect("a fact"), now));
    append.tasks.push(TaskRow { log_uri, ..row(TASK, TaskStatus::Succeeded, Some(0)) });
    append.artifacts = artifacts
        .into_iter()
        .map(|(output, artifact)| ArtifactRow { node, output: output.to_owned(), position: 0, artifact })
        .collect();
    append.run_update =
        Some(RunUpdate { status: RunStatus::Succeeded, error: None, started_at: Some(now), finished_at: Some(now) });
    store.append(append).await.expect("it is stored");
    id
}
