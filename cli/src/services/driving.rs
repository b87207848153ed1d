//! The driver as a service: it works while the lease is its own.

use std::sync::Arc;
use std::time::Duration;

use penstock_driver::namespaces::{NamespaceController, NamespaceControllerSettings};
use penstock_driver::service::{
    KubernetesLease, LeaseHolder, LeaseSettings, LeaseStanding, PodSweeper, SWEEP_INTERVAL, Service, ServiceMetrics,
    ServiceSettings, Stop,
};
use penstock_driver::{BackendKind, Driver, Presence};
use penstock_runtime::health::Health;
use penstock_runtime::shutdown::Shutdown;
use prometheus::Registry;

use crate::args::cluster::{DriverArgs, ServiceArgs};
use crate::context::Context;

/// Time between two looks whether the controllers have seen everything.
const READINESS_POLL: Duration = Duration::from_millis(200);

/// The driver with what it looks after.
pub(super) struct Driving {
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
    /// What an opened driver needs to be a service.
    pub(super) fn new(
        context: &Context,
        service: &ServiceArgs,
        args: DriverArgs,
        driver: Driver,
        client: kube::Client,
        registry: &Registry,
        health: &Health,
    ) -> anyhow::Result<Driving> {
        let identity = format!("{}-{}", hostname(), uuid::Uuid::new_v4().simple());
        // What Pods are like is said to whoever opened the driver.
        let DriverArgs { store_endpoint, store_ca_config_map, runs, lease, pods: _, task_pods: _ } = args;
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
    pub(super) async fn run(self, shutdown: Shutdown) -> anyhow::Result<()> {
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
