//! Processes of tasks that are alive on this machine.

use std::fs;

use penstock_spec::keys::ENV_ATTEMPT;

/// Numbers of the living processes whose environment marks them as belonging to a run.
pub fn alive(run_id: &str) -> Vec<u32> {
    let marker = format!("{ENV_ATTEMPT}={run_id}/");
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    numbers.filter(|pid| is_alive(*pid) && has_marker(*pid, marker.as_bytes())).collect()
}

/// Whether a process exists and has not ended.
pub fn is_alive(pid: u32) -> bool {
    let Ok(text) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    // The name, in parentheses, may hold anything.
    !text.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with(['Z', 'X']))
}

fn has_marker(pid: u32, marker: &[u8]) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|entry| entry.starts_with(marker))
}
