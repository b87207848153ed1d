//! The only place that spells a label, annotation, object name, path or variable name that two parts must agree on.

/// Object below an attempt's root that lists its outputs.
pub const MANIFEST_OBJECT: &str = "manifest.json";
/// Name of the log artifact; `-<attempt>` follows.
pub const EXECUTOR_LOGS: &str = "executor-logs";
/// File name of `ExecutorOutput` below the local form of the attempt's root.
pub const OUTPUT_METADATA_FILE: &str = "output_metadata.json";
/// Directory of output parameter files in a user's container.
pub const OUTPUT_PARAMETER_DIR: &str = "/tmp/kfp/outputs";
/// Where a run's workspace is mounted on a cluster.
pub const WORKSPACE_PATH: &str = "/kfp-workspace";
/// Beginning of the names of images that are never run: the backend does what they stand for.
pub const PSEUDO_IMAGES: &str = "argostub/";
/// Image that stands for the creation of a volume claim.
pub const CREATE_CLAIM_IMAGE: &str = "argostub/createpvc";
/// Image that stands for the deletion of a volume claim.
pub const DELETE_CLAIM_IMAGE: &str = "argostub/deletepvc";
/// Input of [`CREATE_CLAIM_IMAGE`] and [`DELETE_CLAIM_IMAGE`]: the claim's name.
pub const CLAIM_NAME_INPUT: &str = "pvc_name";
/// Output of [`CREATE_CLAIM_IMAGE`]: the claim's name.
pub const CLAIM_NAME_OUTPUT: &str = "name";
/// Metadata, `true`, of an artifact that is in the run's workspace.
pub const IN_WORKSPACE_METADATA: &str = "_kfp_workspace";
/// Index of the attempt, in the environment of tasks with a retry policy.
pub const ENV_RETRY_INDEX: &str = "KFP_RETRY_INDEX";
/// Name of the task's Pod, in the environment of user code.
pub const ENV_POD_NAME: &str = "KFP_POD_NAME";
/// UID of the task's Pod, in the environment of user code.
pub const ENV_POD_UID: &str = "KFP_POD_UID";
/// Marks every process of an attempt that runs on this machine; its value is `<run id>/<task id>/<attempt>`.
pub const ENV_ATTEMPT: &str = "PENSTOCK_ATTEMPT";

// Kubernetes: labels.

/// Label of a namespace in which Pods may ask for the launcher.
pub const LABEL_NAMESPACE: &str = "penstock.dev/injection";
/// Value of [`LABEL_NAMESPACE`] that says yes.
pub const NAMESPACE_ENABLED: &str = "enabled";
/// Label of a namespace that says which of Kubernetes' Pod security standards its Pods must meet.
pub const LABEL_POD_SECURITY: &str = "pod-security.kubernetes.io/enforce";
/// Value of [`LABEL_POD_SECURITY`] that takes no Pod of root.
pub const POD_SECURITY_RESTRICTED: &str = "restricted";
/// Label by which the webhook selects Pods; no other Pod is ever shown to it.
pub const LABEL_INJECT: &str = "penstock.dev/inject";
/// Value of [`LABEL_INJECT`] on a task's Pod.
pub const INJECT_TASK: &str = "task";
/// Value of [`LABEL_INJECT`] on any other Pod that asks for inputs and outputs by annotation.
pub const INJECT_ENABLED: &str = "enabled";
/// Label of a task's Pod: id of the run.
pub const LABEL_RUN_ID: &str = "penstock.dev/run-id";
/// Label of a task's Pod: id of the task.
pub const LABEL_TASK_ID: &str = "penstock.dev/task-id";
/// Label of a task's Pod: attempt, from 0.
pub const LABEL_ATTEMPT: &str = "penstock.dev/attempt";
/// Label of the volume claim that is a run's workspace, with the value `true`; [`LABEL_RUN_ID`] is beside it.
pub const LABEL_WORKSPACE: &str = "penstock.dev/workspace";
/// KFP's label of a task's Pod: id of the run.
pub const LABEL_KFP_RUN_ID: &str = "pipeline/runid";
/// KFP's label and annotation of a task's Pod, with the value `true`.
pub const KFP_V2_COMPONENT: &str = "pipelines.kubeflow.org/v2_component";
/// Label of every object that Penstock makes.
pub const LABEL_MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Label of every object that installing Penstock makes.
pub const LABEL_PART_OF: &str = "app.kubernetes.io/part-of";
/// Value of [`LABEL_MANAGED_BY`] and [`LABEL_PART_OF`].
pub const MANAGED_BY: &str = "penstock";

