//! Listeners with TLS: what is spoken over it, and what a connection that carries many requests may take.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, future, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::client::conn::http2::{self, SendRequest};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use penstock_runtime::server::{self, BodyBudget, ServerLimits, read_body};
use penstock_runtime::shutdown::Shutdown;
use penstock_runtime::tls::{self, CertificateSlot, Protocols};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const BODY_LIMIT: usize = 1 << 20;
/// Larger than all that a connection holds for a client.
const LARGE: usize = 8 << 20;
/// Longer than anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);

type Answer = UnsyncBoxBody<Bytes, std::io::Error>;

struct Server {
    address: SocketAddr,
    authority: CertificateDer<'static>,
    shutdown: Shutdown,
    task: JoinHandle<()>,
}

fn quick() -> ServerLimits {
    ServerLimits {
        connections: 8,
        handshake: Duration::from_millis(500),
        head: Duration::from_millis(300),
        head_bytes: 8 << 10,
        request: Duration::from_millis(900),
        stall: Duration::from_millis(500),
        idle: Duration::from_millis(1500),
        lame_duck: Duration::ZERO,
        drain: Duration::from_secs(3),
    }
}

/// `/drip`: a line each 50 ms without end. `/flood`: all that is taken. `/silent`: a line, and then nothing. `/large`: many
/// bytes that are all there. `/stuck`: no answer.
async fn handle(request: Request<Incoming>) -> Response<Answer> {
    let line = || Ok(Frame::data(Bytes::from_static(b"a line\n")));
    let streamed = |frames: stream::BoxStream<'static, std::io::Result<Frame<Bytes>>>| {
        Response::new(StreamBody::new(frames).boxed_unsync())
    };
    let whole = |bytes: Bytes| Response::new(Full::new(bytes).map_err(|never| match never {}).boxed_unsync());
    match request.uri().path() {
        "/panic" => panic!("on purpose"),
        "/stuck" => future::pending().await,
        "/drip" => streamed(
            stream::repeat(())
                .then(move |()| async move {
                    sleep(Duration::from_millis(50)).await;
                    line()
                })
                .boxed(),
        ),
        "/flood" => streamed(stream::repeat_with(|| Ok(Frame::data(Bytes::from(vec![b'x'; 1 << 16])))).boxed()),
        "/silent" => streamed(stream::once(async move { line() }).chain(stream::pending()).boxed()),
        "/large" => whole(Bytes::from(vec![b'y'; LARGE])),
        "/slow" => {
            sleep(Duration::from_millis(300)).await;
            whole(Bytes::from_static(b"slow\n"))
        }
        _ => match read_body(request.into_body(), BODY_LIMIT, &BodyBudget::new(BODY_LIMIT)).await {
            Ok((body, _room)) => whole(Bytes::from(format!("read {}\n", body.len()))),
            Err(error) => {
                let mut refusal = whole(Bytes::from(error.to_string()));
                *refusal.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
                refusal
            }
        },
    }
}

async fn start(protocols: Protocols) -> Server {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("generates");
    let slot = CertificateSlot::default();
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    slot.install(tls::certified_key(chain.as_bytes(), key.as_bytes()).expect("a pair"));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let shutdown = Shutdown::new();
    let config = tls::server_config(&slot, protocols).expect("TLS");
    let task = tokio::spawn(server::serve(listener, Some(config), quick(), shutdown.clone(), handle));
    Server { address, authority: made.cert.der().clone(), shutdown, task }
}

/// A connection on which a client offers these protocols.
async fn connect(server: &Server, offered: &[&[u8]]) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(server.authority.clone()).expect("a certificate");
    let config = ClientConfig::builder_with_provider(tls::provider()).with_safe_default_protocol_versions();
    let mut config = config.expect("versions").with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = offered.iter().map(|name| name.to_vec()).collect();
    let stream = TcpStream::connect(server.address).await.expect("connects");
    let name = ServerName::try_from("localhost").expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.expect("it is trusted")
}

