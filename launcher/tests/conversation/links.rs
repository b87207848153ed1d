//! Launchers that go and come, and connections that are not what they seem.

use std::time::{Duration, Instant};

use penstock_entry::frame::{FrameDecoder, encode_frame};
use penstock_entry::protocol::{
    ENV_CONNECT_SECONDS, ENV_HOLD_SECONDS, EXIT_LAUNCHER_FAILED, End, EntryMessage, EntryState, LauncherMessage,
    MAX_FRAME, PROTOCOL_VERSION,
};
use penstock_launcher::link::LinkError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use crate::fixture::{NONCE, Pair, Stage, soon, until};

async fn come_back(stage: &mut Stage, pair: &mut Pair) -> EntryState {
    pair.lose_launcher();
    stage.restart();
    let (link, hello) = soon(stage.listener.accept(Some(NONCE))).await.expect("it comes back");
    assert_eq!((hello.nonce.as_deref(), &hello.argv), (Some(NONCE), &pair.hello.argv));
    pair.link = Some(link);
    hello.state
}

#[tokio::test]
async fn the_entry_comes_back_to_a_restarted_launcher_in_every_state() {
    let mut stage = Stage::new();
    let argv = ["sh", "-c", "echo started; read line < fifo; exit 6"];
    let mut command = stage.entry(&argv);
    command.current_dir(stage.path(""));
    let status = std::process::Command::new("mkfifo").arg(stage.path("fifo")).status().unwrap();
    assert!(status.success());
    let mut pair = stage.waiting(command).await;
    assert_eq!(come_back(&mut stage, &mut pair).await, EntryState::Waiting);
    pair.say(&stage.start(&argv)).await;
    assert_eq!(pair.hear().await, EntryMessage::Started);
    assert_eq!(come_back(&mut stage, &mut pair).await, EntryState::Running);
    // Told again, it does not start again.
    pair.say(&stage.start(&argv)).await;
    let fifo = stage.path("fifo");
    tokio::task::spawn_blocking(move || std::fs::write(fifo, "go\n").unwrap()).await.unwrap();
    let end = pair.end().await;
    assert_eq!(end.how, End::Code(6));
    assert_eq!(come_back(&mut stage, &mut pair).await, EntryState::Exited(end.clone()));
    assert_eq!(come_back(&mut stage, &mut pair).await, EntryState::Exited(end));
    assert_eq!(stage.text(), "started\n");
    assert_eq!(pair.leave().await, 6);
}

#[tokio::test]
async fn what_happens_while_the_launcher_is_away_is_told_when_it_is_back() {
    let mut stage = Stage::new();
    let mut pair = stage.running(&["sh", "-c", "sleep 0.3; exit 8"]).await;
    pair.lose_launcher();
    tokio::time::sleep(Duration::from_millis(800)).await;
    let state = come_back(&mut stage, &mut pair).await;
    assert!(matches!(&state, EntryState::Exited(end) if end.how == End::Code(8)), "{state:?}");
    assert_eq!(pair.leave().await, 8);
}

fn hello(version: u32, nonce: Option<&str>) -> Vec<u8> {
    let nonce = nonce.map(str::to_owned);
    encode_frame(&EntryMessage::Hello { version, nonce, argv: Vec::new(), state: EntryState::Waiting })
        .expect("a frame")
}

#[tokio::test]
async fn strangers_are_turned_away_and_disturb_nobody() {
    let mut stage = Stage::new();
    let mut pair = stage.running(&["sh", "-c", "sleep 0.5; exit 9"]).await;
    pair.lose_launcher();
    stage.restart();
    let socket = stage.path("socket");
    let mut strangers = Vec::new();
    for bytes in [
        hello(PROTOCOL_VERSION, None),
        hello(PROTOCOL_VERSION, Some("guess")),
        hello(PROTOCOL_VERSION + 1, Some("guess")),
        Vec::new(),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        u32::MAX.to_le_bytes().to_vec(),
        vec![5, 0],
        encode_frame(&"text").unwrap(),
        encode_frame(&EntryMessage::Started).unwrap(),
        u32::try_from(MAX_FRAME).unwrap().to_le_bytes().to_vec(),
    ] {
        let mut stream = UnixStream::connect(&socket).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        strangers.push(stream);
    }
    let since = Instant::now();
    let (link, hello) = soon(stage.listener.accept(Some(NONCE))).await.unwrap();
    assert!(since.elapsed() < Duration::from_millis(4500), "{:?}", since.elapsed());
    assert_eq!(hello.nonce.as_deref(), Some(NONCE));
    pair.link = Some(link);
    // And once it is there, others change nothing.
    for _ in 0..100 {
        strangers.push(UnixStream::connect(&socket).await.unwrap());
    }
    assert_eq!(pair.end().await.how, End::Code(9));
    assert_eq!(pair.leave().await, 9);
}

