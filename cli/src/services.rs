//! Penstock's services, in one process or each in its own: the webhook, the driver, and the admin port beside them.
//!
//! Each is supervised: when one ends before the end was asked for, the process ends with its error, and the cluster
//! starts it anew (F-42).

use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use penstock_driver::namespaces::{NamespaceController, NamespaceControllerSettings};
use penstock_driver::service::{
    KubernetesLease, LeaseHolder, LeaseSettings, LeaseStanding, PodSweeper, SWEEP_INTERVAL, Service, ServiceMetrics,
    ServiceSettings, Stop,
};
use penstock_driver::{BackendKind, Driver, KubernetesMetrics, Presence, StoreMetrics};
use penstock_runtime::admin;
use penstock_runtime::health::Health;
use penstock_runtime::server::ServerLimits;
use penstock_runtime::shutdown::Shutdown;
use penstock_spec::{keys, quantity};
use penstock_webhook::WebhookSettings;
use penstock_webhook::certificates::{CertificateSettings, CertificateTimes, SelfManaged};
use penstock_webhook::inject::InjectConfig;
use prometheus::Registry;
use tokio::task::JoinSet;

use crate::args::ExecutionArgs;
use crate::args::cluster::{DriverArgs, ServiceArgs, WebhookArgs};
use crate::cluster::{self, Cluster};
use crate::context::Context;
use crate::failure::{self, Refusal};

/// Time between two looks at a certificate that somebody else renews.
const CERTIFICATE_POLL: Duration = Duration::from_secs(10);
/// Time between two looks whether the controllers have seen everything.
const READINESS_POLL: Duration = Duration::from_millis(200);

/// Runs the services that are asked for until the process is told to end.
pub(crate) async fn run(
    context: &Context,
    service: ServiceArgs,
    webhook: Option<WebhookArgs>,
    driver: Option<DriverArgs>,
) -> anyhow::Result<ExitCode> {
    let shutdown = Shutdown::on_signals().context("cannot listen to signals")?;
    let (registry, health) = (Registry::new(), Health::default());
    let client = cluster::connect(&context.cluster, None).await?.client;
    let mut services = JoinSet::new();
    let port = admin::serve(service.admin_listen, registry.clone(), health.clone(), shutdown.clone());
    spawn(&mut services, "admin port", async { Ok(port.await?) });
    if let Some(args) = webhook {
        let settings = webhook_settings(&service, args)?;
        let (client, registry) = (client.clone(), registry.clone());
        let (health, shutdown) = (health.clone(), shutdown.clone());
        spawn(&mut services, "webhook", async move {
            Ok(penstock_webhook::run(settings, client, &registry, health, shutdown).await?)
        });
    }
    if let Some(args) = driver {
        let driving = Driving::new(context, &service, args, client, &registry, &health).await?;
        let shutdown = shutdown.clone();
        spawn(&mut services, "driver", async move { driving.run(shutdown).await });
    }
    supervise(services, &shutdown).await
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
        let error = match ended {
            Ok((_, Ok(()))) if shutdown.is_requested() => None,
            Ok((name, Ok(()))) => Some(anyhow!("the {name} ended by itself")),
            Ok((name, Err(error))) => Some(error.context(format!("the {name} failed"))),
            Err(error) => Some(anyhow!(error).context("a service panicked")),
        };
        if let Some(error) = error {
            shutdown.request();
            failed.get_or_insert(error);
        }
    }
    match failed {
        Some(error) => Err(error),
        None => Ok(ExitCode::from(failure::SUCCEEDED)),
    }
}

