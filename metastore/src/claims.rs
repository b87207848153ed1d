//! Who drives a run on a machine: one of several processes that share a store, wherever they are.
//!
//! A claim keeps two machines from carrying out the same tasks; what keeps two drivers from both storing facts is the
//! epoch, which changes with every claim. A process that has claims raises its *beat* every few seconds. Others judge it by
//! how long *they* have seen the same beat, never by a time, which is another clock's (R4); whoever takes a run over names
//! the beat that it saw, so that a process that was only slow is not robbed.

use std::time::Duration;

use penstock_spec::Timestamp;
use uuid::Uuid;

use crate::Metastore;
use crate::codec::{Reason, column, count, encode_count, encode_time};
use crate::database::{Connection, Row, query};
use crate::error::MetastoreError;
use crate::statements::{Answer, Operation, take_epoch};

/// What is left of a process that has no runs is removed after this time without a word.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// A process that drives runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimant {
    /// The process: no two ever have the same.
    pub driver: Uuid,
    /// The data directory that files and processes of its runs belong to.
    pub data_dir: Uuid,
    /// What people call it.
    pub name: String,
    /// How long others see no new beat of it before they take its runs over.
    pub silence: Duration,
}

/// A run that a process has for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunClaim {
    /// The process.
    pub claimant: Claimant,
    /// Its newest beat.
    pub beat: u64,
    /// The run's epoch since it was claimed.
    pub epoch: u64,
}

/// A process as it was seen: by the beat after which there was none for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SilentDriver {
    /// The process.
    pub driver: Uuid,
    /// Its last beat.
    pub beat: u64,
}

/// A request to the writer that is about claims.
#[derive(Debug)]
pub(crate) enum ClaimOperation {
    Take { run: Uuid, claimant: Claimant, silent: Option<SilentDriver>, now: i64 },
    Release { run: Uuid, driver: Uuid, epoch: u64 },
    Beat { claimant: Claimant, now: i64 },
    Leave { driver: Uuid },
}

impl Metastore {
    /// Takes a run for a process, and with it a new epoch, which is returned: from then on, appends with an older one are
    /// refused. It is to be had if nobody has it, if the process itself or one of the same data directory has, and if
    /// whoever has it is `silent`. That nobody of the same data directory is at work on it is for the caller to know.
    pub async fn claim_run(
        &self,
        run: Uuid,
        claimant: &Claimant,
        silent: Option<SilentDriver>,
    ) -> Result<u64, MetastoreError> {
        let (claimant, now) = (claimant.clone(), encode_time(Timestamp::now()));
        self.claims(ClaimOperation::Take { run, claimant, silent, now }).await
    }

    /// Gives a run back, if the process still has it since this epoch.
    pub async fn release_run(&self, run: Uuid, driver: Uuid, epoch: u64) -> Result<(), MetastoreError> {
        self.claims(ClaimOperation::Release { run, driver, epoch }).await.map(drop)
    }

    /// Says that a process that has runs is alive.
    pub async fn beat(&self, claimant: &Claimant) -> Result<(), MetastoreError> {
        let (claimant, now) = (claimant.clone(), encode_time(Timestamp::now()));
        self.claims(ClaimOperation::Beat { claimant, now }).await.map(drop)
    }

    /// Takes note that a process ends. If it still has runs, others wait as for one that was killed.
    pub async fn leave(&self, driver: Uuid) -> Result<(), MetastoreError> {
        self.claims(ClaimOperation::Leave { driver }).await.map(drop)
    }

    async fn claims(&self, operation: ClaimOperation) -> Result<u64, MetastoreError> {
        self.writer.submit(Operation::Claim(Box::new(operation))).await
    }

    /// Who has a run.
    pub async fn run_claim(&self, run: Uuid) -> Result<Option<RunClaim>, MetastoreError> {
        let row = query(format!("SELECT {CLAIM_COLUMNS} FROM run_claims {JOIN_DRIVERS} WHERE run_claims.run_id = $1"))
            .bind(run)
            .fetch_optional(&self.readers)
            .await
            .map_err(|error| MetastoreError::database(format!("look who drives run {run}"), error))?;
        let claim = row.map_or(Ok(None), |row| claim(&row));
        claim.map_err(|reason| MetastoreError::Unreadable { row: format!("the claim on run {run}"), reason })
    }

    /// The runs that a process has, with their epochs.
    pub async fn runs_of_driver(&self, driver: Uuid) -> Result<Vec<(Uuid, u64)>, MetastoreError> {
        let rows = query("SELECT run_id, epoch FROM run_claims WHERE driver_id = $1")
            .bind(driver)
            .fetch_all(&self.readers)
            .await
            .map_err(|error| MetastoreError::database("look which runs this process drives", error))?;
        let read = |row: &Row| Ok((column(row, "run_id")?, count(row, "epoch")?));
        let unreadable = |reason| MetastoreError::Unreadable { row: format!("a claim of driver {driver}"), reason };
        rows.iter().map(|row| read(row).map_err(unreadable)).collect()
    }
}

/// What [`claim`] reads.
pub(crate) const CLAIM_COLUMNS: &str = "run_claims.driver_id AS driver_id, drivers.data_dir AS driver_data_dir, \
    drivers.name AS driver_name, drivers.silence AS driver_silence, drivers.beat AS driver_beat, \
    run_claims.epoch AS claim_epoch";
/// To the process that has a run.
const JOIN_DRIVERS: &str = "JOIN drivers ON drivers.id = run_claims.driver_id";

