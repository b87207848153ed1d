//! What ought to be in a labelled namespace, and how what is there differs from it. Pure.

use k8s_openapi::api::core::v1::{ConfigMap, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::ResourceExt;
use kube::core::{ApiResource, DynamicObject};
use penstock_spec::keys;
use penstock_spec::settings::NamespaceSettings;
use serde_json::{Value, json};

/// The kinds of objects that the driver keeps in a namespace, one object of each. A binding follows the role it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnKind {
    /// Account of task Pods.
    ServiceAccount,
    /// What that account may do.
    Role,
    /// Gives the role to the account.
    RoleBinding,
    /// The namespace's settings, for webhook and launcher.
    Settings,
}

impl OwnKind {
    /// All of them, in the order in which they are made.
    pub const ALL: [OwnKind; 4] = [OwnKind::ServiceAccount, OwnKind::Role, OwnKind::RoleBinding, OwnKind::Settings];

    /// Name of the object.
    pub fn object_name(self) -> &'static str {
        match self {
            OwnKind::ServiceAccount => keys::TASK_SERVICE_ACCOUNT,
            OwnKind::Role | OwnKind::RoleBinding => keys::TASK_ROLE,
            OwnKind::Settings => keys::SETTINGS_CONFIG_MAP,
        }
    }

    /// Where the API server has this kind.
    pub fn resource(self) -> ApiResource {
        match self {
            OwnKind::ServiceAccount => ApiResource::erase::<ServiceAccount>(&()),
            OwnKind::Role => ApiResource::erase::<Role>(&()),
            OwnKind::RoleBinding => ApiResource::erase::<RoleBinding>(&()),
            OwnKind::Settings => ApiResource::erase::<ConfigMap>(&()),
        }
    }

    /// The kind, for people and metrics.
    pub fn word(self) -> &'static str {
        match self {
            OwnKind::ServiceAccount => "ServiceAccount",
            OwnKind::Role => "Role",
            OwnKind::RoleBinding => "RoleBinding",
            OwnKind::Settings => "ConfigMap",
        }
    }
}