fn webhook_settings(service: &ServiceArgs, args: WebhookArgs) -> Result<WebhookSettings, Refusal> {
    let mut inject = InjectConfig::new(args.launcher_image);
    inject.pull_policy = Some(args.launcher_pull_policy);
    inject.run_as_user = args.launcher_user.0;
    inject.hold_seconds = args.launcher_hold_seconds;
    let resources = &mut inject.resources;
    resources.cpu_request = args.launcher_cpu.unwrap_or_else(|| resources.cpu_request.clone());
    resources.memory_request = args.launcher_memory.unwrap_or_else(|| resources.memory_request.clone());
    resources.memory_limit = args.launcher_memory_limit.unwrap_or_else(|| resources.memory_limit.clone());
    let (request, limit) = (&resources.memory_request, &resources.memory_limit);
    if quantity::amount(request) > quantity::amount(limit) {
        let text = format!("--launcher-memory {request} is more than --launcher-memory-limit {limit}");
        return Err(
            Refusal::new(text).with_hint("every Pod would be refused; set both to the same, or to less and more")
        );
    }
    let seconds = |duration: Duration| duration.as_secs().to_string();
    let environment = [
        (keys::ENV_LAUNCHER_TRANSFER_BUDGET, args.launcher_transfer_budget.map(seconds)),
        (keys::ENV_LAUNCHER_REPORT_BUDGET, args.launcher_report_budget.map(seconds)),
        (keys::ENV_LAUNCHER_LOG, args.launcher_log),
        (keys::ENV_LAUNCHER_LOG_FORMAT, args.launcher_log_format),
    ];
    inject.environment = environment.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let certificates = match args.certificate_dir {
        Some(directory) => CertificateSettings::Files { directory, poll: CERTIFICATE_POLL },
        None => CertificateSettings::SelfManaged(SelfManaged {
            namespace: service.namespace.clone(),
            secret: args.certificate_secret,
            service: args.webhook_service,
            configuration: args.webhook_configuration,
            times: CertificateTimes::default(),
        }),
    };
    let (listen, entry_volume, limits) = (args.webhook_listen, args.entry_volume.into(), ServerLimits::default());
    Ok(WebhookSettings { listen, inject, entry_volume, certificates, limits })
}

/// The driver with what it looks after.
struct Driving {
    service: Service,
    driver: Driver,
    namespaces: NamespaceController,
    sweeper: PodSweeper,
    lease: LeaseHolder,
    health: Health,
    /// Tells `run --detach` that what it leaves is taken up.
    _presence: Presence,
}

impl Driving {
    async fn new(
        context: &Context,
        service: &ServiceArgs,
        args: DriverArgs,
        client: kube::Client,
        registry: &Registry,
        health: &Health,
    ) -> anyhow::Result<Driving> {
        let identity = format!("{}-{}", hostname(), uuid::Uuid::new_v4().simple());
        let DriverArgs { store_endpoint, store_ca_config_map, runs, lease, pods, task_pods } = args;
        let namespaces = NamespaceController::new(
            client.clone(),
            NamespaceControllerSettings {
                default_endpoint: store_endpoint,
                default_store_ca: store_ca_config_map,
                driver_endpoints: Some(context.store_endpoints()),
                instance: identity.clone(),
                ..NamespaceControllerSettings::default()
            },
            registry,
        )?;
        let mut kubernetes = cluster::kubernetes_settings(
            Cluster { client: client.clone(), namespace: service.namespace.clone() },
            &pods,
            task_pods.settings(&context.proxy)?,
        );
        kubernetes.metrics = Some(Arc::new(KubernetesMetrics::new(registry)?));
        let execution = ExecutionArgs { concurrency: None, python: None, grace: Duration::from_secs(10) };
        let mut driver = context.driver_settings(&execution, Some(kubernetes));
        driver.stores.observer = Some(Arc::new(StoreMetrics::new(registry)?));
        let driver = Driver::open(driver).await?;
        let presence = driver.announce(BackendKind::Kubernetes)?;
        let settings = ServiceSettings {
            concurrency: usize::try_from(runs).unwrap_or(usize::MAX),
            ..ServiceSettings::new("kubernetes")
        };
        let metrics = ServiceMetrics::new(registry)?;
        let sweeper = PodSweeper::new(driver.clone(), SWEEP_INTERVAL);
        let of_watches = driver.clone();
        let service_of_runs = Service::new(driver.metastore().clone(), Arc::new(driver), settings, metrics);
        let store = KubernetesLease::new(client, &service.namespace, &lease);
        Ok(Driving {
            service: service_of_runs,
            driver: of_watches,
            namespaces,
            sweeper,
            lease: LeaseHolder::new(Arc::new(store), LeaseSettings::new(identity)),
            health: health.clone(),
            _presence: presence,
        })
    }

