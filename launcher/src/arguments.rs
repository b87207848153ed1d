//! The executor input and argv of an attempt, from its plan and places. Pure.
//!
//! Struct placeholders are resolved first. Then each placeholder of the original text is replaced exactly once, from
//! left to right; what is put in is never read again, and a placeholder that nothing is known about stays as written.

use penstock_spec::artifact::Artifact;
use penstock_spec::executor::{
    ArtifactList, ExecutorInput, ExecutorInputs, ExecutorOutputs, OutputParameterFile, RuntimeArtifact,
};
use penstock_spec::ir::ArtifactType;
use penstock_spec::placeholder::{Argument, ArtifactField, Placeholder, parse_argument, substitute};
use penstock_spec::plan::Plan;
use penstock_spec::value::{to_json, to_text};
use thiserror::Error;

use crate::places::{ArtifactPlace, Places};

/// The most bytes that Linux passes in one argument, without the NUL at its end.
pub const MAX_ARGUMENT: usize = 131_071;
/// The most bytes that all resolved arguments may have together. Far above what a kernel passes; bounds memory.
const MAX_ARGUMENTS: usize = 256 << 20;
/// Levels of escaping that `{{$.json_escape[n]}}` may ask for; each can double the text.
const MAX_ESCAPES: u32 = 4;
/// Title of the type that any artifact may be handed on as.
const GENERIC_ARTIFACT: &str = "system.Artifact";

/// Why argv could not be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ArgumentError {
    /// Nothing to run.
    #[error("command and arguments are empty")]
    Empty,
    /// An argument that the kernel does not pass.
    #[error(
        "argument {position} ({source_text}) has {length} bytes, and a process takes at most {MAX_ARGUMENT} in one \
         argument; pass the value of {culprit} as an artifact (a file) instead"
    )]
    TooLong {
        /// Index in argv.
        position: usize,
        /// The argument as the pipeline has it, shortened.
        source_text: String,
        /// Bytes.
        length: usize,
        /// What made it long.
        culprit: String,
    },
    /// All arguments together are out of any proportion.
    #[error("the arguments have more than {MAX_ARGUMENTS} bytes together; pass large values as artifacts instead")]
    TooMuch,
    /// An argument with a NUL byte.
    #[error("argument {position} ({source_text}) contains a NUL byte, which no argument can; it comes from {culprit}")]
    Nul {
        /// Index in argv.
        position: usize,
        /// The argument as the pipeline has it, shortened.
        source_text: String,
        /// Where the NUL comes from.
        culprit: String,
    },
    /// An escaping depth that nobody needs.
    #[error("json_escape[{0}] is deeper than the {MAX_ESCAPES} levels that are supported")]
    Escapes(u32),
}

/// The document that `{{$}}` stands for: provided inputs over defaults, and the places of outputs.
pub fn executor_input(plan: &Plan, places: &Places) -> ExecutorInput {
    let mut parameter_values = plan.defaults.clone();
    parameter_values.extend(plan.inputs.parameters.iter().map(|(name, value)| (name.clone(), value.clone())));
    let artifacts = plan.inputs.artifacts.iter().map(|(name, artifacts)| {
        let list = artifacts.iter().zip(places.inputs.get(name).into_iter().flatten());
        let artifacts = list.map(|(artifact, place)| input_artifact(artifact, place, consumer_type(plan, name)));
        (name.clone(), ArtifactList { artifacts: artifacts.collect() })
    });
    let inputs = ExecutorInputs { parameter_values, artifacts: artifacts.collect() };

    let parameters = places.parameter_files.iter().filter(|(name, _)| plan.output_parameters.contains_key(*name));
    let artifacts = plan.output_artifacts.iter().filter_map(|(name, declared)| {
        let artifact = RuntimeArtifact {
            name: name.clone(),
            artifact_type: declared.artifact_type.clone(),
            uri: places.outputs.get(name)?.shown_uri.clone(),
            metadata: declared.metadata.clone(),
            custom_path: None,
        };
        Some((name.clone(), ArtifactList { artifacts: vec![artifact] }))
    });
    let outputs = ExecutorOutputs {
        parameters: parameters
            .map(|(name, file)| (name.clone(), OutputParameterFile { output_file: file.clone() }))
            .collect(),
        artifacts: artifacts.collect(),
        output_file: places.output_file.clone(),
    };
    ExecutorInput { inputs, outputs }
}

