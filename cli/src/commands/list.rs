//! `penstock list`: runs, newest first.

use std::process::ExitCode;

use comfy_table::{Cell, CellAlignment, Color, ContentArrangement, Table, presets};
use penstock_driver::BackendKind;
use penstock_metastore::{Listed, MetastoreError, RunQuery, RunRow};
use penstock_spec::Timestamp;
use serde_json::{Value, json};

use crate::args::{ListArgs, OutputFormat};
use crate::context::{Context, is_on_kubernetes};
use crate::failure::{self, Refusal};
use crate::progress::Stream;
use crate::remote::client::Client;
use crate::remote::runs;
use crate::style::Tone;
use crate::text::{age, duration, inert};
use crate::tree::{given_name, run_word};

/// What to do about a token that is not understood.
const TOKEN_HINT: &str = "take it from the list before";

/// Prints a page of runs.
pub(crate) async fn list(context: &Context, args: ListArgs) -> anyhow::Result<ExitCode> {
    let ListArgs { limit, page_token, output, place: _ } = args;
    let server = context.server()?;
    let (runs, next) = match &server {
        Some(client) => remote_page(client, limit, page_token).await?,
        None => page(context, limit, page_token).await?,
    };
    let now = Timestamp::now();
    let text = match output {
        OutputFormat::Json => {
            let runs: Vec<Value> = runs.iter().map(document).collect();
            let document = json!({ "runs": runs, "next_page_token": next });
            serde_json::to_string_pretty(&document)? + "\n"
        }
        OutputFormat::Text if runs.is_empty() => match &server {
            Some(client) => format!("no runs at {}\n", client.url()),
            None => format!("no runs in {}\n", context.data_dir.display()),
        },
        OutputFormat::Text => {
            let namespace = server.as_ref().and_then(Client::where_in_it);
            let namespace = namespace.map(|(_, name)| format!(" --namespace {}", inert(name))).unwrap_or_default();
            let more = next.map(|token| format!("\nmore: penstock list{namespace} --page-token {token}\n"));
            let more = more.unwrap_or_default();
            format!("{}\n{more}", table(&runs, now, context.color_out))
        }
    };
    Stream::Out.print(&text);
    Ok(ExitCode::from(failure::SUCCEEDED))
}

/// Runs, and where more are.
type Runs = (Vec<Listed<RunRow>>, Option<String>);

async fn remote_page(client: &Client, limit: u32, page_token: Option<String>) -> anyhow::Result<Runs> {
    let page = runs::list(client, limit, page_token.as_deref()).await.map_err(|error| match error.status() {
        Some(400) if page_token.is_some() => Refusal::new(error.text()).with_hint(TOKEN_HINT).into(),
        _ => anyhow::Error::from(error),
    })?;
    Ok((page.runs.into_iter().map(Into::into).collect(), page.next_page_token))
}

async fn page(context: &Context, limit: u32, page_token: Option<String>) -> anyhow::Result<Runs> {
    Ok(match context.metastore().await? {
        Some(metastore) => {
            let query = RunQuery { page_size: limit, page_token, ..RunQuery::default() };
            let page = metastore.list_runs(&query).await.map_err(|error| match error {
                MetastoreError::PageToken { .. } => {
                    anyhow::Error::from(Refusal::new(error.to_string()).with_hint(TOKEN_HINT))
                }
                error => error.into(),
            })?;
            metastore.close().await;
            (page.runs, page.next)
        }
        None => (Vec::new(), None),
    })
}

fn table(runs: &[Listed<RunRow>], now: Timestamp, color: bool) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    if color {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    let on_cluster = |run: &Listed<RunRow>| matches!(run, Listed::Readable(row) if is_on_kubernetes(row));
    // Whoever has no cluster needs no column for its namespaces.
    let with_namespace = runs.iter().any(on_cluster);
    let namespace = |text: &str| with_namespace.then(|| Cell::new(inert(text)));
    // Nor whoever gives runs no names one for those.
    let with_given = runs.iter().any(|run| matches!(run, Listed::Readable(row) if given_name(&row.info).is_some()));
    let given = |text: String| with_given.then(|| Cell::new(text));
    let header = ["STATE", "STARTED", "DURATION"].map(Cell::new).into_iter();
    let header = [Cell::new("NAME")].into_iter().chain(given("DISPLAY NAME".to_owned())).chain(header);
    table.set_header(header.chain(namespace("NAMESPACE")).chain([Cell::new("ID")]));
    for run in runs {
        match run {
            Listed::Readable(row) => {
                let (tone, word) = run_word(row.status);
                let state = match (color, cell_color(tone)) {
                    (true, Some(tone)) => Cell::new(word).fg(tone),
                    _ => Cell::new(word),
                };
                let took =
                    row.started_at.map(|started| duration(started, row.finished_at.unwrap_or(now))).unwrap_or_default();
                let name = [Cell::new(inert(&row.info.name))];
                let name = name.into_iter().chain(given(given_name(&row.info).unwrap_or_default()));
                let cells = [
                    state,
                    Cell::new(age(row.started_at.unwrap_or(row.info.created_at), now)),
                    Cell::new(took).set_alignment(CellAlignment::Right),
                ];
                let namespace = namespace(&row.info.namespace);
                table.add_row(name.chain(cells).chain(namespace).chain([Cell::new(row.info.id)]));
            }
            Listed::Unreadable(row) => {
                let reason = format!("unreadable: {}", inert(&row.reason));
                let name = [Cell::new("?")].into_iter().chain(given(String::new()));
                let cells = [Cell::new(reason), Cell::new(""), Cell::new("")];
                table.add_row(name.chain(cells).chain(namespace("")).chain([Cell::new(&row.row)]));
            }
        }
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let text = table.to_string();
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

fn cell_color(tone: Tone) -> Option<Color> {
    match tone {
        Tone::Good => Some(Color::Green),
        Tone::Bad => Some(Color::Red),
        Tone::Active => Some(Color::Cyan),
        Tone::Caution => Some(Color::Yellow),
        Tone::Plain | Tone::Strong | Tone::Faint => None,
    }
}

fn document(run: &Listed<RunRow>) -> Value {
    match run {
        Listed::Readable(row) => json!({
            "run_id": row.info.id,
            "name": row.info.name,
            "display_name": row.info.display_name,
            "pipeline": row.info.pipeline_name,
            "backend": if is_on_kubernetes(row) { BackendKind::Kubernetes } else { BackendKind::Process },
            "namespace": is_on_kubernetes(row).then_some(&row.info.namespace),
            "state": row.status,
            "error": row.error,
            "created_at": row.info.created_at,
            "started_at": row.started_at,
            "finished_at": row.finished_at,
        }),
        Listed::Unreadable(row) => json!({ "run_id": row.row, "unreadable": row.reason }),
    }
}
