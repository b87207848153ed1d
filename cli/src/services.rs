//! Penstock's services, in one process or each in its own: the webhook, the driver, the API, and the admin port beside
//! them.
//!
//! Each is supervised: when one ends before the end was asked for, the process ends with its error, and the cluster
//! starts it anew (F-42).

pub(crate) mod api;
mod driving;
mod opening;
pub(crate) mod serving;
mod webhook;

use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use penstock_driver::doctor::GlanceAt;
use penstock_driver::{DriverSettings, KubernetesMetrics, KubernetesSettings, StoreMetrics};
use penstock_runtime::admin;
use penstock_runtime::health::Health;
use penstock_runtime::shutdown::Shutdown;
use penstock_spec::keys;
use prometheus::Registry;
use tokio::net::TcpListener;
use tokio::task::{JoinError, JoinSet};

use crate::args::ExecutionArgs;
use crate::args::access::Listening;
use crate::args::api::ApiArgs;
use crate::args::cluster::{DriverArgs, ServiceArgs, WebhookArgs};
use crate::cluster::{self, Cluster};
use crate::context::Context;
use crate::failure;
use crate::submission::{TaskPlace, without_tasks};
use api::{ApiService, ApiSetup};
use driving::Driving;
use serving::Serving;

/// What a process serves.
#[derive(Debug, Default)]
pub(crate) struct Roles {
    /// Admission.
    pub(crate) webhook: Option<WebhookArgs>,
    /// Driving of runs.
    pub(crate) driver: Option<DriverArgs>,
    /// The API.
    pub(crate) api: Option<ApiArgs>,
}

/// Runs the services that are asked for until the process is told to end.
pub(crate) async fn run(context: &Context, service: ServiceArgs, roles: Roles) -> anyhow::Result<ExitCode> {
    let Roles { webhook, driver, api } = roles;
    let shutdown = Shutdown::on_signals().context("cannot listen to signals")?;
    let webhook_configuration = webhook.as_ref().map(|args| args.webhook_configuration.clone());
    let (registry, health) = (Registry::new(), Health::default());
    let opened_api = match &api {
        Some(api) => Some(open(api).await?),
        None => None,
    };
    let cluster = cluster::connect(&context.cluster, None).await?;
    let client = cluster.client.clone();
    let mut services = JoinSet::new();
    let port = admin::serve(service.admin_listen, registry.clone(), health.clone(), shutdown.clone());
    spawn(&mut services, "admin port", async { Ok(port.await?) });
    if let Some(args) = webhook {
        let settings = webhook::settings(&service, args)?;
        let (client, registry) = (client.clone(), registry.clone());
        // What it needs is asked about alone: it answers whatever driver and API wait for.
        let (health, shutdown) = (health.part("webhook"), shutdown.clone());
        spawn(&mut services, "webhook", async move {
            Ok(penstock_webhook::run(settings, client, &registry, health, shutdown).await?)
        });
    }
    let opened = match driver.is_some() || api.is_some() {
        true => {
            let settings = driver_settings(context, &service, driver.as_ref(), client.clone(), &registry)?;
            opening::open(settings, health.condition("store"), &mut services, &shutdown).await?
        }
        false => None,
    };
    if let (Some(opened), Some(args)) = (&opened, driver) {
        let driving = Driving::new(context, &service, args, opened.clone(), client, &registry, &health)?;
        let shutdown = shutdown.clone();
        spawn(&mut services, "driver", async move { driving.run(shutdown).await });
    }
    if let (Some(opened), Some(args), Some((listener, serving))) = (&opened, api, opened_api) {
        let namespace = args.api_namespace.unwrap_or(cluster.namespace);
        // Where requests name namespaces, runs go to those.
        if namespace == service.namespace && !args.access.multi_user {
            tracing::warn!("submitted runs are refused: {}", without_tasks(&namespace));
        }
        let glance = GlanceAt {
            client: cluster.client.clone(),
            namespace: namespace.clone(),
            // The manifests' own name, where the webhook is a process of its own.
            webhook_configuration: webhook_configuration.unwrap_or_else(|| keys::MANAGED_BY.to_owned()),
        };
        let setup = ApiSetup {
            access: args.access.settings(Some(&cluster.client), &registry).await?,
            time_zone: args.time_zone,
            serving,
            health: health.clone(),
            import: args.import,
            token_key_file: args.page_token_key_file,
            registry: registry.clone(),
            records: args.records,
            retention: args.retention.policy(),
            place: TaskPlace::Kubernetes { namespace, own_namespace: service.namespace },
            cluster: Some(glance),
        };
        let api = ApiService::new(opened, listener, setup).await?;
        health.condition("API").set_ready();
        api.spawn(&mut services, &shutdown);
    }
    let code = supervise(services, &shutdown).await;
    if let Some(opened) = opened {
        opened.close().await;
    }
    code
}

