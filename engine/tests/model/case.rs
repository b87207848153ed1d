//! One case: a pipeline that passed the check, what its tasks do, and what is to happen to its run.

use std::collections::BTreeMap;
use std::sync::Arc;

use penstock_engine::Pipeline;
use penstock_spec::check::check;
use penstock_spec::ir::{ArtifactSelector, DagOutputArtifact, OutputArtifact, OutputDefinitions, OutputParameter};
use penstock_spec::ir::{ComponentSpec, ContainerSpec, DagSpec, ExecutorSpec, InputParameter};
use penstock_spec::ir::{DagOutputParameter, OneofParameter, ParameterSelector, ParameterType, PipelineSpec};
use penstock_spec::limits::Limits;
use penstock_spec::parse::Documents;
use penstock_spec::platform::PlatformSpec;
use serde_json::{Map, Value, json};

use crate::condition::Condition;
use crate::genome::{Gene, Genome};
use crate::world::World;

pub(crate) struct Case {
    pub(crate) spec: Arc<PipelineSpec>,
    pub(crate) pipeline: Arc<Pipeline>,
    /// Parameters that the user gives.
    pub(crate) parameters: Map<String, Value>,
    /// Conditions by their text.
    pub(crate) conditions: BTreeMap<String, Condition>,
    pub(crate) world: World,
    pub(crate) troubles: [u8; 8],
    pub(crate) schedule: Vec<u8>,
}

/// Types of parameters; the name of each begins with its letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Number,
    Text,
    Flag,
    List,
    Struct,
    Status,
}

impl Kind {
    pub(crate) fn letter(self) -> char {
        match self {
            Kind::Number => 'n',
            Kind::Text => 's',
            Kind::Flag => 'b',
            Kind::List => 'l',
            Kind::Struct => 'd',
            Kind::Status => 'f',
        }
    }

    pub(crate) fn parameter_type(self) -> ParameterType {
        match self {
            Kind::Number => ParameterType::NumberInteger,
            Kind::Text => ParameterType::String,
            Kind::Flag => ParameterType::Boolean,
            Kind::List => ParameterType::List,
            Kind::Struct => ParameterType::Struct,
            Kind::Status => ParameterType::TaskFinalStatus,
        }
    }

    pub(crate) fn drawn(choice: u8) -> Kind {
        match choice % 7 {
            0 | 5 => Kind::Number,
            1 | 6 => Kind::Text,
            2 => Kind::Flag,
            3 => Kind::List,
            _ => Kind::Struct,
        }
    }

    pub(crate) fn value(self, choice: u8) -> Value {
        match self {
            Kind::Number => json!(choice % 6),
            Kind::Text => json!(["a", "b", "c"][usize::from(choice % 3)]),
            Kind::Flag => json!(choice.is_multiple_of(2)),
            Kind::List => (0..choice % 4).map(|item| json!(item)).collect(),
            Kind::Struct | Kind::Status => json!({ "k": choice % 6 }),
        }
    }
}

/// What tasks of a DAG can take from its inputs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    pub(crate) parameters: Vec<(String, Kind)>,
    pub(crate) artifacts: Vec<String>,
}

/// What a task gives to its siblings.
#[derive(Debug, Clone)]
pub(crate) struct Sibling {
    pub(crate) key: String,
    pub(crate) parameters: Vec<(String, Kind)>,
    pub(crate) artifacts: Vec<String>,
}

/// Writes the specification.
#[derive(Default)]
pub(crate) struct Writer {
    pub(crate) spec: PipelineSpec,
    pub(crate) conditions: BTreeMap<String, Condition>,
    pub(crate) tasks: usize,
}

impl Writer {
    pub(crate) fn dag(&mut self, genes: &[Gene], scope: &Scope, depth: usize) -> (DagSpec, Vec<Sibling>) {
        let mut dag = DagSpec::default();
        let mut siblings = Vec::new();
        for gene in genes {
            let (task, sibling) = self.task(gene, &siblings, scope, depth);
            dag.tasks.insert(sibling.key.clone(), task);
            siblings.push(sibling);
        }
        (dag, siblings)
    }

    fn root(&mut self, genome: &Genome, given: &mut Map<String, Value>) {
        let mut scope = Scope::default();
        let mut root = ComponentSpec::default();
        for (index, bytes) in (0..).zip(genome.root[..12].chunks(4)).take(usize::from(genome.root[12] % 4)) {
            let kind = Kind::drawn(bytes[0]);
            let name = format!("{}{index}", kind.letter());
            let (optional, default) = match bytes[1] % 4 {
                0 | 1 => (false, None),
                2 => (true, None),
                _ => (true, Some(kind.value(bytes[3] / 2))),
            };
            let declared = InputParameter {
                parameter_type: kind.parameter_type(),
                is_optional: optional,
                default_value: default,
                ..InputParameter::default()
            };
            root.input_definitions.parameters.insert(name.clone(), declared);
            if !optional || bytes[2].is_multiple_of(2) {
                given.insert(name.clone(), kind.value(bytes[3]));
            }
            scope.parameters.push((name, kind));
        }
        if genome.root[13] == 255 {
            // A run that is refused at once.
            given.insert("unknown".to_owned(), json!(1));
        }
        let (mut dag, siblings) = self.dag(&genome.tasks, &scope, 0);
        dag_outputs(&mut dag, &mut root.output_definitions, &siblings, genome.root[14], genome.root[15]);
        root.dag = Some(dag);
        self.spec.root = root;
    }
}

