//! Against a real API server, where one is given: with an account that has exactly the rights that
//! the controller needs (T-06).

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures::FutureExt;
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::authorization::v1::SelfSubjectAccessReview;
use k8s_openapi::api::core::v1::{ConfigMap, Event, Namespace, Pod, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::DynamicObject;
use kube::{Api, Client, Config, ResourceExt};
use penstock_driver::namespaces::reconcile::OwnKind;
use penstock_driver::namespaces::{NamespaceController, NamespaceControllerSettings, NamespaceState};
use penstock_spec::keys;
use prometheus::Registry;
use serde_json::{Value, json};

use crate::real_cluster::kubeconfig;

/// The rights of the controller, and nothing else. Server-side apply asks for the right to create by name, so that even
/// creating is bounded by names.
fn rights() -> Value {
    let named = |group: &str, resource: &str, name: &str| {
        json!({"apiGroups": [group], "resources": [resource], "resourceNames": [name],
               "verbs": ["get", "list", "watch", "create", "patch", "delete"]})
    };
    json!([
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [keys::KFP_LAUNCHER_CONFIG_MAP],
         "verbs": ["get", "list", "watch"]},
        named("", "configmaps", keys::SETTINGS_CONFIG_MAP),
        named("", "serviceaccounts", keys::TASK_SERVICE_ACCOUNT),
        named("rbac.authorization.k8s.io", "roles", keys::TASK_ROLE),
        named("rbac.authorization.k8s.io", "rolebindings", keys::TASK_ROLE),
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "patch"]},
        {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create"]},
    ])
}

struct Cluster {
    config: Config,
    admin: Client,
    team: String,
    system: String,
}

impl Cluster {
    async fn connect(test: &str) -> Option<Cluster> {
        let path = kubeconfig(test)?;
        let kubeconfig = Kubeconfig::read_from(path).unwrap();
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        let admin = Client::try_from(config.clone()).unwrap();
        let id = std::process::id();
        Some(Cluster { config, admin, team: format!("namespaces-{id}"), system: format!("namespaces-{id}-system") })
    }

    async fn create<K>(&self, api: Api<K>, content: Value)
    where
        K: kube::Resource + Clone + std::fmt::Debug + serde::Serialize + serde::de::DeserializeOwned,
    {
        let object: K = serde_json::from_value(content).unwrap();
        api.create(&PostParams::default(), &object).await.unwrap();
    }

    /// A client with the token of an account, and with nothing else of ours.
    async fn as_account(&self, namespace: &str, account: &str) -> Client {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.admin.clone(), namespace);
        let request: TokenRequest =
            serde_json::from_value(json!({"spec": {"audiences": [], "expirationSeconds": 3600}})).unwrap();
        let token = accounts.create_token_request(account, &PostParams::default(), &request).await.unwrap();
        let mut config = self.config.clone();
        config.auth_info = kube::config::AuthInfo {
            token: Some(token.status.unwrap().token.into()),
            ..kube::config::AuthInfo::default()
        };
        Client::try_from(config).unwrap()
    }

    /// An account with the controller's rights.
    async fn controller_account(&self) -> Client {
        for name in [&self.system, &self.team] {
            self.create(Api::<Namespace>::all(self.admin.clone()), json!({"metadata": {"name": name}})).await;
        }
        let accounts = Api::<ServiceAccount>::namespaced(self.admin.clone(), &self.system);
        self.create(accounts, json!({"metadata": {"name": "driver"}})).await;
        let name = json!({"name": self.system});
        let roles = Api::<ClusterRole>::all(self.admin.clone());
        self.create(roles, json!({"metadata": name, "rules": rights()})).await;
        let bindings = Api::<ClusterRoleBinding>::all(self.admin.clone());
        let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": self.system});
        let subjects = json!([{"kind": "ServiceAccount", "name": "driver", "namespace": self.system}]);
        self.create(bindings, json!({"metadata": name, "roleRef": role, "subjects": subjects})).await;
        self.as_account(&self.system, "driver").await
    }

    async fn clean_up(&self) {
        let parameters = DeleteParams::default();
        for name in [&self.system, &self.team] {
            drop(Api::<Namespace>::all(self.admin.clone()).delete(name, &parameters).await);
        }
        drop(Api::<ClusterRoleBinding>::all(self.admin.clone()).delete(&self.system, &parameters).await);
        drop(Api::<ClusterRole>::all(self.admin.clone()).delete(&self.system, &parameters).await);
    }

    async fn patch_team(&self, metadata: Value) {
        let patch = Patch::Merge(json!({"metadata": metadata}));
        Api::<Namespace>::all(self.admin.clone()).patch(&self.team, &PatchParams::default(), &patch).await.unwrap();
    }

    fn own(&self, kind: OwnKind) -> Api<DynamicObject> {
        Api::namespaced_with(self.admin.clone(), &self.team, &kind.resource())
    }

    async fn version(&self, kind: OwnKind) -> Option<String> {
        self.own(kind).get_opt(kind.object_name()).await.unwrap().and_then(|object| object.resource_version())
    }

    async fn versions(&self) -> Vec<Option<String>> {
        let mut versions = Vec::new();
        for kind in OwnKind::ALL {
            versions.push(self.version(kind).await);
        }
        versions
    }

    async fn may(&self, client: &Client, verb: &str, resource: &str, subresource: &str) -> bool {
        let group = if resource.starts_with("role") { "rbac.authorization.k8s.io" } else { "" };
        let review: SelfSubjectAccessReview = serde_json::from_value(json!({"spec": {"resourceAttributes": {
            "namespace": self.team, "verb": verb, "group": group, "resource": resource, "subresource": subresource,
        }}}))
        .unwrap();
        let review = Api::all(client.clone()).create(&PostParams::default(), &review).await.unwrap();
        review.status.unwrap().allowed
    }
}