/// What ought to be there. Without settings, because the configuration cannot be read, the ConfigMap is not among it:
/// the last good one stays.
pub fn desired(namespace: &str, settings: Option<&NamespaceSettings>) -> Vec<(OwnKind, DynamicObject)> {
    let object = |kind: OwnKind, content: Value| {
        let mut object = DynamicObject::new(kind.object_name(), &kind.resource()).within(namespace).data(content);
        object.labels_mut().insert(keys::LABEL_MANAGED_BY.to_owned(), keys::MANAGED_BY.to_owned());
        (kind, object)
    };
    let mut objects = vec![
        object(OwnKind::ServiceAccount, json!({"automountServiceAccountToken": false})),
        // A Pod's own report, and nothing else: an admission policy narrows "patch" down to it (T-05, T-06).
        object(OwnKind::Role, json!({"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["patch"]}]})),
        object(
            OwnKind::RoleBinding,
            json!({
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": keys::TASK_ROLE},
                "subjects": [
                    {"kind": "ServiceAccount", "name": keys::TASK_SERVICE_ACCOUNT, "namespace": namespace},
                ],
            }),
        ),
    ];
    if let Some(settings) = settings {
        // Settings hold text and numbers under fixed names; they always have a JSON form.
        let text = serde_json::to_string_pretty(settings).unwrap_or_default();
        objects.push(object(OwnKind::Settings, json!({"data": {keys::POD_SETTINGS_FILE: text}})));
    }
    objects
}

/// What is to be done about one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// Applied: it is not there, or differs.
    Apply,
    /// Deleted and made anew: the part that differs can never be changed.
    Replace,
    /// It is being deleted: nothing until it is gone.
    Wait,
}

/// Compares an object that ought to be there with the one that is.
pub fn change(kind: OwnKind, desired: &DynamicObject, live: Option<&DynamicObject>) -> Change {
    let Some(live) = live else { return Change::Apply };
    if live.metadata.deletion_timestamp.is_some() {
        return Change::Wait;
    }
    let role_ref = |object: &DynamicObject| object.data.get("roleRef").cloned();
    if kind == OwnKind::RoleBinding && role_ref(desired) != role_ref(live) {
        return Change::Replace;
    }
    if covers(&desired.data, &live.data) && is_ours(live) { Change::None } else { Change::Apply }
}

/// Whether an object carries our label.
pub fn is_ours(object: &impl ResourceExt) -> bool {
    object.labels().get(keys::LABEL_MANAGED_BY).is_some_and(|manager| manager == keys::MANAGED_BY)
}

/// Whether everything that we say stands there. What others have added to a mapping is theirs; a list is ours as a whole.
fn covers(desired: &Value, live: &Value) -> bool {
    match (desired, live) {
        (Value::Object(desired), Value::Object(live)) => {
            desired.iter().all(|(name, value)| live.get(name).is_some_and(|live| covers(value, live)))
        }
        _ => desired == live,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> NamespaceSettings {
        NamespaceSettings::kfp_default("http://minio-service.kubeflow:9000")
    }

    fn one(kind: OwnKind) -> DynamicObject {
        let found = desired("team", Some(&settings())).into_iter().find(|(own, _)| *own == kind);
        found.expect("each kind has its object").1
    }

    /// T-06: exactly one right.
    #[test]
    fn t06_tasks_may_patch_pods_and_nothing_else() {
        let rules = json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["patch"]}]);
        assert_eq!(one(OwnKind::Role).data, json!({"rules": rules}));
        assert_eq!(one(OwnKind::ServiceAccount).data["automountServiceAccountToken"], false);
        assert_eq!(one(OwnKind::RoleBinding).data["subjects"][0]["namespace"], "team");
    }

    #[test]
    fn settings_read_back_from_the_config_map() {
        let map = one(OwnKind::Settings);
        let text = map.data["data"][keys::POD_SETTINGS_FILE].as_str().expect("a text");
        assert_eq!(serde_json::from_str::<NamespaceSettings>(text).expect("reads"), settings());
        assert!(desired("team", None).iter().all(|(kind, _)| *kind != OwnKind::Settings));
    }

    #[test]
    fn nothing_is_written_while_everything_stands_there() {
        for (kind, object) in desired("team", Some(&settings())) {
            let mut live = object.clone();
            live.metadata.resource_version = Some("7".to_owned());
            live.annotations_mut().insert("theirs".to_owned(), "stays".to_owned());
            live.labels_mut().insert("theirs".to_owned(), "stays".to_owned());
            live.data["theirs"] = json!([1]);
            assert_eq!(change(kind, &object, Some(&live)), Change::None, "{kind:?}");
            assert_eq!(change(kind, &object, None), Change::Apply, "{kind:?}");
            live.labels_mut().remove(keys::LABEL_MANAGED_BY);
            assert_eq!(change(kind, &object, Some(&live)), Change::Apply, "{kind:?}: our label is gone");
        }
    }

    #[test]
    fn what_somebody_changed_is_put_back() {
        let role = one(OwnKind::Role);
        let mut wide = role.clone();
        wide.data["rules"].as_array_mut().expect("a list").push(json!({"verbs": ["*"]}));
        assert_eq!(change(OwnKind::Role, &role, Some(&wide)), Change::Apply, "T-06");
        let account = one(OwnKind::ServiceAccount);
        let mut mounted = account.clone();
        mounted.data["automountServiceAccountToken"] = json!(true);
        assert_eq!(change(OwnKind::ServiceAccount, &account, Some(&mounted)), Change::Apply);
        let binding = one(OwnKind::RoleBinding);
        let mut other = binding.clone();
        other.data["roleRef"]["name"] = json!("cluster-admin");
        assert_eq!(change(OwnKind::RoleBinding, &binding, Some(&other)), Change::Replace, "a roleRef never changes");
        let mut going = account.clone();
        going.metadata.deletion_timestamp =
            Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(k8s_openapi::jiff::Timestamp::UNIX_EPOCH));
        assert_eq!(change(OwnKind::ServiceAccount, &account, Some(&going)), Change::Wait);
    }
}
