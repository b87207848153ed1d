//! Which tasks of a run a word on the command line means.

use penstock_engine::{NodeId, RunState};

use crate::failure::Refusal;
use crate::text::inert;
use crate::tree::order;

/// Tasks that are named when a word means none.
const NAMED: usize = 20;

/// The tasks meant by a path (`for-loop-1[3]/train`), or by a name wherever it occurs; with everything below them.
pub(crate) fn select(state: &RunState, wanted: &str) -> Result<Vec<NodeId>, Refusal> {
    let nodes: Vec<(NodeId, String)> = order(state).into_iter().map(|id| (id, state.path(id))).collect();
    let by_path: Vec<NodeId> = nodes.iter().filter(|(_, path)| is_within(path, wanted)).map(|(id, _)| *id).collect();
    if !by_path.is_empty() {
        return Ok(by_path);
    }
    let named: Vec<&String> = nodes
        .iter()
        .filter(|(id, _)| state.node(*id).is_some_and(|view| view.key == wanted || view.display_name == wanted))
        .map(|(_, path)| path)
        .collect();
    let by_name: Vec<NodeId> =
        nodes.iter().filter(|(_, path)| named.iter().any(|name| is_within(path, name))).map(|(id, _)| *id).collect();
    if by_name.is_empty() { Err(none(wanted, &nodes)) } else { Ok(by_name) }
}

/// The one task meant by a path or a name.
pub(crate) fn select_one(state: &RunState, wanted: &str) -> Result<NodeId, Refusal> {
    let nodes: Vec<(NodeId, String)> = order(state).into_iter().map(|id| (id, state.path(id))).collect();
    if let Some((id, _)) = nodes.iter().find(|(_, path)| path == wanted) {
        return Ok(*id);
    }
    let named = |id: &NodeId| {
        state.node(*id).is_some_and(|view| view.iteration.is_none() && [view.key, view.display_name].contains(&wanted))
    };
    let found: Vec<&(NodeId, String)> = nodes.iter().filter(|(id, _)| named(id)).collect();
    match found.as_slice() {
        [] => Err(none(wanted, &nodes)),
        [(id, _)] => Ok(*id),
        several => {
            Err(Refusal::new(format!("{} tasks are named {}; give the path of one", several.len(), inert(wanted)))
                .with_problems(several.iter().take(NAMED).map(|(_, path)| inert(path))))
        }
    }
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
    fn t03_paths_are_compared_by_segments() {
        assert!(is_within("loop-1[3]/train", "loop-1"));
        assert!(is_within("loop-1[3]/train", "loop-1[3]"));
        assert!(is_within("loop-1", "loop-1"));
        assert!(!is_within("loop-10", "loop-1"));
        assert!(!is_within("loop-1[30]/train", "loop-1[3"));
    }
}
