//! The cache of a server: what became of a task's question to it, and forgetting results.

use penstock_engine::{CacheRefusal, CacheSource, CacheVerdict, Difference, EarlierResult, NearestResult, PassedOver};
use penstock_spec::Timestamp;
use penstock_spec::run::CacheOff;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::client::{Client, Query};
use super::error::RemoteError;

/// What a server says of a task's question.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Explanation {
    outcome: String,
    off_by: String,
    source: Option<Earlier>,
    stored: bool,
    too_old: bool,
    passed_over: Option<Earlier>,
    nearest: Option<Earlier>,
}

/// A result that was in the cache.
#[derive(Debug, Deserialize)]
struct Earlier {
    run_id: Uuid,
    task_path: String,
    #[serde(default)]
    cache_key: String,
    created_at: Option<Timestamp>,
    #[serde(default)]
    differences: Vec<Differing>,
}

#[derive(Debug, Deserialize)]
struct Differing {
    field: String,
    then: Option<Value>,
    now: Option<Value>,
}

/// What became of the question of a task.
pub(crate) async fn explain(client: &Client, run: Uuid, task: &str) -> Result<CacheVerdict, RemoteError> {
    let path = ["apis", "penstock", "v1", "runs", &run.to_string(), "tasks", task, "cache"];
    let explanation: Explanation = client.get(&path, &[]).await?;
    verdict(explanation).map_err(|reason| RemoteError::Unreadable { path: path.join("/"), reason })
}

/// The same in the words of the engine.
fn verdict(told: Explanation) -> Result<CacheVerdict, String> {
    Ok(match told.outcome.as_str() {
        "OFF" => CacheVerdict::Off(match told.off_by.as_str() {
            "DEPLOYMENT" => CacheRefusal::Run(CacheOff::Deployment),
            "PIPELINE" => CacheRefusal::Run(CacheOff::Pipeline),
            "RUN" => CacheRefusal::Run(CacheOff::Run),
            "TASK" => CacheRefusal::Task,
            "RETRY" => CacheRefusal::Retry,
            other => return Err(format!("off_by {other:?} is not known")),
        }),
        "NOT_ASKED" => CacheVerdict::NotAsked,
        "HIT" => CacheVerdict::Hit(told.source.ok_or("source is missing")?.source()),
        "MISS" => {
            let too_old = told.too_old;
            let passed_over = told.passed_over.map(|earlier| PassedOver { earlier: earlier.result().0, too_old });
            let nearest = told.nearest.map(|earlier| {
                let (earlier, differences) = earlier.result();
                NearestResult { earlier, differences }
            });
            CacheVerdict::Miss {
                passed_over: passed_over.map(Box::new),
                nearest: nearest.map(Box::new),
                remembered: told.stored,
            }
        }
        other => return Err(format!("outcome {other:?} is not known")),
    })
}

impl Earlier {
    fn source(self) -> CacheSource {
        CacheSource { run_id: self.run_id, task_path: self.task_path }
    }

    fn result(mut self) -> (EarlierResult, Vec<Difference>) {
        let differences = std::mem::take(&mut self.differences).into_iter().map(|differing| Difference {
            field: differing.field.split('.').map(str::to_owned).collect(),
            then: differing.then,
            now: differing.now,
        });
        let differences = differences.collect();
        let key = std::mem::take(&mut self.cache_key);
        let created_at = self.created_at.unwrap_or_default();
        // What the key is the digest of stays at the server; what differs is told.
        let key_document = Value::Null;
        (EarlierResult { key, key_document, created_at, source: self.source() }, differences)
    }
}

/// Which results are to be forgotten.
#[derive(Debug, Default)]
pub(crate) struct Eviction {
    /// Namespace, where there are several.
    pub(crate) namespace: Option<String>,
    /// Those of this pipeline alone.
    pub(crate) pipeline: Option<String>,
    /// Those of the task with this path alone.
    pub(crate) task: Option<String>,
}

/// Forgets results; returns how many there were.
pub(crate) async fn evict(client: &Client, eviction: &Eviction) -> Result<u64, RemoteError> {
    #[derive(Deserialize)]
    struct Evicted {
        #[serde(default)]
        evicted: u64,
    }
    let Eviction { namespace, pipeline, task } = eviction;
    let named = [("namespace", namespace), ("pipeline", pipeline), ("task", task)];
    let mut query: Vec<(&str, &str)> =
        named.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect();
    if pipeline.is_none() && task.is_none() {
        query.push(("all", "true"));
    }
    let query: Query<'_> = &query;
    let evicted: Evicted = client.delete(&["apis", "penstock", "v1", "cache"], query).await?;
    Ok(evicted.evicted)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(told: Value) -> Result<CacheVerdict, String> {
        verdict(serde_json::from_value(told).unwrap())
    }

    #[test]
    fn what_a_server_says_is_read_in_the_words_of_the_engine() {
        let (run_id, task_path) = (Uuid::from_u128(1), "train".to_owned());
        let off = read(json!({"outcome": "OFF", "off_by": "RUN", "reason": "it says so"})).unwrap();
        assert_eq!(off, CacheVerdict::Off(CacheRefusal::Run(CacheOff::Run)));
        let source = json!({"run_id": run_id, "task_id": run_id, "task_path": "train"});
        let hit = read(json!({"outcome": "HIT", "source": source})).unwrap();
        assert_eq!(hit, CacheVerdict::Hit(CacheSource { run_id, task_path }));
        let nearest = json!({
            "run_id": run_id, "task_path": "train", "cache_key": "k", "created_at": "2026-08-01T00:00:00Z",
            "differences": [{"field": "containerSpec.image", "then": "a", "now": "b"}],
        });
        let miss = read(json!({"outcome": "MISS", "stored": true, "nearest": nearest})).unwrap();
        let CacheVerdict::Miss { passed_over: None, nearest: Some(nearest), remembered: true } = miss else {
            panic!("{miss:?}")
        };
        assert_eq!(nearest.differences[0].field, ["containerSpec", "image"]);
        assert_eq!((nearest.earlier.key.as_str(), nearest.earlier.source.run_id), ("k", run_id));
        for unknown in [json!({}), json!({"outcome": "HIT"}), json!({"outcome": "OFF", "off_by": "MOON"})] {
            read(unknown).unwrap_err();
        }
    }
}
