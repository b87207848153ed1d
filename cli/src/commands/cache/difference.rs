//! Compares two key documents field by field.

use penstock_spec::value::to_json;
use serde_json::{Value, json};

use crate::text::{fit, inert};

/// Columns of a value.
const VALUE_WIDTH: usize = 100;
/// Differences that are looked for.
const LIMIT: usize = 100;
/// Where the key that an author gave is in a document.
const AUTHORS_KEY: &str = "cacheKey";

/// One field that differs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Difference {
    /// Names on the way to the field.
    field: Vec<String>,
    /// In the remembered result.
    then: Option<Value>,
    /// In the task that was asked about.
    now: Option<Value>,
}

/// The fields that differ. Lists are compared by position, and only if they are of one length.
pub(super) fn differences(then: &Value, now: &Value) -> Vec<Difference> {
    let key_of = |document: &Value| document.get(AUTHORS_KEY).cloned();
    if key_of(then).is_some() != key_of(now).is_some() {
        // The documents have nothing in common then: an author's own key stands for all the rest.
        return vec![Difference { field: vec![AUTHORS_KEY.to_owned()], then: key_of(then), now: key_of(now) }];
    }
    let mut found = Vec::new();
    let mut pending = vec![(Vec::new(), Some(then), Some(now))];
    while let Some((field, then, now)) = pending.pop() {
        if then == now || found.len() == LIMIT {
            continue;
        }
        match (then, now) {
            (Some(Value::Object(old)), Some(Value::Object(new))) => {
                let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
                names.sort();
                names.dedup();
                for name in names.into_iter().rev() {
                    pending.push((extended(&field, name), old.get(name), new.get(name)));
                }
            }
            (Some(Value::Array(old)), Some(Value::Array(new))) if old.len() == new.len() => {
                for (index, (old, new)) in old.iter().zip(new).enumerate().rev() {
                    pending.push((extended(&field, &index.to_string()), Some(old), Some(new)));
                }
            }
            _ => found.push(Difference { field, then: then.cloned(), now: now.cloned() }),
        }
    }
    found
}

fn extended(field: &[String], name: &str) -> Vec<String> {
    field.iter().cloned().chain([name.to_owned()]).collect()
}

impl Difference {
    /// Two or three lines for people.
    pub(super) fn describe(&self) -> String {
        let value = |value: &Option<Value>| match value {
            None => "absent".to_owned(),
            Some(Value::String(text)) => excerpt(text),
            Some(value) => fit(&inert(&to_json(value)), VALUE_WIDTH),
        };
        if let (Some(Value::String(then)), Some(Value::String(now))) = (&self.then, &self.now)
            && (then.contains('\n') || now.contains('\n'))
        {
            let (old, new) = first_changed_line(then, now);
            return format!(
                "  {}, first changed line\n    then: {}\n    now:  {}\n",
                self.name(),
                excerpt(old),
                excerpt(new)
            );
        }
        format!("  {}\n    then: {}\n    now:  {}\n", self.name(), value(&self.then), value(&self.now))
    }

    /// For scripts.
    pub(super) fn to_json(&self) -> Value {
        json!({ "field": self.field.join("."), "then": self.then, "now": self.now })
    }

    fn name(&self) -> String {
        let parts: Vec<&str> = self.field.iter().map(String::as_str).collect();
        let rest = |parts: &[&str]| inert(&parts.join("."));
        match parts.as_slice() {
            ["inputParameterValues", name, inner @ ..] => {
                let inner = if inner.is_empty() { String::new() } else { format!(", {}", rest(inner)) };
                format!("input parameter {}{inner}", inert(name))
            }
            ["inputArtifactNames", name, ..] => format!("input artifact {}: another artifact", inert(name)),
            ["outputParametersSpec", rest_of @ ..] => format!("output parameter {}", rest(rest_of)),
            ["outputArtifactsSpec", rest_of @ ..] => format!("output artifact {}", rest(rest_of)),
            [AUTHORS_KEY] => "cacheKey, the author's own cache key".to_owned(),
            ["containerSpec", "image"] => "image".to_owned(),
            ["containerSpec", "cmdArgs", ..] => "command (for a Python component: its code)".to_owned(),
            ["containerSpec", "env", ..] => "environment variables".to_owned(),
            all => rest(all),
        }
    }
}

fn first_changed_line<'a>(then: &'a str, now: &'a str) -> (&'a str, &'a str) {
    let (mut old, mut new) = (then.lines(), now.lines());
    loop {
        match (old.next(), new.next()) {
            (None, None) => return ("", ""),
            (then, now) if then == now => {}
            (then, now) => return (then.unwrap_or("(no more lines)"), now.unwrap_or("(no more lines)")),
        }
    }
}

fn excerpt(text: &str) -> String {
    fit(&inert(text.trim()), VALUE_WIDTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_differ_are_named() {
        let then = json!({"inputParameterValues": {"a": 1, "b": "x", "gone": true}, "containerSpec": {"image": "i:1"}});
        let now = json!({"inputParameterValues": {"a": 2, "b": "x"}, "containerSpec": {"image": "i:2"}});
        let found = differences(&then, &now);
        let text: String = found.iter().map(Difference::describe).collect();
        insta::assert_snapshot!(text, @r"
        image
          then: i:1
          now:  i:2
        input parameter a
          then: 1
          now:  2
        input parameter gone
          then: true
          now:  absent
        ");
    }

    #[test]
    fn of_an_authors_own_key_nothing_else_is_shown() {
        let then = json!({"inputParameterValues": {"a": 1}, "containerSpec": {"image": "i:1"}});
        let mine = json!({"cacheKey": "mine", "component": "comp-train"});
        let other = json!({"cacheKey": "other", "component": "comp-train"});
        let text = |then, now| differences(then, now).iter().map(Difference::describe).collect::<String>();
        insta::assert_snapshot!(text(&then, &mine), @r"
        cacheKey, the author's own cache key
          then: absent
          now:  mine
        ");
        insta::assert_snapshot!(text(&mine, &other), @r"
        cacheKey, the author's own cache key
          then: mine
          now:  other
        ");
    }

    #[test]
    fn of_a_program_the_first_changed_line_is_shown() {
        let then = json!({"containerSpec": {"cmdArgs": ["python", "def f():\n    return 1\n"]}});
        let now = json!({"containerSpec": {"cmdArgs": ["python", "def f():\n    return 2\n"]}});
        let found = differences(&then, &now);
        assert_eq!(found.len(), 1);
        insta::assert_snapshot!(found[0].describe(), @r"
        command (for a Python component: its code), first changed line
          then: return 1
          now:  return 2
        ");
    }

    #[test]
    fn equal_documents_have_no_differences() {
        let document = json!({"a": [1, {"b": null}]});
        assert_eq!(differences(&document, &document), []);
    }
}