/// A connection that carries many requests, and its end.
async fn multiplexed(server: &Server) -> (SendRequest<Full<Bytes>>, JoinHandle<hyper::Result<()>>) {
    let stream = connect(server, &[b"h2", b"http/1.1"]).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let builder = http2::Builder::new(TokioExecutor::new());
    let (client, connection) = builder.handshake(TokioIo::new(stream)).await.expect("HTTP/2");
    (client, tokio::spawn(connection))
}

fn request(path: &str, body: Vec<u8>) -> Request<Full<Bytes>> {
    Request::post(format!("https://localhost{path}")).body(Full::new(Bytes::from(body))).expect("a request")
}

async fn ask(client: &SendRequest<Full<Bytes>>, path: &str) -> Response<Incoming> {
    let mut client = client.clone();
    let answer = async {
        client.ready().await.expect("the connection stands");
        client.send_request(request(path, Vec::new())).await.expect("an answer")
    };
    timeout(PATIENCE, answer).await.expect("in time")
}

async fn text(answer: Response<Incoming>) -> String {
    let body = timeout(PATIENCE, answer.into_body().collect()).await.expect("in time").expect("a body");
    String::from_utf8_lossy(&body.to_bytes()).into_owned()
}

#[tokio::test]
async fn client_and_server_settle_on_what_both_speak() {
    let both = start(Protocols::Http2).await;
    let (client, _) = multiplexed(&both).await;
    let answer = ask(&client, "/").await;
    assert_eq!((answer.status(), answer.version()), (StatusCode::OK, hyper::Version::HTTP_2));
    assert_eq!(text(answer).await, "read 0\n");
    let old = start(Protocols::Http1).await;
    for (server, offered, settled) in [
        (&both, &[][..], None),
        (&both, &[&b"http/1.1"[..]], Some(&b"http/1.1"[..])),
        (&old, &[b"h2", b"http/1.1"], Some(b"http/1.1")),
    ] {
        let mut stream = connect(server, offered).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), settled);
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.expect("written");
        let mut answer = String::new();
        let _ = timeout(PATIENCE, stream.read_to_string(&mut answer)).await.expect("in time");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("read 0\n"), "{answer}");
    }
}

#[tokio::test]
async fn whoever_speaks_without_tls_is_told_so() {
    let server = start(Protocols::Http2).await;
    let mut stream = TcpStream::connect(server.address).await.expect("connects");
    stream.write_all(b"POST /apis HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc").await.expect("written");
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer)).await.expect("in time").expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("ask for it with https://"), "{answer}");
    // Whoever says nothing, or something else, is hung up on in time.
    for said in [&b""[..], b"\x01\x02", b"\x16\x03\x01"] {
        let mut stream = TcpStream::connect(server.address).await.expect("connects");
        stream.write_all(said).await.expect("written");
        let _ = timeout(Duration::from_secs(3), stream.read_to_end(&mut Vec::new())).await.expect("it is closed");
    }
}

#[tokio::test]
async fn requests_of_one_connection_do_not_wait_for_each_other() {
    let server = start(Protocols::Http2).await;
    let (client, _) = multiplexed(&server).await;
    let started = Instant::now();
    let answers = future::join_all((0..8).map(|_| async { text(ask(&client, "/slow").await).await })).await;
    assert!(answers.iter().all(|answer| answer == "slow\n"), "{answers:?}");
    assert!(started.elapsed() < Duration::from_millis(900), "{:?}", started.elapsed());
}