#[tokio::test]
async fn a_crowd_that_says_nothing_delays_the_entry_by_its_deadline_only() {
    let mut stage = Stage::new();
    let mut pair = stage.running(&["sh", "-c", "sleep 60"]).await;
    pair.lose_launcher();
    stage.restart();
    let mut crowd = Vec::new();
    for _ in 0..40 {
        crowd.push(UnixStream::connect(stage.path("socket")).await.unwrap());
    }
    let since = Instant::now();
    let (link, _) = soon(stage.listener.accept(Some(NONCE))).await.unwrap();
    assert!(since.elapsed() < Duration::from_secs(9), "{:?}", since.elapsed());
    pair.link = Some(link);
    pair.say(&LauncherMessage::Stop).await;
    assert_eq!(pair.end().await.how, End::Signal(15));
}

#[tokio::test]
async fn an_entry_of_another_version_is_named() {
    let mut stage = Stage::new();
    let mut stream = UnixStream::connect(stage.path("socket")).await.unwrap();
    stream.write_all(&hello(PROTOCOL_VERSION + 1, None)).await.unwrap();
    let error = soon(stage.listener.accept(None)).await.expect_err("refused");
    assert!(matches!(error, LinkError::Version { found } if found == PROTOCOL_VERSION + 1), "{error}");
}

#[tokio::test]
async fn what_the_entry_may_not_say_breaks_the_link() {
    let large = encode_frame(&EntryMessage::Opened {
        id: 1,
        error: Some(penstock_entry::protocol::OpenError { code: 1, message: "x".repeat(70_000) }),
    })
    .unwrap();
    for bytes in [large, hello(PROTOCOL_VERSION, None), vec![3, 0, 0, 0, b'{', b'}', b'}'], vec![0; 4]] {
        let mut stage = Stage::new();
        let mut stream = UnixStream::connect(stage.path("socket")).await.unwrap();
        stream.write_all(&hello(PROTOCOL_VERSION, None)).await.unwrap();
        let (mut link, _) = soon(stage.listener.accept(None)).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        soon(link.next()).await.expect_err("no message");
    }
}

#[tokio::test]
async fn an_answer_without_its_descriptor_is_an_error() {
    let mut stage = Stage::new();
    let mut stream = UnixStream::connect(stage.path("socket")).await.unwrap();
    stream.write_all(&hello(PROTOCOL_VERSION, None)).await.unwrap();
    let (mut link, _) = soon(stage.listener.accept(None)).await.unwrap();
    for answer in [
        EntryMessage::Opened { id: 77, error: None },
        EntryMessage::Started,
        EntryMessage::Opened { id: 1, error: None },
    ] {
        stream.write_all(&encode_frame(&answer).unwrap()).await.unwrap();
    }
    let error = soon(link.open("/file")).await.expect_err("no descriptor");
    assert!(matches!(error, LinkError::NoDescriptor { .. }), "{error}");
    assert_eq!(soon(link.next()).await.unwrap(), EntryMessage::Started);
    drop(stream);
    assert!(matches!(soon(link.next()).await, Err(LinkError::Closed)));
}