async fn until<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) -> Duration {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < Duration::from_secs(60), "not within 60 s: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("{what}: {:?}", start.elapsed());
    start.elapsed()
}

#[tokio::test]
async fn real_namespace_is_made_kept_and_cleared() {
    let Some(cluster) = Cluster::connect("real_namespace_is_made_kept_and_cleared").await else { return };
    let result = AssertUnwindSafe(scenario(&cluster)).catch_unwind().await;
    cluster.clean_up().await;
    if let Err(panic) = result {
        std::panic::resume_unwind(panic);
    }
}

async fn scenario(cluster: &Cluster) {
    let account = cluster.controller_account().await;
    let settings = NamespaceControllerSettings {
        only: vec![cluster.team.clone()],
        instance: "namespaces-test".to_owned(),
        ..NamespaceControllerSettings::default()
    };
    let controller = NamespaceController::new(account, settings, &Registry::new()).unwrap();
    let working = controller.clone();
    let task = tokio::spawn(async move { working.run(std::future::pending()).await });
    let state = || controller.status().get(&cluster.team).map(|status| status.state);

    cluster.patch_team(json!({"labels": {keys::LABEL_NAMESPACE: "enabled"}})).await;
    until("everything is there", async || cluster.versions().await.iter().all(Option::is_some)).await;
    until("ready", async || state() == Some(NamespaceState::Ready)).await;
    assert!(controller.waits_for().is_empty());

    let before = cluster.versions().await;
    cluster.patch_team(json!({"annotations": {"looked-at": "again"}})).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(cluster.versions().await, before, "nothing differs, so nothing is written");

    puts_back(cluster).await;
    narrow_account(cluster).await;
    tells(cluster, &controller).await;
    clears(cluster, &controller).await;
    task.abort();
}

