//! How a task ended, as a value for other tasks: `PipelineTaskFinalStatus`.
//!
//! The state is `SUCCEEDED` (cache hits too), `FAILED` or `CANCELLED`, as KFP documents it; a task that did not run is
//! `NOT_TRIGGERED` (its condition) or `UNSCHEDULABLE` (its dependencies). The error of a failed task has the code of
//! `google.rpc.Code` that fits and the failure's message.

use penstock_spec::report::{Failure, FailureCause};
use penstock_spec::run::TaskStatus;
use serde_json::{Value, json};

use crate::fact::{NodeId, SkipReason};
use crate::state::RunState;

impl RunState {
    pub(crate) fn final_status(&self, id: NodeId) -> Value {
        let Some(node) = self.get(id) else { return Value::Null };
        let state = match node.status {
            TaskStatus::Succeeded => "SUCCEEDED",
            TaskStatus::Failed => "FAILED",
            TaskStatus::Canceled => "CANCELLED",
            TaskStatus::Skipped => match node.skip_reason() {
                Some(SkipReason::Condition { .. }) => "NOT_TRIGGERED",
                _ => "UNSCHEDULABLE",
            },
            TaskStatus::Running => "RUNNING",
            TaskStatus::Pending => "PENDING",
        };
        let error = match node.failure() {
            Some(failure) if node.status == TaskStatus::Failed => error(failure),
            _ => json!({}),
        };
        json!({
            "state": state,
            "error": error,
            "pipelineJobResourceName": self.run.as_ref().map_or("", |run| &run.info.name),
            "pipelineTaskName": self.task(id).map_or("", |task| &task.key),
        })
    }
}

fn error(failure: &Failure) -> Value {
    json!({ "code": code(failure.cause), "message": failure.message })
}

/// Codes of `google.rpc.Code`.
fn code(cause: FailureCause) -> u32 {
    match cause {
        FailureCause::Canceled => 1,
        FailureCause::User | FailureCause::Upstream => 2,
        FailureCause::Input => 3,
        FailureCause::Timeout => 4,
        FailureCause::Output => 9,
        FailureCause::Refused => 12,
        FailureCause::Infrastructure | FailureCause::Interrupted => 14,
    }
}
