//! F-30, F-35: the disk of the data directory is full.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use penstock_tests::invocation::Invocation;
use penstock_tests::pipeline::{Pipeline, Task};
use penstock_tests::python::skip;
use penstock_tests::sandbox::Sandbox;

/// A small file system, seen only by processes that enter its mount namespace. It goes with its holder.
struct SmallDisk {
    holder: Child,
}

impl SmallDisk {
    /// `None` where this user may not mount.
    fn mount(at: &Path) -> Option<SmallDisk> {
        std::fs::create_dir_all(at).expect("a folder to mount at");
        let script = r#"mount -t tmpfs -o size=16m tmpfs "$1" && echo mounted && exec sleep 600"#;
        let mut holder = Command::new("unshare")
            .args(["--mount", "--propagation", "private", "sh", "-c", script, "sh"])
            .arg(at)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut line = String::new();
        BufReader::new(holder.stdout.take()?).read_line(&mut line).ok()?;
        if line.trim() == "mounted" {
            return Some(SmallDisk { holder });
        }
        let _ = holder.wait();
        None
    }

    /// The same process, where it sees the small file system.
    fn enter(&self, invocation: Invocation) -> Invocation {
        invocation.through("nsenter", &[format!("--mount=/proc/{}/ns/mnt", self.holder.id())])
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // It only sleeps.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

#[test]
fn f30_f35_full_disk_fails_clearly_and_the_run_goes_on_once_there_is_room() {
    let sandbox = Sandbox::new();
    let Some(disk) = SmallDisk::mount(&sandbox.data_dir()) else {
        return skip("f30_f35_full_disk", "this user may not mount a small file system");
    };
    let (data, folder) = (sandbox.data_dir(), sandbox.folder().to_string_lossy().into_owned());
    let data = data.to_string_lossy();
    let fill = r#"if [ ! -e "$2/filled" ]; then touch "$2/filled"; cat /dev/zero > "$1/ballast" 2>/dev/null; fi; echo made > "$3""#;
    let tasks = [
        Task::new("first", r#"echo x >> "$1/first"; echo first > "$2""#).arg(&folder).artifact("data"),
        Task::new("fill", fill).arg(&data).arg(&folder).artifact("data").after("first"),
        Task::new("last", r#"cat "$1""#).artifact_from("data", "fill", "data"),
    ];
    let pipeline = Pipeline::new("full", tasks).build();
    let finished = disk.enter(sandbox.run_commands(&pipeline)).run();
    assert!(sandbox.has("filled"), "the disk was never full: {finished}");
    let finished = finished.expect_code(1);
    let said = format!("{}{}", finished.stdout, finished.stderr).to_lowercase();
    assert!(
        said.contains("space") || said.contains("full"),
        "the reason does not say that the disk is full: {finished}"
    );

    // Reading needs no room, or says what it needs.
    let command = |args: &[&str]| disk.enter(sandbox.penstock().args(args)).run();
    let make_room = disk.enter(Invocation::new(Path::new("rm")).arg("-f").arg(format!("{data}/ballast"))).run();
    make_room.expect_code(0);
    command(&["list", "-o", "json"]).expect_code(0);
    let left = command(&["get", "latest", "-o", "json"]).expect_code(0).document();
    assert_eq!(left.task("first").state, "SUCCEEDED");

    let end = match left.state.as_str() {
        "FAILED" => command(&["retry", "latest", "-o", "json"]),
        _ => command(&["run", "-o", "json", "--resume", "latest"]),
    };
    let end = end.expect_code(0).document();
    assert_eq!((end.run_id, end.state.as_str()), (left.run_id, "SUCCEEDED"));
    assert_eq!(sandbox.read("first"), "x\n", "a finished task ran again");
}
