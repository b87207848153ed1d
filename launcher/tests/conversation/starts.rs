//! What the user's program finds when it starts.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use penstock_entry::protocol::{EXIT_LAUNCHER_FAILED, End, LauncherMessage};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::fixture::{Stage, soon, strings};
use crate::programs::entry_binary;

async fn not_started(argv: &[&str]) -> (u8, String) {
    let mut stage = Stage::new();
    let mut pair = stage.waiting(stage.entry(argv)).await;
    pair.say(&stage.start(argv)).await;
    match pair.end().await.how {
        End::NotStarted { code, message } => {
            assert_eq!(pair.leave().await, i32::from(code));
            (code, message)
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn missing_and_unusable_programs_are_told_apart() {
    let (code, message) = not_started(&["no-such-program"]).await;
    assert!(code == 127 && message.contains("no such program") && message.contains("PATH"), "{code}: {message}");
    let (code, message) = not_started(&["/etc/passwd"]).await;
    assert!(code == 126 && message.contains("/etc/passwd"), "{code}: {message}");
}

#[tokio::test]
async fn long_arguments_arrive_whole() {
    let long = "x\u{e9}\n\"".repeat(20 << 10);
    let script = r#"printf %s "$1$2$3" | wc -c"#;
    let argv = ["sh", "-c", script, "sh", &long, &long, &long];
    let mut stage = Stage::new();
    let mut pair = stage.running(&argv).await;
    assert!(pair.hello.argv == strings(&argv));
    assert_eq!(pair.end().await.how, End::Code(0));
    assert_eq!(stage.text().trim(), (3 * long.len()).to_string());
}

#[tokio::test]
async fn arguments_that_are_no_text_are_refused() {
    let output = Command::new(entry_binary()).arg("--").arg("sh").arg(OsStr::from_bytes(b"\xff\xfe")).output();
    let output = soon(output).await.unwrap();
    assert_eq!(output.status.code(), Some(EXIT_LAUNCHER_FAILED.into()));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("argument 1 is not valid UTF-8"), "{text}");
}

#[tokio::test]
async fn the_version_is_told() {
    let output = soon(Command::new(entry_binary()).arg("--version").output()).await.unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("penstock-entry {}\n", env!("CARGO_PKG_VERSION")));
}

/// What a process can see of how it was started.
const SURROUNDINGS: &str = "env | grep -v ^PENSTOCK_ENTRY_ | sort; pwd; umask; ls /proc/$$/fd; grep -E '^(Sig(Blk|Ign)|NoNewPrivs|CapEff)' /proc/self/status";

#[tokio::test]
async fn the_program_finds_what_it_would_find_without_us() {
    let dress = |mut command: Command| {
        command
            .env("A B", "with\nnewline")
            .env("EMPTY", "")
            .env("PENSTOCK_PROJECT", "the user's own")
            .env("PENSTOCK_ENTRY_HOLD_SECONDS", "60")
            .current_dir("/usr");
        command
    };
    // A container starts with no signal ignored; whoever runs the tests may ignore some.
    let clean = ["env", "--default-signal"];
    let mut bare = Command::new(clean[0]);
    bare.args([clean[1], "sh", "-c", SURROUNDINGS]).stdin(Stdio::null());
    let bare = soon(dress(bare).output()).await.unwrap();
    let mut stage = Stage::new();
    let argv = ["sh", "-c", SURROUNDINGS];
    let mut pair = stage.running_as(dress(stage.entry_behind(&clean, &argv)), &argv).await;
    assert_eq!(pair.end().await.how, End::Code(0));
    assert_eq!(stage.text(), String::from_utf8(bare.stdout).unwrap());
}

#[tokio::test]
async fn variables_of_the_launcher_are_set_and_the_entrys_are_not() {
    let mut stage = Stage::new();
    let mut command = stage.entry(&["env"]);
    command.env("OWN", "container").env("PENSTOCK_ENTRY_HOLD_SECONDS", "9").env("PENSTOCK_ENTRY_CONNECT_SECONDS", "9");
    let mut pair = stage.waiting(command).await;
    let mut start = stage.start(&["env"]);
    if let LauncherMessage::Start { env, .. } = &mut start {
        *env = BTreeMap::from([("OWN".to_owned(), "launcher".to_owned()), ("KFP_POD_NAME".to_owned(), "p".to_owned())]);
    }
    pair.say(&start).await;
    pair.hear().await;
    pair.end().await;
    let text = stage.text();
    assert!(text.contains("OWN=launcher\n") && text.contains("KFP_POD_NAME=p\n"), "{text}");
    assert!(!text.contains("PENSTOCK_ENTRY"), "{text}");
}

#[tokio::test]
async fn standard_input_is_passed_on() {
    let mut stage = Stage::new();
    let mut command = stage.entry(&["cat"]);
    command.stdin(Stdio::piped());
    let mut pair = stage.running_as(command, &["cat"]).await;
    let mut stdin = pair.entry.stdin.take().unwrap();
    stdin.write_all(b"some input").await.unwrap();
    drop(stdin);
    assert_eq!(pair.end().await.how, End::Code(0));
    assert_eq!(stage.text(), "some input");
}

#[tokio::test]
async fn a_terminal_is_passed_on() {
    let mut stage = Stage::new();
    // The shell of `script` makes the terminal; the command line is quoted for it.
    let (socket, message) = (stage.path("socket"), stage.path("message"));
    let line = format!(
        "{} --socket {} --termination-log {} -- sh",
        entry_binary().display(),
        socket.display(),
        message.display()
    );
    let mut command = Command::new("script");
    command.args(["-qec", &line, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::null()).kill_on_drop(true);
    let argv = ["sh", "-c", "test -t 0 && read line && echo \"got $line\""];
    let mut pair = stage.running_as(command, &argv).await;
    let mut stdin = pair.entry.stdin.take().unwrap();
    stdin.write_all(b"typed\n").await.unwrap();
    assert_eq!(pair.end().await.how, End::Code(0));
    assert_eq!(stage.text(), "got typed\n");
    assert_eq!(pair.leave().await, 0);
}

#[tokio::test]
async fn directories_are_made_for_all_whatever_the_umask() {
    let mut stage = Stage::new();
    let mut pair = stage.waiting(stage.entry_behind(&["sh", "-c", "umask 077; exec \"$0\" \"$@\""], &["true"])).await;
    let path = stage.path("outputs/deep/er");
    let mut start = stage.start(&["sh", "-c", "umask"]);
    if let LauncherMessage::Start { directories, .. } = &mut start {
        directories.push(path.to_str().unwrap().to_owned());
    }
    pair.say(&start).await;
    pair.hear().await;
    assert_eq!(pair.end().await.how, End::Code(0));
    for path in [&path, &stage.path("outputs")] {
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o777);
    }
    assert_eq!(stage.text(), "0077\n");
    assert_eq!(stage.path("log").metadata().unwrap().permissions().mode() & 0o777, 0o644);
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_named_and_nothing_starts() {
    let mut stage = Stage::new();
    let mut pair = stage.waiting(stage.entry(&["true"])).await;
    let path = stage.path("message/inside").to_str().unwrap().to_owned();
    let mut start = stage.start(&["touch", stage.path("ran").to_str().unwrap()]);
    if let LauncherMessage::Start { directories, .. } = &mut start {
        directories.push(path.clone());
    }
    pair.say(&start).await;
    let end = pair.end().await.how;
    let End::NotStarted { code: EXIT_LAUNCHER_FAILED, message } = end else { panic!("{end:?}") };
    assert!(message.contains(&path), "{message}");
    assert!(!stage.path("ran").exists());
}

#[tokio::test]
async fn authorities_of_the_installation_are_trusted_beside_those_of_the_image() {
    let script =
        "echo $REQUESTS_CA_BUNDLE $AWS_CA_BUNDLE $SSL_CERT_FILE; cat $SSL_CERT_FILE; env | grep PENSTOCK_ENTRY_";
    for has_own in [true, false] {
        let mut stage = Stage::new();
        std::fs::write(stage.path("mounted"), "of the installation\n").unwrap();
        std::fs::write(stage.path("chosen"), "of the image\n").unwrap();
        let mut command = stage.entry(&["sh"]);
        command
            .env("SSL_CERT_FILE", stage.path("chosen"))
            .env("REQUESTS_CA_BUNDLE", "/elsewhere")
            .env_remove("AWS_CA_BUNDLE");
        if has_own {
            command.env("PENSTOCK_ENTRY_CA_BUNDLE", stage.path("mounted"));
        }
        let mut pair = stage.running_as(command, &["sh", "-c", script]).await;
        assert_eq!(pair.end().await.how, End::Code(1), "ours is kept from the program");
        let (chosen, bundle) = (stage.path("chosen"), stage.path("ca-bundle"));
        let expected = match has_own {
            true => format!("{0} {0} {0}\nof the image\nof the installation\n", bundle.display()),
            false => format!("/elsewhere {}\nof the image\n", chosen.display()),
        };
        assert_eq!(stage.text(), expected);
        assert_eq!(pair.leave().await, 1);
    }
}

#[tokio::test]
async fn authorities_that_are_not_there_keep_the_program_from_starting() {
    let mut stage = Stage::new();
    let mut command = stage.entry(&["true"]);
    command.env("PENSTOCK_ENTRY_CA_BUNDLE", stage.path("none"));
    let mut pair = stage.waiting(command).await;
    pair.say(&stage.start(&["true"])).await;
    let End::NotStarted { code, message } = pair.end().await.how else { panic!("it started") };
    assert_eq!(code, EXIT_LAUNCHER_FAILED);
    assert!(message.contains(stage.path("none").to_str().unwrap()), "{message}");
    assert_eq!(pair.leave().await, i32::from(EXIT_LAUNCHER_FAILED));
}