    /// Works whenever the lease is ours.
    async fn run(self, shutdown: Shutdown) -> anyhow::Result<()> {
        let ready = self.health.condition("driver");
        let mut standing = self.lease.standing();
        let watch = async {
            loop {
                match *standing.borrow_and_update() {
                    // One that waits for its turn is as ready as it can be.
                    LeaseStanding::Waiting => ready.set_ready(),
                    LeaseStanding::Holding => match self.namespaces.waits_for().as_slice() {
                        // One namespace that cannot be watched must not take the webhook of all others out of service.
                        [] => match self.driver.silence_of_watches() {
                            None => ready.set_ready(),
                            Some(silence) => ready.set_waiting(format!(
                                "a sign of life of the watches of task Pods: all are silent for {} s",
                                silence.as_secs()
                            )),
                        },
                        waiting => ready.set_waiting(format!("the first list of {}", waiting.join(", "))),
                    },
                }
                tokio::time::sleep(READINESS_POLL).await;
            }
        };
        let work = |stop: Stop| async {
            let (for_runs, for_namespaces, for_pods) = (stop.clone(), stop.clone(), stop);
            tokio::join!(
                self.service.run(for_runs.requested()),
                self.namespaces.run(for_namespaces.requested()),
                self.sweeper.run(for_pods.requested()),
            );
        };
        tokio::select! {
            () = self.lease.run(shutdown.requested(), work) => Ok(()),
            () = watch => Ok(()),
        }
    }
}

fn hostname() -> String {
    std::fs::read_to_string("/etc/hostname").map_or_else(|_| "penstock".to_owned(), |name| name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::cluster::WebhookServiceArgs;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: WebhookServiceArgs,
    }

    fn inject_config(flags: &[&str]) -> Result<InjectConfig, String> {
        let line = ["test", "--launcher-image", "image"].iter().chain(flags);
        let WebhookServiceArgs { service, webhook } = Line::try_parse_from(line).expect("it is understood").args;
        webhook_settings(&service, webhook).map(|settings| settings.inject).map_err(|refusal| format!("{refusal:?}"))
    }

    #[test]
    fn i31_a_launcher_is_not_given_more_memory_than_its_limit() {
        let error = inject_config(&["--launcher-memory", "256Mi"]).expect_err("the limit is less by default");
        assert!(error.contains("--launcher-memory-limit 128Mi"), "{error}");
        let flags = ["--launcher-memory", "1Gi", "--launcher-memory-limit", "1024Mi"];
        assert_eq!(inject_config(&flags).expect("they are the same").resources.memory_request, "1Gi");
    }

    #[test]
    fn launchers_are_told_what_their_operator_says() {
        assert_eq!(inject_config(&[]).expect("defaults").environment, []);
        let flags = ["--launcher-transfer-budget", "30m", "--launcher-log", "debug", "--launcher-log-format", "json"];
        let expected = [
            (keys::ENV_LAUNCHER_TRANSFER_BUDGET, "1800".to_owned()),
            (keys::ENV_LAUNCHER_LOG, "debug".to_owned()),
            (keys::ENV_LAUNCHER_LOG_FORMAT, "json".to_owned()),
        ];
        assert_eq!(inject_config(&flags).expect("settings").environment, expected);
    }
}
