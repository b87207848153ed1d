//! Which document is the pipeline, which the platform settings, and what is neither.

use serde_json::Value;

use super::{Documents, ParseError, job, read_platform, read_typed};
use crate::value::kind;

/// What has been found in the documents so far.
#[derive(Debug, Default)]
pub(super) struct Found {
    pipeline: Option<Value>,
    platform: Option<Value>,
    job: Option<Value>,
    warnings: Vec<String>,
}

impl Found {
    /// Sorts a document in; `number` counts from 1.
    pub(super) fn add(&mut self, number: usize, document: Value) -> Result<(), ParseError> {
        let Value::Object(mut members) = document else {
            return match document {
                Value::Null => Ok(()),
                other => Err(ParseError::NotAMapping { document: number, kind: kind(&other) }),
            };
        };
        let text = |key: &str| members.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (api_version, manifest) = (text("apiVersion"), text("kind"));
        if api_version.starts_with("argoproj.io/") {
            return Err(ParseError::ArgoWorkflow);
        }
        if api_version.starts_with("pipelines.kubeflow.org/") {
            return match members.remove("spec") {
                Some(Value::Object(mut spec)) => self.add_pair(number, &mut spec, &manifest),
                _ => {
                    self.ignore(number, &format!("the {manifest} has no spec"));
                    Ok(())
                }
            };
        }
        if ["pipelineSpec", "pipeline_spec"].iter().any(|key| members.contains_key(*key)) {
            return self.add_pair(number, &mut members, "wrapper");
        }
        if members.contains_key("platforms") {
            return self.set_platform(Value::Object(members));
        }
        const PIPELINE_FIELDS: [&str; 8] = [
            "pipelineInfo",
            "pipeline_info",
            "root",
            "components",
            "deploymentSpec",
            "deployment_spec",
            "schemaVersion",
            "schema_version",
        ];
        if PIPELINE_FIELDS.iter().any(|field| members.contains_key(*field)) {
            return self.set_pipeline(Value::Object(members));
        }
        self.ignore(number, "it is neither a pipeline nor platform settings");
        Ok(())
    }

    /// An object that holds both documents.
    fn add_pair(
        &mut self,
        number: usize,
        members: &mut serde_json::Map<String, Value>,
        what: &str,
    ) -> Result<(), ParseError> {
        let mut take = |camel: &str, snake: &str| {
            let value = members.remove(camel).or_else(|| members.remove(snake));
            value.filter(|value| !value.is_null())
        };
        let pipeline = take("pipelineSpec", "pipeline_spec");
        let platform = take("platformSpec", "platform_spec");
        self.job = take("runtimeConfig", "runtime_config").or(self.job.take());
        if pipeline.is_none() && platform.is_none() {
            self.ignore(number, &format!("the {what} holds no pipeline"));
        }
        if let Some(platform) = platform {
            self.set_platform(platform)?;
        }
        pipeline.map_or(Ok(()), |pipeline| self.set_pipeline(pipeline))
    }

    fn ignore(&mut self, number: usize, reason: &str) {
        self.warnings.push(format!("document {number} is ignored: {reason}"));
    }

    fn set_pipeline(&mut self, document: Value) -> Result<(), ParseError> {
        match self.pipeline.replace(document) {
            None => Ok(()),
            Some(_) => Err(ParseError::SeveralPipelines),
        }
    }

    fn set_platform(&mut self, document: Value) -> Result<(), ParseError> {
        match self.platform.replace(document) {
            None => Ok(()),
            Some(_) => Err(ParseError::SeveralPlatforms),
        }
    }

    pub(super) fn into_documents(self) -> Result<Documents, ParseError> {
        let Self { pipeline, platform, job, mut warnings } = self;
        let pipeline_json = pipeline.ok_or(ParseError::NoPipeline)?;
        // Only below `deploymentSpec` are unknown fields allowed, and there KFP ignores them without a word.
        let mut pipeline = read_typed("pipeline spec", &pipeline_json, |_| {})?;
        if let Some(job) = job {
            job::apply(&job, &mut pipeline, &mut warnings)?;
        }
        let platform = match platform {
            Some(raw) => read_platform(raw, &mut warnings)?,
            None => None,
        };
        Ok(Documents { pipeline, platform, pipeline_json, warnings })
    }
}