/// Within seconds.
async fn puts_back(cluster: &Cluster) {
    for kind in OwnKind::ALL {
        cluster.own(kind).delete(kind.object_name(), &DeleteParams::default()).await.unwrap();
        let what = format!("{} is back", kind.word());
        let took = until(&what, async || cluster.version(kind).await.is_some()).await;
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
    let roles = Api::<Role>::namespaced(cluster.admin.clone(), &cluster.team);
    let wide = json!({"rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]});
    roles.patch(keys::TASK_ROLE, &PatchParams::default(), &Patch::Merge(wide)).await.unwrap();
    let narrow = async || {
        let rules = roles.get(keys::TASK_ROLE).await.unwrap().rules.unwrap_or_default();
        rules.len() == 1 && rules[0].verbs == ["patch"] && rules[0].resources == Some(vec!["pods".to_owned()])
    };
    until("the role is narrow again", narrow).await;
    let bindings = Api::<RoleBinding>::namespaced(cluster.admin.clone(), &cluster.team);
    bindings.delete(keys::TASK_ROLE, &DeleteParams::default()).await.unwrap();
    let other: RoleBinding = serde_json::from_value(json!({
        "metadata": {"name": keys::TASK_ROLE},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
    }))
    .unwrap();
    // Whoever is faster: either it is made while ours is away, or ours is back already.
    let _ = bindings.create(&PostParams::default(), &other).await;
    until("the binding is ours", async || {
        bindings.get_opt(keys::TASK_ROLE).await.unwrap().is_some_and(|binding| binding.role_ref.kind == "Role")
    })
    .await;
}

/// T-06: what the account of tasks may do, and what not.
async fn narrow_account(cluster: &Cluster) {
    let task = cluster.as_account(&cluster.team, keys::TASK_SERVICE_ACCOUNT).await;
    assert!(cluster.may(&task, "patch", "pods", "").await);
    for verb in ["get", "list", "watch", "create", "update", "delete", "deletecollection"] {
        assert!(!cluster.may(&task, verb, "pods", "").await, "{verb} pods");
    }
    for subresource in ["status", "exec", "log", "ephemeralcontainers", "binding", "eviction"] {
        for verb in ["get", "create", "patch", "update"] {
            assert!(!cluster.may(&task, verb, "pods", subresource).await, "{verb} pods/{subresource}");
        }
    }
    for resource in ["secrets", "configmaps", "serviceaccounts", "roles", "rolebindings", "events", "namespaces"] {
        for verb in ["get", "list", "create", "patch", "update", "delete"] {
            assert!(!cluster.may(&task, verb, resource, "").await, "{verb} {resource}");
        }
    }
}

/// A configuration that cannot be read: the settings stay, and an Event says what is wrong.
async fn tells(cluster: &Cluster, controller: &NamespaceController) {
    let maps = Api::<ConfigMap>::namespaced(cluster.admin.clone(), &cluster.team);
    let settings = cluster.version(OwnKind::Settings).await;
    cluster
        .create(maps.clone(), json!({"metadata": {"name": "kfp-launcher"}, "data": {"providers": "s3: [what"}}))
        .await;
    let state = || controller.status().get(&cluster.team).map(|status| status.state);
    until("degraded", async || state() == Some(NamespaceState::Degraded)).await;
    let events = Api::<Event>::namespaced(cluster.admin.clone(), &cluster.team);
    let said = async || {
        let events = events.list(&ListParams::default()).await.unwrap().items;
        events.iter().any(|event| {
            event.involved_object.kind.as_deref() == Some("Namespace")
                && event.message.as_ref().is_some_and(|message| message.contains("key providers"))
        })
    };
    until("an Event says it", said).await;
    assert_eq!(cluster.version(OwnKind::Settings).await, settings);
    maps.delete("kfp-launcher", &DeleteParams::default()).await.unwrap();
    until("ready again", async || state() == Some(NamespaceState::Ready)).await;
}

/// Without the label: a Pod that still needs it keeps everything there.
async fn clears(cluster: &Cluster, controller: &NamespaceController) {
    let pods = Api::<Pod>::namespaced(cluster.admin.clone(), &cluster.team);
    let pod = json!({
        "metadata": {"name": "waits"},
        "spec": {"nodeSelector": {"no": "node"}, "containers": [{"name": "main", "image": "busybox:1.36"}]},
    });
    cluster.create(pods.clone(), pod).await;
    // Policies let nobody make a task's Pod by hand; any other Pod with a launcher counts as well.
    let label = Patch::Merge(json!({"metadata": {"labels": {keys::LABEL_INJECT: keys::INJECT_ENABLED}}}));
    pods.patch("waits", &PatchParams::default(), &label).await.unwrap();
    cluster.patch_team(json!({"labels": {keys::LABEL_NAMESPACE: null}})).await;
    let state = || controller.status().get(&cluster.team).map(|status| status.state);
    until("it waits for the Pod", async || state() == Some(NamespaceState::Draining)).await;
    assert!(cluster.versions().await.iter().all(Option::is_some));
    pods.delete("waits", &DeleteParams::default().grace_period(0)).await.unwrap();
    until("everything is gone", async || cluster.versions().await.iter().all(Option::is_none)).await;
    until("nothing is said of it", async || state().is_none()).await;
}
