//! Tasks of a generated pipeline: what each byte of a gene stands for.

use penstock_spec::ir::{
    ArtifactInput, ArtifactIterator, ComponentSpec, ExecutorSpec, ImporterSpec, InputArtifact, InputParameter,
    OutputArtifact, OutputParameter, ParameterInput, ParameterIterator, ParameterSource, ProtoDuration, RetryPolicy,
    TaskOutputArtifact, TaskSpec, TriggerStrategy,
};
use serde_json::{Value, json};

use crate::case::{Kind, Scope, Sibling, Writer, dag_outputs, pick};
use crate::condition::Condition;
use crate::genome::Gene;

/// A task that is being written.
struct Draft<'a> {
    task: TaskSpec,
    component: ComponentSpec,
    /// What tasks within see.
    own: Scope,
    siblings: &'a [Sibling],
    outer: &'a Scope,
}

#[derive(Clone, Copy, PartialEq)]
enum Iterates {
    No,
    Raw,
    Parameter,
    Artifact,
}

impl Writer {
    pub(crate) fn task(
        &mut self,
        gene: &Gene,
        siblings: &[Sibling],
        outer: &Scope,
        depth: usize,
    ) -> (TaskSpec, Sibling) {
        let choices = &gene.choices;
        self.tasks += 1;
        // The order of keys is not that of dependencies.
        let key = format!("{}{}", ["t", "a", "z", "m"][usize::from(choices[0] % 4)], self.tasks);
        let mut draft = Draft {
            task: TaskSpec::default(),
            component: ComponentSpec::default(),
            own: Scope::default(),
            siblings,
            outer,
        };
        draft.task.task_info.name = key.clone();
        let component = format!("comp-{key}");
        draft.task.component_ref.name = component.clone();
        draft.trigger(choices);
        let leaf = gene.inner.is_empty();
        if leaf && matches!(choices[1] % 12, 9 | 11) {
            self.importer(&key, choices, &mut draft);
        } else {
            self.body(gene, &mut draft, depth);
        }
        self.condition(choices[4], &mut draft);
        let iterates = draft.task.parameter_iterator.is_some() || draft.task.artifact_iterator.is_some();
        let outputs = &draft.component.output_definitions;
        let kind = |name: &str| if iterates { Kind::List } else { kind_of(name) };
        let sibling = Sibling {
            key,
            parameters: outputs.parameters.keys().map(|name| (name.clone(), kind(name))).collect(),
            artifacts: outputs.artifacts.keys().cloned().collect(),
        };
        self.spec.components.insert(component, draft.component);
        (draft.task, sibling)
    }

    fn importer(&mut self, key: &str, choices: &[u8], draft: &mut Draft<'_>) {
        draft.parameter(0, &[1, 0, choices[10], choices[11]]);
        let mut importer = ImporterSpec::default();
        importer.type_schema.schema_title = "system.Dataset".to_owned();
        match draft.own.parameters.first() {
            Some((name, _)) if choices[8] % 3 == 1 => importer.artifact_uri.runtime_parameter = Some(name.clone()),
            _ => {
                importer.artifact_uri.constant =
                    Some(if choices[8] == 254 { String::new() } else { format!("s3://had/{key}") });
            }
        }
        self.spec.deployment_spec.executors.insert(format!("exec-{key}"), ExecutorSpec::Importer(Box::new(importer)));
        draft.component.executor_label = Some(format!("exec-{key}"));
        draft.component.output_definitions.artifacts.insert("artifact".to_owned(), OutputArtifact::default());
    }

    fn body(&mut self, gene: &Gene, draft: &mut Draft<'_>, depth: usize) {
        let choices = &gene.choices;
        for (index, bytes) in (0..).zip(choices[8..20].chunks(4)).take(usize::from(choices[7] % 4)) {
            draft.parameter(index, bytes);
        }
        draft.final_status(choices[26]);
        draft.artifact("x0", choices[20]);
        let iterates = match (gene.inner.is_empty(), choices[1]) {
            (true, choice) if choice % 12 == 10 => Iterates::Raw,
            (true, _) => Iterates::No,
            (false, choice) => match choice % 6 {
                2 | 5 => Iterates::Raw,
                3 => Iterates::Parameter,
                4 => Iterates::Artifact,
                _ => Iterates::No,
            },
        };
        draft.iterator(iterates, choices, depth);
        let outputs = &mut draft.component.output_definitions;
        if gene.inner.is_empty() {
            draft.component.executor_label = Some("exec".to_owned());
            for index in 0..[1, 2, 0][usize::from(choices[21] % 3)] {
                let kind = Kind::drawn(choices[21] / 3 + index);
                let output = OutputParameter { parameter_type: kind.parameter_type(), ..OutputParameter::default() };
                outputs.parameters.insert(format!("{}{index}", kind.letter()), output);
            }
            if !choices[21].is_multiple_of(2) {
                outputs.artifacts.insert("y0".to_owned(), OutputArtifact::default());
            }
            return;
        }
        let (mut dag, within) = self.dag(&gene.inner, &draft.own, depth + 1);
        dag_outputs(&mut dag, outputs, &within, choices[24], choices[25]);
        draft.component.dag = Some(dag);
    }

