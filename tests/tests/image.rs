//! The image that is built from the Dockerfile's last stage: what is in it, and that names resolve from it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use penstock_tests::cluster::{self, Namespace};
use penstock_tests::deadline::wait_for;
use penstock_tests::python::skip;
use serde_json::{Value, json};

/// Directory of the test cluster that is up; images can be brought into no other.
const CLUSTER_STATE: &str = "PENSTOCK_TEST_CLUSTER_STATE";
const NAME: &str = "penstock.test/resolve:1";
const POD_LIMIT: Duration = Duration::from_secs(60);

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn run(program: &Path, args: &[&str]) -> String {
    let Output { status, stdout, stderr } = Command::new(program).args(args).output().expect("the program starts");
    assert!(status.success(), "{} {args:?}: {}", program.display(), String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).expect("it prints text").trim().to_owned()
}

/// An archive of the image's last stage with another program in it.
fn build() -> PathBuf {
    let work = tempfile::tempdir().expect("a temporary folder");
    let tree = work.path().join("tree");
    let image = folder().join("image/image");
    let tree = tree.to_str().expect("the path is text");
    run(&image, &["stage", tree, env!("CARGO_BIN_EXE_resolve")]);
    PathBuf::from(run(&image, &["pack", tree, NAME]).lines().last().expect("it prints the archive"))
}

/// Reads a file of an archive.
fn file(archive: &Path, name: &str) -> Vec<u8> {
    let output = Command::new("tar").arg("-xOf").arg(archive).arg(name).output().expect("tar starts");
    assert!(output.status.success(), "{name} of {}", archive.display());
    output.stdout
}

fn may_build(test: &str) -> bool {
    let has =
        |program: &str| Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if has("buildah") && has("dpkg-deb") {
        return true;
    }
    assert!(std::env::var_os("CI").is_none(), "buildah or dpkg-deb is missing, and in CI nothing is skipped");
    skip(test, "buildah or dpkg-deb is missing; `.ci/tools image` installs both on Debian");
    false
}

#[test]
fn image_has_a_c_library_and_certificates_and_no_shell() {
    if !may_build("image_has_a_c_library_and_certificates_and_no_shell") {
        return;
    }
    let archive = build();
    let manifest: Value = serde_json::from_slice(&file(&archive, "manifest.json")).expect("the manifest is JSON");
    assert_eq!(manifest[0]["RepoTags"], json!([NAME]));
    let name = |value: &Value| value.as_str().expect("a name").to_owned();
    let config: Value =
        serde_json::from_slice(&file(&archive, &name(&manifest[0]["Config"]))).expect("the config is JSON");
    assert_eq!(config["config"]["User"], "65532:65532");
    assert_eq!(config["config"]["Entrypoint"], json!(["/usr/bin/penstock"]));
    let layers = manifest[0]["Layers"].as_array().expect("layers");
    assert_eq!(layers.len(), 1, "one stage, one layer");

    let work = tempfile::tempdir().expect("a temporary folder");
    let layer = work.path().join("layer.tar");
    std::fs::write(&layer, file(&archive, &name(&layers[0]))).expect("a file in the temporary folder");
    let listed = run(Path::new("tar"), &["-tvf", layer.to_str().expect("the path is text")]);
    let path = |line: &str| line.split_whitespace().nth(5).unwrap_or_default().trim_start_matches("./").to_owned();
    let paths: Vec<String> = listed.lines().map(path).collect();
    for wanted in ["resolve", "etc/ssl/certs/ca-certificates.crt", "etc/nsswitch.conf", "etc/passwd", "tmp/"] {
        assert!(paths.iter().any(|path| path == wanted), "the image lacks {wanted}:\n{listed}");
    }
    assert!(paths.iter().any(|path| path.ends_with("/libnss_dns.so.2")), "names would not resolve:\n{listed}");
    // Programs are libraries, the loader, and what was put in.
    for line in listed.lines().filter(|line| line.starts_with('-') && line[..10].contains('x')) {
        let path = path(line);
        assert!(path == "resolve" || path.contains(".so"), "the image holds the program {path}");
    }
    for line in listed.lines() {
        assert!(line.split_whitespace().nth(1) == Some("0/0"), "not root's, by number: {line}");
        assert!(!line[..10].contains('s'), "runs as another user: {line}");
    }
    let bundle =
        String::from_utf8(file(&layer, &paths.iter().find(|path| path.ends_with(".crt")).cloned().unwrap_or_default()));
    let count = bundle.expect("certificates are text").matches("BEGIN CERTIFICATE").count();
    assert!(count > 100, "{count} certificates");
    // The same input gives the same archive.
    assert_eq!(build(), archive);
}

#[test]
fn a_services_name_resolves_from_the_image() {
    let test = "a_services_name_resolves_from_the_image";
    let Some(cluster) = cluster::find_or_skip(test) else { return };
    if std::env::var_os(CLUSTER_STATE).is_none() {
        skip(test, &format!("{CLUSTER_STATE} is not set: the image can only be brought into the test cluster"));
        return;
    }
    let archive = build();
    run(&folder().join("cluster/cluster"), &["load-image", archive.to_str().expect("the path is text")]);
    let namespace = Namespace::unlabelled(cluster, "resolve");
    cluster.apply(&resolve_pod(namespace.name()));
    let pod = wait_for("the Pod to end", POD_LIMIT, || {
        let pod = namespace.get(["pod", "resolve"])?;
        ["Succeeded", "Failed"].contains(&pod["status"]["phase"].as_str()?).then_some(pod)
    });
    let log = cluster.call(["-n", namespace.name(), "logs", "resolve"]);
    assert_eq!(pod["status"]["phase"], "Succeeded", "{log}");
    let service = cluster.get(["-n", "default", "service", "kubernetes"]).expect("the API server's own Service");
    let address = service["spec"]["clusterIP"].as_str().expect("it has an address");
    assert!(log.lines().any(|line| line == address), "{address} is not in {log:?}");
}

/// As strict as a Pod can be, under a user that the image does not know.
fn resolve_pod(namespace: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "resolve", "namespace": namespace},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": false,
            "securityContext": {"runAsNonRoot": true, "runAsUser": 12345, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "main", "image": NAME, "imagePullPolicy": "Never",
                "command": ["/resolve", "kubernetes.default"],
                "securityContext": {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
                    "capabilities": {"drop": ["ALL"]}},
            }],
        },
    })
}
