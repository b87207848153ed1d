//! Puts all runs of an experiment into the archive.

use serde_json::json;
use uuid::Uuid;

use crate::database::{Connection, query};
use crate::error::MetastoreError;
use crate::feed::{self, ChangeKind, Labels, NewChange, RUN_LABELS};
use crate::rows::StorageState;
use crate::statements::Answer;

use super::KIND;

/// Runs that are held in memory at a time: an experiment may have a million. As many are archived in one transaction before
/// others get their turn, and PostgreSQL's trigger, which counts them in a row or two, steps over no more versions of those.
pub(super) const PAGE: usize = 500;

/// Archives the oldest, and nothing else; answers how many.
pub(crate) async fn archive_some(
    connection: &mut Connection,
    experiment: Uuid,
    at: i64,
) -> Result<Result<Answer, MetastoreError>, sqlx::Error> {
    let there: Option<Uuid> =
        query("SELECT id FROM experiments WHERE id = $1").bind(experiment).fetch_value(&mut *connection, "id").await?;
    if there.is_none() {
        return Ok(Err(MetastoreError::not_found(KIND, &experiment)));
    }
    let archived = archive_page(connection, experiment, at).await?;
    Ok(Ok(archived as Answer))
}

/// Archives what is left of them.
pub(super) async fn archive_rest(connection: &mut Connection, experiment: Uuid, at: i64) -> Result<(), sqlx::Error> {
    while archive_page(connection, experiment, at).await? == PAGE {}
    Ok(())
}

/// Archives the oldest, and tells of each; returns how many there were.
async fn archive_page(connection: &mut Connection, experiment: Uuid, at: i64) -> Result<usize, sqlx::Error> {
    let page = format!(
        "SELECT {RUN_LABELS}, created_at FROM runs WHERE experiment_id = $1 AND storage_state = 'AVAILABLE' \
         ORDER BY created_at, id LIMIT {PAGE}"
    );
    let change = || NewChange::new(ChangeKind::RunStorage, at, json!({ "storage_state": StorageState::Archived }));
    let rows = query(page).bind(experiment).fetch_all(&mut *connection).await?;
    let Some(last) = rows.last() else { return Ok(0) };
    query(
        "UPDATE runs SET storage_state = 'ARCHIVED', archived_at = $4 \
         WHERE experiment_id = $1 AND storage_state = 'AVAILABLE' AND (created_at, id) <= ($2, $3)",
    )
    .bind(experiment)
    .bind(last.get::<i64>("created_at")?)
    .bind(last.get::<Uuid>("id")?)
    .bind(at)
    .execute(&mut *connection)
    .await?;
    let mut changes = Vec::with_capacity(rows.len());
    for row in &rows {
        let labels = Labels::of_run(row)?;
        if !labels.hidden {
            changes.push((labels, change()));
        }
    }
    feed::add(connection, &changes).await?;
    Ok(rows.len())
}
