//! The API over a driver's store, and what fires recurring runs.
//!
//! Of several processes over one store each answers requests and fires what is due: the store settles who was first. Only
//! driving is for one of them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use jiff::tz::TimeZone;
use penstock_apiserver::auth::AccessSettings;
use penstock_apiserver::import::Importer;
use penstock_apiserver::listing::TokenKey;
use penstock_apiserver::notifications::{NotificationMetrics, NotificationRules};
use penstock_apiserver::retention::{RetentionMetrics, RetentionPolicy};
use penstock_apiserver::{Api, ApiSettings};
use penstock_driver::Driver;
use penstock_driver::doctor::GlanceAt;
use penstock_runtime::health::Health;
use penstock_runtime::logs::chain;
use penstock_runtime::shutdown::Shutdown;
use prometheus::Registry;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::serving::{CertificateService, Serving};
use super::{Ended, spawn};
use crate::args::access::{AccessArgs, Listening};
use crate::args::api::ImportArgs;
use crate::args::records::RecordsArgs;
use crate::failure::Refusal;
use crate::live_logs::AttemptLogs;
use crate::live_pods::AttemptPods;
use crate::submission::{DriverSubmission, TaskPlace};
use crate::system::DriverChecks;

/// Opens a listener of the API, if it may be.
pub(crate) async fn listen(access: &AccessArgs, listening: &Listening) -> anyhow::Result<TcpListener> {
    access.check(listening)?;
    let Listening { flag, address, .. } = listening;
    TcpListener::bind(address).await.map_err(|error| {
        let text = format!("cannot listen on {address}: {error}");
        Refusal::new(text).with_hint(format!("name another address with {flag}; port 0 takes a free one")).into()
    })
}

/// What an API is told that is not the driver's.
pub(crate) struct ApiSetup {
    /// Who may ask for what.
    pub(crate) access: AccessSettings,
    /// The time zone of cron expressions.
    pub(crate) time_zone: TimeZone,
    /// How it is served.
    pub(crate) serving: Serving,
    /// What the process needs to be ready.
    pub(crate) health: Health,
    /// From where pipelines may be imported by URL.
    pub(crate) import: ImportArgs,
    /// What page tokens are signed with; a secret of the store when absent, which is the same in all replicas.
    pub(crate) token_key_file: Option<PathBuf>,
    /// Where requests and notifications are counted.
    pub(crate) registry: Registry,
    /// What runs take from the cache, and whom to tell what happens.
    pub(crate) records: RecordsArgs,
    /// How long runs are kept; for good, when absent.
    pub(crate) retention: Option<RetentionPolicy>,
    /// Where tasks of submitted runs are carried out.
    pub(crate) place: TaskPlace,
    /// The cluster that tasks run on.
    pub(crate) cluster: Option<GlanceAt>,
}

/// The API, ready to be served.
pub(crate) struct ApiService {
    api: Api,
    listener: TcpListener,
    address: SocketAddr,
    certificate: Option<CertificateService>,
    notifications: Option<(Arc<NotificationRules>, NotificationMetrics)>,
    retention: Option<(RetentionPolicy, RetentionMetrics)>,
}

