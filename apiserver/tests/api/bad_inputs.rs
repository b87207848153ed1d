//! Bad inputs, as they arrive over the API: each is refused with its place and leaves nothing, or is kept exactly.

use std::io::Write as _;

use serde_json::{Value, json};

use crate::fixture::{PIPELINE, Server, shown};
use crate::recorded::{Recorded, TASK};

/// The text of a refused upload.
async fn refusal(server: &Server, file: &str, content: &[u8]) -> String {
    let answer = server.upload("/upload?name=x", file, content).await;
    answer.refused_upload(400);
    let details = answer.json()["error_details"].as_str().expect("details").to_owned();
    assert!(details.len() < 20_000, "{} bytes", details.len());
    details
}

async fn nothing_is_there(server: &Server) {
    assert_eq!(server.get("/pipelines").await.ok(), json!({}));
}

#[tokio::test]
async fn i02_i03_documents_that_grow_are_refused() {
    let server = Server::start().await;
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let parts = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{parts}]\n"));
    }
    assert!(refusal(&server, "x.yaml", bomb.as_bytes()).await.contains("alias"), "no word of aliases");
    refusal(&server, "x.yaml", b"a: &a [*a]\n").await;
    for deep in ["[".repeat(30_000), "{\"a\":".repeat(10_000), "- ".repeat(30_000)] {
        refusal(&server, "x.yaml", deep.as_bytes()).await;
        refusal(&server, "x.json", deep.as_bytes()).await;
    }
    // The same in the body of a request.
    let deep =
        format!("{{\"display_name\": \"x\", \"pipeline_spec\": {{\"a\": {}1{}}}}}", "[".repeat(9000), "]".repeat(9000));
    assert_eq!(server.call(axum::http::Method::POST, "/runs", deep).await.status, 400);
    let wide = format!("{{\"display_name\": \"x\", \"pipeline_spec\": {{\"a\": [{}1]}}}}", "1,".repeat(500_000));
    assert!([400, 413].contains(&server.call(axum::http::Method::POST, "/runs", wide).await.status.as_u16()));
    nothing_is_there(&server).await;
}

#[tokio::test]
async fn i04_i05_yaml_that_parsers_read_differently_is_refused() {
    let server = Server::start().await;
    let twice = PIPELINE.replace("components:", "schemaVersion: 2.1.0\ncomponents:");
    assert!(refusal(&server, "x.yaml", twice.as_bytes()).await.contains("schemaVersion"));
    let tagged = PIPELINE.replace("{name: hello}", "!!python/object {name: hello}");
    refusal(&server, "x.yaml", tagged.as_bytes()).await;
    let two = format!("{PIPELINE}\n---\n{PIPELINE}");
    refusal(&server, "x.yaml", two.as_bytes()).await;
    for number in ["1e400", ".nan", ".inf"] {
        let odd = PIPELINE.replace("command: [echo]", &format!("command: [echo], resources: {{cpuLimit: {number}}}"));
        refusal(&server, "x.yaml", odd.as_bytes()).await;
    }
    nothing_is_there(&server).await;
}

#[tokio::test]
async fn i06_i07_pipelines_that_make_no_sense_are_refused_with_their_path() {
    let server = Server::start().await;
    let with = |text: &str| PIPELINE.replace("{taskInfo: {name: t}, componentRef: {name: c}}", text);
    for (task, reason) in [
        ("{taskInfo: {name: t}, componentRef: {name: absent}}", "absent"),
        ("{taskInfo: {name: t}, componentRef: {name: c}, dependentTasks: [t]}", "t"),
        ("{taskInfo: {name: t}, componentRef: {name: c}, dependentTasks: [gone]}", "gone"),
        ("{taskInfo: {name: t}, componentRef: {name: c}, iteratorPolicy: {parallelismLimit: -1}}", "parallelismLimit"),
    ] {
        let text = refusal(&server, "x.yaml", with(task).as_bytes()).await;
        assert!(text.contains(reason) && text.contains('t'), "{task}: {text}");
    }
    let inside = PIPELINE.replace("c: {executorLabel: e}", "c: {dag: {tasks: {u: {componentRef: {name: c}}}}}");
    refusal(&server, "x.yaml", inside.as_bytes()).await;
    let unnamed = PIPELINE.replace("      t: {", "      \"\": {");
    refusal(&server, "x.yaml", unnamed.as_bytes()).await;
    nothing_is_there(&server).await;
}

