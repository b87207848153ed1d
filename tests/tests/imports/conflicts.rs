//! What is at the target under the same name, and is not the same.

use std::io::{Read, Write};
use std::net::TcpListener;

use penstock_tests::pipeline::{Pipeline, Task};
use penstock_tests::sandbox::Sandbox;
use penstock_tests::server::Server;
use serde_json::{Value, json};

use crate::{call, get, import, post, recurring, up, upload};

/// What became of each thing that is not there already: kind, name and outcome, and why.
fn told(report: &Value) -> Vec<(String, String)> {
    let items = report["items"].as_array().expect("a list").iter();
    let text = |item: &Value, name: &str| item[name].as_str().unwrap_or_default().to_owned();
    let told = |item: &Value| {
        let of = ["kind", "name", "outcome"].map(|name| text(item, name)).join(" ");
        (of, text(item, "reason"))
    };
    items.filter(|item| item["outcome"] != "skipped").map(told).collect()
}

#[test]
fn what_differs_is_a_conflict() {
    let (source, target) = (Sandbox::new(), Sandbox::new());
    let (from, to) = (up(&source), up(&target));
    let pipeline = |command: &str| Pipeline::new("train", [Task::new("a", command)]).build();
    let id = |server: &Server, list: &str, member: &str, name: &str| {
        let found = get(&server.url(), &format!("/apis/v2beta1/{list}?page_size=50"));
        let items = found.as_object().expect("an object").values().find_map(Value::as_array).expect("a list").clone();
        let one = items.into_iter().find(|item| item["display_name"] == name);
        one.expect("it is listed")[member].as_str().expect("an id").to_owned()
    };
    // Names do not differ by the case of letters alone, and each server has a default experiment of its own.
    for (server, name) in [(&from, "e1"), (&from, "archived"), (&to, "E1")] {
        post(&server.url(), "/apis/v2beta1/experiments", &json!({"display_name": name}));
    }
    for name in ["archived", "Default"] {
        let id = id(&from, "experiments", "experiment_id", name);
        call(&from.url(), "POST", &format!("/apis/v2beta1/experiments/{id}:archive"), None);
    }
    let body = json!({"name": "train", "description": "d", "tags": {"team": "x"}});
    let made = post(&from.url(), "/apis/v2beta1/pipelines", &body)["pipeline_id"].as_str().expect("an id").to_owned();
    let labels = "v1&description=d&tags=%7B%22a%22%3A%221%22%7D&code_source_url=https%3A%2F%2Fx";
    upload(&from.url(), &made, labels, &pipeline("true"));
    let versions = |server: &Server, pipeline: &str| {
        let list = get(&server.url(), &format!("/apis/v2beta1/pipelines/{pipeline}/versions"));
        list["pipeline_versions"][0].clone()
    };
    let version = versions(&from, &made)["pipeline_version_id"].clone();
    let reference = json!({"pipeline_id": made, "pipeline_version_id": version});
    let more = json!({
        "pipeline_version_reference": reference, "pipeline_spec": null,
        "experiment_id": id(&from, "experiments", "experiment_id", "e1"),
    });
    recurring(&from, "pinned", &json!({"cron_schedule": {"cron": "0 0 3 1 1 *"}}), &more);

    let import = |more: &[&str]| import(&target, &from.url(), more);
    let e1 = || {
        let reason = "it is E1 here, where names do not differ by the case of letters alone".to_owned();
        ("experiment e1 conflict".to_owned(), reason)
    };
    let (_, dry) = import(&["--dry-run"]);
    let (code, report) = import(&[]);
    assert_eq!((code, told(&report)), (Some(1), told(&dry)));
    let created = |of: &str, why: &str| (format!("{of} created"), why.to_owned());
    let rest = [
        ("experiment archived", ""),
        ("pipeline train", ""),
        ("version train/v1", ""),
        ("recurring run pinned", "paused"),
    ];
    let expected: Vec<_> = [e1()].into_iter().chain(rest.map(|(of, why)| created(of, why))).collect();
    assert_eq!(told(&report), expected);
    let here = get(&to.url(), "/apis/v2beta1/recurringruns")["recurringRuns"][0].clone();
    assert_eq!(here["experiment_id"], id(&to, "experiments", "experiment_id", "E1"));
    let train = id(&to, "pipelines", "pipeline_id", "train");
    let (theirs, ours) = (versions(&from, &made), versions(&to, &train));
    for label in ["name", "display_name", "description", "tags", "code_source_url", "pipeline_spec"] {
        assert_eq!((label, &ours[label]), (label, &theirs[label]));
    }
    assert_eq!(told(&import(&[]).1), [e1()]);

    // What somebody has changed here stays so.
    let archived = id(&to, "experiments", "experiment_id", "archived");
    call(&to.url(), "POST", &format!("/apis/v2beta1/experiments/{archived}:unarchive"), None);
    call(&to.url(), "PATCH", &format!("/apis/v2beta1/pipelines/{train}"), Some(&json!({"tags": {}})));
    let v1 =
        format!("/apis/v2beta1/pipelines/{train}/versions/{}", ours["pipeline_version_id"].as_str().expect("an id"));
    call(&to.url(), "PATCH", &v1, Some(&json!({"display_name": "first", "tags": {"a": "2"}})));
    let conflict = |of: &str, why: &str| (format!("{of} conflict"), why.to_owned());
    let changed = [
        conflict("experiment archived", "storage_state of the one here is another"),
        conflict("pipeline train", "tags of the one here is another"),
    ];
    let (code, report) = import(&[]);
    let labels = conflict("version train/v1", "display_name, tags of the one here is another");
    assert_eq!((code, told(&report)), (Some(1), [&[e1()], &changed[..], &[labels]].concat()));
    // Nor does anything recur here that is another pipeline.
    call(&to.url(), "DELETE", &v1, None);
    upload(&to.url(), &train, "V1", &pipeline("false"));
    let (code, report) = import(&[]);
    let other = "the one here is another pipeline";
    let failed =
        ("recurring run pinned failed".to_owned(), format!("its pipeline version was not brought over: {other}"));
    let expected = [&[e1()], &changed[..], &[conflict("version train/v1", other), failed]].concat();
    assert_eq!((code, told(&report)), (Some(1), expected));
    from.stop().expect_code(0);
    to.stop().expect_code(0);
}

