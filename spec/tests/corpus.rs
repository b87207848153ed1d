//! Reads every compiled pipeline of a checkout of Kubeflow Pipelines. Runs only when `PENSTOCK_CORPUS` names its
//! directory `test_data/sdk_compiled_pipelines`.

use std::path::{Path, PathBuf};

use penstock_spec::check::{self, CheckedPipeline, LoadError};
use penstock_spec::limits::Limits;

fn files(directory: &str) -> Vec<PathBuf> {
    let Some(corpus) = std::env::var_os("PENSTOCK_CORPUS") else { return Vec::new() };
    let mut found = Vec::new();
    let mut pending = vec![PathBuf::from(corpus).join(directory)];
    while let Some(directory) = pending.pop() {
        for entry in std::fs::read_dir(&directory).expect("a directory of the corpus") {
            let path = entry.expect("an entry of the corpus").path();
            if path.is_dir() { pending.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "the corpus has no files in {directory}");
    found
}

fn load(path: &Path) -> Result<CheckedPipeline, LoadError> {
    let bytes = std::fs::read(path).expect("a file of the corpus");
    check::load(&path.to_string_lossy(), &bytes, &Limits::default())
}

#[test]
fn every_valid_file_is_accepted() {
    let is_package = |path: &PathBuf| {
        path.extension().is_some_and(|extension| ["yaml", "yml", "json", "zip"].iter().any(|known| extension == *known))
    };
    let mut refused = Vec::new();
    for path in files("valid").into_iter().filter(is_package) {
        match load(&path) {
            Ok(checked) => {
                for warning in checked.warnings {
                    println!("{}: {warning}", path.display());
                }
            }
            Err(error) => refused.push(format!("{}:\n{error}", path.display())),
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n\n"));
}

#[test]
fn every_invalid_file_is_refused() {
    for path in files("invalid") {
        match load(&path) {
            Ok(_) => panic!("{} is accepted", path.display()),
            Err(error) => println!("{}: {error}", path.display()),
        }
    }
}