// Kubernetes: annotations and finalizer.

/// Beginning of all annotations and labels of ours. Users' metadata may not have it, but for what is documented.
pub const KEY_PREFIX: &str = "penstock.dev/";
/// What a task's Pod is to do, as JSON ([`crate::plan::Plan`]), up to [`MAX_INLINE_PLAN`] bytes.
pub const ANNOTATION_PLAN: &str = "penstock.dev/plan";
/// Where the plan is when it is larger, as JSON ([`crate::pod::PlanRef`]).
pub const ANNOTATION_PLAN_REF: &str = "penstock.dev/plan-ref";
/// How a task's attempt ended, as JSON ([`crate::pod::PodReport`]). Only the launcher of that very Pod may write it.
pub const ANNOTATION_REPORT: &str = "penstock.dev/report";
/// Digest of what the driver submitted: a Pod of the right name without it is not ours.
pub const ANNOTATION_SPEC_HASH: &str = "penstock.dev/spec-hash";
/// Version of the launcher that was injected.
pub const ANNOTATION_INJECTED: &str = "penstock.dev/injected";
/// Inputs of a Pod that is no task: a line `URI -> PATH` each.
pub const ANNOTATION_INPUTS: &str = "penstock.dev/inputs";
/// Outputs of a Pod that is no task: a line `PATH -> URI` each.
pub const ANNOTATION_OUTPUTS: &str = "penstock.dev/outputs";
/// On a Namespace: what Pods that are no tasks may name as inputs and outputs, as URIs separated by commas or lines; the
/// bucket of the namespace's pipeline root when absent.
pub const ANNOTATION_ALLOWED_PREFIXES: &str = "penstock.dev/allowed-prefixes";
/// On a Namespace: the user that tasks run as, by number, or [`RUN_AS_IMAGE`].
pub const ANNOTATION_RUN_AS_USER: &str = "penstock.dev/run-as-user";
/// On a Namespace: the group that tasks run as, by number, or [`RUN_AS_IMAGE`].
pub const ANNOTATION_RUN_AS_GROUP: &str = "penstock.dev/run-as-group";
/// On a Namespace: whether tasks are refused that would run as root, `true` or `false`.
pub const ANNOTATION_RUN_AS_NON_ROOT: &str = "penstock.dev/run-as-non-root";
/// On a Namespace: ConfigMap there with authorities that the certificates of its stores may be of, `NAME[:KEY]`.
pub const ANNOTATION_STORE_CA: &str = "penstock.dev/store-ca-config-map";
/// Value of [`ANNOTATION_RUN_AS_USER`] and [`ANNOTATION_RUN_AS_GROUP`] that leaves it to the image.
pub const RUN_AS_IMAGE: &str = "image";
/// Container that inputs and outputs are for; the first one when absent.
pub const ANNOTATION_CONTAINER: &str = "penstock.dev/container";
/// On a task, by `kubernetes.add_pod_annotation`, and on its Pod: the account that it runs under instead of
/// [`TASK_SERVICE_ACCOUNT`], with a token for user code.
pub const ANNOTATION_SERVICE_ACCOUNT: &str = "penstock.dev/service-account";
/// On a volume claim of ours: what made it, `<run id>/<task id>`, or `<run id>` for the workspace of a run.
pub const ANNOTATION_MADE_BY: &str = "penstock.dev/made-by";
/// KFP's annotation that tells what a Pod of a run is.
pub const ANNOTATION_KFP_ROLE: &str = "pipelines.kubeflow.org/runtime-role";
/// Keeps a task's Pod until its outcome is recorded.
pub const FINALIZER: &str = "penstock.dev/task";

/// The most bytes of a plan in an annotation.
pub const MAX_INLINE_PLAN: usize = 16 << 10;
/// The most bytes of a report in an annotation.
pub const MAX_REPORT: usize = 8 << 10;

// Kubernetes: what injection adds to a Pod.

