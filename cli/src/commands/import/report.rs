//! What became of each thing.

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use serde_json::json;

use crate::args::OutputFormat;
use crate::progress::Stream;
use crate::remote::error::RemoteError;
use crate::text::{fit, inert};

/// Columns of a reason.
const WIDTH: usize = 120;

/// What became of one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// It was brought over, or would be.
    Created,
    /// It is there already.
    Skipped,
    /// Something else is there under its name.
    Conflict,
    /// The server did not take it.
    Failed,
}

#[derive(Debug, Serialize)]
struct Item {
    kind: &'static str,
    name: String,
    outcome: Outcome,
    #[serde(skip_serializing_if = "String::is_empty")]
    reason: String,
}

/// What became of all of them.
#[derive(Debug, Default)]
pub(super) struct Report {
    items: Vec<Item>,
}

impl Report {
    /// Notes what became of something.
    pub(super) fn add(&mut self, kind: &'static str, name: &str, outcome: Outcome, reason: impl Into<String>) {
        self.items.push(Item { kind, name: name.to_owned(), outcome, reason: reason.into() });
    }

    /// Notes that something is there already, or is another there, and why.
    pub(super) fn add_found(&mut self, kind: &'static str, name: &str, difference: Option<String>) {
        match difference {
            None => self.add(kind, name, Outcome::Skipped, ""),
            Some(reason) => self.add(kind, name, Outcome::Conflict, reason),
        }
    }

    /// Notes that the server did not take something; why it did not. A failure that ends the whole import is handed back.
    pub(super) fn add_failure(&mut self, kind: &'static str, name: &str, error: RemoteError) -> anyhow::Result<String> {
        match error.status() {
            Some(status @ (400 | 403 | 404 | 409 | 413)) => {
                let outcome = if status == 409 { Outcome::Conflict } else { Outcome::Failed };
                let reason = error.text();
                self.add(kind, name, outcome, reason.clone());
                Ok(reason)
            }
            _ => Err(error.into()),
        }
    }

    /// Whether nothing was looked at yet.
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether everything is at the target as it is at the source.
    pub(super) fn is_clean(&self) -> bool {
        !self.items.iter().any(|item| matches!(item.outcome, Outcome::Conflict | Outcome::Failed))
    }

    fn count(&self, outcome: Outcome) -> usize {
        self.items.iter().filter(|item| item.outcome == outcome).count()
    }

    /// Prints it.
    pub(super) fn print(&self, output: OutputFormat, dry_run: bool, color: bool) -> anyhow::Result<()> {
        let counts =
            [Outcome::Created, Outcome::Skipped, Outcome::Conflict, Outcome::Failed].map(|one| self.count(one));
        let [created, skipped, conflicts, failed] = counts;
        let text = match output {
            OutputFormat::Json => {
                let counts = json!({"created": created, "skipped": skipped, "conflict": conflicts, "failed": failed});
                serde_json::to_string_pretty(&json!({"dry_run": dry_run, "counts": counts, "items": self.items}))?
                    + "\n"
            }
            OutputFormat::Text => {
                let word = if dry_run { "would be created" } else { "created" };
                let sum =
                    format!("{created} {word}, {skipped} there already, {conflicts} in conflict, {failed} failed\n");
                if self.items.is_empty() {
                    "there is nothing to import\n".to_owned()
                } else {
                    self.table(color) + "\n" + &sum
                }
            }
        };
        Stream::Out.print(&text);
        Ok(())
    }

    fn table(&self, color: bool) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        if !color {
            table.force_no_tty();
        }
        table.set_header(["KIND", "NAME", "OUTCOME", "REASON"]);
        for Item { kind, name, outcome, reason } in &self.items {
            let outcome = match outcome {
                Outcome::Created => "created",
                Outcome::Skipped => "there already",
                Outcome::Conflict => "conflict",
                Outcome::Failed => "failed",
            };
            let reason = fit(&inert(reason.lines().next().unwrap_or_default()), WIDTH);
            table.add_row([(*kind).to_owned(), inert(name), outcome.to_owned(), reason]);
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        table.to_string().lines().map(|line| format!("{}\n", line.trim_end())).collect()
    }
}
