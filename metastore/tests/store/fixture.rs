//! Values and stores that the tests share.

use penstock_engine::{Fact, NodeId};
use penstock_metastore::{Append, Metastore, NewRun, RunRegistration, RunUpdate, TaskKind, TaskRow};
use penstock_spec::Timestamp;
use penstock_spec::artifact::Artifact;
use penstock_spec::ir::ArtifactType;
use penstock_spec::run::{RunInfo, RunStatus, TaskStatus};
use serde_json::json;
use uuid::Uuid;

use crate::place::{Place, Raw};
pub(crate) use crate::place::{close, count, execute, execute_for};

/// A store in a place of its own.
pub(crate) struct Fixture {
    pub(crate) store: Metastore,
    pub(crate) place: Place,
}

impl Fixture {
    /// `None` after saying that the test is skipped.
    pub(crate) async fn new() -> Option<Self> {
        let place = Place::new().await?;
        let store = Metastore::open(place.location()).await.unwrap();
        Some(Self { store, place })
    }

    /// The same store once more, as another process has it.
    pub(crate) async fn open(&self) -> Metastore {
        Metastore::open(self.place.location()).await.unwrap()
    }

    /// A connection beside the store, to look at it or to damage it.
    pub(crate) async fn raw(&self) -> Raw {
        self.place.raw().await
    }

    /// A new run with epoch 1.
    pub(crate) async fn run(&self, number: u128) -> Uuid {
        let run = new_run(number);
        let id = run.info.id;
        self.store.create_run(run).await.unwrap();
        assert_eq!(self.store.take_epoch(id).await.unwrap(), 1);
        id
    }
}

impl Fixture {
    /// Gives a run of [`Fixture::run`] another status.
    pub(crate) async fn set_status(&self, run: Uuid, status: RunStatus, finished_at: Option<Timestamp>) {
        self.update(Append::new(run, 1, 0), status, finished_at).await;
    }

    /// Ends a run that has so many facts.
    pub(crate) async fn set_status_after(&self, run: Uuid, facts: u64, status: RunStatus) {
        self.update(Append::new(run, 1, facts), status, Some(at(0))).await;
    }

    /// Ends a run without facts whose claim has this epoch.
    pub(crate) async fn end_claimed(&self, run: Uuid, epoch: u64) {
        self.update(Append::new(run, epoch, 0), RunStatus::Succeeded, Some(at(0))).await;
    }

    async fn update(&self, mut append: Append, status: RunStatus, finished_at: Option<Timestamp>) {
        append.run_update = Some(RunUpdate { status, error: None, started_at: Some(at(0)), finished_at });
        self.store.append(append).await.unwrap();
    }
}

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

/// Runs with a greater number are newer.
pub(crate) fn new_run(number: u128) -> NewRun {
    let created_at = at(i64::try_from(number).unwrap());
    let parameters = json!({"n": number as u64, "text": "ä\u{0}\n"});
    NewRun {
        info: RunInfo {
            id: Uuid::from_u128((number << 64) | 0xbeef),
            name: format!("train-{number:05}"),
            display_name: format!("Train {number}"),
            pipeline_name: "train".to_owned(),
            namespace: String::new(),
            pipeline_root: "s3://bucket/root".to_owned(),
            created_at,
            scheduled_at: created_at,
            caching: true,
            workspace: None,
        },
        pipeline_text: "pipelineInfo: {name: train}\n".to_owned(),
        parameters: parameters.as_object().unwrap().clone(),
        options: json!({"hostCommands": false}),
        registration: RunRegistration::default(),
    }
}

pub(crate) fn fact(number: u32) -> (Fact, Timestamp) {
    (Fact::AttemptStarted { node: NodeId(number), attempt: 0 }, at(i64::from(number)))
}

/// An append of one fact.
pub(crate) fn one_fact(run: Uuid, epoch: u64, expected: u64) -> Append {
    let mut append = Append::new(run, epoch, expected);
    append.facts.push(fact(u32::try_from(expected).unwrap()));
    append
}

pub(crate) fn task(node: u32, path: &str) -> TaskRow {
    TaskRow {
        node: NodeId(node),
        parent: (node > 0).then_some(NodeId(0)),
        path: path.to_owned(),
        key: path.to_owned(),
        display_name: path.to_owned(),
        kind: TaskKind::Container,
        status: TaskStatus::Running,
        attempt: Some(0),
        cached: false,
        iteration: None,
        started_at: Some(at(1)),
        finished_at: None,
        error: None,
        reason: None,
        log_uri: None,
        outputs: None,
    }
}

pub(crate) fn artifact(number: u128, uri: &str, metadata: &serde_json::Value) -> Artifact {
    Artifact {
        id: Uuid::from_u128(number),
        name: "model".to_owned(),
        artifact_type: ArtifactType { schema_title: "system.Model".to_owned(), ..ArtifactType::default() },
        uri: uri.to_owned(),
        metadata: metadata.as_object().unwrap().clone(),
        content: None,
    }
}
