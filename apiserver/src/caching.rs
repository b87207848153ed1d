//! Whether a run takes results from the cache, and how old they may be: settled when it is made, from what the deployment,
//! its pipeline and whoever submits it say. Tasks have their own word besides, in the pipeline.
//!
//! The deployment's word is a limit: nobody turns on what it turns off. Otherwise whoever is closer to the run wins: the
//! run's `plugins_input.penstock`, then the tags of the version, then those of the pipeline.

use std::time::Duration;

use penstock_metastore::{MetastoreError, RunRegistration, Tags};
use penstock_spec::run::{CacheOff, CacheRules};
use serde_json::{Map, Value};

use crate::api::Api;
use crate::error::ApiError;

/// The tag that turns the cache `on` or `off`.
const SWITCH_TAG: &str = "penstock-cache";
/// The tag that says how old results may be.
const AGE_TAG: &str = "penstock-cache-max-age";
/// The plugin's name in a run's `plugins_input`.
const PLUGIN: &str = "penstock";
const SWITCH_FIELD: &str = "enable_caching";
const AGE_FIELD: &str = "cache_max_age";

/// What the deployment says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CachePolicy {
    /// Whether no run takes results from the cache.
    pub off: bool,
    /// Results that are older are not taken, whatever runs say.
    pub max_age: Option<Duration>,
}

/// What somebody says of the cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Wish {
    enabled: Option<bool>,
    max_age: Option<Duration>,
}

/// Why it cannot be settled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CachingError {
    /// What somebody said is not understood.
    #[error("{0}")]
    Wish(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] MetastoreError),
}

impl From<CachingError> for ApiError {
    fn from(error: CachingError) -> Self {
        match error {
            CachingError::Wish(text) => Self::invalid(text),
            CachingError::Store(error) => error.into(),
        }
    }
}

/// Settles it for a run that is to be made.
pub(crate) async fn rules(api: &Api, registration: &RunRegistration) -> Result<CacheRules, CachingError> {
    let run = of_plugins(&registration.plugins_input).map_err(CachingError::Wish)?;
    let version = match registration.version {
        Some(id) => api.metastore().version_tags(id).await?,
        None => Tags::new(),
    };
    let pipeline = match registration.pipeline {
        Some(id) => api.metastore().pipeline_tags(id).await?,
        None => Tags::new(),
    };
    // Tags of earlier builds were not checked; one that says nothing clear says nothing.
    let [version, pipeline] = [version, pipeline].map(|tags| of_tags(&tags).unwrap_or_default());
    Ok(settle(api.settings().cache, run, [version, pipeline]))
}

fn settle(deployment: CachePolicy, run: Wish, tags: [Wish; 2]) -> CacheRules {
    let by_tags = tags.iter().find_map(|wish| wish.enabled);
    let off = match (deployment.off, run.enabled, by_tags) {
        (true, ..) => Some(CacheOff::Deployment),
        (false, Some(false), _) => Some(CacheOff::Run),
        (false, None, Some(false)) => Some(CacheOff::Pipeline),
        (false, ..) => None,
    };
    let wished = run.max_age.or_else(|| tags.iter().find_map(|wish| wish.max_age));
    let max_age = match (deployment.max_age, wished) {
        (Some(limit), Some(wished)) => Some(limit.min(wished)),
        (limit, wished) => limit.or(wished),
    };
    CacheRules { off, max_age_seconds: max_age.map(|age| age.as_secs()) }
}

/// Refuses tags about the cache that are not understood.
pub(crate) fn check_tags(tags: &Tags) -> Result<(), ApiError> {
    of_tags(tags).map(drop).map_err(ApiError::invalid)
}

/// Why what a run or recurring run says of the cache is not understood.
pub(crate) fn check_plugins(input: &Map<String, Value>) -> Result<(), String> {
    of_plugins(input).map(drop)
}

fn of_tags(tags: &Tags) -> Result<Wish, String> {
    let enabled = match tags.get(SWITCH_TAG).map(String::as_str) {
        None => None,
        Some("on") => Some(true),
        Some("off") => Some(false),
        Some(other) => return Err(format!("tag {SWITCH_TAG:?} is \"on\" or \"off\", not {other:?}")),
    };
    let max_age = tags.get(AGE_TAG).map(|text| age(text, &format!("tag {AGE_TAG:?}"))).transpose()?;
    Ok(Wish { enabled, max_age })
}

