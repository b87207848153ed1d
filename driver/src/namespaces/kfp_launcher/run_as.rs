//! Who tasks run as, from label and annotations of the Namespace.

use std::collections::BTreeMap;

use penstock_spec::keys;
use penstock_spec::settings::{NON_ROOT_ID, RunAs};

/// What a Namespace says about who its tasks run as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RunAsConfig<'a> {
    /// Value of [`keys::LABEL_POD_SECURITY`].
    pub pod_security: Option<&'a str>,
    /// Value of [`keys::ANNOTATION_RUN_AS_USER`].
    pub user: Option<&'a str>,
    /// Value of [`keys::ANNOTATION_RUN_AS_GROUP`].
    pub group: Option<&'a str>,
    /// Value of [`keys::ANNOTATION_RUN_AS_NON_ROOT`].
    pub non_root: Option<&'a str>,
}

impl<'a> RunAsConfig<'a> {
    /// What labels and annotations of a Namespace say.
    pub fn of(labels: &'a BTreeMap<String, String>, annotations: &'a BTreeMap<String, String>) -> RunAsConfig<'a> {
        let annotation = |name: &str| annotations.get(name).map(String::as_str);
        RunAsConfig {
            pod_security: labels.get(keys::LABEL_POD_SECURITY).map(String::as_str),
            user: annotation(keys::ANNOTATION_RUN_AS_USER),
            group: annotation(keys::ANNOTATION_RUN_AS_GROUP),
            non_root: annotation(keys::ANNOTATION_RUN_AS_NON_ROOT),
        }
    }
}

/// Who tasks run as. An annotation that cannot be understood counts as absent; one that can be counts, even if Pods are
/// refused for it: running as somebody else than was asked for would only fail later.
pub(super) fn read(config: &RunAsConfig<'_>, problems: &mut Vec<String>) -> RunAs {
    let is_restricted = config.pod_security == Some(keys::POD_SECURITY_RESTRICTED);
    let mut ask = |annotation: &str, value: Option<&str>| {
        let asked = value.map(|value| read_id(value.trim()).ok_or(value));
        match asked.transpose() {
            Ok(asked) => asked,
            Err(value) => {
                problems.push(format!(
                    "annotation {annotation}: {value:?} is ignored: write a number from 0 to {}, or {}",
                    i32::MAX,
                    keys::RUN_AS_IMAGE
                ));
                None
            }
        }
    };
    let default = is_restricted.then_some(NON_ROOT_ID);
    let user = ask(keys::ANNOTATION_RUN_AS_USER, config.user).unwrap_or(default);
    let group = ask(keys::ANNOTATION_RUN_AS_GROUP, config.group).unwrap_or(default);
    let non_root = match config.non_root.map(str::trim) {
        Some("true") => Some(true),
        Some("false") => Some(false),
        other => {
            if let Some(value) = other {
                problems.push(format!(
                    "annotation {}: {value:?} is ignored: write true or false",
                    keys::ANNOTATION_RUN_AS_NON_ROOT
                ));
            }
            is_restricted.then_some(true)
        }
    };
    let run_as = RunAs { user, group, non_root };
    if is_restricted && non_root == Some(false) {
        problems.push(format!(
            "annotation {}: tasks are refused: the namespace's label {}={} takes no Pod that may run as root",
            keys::ANNOTATION_RUN_AS_NON_ROOT,
            keys::LABEL_POD_SECURITY,
            keys::POD_SECURITY_RESTRICTED
        ));
    }
    if run_as.contradicts_itself() {
        let because = match config.non_root {
            Some(_) => format!("annotation {}", keys::ANNOTATION_RUN_AS_NON_ROOT),
            None => format!("label {}", keys::LABEL_POD_SECURITY),
        };
        problems.push(format!(
            "annotation {}: tasks are refused: user 0 is root, which the namespace's {because} forbids",
            keys::ANNOTATION_RUN_AS_USER
        ));
    }
    run_as
}

/// A user or group; none inside when the image is to say it.
fn read_id(text: &str) -> Option<Option<i64>> {
    if text == keys::RUN_AS_IMAGE {
        return Some(None);
    }
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    // What the API server takes.
    let id = text.parse::<i32>().ok().filter(|_| is_number)?;
    Some(Some(i64::from(id)))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn run_as(user: impl Into<Option<i64>>, group: impl Into<Option<i64>>, non_root: Option<bool>) -> RunAs {
        RunAs { user: user.into(), group: group.into(), non_root }
    }

    fn check(pod_security: Option<&str>, values: [Option<&str>; 3]) -> (RunAs, String) {
        let [user, group, non_root] = values;
        let mut problems = Vec::new();
        let run_as = read(&RunAsConfig { pod_security, user, group, non_root }, &mut problems);
        (run_as, problems.join("\n"))
    }

    #[rstest]
    #[case(None, [None, None, None], RunAs::default())]
    #[case(Some("baseline"), [None, None, None], RunAs::default())]
    #[case(Some("restricted"), [None, None, None], run_as(65532, 65532, Some(true)))]
    #[case(Some("restricted"), [Some(" 1000 "), None, None], run_as(1000, 65532, Some(true)))]
    #[case(Some("restricted"), [Some("image"), Some("image"), None], run_as(None, None, Some(true)))]
    #[case(None, [Some("0"), Some("0"), None], run_as(0, 0, None))]
    #[case(None, [None, Some("2147483647"), Some("true")], run_as(None, 2_147_483_647, Some(true)))]
    fn who_tasks_run_as(#[case] label: Option<&str>, #[case] values: [Option<&str>; 3], #[case] expected: RunAs) {
        assert_eq!(check(label, values), (expected, String::new()));
    }

    #[rstest]
    #[case([Some("root"), None, None], run_as(65532, 65532, Some(true)), "penstock.dev/run-as-user: \"root\" is ignored")]
    #[case([None, Some("-1"), None], run_as(65532, 65532, Some(true)), "penstock.dev/run-as-group: \"-1\" is ignored")]
    #[case([Some("+1"), None, None], run_as(65532, 65532, Some(true)), "\"+1\" is ignored")]
    #[case([Some("2147483648"), None, None], run_as(65532, 65532, Some(true)), "a number from 0 to 2147483647, or image")]
    #[case([Some(""), None, None], run_as(65532, 65532, Some(true)), "\"\" is ignored")]
    #[case([None, None, Some("yes")], run_as(65532, 65532, Some(true)), "write true or false")]
    #[case([None, None, Some("false")], run_as(65532, 65532, Some(false)), "takes no Pod that may run as root")]
    #[case([Some("0"), None, None], run_as(0, 65532, Some(true)),
           "user 0 is root, which the namespace's label pod-security.kubernetes.io/enforce forbids")]
    #[case([Some("0"), None, Some("true")], run_as(0, 65532, Some(true)), "penstock.dev/run-as-non-root forbids")]
    fn i31_what_is_wrong_is_said(#[case] values: [Option<&str>; 3], #[case] expected: RunAs, #[case] problem: &str) {
        let (run_as, problems) = check(Some("restricted"), values);
        assert_eq!(run_as, expected);
        assert!(problems.contains(problem), "{problems}");
    }
}
