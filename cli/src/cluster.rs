//! The connection to a cluster, found as kubectl finds it.

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use penstock_driver::{KubernetesSettings, PodSettings};
use penstock_runtime::logs::chain;

use crate::args::cluster::{ClusterArgs, PodArgs};
use crate::failure::Refusal;

/// A cluster, and the namespace that the user works in.
#[derive(Clone)]
pub(crate) struct Cluster {
    pub(crate) client: Client,
    pub(crate) namespace: String,
}

/// Reads how the cluster is reached. Nothing is sent yet.
pub(crate) async fn connect(args: &ClusterArgs, namespace: Option<&str>) -> Result<Cluster, Refusal> {
    let mut config = configuration(args).await?;
    // Whoever asks has retries of its own, which end (R12); those of the client go on for a quarter of an hour.
    config.default_retry = false;
    let namespace = namespace.map_or_else(|| config.default_namespace.clone(), str::to_owned);
    let client = Client::try_from(config).map_err(|error| {
        Refusal::new(format!("cannot set up the connection to the cluster: {error}"))
            .with_hint("check the kubeconfig with: kubectl version")
    })?;
    Ok(Cluster { client, namespace })
}

/// How a driver uses the cluster.
pub(crate) fn kubernetes_settings(cluster: Cluster, args: &PodArgs, task_pods: PodSettings) -> KubernetesSettings {
    let mut settings = KubernetesSettings::new(cluster.client, cluster.namespace);
    settings.timeouts.pending = args.pending_timeout;
    settings.timeouts.start = args.start_timeout;
    settings.timeouts.image = args.image_timeout;
    settings.keep_failed = args.keep_failed;
    settings.volumes = args.volumes.settings();
    settings.pod = task_pods;
    settings
}

async fn configuration(args: &ClusterArgs) -> Result<Config, Refusal> {
    let ClusterArgs { kubeconfig, context } = args;
    let options = KubeConfigOptions { context: context.clone(), ..KubeConfigOptions::default() };
    if let Some(file) = kubeconfig {
        let refuse = |reason: String| Refusal::new(format!("cannot use --kubeconfig {}: {reason}", file.display()));
        let read = Kubeconfig::read_from(file).map_err(|error| refuse(chain(&error)))?;
        return Config::from_custom_kubeconfig(read, &options).await.map_err(|error| refuse(chain(&error)));
    }
    if context.is_some() {
        return Config::from_kubeconfig(&options)
            .await
            .map_err(|error| Refusal::new(format!("cannot use --context: {}", chain(&error))));
    }
    Config::infer().await.map_err(|error| {
        Refusal::new(format!("there is no cluster to be found: {}", chain(&error)))
            .with_hint("name a kubeconfig with --kubeconfig, or set KUBECONFIG")
    })
}
