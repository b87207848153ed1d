//! The files of the dashboard.

use std::path::Path;

use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, header};
use flate2::read::GzDecoder;
use penstock_apiserver::{ApiSettings, Dashboard, DashboardFile};

use crate::fixture::{Answer, Server};

#[path = "../../build/dist.rs"]
mod dist;

/// A small one; what it says is compressed is only said to be.
pub(crate) const BUILT: Dashboard = Dashboard::of(&[
    DashboardFile {
        name: "assets/index-1a2b.js",
        content_type: "text/javascript; charset=utf-8",
        version: "11",
        content: b"start()",
        gzip: Some(b"squeezed"),
    },
    DashboardFile { name: "favicon.svg", content_type: "image/svg+xml", version: "22", content: b"<svg/>", gzip: None },
    DashboardFile {
        name: "index.html",
        content_type: "text/html; charset=utf-8",
        version: "33",
        content: b"<!doctype html>",
        gzip: None,
    },
]);

async fn server(dashboard: Dashboard) -> Server {
    let (api, directory) = Server::api_with(|settings| ApiSettings { dashboard, ..settings }).await;
    Server::over(api, directory)
}

async fn get(server: &Server, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    server.send(request.body(Body::empty()).expect("a request")).await
}

#[tokio::test]
async fn the_page_is_asked_for_again_and_its_assets_are_kept() {
    let server = server(BUILT).await;
    for (path, content, kind, version, caching) in [
        ("/", "<!doctype html>", "text/html; charset=utf-8", "W/\"33\"", "no-cache"),
        ("/index.html", "<!doctype html>", "text/html; charset=utf-8", "W/\"33\"", "no-cache"),
        ("/favicon.svg", "<svg/>", "image/svg+xml", "W/\"22\"", "no-cache"),
        (
            "/assets/index-1a2b.js",
            "start()",
            "text/javascript; charset=utf-8",
            "W/\"11\"",
            "public, max-age=31536000, immutable",
        ),
    ] {
        let answer = get(&server, path, &[]).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, content), "{path}");
        assert_eq!(answer.headers[header::CONTENT_TYPE], kind, "{path}");
        assert_eq!(answer.headers[header::CACHE_CONTROL], caching, "{path}");
        assert_eq!(answer.headers[header::ETAG], version, "{path}");
        assert!(answer.headers.get(header::CONTENT_ENCODING).is_none(), "{path}");
        for known in [version, version.trim_start_matches("W/"), "\"0\", *"] {
            let known = get(&server, path, &[("if-none-match", known)]).await;
            assert_eq!((known.status.as_u16(), known.text.as_str()), (304, ""), "{path}");
            assert_eq!(known.headers[header::CACHE_CONTROL], caching, "{path}");
        }
        assert_eq!(get(&server, path, &[("if-none-match", "\"0\"")]).await.status, 200);
        let head = Request::head(path).body(Body::empty()).expect("a request");
        let head = Server::read(&Method::HEAD, path, server.open(head).await).await;
        assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""), "{path}");
        assert_eq!(head.headers[header::CONTENT_LENGTH], content.len().to_string(), "{path}");
    }
}

#[tokio::test]
async fn whoever_takes_gzip_gets_what_was_compressed() {
    let server = server(BUILT).await;
    for (path, encoding, content) in
        [("/assets/index-1a2b.js", Some("gzip"), "squeezed"), ("/favicon.svg", None, "<svg/>")]
    {
        let answer = get(&server, path, &[("accept-encoding", "br, gzip")]).await;
        let encoded = answer.headers.get(header::CONTENT_ENCODING).map(|encoding| encoding.to_str().expect("text"));
        assert_eq!((answer.text.as_str(), encoded), (content, encoding), "{path}");
        // What is kept for those who take it is not for the others.
        assert_eq!(answer.headers[header::VARY], "accept-encoding", "{path}");
    }
}

