//! The service under a Lease: the one that loses it stops, and the other takes over.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use kube::api::{DeleteParams, PostParams};
use kube::{Api, Client, Config};
use penstock_driver::service::{
    KubernetesLease, LeaseHolder, LeaseRecord, LeaseSettings, LeaseStanding, LeaseStore, LeaseStoreError, Service,
    ServiceMetrics,
};
use prometheus::Registry;
use rstest::rstest;
use serde_json::json;
use tokio::sync::Mutex;

use crate::database::Database;
use crate::double::{Double, Manner, settings};
use crate::real_cluster::kubeconfig;
use crate::until;

/// A Lease in memory, and one process's way to it.
#[derive(Clone)]
struct Path {
    lease: Arc<Mutex<Option<LeaseRecord>>>,
    cut: Arc<AtomicBool>,
}

impl Path {
    fn new() -> Path {
        Path { lease: Arc::default(), cut: Arc::default() }
    }

    fn of_another_process(&self) -> Path {
        Path { cut: Arc::default(), ..self.clone() }
    }

    fn answer<T>(&self, value: T) -> Result<T, LeaseStoreError> {
        if self.cut.load(Ordering::Relaxed) {
            return Err(LeaseStoreError::Failed { what: "reach it".to_owned(), reason: "cut off".to_owned() });
        }
        Ok(value)
    }
}

#[async_trait]
impl LeaseStore for Path {
    async fn read(&self) -> Result<Option<LeaseRecord>, LeaseStoreError> {
        self.answer(self.lease.lock().await.clone())
    }

    async fn write(&self, record: &LeaseRecord) -> Result<LeaseRecord, LeaseStoreError> {
        self.answer(())?;
        let mut stored = self.lease.lock().await;
        if stored.as_ref().map_or("", |stored| stored.version.as_str()) != record.version {
            return Err(LeaseStoreError::Conflict);
        }
        let version = uuid::Uuid::new_v4().to_string();
        Ok(stored.insert(LeaseRecord { version, ..record.clone() }).clone())
    }
}

fn quick(identity: &str) -> LeaseSettings {
    LeaseSettings {
        duration: Duration::from_millis(1500),
        interval: Duration::from_millis(200),
        request_timeout: Duration::from_millis(500),
        ..LeaseSettings::new(identity)
    }
}

fn serve(double: &Double, store: Arc<dyn LeaseStore>, identity: &str) -> impl Future<Output = ()> + use<> {
    let metrics = ServiceMetrics::new(&Registry::new()).unwrap();
    let service = Service::new(double.store.clone(), Arc::new(double.clone()), settings(), metrics);
    let holder = LeaseHolder::new(store, quick(identity));
    async move {
        let work = |stop: penstock_driver::service::Stop| {
            let service = service.clone();
            async move { service.run(stop.requested()).await }
        };
        holder.run(std::future::pending(), work).await;
    }
}

/// F-36, F-45.
#[rstest]
#[tokio::test]
async fn f36_driver_that_loses_the_lease_stops_and_the_other_takes_over(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let Some(one) = Double::new(database).await else { return };
    let two = one.other();
    let run = one.run(1, "kubernetes", Manner::Hang).await;
    two.set(run, Manner::Hang);
    let path = Path::new();
    let other = path.of_another_process();
    let first = tokio::spawn(serve(&one, Arc::new(path.clone()), "one"));
    until("the first drives", async || one.at_work().contains(&run)).await;
    let second = tokio::spawn(serve(&two, Arc::new(other), "two"));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(two.at_work().is_empty() && one.at_work().contains(&run), "the second only waits");
    path.cut.store(true, Ordering::Relaxed);
    let cut = Instant::now();
    while !two.at_work().contains(&run) {
        assert!(cut.elapsed() < Duration::from_secs(30), "nobody takes over");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    println!("taken over after {:?}", cut.elapsed());
    assert!(one.at_work().is_empty(), "both drive");
    two.set(run, Manner::End);
    first.abort();
    second.abort();
}

/// A Lease object of a real cluster, when there is one.
#[tokio::test]
async fn real_lease_is_held_by_one_and_given_to_the_next() {
    let Some(path) = kubeconfig("real_lease_is_held_by_one_and_given_to_the_next") else { return };
    let kubeconfig = kube::config::Kubeconfig::read_from(path).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &kube::config::KubeConfigOptions::default()).await.unwrap();
    let client = Client::try_from(config).unwrap();
    let namespace = format!("lease-{}", std::process::id());
    let namespaces = Api::<k8s_openapi::api::core::v1::Namespace>::all(client.clone());
    let object = serde_json::from_value(json!({"metadata": {"name": namespace}})).unwrap();
    namespaces.create(&PostParams::default(), &object).await.unwrap();

    let holder = |identity: &str| {
        let store = KubernetesLease::new(client.clone(), &namespace, "penstock-driver");
        Arc::new(LeaseHolder::new(Arc::new(store), quick(identity)))
    };
    let (one, two) = (holder("one"), holder("two"));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let working = Arc::clone(&one);
    let first = tokio::spawn(async move {
        working.run(async move { drop(stopped.await) }, |stop| stop.requested()).await;
    });
    until("the first holds it", async || *one.standing().borrow() == LeaseStanding::Holding).await;
    let working = Arc::clone(&two);
    let second = tokio::spawn(async move { working.run(std::future::pending(), |stop| stop.requested()).await });
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(*one.standing().borrow(), LeaseStanding::Holding);
    assert_eq!(*two.standing().borrow(), LeaseStanding::Waiting);
    let leases = Api::<k8s_openapi::api::coordination::v1::Lease>::namespaced(client.clone(), &namespace);
    let spec = leases.get("penstock-driver").await.unwrap().spec.unwrap();
    assert_eq!((spec.holder_identity.as_deref(), spec.lease_transitions), (Some("one"), Some(0)));

    // A label that somebody sets meanwhile costs nothing.
    let label = kube::api::Patch::Merge(json!({"metadata": {"labels": {"seen": "yes"}}}));
    leases.patch("penstock-driver", &kube::api::PatchParams::default(), &label).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(*one.standing().borrow(), LeaseStanding::Holding);

    stop.send(()).unwrap();
    first.await.unwrap();
    until("the second holds it", async || *two.standing().borrow() == LeaseStanding::Holding).await;
    let spec = leases.get("penstock-driver").await.unwrap().spec.unwrap();
    assert_eq!((spec.holder_identity.as_deref(), spec.lease_transitions), (Some("two"), Some(1)));
    second.abort();
    namespaces.delete(&namespace, &DeleteParams::default()).await.unwrap();
}
