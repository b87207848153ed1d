//! What all commands need: where data is, which stores there are, how output looks.

use std::io::IsTerminal;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use penstock_driver::{
    BackendKind, Driver, DriverSettings, KubernetesSettings, PodSettings, RunOptions, StoreEndpoints,
};
use penstock_metastore::{Metastore, MetastoreError, RunRow, StoreLocation};
use penstock_objectstore::{LocalAccess, S3Credentials, S3Settings, StoreSettings, Stores, Transfer, TransferSettings};
use uuid::Uuid;

use crate::args::cluster::{ClusterArgs, PodArgs};
use crate::args::database;
use crate::args::schedule::ImportArgs;
use crate::args::server::ServerArgs;
use crate::args::{ColorChoice, Environment, ExecutionArgs, GlobalArgs, StorageArgs};
use crate::cluster;
use crate::failure::Refusal;
use crate::live::Notices;
use crate::python;
use crate::remote::client::{Client, Trust};
use crate::remote::place::Named;
use crate::remote::token::{Token, TokenText};

/// What all commands need.
#[derive(Debug)]
pub(crate) struct Context {
    /// Runs, artifacts, logs, environments.
    pub(crate) data_dir: PathBuf,
    /// Whether standard output is colored.
    pub(crate) color_out: bool,
    /// Whether standard error is colored.
    pub(crate) color_err: bool,
    /// Whether the terminal cannot move its cursor.
    pub(crate) dumb_terminal: bool,
    /// Where warnings go.
    pub(crate) notices: Notices,
    /// Which cluster, where one is needed.
    pub(crate) cluster: ClusterArgs,
    /// Variables of an HTTP proxy that this process was started with.
    pub(crate) proxy: Vec<(String, String)>,
    server: ServerArgs,
    /// Where in it, if several use it.
    namespace: Option<String>,
    token: Option<TokenText>,
    import_token: Option<TokenText>,
    /// Where the metastore is, if it is not in the data directory.
    store: Option<StoreLocation>,
    stores: StoreSettings,
    virtual_env: Option<PathBuf>,
}

