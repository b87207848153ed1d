//! Why a task's result came from the cache, or did not.

use penstock_spec::Timestamp;
use penstock_spec::run::{CacheOff, CacheRules};
use serde_json::Value;

use crate::fact::CacheSource;
use crate::state::RunState;
use crate::view::NodeView;

/// Differences that are looked for.
const LIMIT: usize = 100;
/// Where the key that an author gave is in a document.
const AUTHORS_KEY: &str = "cacheKey";

/// What there is to say about a task and the cache.
#[derive(Debug, Clone, PartialEq)]
pub enum CacheVerdict {
    /// It does not use the cache.
    Off(CacheRefusal),
    /// It did not get so far as to ask.
    NotAsked,
    /// Its result is that of another run.
    Hit(CacheSource),
    /// There was no result that it could take.
    Miss {
        /// A result under its very key that was passed over.
        passed_over: Option<Box<PassedOver>>,
        /// Otherwise the earlier result of the same task that differs the least.
        nearest: Option<Box<NearestResult>>,
        /// Whether its own result is in the cache now.
        remembered: bool,
    },
}

/// Why a task does not use the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheRefusal {
    /// The run takes nothing from it.
    Run(CacheOff),
    /// The task's author says so.
    Task,
    /// Somebody wanted a new result: the run was retried from this task, or from a group around it.
    Retry,
}

/// A result under the task's key that it did not take.
#[derive(Debug, Clone, PartialEq)]
pub struct PassedOver {
    /// The result.
    pub earlier: EarlierResult,
    /// Whether it was too old. Otherwise its objects were gone or not to be reached, or a command made it that ran
    /// without its image.
    pub too_old: bool,
}

/// A result that a task did not take, with what differs.
#[derive(Debug, Clone, PartialEq)]
pub struct NearestResult {
    /// The result.
    pub earlier: EarlierResult,
    /// The fields of the key that differ. None, when another version of Penstock made the key.
    pub differences: Vec<Difference>,
}

/// A result that was in the cache.
#[derive(Debug, Clone, PartialEq)]
pub struct EarlierResult {
    /// The run and task that made it.
    pub source: CacheSource,
    /// Its key.
    pub key: String,
    /// What the key is the digest of.
    pub key_document: Value,
    /// When the task succeeded.
    pub created_at: Timestamp,
}

/// One field that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Names on the way to the field.
    pub field: Vec<String>,
    /// In the remembered result.
    pub then: Option<Value>,
    /// In the task that was asked about.
    pub now: Option<Value>,
}

/// Says what became of a task's question to the cache. `earlier`: results of the same task, the newest first.
pub fn explain_cache(
    state: &RunState,
    view: &NodeView<'_>,
    rules: &CacheRules,
    earlier: Vec<EarlierResult>,
) -> CacheVerdict {
    if let Some(source) = view.cached_from() {
        return CacheVerdict::Hit(source.clone());
    }
    let (Some(info), Some(ready)) = (state.info(), view.started_at) else { return CacheVerdict::NotAsked };
    let Some(key) = view.cache_key() else {
        return CacheVerdict::Off(match info.caching {
            // Runs of earlier builds do not say who did.
            false => CacheRefusal::Run(rules.off.unwrap_or(CacheOff::Run)),
            true => CacheRefusal::Task,
        });
    };
    if view.has_bypassed_cache() {
        return CacheVerdict::Off(CacheRefusal::Retry);
    }
    let remembered = earlier.iter().any(|result| result.source.run_id == info.id && result.key == key);
    let known = |result: &EarlierResult| result.source.run_id != info.id && result.created_at < ready;
    let mut known: Vec<EarlierResult> = earlier.into_iter().filter(known).collect();
    if let Some(place) = known.iter().position(|result| result.key == key) {
        let earlier = known.swap_remove(place);
        let too_old = rules.is_too_old(earlier.created_at, ready);
        let passed_over = Some(Box::new(PassedOver { earlier, too_old }));
        return CacheVerdict::Miss { passed_over, nearest: None, remembered };
    }
    let own = view.cache_document().unwrap_or_default();
    let nearest = known
        .into_iter()
        .map(|earlier| NearestResult { differences: differences(&earlier.key_document, &own), earlier })
        .min_by_key(|nearest| nearest.differences.len())
        .map(Box::new);
    CacheVerdict::Miss { passed_over: None, nearest, remembered }
}

/// The fields that differ. Lists are compared by position, and only if they are of one length.
pub fn differences(then: &Value, now: &Value) -> Vec<Difference> {
    let key_of = |document: &Value| document.get(AUTHORS_KEY).cloned();
    if key_of(then).is_some() != key_of(now).is_some() {
        // The documents have nothing in common then: an author's own key stands for all the rest.
        return vec![Difference { field: vec![AUTHORS_KEY.to_owned()], then: key_of(then), now: key_of(now) }];
    }
    let mut found = Vec::new();
    let mut pending = vec![(Vec::new(), Some(then), Some(now))];
    while let Some((field, then, now)) = pending.pop() {
        if then == now || found.len() == LIMIT {
            continue;
        }
        match (then, now) {
            (Some(Value::Object(old)), Some(Value::Object(new))) => {
                let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
                names.sort();
                names.dedup();
                for name in names.into_iter().rev() {
                    pending.push((extended(&field, name), old.get(name), new.get(name)));
                }
            }
            (Some(Value::Array(old)), Some(Value::Array(new))) if old.len() == new.len() => {
                for (index, (old, new)) in old.iter().zip(new).enumerate().rev() {
                    pending.push((extended(&field, &index.to_string()), Some(old), Some(new)));
                }
            }
            _ => found.push(Difference { field, then: then.cloned(), now: now.cloned() }),
        }
    }
    found
}

fn extended(field: &[String], name: &str) -> Vec<String> {
    field.iter().cloned().chain([name.to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names(then: &Value, now: &Value) -> Vec<String> {
        differences(then, now).iter().map(|found| found.field.join(".")).collect()
    }

    #[test]
    fn fields_that_differ_are_found() {
        let then = json!({"p": {"a": 1, "b": "x", "gone": true}, "l": [1, 2], "m": [1]});
        let now = json!({"p": {"a": 2, "b": "x"}, "l": [1, 3], "m": []});
        assert_eq!(names(&then, &now), ["l.1", "m", "p.a", "p.gone"]);
        assert_eq!(names(&then, &then), [""; 0]);
    }

    #[test]
    fn an_authors_own_key_stands_for_all() {
        let then = json!({"p": {"a": 1}});
        assert_eq!(names(&then, &json!({"cacheKey": "mine", "component": "c"})), ["cacheKey"]);
    }

    #[test]
    fn differences_have_a_limit() {
        let list = |from: u64| json!((from..from + 500).collect::<Vec<_>>());
        assert_eq!(names(&list(0), &list(1)).len(), LIMIT);
    }
}
