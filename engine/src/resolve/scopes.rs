//! Inputs of groups, kept while the group runs, and views of inputs that other parts need.

use std::collections::BTreeMap;
use std::sync::Arc;

use penstock_spec::executor::{ArtifactList, ExecutorInputs, RuntimeArtifact};
use penstock_spec::placeholder::Placeholder;

use crate::fact::NodeId;
use crate::node::{GroupState, LoopItems};
use crate::pipeline::Scope;
use crate::state::RunState;

impl RunState {
    /// Inputs of a node that has started or could: from what its group keeps, or resolved now. Ancestors whose inputs
    /// were forgotten (after loading) are resolved first, outermost first.
    pub(crate) fn scope(&self, id: NodeId) -> Arc<Scope> {
        let kept = |id| self.group(id).and_then(|group| group.scope.get().cloned());
        let mut missing = Vec::new();
        let mut at = Some(id);
        while let Some(id) = at {
            if kept(id).is_some() {
                break;
            }
            missing.push(id);
            at = self.parent(id);
        }
        let mut found = None;
        for id in missing.into_iter().rev() {
            let scope = Arc::new(self.resolve_node(id));
            if let Some(group) = self.group(id) {
                // Losing a race would only mean that another thread resolved the same values.
                drop(group.scope.set(Arc::clone(&scope)));
            }
            found = Some(scope);
        }
        found.or_else(|| kept(id)).unwrap_or_default()
    }

    /// Inputs of any node. Those of a task that cannot have any are empty.
    pub(crate) fn resolve_node(&self, id: NodeId) -> Scope {
        if id == NodeId::ROOT {
            return self.root_scope();
        }
        let Some(node) = self.get(id) else { return Scope::default() };
        if node.iteration {
            return self.iteration_scope(node.parent, node.slot);
        }
        self.resolve_task(id).unwrap_or_default()
    }

    fn root_scope(&self) -> Scope {
        let parameters = self.run.iter().flat_map(|run| &run.parameters);
        Scope {
            parameters: parameters.map(|(name, value)| (Arc::from(name.as_str()), Arc::new(value.clone()))).collect(),
            artifacts: BTreeMap::new(),
            base: None,
        }
    }

    /// Inputs of an iteration: the loop's, and its item.
    pub(crate) fn iteration_scope(&self, of_loop: NodeId, index: u32) -> Scope {
        let base = self.scope(of_loop);
        let mut scope = Scope { base: Some(base), ..Scope::default() };
        let Some(iterator) = self.task(of_loop).and_then(|task| task.iterator.as_ref()) else { return scope };
        let name = Arc::clone(&iterator.item_input);
        match self.loop_items(of_loop).as_deref() {
            Some(LoopItems::Parameters(items)) => {
                scope.parameters.extend(items.get(index as usize).map(|item| (name, Arc::clone(item))));
            }
            Some(LoopItems::Artifacts(items)) => {
                scope.artifacts.extend(items.get(index as usize).map(|item| (name, Arc::new(vec![item.clone()]))));
            }
            None => {}
        }
        scope
    }

    /// Items of a loop that started.
    pub(crate) fn loop_items(&self, id: NodeId) -> Option<Arc<LoopItems>> {
        let GroupState::Loop { items, .. } = &self.group(id)?.state else { return None };
        if let Some(items) = items.get() {
            return Some(Arc::clone(items));
        }
        let found = Arc::new(self.fan_out(id, &self.scope(id)).ok()?);
        drop(items.set(Arc::clone(&found)));
        Some(found)
    }

    /// What a placeholder about the run or the task stands for.
    pub(crate) fn run_placeholder(&self, id: NodeId, placeholder: &Placeholder) -> Option<String> {
        let info = &self.run.as_ref()?.info;
        match placeholder {
            Placeholder::PipelineRoot => Some(info.run_root()),
            Placeholder::JobName => Some(info.display_name.clone()),
            Placeholder::JobResourceName => Some(info.name.clone()),
            Placeholder::JobUuid => Some(info.id.to_string()),
            Placeholder::TaskName => self.task(id).map(|task| task.key.clone()),
            Placeholder::TaskUuid => self.task_id(id).map(|id| id.to_string()),
            Placeholder::CreateTime => Some(info.created_at.to_string()),
            Placeholder::ScheduleTime => Some(info.scheduled_at.to_string()),
            Placeholder::WorkspacePath => Some(info.workspace_path().to_owned()),
            Placeholder::ExecutorInput
            | Placeholder::JsonEscape(_)
            | Placeholder::InputParameter(_)
            | Placeholder::InputArtifact { .. }
            | Placeholder::OutputArtifact { .. }
            | Placeholder::OutputParameterFile(_)
            | Placeholder::OutputFile => None,
        }
    }
}

/// Inputs as conditions see them.
pub(crate) fn executor_inputs(scope: &Scope) -> ExecutorInputs {
    let parameters = scope.all_parameters().into_iter();
    let artifacts = scope.all_artifacts().into_iter();
    ExecutorInputs {
        parameter_values: parameters.map(|(name, value)| (name.to_owned(), (**value).clone())).collect(),
        artifacts: artifacts
            .map(|(name, list)| {
                let artifacts = list.iter().map(|artifact| RuntimeArtifact {
                    name: artifact.name.clone(),
                    artifact_type: artifact.artifact_type.clone(),
                    uri: artifact.uri.clone(),
                    metadata: artifact.metadata.clone(),
                    custom_path: None,
                });
                (name.to_owned(), ArtifactList { artifacts: artifacts.collect() })
            })
            .collect(),
    }
}
