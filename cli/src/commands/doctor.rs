//! `penstock doctor`: whether a cluster can run tasks, and what to do where it cannot.

use std::process::ExitCode;

use comfy_table::{Cell, Color, ColumnConstraint, ContentArrangement, Table, presets};
use console::Term;
use penstock_driver::doctor::{Examination, Finding, FindingState, examine};
use serde_json::json;

use crate::args::OutputFormat;
use crate::args::cluster::DoctorArgs;
use crate::cluster;
use crate::context::Context;
use crate::failure;
use crate::progress::Stream;
use crate::text::inert;

/// Columns below which a table only gets longer.
const MIN_WIDTH: u16 = 40;

/// Examines the cluster and prints what was found. The exit code is 1 when tasks cannot run.
pub(crate) async fn doctor(context: &Context, args: DoctorArgs) -> anyhow::Result<ExitCode> {
    let DoctorArgs { namespace, system_namespace, webhook_service, webhook_configuration, certificate_secret, output } =
        args;
    let cluster = cluster::connect(&context.cluster, namespace.as_deref()).await?;
    let transfer = context.transfer()?;
    let what = Examination {
        system_namespace,
        webhook_service,
        webhook_configuration,
        certificate_secret,
        namespace: cluster.namespace.clone(),
        trial_image: "busybox:1.36".to_owned(),
    };
    let findings = examine(&cluster.client, Some(&transfer), &what).await;
    let is_bad = findings.iter().any(|finding| finding.state == FindingState::Bad);
    let text = match output {
        OutputFormat::Json => serde_json::to_string_pretty(&json!({"healthy": !is_bad, "findings": findings}))? + "\n",
        OutputFormat::Text => {
            let term = Term::stdout();
            let width = term.is_term().then(|| term.size_checked()).flatten().map(|(_, width)| width);
            format!("{}\n", table(&findings, context.color_out, width))
        }
    };
    Stream::Out.print(&text);
    Ok(ExitCode::from(if is_bad { failure::FAILED } else { failure::SUCCEEDED }))
}

/// At most `width` columns wide, where there is a width to keep to.
fn table(findings: &[Finding], color: bool, width: Option<u16>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width.max(MIN_WIDTH));
    }
    if color {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    for finding in findings {
        let (mark, hue) = match finding.state {
            FindingState::Good => ("ok", Color::Green),
            FindingState::Warning => ("warning", Color::Yellow),
            FindingState::Bad => ("bad", Color::Red),
            FindingState::Unknown => ("unknown", Color::Yellow),
        };
        let mut lines = inert(&finding.found);
        if let Some(remedy) = &finding.remedy {
            lines.push_str("\n→ ");
            lines.push_str(&inert(remedy));
        }
        table.add_row(vec![Cell::new(mark).fg(hue), Cell::new(&finding.subject), Cell::new(lines)]);
    }
    // What was found takes the room that there is; the mark is never broken.
    table.set_constraints([ColumnConstraint::ContentWidth]);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let text = table.to_string();
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use console::measure_text_width;

    use super::*;

    fn findings() -> Vec<Finding> {
        let long = "no Pod may be made in it: its policy forbids what the launcher needs ".repeat(4);
        let finding = |state, subject: &str, found: &str, remedy: Option<&str>| Finding {
            state,
            subject: subject.to_owned(),
            found: found.to_owned(),
            remedy: remedy.map(str::to_owned),
        };
        vec![
            finding(FindingState::Good, "API server", "answers", None),
            finding(FindingState::Warning, "namespace team-a", &long, Some("label it, or choose another namespace")),
        ]
    }

    #[test]
    fn no_line_is_padded_or_wider_than_the_terminal() {
        for (color, width) in [(false, 60), (true, 60), (false, 100), (false, 1)] {
            let text = table(&findings(), color, Some(width));
            for line in text.lines() {
                assert_eq!(line, line.trim_end(), "{text}");
                assert!(measure_text_width(line) <= usize::from(width.max(MIN_WIDTH)), "{width}: {text}");
            }
            assert!(text.contains("warning") && text.contains("→ label it"), "{text}");
        }
    }

    #[test]
    fn elsewhere_than_on_a_terminal_nothing_is_broken() {
        let text = table(&findings(), false, None);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert_eq!(lines.first().copied(), Some("ok       API server        answers"), "{text}");
        assert!(lines.iter().all(|line| *line == line.trim_end()), "{text}");
    }
}
