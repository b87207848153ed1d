//! Artifacts of a run, and their bytes.

use penstock_spec::artifact::Content;
use serde_json::json;
use uuid::Uuid;

use crate::recorded::{Recorded, TASK, artifact, file_of};

fn content(number: u128) -> String {
    format!("/apis/penstock/v1/artifacts/{}/content", Uuid::from_u128(number))
}

async fn with_model() -> Recorded {
    let recorded = Recorded::start().await;
    let uri = recorded.store_file("train/model.txt", b"0123456789");
    recorded.put_out(vec![("out", artifact(1, &uri, file_of(10)))]).await;
    recorded
}

#[tokio::test]
async fn artifacts_of_a_run_are_listed_with_their_producers() {
    let recorded = with_model().await;
    let others = (2..5).map(|number| (["a", "b", "c"][number as usize - 2], artifact(number, "s3://b/k", None)));
    recorded.put_out(others.collect()).await;
    let list = format!("/apis/penstock/v1/artifacts?run_id={}", recorded.run);
    let first = recorded.get(&format!("{list}&page_size=3")).await.ok();
    let names = |reply: &serde_json::Value| -> Vec<String> {
        let list = reply["artifacts"].as_array().expect("a list");
        list.iter().map(|artifact| artifact["producer"]["output"].as_str().expect("an output").to_owned()).collect()
    };
    assert_eq!(names(&first), ["a", "b", "c"]);
    let token = first["next_page_token"].as_str().expect("a token");
    let second = recorded.get(&format!("{list}&page_token={token}")).await.ok();
    let path = recorded.store_file("train/model.txt", b"0123456789");
    let expected = json!({"artifacts": [{
        "artifact_id": Uuid::from_u128(1), "name": "model", "type": "system.Model", "uri": path,
        "metadata": {"depth": 3}, "digest": "sha256:abc", "size": "10", "files": 1,
        "producer": {"run_id": recorded.run, "task_id": recorded.task, "task_path": TASK, "task_name": "train",
                     "output": "out"},
    }]});
    assert_eq!(second, expected);
    let across = recorded.get("/apis/penstock/v1/artifacts").await.ok();
    assert_eq!(across["artifacts"].as_array().map(Vec::len), Some(4), "of all runs, without a run_id");
    assert_eq!(recorded.get(&format!("{list}&page_token=AAAA")).await.refused(400), "Invalid page token");
    assert_eq!(recorded.get("/apis/penstock/v1/artifacts?run_id=x").await.refused(404), "Run x not found");
}

#[tokio::test]
async fn bytes_come_whole_or_in_ranges() {
    let recorded = with_model().await;
    let whole = recorded.get(&content(1)).await;
    assert_eq!((whole.status.as_u16(), whole.text.as_str()), (200, "0123456789"));
    for (name, value) in [
        ("content-type", "text/plain; charset=utf-8"),
        ("content-length", "10"),
        ("accept-ranges", "bytes"),
        ("etag", "\"sha256:abc\""),
        ("content-disposition", "inline; filename=\"model.txt\""),
        ("content-security-policy", "sandbox; default-src 'none'"),
    ] {
        assert_eq!(whole.headers[name], value, "{name}");
    }
    let part = recorded.get_with(&content(1), &[("range", "bytes=2-4")]).await;
    assert_eq!((part.status.as_u16(), part.text.as_str()), (206, "234"));
    assert_eq!(
        (&part.headers["content-range"], &part.headers["content-length"]),
        (&"bytes 2-4/10".parse().unwrap(), &"3".parse().unwrap())
    );
    assert_eq!(recorded.get_with(&content(1), &[("range", "bytes=-2")]).await.text, "89");
    let beyond = recorded.get_with(&content(1), &[("range", "bytes=10-")]).await;
    assert_eq!((beyond.status.as_u16(), &beyond.headers["content-range"]), (416, &"bytes */10".parse().unwrap()));
    let known = recorded.get_with(&content(1), &[("if-none-match", "\"x\", W/\"sha256:abc\"")]).await;
    assert_eq!((known.status.as_u16(), known.text.as_str()), (304, ""));
    for (version, expected) in [("\"sha256:abc\"", 206), ("\"other\"", 200)] {
        let answer = recorded.get_with(&content(1), &[("range", "bytes=0-0"), ("if-range", version)]).await;
        assert_eq!(answer.status, expected);
    }
    let saved = recorded.get(&format!("{}?download=true", content(1))).await;
    assert_eq!(saved.headers["content-disposition"], "attachment; filename=\"model.txt\"");
}

