//! A task's command as far as the plan knows it, for people. The launcher makes the whole of it.

use super::Plan;
use crate::placeholder::{Argument, ArtifactField, Placeholder, parse_argument, substitute};
use crate::value::to_text;

/// Bytes of values that are put into a command; what comes behind them stays as written.
const MOST_BYTES: usize = 1 << 20;

impl Plan {
    /// Command and arguments with everything put in that does not depend on where the attempt runs. The executor input,
    /// paths and places of outputs stay as written.
    pub fn known_argv(&self) -> Vec<String> {
        let mut known = Known { plan: self, room: MOST_BYTES };
        let mut argv = Vec::new();
        for template in self.command.iter().chain(&self.args) {
            known.splice(&parse_argument(template), &mut argv);
        }
        argv
    }
}

struct Known<'a> {
    plan: &'a Plan,
    room: usize,
}

impl Known<'_> {
    /// Arguments are within each other no deeper than they are read, so recursion is bounded.
    fn splice(&mut self, argument: &Argument, into: &mut Vec<String>) {
        match argument {
            Argument::Plain(template) => into.push(self.text(template)),
            Argument::Concat(parts) => {
                let mut elements = Vec::new();
                parts.iter().for_each(|part| self.splice(part, &mut elements));
                into.push(elements.concat());
            }
            Argument::IfPresent { name, then, otherwise } => {
                let chosen = if self.plan.is_provided(name) { then } else { otherwise };
                chosen.iter().for_each(|part| self.splice(part, into));
            }
        }
    }

    fn text(&mut self, template: &str) -> String {
        let replaced = substitute(template, |placeholder| {
            let value = self.value(placeholder).filter(|value| value.len() <= self.room);
            self.room -= value.as_ref().map_or(0, String::len);
            Ok::<_, std::convert::Infallible>(value)
        });
        match replaced {
            Ok(text) => text,
            Err(never) => match never {},
        }
    }

    fn value(&self, placeholder: &Placeholder) -> Option<String> {
        let Plan { inputs, defaults, absent_inputs, .. } = self.plan;
        let absent = |name: &String| absent_inputs.contains(name).then(String::new);
        match placeholder {
            Placeholder::InputParameter(name) => {
                inputs.parameters.get(name).or_else(|| defaults.get(name)).map(to_text).or_else(|| absent(name))
            }
            Placeholder::InputArtifact { name, field: ArtifactField::Uri } => {
                let first = inputs.artifacts.get(name).and_then(|list| list.first());
                first.map(|artifact| artifact.uri.clone()).or_else(|| absent(name))
            }
            other => self.plan.value_of(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plan(command: &[&str], parameters: &serde_json::Value) -> Plan {
        let run = json!({
            "id": uuid::Uuid::nil(), "name": "p-1", "displayName": "p", "pipelineName": "p", "pipelineRoot": "s3://b",
            "createdAt": "2026-08-01T10:00:00Z", "scheduledAt": "2026-08-01T10:00:00Z", "caching": true,
        });
        let task = json!({"id": uuid::Uuid::nil(), "key": "t", "displayName": "t", "path": "t", "attempt": 0});
        let artifact = json!({"id": uuid::Uuid::nil(), "name": "m", "type": {}, "uri": "s3://b/m"});
        let plan = json!({
            "version": 1, "run": run, "task": task, "image": "i", "command": command, "args": [], "env": [],
            "inputs": {"parameters": parameters, "artifacts": {"m": [artifact]}}, "defaults": {"d": 0.5},
            "absentInputs": ["no"], "taskRoot": "s3://b/t",
        });
        serde_json::from_value(plan).expect("a plan")
    }

    #[test]
    fn what_the_plan_knows_is_put_in_and_the_rest_stays() {
        let command = [
            "--x={{$.inputs.parameters['x']}}/{{$.inputs.parameters['d']}}",
            "{{$.inputs.artifacts['m'].uri}}",
            "[{{$.inputs.parameters['no']}}]",
            "{{$.pipeline_job_resource_name}}.{{$.pipeline_task_name}}",
            r#"{"IfPresent": {"InputName": "x", "Then": ["--has", {"Concat": ["x=", "{{$.inputs.parameters['x']}}"]}]}}"#,
            r#"{"IfPresent": {"InputName": "d", "Then": ["--default"]}}"#,
            "{{$.inputs.artifacts['m'].path}}",
            "{{$.inputs.parameters['other']}}",
            "{{$}}",
        ];
        let known = plan(&command, &json!({"x": [1, "{{$.pipeline_task_name}}"]})).known_argv();
        let list = r#"[1,"{{$.pipeline_task_name}}"]"#;
        let expected = [
            &format!("--x={list}/0.5"),
            "s3://b/m",
            "[]",
            "p-1.t",
            "--has",
            &format!("x={list}"),
            "{{$.inputs.artifacts['m'].path}}",
            "{{$.inputs.parameters['other']}}",
            "{{$}}",
        ];
        assert_eq!(known, expected);
    }

    #[test]
    fn values_have_a_limit() {
        let template = "{{$.inputs.parameters['x']}}".repeat(3);
        let known = plan(&[&template], &json!({"x": "x".repeat(MOST_BYTES / 2)})).known_argv().concat();
        assert_eq!(known.len(), MOST_BYTES + template.len() / 3);
    }
}