#[tokio::test]
async fn i15_t01_t21_hostile_archives_are_refused() {
    let server = Server::start().await;
    let zip = |entries: &[(&str, &[u8])]| {
        let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, content) in entries {
            archive.start_file(*name, zip::write::SimpleFileOptions::default()).expect("an entry");
            archive.write_all(content).expect("it is written");
        }
        archive.finish().expect("an archive").into_inner()
    };
    // 64 KiB are allowed here; these become more.
    let bomb = vec![b' '; 8 << 20];
    refusal(&server, "x.zip", &zip(&[("pipeline.yaml", &bomb)])).await;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let mut header = tar::Header::new_gnu();
    header.set_size(bomb.len() as u64);
    header.set_cksum();
    let mut archive = tar::Builder::new(&mut gzip);
    archive.append_data(&mut header, "pipeline.yaml", &bomb[..]).expect("an entry");
    archive.finish().expect("an archive");
    drop(archive);
    let tarball = gzip.finish().expect("it is written");
    refusal(&server, "x.tar.gz", &tarball).await;
    for length in [2, 10, 60, tarball.len() / 2] {
        refusal(&server, "x.tar.gz", &tarball[..length]).await;
    }
    refusal(&server, "x.zip", &zip(&[("other.txt", b"x")])).await;
    let whole = zip(&[("pipeline.yaml", PIPELINE.as_bytes())]);
    for length in [2, 30, whole.len() / 2, whole.len() - 1] {
        refusal(&server, "x.zip", &whole[..length]).await;
    }
    nothing_is_there(&server).await;
    // Nothing is written anywhere: what an entry is called does not matter.
    let outside = zip(&[("../../pipeline.yaml", PIPELINE.as_bytes())]);
    let answer = server.upload("/upload?name=y", "x.zip", &outside).await;
    assert!([200, 400].contains(&answer.status.as_u16()), "{answer:?}");
}

#[tokio::test]
async fn i14_odd_names_are_kept_exactly_or_refused() {
    let server = Server::start().await;
    for name in
        ["\u{202e}gpj", "a\u{200b}b", "e\u{301}", "\u{e9}", "日本", "<script>", "a/b", "..", "%2e%2e", " x ", "x'--"]
    {
        let made = server.post("/pipelines", json!({"name": name})).await.ok();
        assert_eq!(made["name"], name);
        let path: String = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string();
        let found = server.get(&format!("/pipelines/names/{path}")).await.ok();
        assert_eq!((&found["name"], &found["pipeline_id"]), (&json!(name), &made["pipeline_id"]));
    }
    assert!(server.post("/pipelines", json!({"name": "a\u{0}b"})).await.refused(400).contains("NUL"));
    for broken in [&b"{\"name\": \"\\ud800\"}"[..], b"{\"name\": \"\xc0\xaf\"}", b"{\"name\": \"\xff\"}"] {
        assert_eq!(server.call(axum::http::Method::POST, "/pipelines", broken.to_vec()).await.status, 400);
    }
}

#[tokio::test]
async fn i22_pages_and_tokens_that_make_no_sense_are_refused() {
    let server = Server::start().await;
    for number in 0..3 {
        server.post("/experiments", json!({"display_name": format!("e{number}")})).await.ok();
    }
    let first = server.get("/experiments?page_size=1").await.ok();
    let token = first["next_page_token"].as_str().expect("a token");
    for query in [
        "page_size=-1".to_owned(),
        "page_size=2147483648".to_owned(),
        "page_size=1e3".to_owned(),
        format!("page_token={}", &token[1..]),
        format!("page_token={token}x"),
        format!("page_token={}", "A".repeat(60_000)),
        format!("page_token={token}&sort_by=name"),
    ] {
        assert_eq!(server.get(&format!("/experiments?{query}")).await.status, 400, "{}", &query[..30.min(query.len())]);
    }
    for list in ["pipelines", "runs", "recurringruns"] {
        assert_eq!(server.get(&format!("/{list}?page_token={token}")).await.refused(400), "Invalid page token");
    }
    assert_eq!(server.get("/experiments?page_size=0").await.ok()["experiments"].as_array().map(Vec::len), Some(4));
    assert_eq!(server.get("/experiments?page_size=2147483647").await.ok()["total_size"], 4);
}

