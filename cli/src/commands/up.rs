//! `penstock up`: Penstock on one machine. The API, what fires recurring runs, and the driver in one process, with tasks as
//! processes.

use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use penstock_driver::service::{Service, ServiceMetrics, ServiceSettings};
use penstock_driver::{BackendKind, Driver, DriverSettings};
use penstock_runtime::health::Health;
use penstock_runtime::shutdown::Shutdown;
use prometheus::Registry;
use tokio::task::JoinSet;

use crate::args::UpArgs;
use crate::args::access::Listening;
use crate::args::sharing::SharingArgs;
use crate::cluster;
use crate::commands::run::root_uri;
use crate::context::Context;
use crate::failure::Refusal;
use crate::file_limit;
use crate::progress::Stream;
use crate::remote::local::Announcement;
use crate::services;
use crate::services::api::{self, ApiService, ApiSetup};
use crate::services::serving::Serving;
use crate::submission::TaskPlace;

/// Serves until the process is told to end. Runs that are under way then go on with the next start.
pub(crate) async fn up(context: &Context, args: UpArgs) -> anyhow::Result<ExitCode> {
    let UpArgs {
        listen,
        allow_unauthenticated,
        access,
        serving,
        runs,
        sharing: SharingArgs { root, takeover_after },
        time_zone,
        import,
        host_commands,
        records,
        retention,
        execution,
    } = args;
    file_limit::raise();
    let shutdown = Shutdown::on_signals().context("cannot listen to signals")?;
    let serving = Serving::load(&serving).await?;
    let certificate = serving.certificate();
    let listening = Listening { flag: "--listen", address: listen, allow_unauthenticated };
    let listener = api::listen(&access, &listening).await?;
    if access.multi_user {
        let text = "--multi-user keeps namespaces apart, and tasks of penstock up are all processes of one account";
        return Err(Refusal::new(text).with_hint("serve a cluster with: penstock serve").into());
    }
    let client = match access.needs_cluster() {
        true => Some(cluster::connect(&context.cluster, None).await?.client),
        false => None,
    };
    let registry = Registry::new();
    let access = access.settings(client.as_ref(), &registry).await?;
    let default_root = root.as_deref().map(root_uri).transpose()?;
    let settings = DriverSettings { default_root, ..context.driver_settings(&execution, None) };
    let driver = Driver::open_with(settings, takeover_after).await?;
    // Tells others that runs which wait for their turn are not left alone.
    let _presence = driver.announce(BackendKind::Process)?;
    let setup = ApiSetup {
        access,
        time_zone,
        serving,
        health: Health::default(),
        import,
        token_key_file: None,
        registry: registry.clone(),
        records,
        retention: retention.policy(),
        place: TaskPlace::Process { host_commands },
        cluster: None,
    };
    let api = ApiService::new(&driver, listener, setup).await?;
    let service = driving(&driver, runs, &registry)?;

    let (address, url) = (api.address(), api.url());
    let _address = Announcement::write(driver.data_dir(), address, certificate.as_deref())?;
    let authority = if certificate.is_some() { ", ssl_ca_cert=\"<file of its authority>\"" } else { "" };
    Stream::Out.print(&format!(
        "Penstock is up at {url}\n\
         submit with kfp.Client(host=\"{url}\"{authority}); runs and artifacts are in {}; Ctrl-C ends it\n",
        driver.data_dir().display()
    ));
    let mut tasks = JoinSet::new();
    api.spawn(&mut tasks, &shutdown);
    let ending = shutdown.clone();
    services::spawn(&mut tasks, "driver", async move {
        service.run(ending.requested()).await;
        Ok(())
    });
    let code = services::supervise(tasks, &shutdown).await;
    driver.close().await;
    code
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
