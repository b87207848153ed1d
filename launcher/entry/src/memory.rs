//! How many processes the kernel has killed in this container for want of memory. A container sees its own control
//! group as the root of the file system of control groups.

use std::path::Path;

/// Control groups of version 2, then of version 1.
const COUNTERS: [&str; 2] = ["/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"];

/// Kills so far; 0 where nothing counts them.
pub fn read_oom_kills() -> u64 {
    COUNTERS.iter().find_map(|path| parse_oom_kills(&std::fs::read(Path::new(path)).ok()?)).unwrap_or(0)
}

fn parse_oom_kills(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_are_read() {
        let second = b"low 0\nhigh 0\nmax 31\noom 4\noom_kill 3\noom_group_kill 1\n";
        assert_eq!(parse_oom_kills(second), Some(3));
        assert_eq!(parse_oom_kills(b"oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"), Some(2));
        assert_eq!(parse_oom_kills(b"oom_kill_disable 0\nunder_oom 0\n"), None);
        assert_eq!(parse_oom_kills(b"oom_kill many\n"), None);
        assert_eq!(parse_oom_kills(b"\xff"), None);
    }
}
