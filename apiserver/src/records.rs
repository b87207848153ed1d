//! A run as programs see it that follow it by its events: what it takes to make sense of them, and what lists of runs say.
//!
//! The client of the command line reads the same types. Members are added, never changed.

use penstock_metastore::{Listed, Remark, RemarkKind, RunRow, Unreadable};
use penstock_spec::Timestamp;
use penstock_spec::run::{RunInfo, RunStatus};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A run, without what happened in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunDocument {
    /// Identity and settings, as in the first event of the run.
    pub info: RunInfo,
    /// How it is carried out.
    pub options: Value,
    /// State.
    pub status: RunStatus,
    /// Why it failed.
    pub error: Option<String>,
    /// When its first task could start.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Number of the newest event.
    pub fact_count: u64,
}

/// A run with what its events refer to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunDetails {
    /// The run.
    pub run: RunDocument,
    /// The pipeline, as it was submitted.
    pub pipeline: String,
    /// What there is to know of it beside its events.
    pub remarks: Vec<RemarkDocument>,
}

/// A remark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemarkDocument {
    /// What it is about.
    pub kind: RemarkKind,
    /// What of the run.
    pub subject: String,
    /// When it was made.
    pub at: Timestamp,
    /// What there is to know.
    pub text: String,
}

/// Some runs, the newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunList {
    /// The runs.
    pub runs: Vec<ListedRun>,
    /// Where the next page starts; absent on the last.
    pub next_page_token: Option<String>,
}

/// A run of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ListedRun {
    /// As it is stored.
    Readable(Box<RunDocument>),
    /// One that the server cannot read.
    Unreadable {
        /// Its id, as far as it is known.
        run_id: String,
        /// What is wrong with it.
        unreadable: String,
    },
}

impl From<RunRow> for RunDocument {
    fn from(row: RunRow) -> Self {
        let RunRow { info, options, status, error, started_at, finished_at, epoch: _, fact_count } = row;
        Self { info, options, status, error, started_at, finished_at, fact_count }
    }
}

impl From<RunDocument> for RunRow {
    fn from(document: RunDocument) -> Self {
        let RunDocument { info, options, status, error, started_at, finished_at, fact_count } = document;
        // Who drives it is the server's to know.
        Self { info, options, status, error, started_at, finished_at, epoch: 0, fact_count }
    }
}

impl From<Remark> for RemarkDocument {
    fn from(Remark { kind, subject, at, text }: Remark) -> Self {
        Self { kind, subject, at, text }
    }
}

impl From<RemarkDocument> for Remark {
    fn from(RemarkDocument { kind, subject, at, text }: RemarkDocument) -> Self {
        Self { kind, subject, at, text }
    }
}

impl From<Listed<RunRow>> for ListedRun {
    fn from(row: Listed<RunRow>) -> Self {
        match row {
            Listed::Readable(row) => Self::Readable(Box::new(row.into())),
            Listed::Unreadable(Unreadable { row, reason }) => Self::Unreadable { run_id: row, unreadable: reason },
        }
    }
}

impl From<ListedRun> for Listed<RunRow> {
    fn from(run: ListedRun) -> Self {
        match run {
            ListedRun::Readable(run) => Self::Readable((*run).into()),
            ListedRun::Unreadable { run_id, unreadable } => {
                Self::Unreadable(Unreadable { row: run_id, reason: unreadable })
            }
        }
    }
}
