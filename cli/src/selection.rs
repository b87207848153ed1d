//! Which tasks of a run a word on the command line means.
//!
//! Whoever writes Python knows a task by its function, `make_data`, of which kfp makes the task `make-data`: where nothing
//! fits a word, its underscores stand for dashes.

use penstock_engine::{NodeId, RunState};

use crate::failure::Refusal;
use crate::text::inert;
use crate::tree::order;

/// Tasks that are named when a word means none.
const NAMED: usize = 20;

/// The tasks meant by a path (`for-loop-1[3]/train`), or by a name wherever it occurs; with everything below them.
pub(crate) fn select(state: &RunState, wanted: &str) -> Result<Vec<NodeId>, Refusal> {
    let nodes = paths(state);
    let found = readings(wanted).map(|wanted| within(state, &nodes, &wanted)).find(|found| !found.is_empty());
    found.ok_or_else(|| none(wanted, &nodes))
}

fn within(state: &RunState, nodes: &[(NodeId, String)], wanted: &str) -> Vec<NodeId> {
    let by_path: Vec<NodeId> = nodes.iter().filter(|(_, path)| is_within(path, wanted)).map(|(id, _)| *id).collect();
    if !by_path.is_empty() {
        return by_path;
    }
    let named: Vec<&String> = nodes
        .iter()
        .filter(|(id, _)| state.node(*id).is_some_and(|view| view.key == wanted || view.display_name == wanted))
        .map(|(_, path)| path)
        .collect();
    nodes.iter().filter(|(_, path)| named.iter().any(|name| is_within(path, name))).map(|(id, _)| *id).collect()
}

fn paths(state: &RunState) -> Vec<(NodeId, String)> {
    order(state).into_iter().map(|id| (id, state.path(id))).collect()
}

/// What a word may mean, the likeliest first.
fn readings(wanted: &str) -> impl Iterator<Item = String> + use<> {
    let with_dashes = wanted.contains('_').then(|| wanted.replace('_', "-"));
    [wanted.to_owned()].into_iter().chain(with_dashes)
}

/// The one task meant by a path or a name.
pub(crate) fn select_one(state: &RunState, wanted: &str) -> Result<NodeId, Refusal> {
    let nodes = paths(state);
    let found = readings(wanted).map(|wanted| called(state, &nodes, &wanted)).find(|found| !found.is_empty());
    match found.as_deref().unwrap_or_default() {
        [] => Err(none(wanted, &nodes)),
        [(id, _)] => Ok(*id),
        several => {
            Err(Refusal::new(format!("{} tasks are named {}; give the path of one", several.len(), inert(wanted)))
                .with_problems(several.iter().take(NAMED).map(|(_, path)| inert(path))))
        }
    }
}

/// The task at a path, or those of a name.
fn called<'a>(state: &RunState, nodes: &'a [(NodeId, String)], wanted: &str) -> Vec<&'a (NodeId, String)> {
    if let Some(node) = nodes.iter().find(|(_, path)| path == wanted) {
        return vec![node];
    }
    let named = |id: &NodeId| {
        state.node(*id).is_some_and(|view| view.iteration.is_none() && [view.key, view.display_name].contains(&wanted))
    };
    nodes.iter().filter(|(id, _)| named(id)).collect()
}

/// Whether a path is another one or lies below it, by whole segments.
fn is_within(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '[']))
}

fn none(wanted: &str, nodes: &[(NodeId, String)]) -> Refusal {
    let refusal = Refusal::new(format!("the run has no task {}", inert(wanted)));
    if nodes.is_empty() {
        return refusal.with_hint("no task has started yet");
    }
    let more = nodes.len().saturating_sub(NAMED);
    let more = (more > 0).then(|| format!("… {more} more: penstock get --expand"));
    refusal.with_problems(["its tasks are:".to_owned()]).with_problems(
        nodes
            .iter()
            .take(NAMED)
            .map(|(_, path)| format!("  {}", inert(path)))
            .chain(more.map(|more| format!("  {more}"))),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn underscores_stand_for_dashes_where_nothing_else_fits() {
        let all = |wanted| readings(wanted).collect::<Vec<_>>();
        assert_eq!(all("for_loop_1[3]/make_data"), ["for_loop_1[3]/make_data", "for-loop-1[3]/make-data"]);
        assert_eq!(all("make-data"), ["make-data"]);
    }

    #[test]
    fn t03_paths_are_compared_by_segments() {
        assert!(is_within("loop-1[3]/train", "loop-1"));
        assert!(is_within("loop-1[3]/train", "loop-1[3]"));
        assert!(is_within("loop-1", "loop-1"));
        assert!(!is_within("loop-10", "loop-1"));
        assert!(!is_within("loop-1[30]/train", "loop-1[3"));
    }
}
