//! Cycles in graphs of names.

use std::collections::{BTreeMap, BTreeSet};

/// Finds a cycle: the names along it, the first one repeated at the end.
pub(super) fn find<'a>(edges: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> Option<Vec<&'a str>> {
    let mut finished = BTreeSet::new();
    for start in edges.keys() {
        if let Some(cycle) = find_from(start, edges, &mut finished) {
            return Some(cycle);
        }
    }
    None
}

fn find_from<'a>(
    start: &'a str,
    edges: &BTreeMap<&'a str, BTreeSet<&'a str>>,
    finished: &mut BTreeSet<&'a str>,
) -> Option<Vec<&'a str>> {
    let successors = |name: &str| edges.get(name).into_iter().flatten().copied();
    if finished.contains(start) {
        return None;
    }
    // The path from the start, each name with what is left of its successors.
    let mut path = vec![(start, successors(start))];
    let mut on_path = BTreeSet::from([start]);
    while let Some((name, rest)) = path.last_mut() {
        let name = *name;
        match rest.next() {
            None => {
                finished.insert(name);
                on_path.remove(name);
                path.pop();
            }
            Some(next) if on_path.contains(next) => {
                let mut cycle: Vec<&str> =
                    path.iter().map(|(name, _)| *name).skip_while(|name| *name != next).collect();
                cycle.push(next);
                return Some(cycle);
            }
            Some(next) if finished.contains(next) => {}
            Some(next) => {
                on_path.insert(next);
                path.push((next, successors(next)));
            }
        }
    }
    None
}