fn consumer_type<'a>(plan: &'a Plan, input: &str) -> Option<&'a ArtifactType> {
    plan.input_artifact_types.get(input)
}

/// The producer's record. Only a type that says nothing (`system.Artifact`, or none) becomes the consumer's, so that
/// an `Input[Model]` is a `Model`.
fn input_artifact(artifact: &Artifact, place: &ArtifactPlace, consumer: Option<&ArtifactType>) -> RuntimeArtifact {
    let title = artifact.artifact_type.schema_title.as_str();
    let says_nothing = title == GENERIC_ARTIFACT || artifact.artifact_type == ArtifactType::default();
    let artifact_type = match consumer {
        Some(consumer) if says_nothing => consumer.clone(),
        _ => artifact.artifact_type.clone(),
    };
    RuntimeArtifact {
        name: artifact.name.clone(),
        artifact_type,
        uri: place.shown_uri.clone(),
        metadata: artifact.metadata.clone(),
        custom_path: None,
    }
}

/// Argv of an attempt. The two parts are kept apart because Python components are recognised by the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argv {
    /// Resolved command.
    pub command: Vec<String>,
    /// Resolved arguments.
    pub args: Vec<String>,
}

impl Argv {
    /// Both parts in order.
    pub fn elements(&self) -> impl Iterator<Item = &String> {
        self.command.iter().chain(&self.args)
    }
}

/// Resolves the plan's command and arguments. Nothing is refused for its length here: see [`check_argv`].
pub fn build_argv(plan: &Plan, places: &Places, input: &ExecutorInput) -> Result<Argv, ArgumentError> {
    let resolver = Resolver { plan, places, input, document: to_json(input) };
    let mut budget = MAX_ARGUMENTS;
    let mut resolve = |templates: &[String]| -> Result<Vec<String>, ArgumentError> {
        let mut resolved = Vec::new();
        for template in templates {
            let from = resolved.len();
            resolver.splice(&parse_argument(template), &mut resolved)?;
            let added = resolved.iter().skip(from).map(String::len).sum();
            budget = budget.checked_sub(added).ok_or(ArgumentError::TooMuch)?;
        }
        Ok(resolved)
    };
    let argv = Argv { command: resolve(&plan.command)?, args: resolve(&plan.args)? };
    if argv.elements().next().is_none_or(|program| program.is_empty()) {
        return Err(ArgumentError::Empty);
    }
    Ok(argv)
}

/// Refuses what a process cannot be given (`execve` would say only "argument list too long").
pub fn check_argv(plan: &Plan, argv: &Argv) -> Result<(), ArgumentError> {
    for (position, element) in argv.elements().enumerate() {
        let length = element.len();
        let nul = element.contains('\0');
        if length <= MAX_ARGUMENT && !nul {
            continue;
        }
        let template = plan.command.iter().chain(&plan.args).nth(position).map_or("", String::as_str);
        let source_text = shorten(template);
        let culprit = culprit(plan, template, nul);
        return Err(match nul {
            true => ArgumentError::Nul { position, source_text, culprit },
            false => ArgumentError::TooLong { position, source_text, length, culprit },
        });
    }
    Ok(())
}

/// The input that makes an argument long, or brings the NUL. `IfPresent` may move elements, so a position can point at
/// a neighbour; then all inputs are candidates.
fn culprit(plan: &Plan, template: &str, nul: bool) -> String {
    let mut named = Vec::new();
    // Looking up nothing lists what the template names.
    let _ = substitute::<()>(template, |placeholder| {
        if let Placeholder::InputParameter(name) = placeholder {
            named.push(name.clone());
        }
        Ok(None)
    });
    let values = plan.defaults.iter().chain(&plan.inputs.parameters);
    let candidates = values
        .filter(|(name, _)| named.is_empty() || named.contains(name))
        .map(|(name, value)| (name, to_text(value)))
        .filter(|(_, text)| !nul || text.contains('\0'));
    match candidates.max_by_key(|(_, text)| text.len()) {
        Some((name, _)) => format!("input {name:?}"),
        None => "the component's own command".to_owned(),
    }
}

fn shorten(text: &str) -> String {
    const SHOWN: usize = 60;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}…", text.get(..end).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}