    /// A condition over one of the task's inputs.
    fn condition(&mut self, choice: u8, draft: &mut Draft<'_>) {
        let is_importer = draft.component.output_definitions.artifacts.contains_key("artifact");
        let inputs: Vec<&String> =
            draft.task.inputs.parameters.keys().filter(|name| name.starts_with(['n', 's', 'b'])).collect();
        let Some(input) = pick(&inputs, choice / 3).filter(|_| choice % 3 == 2 && !is_importer) else { return };
        let input = (*input).clone();
        let equals = |literal: Value| Condition::Equals { input: input.clone(), literal };
        let greater = |literal| Condition::Greater { input: input.clone(), literal };
        let (first, second) = match kind_of(&input) {
            Kind::Number if choice.is_multiple_of(2) => (greater(1), greater(3)),
            Kind::Number => (equals(json!(2)), equals(json!(3))),
            Kind::Flag => (equals(json!(true)), equals(json!(true))),
            _ => (equals(json!("a")), equals(json!("b"))),
        };
        let condition = match choice / 12 % 4 {
            0 => first,
            1 => Condition::Not(Box::new(first)),
            2 => Condition::And(Box::new(Condition::Not(Box::new(first))), Box::new(second)),
            _ => {
                let both = [first, second].map(|it| Box::new(Condition::Not(Box::new(it))));
                let [first, second] = both;
                Condition::And(first, second)
            }
        };
        draft.task.trigger_policy.condition = condition.text();
        self.conditions.insert(condition.text(), condition);
    }
}