/// The native sidecar.
pub const SIDECAR_CONTAINER: &str = "penstock-launcher";
/// The user's container in a task's Pod.
pub const MAIN_CONTAINER: &str = "main";
/// Beginning of the names of containers and volumes that only injection may use.
pub const RESERVED_NAME_PREFIX: &str = "penstock-";
/// Beginning of the paths that only injection may mount at.
pub const RESERVED_MOUNT: &str = "/penstock";
/// Holds `penstock-entry`: a copy, writable for the sidecar only, or the launcher's image itself.
pub const VOLUME_BIN: &str = "penstock-bin";
/// Where [`VOLUME_BIN`] is mounted.
pub const BIN_DIR: &str = "/penstock/bin";
/// The program that main starts with.
pub const ENTRY_PATH: &str = "/penstock/bin/penstock-entry";
/// Holds the socket of the sidecar; writable for the sidecar only.
pub const VOLUME_CONTROL: &str = "penstock-control";
/// Where [`VOLUME_CONTROL`] is mounted.
pub const CONTROL_DIR: &str = "/penstock/control";
/// The socket at which the sidecar waits for the entry.
pub const ENTRY_SOCKET: &str = "/penstock/control/entry.sock";
/// Writable for both: the log of the attempt.
pub const VOLUME_SHARED: &str = "penstock-shared";
/// Where [`VOLUME_SHARED`] is mounted.
pub const SHARED_DIR: &str = "/penstock/shared";
/// The merged standard output and error of main.
pub const POD_LOG: &str = "/penstock/shared/log";
/// Identity, plan, settings and credentials; mounted in the sidecar only.
pub const VOLUME_POD: &str = "penstock-pod";
/// Where [`VOLUME_POD`] is mounted.
pub const POD_DIR: &str = "/penstock/pod";
/// File in [`POD_DIR`]: token for the API server (tasks only).
pub const POD_TOKEN_FILE: &str = "token";
/// File in [`POD_DIR`]: authorities of the API server (tasks only).
pub const POD_CA_FILE: &str = "ca.crt";
/// File in [`POD_DIR`]: value of [`ANNOTATION_PLAN`].
pub const POD_PLAN_FILE: &str = "plan";
/// File in [`POD_DIR`]: value of [`ANNOTATION_PLAN_REF`].
pub const POD_PLAN_REF_FILE: &str = "plan-ref";
/// File in [`POD_DIR`]: value of [`ANNOTATION_INPUTS`].
pub const POD_INPUTS_FILE: &str = "inputs";
/// File in [`POD_DIR`]: value of [`ANNOTATION_OUTPUTS`].
pub const POD_OUTPUTS_FILE: &str = "outputs";
/// File in [`POD_DIR`]: the namespace's settings.
pub const POD_SETTINGS_FILE: &str = "settings.json";
/// File in [`POD_DIR`]: authorities that the certificates of stores may be of, where the settings name some.
pub const POD_STORE_CA_FILE: &str = "store-ca.crt";
/// Directory in [`POD_DIR`]: `<secret>/<key>` for each credential that the settings name.
pub const POD_CREDENTIALS_DIR: &str = "credentials";
/// Beginning of the names of volumes that injection adds for the inputs and outputs of a Pod that is no task.
pub const VOLUME_DATA_PREFIX: &str = "penstock-data-";
/// Environment of the sidecar: name of the Pod.
pub const ENV_LAUNCHER_POD_NAME: &str = "PENSTOCK_POD_NAME";
/// Environment of the sidecar: UID of the Pod.
pub const ENV_LAUNCHER_POD_UID: &str = "PENSTOCK_POD_UID";
/// Environment of the sidecar: namespace of the Pod.
pub const ENV_LAUNCHER_NAMESPACE: &str = "PENSTOCK_NAMESPACE";
/// Environment of the sidecar: seconds between the wish that the Pod ends and its end by force.
pub const ENV_LAUNCHER_GRACE: &str = "PENSTOCK_TERMINATION_GRACE_SECONDS";
/// Environment of the user's container, taken out before its program starts: the most seconds that the entry holds the
/// container open after the program's end.
pub const ENV_ENTRY_HOLD: &str = "PENSTOCK_ENTRY_HOLD_SECONDS";
/// Environment of the user's container, taken out before its program starts: where the installation's own certificates of
/// authorities are mounted.
pub const ENV_ENTRY_CA_BUNDLE: &str = "PENSTOCK_ENTRY_CA_BUNDLE";
/// Where the entry puts those certificates together with what the image trusts, for the user's program.
pub const POD_CA_BUNDLE: &str = "/penstock/shared/ca-bundle.crt";
/// Environment of the sidecar: seconds for which a request to an object store is repeated.
pub const ENV_LAUNCHER_TRANSFER_BUDGET: &str = "PENSTOCK_TRANSFER_BUDGET_SECONDS";
/// Environment of the sidecar: seconds for which the report is offered to the API server.
pub const ENV_LAUNCHER_REPORT_BUDGET: &str = "PENSTOCK_REPORT_BUDGET_SECONDS";
/// Environment of the sidecar: which events it logs.
pub const ENV_LAUNCHER_LOG: &str = "PENSTOCK_LOG";
/// Environment of the sidecar: form of its log.
pub const ENV_LAUNCHER_LOG_FORMAT: &str = "PENSTOCK_LOG_FORMAT";
/// Environment of the sidecar: the files in [`POD_DIR`] that the settings asked for when the Pod was made, by their
/// paths there, separated by blanks.
pub const ENV_LAUNCHER_FILES: &str = "PENSTOCK_POD_FILES";
/// The sidecar's program in the launcher's image.
pub const LAUNCHER_PATH: &str = "/penstock-launcher";
/// Argument of the sidecar: [`VOLUME_BIN`] is the launcher's image, so the entry needs no copy.
pub const LAUNCHER_ENTRY_MOUNTED: &str = "--entry-mounted";

