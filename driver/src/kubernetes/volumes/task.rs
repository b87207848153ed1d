//! An attempt that creates or deletes a volume claim. It has no Pod and no log: its outcome is what the API server answers.

use std::sync::Arc;

use penstock_launcher::report::attempt_of;
use penstock_spec::keys;
use penstock_spec::plan::Plan;
use penstock_spec::report::{AttemptRef, FailureCause, Outcome, Report, TaskOutputs};
use serde_json::{Map, Value};
use tokio::sync::watch;

use super::making::{delete, make};
use super::patience::Patience;
use super::wanted::{ClaimError, name_to_delete, of_task};
use crate::kubernetes::attempt::{End, Ended, TakeUp};
use crate::kubernetes::run::{RunPods, Waiting};

/// What an image that is never run stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::kubernetes) enum Work {
    Create,
    Delete,
}

impl Work {
    /// What this image stands for; nothing if it is one that is run.
    pub(in crate::kubernetes) fn of(image: &str) -> Option<Work> {
        match image {
            keys::CREATE_CLAIM_IMAGE => Some(Work::Create),
            keys::DELETE_CLAIM_IMAGE => Some(Work::Delete),
            _ => None,
        }
    }
}

/// An attempt under way.
pub(in crate::kubernetes) struct AttemptClaim {
    shared: Arc<RunPods>,
    plan: Plan,
    attempt: AttemptRef,
    stop: watch::Receiver<bool>,
    waiting: Waiting,
}

impl AttemptClaim {
    pub(in crate::kubernetes) fn new(shared: Arc<RunPods>, plan: Plan, stop: watch::Receiver<bool>) -> AttemptClaim {
        let attempt = attempt_of(&plan);
        let waiting = Waiting::new(Arc::clone(&shared.reasons), attempt.clone());
        AttemptClaim { shared, plan, attempt, stop, waiting }
    }

    /// Carries the attempt out, and tells how it ended.
    pub(in crate::kubernetes) async fn run(mut self, work: Work, take_up: TakeUp) -> Ended {
        let done = match work {
            Work::Create => self.create().await,
            Work::Delete => self.delete(take_up).await,
        };
        let end = match done {
            Ok(parameters) => End::Reported(Box::new(self.report(parameters))),
            Err(end) => end,
        };
        Ended { end, timings: None, witness: None }
    }

    async fn create(&mut self) -> Result<Map<String, Value>, End> {
        let claim = of_task(&self.plan, &self.shared.settings.volumes).map_err(|error| mistaken(&error))?;
        let shared = Arc::clone(&self.shared);
        make(&shared, &claim, self.patience()).await?;
        let is_declared = self.plan.output_parameters.contains_key(keys::CLAIM_NAME_OUTPUT);
        let name = claim.metadata.name.filter(|_| is_declared);
        Ok(name.into_iter().map(|name| (keys::CLAIM_NAME_OUTPUT.to_owned(), Value::from(name))).collect())
    }

    /// A driver that was killed may have had the answer and not recorded it: what is gone then is what it deleted.
    async fn delete(&mut self, take_up: TakeUp) -> Result<Map<String, Value>, End> {
        let name = name_to_delete(&self.plan).map_err(|error| mistaken(&error))?;
        let shared = Arc::clone(&self.shared);
        delete(&shared, &name, take_up == TakeUp::Recover, self.patience()).await?;
        Ok(Map::new())
    }

    fn patience(&mut self) -> Patience<'_> {
        let limit = self.shared.settings.timeouts.pending;
        Patience::new(&mut self.stop, &mut self.waiting, &self.plan.task.path, limit)
    }

    fn report(&self, parameters: Map<String, Value>) -> Report {
        Report {
            attempt: self.attempt.clone(),
            outcome: Outcome::Succeeded(TaskOutputs { parameters, ..TaskOutputs::default() }),
            exit_code: None,
            log_uri: None,
            manifest_digest: None,
            ran_on_host: false,
            timings: None,
        }
    }
}

fn mistaken(error: &ClaimError) -> End {
    End::lost(FailureCause::Input, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_stand_for_something_by_their_very_names() {
        assert_eq!(Work::of("argostub/createpvc"), Some(Work::Create));
        assert_eq!(Work::of("argostub/deletepvc"), Some(Work::Delete));
        for image in ["argostub/createpvc:1", "docker.io/argostub/createpvc", "argostub/other", "python"] {
            assert_eq!(Work::of(image), None, "{image}");
        }
    }
}