/// Chooses outputs of a DAG among those of its tasks; returns them by type.
pub(crate) fn dag_outputs(
    dag: &mut DagSpec,
    declared: &mut OutputDefinitions,
    siblings: &[Sibling],
    choice: u8,
    other: u8,
) -> (Vec<(String, Kind)>, Vec<String>) {
    let (mut parameters, mut artifacts) = (Vec::new(), Vec::new());
    let all: Vec<(&str, &str, Kind)> = siblings
        .iter()
        .flat_map(|task| task.parameters.iter().map(|(name, kind)| (task.key.as_str(), name.as_str(), *kind)))
        .collect();
    if let Some((_, _, kind)) = pick(&all, choice / 2).filter(|_| !choice.is_multiple_of(7) || choice == 0) {
        let (task, output, kind) = if other % 3 == 2 { (None, "", *kind) } else { named(&all, choice / 2) };
        let name = format!("{}7", kind.letter());
        let selector = |task: &str, output: &str| ParameterSelector {
            producer_subtask: task.to_owned(),
            output_parameter_key: output.to_owned(),
        };
        let from = match task {
            Some(task) => DagOutputParameter::ValueFromParameter(selector(task, output)),
            None => DagOutputParameter::ValueFromOneof(OneofParameter {
                parameter_selectors: all
                    .iter()
                    .filter(|it| it.2 == kind)
                    .map(|it| selector(it.0, it.1))
                    .take(3)
                    .collect(),
            }),
        };
        dag.outputs.parameters.insert(name.clone(), from);
        let output = OutputParameter { parameter_type: kind.parameter_type(), ..OutputParameter::default() };
        declared.parameters.insert(name.clone(), output);
        parameters.push((name, kind));
    }
    let all = siblings.iter().flat_map(|task| task.artifacts.iter().map(|name| (task.key.as_str(), name.as_str())));
    let all: Vec<(&str, &str)> = all.collect();
    let chosen: Vec<(&str, &str)> = match other / 3 % 4 {
        0 | 1 => pick(&all, other / 12).copied().into_iter().collect(),
        2 => all.into_iter().rev().take(3).collect(),
        _ => Vec::new(),
    };
    if !chosen.is_empty() {
        let selector = |(task, output): &(&str, &str)| ArtifactSelector {
            producer_subtask: (*task).to_owned(),
            output_artifact_key: (*output).to_owned(),
        };
        let from = DagOutputArtifact { artifact_selectors: chosen.iter().map(selector).collect() };
        dag.outputs.artifacts.insert("y7".to_owned(), from);
        declared.artifacts.insert("y7".to_owned(), OutputArtifact::default());
        artifacts.push("y7".to_owned());
    }
    (parameters, artifacts)
}

fn named<'a>(all: &[(&'a str, &'a str, Kind)], choice: u8) -> (Option<&'a str>, &'a str, Kind) {
    let (task, output, kind) = all[usize::from(choice) % all.len()];
    (Some(task), output, kind)
}

pub(crate) fn pick<T>(from: &[T], choice: u8) -> Option<&T> {
    from.get(usize::from(choice).checked_rem(from.len())?)
}

impl Case {
    /// Writes a case out and puts it through the check that every pipeline goes through.
    pub(crate) fn new(genome: &Genome) -> Result<Case, String> {
        let mut writer = Writer::default();
        writer.spec.pipeline_info.name = "test".to_owned();
        writer.spec.schema_version = "2.1.0".to_owned();
        let container =
            ContainerSpec { image: "python".to_owned(), args: vec!["{{$}}".to_owned()], ..ContainerSpec::default() };
        writer.spec.deployment_spec.executors.insert("exec".to_owned(), ExecutorSpec::Container(Box::new(container)));
        let mut parameters = Map::new();
        writer.root(genome, &mut parameters);
        let deadline = genome.troubles[7] % 8 == 7;
        let mut platform = PlatformSpec::default();
        if deadline {
            platform.raw =
                json!({ "platforms": { "kubernetes": { "pipelineConfig": { "activeDeadlineSeconds": 100 } } } });
        }
        let documents = Documents {
            pipeline: writer.spec,
            platform: Some(platform),
            pipeline_json: Value::Null,
            warnings: Vec::new(),
        };
        let problems = |problems: Vec<_>| format!("the check refuses the pipeline: {problems:?}");
        let checked = check(documents, &Limits::default()).map_err(problems)?;
        let [failing, cached, null, missing] = genome.rates.map(u64::from);
        Ok(Case {
            pipeline: Pipeline::compile(&checked),
            spec: checked.spec,
            parameters,
            conditions: writer.conditions,
            world: World {
                seed: genome.world_seed,
                failing: failing % 5 * 12,
                cached: cached % 4 * 25,
                null: null % 4 * 3,
                missing: missing % 4 * 2,
            },
            troubles: genome.troubles,
            schedule: genome.schedule.clone(),
        })
    }
}
