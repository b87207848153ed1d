//! The manifests as text.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use penstock_spec::keys;
use penstock_tests::python::skip;

use crate::cluster::KUBECTL;

/// Folder of the manifests.
fn manifests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests")
}

fn snapshot_file(overlay: &str) -> PathBuf {
    manifests().join("rendered").join(overlay).with_extension("yaml")
}

fn snapshot(overlay: &str) -> String {
    let file = snapshot_file(overlay);
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("cannot read {}: {error}", file.display()))
}

/// The rendered `standalone` overlay.
pub(crate) fn standalone() -> String {
    snapshot("standalone")
}

/// The rendered `ha` overlay.
pub(crate) fn ha() -> String {
    snapshot("ha")
}

/// The objects of some kinds in a rendered text.
pub(crate) fn of_kinds(rendered: &str, kinds: &[&str]) -> String {
    let chosen = rendered.split("\n---\n").filter(|object| {
        let kind = object.lines().find_map(|line| line.strip_prefix("kind: "));
        kind.is_some_and(|kind| kinds.contains(&kind))
    });
    chosen.collect::<Vec<_>>().join("\n---\n")
}

fn render(overlay: &str) -> Option<String> {
    render_folder(&manifests().join("overlays").join(overlay))
}

fn render_folder(folder: &Path) -> Option<String> {
    let Some(kubectl) = std::env::var_os(KUBECTL).filter(|path| !path.is_empty()) else {
        assert!(std::env::var_os("CI").is_none(), "{KUBECTL} is not set, and in CI nothing is skipped");
        skip("manifests", &format!("{KUBECTL} is not set; `make test` sets it"));
        return None;
    };
    let output = Command::new(kubectl).arg("kustomize").arg(folder).output().expect("kubectl starts");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "kubectl kustomize {}: {complaint}", folder.display());
    assert_eq!(complaint, "", "kubectl kustomize {} warns", folder.display());
    Some(String::from_utf8(output.stdout).expect("manifests are text"))
}

fn assert_renders_to_the_snapshot(overlay: &str) {
    let Some(rendered) = render(overlay) else { return };
    let file = snapshot_file(overlay);
    if std::env::var("INSTA_UPDATE").is_ok_and(|value| value == "always") {
        fs::write(&file, &rendered).expect("the snapshot can be written");
    }
    let snapshot = snapshot(overlay);
    let differs = snapshot.lines().zip(rendered.lines()).position(|(old, new)| old != new);
    let place = differs.map_or(0, |line| line + 1);
    assert!(
        rendered == snapshot,
        "manifests/rendered/{overlay}.yaml is not what manifests/overlays/{overlay} renders to (line {place}): \
         `make snapshots`, and read the difference"
    );
}

#[test]
fn standalone_renders_to_the_snapshot() {
    assert_renders_to_the_snapshot("standalone");
}

#[test]
fn cert_manager_renders_to_the_snapshot() {
    assert_renders_to_the_snapshot("cert-manager");
}

#[test]
fn ha_renders_to_the_snapshot() {
    assert_renders_to_the_snapshot("ha");
}

