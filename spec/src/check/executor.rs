//! Executors of the components that are used.

use super::{Checker, Findings};
use crate::ir::{ContainerSpec, ExecutorSpec, ImporterSpec};
use crate::keys::PSEUDO_IMAGES;

impl Checker<'_> {
    pub(super) fn check_executor(self, component: &str, label: &str, findings: &mut Findings) {
        let path = format!("deploymentSpec.executors.{label}");
        match self.spec.deployment_spec.executors.get(label) {
            None => findings.problem(format!("{component}.executorLabel"), format!("there is no executor {label:?}")),
            Some(ExecutorSpec::Container(container)) => check_container(&path, container, findings),
            Some(ExecutorSpec::Importer(importer)) => check_importer(&path, importer, findings),
            Some(ExecutorSpec::Resolver(_)) => {
                findings.problem(path, format!("executor {label:?} is a resolver, which is not supported"));
            }
            Some(ExecutorSpec::CustomJob(_)) => {
                findings.problem(path, format!("executor {label:?} is a customJob, which is not supported"));
            }
            Some(ExecutorSpec::Unknown {}) => {
                let message = format!("executor {label:?} is of no known kind: expected a container or an importer");
                findings.problem(path, message);
            }
        }
    }
}

fn check_container(path: &str, container: &ContainerSpec, findings: &mut Findings) {
    if container.image.is_empty() {
        findings.problem(format!("{path}.container.image"), "the image is empty");
    }
    let runs = !container.image.starts_with(PSEUDO_IMAGES);
    if runs && container.command.is_empty() && container.args.is_empty() {
        let message = "command and arguments are empty; the entrypoint of an image is never used";
        findings.problem(format!("{path}.container"), message);
    }
    for (index, variable) in container.env.iter().enumerate() {
        let name = &variable.name;
        if name.is_empty() || name.contains(['=', '\0']) {
            let message = format!("{name:?} cannot be the name of an environment variable");
            findings.problem(format!("{path}.container.env[{index}].name"), message);
        }
    }
}

fn check_importer(path: &str, importer: &ImporterSpec, findings: &mut Findings) {
    let uri = &importer.artifact_uri;
    if uri.constant.is_some() == uri.runtime_parameter.is_some() {
        let message = "exactly one of constant and runtimeParameter must be set";
        findings.problem(format!("{path}.importer.artifactUri"), message);
    }
}