#[tokio::test]
async fn i23_filters_are_bounded_and_their_wildcards_harmless() {
    let server = Server::start().await;
    server.post("/experiments", json!({"display_name": "100%_'\"\\"})).await.ok();
    let filtered = async |predicates: Value| {
        let text = json!({"predicates": predicates}).to_string();
        let text: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
        server.get(&format!("/experiments?filter={text}")).await
    };
    let named = |operation: &str, value: Value| json!([{"operation": operation, "key": "name", "string_value": value}]);
    assert_eq!(filtered(named("EQUALS", json!("100%_'\"\\"))).await.ok()["total_size"], 1);
    assert_eq!(filtered(named("IS_SUBSTRING", json!("'\"\\"))).await.ok()["total_size"], 1);
    for injected in ["' OR 1=1 --", "\\'; DROP TABLE runs; --", "%' ESCAPE 'x"] {
        assert_eq!(filtered(named("EQUALS", json!(injected))).await.ok(), json!({}), "{injected}");
    }
    let one = json!({"operation": "EQUALS", "key": "name", "string_value": "x"});
    assert_eq!(filtered(Value::Array(vec![one; 500])).await.status, 400);
    let values: Vec<String> = (0..4000).map(|number| number.to_string()).collect();
    let many = json!([{"operation": "IN", "key": "name", "string_values": {"values": values}}]);
    assert!([200, 400].contains(&filtered(many).await.status.as_u16()));
    for key in ["unknown", "name; DROP TABLE runs", "tags.x", ""] {
        let odd = json!([{"operation": "EQUALS", "key": key, "string_value": "x"}]);
        assert_eq!(filtered(odd).await.status, 400, "{key}");
    }
    assert_eq!(server.get("/experiments").await.ok()["total_size"], 2);
}