/// Every object but those that have to do with the certificate is the same.
#[test]
fn cert_manager_takes_over_the_certificate_and_nothing_else() {
    let (with, without) = (snapshot("cert-manager"), standalone());
    let objects = |text: &str| text.trim_end().split("\n---\n").map(str::to_owned).collect::<Vec<_>>();
    let describe = |object: &String| {
        let of = |key: &str| object.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default().to_owned();
        format!("{} {}", of("kind: "), of("  name: "))
    };
    let only_in = |a: &str, b: &str| {
        let others = objects(b);
        let mut found: Vec<String> =
            objects(a).iter().filter(|object| !others.contains(object)).map(describe).collect();
        found.sort();
        found
    };
    let changed =
        ["ClusterRole penstock", "Deployment penstock", "MutatingWebhookConfiguration penstock", "Role penstock"];
    let new = [
        "Certificate penstock-authority",
        "Certificate penstock-webhook",
        "Issuer penstock-authority",
        "Issuer penstock-self-signed",
    ];
    let mut expected: Vec<&str> = changed.iter().chain(&new).copied().collect();
    expected.sort_unstable();
    assert_eq!(only_in(&with, &without), expected);
    let mut expected: Vec<&str> = changed.iter().copied().chain(["Secret penstock-webhook-certificate"]).collect();
    expected.sort_unstable();
    assert_eq!(only_in(&without, &with), expected);
    // Rights and flags of the webhook's own care.
    for own in ["secrets", "mutatingwebhookconfigurations", "--certificate-secret", "--webhook-configuration"] {
        assert!(without.contains(own) && !with.contains(own), "{own}");
    }
    // Names that must agree between parts that do not know each other.
    let (service, namespace) = ("penstock-webhook", "penstock-system");
    assert!(with.contains(&format!("- {service}.{namespace}.svc\n")), "the certificate is for the Service");
    assert!(with.contains("inject-ca-from: penstock-system/penstock-webhook\n"), "the authority is the Certificate's");
    assert_eq!(with.matches("secretName: penstock-webhook-tls\n").count(), 2, "what is issued is mounted");
    assert!(with.contains("- --certificate-dir=/etc/penstock/certificate\n"));
    assert!(with.contains("- mountPath: /etc/penstock/certificate\n"));
}

/// A database in the Pod would be lost with it, and runs with it.
#[test]
fn whoever_installs_the_base_keeps_runs() {
    let deployment = of_kinds(&standalone(), &["Deployment"]);
    assert!(deployment.contains("claimName: penstock-data\n"));
    let base = fs::read_to_string(manifests().join("base/deployment.yaml")).expect("the base can be read");
    assert!(base.contains("claimName: penstock-data\n"));
}

#[test]
fn one_node_adds_its_volume_and_nothing_else() {
    let Some(rendered) = render("one-node") else { return };
    let without: Vec<&str> = rendered.split("\n---\n").filter(|o| !o.contains("kind: PersistentVolume\n")).collect();
    assert_eq!(without.join("\n---\n").trim_end(), standalone().trim_end());
    assert_eq!(of_kinds(&rendered, &["PersistentVolume"]).matches("kind: PersistentVolume\n").count(), 1);
}

/// Whatever the manifests spell with our prefix or names is spelled so in the code.
#[test]
fn manifests_spell_keys_as_the_code_does() {
    let rendered = standalone();
    let known = [
        keys::LABEL_NAMESPACE,
        keys::LABEL_INJECT,
        keys::LABEL_RUN_ID,
        keys::LABEL_TASK_ID,
        keys::LABEL_ATTEMPT,
        keys::LABEL_WORKSPACE,
        keys::ANNOTATION_PLAN,
        keys::ANNOTATION_PLAN_REF,
        keys::ANNOTATION_REPORT,
        keys::ANNOTATION_SPEC_HASH,
        keys::ANNOTATION_INJECTED,
        keys::ANNOTATION_SERVICE_ACCOUNT,
        // Beginning of both, in the policy about bindings.
        keys::KEY_PREFIX,
        // The image, and the webhook's own name.
        "penstock.dev/penstock",
    ];
    let is_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '/');
    for word in rendered.split(|c: char| !is_key(c)).filter(|word| word.starts_with(keys::KEY_PREFIX)) {
        assert!(known.contains(&word.trim_end_matches('.')), "{word} is not spelled in spec/src/keys.rs");
    }
    // Long lines are folded.
    let rendered = rendered.split_whitespace().collect::<Vec<_>>().join(" ");
    for (what, spelled) in [
        ("namespace label", format!("{}: {}", keys::LABEL_NAMESPACE, keys::NAMESPACE_ENABLED)),
        ("label of tasks", format!("{}: {}", keys::LABEL_INJECT, keys::INJECT_TASK)),
        ("label of others", format!("- {} - {} ", keys::INJECT_TASK, keys::INJECT_ENABLED)),
        ("limit of reports", format!("<= {}", keys::MAX_REPORT)),
        ("account of tasks", format!("endsWith(':{}')", keys::TASK_SERVICE_ACCOUNT)),
        ("role of tasks", format!("resourceNames: - {} ", keys::TASK_ROLE)),
        ("settings", format!("resourceNames: - {} ", keys::SETTINGS_CONFIG_MAP)),
        ("settings of KFP", format!("resourceNames: - {} ", keys::KFP_LAUNCHER_CONFIG_MAP)),
        ("sidecar", format!("c.name == '{}'", keys::SIDECAR_CONTAINER)),
        ("user's container", format!("c.name == '{}'", keys::MAIN_CONTAINER)),
        ("entry", format!("== ['{}']", keys::ENTRY_PATH)),
        ("volume of the launcher", format!("m.name != '{}'", keys::VOLUME_POD)),
        ("read-only volumes", format!("['{}', '{}']", keys::VOLUME_BIN, keys::VOLUME_CONTROL)),
    ] {
        assert!(rendered.contains(&spelled), "{what}: the manifests lack {spelled:?}");
    }
}

