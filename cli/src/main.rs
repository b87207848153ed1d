//! `penstock`: runs Kubeflow Pipelines on this machine and shows what happened.
//!
//! This crate turns arguments into requests to the driver and the metastore, and facts into text. What a pipeline does
//! is the engine's, how a task runs the launcher's.

mod abandoned;
mod args;
mod attempt_log;
mod cluster;
mod commands;
mod context;
mod failure;
mod feed;
mod file_limit;
mod json;
mod live;
mod live_logs;
mod live_pods;
mod log_printer;
mod opened;
mod parameters;
mod plain;
mod pod_logs;
mod pod_look;
mod progress;
mod python;
mod remote;
mod selection;
mod services;
mod session;
mod signals;
mod style;
mod submission;
mod summary;
mod system;
mod text;
mod tree;
mod waiting;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::args::cluster::ServeArgs;
use crate::args::{Cli, Command, Environment};
use crate::context::Context;
use crate::failure::Refusal;
use crate::live::Notices;
use crate::progress::Stream;
use crate::services::Roles;

fn main() -> ExitCode {
    let cli = Cli::parse();
    show_cursor_on_panic();
    match start(cli) {
        Ok(code) => code,
        Err(error) => {
            Stream::Err.print(&format!("{}\n", failure::describe(&error)));
            failure::exit_code(&error)
        }
    }
}

fn start(cli: Cli) -> anyhow::Result<ExitCode> {
    let Cli { command, global } = cli;
    let notices = Notices::default();
    match command.log_format() {
        Some(format) => penstock_runtime::logs::init(format, &global.log_level)?,
        None => log_to(&notices, &global.log_level)?,
    }
    let namespace = command.namespace().map(str::to_owned);
    let context = Context::new(global, Environment::read(), notices)?.within(namespace);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?;
    let code = runtime.block_on(carry_out(&context, command));
    // What is still at work then (a slow read) is not worth waiting for.
    runtime.shutdown_background();
    code
}

async fn carry_out(context: &Context, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Up(args) => Box::pin(commands::up::up(context, *args)).await,
        Command::Run(args) => Box::pin(commands::run::run(context, *args)).await,
        Command::Get(args) => commands::get::get(context, args).await,
        Command::List(args) => commands::list::list(context, args).await,
        Command::Logs(args) => Box::pin(commands::logs::logs(context, args)).await,
        Command::Watch(args) => Box::pin(commands::watch::watch(context, args)).await,
        Command::Stop(args) => Box::pin(commands::stop::stop(context, args)).await,
        Command::Retry(args) => Box::pin(commands::retry::retry(context, *args)).await,
        Command::Cp(args) => Box::pin(commands::cp::cp(context, args)).await,
        Command::Cache(command) => Box::pin(commands::cache::cache(context, command)).await,
        Command::Schedule(args) => Box::pin(commands::schedule::schedule(context, args)).await,
        Command::Import(args) => Box::pin(commands::import::import(context, args)).await,
        Command::Doctor(args) => Box::pin(commands::doctor::doctor(context, args)).await,
        Command::Serve(args) => {
            let ServeArgs { service, webhook, driver, api, without_api } = *args;
            let roles = Roles { webhook: Some(webhook), driver: Some(driver), api: (!without_api).then_some(api) };
            Box::pin(services::run(context, service, roles)).await
        }
        Command::Webhook(args) => {
            let roles = Roles { webhook: Some(args.webhook), ..Roles::default() };
            Box::pin(services::run(context, args.service, roles)).await
        }
        Command::Driver(args) => {
            let roles = Roles { driver: Some(args.driver), ..Roles::default() };
            Box::pin(services::run(context, args.service, roles)).await
        }
        Command::Apiserver(args) => {
            let roles = Roles { api: Some(args.api), ..Roles::default() };
            Box::pin(services::run(context, args.service, roles)).await
        }
        Command::Completion { shell } => {
            commands::completion::completion(shell);
            Ok(ExitCode::from(failure::SUCCEEDED))
        }
    }
}

/// Penstock's own messages go to standard error; while a tree is shown, above it.
fn log_to(notices: &Notices, filter: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| Refusal::new(format!("--log-level {filter} is not understood: {error}")))?;
    let allowed = penstock_runtime::logs::allowed(&filter);
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(notices.clone())
        .with_ansi(false)
        .with_target(false)
        .without_time()
        .finish()
        .with(allowed)
        .try_init()
        .map_err(|error| anyhow::anyhow!("cannot set up logging: {error}"))
}

fn show_cursor_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        live::restore_cursor();
        report(panic);
    }));
}
