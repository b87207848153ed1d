//! Which components the root reaches, and whether running them can end.

use std::collections::{BTreeMap, BTreeSet};

use super::{Findings, cycle};
use crate::ir::{ComponentSpec, PipelineSpec};
use crate::limits::Limits;

/// Stands for the root among component names; no component can have it, because names are never empty.
const ROOT: &str = "";

/// The root and all components that it reaches, each with its path. Reports components that are missing, that contain
/// themselves, and pipelines with more tasks or levels than allowed.
pub(super) fn components<'a>(
    spec: &'a PipelineSpec,
    limits: &Limits,
    findings: &mut Findings,
) -> Vec<(String, &'a ComponentSpec)> {
    let mut found: BTreeMap<&str, &ComponentSpec> = BTreeMap::from([(ROOT, &spec.root)]);
    let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut pending = vec![ROOT];
    while let Some(name) = pending.pop() {
        let Some(component) = found.get(name).copied() else { continue };
        let targets = edges.entry(name).or_default();
        for (key, task) in component.dag.iter().flat_map(|dag| &dag.tasks) {
            let wanted = task.component_ref.name.as_str();
            let Some(target) = spec.components.get(wanted).filter(|_| !wanted.is_empty()) else {
                let path = format!("{}.dag.tasks.{key}.componentRef.name", path_of(name));
                findings.problem(path, format!("there is no component {wanted:?}"));
                continue;
            };
            targets.insert(wanted);
            if found.insert(wanted, target).is_none() {
                pending.push(wanted);
            }
        }
    }
    match cycle::find(&edges) {
        Some(cycle) => {
            let names: Vec<String> = cycle.iter().map(|name| format!("{name:?}")).collect();
            let path = path_of(cycle.first().copied().unwrap_or(ROOT));
            findings.problem(path, format!("the component contains itself: {}", names.join(" contains ")));
        }
        None => check_size(&found, limits, findings),
    }
    found.into_iter().map(|(name, component)| (path_of(name), component)).collect()
}

fn path_of(component: &str) -> String {
    if component == ROOT { "root".to_owned() } else { format!("components.{component}") }
}

/// A component that is used in several places runs in each of them, so few components can mean many tasks.
fn check_size(found: &BTreeMap<&str, &ComponentSpec>, limits: &Limits, findings: &mut Findings) {
    let mut sizes: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut pending = vec![ROOT];
    while let Some(name) = pending.last().copied() {
        let tasks =
            || found.get(name).into_iter().flat_map(|component| &component.dag).flat_map(|dag| dag.tasks.values());
        let targets = || {
            tasks()
                .map(|task| task.component_ref.name.as_str())
                .filter(|target| *target != ROOT && found.contains_key(target))
        };
        let before = pending.len();
        pending.extend(targets().filter(|target| !sizes.contains_key(target)).collect::<BTreeSet<_>>());
        if pending.len() > before {
            continue;
        }
        pending.pop();
        let (mut count, mut depth) = (tasks().count(), 0);
        for (tasks, levels) in targets().filter_map(|target| sizes.get(target)) {
            count = count.saturating_add(*tasks);
            depth = depth.max(*levels);
        }
        sizes.insert(name, (count, depth + 1));
    }
    let Some((count, depth)) = sizes.get(ROOT) else { return };
    if *count > limits.tasks {
        findings.problem(
            "root",
            format!("the pipeline has {count} tasks, more than the {} that are allowed", limits.tasks),
        );
    }
    if *depth > limits.dag_depth {
        let limit = limits.dag_depth;
        findings
            .problem("root", format!("components nest {depth} levels deep, more than the {limit} that are allowed"));
    }
}