#[tokio::test]
async fn t03_nothing_that_a_browser_would_render_is_shown() {
    let recorded = Recorded::start().await;
    for (number, name) in (10..).zip(["page.html", "picture.svg", "noname"]) {
        let uri = recorded.store_file(name, b"<script>alert(1)</script>");
        recorded.put_out(vec![(name, artifact(number, &uri, file_of(25)))]).await;
        let answer = recorded.get(&content(number)).await;
        assert_eq!(answer.headers["content-type"], "application/octet-stream", "{name}");
        assert!(answer.headers["content-disposition"].to_str().unwrap().starts_with("attachment; "), "{name}");
        assert_eq!(answer.headers["content-security-policy"], "sandbox; default-src 'none'");
    }
}

/// T-14: a page that is displayed runs, but in an origin of its own and without network.
#[tokio::test]
async fn t14_a_page_is_displayed_in_a_sandbox() {
    let recorded = Recorded::start().await;
    let uri = recorded.store_file("report", b"<script>alert(1)</script>");
    recorded.put_out(vec![("report", artifact(10, &uri, file_of(25)))]).await;
    let answer = recorded.get(&format!("{}?display=html", content(10))).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, "<script>alert(1)</script>"));
    assert_eq!(answer.headers["content-type"], "text/html; charset=utf-8");
    assert_eq!(answer.headers["content-disposition"], "inline; filename=\"report\"");
    assert_eq!(answer.headers["referrer-policy"], "no-referrer");
    let policy = answer.headers["content-security-policy"].to_str().unwrap();
    let directives: Vec<&str> = policy.split("; ").collect();
    for wanted in ["sandbox allow-scripts", "default-src 'none'", "frame-ancestors 'self'", "img-src data: blob:"] {
        assert!(directives.contains(&wanted), "{policy}");
    }
    // What would undo the sandbox, or reach others.
    for unwanted in ["allow-same-origin", "connect-src", "http", "*", "'self' "] {
        assert!(!policy.contains(unwanted), "{policy}");
    }
    let known =
        recorded.get_with(&format!("{}?display=html", content(10)), &[("if-none-match", "\"sha256:abc\"")]).await;
    assert_eq!((known.status.as_u16(), &known.headers["content-security-policy"].to_str().unwrap()), (304, &policy));
    for (query, reason) in [
        ("display=svg", "display \"svg\" is not known: it is html or image"),
        ("display=html&download=true", "a file is saved (download) or shown (display=html): ask for one of them"),
        ("display=image", "\"report\" is no image by its name: png, jpg, jpeg, gif, webp and svg are"),
    ] {
        assert_eq!(recorded.get(&format!("{}?{query}", content(10))).await.refused(400), reason);
    }
    let large = recorded.store_file("large.html", &vec![b' '; (20 << 20) + 1]);
    recorded.put_out(vec![("large", artifact(11, &large, None))]).await;
    let refused = recorded.get(&format!("{}?display=html", content(11))).await.refused(400);
    assert_eq!(refused, "\"large.html\" has 20971521 bytes, more than the 20971520 that are displayed: download it");
}

/// T-14: a drawing is one as an image alone, where it runs nothing.
#[tokio::test]
async fn t14_drawings_are_shown_as_images() {
    let recorded = Recorded::start().await;
    for (number, name) in (10..).zip(["picture.svg", "photo.PNG"]) {
        let uri = recorded.store_file(name, b"<svg/>");
        recorded.put_out(vec![(name, artifact(number, &uri, file_of(6)))]).await;
    }
    let of = async |number, headers: &[(&str, &str)]| {
        let answer = recorded.get_with(&format!("{}?display=image", content(number)), headers).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let text = |name: &str| answer.headers[name].to_str().unwrap().to_owned();
        (text("content-type"), text("content-security-policy"), text("content-disposition"))
    };
    for headers in [&[][..], &[("sec-fetch-dest", "image")]] {
        let (kind, policy, disposition) = of(10, headers).await;
        assert_eq!((kind.as_str(), disposition.as_str()), ("image/svg+xml", "inline; filename=\"picture.svg\""));
        assert!(policy.starts_with("sandbox; default-src 'none'; "), "{policy}");
        assert!(policy.ends_with("frame-ancestors 'none'") && !policy.contains("script"), "{policy}");
    }
    for wanted in ["document", "iframe", "object", "embed", "empty"] {
        let (kind, _, disposition) = of(10, &[("sec-fetch-dest", wanted)]).await;
        assert_eq!(kind, "application/octet-stream", "{wanted}");
        assert!(disposition.starts_with("attachment; "), "{disposition}");
    }
    assert_eq!(of(11, &[("sec-fetch-dest", "document")]).await.0, "image/png");
}

