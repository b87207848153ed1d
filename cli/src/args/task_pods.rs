//! Flags about what each task's Pod gets from the installation.

use clap::{ArgAction, Args};
use penstock_driver::{CaBundle, PodSettings, RunAs, TaskAccount};
use penstock_spec::settings::ObjectKey;

use crate::failure::Refusal;

const TASKS: &str = "Task options";

/// Variables by which programs find an HTTP proxy.
pub(crate) const PROXY_VARIABLES: [&str; 8] =
    ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY"];
/// The greatest number of a user or group that the API server takes.
const MAX_ID: i64 = i32::MAX as i64;

/// What each task's Pod gets.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = TASKS)]
pub(crate) struct TaskPodArgs {
    /// ConfigMap in each run's namespace with certificates of authorities that user code trusts [default KEY: ca.crt]
    #[arg(long, env = "PENSTOCK_CA_BUNDLE_CONFIG_MAP", value_name = "NAME[:KEY]", value_parser = ObjectKey::parse_ca,
          conflicts_with = "ca_bundle_secret")]
    pub(crate) ca_bundle_config_map: Option<ObjectKey>,
    /// Secret in each run's namespace with such certificates [default KEY: ca.crt]
    #[arg(long, env = "PENSTOCK_CA_BUNDLE_SECRET", value_name = "NAME[:KEY]", value_parser = ObjectKey::parse_ca)]
    pub(crate) ca_bundle_secret: Option<ObjectKey>,
    /// Variable of an HTTP proxy for user code, such as https_proxy or NO_PROXY; may be repeated. In the environment, one
    /// a line
    #[arg(
        long,
        env = "PENSTOCK_TASK_PROXY",
        value_name = "NAME=VALUE",
        value_delimiter = '\n',
        hide_env_values = true
    )]
    pub(crate) task_proxy: Vec<String>,
    /// Give user code the variables of an HTTP proxy that this process has itself; --task-proxy wins over them
    #[arg(long, env = "PENSTOCK_PASS_PROXY")]
    pub(crate) pass_proxy: bool,
    /// User that user code runs as [default: as the namespace says, or else the image]
    #[arg(long, env = "PENSTOCK_TASK_RUN_AS_USER", value_name = "UID",
          value_parser = clap::value_parser!(i64).range(0..=MAX_ID))]
    pub(crate) task_run_as_user: Option<i64>,
    /// Group that user code runs as [default: as the namespace says, or else the image]
    #[arg(long, env = "PENSTOCK_TASK_RUN_AS_GROUP", value_name = "GID",
          value_parser = clap::value_parser!(i64).range(0..=MAX_ID))]
    pub(crate) task_run_as_group: Option<i64>,
    /// Refuse user code that would run as root [default: as the namespace says]
    #[arg(long, env = "PENSTOCK_TASK_RUN_AS_NON_ROOT", value_name = "BOOL", num_args = 0..=1,
          default_missing_value = "true", require_equals = true, action = ArgAction::Set)]
    pub(crate) task_run_as_non_root: Option<bool>,
    /// Service account that tasks may ask for, with a token in user code (annotation penstock.dev/service-account); may be
    /// repeated. NAMESPACE can be * for any [default: none]
    #[arg(long, env = "PENSTOCK_ALLOW_TASK_ACCOUNT", value_name = "NAMESPACE/NAME", value_delimiter = ',')]
    pub(crate) allow_task_account: Vec<TaskAccount>,
}

impl TaskPodArgs {
    /// What each task's Pod gets; `own_proxy` are the variables that this process has.
    pub(crate) fn settings(self, own_proxy: &[(String, String)]) -> Result<PodSettings, Refusal> {
        let TaskPodArgs {
            ca_bundle_config_map,
            ca_bundle_secret,
            task_proxy,
            pass_proxy,
            task_run_as_user,
            task_run_as_group,
            task_run_as_non_root,
            allow_task_account: accounts,
        } = self;
        let of_config_map = ca_bundle_config_map.map(|ObjectKey { name, key }| CaBundle::ConfigMap { name, key });
        let of_secret = ca_bundle_secret.map(|ObjectKey { name, key }| CaBundle::Secret { name, key });
        let run_as = RunAs { user: task_run_as_user, group: task_run_as_group, non_root: task_run_as_non_root };
        if run_as.contradicts_itself() {
            return Err(Refusal::new("--task-run-as-user 0 is root, which --task-run-as-non-root refuses").with_hint(
                "leave one of them out; PENSTOCK_TASK_RUN_AS_USER and PENSTOCK_TASK_RUN_AS_NON_ROOT set them too",
            ));
        }
        let given = task_proxy.iter().filter(|text| !text.trim().is_empty()).map(|text| parse_proxy(text));
        let given = given.collect::<Result<Vec<_>, _>>()?;
        // Programs differ in which spelling they read.
        let is_given = |name: &str| given.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
        let own = own_proxy.iter().filter(|(name, _)| pass_proxy && !is_given(name));
        let mut proxy: Vec<_> = own.cloned().collect();
        proxy.extend(given);
        Ok(PodSettings { ca_bundle: of_config_map.or(of_secret), run_as, proxy, accounts })
    }
}