/// The claim of a row that may have none.
pub(crate) fn claim(row: &Row) -> Result<Option<RunClaim>, Reason> {
    let Some(driver) = column::<Option<Uuid>>(row, "driver_id")? else { return Ok(None) };
    Ok(Some(RunClaim {
        claimant: Claimant {
            driver,
            data_dir: column(row, "driver_data_dir")?,
            name: column(row, "driver_name")?,
            silence: Duration::from_nanos(count(row, "driver_silence")?),
        },
        beat: count(row, "driver_beat")?,
        epoch: count(row, "claim_epoch")?,
    }))
}

impl ClaimOperation {
    /// What is attempted, for error texts.
    pub(crate) fn description(&self) -> String {
        match self {
            Self::Take { run, .. } => format!("take over run {run}"),
            Self::Release { run, .. } => format!("give run {run} back"),
            Self::Beat { .. } => "say that this process is alive".to_owned(),
            Self::Leave { .. } => "say that this process ends".to_owned(),
        }
    }

    /// Carries it out; the answer to a claim is the run's epoch.
    pub(crate) async fn apply(
        &self,
        connection: &mut Connection,
    ) -> Result<Result<Answer, MetastoreError>, sqlx::Error> {
        match self {
            Self::Take { run, claimant, silent, now } => take(connection, *run, claimant, *silent, *now).await,
            Self::Release { run, driver, epoch } => {
                let sql = "DELETE FROM run_claims WHERE run_id = $1 AND driver_id = $2 AND epoch = $3";
                let released = query(sql).bind(*run).bind(*driver).bind(encode_count(*epoch));
                released.execute(connection).await.map(Ok)
            }
            Self::Beat { claimant, now } => beat(connection, claimant, *now).await.map(|()| Ok(1)),
            Self::Leave { driver } => forget(connection, *driver).await.map(Ok),
        }
    }
}

async fn take(
    connection: &mut Connection,
    run: Uuid,
    claimant: &Claimant,
    silent: Option<SilentDriver>,
    now: i64,
) -> Result<Result<Answer, MetastoreError>, sqlx::Error> {
    // Nothing changes between this look and what follows: transactions that write follow each other.
    let row = query(format!("SELECT {CLAIM_COLUMNS} FROM run_claims {JOIN_DRIVERS} WHERE run_claims.run_id = $1"))
        .bind(run)
        .fetch_optional(&mut *connection)
        .await?;
    let before = match row.map_or(Ok(None), |row| claim(&row)) {
        Ok(before) => before,
        Err(reason) => {
            return Ok(Err(MetastoreError::Unreadable { row: format!("the claim on run {run}"), reason }));
        }
    };
    if let Some(before) = &before
        && !is_to_be_had(before, claimant, silent)
    {
        return Ok(Err(MetastoreError::Claimed { run, driver: before.claimant.name.clone() }));
    }
    let epoch = match take_epoch(connection, run).await? {
        Ok(epoch) => epoch,
        Err(error) => return Ok(Err(error)),
    };
    beat(connection, claimant, now).await?;
    query(
        "INSERT INTO run_claims (run_id, driver_id, epoch) VALUES ($1, $2, $3) \
         ON CONFLICT (run_id) DO UPDATE SET driver_id = excluded.driver_id, epoch = excluded.epoch",
    )
    .bind(run)
    .bind(claimant.driver)
    .bind(encode_count(epoch))
    .execute(&mut *connection)
    .await?;
    if let Some(before) = before.filter(|before| before.claimant.driver != claimant.driver) {
        forget(connection, before.claimant.driver).await?;
    }
    Ok(Ok(epoch))
}

/// Whether a run that somebody has is to be had by somebody else.
fn is_to_be_had(claim: &RunClaim, claimant: &Claimant, silent: Option<SilentDriver>) -> bool {
    let RunClaim { claimant: holder, beat, .. } = claim;
    holder.driver == claimant.driver
        || holder.data_dir == claimant.data_dir
        || silent == Some(SilentDriver { driver: holder.driver, beat: *beat })
}

/// The first beat of a process is one that nobody has seen of it before, also when its row was removed meanwhile.
async fn beat(connection: &mut Connection, claimant: &Claimant, now: i64) -> Result<(), sqlx::Error> {
    let silence = i64::try_from(claimant.silence.as_nanos()).unwrap_or(i64::MAX);
    let beating = query("UPDATE drivers SET beat = beat + 1, silence = $2, seen_at = $3 WHERE id = $1")
        .bind(claimant.driver)
        .bind(silence)
        .bind(now)
        .execute(&mut *connection)
        .await?;
    if beating > 0 {
        return Ok(());
    }
    query("INSERT INTO drivers (id, data_dir, name, silence, beat, seen_at) VALUES ($1, $2, $3, $4, $5, $5)")
        .bind(claimant.driver)
        .bind(claimant.data_dir)
        .bind(&claimant.name)
        .bind(silence)
        .bind(now)
        .execute(&mut *connection)
        .await?;
    let long_ago = now.saturating_sub(i64::try_from(FORGOTTEN_AFTER.as_nanos()).unwrap_or(i64::MAX));
    query(
        "DELETE FROM drivers WHERE seen_at < $1 \
         AND NOT EXISTS (SELECT 1 FROM run_claims WHERE run_claims.driver_id = drivers.id)",
    )
    .bind(long_ago)
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes a process that has no runs.
async fn forget(connection: &mut Connection, driver: Uuid) -> Result<Answer, sqlx::Error> {
    query("DELETE FROM drivers WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM run_claims WHERE driver_id = $1)")
        .bind(driver)
        .execute(connection)
        .await
}
