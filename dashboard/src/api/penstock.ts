/** What Penstock's own routes give, as far as the pages use it. */
import type { Json, StorageState } from "./kfp";

export type TaskStatus = "PENDING" | "RUNNING" | "SUCCEEDED" | "SKIPPED" | "FAILED" | "CANCELED";

export type TaskKind = "ROOT" | "DAG" | "LOOP" | "ITERATION" | "CONTAINER" | "IMPORTER";

export interface Failure {
  cause: string;
  message: string;
}

/** When an attempt came to each of its steps, in their order; what is not known is absent. */
export interface Timings {
  created_at?: string;
  scheduled_at?: string;
  launcher_at?: string;
  inputs_at?: string;
  ready_at?: string;
  container_at?: string;
  started_at?: string;
  ended_at?: string;
  stored_at?: string;
}

export interface Attempt {
  attempt: number;
  started_at: string;
  ended_at?: string;
  outcome?: "SUCCEEDED" | "FAILED" | "CANCELED";
  failure?: Failure;
  retry_at?: string;
  has_log?: boolean;
  timings?: Timings;
  pod_name?: string;
}

export interface Skipped {
  reason: string;
  condition?: string;
  task?: string;
}

/** One task instance, group, loop or iteration of a run. */
export interface TreeNode {
  node: number;
  parent?: number;
  key: string;
  name: string;
  path: string;
  task_id: string;
  kind: TaskKind;
  component: string;
  status: TaskStatus;
  phase: string;
  depends_on?: number[];
  waiting_for?: number[];
  iteration?: number;
  items?: number;
  counts?: Partial<Record<TaskStatus, number>>;
  ready_at?: string;
  started_at?: string;
  ended_at?: string;
  retry_at?: string;
  attempts?: Attempt[];
  failure?: Failure;
  skipped?: Skipped;
  cached_from?: { run_id: string; task_path: string };
  ran_on_host?: boolean;
  /** The newest attempt that has a log. */
  log_attempt?: number;
}

export interface Tree {
  /** Number of the newest fact that it tells of. */
  seq: number;
  at?: string;
  status: string;
  nodes: TreeNode[];
  /** The iteration at which the next page begins. */
  next_from?: number;
}

export interface Artifact {
  artifact_id: string;
  name: string;
  type: string;
  uri: string;
  created_at?: string;
  digest?: string;
  /** Bytes. */
  size?: string;
  /** How many files it is made of. */
  files?: number;
  directory?: boolean;
  metadata?: Record<string, Json>;
  producer?: Producer;
}

/** The task that made an artifact. */
export interface Producer {
  run_id: string;
  run_name?: string;
  pipeline_name?: string;
  task_id: string;
  task_name?: string;
  task_path: string;
  output: string;
  state?: string;
  finished_at?: string;
  /** Its run is not there any more. */
  deleted?: boolean;
}

export interface TaskValues {
  parameters?: Record<string, Json>;
  artifacts?: Record<string, Artifact[]>;
}

export interface TaskDetail extends TreeNode {
  inputs?: TaskValues;
  outputs?: TaskValues;
  image?: string;
  command?: string[];
  env?: { name: string; value?: string }[];
  pod_names?: string[];
}

export interface Spec {
  pipeline_spec: PipelineSpec;
  platform_spec?: Json;
  parameters?: Record<string, Json>;
  text?: string;
}

/** The compiled pipeline (IR), as far as the pages read it. */
export interface PipelineSpec {
  pipelineInfo: { name: string; displayName?: string; description?: string };
  root: ComponentSpec;
  components?: Record<string, ComponentSpec>;
  deploymentSpec?: { executors?: Record<string, Executor> };
  sdkVersion?: string;
}

export interface Executor {
  container?: { image?: string; command?: string[]; args?: string[]; env?: { name: string; value?: string }[] };
  importer?: Json;
}

export interface ComponentSpec {
  dag?: { tasks?: Record<string, TaskSpec>; outputs?: Json };
  executorLabel?: string;
  inputDefinitions?: {
    parameters?: Record<string, ParameterDefinition>;
    artifacts?: Record<string, ArtifactDefinition>;
  };
  outputDefinitions?: {
    parameters?: Record<string, ParameterDefinition>;
    artifacts?: Record<string, ArtifactDefinition>;
  };
}

export interface ParameterDefinition {
  parameterType: "NUMBER_DOUBLE" | "NUMBER_INTEGER" | "STRING" | "BOOLEAN" | "LIST" | "STRUCT" | string;
  defaultValue?: Json;
  description?: string;
  isOptional?: boolean;
  literals?: Json[];
}

export interface ArtifactDefinition {
  artifactType?: { schemaTitle?: string };
  description?: string;
  isOptional?: boolean;
}

export interface TaskSpec {
  taskInfo?: { name?: string };
  componentRef?: { name?: string };
  dependentTasks?: string[];
  triggerPolicy?: { condition?: string; strategy?: string };
  parameterIterator?: Json;
  artifactIterator?: Json;
  inputs?: Json;
  cachingOptions?: { enableCache?: boolean };
  retryPolicy?: {
    maxRetryCount?: number;
    backoffDuration?: string;
    backoffFactor?: number;
    backoffMaxDuration?: string;
  };
}

/** A run with what its events refer to. */
export interface RunRecord {
  run: {
    info: {
      id: string;
      name: string;
      displayName: string;
      pipelineName: string;
      namespace?: string;
      pipelineRoot: string;
      createdAt: string;
      scheduledAt: string;
      caching: boolean;
      /** The directory that its tasks share. */
      workspace?: string;
    };
    /** How it is carried out. */
    options: Record<string, Json>;
    status: string;
    error?: string | null;
    started_at?: string | null;
    finished_at?: string | null;
    fact_count: number;
  };
  pipeline: string;
  remarks: { kind: string; subject: string; at: string; text: string }[];
}

export interface Check {
  name: string;
  status: "OK" | "WARNING" | "FAILED";
  detail: string;
  remedy?: string;
}

export interface System {
  version: string;
  commit?: string;
  mode: "local" | "kubernetes";
  multi_user: boolean;
  /** In which cron expressions are read; servers before tell none. */
  time_zone?: string;
  user?: string;
  namespaces?: string[];
  store: { kind: string };
  /** Told to those who may look at the runs of a namespace. */
  checks?: Check[];
}

/** What changed, as the stream of a namespace tells it. */
export interface Change {
  id: number;
  kind: string;
  at: string;
  namespace?: string;
  run_id?: string;
  display_name?: string;
  pipeline_name?: string;
  recurring_run_id?: string;
  task_path?: string;
  state?: string;
  ended?: boolean;
  error?: string;
  storage_state?: StorageState;
}
