use std::sync::Arc;

use penstock_metastore::{Append, Command, Metastore, NewRun, RunUpdate, StorageState};
use penstock_spec::run::{RunInfo, RunStatus};
use prometheus::{Registry, TextEncoder};
use serde_json::{Map, json};
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::api::ApiSettings;
use crate::runs::{NewSubmission, Submission, SubmissionError};

const HOUR: Duration = Duration::from_secs(3600);

/// Runs whose name says so leave something outside of the store.
#[derive(Debug)]
struct Pods;

#[async_trait::async_trait]
impl Submission for Pods {
    async fn submit(&self, _: NewSubmission) -> Result<(), SubmissionError> {
        Err(SubmissionError::Refused("nobody submits".to_owned()))
    }

    fn leaves_traces(&self, run: &RunRow) -> bool {
        run.info.name == "pods"
    }
}

struct World {
    api: Api,
    store: Metastore,
    registry: Registry,
    metrics: RetentionMetrics,
    _directory: TempDir,
}

impl World {
    async fn new() -> World {
        let directory = TempDir::new().unwrap();
        let store = Metastore::open(&directory.path().join("penstock.db")).await.unwrap();
        let api = Api::new(ApiSettings::default(), store.clone(), Arc::new(Pods)).await.unwrap();
        let registry = Registry::new();
        let metrics = RetentionMetrics::new(&registry).unwrap();
        World { api, store, registry, metrics, _directory: directory }
    }

    /// A run that ended some hours ago, or is under way.
    async fn run(&self, name: &str, ended: Option<u32>) -> Uuid {
        let (id, created_at) = (Uuid::new_v4(), Timestamp::now() - HOUR * 100);
        let info = RunInfo {
            id,
            name: name.to_owned(),
            display_name: name.to_owned(),
            pipeline_name: "train".to_owned(),
            namespace: String::new(),
            pipeline_root: String::new(),
            created_at,
            scheduled_at: created_at,
            caching: true,
            workspace: None,
        };
        let (pipeline_text, parameters, options) = (String::new(), Map::new(), json!({}));
        let registration = penstock_metastore::RunRegistration::default();
        self.store.create_run(NewRun { info, pipeline_text, parameters, options, registration }).await.unwrap();
        let mut append = Append::new(id, self.store.take_epoch(id).await.unwrap(), 0);
        let finished_at = ended.map(|hours| Timestamp::now() - HOUR * hours);
        let status = if ended.is_some() { RunStatus::Succeeded } else { RunStatus::Running };
        append.run_update = Some(RunUpdate { status, error: None, started_at: Some(created_at), finished_at });
        self.store.append(append).await.unwrap();
        id
    }

    /// One pass in batches of two, in which runs are kept for a day, and in the archive for so long.
    async fn pass(&self, kept_archived: Duration) -> Collected {
        let (archive_after, delete_after) = (Some(HOUR * 24), Some(kept_archived));
        let policy = RetentionPolicy { archive_after, delete_after, interval: HOUR, batch: 2 };
        let mut pass = Pass::new(&self.api, &self.metrics, policy.cutoffs(Timestamp::now()), policy.batch);
        pass.carry_out().await.unwrap();
        pass.report(&End::Done, HOUR);
        pass.collected
    }

    async fn is_archived(&self, run: Uuid) -> bool {
        self.store.run_record(run).await.unwrap().storage_state == StorageState::Archived
    }
}

#[tokio::test]
async fn what_was_kept_long_enough_is_drained_batch_by_batch_and_nothing_else() {
    let world = World::new().await;
    let mut old = Vec::new();
    for hours in 25..30 {
        old.push(world.run("old", Some(hours)).await);
    }
    let others = [world.run("young", Some(23)).await, world.run("under way", None).await];
    let collected = world.pass(HOUR).await;
    assert_eq!(collected, Collected { archived: 5, deleted: 0, failed: 0 });
    for run in &old {
        assert!(world.is_archived(*run).await);
    }
    let collected = world.pass(Duration::ZERO).await;
    assert_eq!(collected, Collected { archived: 0, deleted: 5, failed: 0 });
    for run in &old {
        assert!(world.store.run(*run).await.is_err());
    }
    for run in others {
        assert!(!world.is_archived(run).await);
    }
    // What somebody archives stays for as long as anything else.
    world.store.set_run_storage(others[0], StorageState::Archived).await.unwrap();
    assert_eq!(world.pass(HOUR).await, Collected::default());
    assert!(world.is_archived(others[0]).await);
    let counted = TextEncoder::new().encode_to_string(&world.registry.gather()).unwrap();
    for line in ["archived_total 5", "deleted_total 5", "passes_total{result=\"done\"} 3"] {
        assert!(counted.contains(&format!("penstock_runs_gc_{line}\n")), "{counted}");
    }
}

/// As when somebody deletes it.
#[tokio::test]
async fn what_a_run_has_left_is_removed_by_its_driver() {
    let world = World::new().await;
    let run = world.run("pods", Some(30)).await;
    world.pass(HOUR).await;
    assert_eq!(world.pass(Duration::ZERO).await.deleted, 1);
    assert!(world.store.run_record(run).await.is_err(), "it is hidden");
    let commands = world.store.pending_commands(run).await.unwrap();
    assert_eq!(commands.last().unwrap().command, Listed::Readable(Command::Remove));
}

#[tokio::test]
async fn the_end_is_not_waited_for() {
    let world = World::new().await;
    let policy = RetentionPolicy { archive_after: Some(HOUR), delete_after: None, interval: HOUR, batch: 2 };
    let shutdown = Shutdown::new();
    let running = tokio::spawn(run(world.api.clone(), policy, world.metrics.clone(), shutdown.clone()));
    let old = world.run("old", Some(2)).await;
    let started = std::time::Instant::now();
    while !world.is_archived(old).await {
        assert!(started.elapsed() < Duration::from_secs(60), "it looks soon after its start");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    shutdown.request();
    tokio::time::timeout(Duration::from_secs(10), running).await.expect("it ends").unwrap();
}