fn of_plugins(input: &Map<String, Value>) -> Result<Wish, String> {
    let Some(settings) = input.get(PLUGIN) else { return Ok(Wish::default()) };
    let Value::Object(settings) = settings else {
        return Err(format!("plugins_input.{PLUGIN} is an object with {SWITCH_FIELD} and {AGE_FIELD}"));
    };
    let mut wish = Wish::default();
    for (name, value) in settings {
        let place = format!("plugins_input.{PLUGIN}.{name}");
        match (name.as_str(), value) {
            (_, Value::Null) => {}
            (SWITCH_FIELD, Value::Bool(enabled)) => wish.enabled = Some(*enabled),
            (SWITCH_FIELD, _) => return Err(format!("{place} is true or false")),
            (AGE_FIELD, Value::String(text)) => wish.max_age = Some(age(text, &place)?),
            (AGE_FIELD, _) => return Err(format!("{place} is a duration such as \"24h\" or \"7d\"")),
            _ => return Err(format!("{place} is not known; there are {SWITCH_FIELD} and {AGE_FIELD}")),
        }
    }
    Ok(wish)
}

fn age(text: &str, place: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{place}: {error} (write 30m, 24h, 7d)"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wish(enabled: Option<bool>, hours: Option<u64>) -> Wish {
        Wish { enabled, max_age: hours.map(|hours| Duration::from_secs(hours * 3600)) }
    }

    #[test]
    fn whoever_is_closer_to_the_run_wins_and_the_deployment_limits() {
        let settled = |off: bool, run, version, pipeline| {
            settle(CachePolicy { off, max_age: None }, run, [version, pipeline]).off
        };
        let (on, off, silent) = (wish(Some(true), None), wish(Some(false), None), wish(None, None));
        assert_eq!(settled(false, silent, silent, silent), None);
        assert_eq!(settled(false, silent, silent, off), Some(CacheOff::Pipeline));
        assert_eq!(settled(false, silent, on, off), None);
        assert_eq!(settled(false, on, off, off), None);
        assert_eq!(settled(false, off, on, on), Some(CacheOff::Run));
        assert_eq!(settled(true, on, on, on), Some(CacheOff::Deployment));
    }

    #[test]
    fn nothing_is_taken_that_is_older_than_the_deployment_allows() {
        let settled = |limit: Option<u64>, run, pipeline| {
            let policy = CachePolicy { off: false, max_age: limit.map(|hours| Duration::from_secs(hours * 3600)) };
            settle(policy, wish(None, run), [Wish::default(), wish(None, pipeline)])
                .max_age_seconds
                .map(|age| age / 3600)
        };
        assert_eq!(settled(None, None, None), None);
        assert_eq!(settled(Some(5), None, None), Some(5));
        assert_eq!(settled(Some(5), Some(9), None), Some(5));
        assert_eq!(settled(Some(5), Some(3), Some(1)), Some(3));
        assert_eq!(settled(None, None, Some(1)), Some(1));
    }

    #[test]
    fn i22_what_is_not_understood_is_refused() {
        let plugins = |value: Value| {
            let Value::Object(input) = json!({"penstock": value, "other": 1}) else { return Err("?".to_owned()) };
            of_plugins(&input)
        };
        assert_eq!(plugins(json!({"enable_caching": false, "cache_max_age": "2h"})), Ok(wish(Some(false), Some(2))));
        for value in [
            json!(1),
            json!({"enable_caching": "no"}),
            json!({"cache_max_age": 5}),
            json!({"x": 1}),
            json!({"cache_max_age": "soon"}),
        ] {
            assert!(plugins(value.clone()).is_err(), "{value}");
        }
        let tags = |key: &str, value: &str| of_tags(&Tags::from([(key.to_owned(), value.to_owned())]));
        assert_eq!(tags("penstock-cache", "off"), Ok(wish(Some(false), None)));
        assert_eq!(tags("penstock-cache-max-age", "1d"), Ok(wish(None, Some(24))));
        assert!(tags("penstock-cache", "no").is_err());
        assert!(tags("penstock-cache-max-age", "").is_err());
        assert_eq!(tags("team", "no"), Ok(Wish::default()));
    }
}