impl Draft<'_> {
    fn trigger(&mut self, choices: &[u8]) {
        for (position, sibling) in self.siblings.iter().rev().take(3).enumerate() {
            if choices[2] >> (2 * position) & 3 == 3 {
                self.task.dependent_tasks.push(sibling.key.clone());
            }
        }
        if choices[3] % 4 == 3 {
            self.task.trigger_policy.strategy = TriggerStrategy::AllCompleted;
        }
        if choices[5] % 4 == 3 {
            self.task.retry_policy = Some(RetryPolicy {
                max_retry_count: u32::from(choices[5] / 4 % 4),
                backoff_duration: (choices[5] > 128).then(|| ProtoDuration(std::time::Duration::from_secs(10))),
                ..RetryPolicy::default()
            });
        }
        self.task.caching_options.enable_cache = choices[6] % 2 == 1;
    }

    fn declare(&mut self, name: &str, kind: Kind, option: u8, default: Value) -> bool {
        let (optional, default) = match option % 4 {
            0 | 1 => (false, None),
            2 => (true, None),
            _ => (true, Some(default)),
        };
        let declared = InputParameter {
            parameter_type: kind.parameter_type(),
            is_optional: optional,
            default_value: default,
            ..InputParameter::default()
        };
        self.component.input_definitions.parameters.insert(name.to_owned(), declared);
        self.own.parameters.push((name.to_owned(), kind));
        optional
    }

    /// An input parameter: type, whether it may be left out, where it comes from, and which of those.
    fn parameter(&mut self, index: usize, bytes: &[u8]) {
        let kind = Kind::drawn(bytes[0]);
        let undeclared = bytes[1] / 4 % 12 == 11;
        let name = format!("{}{index}", if undeclared { 'u' } else { kind.letter() });
        let optional = undeclared || self.declare(&name, kind, bytes[1], kind.value(bytes[3] / 3));
        let from_outer = || component_input(&self.outer.parameters, kind, bytes[3]);
        let from_sibling = || task_output(self.siblings, kind, bytes[3]);
        let input = match bytes[2] % 11 {
            1..=3 => from_outer(),
            4..=6 => from_sibling(),
            7 if kind == Kind::Text => Some(self.template(bytes[3])),
            8 if optional || bytes[3] % 8 == 7 => Some(plain(ParameterSource::Constant(Value::Null))),
            9 if optional && !undeclared => return,
            // Of any type: it may not fit.
            10 if bytes[3] % 4 == 3 => any_input(&self.outer.parameters, self.siblings, bytes[3] / 4),
            _ => None,
        };
        let input = input.unwrap_or_else(|| plain(ParameterSource::Constant(kind.value(bytes[3]))));
        self.task.inputs.parameters.insert(name, input);
    }

    fn template(&self, choice: u8) -> ParameterInput {
        // Constants with placeholders do not refer to each other.
        let is_template = |input: &ParameterInput| matches!(&input.source, ParameterSource::Constant(Value::String(text)) if text.contains("{{$"));
        let inputs = self.task.inputs.parameters.iter().filter(|(_, input)| !is_template(input));
        let names: Vec<&String> = inputs.map(|(name, _)| name).filter(|name| !name.starts_with('f')).collect();
        let text = match pick(&names, choice / 3) {
            Some(name) if choice % 3 == 1 => format!("{{{{$.inputs.parameters['{name}']}}}}"),
            Some(name) => format!("<{{{{$.inputs.parameters['{name}']}}}}> of {{{{$.pipeline_task_name}}}}"),
            None => "{{$.pipeline_task_name}}".to_owned(),
        };
        plain(ParameterSource::Constant(Value::String(text)))
    }

    fn final_status(&mut self, choice: u8) {
        let after_all = self.task.trigger_policy.strategy == TriggerStrategy::AllCompleted;
        let dependency = self.task.dependent_tasks.first().cloned();
        let input = match dependency {
            Some(task) if choice % 3 == 1 || (after_all && choice % 3 == 2) => {
                plain(ParameterSource::FinalStatus { task })
            }
            _ => match self.outer.parameters.iter().find(|(_, kind)| *kind == Kind::Status) {
                Some((name, _)) if choice.is_multiple_of(2) => plain(ParameterSource::ComponentInput(name.clone())),
                _ => return,
            },
        };
        self.declare("f3", Kind::Status, 0, Value::Null);
        self.task.inputs.parameters.insert("f3".to_owned(), input);
    }

    /// An input artifact; returns whether there is one.
    fn artifact(&mut self, name: &str, choice: u8) -> bool {
        let made: Vec<ArtifactInput> = self.siblings.iter().flat_map(made_by).collect();
        let given: Vec<ArtifactInput> =
            self.outer.artifacts.iter().cloned().map(ArtifactInput::ComponentInputArtifact).collect();
        let optional = choice / 4 % 2 == 1;
        let input = match choice % 4 {
            0 => None,
            1 => pick(&given, choice / 8).or_else(|| pick(&made, choice / 8)),
            _ => pick(&made, choice / 8).or_else(|| pick(&given, choice / 8)),
        };
        if input.is_none() && (choice.is_multiple_of(4) || !optional) {
            return false;
        }
        let declared = InputArtifact { is_optional: optional, ..InputArtifact::default() };
        self.component.input_definitions.artifacts.insert(name.to_owned(), declared);
        self.own.artifacts.push(name.to_owned());
        if let Some(input) = input.cloned() {
            self.task.inputs.artifacts.insert(name.to_owned(), input);
            return true;
        }
        false
    }

    fn iterator(&mut self, iterates: Iterates, choices: &[u8], depth: usize) {
        let iterates = match iterates {
            Iterates::Artifact if !self.artifact("x8", 2 + choices[20] / 4 * 4) => Iterates::Raw,
            other => other,
        };
        let choice = choices[22];
        let count = [1, 2, 3, 0][usize::from(choice / 4 % 4)].min(4 - depth.min(3));
        let kind = match choice % 4 {
            0 => Kind::Number,
            1 => Kind::Text,
            2 if iterates == Iterates::Raw => Kind::Struct,
            _ if choice > 224 => Kind::Flag,
            _ => Kind::Number,
        };
        let item = format!("{}9", kind.letter());
        let mut iterator = ParameterIterator { item_input: item.clone(), ..ParameterIterator::default() };
        match iterates {
            Iterates::No => return,
            Iterates::Raw => {
                let of = if kind == Kind::Struct { Kind::Struct } else { Kind::Number };
                let items: Vec<Value> = (0..count).map(|at| of.value(choice / 16 + at as u8)).collect();
                iterator.items.raw = Some(Value::Array(items).to_string());
            }
            Iterates::Parameter => {
                let list = if choice.is_multiple_of(5) { Kind::Text } else { Kind::List };
                let name = format!("{}8", list.letter());
                self.declare(&name, list, choices[24] / 64, Kind::List.value(choice / 16));
                let input = match choice / 16 % 3 {
                    0 => component_input(&self.outer.parameters, Kind::List, choice / 8),
                    _ => task_output(self.siblings, Kind::List, choice / 8),
                };
                let constant = || plain(ParameterSource::Constant(Kind::List.value(choice / 16)));
                self.task.inputs.parameters.insert(name.clone(), input.unwrap_or_else(constant));
                iterator.items.input_parameter = Some(name);
            }
            Iterates::Artifact => {
                let mut iterator = ArtifactIterator { item_input: "y9".to_owned(), ..ArtifactIterator::default() };
                iterator.items.input_artifact = "x8".to_owned();
                self.task.artifact_iterator = Some(iterator);
                self.component.input_definitions.artifacts.insert("y9".to_owned(), InputArtifact::default());
                self.own.artifacts.push("y9".to_owned());
            }
        }
        if iterates != Iterates::Artifact {
            self.task.parameter_iterator = Some(iterator);
            self.declare(&item, kind, 0, Value::Null);
        }
        self.task.iterator_policy.parallelism_limit = u32::from(choices[23] % 3);
    }
}

