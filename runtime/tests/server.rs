//! Listeners under clients that mean ill or are merely slow: over loopback, with real sockets.

use std::net::SocketAddr;
use std::time::Duration;

use futures::{StreamExt, stream};
use http_body_util::{Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::HeaderValue;
use hyper::{Request, Response, StatusCode};
use penstock_runtime::admin;
use penstock_runtime::health::Health;
use penstock_runtime::server::{self, BodyBudget, BodyError, ServerLimits, read_body, text_response};
use penstock_runtime::shutdown::Shutdown;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

const BODY_LIMIT: usize = 1 << 20;
/// Longer than anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);

struct Server {
    address: SocketAddr,
    shutdown: Shutdown,
    task: JoinHandle<()>,
}

fn quick() -> ServerLimits {
    ServerLimits {
        connections: 4,
        handshake: Duration::from_millis(300),
        head: Duration::from_millis(300),
        head_bytes: 8 << 10,
        request: Duration::from_millis(600),
        stall: Duration::from_millis(500),
        idle: Duration::from_secs(3),
        lame_duck: Duration::ZERO,
        drain: Duration::from_secs(2),
    }
}

async fn handle(request: Request<Incoming>) -> Response<Full<Bytes>> {
    match request.uri().path() {
        "/panic" => panic!("on purpose"),
        "/slow" => sleep(Duration::from_millis(400)).await,
        "/stuck" => sleep(Duration::from_secs(60)).await,
        _ => {}
    }
    answer_body(request, &BodyBudget::new(BODY_LIMIT)).await
}

async fn answer_body(request: Request<Incoming>, budget: &BodyBudget) -> Response<Full<Bytes>> {
    match read_body(request.into_body(), BODY_LIMIT, budget).await {
        Ok((body, _room)) => text_response(StatusCode::OK, format!("read {}\n", body.len())),
        Err(error @ BodyError::TooLarge { .. }) => text_response(StatusCode::PAYLOAD_TOO_LARGE, error.to_string()),
        Err(error) => text_response(StatusCode::BAD_REQUEST, error.to_string()),
    }
}

async fn start(limits: ServerLimits) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let shutdown = Shutdown::new();
    let task = tokio::spawn(server::serve(listener, None, limits, shutdown.clone(), handle));
    Server { address, shutdown, task }
}

/// Everything that the server sends until it closes the connection.
async fn exchange(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    // A server that closes early makes writing fail; what it answered is what counts.
    let _ = stream.write_all(request).await;
    read_all(stream).await
}

async fn read_all(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("the server closes the connection");
    String::from_utf8_lossy(&answer).into_owned()
}

fn status(answer: &str) -> &str {
    answer.lines().next().unwrap_or_default()
}

