//! What became of all pipelines in one place, kept so that the page can be written when only the other place is tried.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::trial::Outcome;

/// What became of all pipelines in one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Commit of the corpus.
    pub commit: String,
    /// Day of the measurement.
    pub date: String,
    /// With what it ran.
    pub with: String,
    /// How each pipeline ended, by its path.
    pub outcomes: BTreeMap<String, Outcome>,
}

impl Record {
    /// The record in a file; `None` when there is no such file.
    pub fn read(file: &Path) -> io::Result<Option<Record>> {
        match fs::read(file) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes it.
    pub fn write(&self, file: &Path) -> io::Result<()> {
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(file, serde_json::to_string_pretty(self)? + "\n")
    }

    /// Adds what is known of pipelines that were not tried this time.
    pub fn add_others(&mut self, known: Record) {
        for (pipeline, outcome) in known.outcomes {
            self.outcomes.entry(pipeline).or_insert(outcome);
        }
    }

    /// Number of pipelines that differ from what they should do.
    pub fn differing(&self) -> usize {
        self.outcomes.values().filter(|outcome| matches!(outcome, Outcome::Differs(_))).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("record/machine.json");
        assert_eq!(Record::read(&file).expect("no file is no error"), None);
        let outcomes = BTreeMap::from([
            ("a.yaml".to_owned(), Outcome::NotRun("needs a cluster".to_owned())),
            ("b.yaml".to_owned(), Outcome::Differs("boom".to_owned())),
        ]);
        let record = Record { commit: "c".to_owned(), date: "2026-01-01".to_owned(), with: "x".to_owned(), outcomes };
        record.write(&file).expect("a file");
        assert_eq!(Record::read(&file).expect("a file"), Some(record.clone()));
        assert_eq!(record.differing(), 1);
    }

    #[test]
    fn what_was_tried_again_replaces_what_was_known() {
        let record = |outcomes: &[(&str, &str)]| Record {
            commit: "c".to_owned(),
            date: "2026-01-01".to_owned(),
            with: "x".to_owned(),
            outcomes: outcomes
                .iter()
                .map(|(name, note)| ((*name).to_owned(), Outcome::Passed((*note).to_owned())))
                .collect(),
        };
        let mut new = record(&[("a.yaml", "new")]);
        new.add_others(record(&[("a.yaml", "old"), ("b.yaml", "old")]));
        assert_eq!(new, record(&[("a.yaml", "new"), ("b.yaml", "old")]));
    }
}