#[tokio::test]
async fn files_of_a_directory_are_listed() {
    let recorded = with_model().await;
    let files = |number: u128| format!("/apis/penstock/v1/artifacts/{}/files", Uuid::from_u128(number));
    recorded.store_file("set/part/1.csv", b"a,b");
    recorded.store_file("set/empty", b"");
    let uri = recorded.store_file("set/x", b"x");
    let uri = uri.strip_suffix("/x").unwrap();
    let directory = Content { directory: true, files: 3, size: 4, digest: "sha256:d".to_owned() };
    recorded.put_out(vec![("set", artifact(2, uri, Some(directory))), ("imported", artifact(3, uri, None))]).await;
    for number in [2, 3] {
        let listed = recorded.get(&files(number)).await.ok();
        let mut found: Vec<(&str, &str)> = listed["files"]
            .as_array()
            .expect("files")
            .iter()
            .map(|file| (file["path"].as_str().expect("a path"), file["size"].as_str().unwrap_or("0")))
            .collect();
        found.sort_unstable();
        assert_eq!(found, [("empty", "0"), ("part/1.csv", "3"), ("x", "1")]);
    }
    assert!(recorded.get(&files(1)).await.refused(400).contains("is a file"));
    recorded.get(&files(99)).await.refused(404);
    assert_eq!(recorded.get(&format!("{}?page_token=AAAA", files(2))).await.refused(400), "Invalid page token");
}

#[tokio::test]
async fn t03_only_files_of_the_artifact_are_read() {
    let recorded = Recorded::start().await;
    recorded.store_file("secret", b"secret");
    recorded.store_file("set/part/1.csv", b"a,b");
    let uri = recorded.store_file("set/x", b"x");
    let uri = uri.strip_suffix("/x").unwrap();
    let directory = Content { directory: true, files: 2, size: 4, digest: "sha256:d".to_owned() };
    recorded.put_out(vec![("set", artifact(1, uri, Some(directory))), ("imported", artifact(2, uri, None))]).await;
    for number in [1, 2] {
        assert!(recorded.get(&content(number)).await.refused(400).contains("name a file in it with ?path="));
        let file = recorded.get(&format!("{}?path=part/1.csv", content(number))).await;
        assert_eq!(
            (file.text.as_str(), &file.headers["content-type"]),
            ("a,b", &"text/csv; charset=utf-8".parse().unwrap())
        );
        for path in
            ["../secret", "part/../../secret", "/etc/passwd", "part//1.csv", ".", "part/", "%2e%2e%2fsecret", "a%5Cb"]
        {
            let text = recorded.get(&format!("{}?path={path}", content(number))).await.refused(400);
            assert!(text.contains("is not the relative path of a file"), "{path}: {text}");
        }
        for path in ["part", "nothing", "part/1.csv/x"] {
            assert_eq!(recorded.get(&format!("{}?path={path}", content(number))).await.status, 404, "{path}");
        }
    }
    // A link that user code left behind is no file of it.
    std::os::unix::fs::symlink("/etc/passwd", uri.strip_prefix("file://").unwrap().to_owned() + "/link").unwrap();
    assert_eq!(recorded.get(&format!("{}?path=link", content(1))).await.status, 404);
    // Nor does anything lead to what no run has recorded.
    assert_eq!(recorded.get(&content(99)).await.refused(404), format!("Artifact {} not found", Uuid::from_u128(99)));
    recorded.put_out(vec![("evil", artifact(3, "file:///etc/passwd", None))]).await;
    assert!(recorded.get(&content(3)).await.refused(400).contains("outside of the directories"));
}

#[tokio::test]
async fn an_artifact_is_read_within_json() {
    let recorded = with_model().await;
    let read =
        |node: &str, name: &str| format!("/apis/v2beta1/runs/{}/nodes/{node}/artifacts/{name}:read", recorded.run);
    let task = recorded.task.to_string();
    for name in ["out", "model"] {
        let answer = recorded.get(&read(&task, name)).await;
        assert_eq!(answer.ok(), json!({"data": "MDEyMzQ1Njc4OQ=="}));
        assert_eq!(answer.headers["cache-control"], "no-cache, private");
    }
    assert_eq!(recorded.get(&read(&task, "other")).await.refused_upload(404), "Artifact other not found");
    assert_eq!(recorded.get(&read("nothing", "out")).await.refused_upload(404), "Task nothing not found");
    let huge = recorded.store_file("huge", b"");
    let path = huge.strip_prefix("file://").unwrap();
    std::fs::File::options().write(true).open(path).unwrap().set_len(20 << 20).unwrap();
    recorded.put_out(vec![("huge", artifact(2, &huge, file_of(20 << 20)))]).await;
    let text = recorded.get(&read(&task, "huge")).await.refused_upload(400);
    assert!(text.contains("20971520 bytes") && text.contains(&content(2)), "{text}");
    // Other names may well end like the verb.
    let named = recorded.get("/apis/v2beta1/pipelines/names/x:read").await.refused(404);
    assert!(named.contains("x:read not found"), "{named}");
}