struct Resolver<'a> {
    plan: &'a Plan,
    places: &'a Places,
    input: &'a ExecutorInput,
    document: String,
}

impl Resolver<'_> {
    /// Resolves one element into any number of argv elements.
    fn splice(&self, argument: &Argument, into: &mut Vec<String>) -> Result<(), ArgumentError> {
        match argument {
            Argument::Plain(template) => into.push(self.text(template)?),
            Argument::Concat(parts) => into.push(self.concat(parts)?),
            Argument::IfPresent { name, then, otherwise } => {
                for chosen in if self.plan.is_provided(name) { then } else { otherwise } {
                    self.splice(chosen, into)?;
                }
            }
        }
        Ok(())
    }

    fn concat(&self, parts: &[Argument]) -> Result<String, ArgumentError> {
        let mut elements = Vec::new();
        for part in parts {
            self.splice(part, &mut elements)?;
        }
        Ok(elements.concat())
    }

    fn text(&self, template: &str) -> Result<String, ArgumentError> {
        substitute(template, |placeholder| self.value(placeholder))
    }

    fn value(&self, placeholder: &Placeholder) -> Result<Option<String>, ArgumentError> {
        Ok(match placeholder {
            Placeholder::ExecutorInput => Some(self.document.clone()),
            Placeholder::JsonEscape(times) => Some(self.escaped(*times)?),
            Placeholder::InputParameter(name) => self.parameter(name),
            Placeholder::InputArtifact { name, field } => self.input_artifact(name, field),
            Placeholder::OutputArtifact { name, field } => self.output_artifact(name, field),
            Placeholder::OutputParameterFile(name) => self.places.parameter_files.get(name).cloned(),
            Placeholder::OutputFile => Some(self.places.output_file.clone()),
            of_run_or_task => self.plan.value_of(of_run_or_task),
        })
    }

    /// A declared input without a value is empty text: the engine has checked that it may be absent. What is not
    /// declared is the author's own text.
    fn without_value(&self, name: &str) -> Option<String> {
        self.plan.absent_inputs.iter().any(|absent| absent == name).then(String::new)
    }

    fn parameter(&self, name: &str) -> Option<String> {
        self.input.inputs.parameter_values.get(name).map(to_text).or_else(|| self.without_value(name))
    }

    fn input_artifact(&self, name: &str, field: &ArtifactField) -> Option<String> {
        let Some(list) = self.input.inputs.artifacts.get(name) else {
            return match field {
                ArtifactField::Whole => self.without_value(name).map(|_| "[]".to_owned()),
                _ => self.without_value(name),
            };
        };
        let first = list.artifacts.first();
        let place = self.places.inputs.get(name).and_then(|places| places.first());
        Some(match field {
            ArtifactField::Whole => to_json(&list.artifacts),
            _ => first.zip(place).map(|(artifact, place)| field_text(artifact, place, field)).unwrap_or_default(),
        })
    }

    fn output_artifact(&self, name: &str, field: &ArtifactField) -> Option<String> {
        let list = &self.input.outputs.artifacts.get(name)?.artifacts;
        match field {
            ArtifactField::Whole => Some(to_json(list)),
            _ => Some(field_text(list.first()?, self.places.outputs.get(name)?, field)),
        }
    }

    fn escaped(&self, times: u32) -> Result<String, ArgumentError> {
        if times > MAX_ESCAPES {
            return Err(ArgumentError::Escapes(times));
        }
        let mut text = self.document.clone();
        for _ in 0..times {
            let quoted = to_json(&text);
            // The text goes between quotes that are there already.
            text = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(&quoted).to_owned();
            if text.len() > MAX_ARGUMENTS {
                return Err(ArgumentError::TooMuch);
            }
        }
        Ok(text)
    }
}

fn field_text(artifact: &RuntimeArtifact, place: &ArtifactPlace, field: &ArtifactField) -> String {
    match field {
        ArtifactField::Whole => to_json(artifact),
        ArtifactField::Uri => place.store_uri.clone(),
        // Without a path of its own, an artifact's path is its URI, as in the SDK.
        ArtifactField::Path => place.path.clone().unwrap_or_else(|| place.store_uri.clone()),
        ArtifactField::Metadata(None) => to_json(&artifact.metadata),
        ArtifactField::Metadata(Some(key)) => artifact.metadata.get(key).map(to_text).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests;
