//! Fetching from servers of this machine, under names that lead here.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

const LIMIT: usize = 1000;

/// Answers each connection by what the path says.
async fn server(answer: fn(&str) -> String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut head, mut buffer) = (String::new(), [0; 1024]);
                while !head.contains("\r\n\r\n") {
                    let read = stream.read(&mut buffer).await.unwrap_or(0);
                    if read == 0 {
                        return;
                    }
                    head.push_str(&String::from_utf8_lossy(&buffer[..read]));
                    if !head.starts_with(|first: char| first.is_ascii_uppercase()) {
                        // As servers do that are spoken to in TLS.
                        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
                        return;
                    }
                }
                let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                let _ = stream.write_all(answer(&path).as_bytes()).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    port
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn moved(place: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n")
}

/// Every name leads to this machine.
fn here(_name: String) -> Resolving {
    Box::pin(async { Ok(Box::new(vec![SocketAddr::from(([127, 0, 0, 1], 0))].into_iter()) as Addrs) })
}

fn importer(rules: &[String]) -> Importer {
    importer_with(rules, here)
}

fn importer_with(rules: &[String], lookup: Lookup) -> Importer {
    trusting(rules, lookup, None)
}

fn trusting(rules: &[String], lookup: Lookup, authorities: Option<&[u8]>) -> Importer {
    let rules = Arc::new(ImportRules::new(rules.iter().map(|rule| rule.parse().unwrap()).collect()));
    let resolver = Arc::new(CheckedResolver { rules: Arc::clone(&rules), lookup });
    Importer::with_resolver(rules, resolver, authorities).unwrap()
}

/// The host of tests, and this machine's network.
fn allowed(port: u16) -> Vec<String> {
    vec![format!("pipelines.test:{port}"), "127.0.0.0/8".to_owned()]
}

async fn refused(importer: &Importer, url: &str) -> String {
    let error = importer.fetch(url, LIMIT).await.unwrap_err().to_string();
    error.split_once(". ").expect("two sentences").1.to_owned()
}

#[tokio::test]
async fn a_file_is_fetched_with_its_name() {
    let port = server(|path| if path == "/a/p%2Fq.yaml?x=1" { ok("text") } else { moved("/a/p%2Fq.yaml?x=1") }).await;
    let importer = importer(&allowed(port));
    let fetched = importer.fetch(&format!("http://pipelines.test:{port}/a/p%2Fq.yaml?x=1#top"), LIMIT).await.unwrap();
    assert_eq!((fetched.file_name.as_str(), &fetched.content[..]), ("pq.yaml", &b"text"[..]));
    // The name is that of the URL that was given.
    let fetched = importer.fetch(&format!("http://pipelines.test:{port}/other.yaml"), LIMIT).await.unwrap();
    assert_eq!((fetched.file_name.as_str(), &fetched.content[..]), ("other.yaml", &b"text"[..]));
}

#[tokio::test]
async fn t09_a_name_that_leads_inside_is_refused() {
    let port = server(|_| ok("secret")).await;
    let url = format!("http://pipelines.test:{port}/x.yaml");
    let public_only = importer(&[format!("pipelines.test:{port}")]);
    assert_eq!(refused(&public_only, &url).await, NotPublic.to_string());
    assert!(importer(&allowed(port)).fetch(&url, LIMIT).await.is_ok());
    let addresses = format!("http://127.0.0.1:{port}/x.yaml");
    assert!(refused(&public_only, &addresses).await.contains("in no network of --import-from"));
    assert!(refused(&importer(&[]), &url).await.contains("is not one of --import-from"));
}

/// The address that was looked at is the one that is connected to: a name is looked up once for each connection.
#[tokio::test]
async fn t09_a_name_that_changes_where_it_leads_is_not_looked_up_twice() {
    static LOOKUPS: AtomicUsize = AtomicUsize::new(0);
    fn changing(_name: String) -> Resolving {
        // Public at first, and inside when somebody asks again.
        let address = if LOOKUPS.fetch_add(1, Ordering::SeqCst) == 0 { [192, 88, 98, 1] } else { [127, 0, 0, 1] };
        Box::pin(async move { Ok(Box::new(vec![SocketAddr::from((address, 0))].into_iter()) as Addrs) })
    }
    let port = server(|_| ok("secret")).await;
    let importer = importer_with(&[format!("pipelines.test:{port}")], changing);
    let url = format!("http://pipelines.test:{port}/x.yaml");
    // Nobody may answer there; what counts is that nobody asked again, and nothing came from inside.
    let first = tokio::time::timeout(Duration::from_secs(2), importer.fetch(&url, LIMIT)).await;
    assert!(!matches!(first, Ok(Ok(_))), "{first:?}");
    assert_eq!(LOOKUPS.load(Ordering::SeqCst), 1);
    assert_eq!(refused(&importer, &url).await, NotPublic.to_string());
}

#[tokio::test]
async fn t09_each_redirection_is_looked_at() {
    let port = server(|path| match path {
        "/metadata" => moved("http://169.254.169.254/latest"),
        "/address" => moved("http://[::1]/"),
        "/host" => moved("http://evil.test/"),
        "/scheme" => moved("file:///etc/passwd"),
        "/user" => moved("http://user:secret@pipelines.test/"),
        "/port" => moved("//pipelines.test:1/"),
        _ => moved("/again"),
    })
    .await;
    let importer = importer(&allowed(port));
    for (path, reason) in [
        ("metadata", "in no network"),
        ("address", "in no network"),
        ("host", "Host evil.test (and its port) is not one"),
        ("scheme", "Scheme \"file\" is not fetched"),
        ("user", "user name or a password"),
        ("port", "is not one of --import-from"),
        ("loop", "redirects more than 5 times"),
    ] {
        let text = refused(&importer, &format!("http://pipelines.test:{port}/{path}")).await;
        assert!(text.contains(reason), "{path}: {text}");
    }
    let secure = Url::parse("https://pipelines.test/").unwrap();
    assert_eq!(importer.check("http://127.0.0.1/", Some(&secure)).unwrap_err(), "It leaves https");
}

