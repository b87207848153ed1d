//! Puts all runs of an experiment into the archive.

use serde_json::json;
use uuid::Uuid;

use crate::database::{Connection, query};
use crate::feed::{self, ChangeKind, Labels, NewChange, RUN_LABELS};
use crate::rows::StorageState;

/// Runs that are held in memory at a time: an experiment may have a million.
const PAGE: usize = 500;

/// Archives them, and tells of each.
pub(super) async fn archive_runs(connection: &mut Connection, experiment: Uuid, at: i64) -> Result<(), sqlx::Error> {
    let page = format!(
        "SELECT {RUN_LABELS}, created_at FROM runs WHERE experiment_id = $1 AND storage_state = 'AVAILABLE' \
         ORDER BY created_at, id LIMIT {PAGE}"
    );
    let change = || NewChange::new(ChangeKind::RunStorage, at, json!({ "storage_state": StorageState::Archived }));
    loop {
        let rows = query(page.clone()).bind(experiment).fetch_all(&mut *connection).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        query(
            "UPDATE runs SET storage_state = 'ARCHIVED' WHERE experiment_id = $1 AND storage_state = 'AVAILABLE' \
             AND (created_at, id) <= ($2, $3)",
        )
        .bind(experiment)
        .bind(last.get::<i64>("created_at")?)
        .bind(last.get::<Uuid>("id")?)
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
        if rows.len() < PAGE {
            return Ok(());
        }
    }
}