#[tokio::test]
async fn i25_odd_requests_are_answered_and_do_no_harm() {
    let server = start(Protocols::Http2).await;
    let (client, connection) = multiplexed(&server).await;
    assert_eq!(ask(&client, "/panic").await.status(), 500);
    assert_eq!(ask(&client, "/stuck").await.status(), 408);
    for (size, status) in [(BODY_LIMIT, 200), (BODY_LIMIT + 1, 413)] {
        let mut client = client.clone();
        let answer = timeout(PATIENCE, client.send_request(request("/", vec![b'x'; size]))).await;
        assert_eq!(answer.expect("in time").expect("an answer").status(), status, "{size}");
    }
    let mut large = request("/", Vec::new());
    large.headers_mut().insert("a", "v".repeat(20_000).parse().expect("a value"));
    let answer = timeout(PATIENCE, client.clone().send_request(large)).await.expect("in time");
    assert!(answer.as_ref().is_ok_and(|answer| answer.status() == 431) || answer.is_err(), "{answer:?}");
    assert_eq!(text(ask(&client, "/").await).await, "read 0\n");
    assert!(!connection.is_finished());
}

#[tokio::test]
async fn i26_a_client_that_does_not_take_an_answer_loses_that_one() {
    let server = start(Protocols::Http2).await;
    let (client, _) = multiplexed(&server).await;
    let mut drip = ask(&client, "/drip").await.into_body();
    let lazy = [ask(&client, "/flood").await, ask(&client, "/large").await];
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(2) {
        let frame = timeout(PATIENCE, drip.frame()).await.expect("in time").expect("more").expect("a frame");
        assert_eq!(frame.into_data().expect("data"), "a line\n");
    }
    for answer in lazy {
        let took = timeout(PATIENCE, answer.into_body().collect()).await.expect("in time");
        assert!(took.is_err(), "it was cut off");
    }
    // Who takes it has all of it.
    assert_eq!(text(ask(&client, "/large").await).await.len(), LARGE);
}

#[tokio::test]
async fn t20_requests_of_all_such_connections_share_their_room() {
    let server = start(Protocols::Http2).await;
    let ((one, _), (other, _)) = (multiplexed(&server).await, multiplexed(&server).await);
    let mut held = Vec::new();
    for client in [&one, &other] {
        for _ in 0..4 {
            held.push(ask(client, "/silent").await);
        }
    }
    assert_eq!(ask(&one, "/").await.status(), 408, "there is no room");
    let waiting = tokio::spawn({
        let other = other.clone();
        async move { ask(&other, "/").await.status() }
    });
    sleep(Duration::from_millis(200)).await;
    // The client takes its request back.
    drop(held.pop());
    assert_eq!(timeout(PATIENCE, waiting).await.expect("in time").expect("no panic"), 200);
}

#[tokio::test]
async fn an_idle_connection_ends_and_one_with_a_quiet_answer_does_not() {
    let server = start(Protocols::Http2).await;
    let ((_idle, idle_end), (quiet, quiet_end)) = (multiplexed(&server).await, multiplexed(&server).await);
    let _silent = ask(&quiet, "/silent").await;
    let ended = timeout(Duration::from_secs(5), idle_end).await.expect("it is closed").expect("no panic");
    assert!(ended.is_ok(), "without a word: {ended:?}");
    sleep(Duration::from_millis(800)).await;
    assert!(!quiet_end.is_finished());
}

#[tokio::test]
async fn a_drain_answers_what_was_asked_and_ends_what_has_no_end() {
    let server = start(Protocols::Http2).await;
    let (client, connection) = multiplexed(&server).await;
    let drip = ask(&client, "/drip").await;
    let slow = tokio::spawn({
        let client = client.clone();
        async move { text(ask(&client, "/slow").await).await }
    });
    sleep(Duration::from_millis(100)).await;
    server.shutdown.request();
    assert_eq!(slow.await.expect("no panic"), "slow\n");
    assert!(text(drip).await.ends_with("a line\n"), "it ends as a whole");
    timeout(Duration::from_secs(2), server.task).await.expect("the drain ends").expect("without panic");
    assert!(timeout(PATIENCE, connection).await.expect("in time").expect("no panic").is_ok());
}
