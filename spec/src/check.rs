//! Judges a pipeline at submission: everything that can be known to fail before anything runs is found here, and each
//! problem names its field.

use std::fmt;
use std::sync::Arc;

use crate::ir::PipelineSpec;
use crate::limits::Limits;
use crate::package::{self, PackageError};
use crate::parse::{self, Documents, ParseError};
use crate::platform::PlatformSpec;

/// A pipeline that can be run. Only [`check`] makes one.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CheckedPipeline {
    /// The pipeline.
    pub spec: Arc<PipelineSpec>,
    /// Its settings for Kubernetes.
    pub platform: Option<Arc<PlatformSpec>>,
    /// What was ignored or is suspicious, for people.
    pub warnings: Vec<String>,
}

/// Something that makes a pipeline impossible to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The field, such as `root.dag.tasks.train.inputs.parameters.x`.
    pub path: String,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.path, self.message)
    }
}

/// Why a file holds no pipeline that can be run.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file could not be unpacked.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The text could not be read.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// The pipeline is wrong; one problem a line.
    #[error("{}", lines(.0))]
    Check(Vec<Problem>),
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}

/// Judges what was parsed.
pub fn check(documents: Documents, _limits: &Limits) -> Result<CheckedPipeline, Vec<Problem>> {
    let Documents { pipeline, platform, warnings, .. } = documents;
    Ok(CheckedPipeline { spec: Arc::new(pipeline), platform: platform.map(Arc::new), warnings })
}

/// Unpacks, reads and judges a file.
pub fn load(file_name: &str, bytes: &[u8], limits: &Limits) -> Result<CheckedPipeline, LoadError> {
    let package = package::unpack(file_name, bytes, limits)?;
    let documents = parse::parse(&package.pipeline_text, limits)?;
    check(documents, limits).map_err(LoadError::Check)
}