/// KFP's clients look for a Service of this name, port and port's name.
#[test]
fn api_is_where_clients_of_kfp_look_for_it() {
    let rendered = standalone();
    let services = of_kinds(&rendered, &["Service"]);
    let service =
        services.split("\n---\n").find(|service| service.contains("\n  name: ml-pipeline\n")).expect("a Service");
    for line in ["  - name: http\n", "    port: 8888\n", "    targetPort: api\n"] {
        assert!(service.contains(line), "{line:?} is not in {service}");
    }
    for (overlay, server) in [("standalone", "penstock"), ("cert-manager", "penstock"), ("ha", "penstock-apiserver")] {
        let rendered = snapshot(overlay);
        let service = object(&rendered, "Service", "ml-pipeline");
        let selector = format!("  selector:\n    app.kubernetes.io/name: {server}\n");
        assert!(format!("{service}\n").contains(&selector), "{selector:?} is not in {service}");
        let deployment = object(&rendered, "Deployment", server);
        let lines = [
            "- containerPort: 8888\n          name: api\n",
            "- name: PENSTOCK_API_LISTEN\n          value: 0.0.0.0:8888\n",
            "- name: PENSTOCK_ALLOW_UNAUTHENTICATED\n          value: \"true\"\n",
        ];
        for line in lines {
            assert!(deployment.contains(line), "{overlay}: {line:?} is not in {deployment}");
        }
    }
}

/// An object of a rendered text.
fn object<'a>(rendered: &'a str, kind: &str, name: &str) -> &'a str {
    let has = |object: &str, line: String| object.lines().any(|found| found == line);
    let mut objects = rendered.trim_end().split("\n---\n");
    objects
        .find(|object| has(object, format!("kind: {kind}")) && has(object, format!("  name: {name}")))
        .unwrap_or_else(|| panic!("there is no {kind} {name}"))
}

/// Nothing is kept in a Pod, and what users reach is not what may create Pods.
#[test]
fn ha_keeps_everything_in_the_database_and_the_api_apart() {
    let rendered = ha();
    assert!(!rendered.contains("PersistentVolumeClaim"), "a volume can be that of one replica only");
    let from_secret =
        "- name: PENSTOCK_DATABASE_URL\n          valueFrom:\n            secretKeyRef:\n              key: url\n";
    for name in ["penstock", "penstock-apiserver"] {
        let deployment = object(&rendered, "Deployment", name);
        let account = format!("      serviceAccountName: {name}\n");
        for line in ["  replicas: 2\n", "    type: RollingUpdate\n", from_secret, &account, "maxUnavailable: 0\n"] {
            assert!(deployment.contains(line), "{name}: {line:?} is not in {deployment}");
        }
        let budget = object(&rendered, "PodDisruptionBudget", name);
        assert!(format!("{budget}\n").contains(&format!("app.kubernetes.io/name: {name}\n")), "{budget}");
    }
    let drives = object(&rendered, "Deployment", "penstock");
    assert!(drives.contains("- name: PENSTOCK_WITHOUT_API\n          value: \"true\"\n"), "{drives}");
    for api in ["8888", "PENSTOCK_ALLOW_UNAUTHENTICATED"] {
        assert!(!drives.contains(api), "webhook and driver have {api} of the API: {drives}");
    }
    let subject = |name: &str| object(&rendered, "ClusterRoleBinding", name).rsplit("  name: ").next().unwrap_or("");
    assert!(subject("penstock-apiserver").starts_with("penstock-apiserver\n"));
    assert!(subject("penstock").starts_with("penstock\n"));
}

