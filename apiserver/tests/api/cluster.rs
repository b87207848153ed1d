//! Callers and roles of a real cluster, where one is given: the server asks with an account that has exactly the rights
//! that it needs (T-06).

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Request};
use futures::FutureExt as _;
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use kube::api::{Api as Objects, DeleteParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use penstock_apiserver::auth::{
    AccessSettings, Action, Authenticator as _, Authorizer as _, Caller, Decision, IdentityError, Presented,
    SubjectAccessReviews, TokenReviews,
};
use penstock_apiserver::{Api, ApiSettings};
use penstock_metastore::Metastore;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::fixture::{Answer, NoSubmission, Server};
use crate::real_cluster::kubeconfig;

const AUDIENCE: &str = "pipelines.kubeflow.org";

struct Cluster {
    config: Config,
    admin: Client,
    /// The namespace, and what belongs to the test in the whole cluster.
    name: String,
}

impl Cluster {
    async fn connect(test: &str) -> Option<Cluster> {
        let file = Kubeconfig::read_from(kubeconfig(test)?).expect("a kubeconfig");
        let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.expect("a context");
        let admin = Client::try_from(config.clone()).expect("a client");
        Some(Cluster { config, admin, name: format!("access-{}", std::process::id()) })
    }

    async fn create<K>(&self, objects: Objects<K>, content: Value)
    where
        K: kube::Resource + Clone + std::fmt::Debug + serde::Serialize + serde::de::DeserializeOwned,
    {
        let object: K = serde_json::from_value(content).expect("an object");
        objects.create(&PostParams::default(), &object).await.expect("it is created");
    }

    fn own<K>(&self) -> Objects<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Objects::namespaced(self.admin.clone(), &self.name)
    }

    /// Accounts `ann`, who may look at runs, `bob`, who may nothing, and `server`, who may ask.
    async fn set_up(&self) {
        let (name, admin) = (&self.name, &self.admin);
        self.create::<Namespace>(Objects::all(admin.clone()), json!({"metadata": {"name": name}})).await;
        for account in ["ann", "bob", "server"] {
            self.create::<ServiceAccount>(self.own(), json!({"metadata": {"name": account}})).await;
        }
        let rules = json!([{"apiGroups": [AUDIENCE], "resources": ["runs"], "verbs": ["get", "list"]}]);
        self.create::<Role>(self.own(), json!({"metadata": {"name": "view"}, "rules": rules})).await;
        let subject = |account: &str| json!([{"kind": "ServiceAccount", "name": account, "namespace": name}]);
        let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "view"});
        let binding = json!({"metadata": {"name": "view"}, "roleRef": role, "subjects": subject("ann")});
        self.create::<RoleBinding>(self.own(), binding).await;
        let rules = json!([
            {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]},
            {"apiGroups": ["authorization.k8s.io"], "resources": ["subjectaccessreviews"], "verbs": ["create"]},
        ]);
        let metadata = json!({"name": name});
        self.create::<ClusterRole>(Objects::all(admin.clone()), json!({"metadata": metadata, "rules": rules})).await;
        let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name});
        let binding = json!({"metadata": metadata, "roleRef": role, "subjects": subject("server")});
        self.create::<ClusterRoleBinding>(Objects::all(admin.clone()), binding).await;
    }

    async fn tear_down(&self) {
        let parameters = DeleteParams::default();
        let bindings: Objects<ClusterRoleBinding> = Objects::all(self.admin.clone());
        let roles: Objects<ClusterRole> = Objects::all(self.admin.clone());
        let namespaces: Objects<Namespace> = Objects::all(self.admin.clone());
        // Whatever there is of it.
        drop(bindings.delete(&self.name, &parameters).await);
        drop(roles.delete(&self.name, &parameters).await);
        drop(namespaces.delete(&self.name, &parameters).await);
    }

    async fn token(&self, account: &str, audience: Option<&str>) -> String {
        let audiences: Vec<&str> = audience.into_iter().collect();
        let request = json!({"spec": {"audiences": audiences, "expirationSeconds": 600}, "metadata": {}});
        let request: TokenRequest = serde_json::from_value(request).expect("a request");
        let accounts: Objects<ServiceAccount> = self.own();
        let made = accounts.create_token_request(account, &PostParams::default(), &request).await.expect("a token");
        made.status.expect("a status").token
    }

    /// A client of an account, with nothing of the administrator's.
    async fn client_of(&self, account: &str) -> Client {
        let mut config = self.config.clone();
        config.auth_info = kube::config::AuthInfo::default();
        config.auth_info.token = Some(self.token(account, None).await.into());
        config.default_retry = false;
        Client::try_from(config).expect("a client")
    }

    async fn look_around(&self) {
        let server = self.client_of("server").await;
        let (reviews, roles) = (TokenReviews::new(server.clone(), AUDIENCE), SubjectAccessReviews::new(server.clone()));
        let (ann, bob) = (self.token("ann", Some(AUDIENCE)).await, self.token("bob", Some(AUDIENCE)).await);
        let caller = identify(&reviews, &ann).await.expect("a review").expect("a caller");
        assert_eq!(caller.user, format!("system:serviceaccount:{}:ann", self.name));
        assert!(caller.groups.contains(&format!("system:serviceaccounts:{}", self.name)), "{caller:?}");
        let stranger = identify(&reviews, &bob).await.expect("a review").expect("a caller");
        for (caller, namespace, verb, expected) in [
            (&caller, self.name.as_str(), "get", true),
            (&caller, self.name.as_str(), "delete", false),
            (&caller, "default", "get", false),
            (&caller, "", "get", false),
            (&stranger, self.name.as_str(), "get", false),
        ] {
            let action = Action { namespace: namespace.to_owned(), group: AUDIENCE, resource: "runs", verb };
            let decision = roles.decide(caller, &action).await.expect("a decision");
            assert_eq!(decision == Decision::Allowed, expected, "{caller:?} {action}: {decision:?}");
        }
        // Not for this server, and of nobody.
        for (token, reason) in [(self.token("ann", None).await, "not valid"), ("x.y.z".to_owned(), "not valid")] {
            match identify(&reviews, &token).await {
                Err(IdentityError::Refused(text)) => assert!(text.contains(reason), "{text}"),
                other => panic!("{other:?}"),
            }
        }
        self.ask_for_runs(server, (&ann, &bob)).await;
        // A server whose account may not ask lets nobody in, and says what it lacks.
        let powerless = TokenReviews::new(self.client_of("bob").await, AUDIENCE);
        match identify(&powerless, &ann).await {
            Err(IdentityError::Unavailable(text)) => {
                assert!(text.contains("may not create tokenreviews.authentication.k8s.io"), "{text}");
            }
            other => panic!("{other:?}"),
        }
    }

    /// The same through the API.
    async fn ask_for_runs(&self, client: Client, (ann, bob): (&str, &str)) {
        let directory = TempDir::new().expect("a directory");
        let store = Metastore::open(&directory.path().join("penstock.db")).await.expect("a store");
        let (reviews, roles) = (TokenReviews::new(client.clone(), AUDIENCE), SubjectAccessReviews::new(client));
        let access = AccessSettings::guarded(true, vec![Arc::new(reviews)], Arc::new(roles));
        let settings = ApiSettings { own_namespace: self.name.clone(), access, ..ApiSettings::default() };
        let api = Api::new(settings, store, Arc::new(NoSubmission)).await.expect("a server");
        let server = Server::over(api, directory);
        let ask = async |path: &str, token: &str| -> Answer {
            let uri = format!("/apis/v2beta1/{path}?namespace={}", self.name);
            let request = Request::get(uri).header("authorization", format!("Bearer {token}"));
            server.send(request.body(Body::empty()).expect("a request")).await
        };
        assert_eq!(ask("runs", ann).await.ok(), json!({}));
        ask("experiments", ann).await.refused(403);
        ask("runs", bob).await.refused(403);
        ask("runs", "x.y.z").await.refused(401);
    }
}

async fn identify(reviews: &TokenReviews, token: &str) -> Result<Option<Caller>, IdentityError> {
    let value = format!("Bearer {token}").parse().expect("a header");
    let headers: HeaderMap = [(axum::http::header::AUTHORIZATION, value)].into_iter().collect();
    reviews.identify(Presented { headers: &headers, peer: None, on_loopback: false }).await
}

#[tokio::test]
async fn t06_callers_are_those_of_the_cluster_and_may_what_its_roles_say() {
    let Some(cluster) = Cluster::connect("t06_callers_are_those_of_the_cluster_and_may_what_its_roles_say").await
    else {
        return;
    };
    let tried = AssertUnwindSafe(async {
        cluster.set_up().await;
        cluster.look_around().await;
    });
    let outcome = tried.catch_unwind().await;
    cluster.tear_down().await;
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}