#[tokio::test]
async fn an_entry_that_is_told_nonsense_connects_again() {
    let stage = Stage::new();
    std::fs::remove_file(stage.path("socket")).unwrap();
    let listener = UnixListener::bind(stage.path("socket")).unwrap();
    let entry = stage.entry(&["true"]).spawn().unwrap();
    for bytes in [&b"\xff\xff\xff\xff"[..], b"\x02\0\0\0{}", b"\x01\0\0\0\xff", b"\0\0\0\0", b"\x09"] {
        let (mut stream, _) = soon(listener.accept()).await.unwrap();
        let mut decoder = FrameDecoder::new(MAX_FRAME);
        let mut buffer = [0; 4096];
        let first = loop {
            let size = soon(stream.read(&mut buffer)).await.unwrap();
            decoder.feed(&buffer[..size]);
            if let Some(frame) = decoder.next_frame().unwrap() {
                break frame;
            }
        };
        assert!(matches!(serde_json::from_slice(&first).unwrap(), EntryMessage::Hello { nonce: None, .. }));
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        assert_eq!(soon(stream.read(&mut buffer)).await.unwrap_or(0), 0);
    }
    drop(entry);
}

#[tokio::test]
async fn without_a_launcher_the_entry_gives_up_and_says_so() {
    let stage = Stage::new();
    std::fs::remove_file(stage.path("socket")).unwrap();
    let mut entry = stage.entry(&["true"]).env(ENV_CONNECT_SECONDS, "1").spawn().unwrap();
    assert_eq!(soon(entry.wait()).await.unwrap().code(), Some(EXIT_LAUNCHER_FAILED.into()));
    let message = stage.message();
    assert!(message.contains("no launcher answered within 1s") && message.contains("No such file"), "{message}");
}

#[tokio::test]
async fn a_launcher_that_takes_the_connection_and_is_silent_is_given_up() {
    let stage = Stage::new();
    let mut entry = stage.entry(&["true"]).env(ENV_CONNECT_SECONDS, "1").spawn().unwrap();
    assert_eq!(soon(entry.wait()).await.unwrap().code(), Some(EXIT_LAUNCHER_FAILED.into()));
    assert!(stage.message().contains("said nothing"), "{}", stage.message());
}

#[tokio::test]
async fn the_hold_ends_at_its_ceiling() {
    let mut stage = Stage::new();
    let mut command = stage.entry(&["true"]);
    command.env(ENV_HOLD_SECONDS, "1");
    let mut pair = stage.running_as(command, &["true"]).await;
    pair.end().await;
    assert_eq!(pair.exit_code().await, i32::from(EXIT_LAUNCHER_FAILED));
    assert!(stage.message().contains("within 1s"), "{}", stage.message());
}

#[tokio::test]
async fn a_launcher_that_does_not_read_keeps_no_signal_from_the_process() {
    let long = "x".repeat(120_000);
    let stage = Stage::new();
    std::fs::remove_file(stage.path("socket")).unwrap();
    let listener = UnixListener::bind(stage.path("socket")).unwrap();
    // The hello is larger than what the socket holds.
    let mut entry = stage.entry(&["true", &long, &long, &long, &long, &long, &long]).spawn().unwrap();
    let (stream, _) = soon(listener.accept()).await.unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(entry.id().unwrap()).unwrap()).unwrap();
    until("the socket is full", || rustix::io::ioctl_fionread(&stream).is_ok_and(|size| size > 64 << 10)).await;
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(soon(entry.wait()).await.unwrap().code(), Some(143));
}

#[tokio::test]
async fn a_welcome_that_the_launcher_forgot_is_given_again() {
    let mut stage = Stage::new();
    let mut pair = stage.waiting(stage.entry(&["true"])).await;
    // It died before it wrote the nonce down.
    pair.lose_launcher();
    stage.restart();
    let (link, hello) = soon(stage.listener.accept(None)).await.unwrap();
    assert_eq!(hello.nonce.as_deref(), Some(NONCE));
    pair.link = Some(link);
    pair.say(&LauncherMessage::Welcome { nonce: "another".to_owned() }).await;
    pair.lose_launcher();
    stage.restart();
    let (link, _) = soon(stage.listener.accept(Some("another"))).await.unwrap();
    pair.link = Some(link);
    pair.say(&LauncherMessage::Acknowledge { exit_code: Some(7), message: None }).await;
    assert_eq!(pair.exit_code().await, 7);
}
