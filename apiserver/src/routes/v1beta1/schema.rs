//! The shapes of v1beta1, as far as they are shown.

use crate::openapi::schema::{Kind, Message, always, shown};
use crate::recurring::schema::TRIGGER;
use crate::routes::versions::PACKAGE_URL;
use crate::runs::schema::RUNTIME_CONFIG;

const STORAGE_STATES: [&str; 2] = ["STORAGESTATE_AVAILABLE", "STORAGESTATE_ARCHIVED"];

pub(super) const EXPERIMENT: Message = Message {
    name: "OldExperiment",
    fields: &[
        always("id", Kind::Id),
        shown("name", Kind::Text),
        shown("description", Kind::Text),
        always("created_at", Kind::Time),
        shown("resource_references", Kind::List(&Kind::Message(&REFERENCE))),
        shown("storage_state", Kind::Words(&STORAGE_STATES)),
    ],
};

pub(super) const EXPERIMENTS: Message = Message {
    name: "OldExperiments",
    fields: &[
        shown("experiments", Kind::Resources(&EXPERIMENT)),
        shown("total_size", Kind::Int32),
        shown("next_page_token", Kind::Text),
    ],
};

const REFERENCE: Message = Message {
    name: "OldReference",
    fields: &[always("key", Kind::Message(&KEY)), always("relationship", Kind::Words(&["OWNER", "CREATOR"]))],
};

const KEY: Message = Message {
    name: "OldKey",
    fields: &[
        always("type", Kind::Words(&["NAMESPACE", "EXPERIMENT", "PIPELINE", "PIPELINE_VERSION", "JOB"])),
        always("id", Kind::Text),
    ],
};

const SPEC: Message = Message {
    name: "OldPipelineSpec",
    fields: &[
        shown("pipeline_id", Kind::Id),
        shown("pipeline_manifest", Kind::Text),
        shown("runtime_config", Kind::Message(&RUNTIME_CONFIG)),
    ],
};

const RUN: Message = Message {
    name: "OldRun",
    fields: &[
        always("id", Kind::Id),
        shown("name", Kind::Text),
        shown("storage_state", Kind::Words(&STORAGE_STATES)),
        shown("description", Kind::Text),
        shown("pipeline_spec", Kind::Message(&SPEC)),
        shown("resource_references", Kind::List(&Kind::Message(&REFERENCE))),
        shown("service_account", Kind::Text),
        always("created_at", Kind::Time),
        shown("scheduled_at", Kind::Time),
        shown("finished_at", Kind::Time),
        shown("status", Kind::Text),
        shown("error", Kind::Text),
    ],
};

pub(super) const RUN_DETAIL: Message = Message {
    name: "OldRunDetail",
    fields: &[always("run", Kind::Message(&RUN)), always("pipeline_runtime", Kind::Struct)],
};

pub(super) const RUNS: Message = Message {
    name: "OldRuns",
    fields: &[
        shown("runs", Kind::Resources(&RUN)),
        shown("total_size", Kind::Int32),
        shown("next_page_token", Kind::Text),
    ],
};

pub(super) const JOB: Message = Message {
    name: "OldJob",
    fields: &[
        always("id", Kind::Id),
        shown("name", Kind::Text),
        shown("description", Kind::Text),
        shown("pipeline_spec", Kind::Message(&SPEC)),
        shown("resource_references", Kind::List(&Kind::Message(&REFERENCE))),
        shown("service_account", Kind::Text),
        shown("max_concurrency", Kind::Int64),
        shown("trigger", Kind::Message(&TRIGGER)),
        shown("mode", Kind::Words(&["ENABLED", "DISABLED"])),
        always("created_at", Kind::Time),
        shown("updated_at", Kind::Time),
        shown("status", Kind::Text),
        shown("error", Kind::Text),
        shown("enabled", Kind::Boolean),
        shown("no_catchup", Kind::Boolean),
    ],
};

pub(super) const JOBS: Message = Message {
    name: "OldJobs",
    fields: &[
        shown("jobs", Kind::Resources(&JOB)),
        shown("total_size", Kind::Int32),
        shown("next_page_token", Kind::Text),
    ],
};

pub(super) const PIPELINE: Message = Message {
    name: "OldPipeline",
    fields: &[
        always("id", Kind::Id),
        shown("name", Kind::Text),
        shown("description", Kind::Text),
        shown("resource_references", Kind::List(&Kind::Message(&REFERENCE))),
        always("created_at", Kind::Time),
    ],
};

pub(super) const PIPELINES: Message = Message {
    name: "OldPipelines",
    fields: &[
        shown("pipelines", Kind::Resources(&PIPELINE)),
        shown("total_size", Kind::Int32),
        shown("next_page_token", Kind::Text),
    ],
};

pub(super) const VERSION: Message = Message {
    name: "OldPipelineVersion",
    fields: &[
        always("id", Kind::Id),
        shown("name", Kind::Text),
        shown("description", Kind::Text),
        always("created_at", Kind::Time),
        shown("code_source_url", Kind::Text),
        shown("package_url", Kind::Message(&PACKAGE_URL)),
        always("resource_references", Kind::List(&Kind::Message(&REFERENCE))),
    ],
};

pub(super) const VERSIONS: Message = Message {
    name: "OldPipelineVersions",
    fields: &[
        shown("versions", Kind::Resources(&VERSION)),
        shown("total_size", Kind::Int32),
        shown("next_page_token", Kind::Text),
    ],
};

pub(super) const TEMPLATE: Message = Message { name: "OldTemplate", fields: &[shown("template", Kind::Text)] };
