//! `penstock up`: Penstock on one machine. The API, what fires recurring runs, and the driver in one process, with tasks as
//! processes.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use penstock_apiserver::import::{ImportRule, Importer};
use penstock_apiserver::listing::TokenKey;
use penstock_apiserver::{Api, ApiSettings};
use penstock_driver::service::{Service, ServiceMetrics, ServiceSettings};
use penstock_driver::{BackendKind, Driver};
use penstock_runtime::shutdown::Shutdown;
use prometheus::Registry;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::args::UpArgs;
use crate::args::access::Listening;
use crate::cluster;
use crate::context::Context;
use crate::failure::Refusal;
use crate::live_logs::LocalLogs;
use crate::progress::Stream;
use crate::remote::local::Announcement;
use crate::services;
use crate::submission::LocalSubmission;

/// The file of the data directory that keeps page tokens good from one start to the next.
const TOKEN_KEY_FILE: &str = "page-tokens.key";

/// Serves until the process is told to end. Runs that are under way then go on with the next start.
pub(crate) async fn up(context: &Context, args: UpArgs) -> anyhow::Result<ExitCode> {
    let UpArgs { listen, allow_unauthenticated, access, runs, time_zone, import_from, host_commands, execution } = args;
    access.check(&Listening { flag: "--listen", address: listen, allow_unauthenticated })?;
    if access.multi_user {
        let text = "--multi-user keeps namespaces apart, and tasks of penstock up are all processes of one account";
        return Err(Refusal::new(text).with_hint("serve a cluster with: penstock serve").into());
    }
    let client = match access.needs_cluster() {
        true => Some(cluster::connect(&context.cluster, None).await?.client),
        false => None,
    };
    let access = access.settings(client)?;
    let shutdown = Shutdown::on_signals().context("cannot listen to signals")?;
    let listener = bind(listen).await?;
    let address = listener.local_addr().context("cannot read the address of the API")?;
    let driver = context.driver(&execution, None).await?;
    // Tells others that runs which wait for their turn are not left alone.
    let _presence = driver.announce(BackendKind::Process)?;
    let registry = Registry::new();
    let _address = Announcement::write(driver.data_dir(), address)?;
    let submission = Arc::new(LocalSubmission::new(driver.clone(), host_commands));
    let settings = ApiSettings {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        access,
        stores: Some(Arc::clone(driver.transfer().stores())),
        schedule_zone: Some(time_zone),
        live_logs: Some(Arc::new(LocalLogs::new(driver.data_dir().to_owned()))),
        token_key: Some(TokenKey::of_file_or_new(&driver.data_dir().join(TOKEN_KEY_FILE))?),
        importer: importer(import_from)?,
        registry: registry.clone(),
        ..ApiSettings::default()
    };
    let api = Api::new(settings, driver.metastore().clone(), submission).await.context("cannot set up the API")?;
    let service = driving(&driver, runs, &registry)?;

    Stream::Out.print(&format!(
        "Penstock is up at http://{address}\n\
         submit with kfp.Client(host=\"http://{address}\"); runs and artifacts are in {}; Ctrl-C ends it\n",
        driver.data_dir().display()
    ));
    let mut tasks = JoinSet::new();
    let (of_schedules, ending) = (api.clone(), shutdown.clone());
    services::spawn(&mut tasks, "schedules of recurring runs", async move {
        penstock_apiserver::schedules::run(of_schedules, ending).await;
        Ok(())
    });
    let ending = shutdown.clone();
    services::spawn(&mut tasks, "API", async move {
        penstock_apiserver::serve(listener, api, ending).await;
        Ok(())
    });
    let ending = shutdown.clone();
    services::spawn(&mut tasks, "driver", async move {
        service.run(ending.requested()).await;
        Ok(())
    });
    let code = services::supervise(tasks, &shutdown).await;
    driver.close().await;
    code
}

/// None unless it is said from where: a server that fetches is one that can be sent somewhere (T-09).
fn importer(rules: Vec<ImportRule>) -> anyhow::Result<Option<Importer>> {
    if rules.is_empty() {
        return Ok(None);
    }
    Importer::new(rules).map(Some).context("cannot import by URL (--import-from)")
}

async fn bind(listen: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(listen).await.map_err(|error| {
        let text = format!("cannot listen on {listen}: {error}");
        Refusal::new(text).with_hint("name another address with --listen; port 0 takes a free one").into()
    })
}

/// Drives what there is to drive in the data directory.
fn driving(driver: &Driver, runs: Option<NonZeroUsize>, registry: &Registry) -> anyhow::Result<Service> {
    let processors = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let settings = ServiceSettings {
        concurrency: runs.map_or_else(processors, NonZeroUsize::get),
        ..ServiceSettings::new("process")
    };
    let metrics = ServiceMetrics::new(registry).context("cannot set up metrics")?;
    Ok(Service::new(driver.metastore().clone(), Arc::new(driver.clone()), settings, metrics))
}
