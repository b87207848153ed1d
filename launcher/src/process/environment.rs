//! The environment of user code: what a program needs of this machine, then what the task says. Credentials of the
//! person who runs Penstock stay out.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use penstock_spec::keys;
use penstock_spec::plan::Plan;

/// Variables of this machine that user code sees. Everything else, credentials above all, is left out.
const KEPT: [&str; 22] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TERM",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "LD_LIBRARY_PATH",
];
/// Prefixes of such variables: locale, and the choice of accelerators.
const KEPT_PREFIXES: [&str; 4] = ["LC_", "CUDA_", "NVIDIA_", "ROCR_"];
/// Variables of this machine that the installation of packages sees in addition.
const KEPT_FOR_PACKAGES: [&str; 2] = ["PIP_", "UV_"];
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// An environment, in order; a later entry wins.
pub type Environment = Vec<(OsString, OsString)>;

/// The value of `PENSTOCK_ATTEMPT`.
pub fn marker(plan: &Plan) -> String {
    format!("{}/{}/{}", plan.run.id, plan.task.id, plan.task.attempt)
}

/// What user code gets of this machine's environment.
pub fn base(machine: impl IntoIterator<Item = (OsString, OsString)>) -> Environment {
    let kept = |name: &OsStr| {
        name.to_str()
            .is_some_and(|name| KEPT.contains(&name) || KEPT_PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
    };
    let mut environment: Environment = machine.into_iter().filter(|(name, _)| kept(name)).collect();
    if !environment.iter().any(|(name, _)| name == "PATH") {
        environment.push(("PATH".into(), DEFAULT_PATH.into()));
    }
    environment.sort();
    environment
}

/// What the installation of packages gets: the settings of pip and uv on top.
pub fn for_packages(machine: impl IntoIterator<Item = (OsString, OsString)>) -> Environment {
    let machine: Environment = machine.into_iter().collect();
    let is_setting = |name: &OsStr| {
        name.to_str().is_some_and(|name| KEPT_FOR_PACKAGES.iter().any(|prefix| name.starts_with(prefix)))
    };
    let settings: Environment = machine.iter().filter(|(name, _)| is_setting(name)).cloned().collect();
    let mut environment = base(machine);
    environment.extend(settings);
    environment
}

/// The environment of an attempt: `base`, places of the attempt, the plan's own variables verbatim and in order, and
/// last what the task can rely on to be ours.
pub fn of_attempt(plan: &Plan, base: &Environment, bin_dir: Option<&Path>, temporary_dir: &Path) -> Environment {
    let mut environment = base.clone();
    if let Some(bin_dir) = bin_dir {
        let path = environment.iter().rev().find(|(name, _)| name == "PATH").map(|(_, value)| value.clone());
        let rest = path.iter().flat_map(std::env::split_paths);
        // A directory with a colon in its name cannot be in PATH.
        if let Ok(path) = std::env::join_paths(std::iter::once(PathBuf::from(bin_dir)).chain(rest)) {
            environment.push(("PATH".into(), path));
        }
    }
    environment.push(("TMPDIR".into(), temporary_dir.into()));
    environment.push((keys::ENV_POD_NAME.into(), format!("{}-{}", plan.run.name, plan.task.key).into()));
    environment.push((keys::ENV_POD_UID.into(), attempt_uuid(plan).into()));
    if plan.retries {
        environment.push((keys::ENV_RETRY_INDEX.into(), plan.task.attempt.to_string().into()));
    }
    // A name that the system cannot hold is not set, as in a container.
    let valid = |name: &str, value: &str| !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0');
    let own = plan.env.iter().filter(|variable| valid(&variable.name, &variable.value));
    environment.extend(own.map(|variable| (variable.name.clone().into(), variable.value.clone().into())));
    environment.push((keys::ENV_ATTEMPT.into(), marker(plan).into()));
    environment
}

/// The last part of the attempt's root.
fn attempt_uuid(plan: &Plan) -> &str {
    plan.task_root.rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Environment {
        let pairs = [
            ("PATH", "/bin"),
            ("HOME", "/home/me"),
            ("LC_ALL", "C.UTF-8"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("PENSTOCK_TOKEN", "secret"),
            ("GOOGLE_APPLICATION_CREDENTIALS", "/secret"),
            ("PIP_INDEX_URL", "https://user:secret@host"),
            ("HTTPS_PROXY", "http://proxy"),
        ];
        pairs.map(|(name, value)| (name.into(), value.into())).to_vec()
    }

    #[test]
    fn t07_credentials_of_the_machine_do_not_reach_user_code() {
        let environment = base(machine());
        let names: Vec<_> = environment.iter().filter_map(|(name, _)| name.to_str()).collect();
        assert_eq!(names, ["HOME", "HTTPS_PROXY", "LC_ALL", "PATH"]);
        assert!(for_packages(machine()).iter().any(|(name, _)| name == "PIP_INDEX_URL"));
        assert!(!for_packages(machine()).iter().any(|(name, _)| name == "AWS_SECRET_ACCESS_KEY"));
    }

    #[test]
    fn path_is_never_missing() {
        assert!(base([]).iter().any(|(name, value)| name == "PATH" && value == DEFAULT_PATH));
    }
}