fn plain(source: ParameterSource) -> ParameterInput {
    ParameterInput { source, selector: None }
}

pub(crate) fn kind_of(name: &str) -> Kind {
    match name.chars().next() {
        Some('n') => Kind::Number,
        Some('b') => Kind::Flag,
        Some('l') => Kind::List,
        Some('d') => Kind::Struct,
        Some('f') => Kind::Status,
        _ => Kind::Text,
    }
}

/// Whether a value of one type can be taken for another: text takes all but a status, whose text depends on the order
/// of events; a number is a member of a struct.
fn fits(given: Kind, wanted: Kind) -> bool {
    given == wanted
        || (wanted == Kind::Text && given != Kind::Status)
        || (wanted == Kind::Number && given == Kind::Struct)
}

fn selected(source: ParameterSource, given: Kind, wanted: Kind) -> ParameterInput {
    let member = wanted == Kind::Number && given == Kind::Struct;
    ParameterInput { source, selector: member.then(|| "parseJson(string_value)[\"k\"]".to_owned()) }
}

fn component_input(from: &[(String, Kind)], wanted: Kind, choice: u8) -> Option<ParameterInput> {
    let all: Vec<&(String, Kind)> = from.iter().filter(|(_, kind)| fits(*kind, wanted)).collect();
    let (name, kind) = pick(&all, choice)?;
    Some(selected(ParameterSource::ComponentInput(name.clone()), *kind, wanted))
}

fn task_output(siblings: &[Sibling], wanted: Kind, choice: u8) -> Option<ParameterInput> {
    let outputs = siblings.iter().rev().flat_map(|it| it.parameters.iter().map(|output| (&it.key, output)));
    let all: Vec<_> = outputs.filter(|(_, (_, kind))| fits(*kind, wanted)).collect();
    let (task, (output, kind)) = pick(&all, choice)?;
    let source = ParameterSource::TaskOutput { task: (*task).clone(), output: output.clone() };
    Some(selected(source, *kind, wanted))
}

fn any_input(outer: &[(String, Kind)], siblings: &[Sibling], choice: u8) -> Option<ParameterInput> {
    let kinds = [Kind::Number, Kind::Text, Kind::Flag, Kind::List];
    let kind = *pick(&kinds, choice)?;
    let input = task_output(siblings, kind, choice / 4).or_else(|| component_input(outer, kind, choice / 4))?;
    Some(plain(input.source))
}

fn made_by(task: &Sibling) -> Vec<ArtifactInput> {
    let output = |name: &String| {
        ArtifactInput::TaskOutputArtifact(TaskOutputArtifact {
            producer_task: task.key.clone(),
            output_artifact_key: name.clone(),
        })
    };
    task.artifacts.iter().map(output).collect()
}