/// What is for plugins is stored with each run and shown with each; its limits are KFP's.
#[tokio::test]
async fn i22_what_is_for_plugins_is_bounded() {
    let server = Server::start().await;
    let recurring = |input: &Value| {
        json!({"display_name": "x", "max_concurrency": 1, "mode": "DISABLE", "trigger": {},
                                           "pipeline_spec": shown(), "plugins_input": input})
    };
    let run = |input: &Value| json!({"display_name": "x", "pipeline_spec": shown(), "plugins_input": input});
    let keys = |number: usize| (0..number).map(|key| (format!("k{key}"), json!({}))).collect::<Value>();
    let deep = |levels: usize| json!({"x": (0..levels).fold(json!(1), |inner, _| json!({"nested": inner}))});
    let lists = |levels: usize| json!({"x": {"l": (1..levels).fold(json!(1), |inner, _| json!([inner]))}});
    // `{"a":"..."}` takes eight bytes beside the text.
    let large = |bytes: usize| json!({"a": "x".repeat(bytes - 8)});
    let many =
        |bytes: usize| ["a", "b", "c", "d"].map(|key| (key.to_owned(), large(bytes))).into_iter().collect::<Value>();

    for accepted in [keys(16), deep(10), lists(10), json!({"x": large(65_536)}), many(65_000), json!({})] {
        server.post("/recurringruns", recurring(&accepted)).await.ok();
        let text = server.post("/runs", run(&accepted)).await.refused(400);
        assert!(text.contains("nobody to run"), "{text}");
    }
    for (refused, reason) in [
        (keys(17), "number of plugins_input entries (17) exceeds maximum 16"),
        (json!({"x": large(65_537)}), r#"plugins_input["x"] size (65537 bytes) exceeds maximum 65536 bytes"#),
        (many(65_536), "plugins_input total size (262165 bytes) exceeds maximum 262144 bytes"),
        (deep(11), r#"plugins_input["x"] nesting depth exceeds maximum 10"#),
        (lists(11), r#"plugins_input["x"] nesting depth exceeds maximum 10"#),
        (json!({"x": 1}), r#"plugins_input["x"] must be an object"#),
        (json!({"x": null}), r#"plugins_input["x"] must be an object"#),
    ] {
        let expected = format!("Invalid plugins_input: {reason}");
        assert_eq!(server.post("/runs", run(&refused)).await.refused(400), expected);
        assert_eq!(server.post("/recurringruns", recurring(&refused)).await.refused(400), expected);
    }
}

#[tokio::test]
async fn i24_schedules_that_make_no_sense_are_refused_at_creation() {
    let server = Server::start().await;
    let made = server.upload("/upload?name=p", "p.yaml", PIPELINE.as_bytes()).await.ok();
    let reference = json!({"pipeline_id": made["pipeline_id"]});
    let create = async |trigger: Value| {
        let request = json!({"display_name": "x", "max_concurrency": "1", "mode": "DISABLE", "trigger": trigger,
                             "pipeline_version_reference": reference});
        server.post("/recurringruns", request).await
    };
    for cron in ["", "* * * *", "61 * * * * *", "x", "@never", "* * * * * * *", "0 0 0 32 1 *", "a-b * * * * *"] {
        assert_eq!(create(json!({"cron_schedule": {"cron": cron}})).await.status, 400, "{cron:?}");
    }
    for seconds in ["0", "-1", "9223372036854775808", "x"] {
        let trigger = json!({"periodic_schedule": {"interval_second": seconds}});
        assert_eq!(create(trigger).await.status, 400, "{seconds}");
    }
    // One that never fires is found so within a bound.
    let begun = std::time::Instant::now();
    for (trigger, reason) in never_firing() {
        let text = create(trigger.clone()).await.refused(400);
        assert!(text.starts_with("the schedule never fires") && text.contains(reason), "{trigger}: {text}");
    }
    assert!(begun.elapsed() < std::time::Duration::from_secs(5));
    assert_eq!(server.get("/recurringruns").await.ok(), json!({}));
    for trigger in [
        // What it can fire lies in the past, and is caught up with; or it is over before it has begun. KFP's suites make such.
        json!({"periodic_schedule": {"interval_second": 60, "start_time": "2020-01-01T00:00:00Z", "end_time": "2020-01-01T00:01:00Z"}}),
        json!({"cron_schedule": {"cron": "0 * * * * ?", "start_time": "2020-01-01T00:00:00Z", "end_time": "2020-01-01T00:02:00Z"}}),
        json!({"periodic_schedule": {"interval_second": 60, "end_time": "2020-01-01T00:00:00Z"}}),
        json!({"periodic_schedule": {"interval_second": 60, "start_time": "1970-01-01T00:00:00Z", "end_time": "1970-01-01T00:00:00Z"}}),
        json!({"cron_schedule": {"cron": "0 0 0 29 2 ?"}}),
        json!({"periodic_schedule": {"interval_second": "31536000000"}}),
        json!({}),
    ] {
        create(trigger).await.ok();
    }
}

/// Triggers that make no sense, and what is said of each.
fn never_firing() -> [(Value, &'static str); 4] {
    let (start, end) = ("2030-01-01T00:00:00Z", "2029-01-01T00:00:00Z");
    [
        (json!({"cron_schedule": {"cron": "0 0 0 31 2 ?"}}), "within five years"),
        (
            json!({"cron_schedule": {"cron": "0 0 0 * * ?", "start_time": start, "end_time": end}}),
            "is after its end_time",
        ),
        (
            json!({"periodic_schedule": {"interval_second": 60, "start_time": start, "end_time": end}}),
            "is after its end_time",
        ),
        (json!({"periodic_schedule": {"interval_second": "9223372036854775807"}}), "longer than there is time"),
    ]
}

/// An edit cannot make of a recurring run what could not be created; anything else of one that is so already can change.
#[tokio::test]
async fn i24_a_schedule_cannot_become_one_that_never_fires() {
    let server = Server::start().await;
    let request = json!({"display_name": "x", "max_concurrency": 1, "mode": "DISABLE", "pipeline_spec": shown(),
                         "trigger": {"periodic_schedule": {"interval_second": 60}}});
    let made = server.post("/recurringruns", request).await.ok();
    let path = format!("/apis/penstock/v1/recurringruns/{}", made["recurring_run_id"].as_str().expect("an id"));
    let edit = async |change: Value| {
        let request = axum::http::Request::patch(&path).header("content-type", "application/json");
        server.send(request.body(change.to_string().into()).expect("a request")).await
    };
    for (trigger, reason) in never_firing() {
        let text = edit(json!({"trigger": trigger})).await.refused(400);
        assert!(text.contains(reason), "{trigger}: {text}");
    }
    assert_eq!(edit(json!({"display_name": "y"})).await.ok()["trigger"], made["trigger"]);
}

#[tokio::test]
async fn i28_json_is_read_strictly() {
    let server = Server::start().await;
    let post = async |body: &str| server.call(axum::http::Method::POST, "/experiments", body.to_owned()).await;
    for body in [
        r#"{"display_name": "x", "display_name": "y"}"#,
        r#"{"display_name": "x", "displayName": "y"}"#,
        r#"{"display_name": "x"} trailing"#,
        r#"{"display_name": "x"}{}"#,
        r#"{"display_name": "x", "unknown": 1}"#,
        r#"{"display_name": 1}"#,
        r#"{"display_name": "x",}"#,
        r#"{'display_name': 'x'}"#,
    ] {
        let answer = post(body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(answer.json()["code"], 3, "{body}");
    }
    assert_eq!(post(r#"{"display_name": "x", "description": null, "storage_state": 7}"#).await.status, 200);
}

/// What a program printed is sent as it is, and as text that no browser makes anything else of.
#[tokio::test]
async fn i32_logs_of_any_bytes_are_sent_inert() {
    let recorded = Recorded::start().await;
    let odd = format!("\u{1b}[2J\u{1b}]0;x\u{7}<script>\r{}\u{202e}", "x".repeat(300_000));
    recorded.print(0, &odd);
    let task: String = percent_encoding::utf8_percent_encode(TASK, percent_encoding::NON_ALPHANUMERIC).to_string();
    let answer = recorded.get(&format!("/apis/v1alpha1/runs/{}/nodes/{task}/log", recorded.run)).await;
    assert_eq!((answer.status.as_u16(), &answer.text), (200, &odd));
    assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(answer.headers["x-content-type-options"], "nosniff");
}
