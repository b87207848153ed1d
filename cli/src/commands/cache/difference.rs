//! What differs between two keys, for people and for scripts.

use penstock_engine::Difference;
use penstock_spec::value::to_json;
use serde_json::{Value, json};

use crate::text::{fit, inert};

/// Columns of a value.
const VALUE_WIDTH: usize = 100;
/// Where the key that an author gave is in a document.
const AUTHORS_KEY: &str = "cacheKey";

/// Two or three lines for people.
pub(super) fn describe(difference: &Difference) -> String {
    let value = |value: &Option<Value>| match value {
        None => "absent".to_owned(),
        Some(Value::String(text)) => excerpt(text),
        Some(value) => fit(&inert(&to_json(value)), VALUE_WIDTH),
    };
    if let (Some(Value::String(then)), Some(Value::String(now))) = (&difference.then, &difference.now)
        && (then.contains('\n') || now.contains('\n'))
    {
        let (old, new) = first_changed_line(then, now);
        return format!(
            "  {}, first changed line\n    then: {}\n    now:  {}\n",
            name(difference),
            excerpt(old),
            excerpt(new)
        );
    }
    format!("  {}\n    then: {}\n    now:  {}\n", name(difference), value(&difference.then), value(&difference.now))
}

/// For scripts.
pub(super) fn document(difference: &Difference) -> Value {
    json!({ "field": difference.field.join("."), "then": difference.then, "now": difference.now })
}

fn name(difference: &Difference) -> String {
    let parts: Vec<&str> = difference.field.iter().map(String::as_str).collect();
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
    use penstock_engine::differences;

    use super::*;

    #[test]
    fn fields_that_differ_are_named() {
        let then = json!({"inputParameterValues": {"a": 1, "b": "x", "gone": true}, "containerSpec": {"image": "i:1"}});
        let now = json!({"inputParameterValues": {"a": 2, "b": "x"}, "containerSpec": {"image": "i:2"}});
        let found = differences(&then, &now);
        let text: String = found.iter().map(describe).collect();
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
        let text = |then, now| differences(then, now).iter().map(describe).collect::<String>();
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
        insta::assert_snapshot!(describe(&found[0]), @r"
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
