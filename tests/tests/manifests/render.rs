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

fn snapshot_file() -> PathBuf {
    manifests().join("rendered/standalone.yaml")
}

/// The rendered `standalone` overlay.
pub(crate) fn standalone() -> String {
    fs::read_to_string(snapshot_file()).expect("manifests/rendered/standalone.yaml can be read")
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
    let Some(kubectl) = std::env::var_os(KUBECTL).filter(|path| !path.is_empty()) else {
        assert!(std::env::var_os("CI").is_none(), "{KUBECTL} is not set, and in CI nothing is skipped");
        skip("manifests", &format!("{KUBECTL} is not set; `make test` sets it"));
        return None;
    };
    let folder = manifests().join("overlays").join(overlay);
    let output = Command::new(kubectl).arg("kustomize").arg(&folder).output().expect("kubectl starts");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "kubectl kustomize {}: {complaint}", folder.display());
    assert_eq!(complaint, "", "kubectl kustomize {} warns", folder.display());
    Some(String::from_utf8(output.stdout).expect("manifests are text"))
}

#[test]
fn standalone_renders_to_the_snapshot() {
    let Some(rendered) = render("standalone") else { return };
    if std::env::var("INSTA_UPDATE").is_ok_and(|value| value == "always") {
        fs::write(snapshot_file(), &rendered).expect("the snapshot can be written");
    }
    let differs = standalone().lines().zip(rendered.lines()).position(|(old, new)| old != new);
    let place = differs.map_or(0, |line| line + 1);
    assert!(
        rendered == standalone(),
        "manifests/rendered/standalone.yaml is not what manifests/overlays/standalone renders to (line {place}): \
         `make snapshots`, and read the difference"
    );
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
        keys::ANNOTATION_PLAN,
        keys::ANNOTATION_PLAN_REF,
        keys::ANNOTATION_REPORT,
        keys::ANNOTATION_SPEC_HASH,
        keys::ANNOTATION_INJECTED,
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
