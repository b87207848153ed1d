//! Experiments: what users group their runs by.

mod archive;

use std::borrow::Cow;

use penstock_spec::Timestamp;
use uuid::Uuid;

use crate::Metastore;
use crate::catalog::{CatalogOperation, expect_row};
use crate::codec::{Reason, column, encode_time, time, time_unless_zero, word};
use crate::database::{Connection, Dialect, Row, query};
use crate::error::MetastoreError;
use crate::listing::{Entity, ExperimentField, Listing, Page, by_name};
use crate::recurring;
use crate::rows::StorageState;
use crate::statements::Answer;

pub(crate) use archive::archive_some;

/// An experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Experiment {
    /// Identity.
    pub id: Uuid,
    /// Namespace; empty on a machine of its own.
    pub namespace: String,
    /// Name, unique in the namespace without regard to case.
    pub name: String,
    /// What somebody says of it.
    pub description: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// In use or put away.
    pub storage_state: StorageState,
    /// When the newest of its runs was created.
    pub last_run_created_at: Option<Timestamp>,
}

pub(crate) const KIND: &str = "experiment";

impl Entity for Experiment {
    type Field = ExperimentField;
    const KIND: &'static str = KIND;
    const TABLE: &'static str = "experiments";
    fn columns(_dialect: Dialect) -> Cow<'static, str> {
        Cow::Borrowed("id, namespace, name, description, created_at, last_run_created_at, storage_state")
    }

    fn read(row: &Row) -> Result<Self, Reason> {
        Ok(Self {
            id: column(row, "id")?,
            namespace: column(row, "namespace")?,
            name: column(row, "name")?,
            description: column(row, "description")?,
            created_at: time(row, "created_at")?,
            storage_state: word(row, "storage_state")?,
            last_run_created_at: time_unless_zero(row, "last_run_created_at")?,
        })
    }
}

/// Each namespace once, from one to the next: there are many experiments, and few namespaces.
const NAMESPACES: &str = "WITH RECURSIVE found (namespace) AS (
    SELECT MIN(namespace) FROM experiments
    UNION ALL
    SELECT (SELECT MIN(experiments.namespace) FROM experiments WHERE experiments.namespace > found.namespace) FROM found
    WHERE found.namespace IS NOT NULL
) SELECT namespace FROM found WHERE namespace IS NOT NULL";

impl Metastore {
    /// Creates an experiment. [`MetastoreError::NameTaken`] if its namespace has one of this name.
    pub async fn create_experiment(&self, experiment: Experiment) -> Result<(), MetastoreError> {
        self.submit(CatalogOperation::CreateExperiment(experiment)).await
    }

    /// Creates an experiment unless its namespace has one of this name; returns the one that there is.
    pub async fn ensure_experiment(&self, experiment: Experiment) -> Result<Experiment, MetastoreError> {
        let (namespace, name) = (experiment.namespace.clone(), experiment.name.clone());
        self.submit(CatalogOperation::EnsureExperiment(experiment)).await?;
        // It may have been deleted in between.
        self.experiment_by_name(&namespace, &name).await?.ok_or_else(|| MetastoreError::not_found(KIND, &name))
    }

    /// An experiment.
    pub async fn experiment(&self, experiment: Uuid) -> Result<Experiment, MetastoreError> {
        self.find(experiment).await?.ok_or_else(|| MetastoreError::not_found(KIND, &experiment))
    }

    /// The experiment of a name, if there is one.
    pub async fn experiment_by_name(&self, namespace: &str, name: &str) -> Result<Option<Experiment>, MetastoreError> {
        let sql = by_name::<Experiment>(self.readers.dialect(), namespace, name);
        self.find_by(sql, || format!("{name:?}")).await
    }

    /// Archives an experiment together with all its runs, and disables its recurring runs; or takes the experiment, and it
    /// alone, out of the archive.
    ///
    /// Many runs are archived in several transactions, between which others store what they have. The experiment follows in
    /// the last, with what is left of its runs; until then it is in use, and what ends in between can be asked for again.
    pub async fn set_experiment_storage(&self, experiment: Uuid, state: StorageState) -> Result<(), MetastoreError> {
        let at = encode_time(Timestamp::now());
        if state == StorageState::Archived {
            let page = || CatalogOperation::ArchiveRuns { experiment, at };
            while self.submit_for_answer(page()).await? == archive::PAGE as Answer {}
        }
        self.submit(CatalogOperation::StoreExperiment { experiment, state, at }).await
    }

    /// Deletes an experiment. Its runs stay, and go on naming it.
    pub async fn delete_experiment(&self, experiment: Uuid) -> Result<(), MetastoreError> {
        self.submit(CatalogOperation::DeleteExperiment { experiment }).await
    }

    /// Namespaces that experiments are of.
    pub async fn namespaces_of_experiments(&self) -> Result<Vec<String>, MetastoreError> {
        query(NAMESPACES)
            .fetch_values(&self.readers, "namespace")
            .await
            .map_err(|error| MetastoreError::database("list the namespaces of experiments", error))
    }

    /// Experiments.
    pub async fn list_experiments(
        &self,
        listing: &Listing<ExperimentField>,
    ) -> Result<Page<Experiment>, MetastoreError> {
        self.list(listing, None).await
    }
}

pub(crate) async fn create(
    connection: &mut Connection,
    experiment: &Experiment,
) -> Result<Result<Answer, MetastoreError>, sqlx::Error> {
    let created = ensure(connection, experiment).await?;
    let taken = || MetastoreError::NameTaken { kind: KIND, name: experiment.name.clone() };
    Ok(if created > 0 { Ok(created) } else { Err(taken()) })
}

pub(crate) async fn ensure(connection: &mut Connection, experiment: &Experiment) -> Result<Answer, sqlx::Error> {
    let Experiment { id, namespace, name, description, created_at, storage_state, last_run_created_at } = experiment;
    let name_key = connection.dialect().folded("name");
    let created = query(format!(
        "INSERT INTO experiments (id, namespace, name, description, created_at, last_run_created_at, storage_state) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (namespace, {name_key}) DO NOTHING"
    ))
    .bind(id)
    .bind(namespace)
    .bind(name)
    .bind(description)
    .bind(encode_time(*created_at))
    .bind(last_run_created_at.map_or(0, encode_time))
    .bind(storage_state.as_str())
    .execute(connection)
    .await?;
    Ok(created)
}

pub(crate) async fn store(
    connection: &mut Connection,
    experiment: Uuid,
    state: StorageState,
    at: i64,
) -> Result<Result<Answer, MetastoreError>, sqlx::Error> {
    let stored = query("UPDATE experiments SET storage_state = $2 WHERE id = $1")
        .bind(experiment)
        .bind(state.as_str())
        .execute(&mut *connection)
        .await?;
    if stored == 0 {
        return Ok(Err(MetastoreError::not_found(KIND, &experiment)));
    }
    if state == StorageState::Archived {
        archive::archive_rest(connection, experiment, at).await?;
        recurring::disable_of(connection, experiment, at).await?;
    }
    Ok(Ok(1))
}

pub(crate) async fn delete(
    connection: &mut Connection,
    experiment: Uuid,
) -> Result<Result<Answer, MetastoreError>, sqlx::Error> {
    let deleted = query("DELETE FROM experiments WHERE id = $1").bind(experiment).execute(connection).await?;
    Ok(expect_row(deleted, KIND, experiment))
}