/// An overlay of a user's own.
fn render_with(base: &str, components: &[&str]) -> Option<String> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("cluster/overlay");
    let folder = tempfile::Builder::new().prefix("overlay-").tempdir_in(beside).expect("a folder");
    let line = |path: &str| format!("  - ../../../../manifests/{path}\n");
    let chosen: String = components.iter().map(|name| line(&format!("components/{name}"))).collect();
    let text = format!("kind: Kustomization\nresources:\n{}components:\n{chosen}", line(base));
    fs::write(folder.path().join("kustomization.yaml"), text).expect("a file");
    render_folder(folder.path())
}

/// Whoever serves the API has the certificate, and nobody else.
#[test]
fn tls_is_for_the_deployment_of_the_api() {
    for (base, has, has_not) in
        [("overlays/standalone", "penstock", None), ("overlays/ha", "penstock-apiserver", Some("penstock"))]
    {
        let Some(rendered) = render_with(base, &["tls"]) else { return };
        let of = |name: &str| object(&rendered, "Deployment", name);
        for line in [
            "- name: PENSTOCK_TLS_CERT\n          value: /etc/penstock/api-certificate/tls.crt\n",
            "- name: PENSTOCK_TLS_KEY\n          value: /etc/penstock/api-certificate/tls.key\n",
            "- mountPath: /etc/penstock/api-certificate\n",
            "secretName: penstock-api-tls\n",
        ] {
            assert!(of(has).contains(line), "{base}: {line:?} is not in {}", of(has));
            assert!(has_not.is_none_or(|name| !of(name).contains(line)), "{base}: {line:?}");
        }
        let service = object(&rendered, "Service", "ml-pipeline");
        assert!(
            service.contains("appProtocol: https\n    name: http\n    port: 8888\n    targetPort: api"),
            "{service}"
        );
    }
}

/// What users may put together, beside the overlays that are there.
#[test]
fn components_can_be_combined() {
    let places = [
        ("overlays/ha", &["cert-manager"][..]),
        ("overlays/standalone", &["postgres"][..]),
        ("overlays/cert-manager", &["apiserver", "postgres"][..]),
    ];
    for (base, components) in places {
        let Some(rendered) = render_with(base, components) else { return };
        assert!(rendered.contains("name: penstock-database\n"), "{base} with {components:?}");
        let role = object(&rendered, "ClusterRole", "penstock");
        let own = rendered.contains("--certificate-dir=") != role.contains("mutatingwebhookconfigurations");
        assert!(own, "{base} with {components:?}: {role}");
    }
}

/// What `penstock doctor` expects is what is installed.
#[test]
fn policies_are_those_that_the_code_expects() {
    let rendered = standalone();
    for kind in ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"] {
        let objects = of_kinds(&rendered, &[kind]);
        let mut names: Vec<&str> = objects.lines().filter_map(|line| line.strip_prefix("  name: ")).collect();
        names.sort_unstable();
        assert_eq!(names, keys::ADMISSION_POLICIES, "{kind}");
    }
}

#[test]
fn image_is_compiled_with_the_pinned_compiler() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let toolchain = fs::read_to_string(root.join("rust-toolchain.toml")).expect("rust-toolchain.toml can be read");
    let pinned =
        toolchain.lines().find_map(|line| line.strip_prefix("channel = ")).expect("a channel").trim_matches('"');
    let dockerfile = fs::read_to_string(root.join("Dockerfile")).expect("the Dockerfile can be read");
    let expected = format!("FROM docker.io/library/rust:{pinned}-");
    assert!(dockerfile.contains(&expected), "the Dockerfile lacks {expected:?}");
}
