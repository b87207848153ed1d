//! What callers may do by a file: for servers without a cluster whose roles could be asked.

use async_trait::async_trait;
use penstock_spec::limits::Limits;
use penstock_spec::parse::read_yaml;
use serde::Deserialize;

use super::{Action, Authorizer, Caller, Decision, ReviewError};

/// Stands for every namespace.
const ANYWHERE: &str = "*";
/// What changes nothing.
const LOOKING: [&str; 3] = ["get", "list", "readArtifact"];

/// The rules. What no rule allows is denied.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessRules {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    #[serde(default)]
    users: Vec<String>,
    #[serde(default)]
    groups: Vec<String>,
    namespaces: Vec<String>,
    may: Level,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    /// Look at everything.
    View,
    /// Look and change.
    Edit,
}

/// Rules that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// No YAML.
    #[error("it is not YAML: {0}")]
    Yaml(String),
    /// YAML that says something else.
    #[error("it does not hold rules: {0}")]
    Content(#[from] serde_json::Error),
    /// A rule for nobody, or for nowhere.
    #[error("rule {number} names no {lacking}")]
    Empty {
        /// Which, from 1.
        number: usize,
        /// Members of which one has to be there.
        lacking: &'static str,
    },
}

impl AccessRules {
    /// Reads rules, in YAML or JSON.
    pub fn parse(text: &str) -> Result<Self, RulesError> {
        let mut documents = read_yaml(text, &Limits::default()).map_err(|error| RulesError::Yaml(error.to_string()))?;
        let document = match documents.len() {
            1 => documents.swap_remove(0),
            count => return Err(RulesError::Yaml(format!("it has {count} documents instead of one"))),
        };
        let rules: AccessRules = serde_json::from_value(document)?;
        for (index, rule) in rules.rules.iter().enumerate() {
            let number = index + 1;
            if rule.users.is_empty() && rule.groups.is_empty() {
                return Err(RulesError::Empty { number, lacking: "users or groups" });
            }
            if rule.namespaces.is_empty() {
                return Err(RulesError::Empty { number, lacking: "namespaces" });
            }
        }
        Ok(rules)
    }
}

impl Rule {
    fn covers(&self, caller: &Caller, action: &Action) -> bool {
        let is_meant =
            self.users.contains(&caller.user) || self.groups.iter().any(|group| caller.groups.contains(group));
        let is_there = self.namespaces.iter().any(|name| name == ANYWHERE || *name == action.namespace);
        is_meant && is_there && (self.may == Level::Edit || LOOKING.contains(&action.verb))
    }
}

#[async_trait]
impl Authorizer for AccessRules {
    async fn decide(&self, caller: &Caller, action: &Action) -> Result<Decision, ReviewError> {
        match self.rules.iter().any(|rule| rule.covers(caller, action)) {
            true => Ok(Decision::Allowed),
            false => Ok(Decision::Denied("no rule of this server allows it".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = "
rules:
  - {users: [ann], namespaces: [team-a], may: edit}
  - {groups: [team-a], namespaces: [team-a, shared], may: view}
  - {users: [root], namespaces: ['*'], may: edit}
";

    async fn may(user: &str, groups: &[&str], namespace: &str, verb: &'static str) -> bool {
        let caller = Caller { user: user.to_owned(), groups: groups.iter().map(|group| (*group).to_owned()).collect() };
        let action =
            Action { namespace: namespace.to_owned(), group: "pipelines.kubeflow.org", resource: "runs", verb };
        AccessRules::parse(RULES).unwrap().decide(&caller, &action).await.unwrap() == Decision::Allowed
    }

    #[tokio::test]
    async fn what_no_rule_allows_is_denied() {
        assert!(may("ann", &[], "team-a", "delete").await);
        assert!(!may("ann", &[], "team-b", "get").await);
        assert!(!may("ann", &[], "", "get").await);
        assert!(may("bob", &["x", "team-a"], "shared", "readArtifact").await);
        assert!(!may("bob", &["team-a"], "team-a", "create").await);
        assert!(!may("team-a", &[], "team-a", "get").await);
        assert!(may("root", &[], "", "terminate").await);
    }

    #[test]
    fn i31_rules_that_say_something_else_are_refused() {
        for (text, reason) in [
            ("rules: [{users: [a], namespaces: [b], may: admin}]", "unknown variant `admin`"),
            ("rules: [{users: [a], namespaces: [b], may: view, extra: 1}]", "unknown field `extra`"),
            ("rules: [{namespaces: [b], may: view}]", "rule 1 names no users or groups"),
            ("rules: [{users: [a], namespaces: [], may: view}]", "rule 1 names no namespaces"),
            ("{}", "missing field `rules`"),
            ("rules: [", "it is not YAML"),
            ("", "documents instead of one"),
        ] {
            let error = AccessRules::parse(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