#[tokio::test]
async fn rows_of_tables_are_shown() {
    let recorded = Recorded::start().await;
    let table =
        |number: u128, query: &str| format!("/apis/penstock/v1/artifacts/{}/table?{query}", Uuid::from_u128(number));
    let csv = recorded.store_file("data.csv", b"n,who\n1,a\n2,b\n3,c\n");
    let jsonl = recorded.store_file("set/part.jsonl", b"{\"n\": 1}\n{\"n\": \"x\"}\n");
    let directory = Content { directory: true, files: 1, size: 4, digest: "sha256:d".to_owned() };
    let set = artifact(11, jsonl.strip_suffix("/part.jsonl").unwrap(), Some(directory));
    let large: String = "0123456789abcde\n".repeat((8 << 20) / 16 + 10);
    let large = recorded.store_file("large.csv", large.as_bytes());
    let broken = recorded.store_file("broken.jsonl", b"{");
    let other = recorded.store_file("model.bin", b"1");
    let single = |number, uri: &str| artifact(number, uri, None);
    recorded.put_out(vec![("csv", single(10, &csv)), ("set", set), ("large", single(12, &large))]).await;
    recorded.put_out(vec![("broken", single(13, &broken)), ("other", single(14, &other))]).await;
    let expected = json!({
        "columns": [{"name": "n", "type": "integer"}, {"name": "who", "type": "string"}],
        "rows": [["2", "b"]], "total_rows": 3, "truncated": true,
    });
    assert_eq!(recorded.get(&table(10, "offset=1&limit=1")).await.ok(), expected);
    let all = recorded.get(&table(10, "")).await.ok();
    assert_eq!((all["rows"].as_array().map(Vec::len), &all["truncated"]), (Some(3), &json!(false)));
    let of_file = recorded.get(&table(11, "path=part.jsonl")).await.ok();
    assert_eq!(
        (&of_file["columns"], &of_file["rows"]),
        (&json!([{"name": "n", "type": "mixed"}]), &json!([[1], ["x"]]))
    );
    // Of a large one the beginning is looked at.
    let cut = recorded.get(&table(12, "offset=500000&limit=5000")).await.ok();
    assert_eq!((cut.get("total_rows"), &cut["truncated"]), (None, &json!(true)));
    assert_eq!(cut["rows"].as_array().map(Vec::len), Some(1000));
    for (number, query, reason) in [
        (10, "offset=-1", "offset must not be negative: it is -1"),
        (11, "", "is a directory: name a file in it with ?path="),
        (13, "", "\"broken.jsonl\" cannot be read as a table: line 1 is not JSON: "),
        (14, "", "\"model.bin\" is no table by its name (csv, tsv, jsonl, ndjson), and no Parquet file"),
    ] {
        let refused = recorded.get(&table(number, query)).await.refused(400);
        assert!(refused.contains(reason), "{refused}");
    }
}

#[tokio::test]
async fn rows_of_parquet_files_are_shown_whatever_they_are_called() {
    const LARGE: &[u8] = include_bytes!("../../testdata/parquet/large.parquet");
    const ODD: &[u8] = include_bytes!("../../testdata/parquet/odd.parquet");
    let recorded = Recorded::start().await;
    let table =
        |number: u128, query: &str| format!("/apis/penstock/v1/artifacts/{}/table?{query}", Uuid::from_u128(number));
    // As a task stores it that writes to the path of its output.
    let unnamed = recorded.store_file("executor/data", LARGE);
    let odd = recorded.store_file("odd.parquet", ODD);
    let cut = recorded.store_file("cut.parquet", &LARGE[..LARGE.len() - 3]);
    let single = |number, uri: &str| artifact(number, uri, None);
    recorded.put_out(vec![("a", single(10, &unnamed)), ("b", single(11, &odd)), ("c", single(12, &cut))]).await;
    let expected = json!({
        "columns": [{"name": "n", "type": "integer"}, {"name": "text", "type": "string"}],
        "rows": [[39_998, "row 39998"], [39_999, "row 39999"]], "total_rows": 40_000, "truncated": false,
    });
    assert_eq!(recorded.get(&table(10, "offset=39998")).await.ok(), expected);
    let shown = recorded.get(&table(11, "limit=1")).await.ok();
    let note =
        json!({"name": "delta", "type": "string", "note": "it is encoded by DELTA_BYTE_ARRAY, which is not read here"});
    assert_eq!((&shown["columns"][1], &shown["rows"][0][1], &shown["truncated"]), (&note, &json!(null), &json!(true)));
    let refused = recorded.get(&table(12, "")).await.refused(400);
    assert!(refused.ends_with(
        "\"cut.parquet\" cannot be read as a table: it does not end as a Parquet file does, or is encrypted"
    ));
}
