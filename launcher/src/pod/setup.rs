//! Finds out what there is to do in this Pod.

use std::sync::Arc;
use std::time::Duration;

use penstock_objectstore::Transfer;
use penstock_objectstore::content::{digest_of, format_digest};
use penstock_spec::plan::Plan;
use penstock_spec::pod::PlanRef;
use penstock_spec::report::{AttemptRef, Failure, FailureCause};

use super::args::SidecarArgs;
use super::assignment::{Assignment, AssignmentError, MAX_PLAN, parse_plan, read_settings};
use super::data::DataJob;
use super::entry::EntryHandle;
use super::job::Job;
use super::log::PodLog;
use super::stores::{PodFiles, build_transfer};
use super::task::TaskJob;
use crate::report::{attempt_of, describe, failure};

/// Finds out what there is to do. What is wrong becomes a job that can only fail.
pub async fn set_up(
    args: &SidecarArgs,
    assignment: Result<Assignment, AssignmentError>,
    entry: &EntryHandle,
) -> (Job, Option<Arc<Transfer>>) {
    let refused = |attempt, reason: String| (Job::Broken(attempt, failure(FailureCause::Refused, reason)), None);
    let assignment = match assignment {
        Ok(assignment) => assignment,
        Err(error) => return refused(None, describe(&error)),
    };
    let attempt = match &assignment {
        Assignment::Task(plan) => Some(attempt_of(plan)),
        _ => None,
    };
    let settings = match read_settings(&args.places.pod_dir) {
        Ok(settings) => settings,
        Err(error) => return refused(attempt, describe(&error)),
    };
    let budget = Duration::from_secs(args.transfer_budget_seconds);
    let files = PodFiles { directory: &args.places.pod_dir, asked_for: args.pod_files.as_deref() };
    let transfer = match build_transfer(&settings, files, budget) {
        Ok(transfer) => Arc::new(transfer),
        Err(error) if error.is_outdated() => {
            return (Job::Broken(attempt, failure(FailureCause::Infrastructure, describe(&error))), None);
        }
        Err(error) => return refused(attempt, describe(&error)),
    };
    let opener = Arc::new(entry.clone());
    let task = |plan: Plan| {
        let period = Duration::from_secs(args.log_period_seconds);
        let places = &args.places;
        let log = PodLog::new(Arc::clone(&transfer), places.log(), places.log_times(), plan.log_uri(), period);
        let attempt: AttemptRef = attempt_of(&plan);
        match TaskJob::new(plan, &args.places.root, Arc::clone(&transfer), opener.clone(), log, args.graces()) {
            Ok(task) => Job::Task(Arc::new(task)),
            Err(failure) => Job::Broken(Some(attempt), failure),
        }
    };
    let job = match assignment {
        Assignment::Task(plan) => task(*plan),
        Assignment::PlanRef(reference) => match fetch_plan(&transfer, &reference).await {
            Ok(plan) => task(plan),
            Err(failure) => Job::Broken(None, failure),
        },
        Assignment::Data { inputs, outputs } => Job::Data(Arc::new(DataJob {
            inputs,
            outputs,
            pod_uid: args.pod_uid.clone(),
            transfer: Arc::clone(&transfer),
            entry: opener,
            graces: args.graces(),
        })),
    };
    (job, Some(transfer))
}

/// Fetches a plan that was too large for an annotation.
async fn fetch_plan(transfer: &Transfer, reference: &PlanRef) -> Result<Plan, Failure> {
    let PlanRef { uri, digest, size } = reference;
    let failed = |cause, reason: &str| failure(cause, format!("cannot read the plan {uri}: {reason}"));
    if *size > MAX_PLAN {
        return Err(failed(FailureCause::Refused, &format!("it has {size} bytes, and {MAX_PLAN} are the limit")));
    }
    let bytes = match transfer.get_bytes(uri, *size).await {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Err(failed(FailureCause::Infrastructure, "it does not exist")),
        Err(error) => return Err(failed(FailureCause::Infrastructure, &describe(&error))),
    };
    let found = format_digest(&digest_of(&bytes));
    if found != *digest {
        return Err(failed(FailureCause::Infrastructure, &format!("its digest is {found}, expected {digest}")));
    }
    parse_plan(&bytes).map_err(|reason| failed(FailureCause::Refused, &reason))
}
