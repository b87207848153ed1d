//! Output artifacts of a run's tasks in a few lines, and how to copy one.

use console::measure_text_width;
use penstock_engine::{NodeKind, RunState};
use penstock_spec::artifact::{Artifact, Content};
use uuid::Uuid;

use crate::style::{Line, Tone};
use crate::summary::{quoted, selector};
use crate::text::{inert, size};
use crate::tree::order;

/// Artifacts that are named.
const NAMED: usize = 10;

/// Lines about what the tasks have stored; none if they have stored nothing.
pub(super) fn lines(run: Uuid, state: &RunState) -> Vec<Line> {
    let mut named = Vec::new();
    let mut more = 0;
    for (name, artifact, content) in stored(state) {
        if named.len() < NAMED {
            let title = inert(&artifact.artifact_type.schema_title);
            named.push((name, title, amount(content)));
        } else {
            more += 1;
        }
    }
    let Some((first, ..)) = named.first() else { return Vec::new() };
    let hint = format!("penstock cp {} .", quoted(&format!("{}/{first}", selector(run, state))));
    let mut lines = vec![Line::default(), single("  artifacts")];
    let names: Vec<String> = named.iter().map(|(name, ..)| inert(name)).collect();
    let type_column = 6 + widest(names.iter());
    let size_column = type_column + 2 + widest(named.iter().map(|(_, title, _)| title));
    for (name, (_, title, amount)) in names.iter().zip(&named) {
        let mut line = Line::default();
        line.push(Tone::Plain, format!("    {name}"));
        line.pad_to(type_column);
        line.push(Tone::Faint, title);
        line.pad_to(size_column);
        line.push(Tone::Faint, amount);
        lines.push(line);
    }
    if more > 0 {
        lines.push(single(format!("    … {more} more: penstock get -o json")));
    }
    let mut line = single("  copy one with: ");
    line.push(Tone::Plain, hint);
    lines.push(line);
    lines
}

/// All that can be copied, in the order of the tree: names as `penstock cp` takes them, without the run. What a group
/// hands on is its tasks' own, and what an importer names was there before.
fn stored(state: &RunState) -> impl Iterator<Item = (String, &Artifact, &Content)> {
    let tasks = order(state).into_iter().filter_map(|id| state.node(id));
    let tasks = tasks.filter(|view| view.kind == NodeKind::Container);
    tasks.flat_map(|view| {
        let path = view.path();
        view.outputs().artifacts.iter().flat_map(move |(name, list)| {
            let path = path.clone();
            list.iter().enumerate().filter_map(move |(index, artifact)| {
                let index = if list.len() > 1 { format!("[{index}]") } else { String::new() };
                Some((format!("{path}/{name}{index}"), artifact, artifact.content.as_ref()?))
            })
        })
    })
}

fn widest<'a>(texts: impl Iterator<Item = &'a String>) -> usize {
    texts.map(|text| measure_text_width(text)).max().unwrap_or_default()
}

fn amount(content: &Content) -> String {
    match content.directory {
        true if content.files == 1 => format!("1 file, {}", size(content.size)),
        true => format!("{} files, {}", content.files, size(content.size)),
        false => size(content.size),
    }
}

fn single(text: impl Into<String>) -> Line {
    let mut line = Line::default();
    line.push(Tone::Faint, text);
    line
}