impl ApiService {
    /// Over the store of a driver, which makes the runs; whether it also drives them is not of interest.
    pub(crate) async fn new(driver: &Driver, listener: TcpListener, setup: ApiSetup) -> anyhow::Result<ApiService> {
        let ApiSetup {
            access,
            time_zone,
            serving,
            health,
            import,
            token_key_file,
            registry,
            records,
            retention,
            place,
            cluster,
        } = setup;
        let Serving { tls, link_endpoint } = serving;
        let certificate = tls.map(|tls| tls.service(&registry, &health)).transpose()?;
        let address = listener.local_addr().context("cannot read the address of the API")?;
        let token_key = match token_key_file {
            Some(file) => TokenKey::of_file_or_new(&file)?,
            None => {
                let secret = driver.metastore().page_token_secret().await;
                TokenKey::of_secret(secret.context("cannot read the key of page tokens")?.as_bytes())
            }
        };
        let notifications = match records.notification_rules()? {
            Some(rules) => Some((rules, NotificationMetrics::new(&registry).context("cannot count notifications")?)),
            None => None,
        };
        let retention = match retention {
            Some(policy) => {
                Some((policy, RetentionMetrics::new(&registry).context("cannot count runs that are deleted")?))
            }
            None => None,
        };
        let settings = ApiSettings {
            own_namespace: place.namespace().to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            access,
            stores: Some(Arc::clone(driver.transfer().stores())),
            schedule_zone: Some(time_zone),
            live_logs: Some(Arc::new(AttemptLogs::new(driver.clone()))),
            live_pods: Some(Arc::new(AttemptPods::new(driver.clone()))),
            token_key: Some(token_key),
            importer: importer(import)?,
            link_endpoint,
            registry,
            cache: records.cache(),
            system: Some(Arc::new(DriverChecks::new(driver.clone(), cluster))),
            notifications: notifications.as_ref().map(|(rules, _)| Arc::clone(rules)),
            ..ApiSettings::default()
        };
        let submission = Arc::new(DriverSubmission::new(driver.clone(), place));
        let api = Api::new(settings, driver.metastore().clone(), submission).await.context("cannot set up the API")?;
        Ok(ApiService { api, listener, address, certificate, notifications, retention })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL, by its address.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.certificate.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Answers requests and fires recurring runs, beside the other services of the process.
    pub(crate) fn spawn(self, services: &mut JoinSet<Ended>, shutdown: &Shutdown) {
        let ApiService { api, listener, address, certificate, notifications, retention } = self;
        tracing::info!(%address, tls = certificate.is_some(), "the API is served");
        let (of_schedules, ending) = (api.clone(), shutdown.clone());
        spawn(services, "schedules of recurring runs", async move {
            penstock_apiserver::schedules::run(of_schedules, ending).await;
            Ok(())
        });
        // They end by themselves, long before the process, and are no services that have to go on.
        tokio::spawn(penstock_apiserver::input_records::run(api.clone(), shutdown.clone()));
        tokio::spawn(penstock_apiserver::value_records::run(api.clone(), shutdown.clone()));
        if let Some((rules, metrics)) = notifications {
            let (of_notifications, ending) = (api.clone(), shutdown.clone());
            spawn(services, "notifications", async move {
                penstock_apiserver::notifications::run(of_notifications, rules, metrics, ending).await;
                Ok(())
            });
        }
        if let Some((policy, metrics)) = retention {
            let (of_runs, ending) = (api.clone(), shutdown.clone());
            spawn(services, "garbage collection of runs", async move {
                penstock_apiserver::retention::run(of_runs, policy, metrics, ending).await;
                Ok(())
            });
        }
        let tls = certificate.map(|certificate| certificate.spawn(services, shutdown));
        let ending = shutdown.clone();
        spawn(services, "API", async move {
            match tls {
                Some(tls) => penstock_apiserver::serve_tls(listener, tls, api, ending).await,
                None => penstock_apiserver::serve(listener, api, ending).await,
            }
            Ok(())
        });
    }
}

/// None unless it is said from where: a server that fetches is one that can be sent somewhere (T-09).
fn importer(args: ImportArgs) -> anyhow::Result<Option<Importer>> {
    let ImportArgs { import_from: rules, import_ca_file } = args;
    if rules.is_empty() {
        return Ok(None);
    }
    let Some(file) = import_ca_file else {
        return Importer::new(rules).map(Some).context("cannot import by URL (--import-from)");
    };
    let unusable = |reason: &dyn std::fmt::Display| {
        Refusal::new(format!("cannot use --import-ca-file {}: {reason}", file.display()))
    };
    let authorities = std::fs::read(&file).map_err(|error| unusable(&error))?;
    let importer = Importer::trusting(rules, Some(&authorities));
    importer.map(Some).map_err(|error| unusable(&chain(&error)).into())
}
