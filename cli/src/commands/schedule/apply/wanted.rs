//! What is asked for: what the user has named becomes members of a recurring run.

use penstock_spec::Timestamp;
use serde_json::{Map, Value, json};

use super::Source;
use crate::args::schedule::ApplyArgs;
use crate::commands::run::read_parameters;
use crate::failure::Refusal;
use crate::remote::schedules::Schedule;

/// The members that the user has named.
pub(super) fn wanted(
    args: &ApplyArgs,
    source: Option<&Source>,
    existing: Option<&Schedule>,
) -> anyhow::Result<Map<String, Value>> {
    let mut wanted = Map::new();
    if let Some(source) = source {
        wanted.insert(source.member.to_owned(), source.value.clone());
    }
    if let Some(trigger) = trigger(args, existing)? {
        wanted.insert("trigger".to_owned(), trigger);
    }
    if let Some(description) = &args.description {
        wanted.insert("description".to_owned(), json!(description));
    }
    if let Some(at_a_time) = args.max_concurrency {
        wanted.insert("max_concurrency".to_owned(), json!(at_a_time.to_string()));
    }
    if let Some(no_catchup) = args.no_catchup {
        wanted.insert("no_catchup".to_owned(), json!(no_catchup));
    }
    if let Some(account) = &args.service_account {
        wanted.insert("service_account".to_owned(), json!(account));
    }
    if let Some(no_cache) = args.no_cache {
        let before = existing.and_then(|schedule| schedule.0.get("plugins_input"));
        wanted.insert("plugins_input".to_owned(), plugins_input(before, no_cache));
    }
    if !args.param.is_empty() || args.params_file.is_some() {
        let Some(source) = source else {
            return Err(Refusal::new("parameters are read as their pipeline declares them")
                .with_hint("name the FILE or PIPELINE too")
                .into());
        };
        let given = read_parameters(&source.takes, args.params_file.as_deref(), &args.param)?;
        wanted.insert("runtime_config".to_owned(), json!({ "parameters": given }));
    }
    Ok(wanted)
}

/// What plugins get, with the word on the cache that is asked for. The rest of it is not this command's.
fn plugins_input(before: Option<&Value>, no_cache: bool) -> Value {
    let object = |value: Option<&Value>| value.and_then(Value::as_object).cloned().unwrap_or_default();
    let mut input = object(before);
    let mut ours = object(input.get("penstock"));
    match no_cache {
        true => drop(ours.insert("enable_caching".to_owned(), json!(false))),
        false => drop(ours.remove("enable_caching")),
    }
    match ours.is_empty() {
        true => drop(input.remove("penstock")),
        false => drop(input.insert("penstock".to_owned(), Value::Object(ours))),
    }
    Value::Object(input)
}

/// The trigger that is asked for; `None` if nothing of it is.
fn trigger(args: &ApplyArgs, existing: Option<&Schedule>) -> Result<Option<Value>, Refusal> {
    let old = existing.and_then(|schedule| schedule.0.get("trigger"));
    let inner = |kind: &str| old.and_then(|old| old.get(kind)).cloned();
    let (kind, mut inner) = match (&args.cron, args.every, args.at) {
        (Some(cron), ..) => ("cron_schedule", json!({ "cron": cron })),
        (None, Some(every), _) => ("periodic_schedule", json!({ "interval_second": every.as_secs().to_string() })),
        (None, None, Some(at)) => {
            if args.start.is_some() || args.end.is_some() {
                return Err(Refusal::new("--at is one moment; --start and --end are for --cron and --every"));
            }
            return at_once(at).map(Some);
        }
        (None, None, None) if args.start.is_none() && args.end.is_none() => return Ok(None),
        (None, None, None) => match (inner("cron_schedule"), inner("periodic_schedule")) {
            (Some(cron), _) => ("cron_schedule", cron),
            (None, Some(periodic)) => ("periodic_schedule", periodic),
            (None, None) => return Err(Refusal::new("--start and --end need --cron or --every")),
        },
    };
    for (name, time) in [("start_time", args.start), ("end_time", args.end)] {
        if let Some(time) = time {
            inner[name] = json!(whole_seconds(time)?);
        }
    }
    Ok(Some(json!({ kind: inner })))
}

/// Once, at a time: an interval that ends with its first slot.
fn at_once(at: Timestamp) -> Result<Value, Refusal> {
    let at = whole_seconds(at)?;
    let start = at.checked_sub(jiff::SignedDuration::from_secs(1));
    let start = start.map_err(|_| Refusal::new(format!("--at {at} is too early")))?;
    Ok(json!({"periodic_schedule": {"interval_second": "1", "start_time": start, "end_time": at}}))
}

fn whole_seconds(time: Timestamp) -> Result<Timestamp, Refusal> {
    match time.subsec_nanosecond() {
        0 => Ok(time),
        _ => Err(Refusal::new(format!("{time} is no whole second, and slots are"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_on_the_cache_leaves_the_rest_alone() {
        let off = json!({"penstock": {"enable_caching": false}});
        assert_eq!(plugins_input(None, true), off);
        assert_eq!((plugins_input(None, false), plugins_input(Some(&off), false)), (json!({}), json!({})));
        let more = json!({"mlflow": {"n": 1}, "penstock": {"enable_caching": true, "cache_max_age": "1h"}});
        let others = json!({"mlflow": {"n": 1}, "penstock": {"cache_max_age": "1h"}});
        assert_eq!(plugins_input(Some(&more), false), others);
        let off = json!({"mlflow": {"n": 1}, "penstock": {"cache_max_age": "1h", "enable_caching": false}});
        assert_eq!(plugins_input(Some(&more), true), off);
    }

    #[test]
    fn one_moment_is_the_only_slot_of_an_interval_that_ends_there() {
        let trigger = at_once("2026-12-31T23:00:00Z".parse().expect("a time")).expect("a trigger");
        let expected = json!({"periodic_schedule": {
            "interval_second": "1", "start_time": "2026-12-31T22:59:59Z", "end_time": "2026-12-31T23:00:00Z",
        }});
        assert_eq!(trigger, expected);
        assert!(at_once("2026-12-31T23:00:00.5Z".parse().expect("a time")).is_err());
    }
}