/// The listener of the API, if it may be opened, and how it is served.
async fn open(api: &ApiArgs) -> anyhow::Result<(TcpListener, Serving)> {
    let ApiArgs { api_listen: address, allow_unauthenticated, access, serving, .. } = api;
    let serving = Serving::load(serving).await?;
    let listening =
        Listening { flag: "--api-listen", address: *address, allow_unauthenticated: *allow_unauthenticated };
    Ok((api::listen(access, &listening).await?, serving))
}

/// With what runs are kept and driven. Whoever does not drive runs needs the cluster for what they say, and no more.
fn driver_settings(
    context: &Context,
    service: &ServiceArgs,
    driver: Option<&DriverArgs>,
    client: kube::Client,
    registry: &Registry,
) -> anyhow::Result<DriverSettings> {
    let namespace = service.namespace.clone();
    let kubernetes = match driver {
        None => KubernetesSettings::new(client, namespace),
        Some(DriverArgs { pods, task_pods, .. }) => {
            let task_pods = task_pods.clone().settings(&context.proxy)?;
            let mut settings = cluster::kubernetes_settings(Cluster { client, namespace }, pods, task_pods);
            settings.metrics = Some(Arc::new(KubernetesMetrics::new(registry)?));
            settings
        }
    };
    let execution = ExecutionArgs { concurrency: None, python: None, grace: Duration::from_secs(10) };
    let mut settings = context.driver_settings(&execution, Some(kubernetes));
    settings.stores.observer = Some(Arc::new(StoreMetrics::new(registry)?));
    Ok(settings)
}

pub(crate) type Ended = (&'static str, anyhow::Result<()>);

/// Adds a service to those of the process.
pub(crate) fn spawn(
    services: &mut JoinSet<Ended>,
    name: &'static str,
    work: impl Future<Output = anyhow::Result<()>> + Send + 'static,
) {
    services.spawn(async move { (name, work.await) });
}

/// Waits for all to end. The first that ends on its own takes the others with it.
pub(crate) async fn supervise(mut services: JoinSet<Ended>, shutdown: &Shutdown) -> anyhow::Result<ExitCode> {
    let mut failed = None;
    while let Some(ended) = services.join_next().await {
        if let Some(error) = failure_of(ended, shutdown) {
            shutdown.request();
            failed.get_or_insert(error);
        }
    }
    match failed {
        Some(error) => Err(error),
        None => Ok(ExitCode::from(failure::SUCCEEDED)),
    }
}

/// Why a service has ended before it was asked to.
fn failure_of(ended: Result<Ended, JoinError>, shutdown: &Shutdown) -> Option<anyhow::Error> {
    match ended {
        Ok((_, Ok(()))) if shutdown.is_requested() => None,
        Ok((name, Ok(()))) => Some(anyhow!("the {name} ended by itself")),
        Ok((name, Err(error))) => Some(error.context(format!("the {name} failed"))),
        Err(error) => Some(anyhow!(error).context("a service panicked")),
    }
}
