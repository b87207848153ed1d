//! `penstock run --server`: the pipeline goes to a server, which carries the run out; here it is shown.

use std::process::ExitCode;

use penstock_spec::Timestamp;
use penstock_spec::run::default_display_name;
use serde_json::{Value, json};

use super::Compiling;
use crate::args::RunArgs;
use crate::args::cluster::Place;
use crate::context::Context;
use crate::failure::{self, Refusal};
use crate::parameters;
use crate::progress::Stream;
use crate::remote::client::Client;
use crate::remote::document::{self, Caching};
use crate::remote::experiments;
use crate::remote::runs;
use crate::remote::session::{self, Begin};

/// Runs a pipeline at a server.
pub(super) async fn run(context: &Context, client: &Client, args: RunArgs) -> anyhow::Result<ExitCode> {
    refuse_what_is_local(&args)?;
    let Some(file) = &args.file else { return Err(Refusal::new("there is no FILE to run").into()) };
    let how = Compiling { function: args.function.as_deref(), timeout: args.compile_timeout };
    let (pipeline, text) = super::pipeline(context, file, &how, args.execution.python.as_deref()).await?;
    let takes = &pipeline.spec.root.input_definitions.parameters;
    let given = super::read_parameters(takes, args.params_file.as_deref(), &args.param)?;
    let caching = if args.no_cache { Caching::Never } else { Caching::AsWritten };
    let name = args.name.clone();
    let name = name.unwrap_or_else(|| default_display_name(&pipeline.spec.pipeline_info.name, Timestamp::now()));
    let mut config = json!({ "parameters": given });
    if let Some(root) = &args.root {
        config["pipeline_root"] = Value::from(root.as_str());
    }
    let experiment = experiments::for_new(client, args.experiment.as_deref()).await?;
    let mut body = json!({
        "display_name": name,
        "pipeline_spec": document::pipeline_spec(&text, caching)?,
        "runtime_config": config,
        "service_account": args.service_account,
    });
    if let Some(experiment) = experiment {
        body["experiment_id"] = Value::from(experiment);
    }
    let run = runs::create(client, &body).await.map_err(|error| match error.status() {
        Some(400) if error.hint().is_none() => {
            let text = format!("cannot create the run: {}", error.text());
            Refusal::new(text).with_hint(parameters::list(takes)).into()
        }
        _ => anyhow::Error::from(error).context("cannot create the run"),
    })?;
    if args.detach {
        Stream::Out.print(&format!("{run}\n"));
        return Ok(ExitCode::from(failure::SUCCEEDED));
    }
    let feed = runs::feed(client, &runs::details(client, run).await?)?;
    session::carry(context, client, feed, &args.progress, Begin::Now).await
}

/// Flags that mean this machine would be taken for something that they are not.
fn refuse_what_is_local(args: &RunArgs) -> Result<(), Refusal> {
    let refused = [
        (args.resume.is_some(), "--resume is for runs of this machine: a server goes on with its runs by itself"),
        (args.host_commands, "--host-commands is for this machine: `penstock up` has a flag of that name for its own"),
        (
            args.component_dir.is_some(),
            "--component-dir names a directory of this machine, which the server does not see",
        ),
        (args.on == Place::Kubernetes, "--on is for this machine: where tasks of a server run is the server's to know"),
    ];
    if let Some((_, text)) = refused.into_iter().find(|(is_given, _)| *is_given) {
        return Err(Refusal::new(text).with_hint("leave --server (PENSTOCK_SERVER) out to run on this machine"));
    }
    match &args.root {
        Some(root) if !root.contains("://") => {
            let text = format!("--root {root} is a directory of this machine, which the server does not see");
            Err(Refusal::new(text).with_hint("name a URI, such as s3://bucket/prefix"))
        }
        _ => Ok(()),
    }
}
