//! Runs the sample pipelines on a real Kubernetes: they must give there what they give on one machine.

use libtest_mimic::{Arguments, Failed, Trial};
use penstock_tests::cluster::{self, Cluster, Namespace};
use penstock_tests::document::ArtifactDocument;
use penstock_tests::expectation::{Case, Expectation};
use penstock_tests::sandbox::Sandbox;
use std::sync::{Arc, OnceLock};

/// Cases that say something of one machine only, or that a cluster does not do yet, with the reason.
const ELSEWHERE: [(&str, &str); 7] = [
    ("cluster_settings", "its Pods need nodes, a Secret and a claim of their own: see kubernetes/settings.rs"),
    ("cross_loop_after", "its tasks share a directory of one machine"),
    ("if_present.refused", "says what one machine refuses without --host-commands"),
    ("importer", "imports a file of one machine"),
    ("parallelism_limit", "its tasks share a directory of one machine"),
    ("sequential", "its tasks share a directory of one machine"),
    ("workspace", "needs a volume: see kubernetes/volumes.rs"),
];

/// The namespace that all cases share, made by the first of them.
type Shared = Arc<OnceLock<Namespace>>;

fn main() {
    let mut arguments = Arguments::from_args();
    // What bounds a cluster of one node is its processors; two runs at a time keep them busy.
    arguments.test_threads.get_or_insert(4);
    let listing = arguments.list;
    let found = if listing { None } else { cluster::find_or_skip("kubernetes_samples") };
    let shared = Shared::default();
    let cases = Case::all().into_iter().filter(|case| ELSEWHERE.iter().all(|(name, _)| *name != case.name));
    let trials = cases.map(|case| trial(case, found, Arc::clone(&shared))).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    if let Some(namespace) = Arc::into_inner(shared).and_then(OnceLock::into_inner) {
        drop(namespace);
    }
    conclusion.exit();
}

fn trial(case: Case, cluster: Option<&'static Cluster>, shared: Shared) -> Trial {
    let name = case.name.clone();
    let run = move || match cluster {
        Some(cluster) => check(&case, cluster, shared.get_or_init(|| Namespace::new(cluster, "samples"))),
        None => Err("this sample needs a cluster".into()),
    };
    Trial::test(name, run).with_ignored_flag(cluster.is_none())
}

fn check(case: &Case, cluster: &Cluster, namespace: &Namespace) -> Result<(), Failed> {
    let sandbox = Sandbox::new();
    let mut expected = case.expected.clone();
    // A root of one machine is passed over: Pods do not reach it.
    expected.artifact_uri_prefix = expected.artifact_uri_prefix.filter(|prefix| !prefix.starts_with("file://"));
    run_and_compare(case, &expected, cluster, namespace, &sandbox)?;
    match expected.of_second_run() {
        Some(expected) => run_and_compare(case, &expected, cluster, namespace, &sandbox),
        None => Ok(()),
    }
}

fn run_and_compare(
    case: &Case,
    expected: &Expectation,
    cluster: &Cluster,
    namespace: &Namespace,
    sandbox: &Sandbox,
) -> Result<(), Failed> {
    let records = tempfile::tempdir_in(sandbox.folder()).expect("a folder in the sandbox");
    // In its container a task may write anywhere.
    let args = expected.args(records.path()).into_iter().map(|arg| match arg.starts_with("record_dir=") {
        true => "record_dir=/tmp".to_owned(),
        false => arg,
    });
    let args: Vec<String> = args.filter(|arg| arg != "--host-commands").collect();
    let finished = namespace.run(sandbox).arg(case.file()).args(args).run().expect_code(expected.exit_code);
    if expected.state == "REFUSED" {
        finished.expect_complaint(expected.error_contains.as_deref().unwrap_or_default());
        return Ok(());
    }
    let run = finished.document();
    let content = |artifact: &ArtifactDocument| cluster.object(&artifact.uri);
    let mut differences = expected.all_differences(&run, content);
    if run.tasks.iter().any(|task| task.ran_on_host) {
        differences.push("a task ran on this machine".to_owned());
    }
    if differences.is_empty() { Ok(()) } else { Err(format!("{}\n{finished}", differences.join("\n")).into()) }
}
