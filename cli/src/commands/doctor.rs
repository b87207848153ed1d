//! `penstock doctor`: whether a cluster can run tasks, and what to do where it cannot.

use std::process::ExitCode;

use comfy_table::{Cell, Color, ContentArrangement, Table, presets};
use penstock_driver::doctor::{Examination, Finding, FindingState, examine};
use serde_json::json;

use crate::args::OutputFormat;
use crate::args::cluster::DoctorArgs;
use crate::cluster;
use crate::context::Context;
use crate::failure;
use crate::progress::Stream;
use crate::text::inert;

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
        OutputFormat::Text => format!("{}\n", table(&findings, context.color_out)),
    };
    Stream::Out.print(&text);
    Ok(ExitCode::from(if is_bad { failure::FAILED } else { failure::SUCCEEDED }))
}

fn table(findings: &[Finding], color: bool) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
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
    table.to_string()
}
