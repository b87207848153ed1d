use std::io::Write as _;

use serde_json::{Value, json};

use crate::fixture::{PIPELINE, Server, shown};

#[tokio::test]
async fn an_upload_is_a_pipeline_with_a_version() {
    let server = Server::start().await;
    let path = "/upload?name=hello&description=a%20b&tags=%7B%22a%22%3A%22b%22%7D&code_source_url=https%3A%2F%2Fx";
    let created = server.upload(path, "hello.yaml", PIPELINE.as_bytes()).await.ok();
    let id = created["pipeline_id"].as_str().unwrap();
    let expected = json!({
        "pipeline_id": id, "name": "hello", "display_name": "hello", "description": "a b",
        "created_at": created["created_at"], "tags": {"a": "b"},
    });
    assert_eq!(created, expected);
    assert_eq!(server.get(&format!("/pipelines/{id}")).await.ok(), expected);
    let versions = server.get(&format!("/pipelines/{id}/versions")).await.ok();
    assert_eq!(versions["total_size"], 1);
    let version = &versions["pipeline_versions"][0];
    let expected = json!({
        "pipeline_id": id, "pipeline_version_id": version["pipeline_version_id"], "name": "hello",
        "display_name": "hello", "description": "a b", "created_at": version["created_at"],
        "code_source_url": "https://x", "pipeline_spec": shown(),
    });
    assert_eq!(*version, expected);
}

#[tokio::test]
async fn names_come_from_the_query_or_the_file() {
    let server = Server::start().await;
    let cases = [
        ("/upload?name=n&display_name=d", ("n", "d")),
        ("/upload?display_name=only%20display", ("only display", "only display")),
        ("/upload", ("p.yaml", "p.yaml")),
    ];
    for (path, (name, display_name)) in cases {
        let created = server.upload(path, "../dir/p.yaml", PIPELINE.as_bytes()).await.ok();
        assert_eq!((&created["name"], &created["display_name"]), (&json!(name), &json!(display_name)), "{path}");
    }
    let again = server.upload("/upload", "P.yaml", PIPELINE.as_bytes()).await;
    assert_eq!(again.refused_upload(409), "Failed to create a pipeline and a pipeline version");
    let details = again.json()["error_details"].as_str().unwrap().to_owned();
    assert!(details.contains("The name P.yaml already exists. Please specify a new name"), "{details}");
}

#[tokio::test]
async fn archives_are_unpacked() {
    let server = Server::start().await;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    let mut header = tar::Header::new_gnu();
    header.set_size(PIPELINE.len() as u64);
    header.set_cksum();
    let mut archive = tar::Builder::new(&mut gzip);
    archive.append_data(&mut header, "pipeline.yaml", PIPELINE.as_bytes()).unwrap();
    archive.finish().unwrap();
    drop(archive);
    let tarball = gzip.finish().unwrap();
    server.upload("/upload?name=tar", "p.tar.gz", &tarball).await.ok();
    let mut zipped = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zipped.start_file("pipeline.yaml", zip::write::SimpleFileOptions::default()).unwrap();
    zipped.write_all(PIPELINE.as_bytes()).unwrap();
    let zipped = zipped.finish().unwrap().into_inner();
    server.upload("/upload?name=zip", "p.zip", &zipped).await.ok();
}

#[tokio::test]
async fn i01_what_holds_no_pipeline_is_refused() {
    let server = Server::start().await;
    let upload =
        async |name: &str, content: &[u8]| server.upload("/upload?name=x", name, content).await.refused_upload(400);
    let unreadable = "Failed to read a pipeline spec file";
    assert_eq!(upload("x.yaml", b"").await, unreadable);
    assert_eq!(upload("x.png", b"\x89PNG\r\n").await, unreadable);
    assert_eq!(upload("x.zip", b"PK\x05\x06").await, unreadable);
    assert_eq!(upload("x.yaml", &vec![b' '; (64 << 10) + 1]).await, unreadable);
    assert_eq!(upload("x.yaml", b"a: 1").await, "unknown template format: no pipeline spec is provided");
    assert!(upload("x.yaml", b"a: [").await.starts_with("failed to parse pipeline spec YAML"));
    let unnamed = PIPELINE.replace("{name: hello}", "{}");
    assert_eq!(upload("x.yaml", unnamed.as_bytes()).await, "pipeline's name cannot be empty");
    // Whole or not at all.
    assert_eq!(server.get("/pipelines").await.ok(), json!({}));
}

#[tokio::test]
async fn a_version_needs_its_pipeline_and_a_name_of_its_own() {
    let server = Server::start().await;
    let created = server.upload("/upload?name=p", "p.yaml", PIPELINE.as_bytes()).await.ok();
    let id = created["pipeline_id"].as_str().unwrap();
    let upload =
        async |query: &str| server.upload(&format!("/upload_version?{query}"), "f.yaml", PIPELINE.as_bytes()).await;
    let by_file = upload(&format!("pipelineid={id}")).await.ok();
    assert_eq!((&by_file["name"], &by_file["display_name"]), (&json!("f.yaml"), &json!("f.yaml")));
    let refused = "Failed to create a pipeline version";
    let taken = upload(&format!("pipelineid={id}&name=P")).await;
    assert_eq!(taken.refused_upload(409), refused);
    assert!(taken.text.contains("The name P already exist. Specify a new name"), "{}", taken.text);
    for query in ["pipelineid=12345", "", "pipelineid=00000000-0000-4000-8000-000000000000"] {
        assert_eq!(upload(query).await.refused_upload(400), refused, "{query}");
    }
    let tags = "%7B%22a.b%22%3A%22c%22%7D";
    let refused = upload(&format!("pipelineid={id}&name=y&tags={tags}")).await.refused_upload(400);
    assert_eq!(refused, r#"tag key "a.b" must not contain '.' character"#);
    let refused = upload(&format!("pipelineid={id}&name=y&tags=x")).await.refused_upload(400);
    assert_eq!(refused, "Failed to parse tags query parameter. Expected JSON object with string keys and values");
    let long = upload(&format!("pipelineid={id}&name={}", "x".repeat(128))).await.refused_upload(400);
    assert_eq!(long, "PipelineVersion.Name length cannot exceed 127");
}

#[tokio::test]
async fn i27_odd_forms_are_refused_or_read_for_the_one_part() {
    let server = Server::start().await;
    let refused = "Failed to read pipeline from file";
    let no_form = server.call(axum::http::Method::POST, "/pipelines/upload", "{}").await;
    assert_eq!(no_form.refused_upload(400), refused);
    let part = |name: &str, file: &str, content: &str| {
        format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n{content}\r\n")
    };
    let file = "; filename=\"p.yaml\"";
    let send = async |form: String| server.send_form("/upload?name=p", form.into_bytes()).await;
    for form in [
        String::new(),
        "--edge--\r\n".to_owned(),
        format!("{}--edge--\r\n", part("other", file, PIPELINE)),
        format!("{}--edge--\r\n", part("uploadfile", "", PIPELINE)),
        part("uploadfile", file, PIPELINE),
        part("other", file, "x").repeat(100) + &part("uploadfile", file, PIPELINE) + "--edge--\r\n",
    ] {
        assert_eq!(send(form.clone()).await.refused_upload(400), refused, "{form}");
    }
    let form = part("note", "", "x") + &part("uploadfile", file, PIPELINE) + &part("more", file, "y") + "--edge--\r\n";
    let created: Value = send(form).await.ok();
    assert_eq!(created["name"], "p");
}