/// T-14, T-26: the page runs nothing but its own files, and only pages of its own origin frame it.
#[tokio::test]
async fn t14_t26_the_page_may_do_what_it_needs() {
    let server = server(BUILT).await;
    for path in ["/", "/index.html", "/favicon.svg", "/assets/index-1a2b.js"] {
        let answer = get(&server, path, &[]).await;
        let policy = answer.headers[header::CONTENT_SECURITY_POLICY].to_str().expect("text");
        let directives: Vec<&str> = policy.split("; ").collect();
        for wanted in [
            "default-src 'none'",
            "script-src 'self'",
            "connect-src 'self'",
            "frame-ancestors 'self'",
            "base-uri 'none'",
            "form-action 'none'",
        ] {
            assert!(directives.contains(&wanted), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
        assert_eq!(answer.headers[header::REFERRER_POLICY], "no-referrer");
    }
}

#[tokio::test]
async fn i12_what_is_no_file_of_the_dashboard_is_not_there() {
    let server = server(BUILT).await;
    for path in [
        "/nothing",
        "/assets/nothing.js",
        "/assets%2Findex-1a2b.js/",
        "/assets/..%2Findex.html",
        "/..%2Fassets%2Findex-1a2b.js",
        "/INDEX.html",
    ] {
        assert_eq!(get(&server, path, &[]).await.status, 404, "{path}");
    }
    for path in ["/foo", "/assets/a%0Ab"] {
        let nothing = get(&server, path, &[]).await;
        let kind = nothing.headers[header::CONTENT_TYPE].to_str().ok();
        assert_eq!((nothing.text.as_str(), kind), ("404 page not found\n", Some("text/plain; charset=utf-8")));
    }
}

#[tokio::test]
async fn a_build_without_a_dashboard_says_how_to_make_one() {
    let server = server(Dashboard::of(&[])).await;
    let answer = get(&server, "/", &[]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers[header::CONTENT_TYPE], "text/plain; charset=utf-8");
    assert_eq!(answer.headers[header::CACHE_CONTROL], "no-cache");
    assert!(answer.text.contains("`make dashboard`"), "{}", answer.text);
    assert_eq!(get(&server, "/index.html", &[]).await.status, 404);
}

/// What was built with this is whole: each asset that the page names is there.
#[tokio::test]
async fn the_dashboard_of_this_build_is_whole() {
    let server = server(Dashboard::embedded()).await;
    let Some(page) = Dashboard::embedded().files().iter().find(|file| file.name == "index.html") else {
        assert!(std::env::var_os("CI").is_none(), "there is no dashboard in this build; `make test` builds it");
        eprintln!("SKIPPED the_dashboard_of_this_build_is_whole: none was built; `make dashboard` does");
        return;
    };
    let page = std::str::from_utf8(page.content).expect("text");
    let named = page.split('"').filter_map(|text| text.strip_prefix("./").or_else(|| text.strip_prefix('/')));
    let mut count = 0;
    for name in named.filter(|name| name.contains('.')) {
        assert_eq!(get(&server, &format!("/{name}"), &[]).await.status, 200, "{name}");
        count += 1;
    }
    assert!(count > 0, "the page names no file below it: {page}");
    for file in Dashboard::embedded().files() {
        let request = Request::get(format!("/{}", file.name)).header("accept-encoding", "gzip");
        let answer = server.open(request.body(Body::empty()).expect("a request")).await;
        let is_compressed = answer.headers().contains_key(header::CONTENT_ENCODING);
        let body = to_bytes(answer.into_body(), usize::MAX).await.expect("a body");
        let content = if is_compressed { decompressed(&body) } else { body.to_vec() };
        assert!(content == file.content, "{}", file.name);
    }
}

fn decompressed(content: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    std::io::Read::read_to_end(&mut GzDecoder::new(content), &mut plain).expect("it is compressed");
    plain
}

fn write(folder: &Path, name: &str, content: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
    std::fs::write(path, content).expect("a file");
}

#[test]
fn a_table_has_all_files_that_were_built() {
    let (dist, out) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let table = || dist::table(dist.path(), out.path()).expect("a table");
    let nothing = table();
    assert_eq!(nothing, "&[\n]\n");
    write(dist.path(), "assets/app-1.js", &"again and ".repeat(1000));
    assert_eq!(table(), nothing, "a page belongs to it");
    write(dist.path(), "index.html", "<p>");
    write(dist.path(), ".sources", "a note");
    let written = table();
    let lines: Vec<&str> = written.lines().filter(|line| line.contains("DashboardFile")).collect();
    assert_eq!(lines.len(), 2, "{written}");
    for (line, wanted) in lines.iter().zip([
        ["name: \"assets/app-1.js\"", "text/javascript; charset=utf-8", "/assets/app-1.js\"), gzip: Some("],
        ["name: \"index.html\"", "text/html; charset=utf-8", "/index.html\"), gzip: None"],
    ]) {
        assert!(wanted.iter().all(|part| line.contains(part)), "{line}");
    }
    let compressed = std::fs::read(out.path().join("0.gz")).expect("a compressed file");
    assert_eq!(decompressed(&compressed), "again and ".repeat(1000).as_bytes());
    write(dist.path(), "index.html", "<b>");
    assert_ne!(table(), written, "its version is another");
    write(dist.path(), "assets/fonts/a.woff2", "");
    let refused = dist::table(dist.path(), out.path()).expect_err("it would not be served").to_string();
    assert!(refused.contains("assets/fonts would not be served"), "{refused}");
}
