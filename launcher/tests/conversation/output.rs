//! What the process prints: on the container's own output and in the log file.

use std::process::Stdio;
use std::time::Duration;

use penstock_entry::protocol::{End, ProcessEnd};
use tokio::io::AsyncReadExt;
use tokio::process::{ChildStdout, Command};

use crate::fixture::{Pair, Stage, is_root, soon};

const PIECE: usize = 256 << 10;

async fn running_with_output(stage: &mut Stage, mut command: Command, script: &str) -> (Pair, ChildStdout) {
    command.stdout(Stdio::piped());
    let mut pair = stage.running_as(command, &["sh", "-c", script]).await;
    let stdout = pair.entry.stdout.take().expect("a pipe");
    (pair, stdout)
}

async fn read_slowly(mut stdout: ChildStdout, pause_every: usize) -> usize {
    let (mut buffer, mut total, mut rested) = (vec![0; PIECE], 0, 0);
    loop {
        let size = stdout.read(&mut buffer).await.expect("output");
        if size == 0 {
            return total;
        }
        assert!(buffer[..size].iter().all(|byte| *byte == b'x'));
        total += size;
        if total - rested > pause_every {
            rested = total;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn a_flood_arrives_whole_although_its_reader_is_slow() {
    const SIZE: usize = 100_000_000;
    let mut stage = Stage::new();
    let command = stage.entry(&["sh"]);
    let script = format!("head -c {SIZE} /dev/zero | tr '\\0' x");
    let (mut pair, stdout) = running_with_output(&mut stage, command, &script).await;
    let reader = tokio::spawn(read_slowly(stdout, 2_000_000));
    let end = pair.end().await;
    assert_eq!((end.how, end.log_error), (End::Code(0), None));
    assert_eq!(pair.leave().await, 0);
    assert_eq!(soon(reader).await.unwrap(), SIZE);
    assert_eq!(stage.path("log").metadata().unwrap().len(), SIZE as u64);
}

#[tokio::test]
async fn bytes_are_kept_as_they_are() {
    let mut stage = Stage::new();
    let command = stage.entry(&["sh"]);
    let (mut pair, mut stdout) =
        running_with_output(&mut stage, command, r"printf '\000\377\r\n\033[1mno newline'").await;
    let end = pair.end().await;
    assert_eq!(end.log_error, None);
    pair.leave().await;
    let mut printed = Vec::new();
    stdout.read_to_end(&mut printed).await.unwrap();
    assert_eq!(printed, b"\x00\xff\r\n\x1b[1mno newline");
    assert_eq!(stage.log(), printed);
}

#[tokio::test]
async fn both_outputs_are_in_the_log_in_order_and_apart_outside() {
    let mut stage = Stage::new();
    let mut command = stage.entry(&["sh"]);
    command.stderr(Stdio::piped());
    let script = "for i in 1 2 3; do echo out$i; sleep 0.05; echo err$i >&2; sleep 0.05; done";
    let (mut pair, mut stdout) = running_with_output(&mut stage, command, script).await;
    let mut stderr = pair.entry.stderr.take().unwrap();
    pair.end().await;
    pair.leave().await;
    let (mut out, mut err) = (String::new(), String::new());
    stdout.read_to_string(&mut out).await.unwrap();
    stderr.read_to_string(&mut err).await.unwrap();
    assert_eq!((&out[..], &err[..]), ("out1\nout2\nout3\n", "err1\nerr2\nerr3\n"));
    assert_eq!(stage.text(), "out1\nerr1\nout2\nerr2\nout3\nerr3\n");
}

#[tokio::test]
async fn a_full_disk_is_told_and_stops_nothing() {
    let mut stage = Stage::new();
    let mut command = stage.entry(&["sh"]);
    command.stdout(Stdio::piped());
    let mut pair = stage.waiting(command).await;
    let argv = ["sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x"];
    pair.say(&stage.start_with_log(&argv, Some("/dev/full"))).await;
    let reader = tokio::spawn(read_slowly(pair.entry.stdout.take().unwrap(), usize::MAX));
    pair.hear().await;
    let end = pair.end().await;
    assert_eq!(end.how, End::Code(0));
    let complaint = end.log_error.expect("a complaint");
    assert!(complaint.contains("/dev/full") && complaint.contains("3000000 bytes are missing"), "{complaint}");
    pair.leave().await;
    assert_eq!(soon(reader).await.unwrap(), 3_000_000);
}

#[tokio::test]
async fn a_volume_that_becomes_full_keeps_the_beginning() {
    if !is_root("a small volume") {
        return;
    }
    let mut stage = Stage::new();
    let volume = stage.path("volume");
    std::fs::create_dir(&volume).unwrap();
    let mount = format!("mount -t tmpfs -o size=128k none {} && exec \"$0\" \"$@\"", volume.display());
    let mut pair = stage.waiting(stage.entry_behind(&["unshare", "--mount", "sh", "-c", &mount], &["sh"])).await;
    let argv = ["sh", "-c", "head -c 1000000 /dev/zero | tr '\\0' x; echo end >&2; exit 3"];
    let path = volume.join("log").to_str().unwrap().to_owned();
    pair.say(&stage.start_with_log(&argv, Some(&path))).await;
    pair.hear().await;
    let end = pair.end().await;
    assert_eq!(end.how, End::Code(3));
    let kept = soon(pair.link().open(&path)).await.unwrap().unwrap();
    let kept = std::fs::File::from(kept).metadata().unwrap().len();
    let (complaint, missing) = (end.log_error.expect("a complaint"), 1_000_004 - kept);
    assert_eq!(kept, 128 << 10);
    assert!(complaint.contains(&format!("{missing} bytes are missing")), "{complaint}");
    assert_eq!(pair.leave().await, 3);
}

#[tokio::test]
async fn an_output_that_nobody_reads_any_more_stops_nothing() {
    let mut stage = Stage::new();
    let command = stage.entry(&["sh"]);
    let script = "sleep 0.2; head -c 2000000 /dev/zero | tr '\\0' x; exit 3";
    let (mut pair, stdout) = running_with_output(&mut stage, command, script).await;
    drop(stdout);
    let end = pair.end().await;
    assert_eq!(end.how, End::Code(3));
    let complaint = end.log_error.expect("a complaint");
    assert!(complaint.contains("standard output") && complaint.contains("2000000 bytes are missing"), "{complaint}");
    assert_eq!(stage.log().len(), 2_000_000);
    assert_eq!(pair.leave().await, 3);
}

/// How a program that prints a little ends.
async fn end_with_log(stage: &mut Stage, log: Option<&str>) -> ProcessEnd {
    let mut pair = stage.waiting(stage.entry(&["echo"])).await;
    pair.say(&stage.start_with_log(&["echo", "text"], log)).await;
    pair.hear().await;
    pair.end().await
}

#[tokio::test]
async fn a_log_that_cannot_be_is_told_in_few_words() {
    let end = end_with_log(&mut Stage::new(), Some(&"/\u{1}".repeat(90_000))).await;
    assert_eq!(end.how, End::Code(0));
    assert!(end.log_error.expect("a complaint").starts_with("cannot open the log"));
}

#[tokio::test]
async fn no_log_is_kept_where_none_is_wanted() {
    let mut stage = Stage::new();
    assert_eq!(end_with_log(&mut stage, None).await.how, End::Code(0));
    assert!(!stage.path("log").exists());
}
