use penstock_spec::Timestamp;
use serde_json::json;

use super::*;

fn loaded(text: &str, secret: &str) -> Result<NotificationRules, String> {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("secret"), secret).unwrap();
    let path = directory.path().join("rules.yaml");
    std::fs::write(&path, text).unwrap();
    NotificationRules::load(&path).map_err(|error| penstock_runtime::logs::chain(&error))
}

const SECRET: &str = "0123456789abcdef0123456789abcdef\n";

#[allow(clippy::needless_pass_by_value, reason = "callers write json!(...)")]
fn change(kind: &str, namespace: &str, detail: Value) -> FeedChange {
    let detail = detail.as_object().unwrap().clone();
    let (run, at) = (Uuid::from_u128(1), Timestamp::UNIX_EPOCH);
    FeedChange { id: 1, namespace: namespace.to_owned(), run, kind: kind.to_owned(), at, detail }
}

#[test]
fn rules_say_what_is_told() {
    let text = "
rules:
- name: failures
  url: https://example.com/hook
  secret_file: secret
  events: [run.ended, task.ended]
  namespaces: [team]
  pipelines: [train]
  states: [FAILED]
- {name: all, url: 'http://127.0.0.1:1/x', secret_file: secret, experiments: [Default]}
";
    let rules = loaded(text, SECRET).unwrap();
    let [failures, all] = rules.all() else { panic!("{rules:?}") };
    let failed = json!({"state": "FAILED", "ended": true, "pipeline_name": "train"});
    assert_eq!(failures.event_of(&change("run_state", "team", failed.clone())), Some(Event::RunEnded));
    assert_eq!(failures.event_of(&change("task_ended", "team", failed.clone())), Some(Event::TaskEnded));
    assert_eq!(failures.event_of(&change("run_state", "other", failed.clone())), None);
    assert_eq!(failures.event_of(&change("run_created", "team", failed.clone())), None);
    for differs in [
        json!({"state": "SUCCEEDED", "ended": true, "pipeline_name": "train"}),
        json!({"state": "FAILED", "ended": true}),
    ] {
        assert_eq!(failures.event_of(&change("run_state", "team", differs)), None);
    }
    assert_eq!(all.event_of(&change("run_state", "", json!({"state": "RUNNING", "ended": false}))), None);
    assert_eq!(all.event_of(&change("run_state", "", failed.clone())), Some(Event::RunEnded));
    assert!(
        failures.is_of_experiment(&change("run_state", "", failed.clone()))
            && !all.is_of_experiment(&change("run_state", "", failed))
    );
    assert!(all.names_experiment("Default"));
    assert_eq!(failures.origin(), "https://example.com");
    let shown = format!("{rules:?}");
    assert!(!shown.contains("0123456789") && !shown.contains("hook"), "secrets are not shown: {shown}");
}

#[test]
fn i31_rules_that_are_not_understood_are_refused() {
    let rule = |more: &str| format!("rules: [{{name: a, url: 'https://example.com', secret_file: secret{more}}}]");
    assert!(loaded(&rule(""), SECRET).is_ok());
    assert!(loaded(&rule(""), "whsec_MDEyMzQ1Njc4OWFiY2RlZg==").is_ok());
    for (text, secret, expected) in [
        (rule(""), "short", "at least 16"),
        (rule(""), "whsec_?", "not base64"),
        (rule(", events: [run.exploded]"), SECRET, "run.exploded"),
        (rule(", states: [BROKEN]"), SECRET, "BROKEN"),
        (rule(", give_up_after: soon"), SECRET, "give_up_after"),
        (rule(", secrets: x"), SECRET, "secrets"),
        (rule("").replace("https://example.com", "ftp://x"), SECRET, "https://"),
        (rule("").replace("https://example.com", "https://u:p@x"), SECRET, "user and password"),
        (rule("").replace("name: a", "name: a b"), SECRET, "letters"),
        (rule("").replace("secret_file: secret", "secret_file: gone"), SECRET, "gone"),
        ("rules: {}".to_owned(), SECRET, "invalid type"),
        ("[".to_owned(), SECRET, "yaml"),
    ] {
        let error = loaded(&text, secret).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    }
}
