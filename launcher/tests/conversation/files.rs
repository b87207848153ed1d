//! Files of the user's container, opened for the launcher.

use std::fs::File;
use std::io::Read;
use std::time::{Duration, Instant};

use rustix::fs::{FileType, fstat};
use rustix::io::Errno;
use rustix::process::Uid;

use crate::fixture::{Pair, Stage, is_root, soon};

async fn code(pair: &mut Pair, path: &str) -> i32 {
    soon(pair.link().open(path)).await.expect("an answer").expect_err("refused").code
}

#[tokio::test]
async fn files_of_every_kind_are_opened_without_blocking() {
    let mut stage = Stage::new();
    let at = |name: &str| stage.path(name).to_str().unwrap().to_owned();
    let (file, fifo, link, folder) = (at("file"), at("fifo"), at("link"), at("folder"));
    let script = format!("printf text > {file}; mkfifo {fifo}; ln -s {file} {link}; mkdir {folder}");
    let mut pair = stage.running(&["sh", "-c", &script]).await;
    // The answer comes although the end comes first.
    let mut text = String::new();
    while soon(pair.link().open(&folder)).await.unwrap().is_err() {}
    File::from(soon(pair.link().open(&file)).await.unwrap().unwrap()).read_to_string(&mut text).unwrap();
    assert_eq!(text, "text");
    pair.end().await;

    let since = Instant::now();
    let opened = soon(pair.link().open(&fifo)).await.unwrap().unwrap();
    assert_eq!(FileType::from_raw_mode(fstat(&opened).unwrap().st_mode), FileType::Fifo);
    assert!(since.elapsed() < Duration::from_secs(2));
    let opened = soon(pair.link().open(&folder)).await.unwrap().unwrap();
    assert_eq!(FileType::from_raw_mode(fstat(&opened).unwrap().st_mode), FileType::Directory);
    assert_eq!(code(&mut pair, &link).await, Errno::LOOP.raw_os_error());
    assert_eq!(code(&mut pair, "/no/such/file").await, Errno::NOENT.raw_os_error());
    assert_eq!(code(&mut pair, "relative").await, Errno::INVAL.raw_os_error());
    // In JSON each of these is six characters, and the answer repeats the path.
    assert_eq!(code(&mut pair, &"/\u{1}".repeat(90_000)).await, Errno::NAMETOOLONG.raw_os_error());
    assert_eq!(pair.leave().await, 0);
}

#[tokio::test]
async fn what_only_the_users_uid_may_read_is_read_by_another() {
    if !is_root("two UIDs") {
        return;
    }
    let mut stage = Stage::new();
    let path = stage.path("secret");
    let script = format!("umask 077; printf mine > {}", path.display());
    let mut command = stage.entry(&["sh"]);
    command.uid(12345).gid(12345);
    let mut pair = stage.running_as(command, &["sh", "-c", &script]).await;
    pair.end().await;
    let opened = soon(pair.link().open(path.to_str().unwrap())).await.unwrap().unwrap();
    // A thread of its own takes another UID and so leaves root's rights behind.
    let read = std::thread::spawn(move || {
        let other = Uid::from_raw(54321);
        rustix::thread::set_thread_res_uid(other, other, other).unwrap();
        let refused = File::open(&path).expect_err("not ours").kind();
        let mut text = String::new();
        File::from(opened).read_to_string(&mut text).unwrap();
        (refused, text)
    });
    assert_eq!(read.join().unwrap(), (std::io::ErrorKind::PermissionDenied, "mine".to_owned()));
    assert_eq!(pair.leave().await, 0);
}