impl Context {
    /// Puts flags and environment together.
    pub(crate) fn new(global: GlobalArgs, environment: Environment, notices: Notices) -> anyhow::Result<Context> {
        let GlobalArgs { color, log_level: _, server, storage, cluster } = global;
        let StorageArgs { data_dir, database_url, s3_endpoint, s3_region, s3_path_style, s3_ca_file, s3_anonymous } =
            storage;
        let data_dir = data_dir.or_else(|| environment.default_data_dir()).ok_or_else(|| {
            Refusal::new("there is no place for data: HOME is not set").with_hint("name a directory with --data-dir")
        })?;
        let data_dir = std::path::absolute(&data_dir)
            .with_context(|| format!("cannot use the data directory {}", data_dir.display()))?;
        let store = database::store(database_url.as_ref(), environment.database_url.as_ref())?;
        let colored = |terminal: bool| match color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => terminal && !environment.no_color && !environment.dumb_terminal,
        };
        let s3 = S3Settings {
            path_style: s3_path_style,
            endpoint: s3_endpoint,
            region: s3_region,
            ca_file: s3_ca_file,
            credentials: match environment.store_profile {
                _ if s3_anonymous => S3Credentials::Anonymous,
                // Whoever replaces it does not have to start us anew.
                Some(file) => S3Credentials::Profile(file),
                None => S3Credentials::Chain,
            },
            ..S3Settings::default()
        };
        // KFP writes minio:// for the S3 server that comes with it, whichever that is.
        let minio = s3.endpoint.is_some().then(|| s3.clone());
        Ok(Context {
            color_out: colored(std::io::stdout().is_terminal()),
            color_err: colored(std::io::stderr().is_terminal()),
            dumb_terminal: environment.dumb_terminal,
            notices,
            cluster,
            proxy: environment.proxy,
            stores: StoreSettings { local: LocalAccess::Anywhere, minio, s3, ..StoreSettings::default() },
            virtual_env: environment.virtual_env,
            server,
            namespace: None,
            token: environment.token,
            import_token: environment.import_token,
            store,
            data_dir,
        })
    }

    /// For a namespace of the server.
    pub(crate) fn within(self, namespace: Option<String>) -> Context {
        Context { namespace, ..self }
    }

    /// The server to work against, unless it is the data directory.
    pub(crate) fn server(&self) -> anyhow::Result<Option<Client>> {
        let ServerArgs { server, token_file, ca_file } = &self.server;
        let Some(url) = server.as_deref().filter(|url| !url.is_empty()) else { return Ok(None) };
        let token = Token::find(token_file.as_deref(), self.token.as_ref(), "PENSTOCK_TOKEN")?;
        let trust = ca_file.as_deref().map_or(Trust::System, Trust::Authorities);
        let client = Client::new(url, Named::Server, token.as_ref(), trust)?;
        Ok(Some(client.within(self.namespace.as_deref())))
    }

    /// The server that things are imported from.
    pub(crate) fn import_source(&self, args: &ImportArgs) -> anyhow::Result<Client> {
        let token = Token::find(args.from_token_file.as_deref(), self.import_token.as_ref(), "PENSTOCK_FROM_TOKEN")?;
        let trust = args.from_ca_file.as_deref().map_or(Trust::System, Trust::Authorities);
        let client = Client::new(&args.from, Named::Source, token.as_ref(), trust)?;
        Ok(client.within(args.from_namespace.as_deref()))
    }

    /// Where a driver of this process looks for what tasks store.
    pub(crate) fn store_endpoints(&self) -> StoreEndpoints {
        StoreEndpoints::of(&self.stores)
    }

    /// The interpreter for compiling and for tasks.
    pub(crate) fn python(&self, asked: Option<&Path>) -> PathBuf {
        python::interpreter(asked.map(Path::to_owned), self.virtual_env.clone())
    }

    /// Settings of a driver for runs of this machine, and of a cluster if there is one.
    pub(crate) fn driver_settings(
        &self,
        execution: &ExecutionArgs,
        kubernetes: Option<KubernetesSettings>,
    ) -> DriverSettings {
        let ExecutionArgs { concurrency, python, grace } = execution;
        let processors =
            || std::thread::available_parallelism().map_or(1, |count| u32::try_from(count.get()).unwrap_or(u32::MAX));
        DriverSettings {
            data_dir: self.data_dir.clone(),
            store: self.store.clone(),
            default_root: None,
            stores: self.stores.clone(),
            concurrency: concurrency.map_or_else(processors, NonZeroU32::get),
            python: Some(self.python(python.as_deref())),
            grace: *grace,
            kubernetes,
        }
    }

    /// A driver with these settings.
    pub(crate) async fn driver(
        &self,
        execution: &ExecutionArgs,
        kubernetes: Option<KubernetesSettings>,
    ) -> anyhow::Result<Driver> {
        Ok(Driver::open(self.driver_settings(execution, kubernetes)).await?)
    }

    /// A driver that can go on with a run: it has a cluster if the run's tasks are Pods. And the run that the user means.
    pub(crate) async fn driver_of(
        &self,
        selector: &str,
        execution: &ExecutionArgs,
        pods: &PodArgs,
        task_pods: PodSettings,
    ) -> anyhow::Result<(Driver, Uuid)> {
        let (metastore, run) = self.find_run(selector).await?;
        let row = metastore.run(run).await?;
        metastore.close().await;
        let kubernetes = match is_on_kubernetes(&row) {
            true => {
                let cluster = cluster::connect(&self.cluster, Some(&row.info.namespace)).await?;
                Some(cluster::kubernetes_settings(cluster, pods, task_pods))
            }
            false => None,
        };
        Ok((self.driver(execution, kubernetes).await?, run))
    }

    /// The metastore, for commands that only look; `None` if nothing ever ran here.
    pub(crate) async fn metastore(&self) -> anyhow::Result<Option<Metastore>> {
        let store = match &self.store {
            Some(store) => store.clone(),
            None => {
                let path = self.data_dir.join("penstock.db");
                if !path.exists() {
                    return Ok(None);
                }
                StoreLocation::Sqlite(path)
            }
        };
        let metastore = Metastore::open(&store).await.with_context(|| format!("cannot open the metastore {store}"))?;
        Ok(Some(metastore))
    }

    /// The metastore and the run that the user means.
    pub(crate) async fn find_run(&self, selector: &str) -> anyhow::Result<(Metastore, Uuid)> {
        let Some(metastore) = self.metastore().await? else {
            return Err(Refusal::new(format!("there is no run {selector}: nothing has run yet"))
                .with_hint(format!("data is looked for in {} (--data-dir)", self.data_dir.display()))
                .into());
        };
        let run = resolve(&metastore, selector).await?;
        Ok((metastore, run))
    }

    /// The object stores that runs use.
    pub(crate) fn stores(&self) -> anyhow::Result<Stores> {
        Stores::new(self.stores.clone()).context("cannot set up the object stores")
    }

    /// The transfer engine over the same stores that runs use.
    pub(crate) fn transfer(&self) -> anyhow::Result<Transfer> {
        Ok(Transfer::new(self.stores()?.into(), TransferSettings::default()))
    }
}

/// How a run is carried out. Options of a newer build are unknown here; what they do not say has its default.
pub(crate) fn options(row: &RunRow) -> RunOptions {
    serde_json::from_value(row.options.clone()).unwrap_or_default()
}

/// Whether the tasks of a run are Pods.
pub(crate) fn is_on_kubernetes(row: &RunRow) -> bool {
    options(row).backend == BackendKind::Kubernetes
}

/// The run that the user means.
pub(crate) async fn resolve(metastore: &Metastore, selector: &str) -> anyhow::Result<Uuid> {
    match metastore.resolve_run(None, selector).await {
        Ok(run) => Ok(run),
        Err(
            error @ (MetastoreError::UnknownRun { .. }
            | MetastoreError::AmbiguousRun { .. }
            | MetastoreError::NoSuchRun { .. }
            | MetastoreError::NoRuns),
        ) => {
            let refusal = Refusal::new(error.to_string()).with_hint("`penstock list` shows the runs");
            Err(anyhow::Error::from(error).context(refusal))
        }
        Err(error) => Err(error.into()),
    }
}