#[tokio::test]
async fn i25_odd_requests_are_answered_and_do_no_harm() {
    let server = start(quick()).await;
    let close = "Connection: close\r\n";
    for (request, expected) in [
        (format!("GET / HTTP/1.1\r\nHost: x\r\n{close}\r\n"), "200"),
        (format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "u".repeat(20_000)), "431"),
        (format!("GET / HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n", "v".repeat(20_000)), "431"),
        (format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "a: b\r\n".repeat(100)), "431"),
        ("NONSENSE\r\n\r\n".to_owned(), "400"),
        (format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n{close}\r\nabcd"), "400"),
        (format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n{close}\r\nabc"), "408"),
        (format!("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n{close}\r\nzz\r\n"), "400"),
        (format!("GET /panic HTTP/1.1\r\nHost: x\r\n{close}\r\n"), "500"),
        (format!("GET /stuck HTTP/1.1\r\nHost: x\r\n{close}\r\n"), "408"),
    ] {
        let answer = exchange(server.address, request.as_bytes()).await;
        assert!(status(&answer).contains(expected), "{}: {answer:?}", &request[..request.len().min(80)]);
    }
    // HTTP/2 without TLS is not spoken either.
    let answer = exchange(server.address, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert!(!status(&answer).contains("200"), "{answer:?}");
}

#[tokio::test]
async fn i25_a_body_over_the_limit_is_refused_with_413() {
    let server = start(quick()).await;
    for size in [BODY_LIMIT, BODY_LIMIT + 1, BODY_LIMIT * 3 / 2] {
        let mut request =
            format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n").into_bytes();
        request.resize(request.len() + size, b'x');
        let answer = exchange(server.address, &request).await;
        let expected = if size > BODY_LIMIT { "413" } else { "200" };
        assert!(status(&answer).contains(expected), "{size}: {answer:?}");
    }
}

#[tokio::test]
async fn i26_each_stage_of_a_slow_client_has_its_deadline() {
    let server = start(quick()).await;
    for (sent, limit) in [
        // Nothing at all; half a head; a head, and then a body that does not come.
        ("", Duration::from_secs(3)),
        ("GET / HT", Duration::from_millis(300)),
        ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc", Duration::from_millis(600)),
    ] {
        let started = Instant::now();
        exchange(server.address, sent.as_bytes()).await;
        let took = started.elapsed();
        assert!(took >= limit && took < limit + Duration::from_secs(2), "{sent:?} took {took:?}");
    }
}

#[tokio::test]
async fn i26_a_head_that_begins_late_has_no_more_time_than_others() {
    let server = start(quick()).await;
    let mut stream = TcpStream::connect(server.address).await.expect("connects");
    // The server waits for the connection's first byte by now.
    sleep(Duration::from_millis(200)).await;
    stream.write_all(b"GET / HT").await.expect("writes");
    let started = Instant::now();
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap_or(0), 0);
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[tokio::test]
async fn i26_idle_connections_make_room_for_new_ones() {
    let server = start(quick()).await;
    let mut idle = Vec::new();
    for _ in 0..4 {
        idle.push(TcpStream::connect(server.address).await.expect("connects"));
    }
    let started = Instant::now();
    let answer = exchange(server.address, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(status(&answer).contains("200"), "{answer:?}");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_drain_answers_what_was_asked_and_closes_what_idles() {
    let server = start(quick()).await;
    let mut idle = TcpStream::connect(server.address).await.expect("connects");
    let slow = tokio::spawn(exchange(server.address, b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"));
    sleep(Duration::from_millis(100)).await;
    server.shutdown.request();
    assert!(status(&slow.await.expect("ends")).contains("200"));
    timeout(Duration::from_secs(2), server.task).await.expect("the drain ends").expect("without panic");
    assert_eq!(idle.read(&mut [0; 1]).await.unwrap_or(0), 0);
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn admin_port_tells_metrics_life_and_what_it_waits_for() {
    let (registry, health, shutdown) = (prometheus::Registry::new(), Health::default(), Shutdown::new());
    let counter = prometheus::IntCounter::new("penstock_test_total", "A test.").expect("a counter");
    registry.register(Box::new(counter.clone())).expect("registers");
    counter.inc();
    let (condition, part) = (health.condition("webhook certificate"), health.part("webhook"));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let task = tokio::spawn(admin::serve_on(listener, registry, health, shutdown.clone()));
    let get = async |path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        exchange(address, request.as_bytes()).await
    };
    let waiting = get("/ready").await;
    assert!(status(&waiting).contains("503") && waiting.contains("webhook certificate: not started yet"), "{waiting}");
    assert!(status(&get("/ready/webhook").await).contains("503"), "a part that has not begun is not ready");
    let of_webhook = part.condition("settings");
    let waiting = get("/ready/webhook").await;
    assert!(waiting.contains("settings: not started yet") && !waiting.contains("certificate"), "{waiting}");
    of_webhook.set_ready();
    assert!(status(&get("/ready/webhook").await).contains("200"));
    assert!(status(&get("/ready").await).contains("503"));
    condition.set_ready();
    assert!(status(&get("/ready").await).contains("200"));
    assert!(status(&get("/live").await).contains("200"));
    let metrics = get("/metrics").await;
    assert!(metrics.contains("text/plain; version=0.0.4") && metrics.contains("penstock_test_total 1"), "{metrics}");
    assert!(status(&get("/etc/passwd").await).contains("404"));
    let answer = exchange(address, b"POST /live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(status(&answer).contains("405"), "{answer}");
    shutdown.request();
    assert!(get("/ready").await.contains("shutting down"));
    timeout(PATIENCE, task).await.expect("it ends").expect("without panic");
}

#[tokio::test]
async fn t20_large_bodies_share_their_room_and_small_ones_do_not_wait() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let budget = std::sync::Arc::new(BodyBudget::new(BODY_LIMIT));
    let limits = ServerLimits { request: PATIENCE, ..quick() };
    let serving = server::serve(listener, None, limits, Shutdown::new(), move |request| {
        let budget = budget.clone();
        async move { answer_body(request, &budget).await }
    });
    let serving = tokio::spawn(serving);
    let request = |announced: usize, sent: usize| {
        let head = format!("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {announced}\r\n\r\n");
        [head.into_bytes(), vec![b'x'; sent]].concat()
    };
    let mut first = TcpStream::connect(address).await.expect("connects");
    first.write_all(&request(BODY_LIMIT, 1 << 17)).await.expect("sent");
    sleep(Duration::from_millis(100)).await;
    let small = exchange(address, &request(60 << 10, 60 << 10)).await;
    assert!(small.contains("read 61440"), "{small}");
    let second = tokio::spawn(async move { exchange(address, &request(1 << 19, 1 << 19)).await });
    sleep(Duration::from_millis(300)).await;
    assert!(!second.is_finished(), "there was room for half a body too much");
    // A client that goes away gives its room back.
    drop(first);
    let second = timeout(PATIENCE, second).await.expect("in time").expect("no panic");
    assert!(second.contains("read 524288"), "{second}");
    serving.abort();
}

type Chunks = StreamBody<stream::BoxStream<'static, std::io::Result<Frame<Bytes>>>>;

/// `/drip`: a line each 50 ms without end. `/flood`: all that is taken. `/silent`: a line, and then nothing.
/// `/slow`: four lines and the length of them all. `/broken`: a line, and then a failure.
async fn streaming(request: Request<Incoming>) -> Response<Chunks> {
    let line = || Ok(Frame::data(Bytes::from_static(b"a line\n")));
    let pause = Duration::from_millis(50);
    let drip = move |lines| {
        stream::unfold(lines, move |left: usize| async move {
            sleep(pause).await;
            Some((line(), left.checked_sub(1)?))
        })
    };
    let chunks = match request.uri().path() {
        "/drip" => drip(usize::MAX).boxed(),
        "/flood" => stream::repeat_with(|| Ok(Frame::data(Bytes::from(vec![b'x'; 1 << 16])))).boxed(),
        "/silent" => stream::once(async move { line() }).chain(stream::pending()).boxed(),
        "/broken" => drip(1).chain(stream::once(async { Err(std::io::Error::other("on purpose")) })).boxed(),
        _ => drip(4).boxed(),
    };
    let mut response = Response::new(StreamBody::new(chunks));
    if request.uri().path() == "/slow" {
        response.headers_mut().insert("content-length", HeaderValue::from_static("28"));
    }
    response
}

async fn start_streaming() -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let shutdown = Shutdown::new();
    let task = tokio::spawn(server::serve(listener, None, quick(), shutdown.clone(), streaming));
    Server { address, shutdown, task }
}

async fn ask(address: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("writes");
    stream
}

/// Reads until a text has come so often.
async fn read_until(stream: &mut TcpStream, text: &str, times: usize) {
    let mut seen = String::new();
    while seen.matches(text).count() < times {
        let mut chunk = [0; 4096];
        let read = timeout(PATIENCE, stream.read(&mut chunk)).await.expect("in time").expect("reads");
        assert!(read > 0, "it ended after {seen:?}");
        seen.push_str(&String::from_utf8_lossy(&chunk[..read]));
    }
}

#[tokio::test]
async fn an_answer_is_written_as_it_comes_for_longer_than_a_request_may_take() {
    let server = start_streaming().await;
    let mut drip = ask(server.address, "/drip").await;
    // Twice the time of a request and more.
    read_until(&mut drip, "a line", 30).await;
    // One in which nothing happens is not in anybody's way either.
    let mut silent = ask(server.address, "/silent").await;
    read_until(&mut silent, "a line", 1).await;
    assert!(timeout(Duration::from_millis(1200), silent.read(&mut [0; 1])).await.is_err(), "it was cut off");
}

#[tokio::test]
async fn a_connection_is_used_again_after_an_answer_that_came_over_time() {
    let server = start_streaming().await;
    let mut stream = ask(server.address, "/lines").await;
    read_until(&mut stream, "\r\n0\r\n\r\n", 1).await;
    stream.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.expect("writes");
    let answer = read_all(stream).await;
    assert_eq!(answer.matches("a line").count(), 4, "{answer}");
}

#[tokio::test]
async fn a_failure_in_the_middle_is_seen_as_one() {
    let server = start_streaming().await;
    let answer = read_all(ask(server.address, "/broken").await).await;
    assert!(status(&answer).contains("200") && answer.contains("a line") && !answer.contains("\r\n0\r\n"), "{answer}");
}

#[tokio::test]
async fn i26_a_client_that_does_not_take_an_answer_is_cut_off() {
    let server = start_streaming().await;
    let mut lazy = Vec::new();
    // As many as there is room for.
    for _ in 0..4 {
        lazy.push(ask(server.address, "/flood").await);
    }
    let started = Instant::now();
    let mut next = timeout(PATIENCE, ask(server.address, "/drip")).await.expect("connects");
    read_until(&mut next, "a line", 1).await;
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_drain_ends_what_has_no_end_and_finishes_what_has_a_length() {
    let server = start_streaming().await;
    let mut drip = ask(server.address, "/drip").await;
    read_until(&mut drip, "a line", 1).await;
    let mut silent = ask(server.address, "/silent").await;
    read_until(&mut silent, "a line", 1).await;
    let slow = ask(server.address, "/slow").await;
    sleep(Duration::from_millis(75)).await;
    server.shutdown.request();
    for endless in [drip, silent] {
        let rest = read_all(endless).await;
        assert!(rest.ends_with("0\r\n\r\n"), "{rest:?}");
    }
    assert_eq!(read_all(slow).await.matches("a line").count(), 4);
    timeout(Duration::from_secs(2), server.task).await.expect("the drain ends").expect("without panic");
}
