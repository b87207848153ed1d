//! The files of a corpus and what is expected of each.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where Kubeflow keeps its compiled samples.
const SAMPLES: &str = "test_data/sdk_compiled_pipelines";
const SUFFIXES: [&str; 6] = [".yaml", ".yml", ".json", ".zip", ".tar.gz", ".png"];

/// What the place of a file says about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promise {
    /// It must be refused.
    Invalid,
    /// It must be accepted, and its run must fail.
    Fails,
    /// It must be accepted, and its run must succeed.
    Succeeds,
}

/// A file.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Path below the corpus.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// What must become of it.
    pub promise: Promise,
}

/// All pipelines below a folder, or below Kubeflow's folder of compiled samples in it, in the order of their names.
pub fn entries(corpus: &Path) -> io::Result<Vec<Entry>> {
    let samples = corpus.join(SAMPLES);
    let root = if samples.is_dir() { samples } else { corpus.to_owned() };
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file()
                && let Some(name) = name_below(&root, &entry.path())
            {
                let promise = promise(&name);
                found.push(Entry { name, path: entry.path(), promise });
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

fn name_below(root: &Path, path: &Path) -> Option<String> {
    let name = path.strip_prefix(root).ok()?.to_str()?;
    let is_hidden = name.split('/').any(|part| part.starts_with('.'));
    (!is_hidden && SUFFIXES.iter().any(|suffix| name.ends_with(suffix))).then(|| name.to_owned())
}

fn promise(name: &str) -> Promise {
    let mut folders = name.split('/').rev().skip(1);
    if folders.clone().any(|folder| folder == "invalid") {
        Promise::Invalid
    } else if folders.any(|folder| folder == "failing") {
        Promise::Fails
    } else {
        Promise::Succeeds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_tell_what_must_become_of_a_pipeline() {
        assert_eq!(promise("invalid/empty.yaml"), Promise::Invalid);
        assert_eq!(promise("valid/failing/fail.yaml"), Promise::Fails);
        assert_eq!(promise("valid/invalid.yaml"), Promise::Succeeds);
        assert_eq!(promise("a.yaml"), Promise::Succeeds);
    }
}