/// Neither name nor value is repeated in the refusal: a proxy's URL may hold a password.
fn parse_proxy(text: &str) -> Result<(String, String), Refusal> {
    match text.split_once('=') {
        Some((name, value)) if PROXY_VARIABLES.contains(&name.trim()) => {
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err(Refusal::new("--task-proxy is not understood")
            .with_hint(format!("write NAME=VALUE, with one of the names {}", PROXY_VARIABLES.join(", ")))),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: TaskPodArgs,
    }

    fn args(line: &[&str]) -> Result<TaskPodArgs, clap::Error> {
        Line::try_parse_from(std::iter::once(&"test").chain(line)).map(|line| line.args)
    }

    fn settings(line: &[&str]) -> Result<PodSettings, Refusal> {
        let own = [("http_proxy", "http://own:1"), ("NO_PROXY", "own")];
        let own: Vec<_> = own.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        args(line).expect("the line is understood").settings(&own)
    }

    #[test]
    fn nothing_is_added_where_nothing_is_said() {
        assert_eq!(settings(&[]).expect("settings"), PodSettings::default());
    }

    #[test]
    fn authorities_come_from_one_key() {
        let bundle = |line: &[&str]| settings(line).expect("settings").ca_bundle;
        let config_map = CaBundle::ConfigMap { name: "corporate.ca".to_owned(), key: "bundle.pem".to_owned() };
        assert_eq!(bundle(&["--ca-bundle-config-map", "corporate.ca:bundle.pem"]), Some(config_map));
        let secret = CaBundle::Secret { name: "ca".to_owned(), key: "ca.crt".to_owned() };
        assert_eq!(bundle(&["--ca-bundle-secret", "ca"]), Some(secret));
        assert!(args(&["--ca-bundle-secret", "a", "--ca-bundle-config-map", "a"]).is_err());
        assert!(args(&["--ca-bundle-secret", "a:.."]).is_err());
    }

    #[test]
    fn own_proxy_is_passed_on_only_when_asked() {
        let proxy = |line: &[&str]| {
            let proxy = settings(line).expect("settings").proxy;
            proxy.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
        };
        assert_eq!(proxy(&["--pass-proxy"]), ["http_proxy=http://own:1", "NO_PROXY=own"]);
        let given = ["--task-proxy", "http_proxy=http://p:2/?a=b", "--task-proxy", "no_proxy=a,b"];
        assert_eq!(proxy(&given), ["http_proxy=http://p:2/?a=b", "no_proxy=a,b"]);
        let both = ["--pass-proxy", "--task-proxy", "http_proxy=http://p:2\nno_proxy=a,b\n"];
        assert_eq!(proxy(&both), ["http_proxy=http://p:2", "no_proxy=a,b"], "whatever the spelling");
    }

    #[test]
    fn t06_accounts_are_listed() {
        let accounts = settings(&["--allow-task-account", "team/a,*/b", "--allow-task-account", "team/c"]);
        let expected = ["team/a", "*/b", "team/c"].map(|text| text.parse().expect("an account"));
        assert_eq!(accounts.expect("settings").accounts, expected);
        for text in ["a", "*", "team/penstock-task"] {
            assert!(args(&["--allow-task-account", text]).is_err(), "{text}");
        }
    }

    #[test]
    fn i31_odd_proxies_are_refused_without_being_repeated() {
        for text in ["http://user:password@proxy", "PATH=password", "=password", "password"] {
            let error = settings(&["--task-proxy", text]).expect_err(text);
            assert!(!format!("{error:?}").contains("password"), "{error:?}");
        }
    }

    #[test]
    fn i31_users_are_numbers_and_not_root_where_root_is_refused() {
        let run_as = |line: &[&str]| settings(line).map(|settings| settings.run_as);
        let all = ["--task-run-as-user", "1000", "--task-run-as-group", "0", "--task-run-as-non-root"];
        let expected = RunAs { user: Some(1000), group: Some(0), non_root: Some(true) };
        assert_eq!(run_as(&all).expect("settings"), expected);
        let root = ["--task-run-as-user", "0", "--task-run-as-non-root=false"];
        let expected = RunAs { user: Some(0), group: None, non_root: Some(false) };
        assert_eq!(run_as(&root).expect("settings"), expected);
        assert!(run_as(&["--task-run-as-user", "0", "--task-run-as-non-root"]).is_err());
        for id in ["-1", "root", "2147483648", ""] {
            assert!(args(&["--task-run-as-user", id]).is_err(), "{id}");
        }
    }
}
