//! Processes that the kernel kills for want of memory, in a control group as a container has it.

use std::path::{Path, PathBuf};

use penstock_entry::protocol::End;

use crate::fixture::{Stage, is_root};

const LIMIT: &str = "50331648";

/// A control group with a limit on memory.
struct Group {
    path: PathBuf,
    /// Where a container would see it.
    seen_at: &'static str,
}

impl Group {
    /// None where control groups cannot be made.
    fn new() -> Option<Group> {
        [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")].into_iter().find_map(
            |(seen_at, limit)| {
                let path = Path::new(seen_at).join(format!("penstock-entry-test-{}", std::process::id()));
                std::fs::create_dir(&path).ok()?;
                let group = Group { path, seen_at };
                std::fs::write(group.path.join(limit), LIMIT).ok()?;
                for swap in ["memory.memsw.limit_in_bytes", "memory.swap.max"] {
                    // Absent where swap is not accounted for.
                    let _ = std::fs::write(group.path.join(swap), if swap.contains("memsw") { LIMIT } else { "0" });
                }
                Some(group)
            },
        )
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.path);
    }
}

#[tokio::test]
async fn kills_for_want_of_memory_are_counted_although_the_program_may_go_on() {
    if !is_root("a control group") {
        return;
    }
    let Some(group) = Group::new() else {
        eprintln!("skipped, because this machine lets nobody make a control group with a limit on memory");
        return;
    };
    let enter = format!(
        "echo $$ > {0}/cgroup.procs && mount --bind {0} {1} && exec \"$0\" \"$@\"",
        group.path.display(),
        group.seen_at
    );
    let mut stage = Stage::new();
    let command = stage.entry_behind(&["unshare", "--mount", "sh", "-c", &enter], &["sh"]);
    let mut pair = stage.running_as(command, &["sh", "-c", "tail /dev/zero; echo $?; tail /dev/zero; exit 0"]).await;
    let end = pair.end().await;
    assert_eq!((end.how, end.oom_kills), (End::Code(0), 2));
    assert!(stage.text().lines().any(|line| line == "137"), "{}", stage.text());
    assert_eq!(pair.leave().await, 0);
}