/// KFP's scratch volumes of a task's Pod, with the paths they are mounted at: artifacts by scheme.
pub const ARTIFACT_VOLUMES: [(&str, &str); 3] =
    [("gcs-scratch", "/gcs"), ("s3-scratch", "/s3"), ("minio-scratch", "/minio")];
/// KFP's scratch volumes of a task's Pod, with the paths they are mounted at: for user code of any UID.
pub const HOME_VOLUMES: [(&str, &str); 3] =
    [("dot-local-scratch", "/.local"), ("dot-cache-scratch", "/.cache"), ("dot-config-scratch", "/.config")];
/// Volume of a run's workspace in a task's Pod.
pub const VOLUME_WORKSPACE: &str = "kfp-workspace";
/// Volume of output parameter files in a task's Pod, mounted at [`OUTPUT_PARAMETER_DIR`] in main and sidecar.
pub const VOLUME_OUTPUT_PARAMETERS: &str = "kfp-outputs";

// Kubernetes: what is installed.

/// The admission policies, each with a binding of the same name.
pub const ADMISSION_POLICIES: [&str; 7] = [
    "penstock-control-plane-claims",
    "penstock-control-plane-objects",
    "penstock-control-plane-pods",
    "penstock-pod-binding",
    "penstock-task-account",
    "penstock-task-pod",
    "penstock-task-report",
];

// Kubernetes: what the driver keeps in each namespace.

/// Account of task Pods.
pub const TASK_SERVICE_ACCOUNT: &str = "penstock-task";
/// Role of [`TASK_SERVICE_ACCOUNT`], and its binding.
pub const TASK_ROLE: &str = "penstock-task";
/// ConfigMap with the namespace's settings under the key [`POD_SETTINGS_FILE`].
pub const SETTINGS_CONFIG_MAP: &str = "penstock-settings";
/// KFP's service account of runs that name none.
pub const KFP_SERVICE_ACCOUNT: &str = "pipeline-runner";
/// KFP's ConfigMap with a namespace's pipeline root and stores.
pub const KFP_LAUNCHER_CONFIG_MAP: &str = "kfp-launcher";
/// Key in [`KFP_LAUNCHER_CONFIG_MAP`]: the pipeline root.
pub const KFP_DEFAULT_ROOT: &str = "defaultPipelineRoot";
/// Key in [`KFP_LAUNCHER_CONFIG_MAP`]: the object stores, as YAML.
pub const KFP_PROVIDERS: &str = "providers";
/// KFP's Secret with the keys of the bundled object store.
pub const KFP_STORE_SECRET: &str = "mlpipeline-minio-artifact";
/// Key of the access key in [`KFP_STORE_SECRET`].
pub const KFP_ACCESS_KEY: &str = "accesskey";
/// Key of the secret key in [`KFP_STORE_SECRET`].
pub const KFP_SECRET_KEY: &str = "secretkey";
