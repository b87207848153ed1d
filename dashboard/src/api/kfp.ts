/** What KFP's v2beta1 routes take and give, as far as the pages use it. Members without a value are absent. */

export type RuntimeState =
  | "RUNTIME_STATE_UNSPECIFIED"
  | "PENDING"
  | "RUNNING"
  | "SUCCEEDED"
  | "SKIPPED"
  | "FAILED"
  | "CANCELING"
  | "CANCELED"
  | "PAUSED";

export type StorageState = "AVAILABLE" | "ARCHIVED";

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export interface VersionReference {
  pipeline_id: string;
  pipeline_version_id?: string;
}

export interface RuntimeConfig {
  parameters?: Record<string, Json>;
  pipeline_root?: string;
}

export interface Run {
  run_id: string;
  experiment_id: string;
  display_name: string;
  description?: string;
  storage_state: StorageState;
  pipeline_spec?: Json;
  pipeline_version_reference?: VersionReference;
  runtime_config?: RuntimeConfig;
  service_account?: string;
  created_at: string;
  scheduled_at: string;
  /** The epoch until it has ended. */
  finished_at: string;
  state?: RuntimeState;
  error?: { code?: number; message?: string };
  recurring_run_id?: string;
  state_history?: { update_time: string; state: RuntimeState }[];
  plugins_input?: Record<string, Json>;
}

export interface Pipeline {
  pipeline_id: string;
  name: string;
  display_name: string;
  description?: string;
  created_at: string;
  namespace?: string;
  tags?: Record<string, string>;
}

export interface PipelineVersion {
  pipeline_id: string;
  pipeline_version_id: string;
  name: string;
  display_name: string;
  description?: string;
  created_at: string;
  package_url?: { pipeline_url?: string };
  code_source_url?: string;
  pipeline_spec?: Json;
  tags?: Record<string, string>;
}

export interface Experiment {
  experiment_id: string;
  display_name: string;
  description?: string;
  created_at: string;
  namespace?: string;
  storage_state: StorageState;
  /** The epoch while there was no run. */
  last_run_created_at: string;
}

export interface Trigger {
  cron_schedule?: { start_time?: string; end_time?: string; cron?: string };
  periodic_schedule?: { start_time?: string; end_time?: string; interval_second?: string };
}

export interface RecurringRun {
  recurring_run_id: string;
  display_name: string;
  description?: string;
  experiment_id: string;
  namespace?: string;
  pipeline_spec?: Json;
  pipeline_version_reference?: VersionReference;
  runtime_config?: RuntimeConfig;
  service_account?: string;
  max_concurrency?: string;
  no_catchup?: boolean;
  trigger: Trigger;
  mode?: "ENABLE" | "DISABLE";
  status?: "ENABLED" | "DISABLED";
  created_at: string;
  updated_at: string;
  error?: { code?: number; message?: string };
  plugins_input?: Record<string, Json>;
}

interface Listed {
  total_size?: number;
  next_page_token?: string;
}

export type RunPage = Listed & { runs?: Run[] };

/** What is recorded of a run. */
export interface RunValues {
  parameters?: Record<string, Json>;
  metrics?: Record<string, number>;
}

export type FoundRuns = RunPage & {
  /** By the ids of the runs. */
  values?: Record<string, RunValues>;
  /** Whether there may be more than `total_size`. */
  total_is_least?: boolean;
  /** Whether values of earlier runs are not recorded yet. */
  values_incomplete?: boolean;
};

export type PipelinePage = Listed & { pipelines?: Pipeline[] };
export type VersionPage = Listed & { pipeline_versions?: PipelineVersion[] };
export type ExperimentPage = Listed & { experiments?: Experiment[] };
export type RecurringRunPage = Listed & { recurringRuns?: RecurringRun[] };