/// A source whose names differ by the case of letters alone, as some databases let them, and that shows no defaults.
#[test]
fn names_are_told_apart_as_the_target_does() {
    let target = Sandbox::new();
    let to = up(&target);
    post(&to.url(), "/apis/v2beta1/pipelines", &json!({"name": "P"}));
    // As servers show it.
    let shown = post(&to.url(), "/apis/v2beta1/pipelines", &json!({"name": "shown"}));
    let shown = shown["pipeline_id"].as_str().expect("an id");
    upload(&to.url(), shown, "v", &Pipeline::new("train", [Task::new("a", "true")]).build());
    let spec = get(&to.url(), &format!("/apis/v2beta1/pipelines/{shown}/versions"));
    let spec = &spec["pipeline_versions"][0]["pipeline_spec"];
    let trigger = json!({"cron_schedule": {"cron": "0 0 3 1 1 *"}});
    let versions =
        json!({"pipeline_versions": [{"pipeline_version_id": "v", "display_name": "v", "pipeline_spec": spec}]});
    let url = standing_in(vec![
        (
            "experiments?",
            json!({"experiments": [
                {"experiment_id": "e1", "display_name": "e"}, {"experiment_id": "e2", "display_name": "E"},
            ]}),
        ),
        (
            "pipelines?",
            json!({"pipelines": [
                {"pipeline_id": "p1", "display_name": "p"}, {"pipeline_id": "p2", "display_name": "P"},
            ]}),
        ),
        ("pipelines/p2/versions?", versions),
        (
            "recurringruns?",
            json!({"recurringRuns": [
                {"display_name": "lost", "trigger": trigger, "max_concurrency": "1", "experiment_id": "e1",
                 "pipeline_version_reference": {"pipeline_id": "p1"}},
                {"display_name": "found", "trigger": trigger, "max_concurrency": "1", "experiment_id": "e2", "mode": "ENABLE",
                 "pipeline_version_reference": {"pipeline_id": "p2", "pipeline_version_id": "v"}},
            ]}),
        ),
    ]);
    let taken = "another one of the source has this name already";
    let both = |found: &str| {
        let created = ["experiment e created", "version P/v created"].map(|of| (of, ""));
        let told = [
            created[0],
            ("experiment E conflict", "it is e here"),
            created[1],
            ("pipeline p conflict", taken),
            ("recurring run lost failed", "its pipeline was not brought over: another one of the source"),
            ("recurring run found created", "paused"),
        ];
        told.into_iter().filter(|told| found == "created" || !told.0.ends_with("created")).collect::<Vec<_>>()
    };
    for (more, found) in [(&["--dry-run"][..], "created"), (&[], "created"), (&[], "skipped")] {
        let (code, report) = import(&target, &url, more);
        let told = told(&report);
        assert_eq!((code, told.len()), (Some(1), both(found).len()), "{report}");
        for ((of, why), (expected, reason)) in told.iter().zip(both(found)) {
            assert!(of == expected && why.starts_with(reason), "{of}: {why}");
        }
    }
    to.stop().expect_code(0);
}

/// Answers what is asked for below `/apis/v2beta1` by what the rest begins with; everything else is empty.
fn standing_in(answers: Vec<(&'static str, Value)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut head = [0; 4096];
            let read = stream.read(&mut head).unwrap_or(0);
            let head = String::from_utf8_lossy(&head[..read]).into_owned();
            let asked = head.strip_prefix("GET /apis/v2beta1/").unwrap_or_default();
            let body =
                answers.iter().find(|(path, _)| asked.starts_with(path)).map_or(json!({}), |(_, body)| body.clone());
            let body = body.to_string();
            let kind = "Content-Type: application/json\r\nConnection: close";
            let _ = write!(stream, "HTTP/1.1 200 OK\r\n{kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        }
    });
    url
}