#[tokio::test]
async fn t09_size_and_status_are_checked() {
    let port = server(|path| match path {
        "/said" => "HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n".to_owned(),
        "/chunks" => {
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n{}\r\n0\r\n\r\n", "x".repeat(1001))
        }
        "/short" => "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx".to_owned(),
        "/garbage" => "hello\r\n\r\n".to_owned(),
        _ => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(),
    })
    .await;
    let importer = importer(&allowed(port));
    for (path, reason) in [
        ("said", "more than the 1000 bytes"),
        ("chunks", "more than the 1000 bytes"),
        ("short", "cannot be read"),
        ("garbage", "cannot be read"),
        ("absent", "Request returned 404 Not Found"),
    ] {
        let text = refused(&importer, &format!("http://pipelines.test:{port}/{path}")).await;
        assert!(text.contains(reason), "{path}: {text}");
    }
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let text = refused(&self::importer(&allowed(closed)), &format!("http://pipelines.test:{closed}/x")).await;
    assert_eq!(text, "Its host cannot be reached");
}

#[tokio::test]
async fn i13_odd_urls_are_refused() {
    let importer = importer(&["*".to_owned()]);
    for url in [
        "",
        "x",
        "/etc/passwd",
        "file:///etc/passwd",
        "ftp://example.com/x",
        "s3://bucket/x",
        "http://",
        "http:///x",
        "https://user@example.com/",
        "gopher://example.com",
        "http://example.com:22/",
        "http://127.1/",
        "http://[::]/",
        "data:text/plain,x",
        "http://exa mple.com/",
    ] {
        assert!(importer.fetch(url, LIMIT).await.is_err(), "{url}");
    }
    let long = format!("https://example.com/{}", "x".repeat(LONGEST_URL));
    let text = refused(&importer, &long).await;
    assert!(text.contains("more than 8192 bytes"), "{text}");
    assert!(importer.fetch(&long, LIMIT).await.unwrap_err().to_string().len() < 500);
}

/// A server with a certificate for a name, and the authority that has signed it (PEM). `/moved` leads to `place`.
async fn secure_server(name: &str, place: String) -> (u16, String) {
    use axum::body::Body;
    use axum::http::{Request, Response as Reply};
    use hyper::body::Incoming;
    use penstock_runtime::server::{ServerLimits, serve};
    use penstock_runtime::shutdown::Shutdown;
    use penstock_runtime::tls::{self, CertificateSlot, Protocols};

    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let slot = CertificateSlot::default();
    slot.install(tls::certified_key(chain.as_bytes(), key.as_bytes()).unwrap());
    let config = tls::server_config(&slot, Protocols::Http2).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = move |request: Request<Incoming>| {
        let reply = match request.uri().path() {
            "/moved" => Reply::builder().status(302).header(header::LOCATION, &place).body(Body::empty()),
            _ => Reply::builder().body(Body::from("text")),
        };
        async move { reply.unwrap() }
    };
    tokio::spawn(serve(listener, Some(config), ServerLimits::default(), Shutdown::new(), answer));
    (port, chain)
}

#[tokio::test]
async fn t09_a_server_with_tls_has_to_be_who_the_url_says() {
    let plain = server(|_| ok("in the clear")).await;
    let (port, authority) = secure_server("pipelines.test", format!("http://pipelines.test:{plain}/x.yaml")).await;
    let (other_port, other_authority) = secure_server("other.test", String::new()).await;
    let hosts = [port, plain, other_port].map(|port| format!("pipelines.test:{port}"));
    let rules = [&hosts[..], &["127.0.0.0/8".to_owned()]].concat();
    let url = |port: u16, path: &str| format!("https://pipelines.test:{port}/{path}");
    let trusted = trusting(&rules, here, Some(authority.as_bytes()));
    let fetched = trusted.fetch(&url(port, "a/x.yaml"), LIMIT).await.unwrap();
    assert_eq!((fetched.file_name.as_str(), &fetched.content[..]), ("x.yaml", &b"text"[..]));
    assert_eq!(refused(&trusted, &url(port, "moved")).await, "It redirects elsewhere: It leaves https");
    // Nobody knows its authority; another one; the name of another host.
    let both = format!("{authority}{other_authority}");
    for (importer, url) in [
        (importer(&rules), url(port, "x.yaml")),
        (trusting(&rules, here, Some(other_authority.as_bytes())), url(port, "x.yaml")),
        (trusting(&rules, here, Some(both.as_bytes())), url(other_port, "x.yaml")),
    ] {
        let text = refused(&importer, &url).await;
        assert!(text.starts_with("Its certificate is not trusted") && text.contains("--import-ca-file"), "{text}");
    }
    // Neither side takes the other for what it is not.
    assert_eq!(refused(&trusted, &url(plain, "x.yaml")).await, "Its host cannot be reached");
    let text = refused(&trusted, &format!("http://pipelines.test:{port}/x.yaml")).await;
    assert_eq!(text, "Request returned 400 Bad Request");
}

#[tokio::test]
async fn i31_authorities_that_are_none_are_refused() {
    for pem in [&b""[..], b"rubbish", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        assert!(Importer::trusting(Vec::new(), Some(pem)).is_err(), "{}", String::from_utf8_lossy(pem));
    }
}
