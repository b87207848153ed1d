//! What the world answers to effects.

use penstock_engine::{CacheHit, CacheSource, Effect, Event, ImportResult, NodeId};
use penstock_spec::ir::{OutputDefinitions, OutputParameter};
use penstock_spec::plan::Plan;
use penstock_spec::report::{AttemptRef, Failure, FailureCause, Outcome, Report, TaskOutputs};
use uuid::Uuid;

use super::{Broken, Host};
use crate::compare::inputs_of;
use crate::world::comparable;

impl Host<'_> {
    pub(super) fn event_of(&mut self, effect: &Effect) -> Result<Event, String> {
        Ok(match effect {
            Effect::LookUpCache { node, .. } => Event::CacheAnswered { node: *node, hit: self.cache_hit(*node)? },
            Effect::StartAttempt { node, plan } => self.outcome(*node, plan)?,
            Effect::StopAttempt { node, attempt } => {
                let plan = self.plans.get(&(*node, *attempt)).cloned().ok_or("an attempt is stopped that never was")?;
                let canceled = Failure { cause: FailureCause::Canceled, message: "stopped".to_owned() };
                match self.tape.next() % 4 {
                    0 => self.report(&plan, *node, Outcome::Failed(canceled)),
                    1 => Event::TaskLost { node: *node, attempt: *attempt, failure: canceled, timings: None },
                    _ => {
                        self.note("stopped attempt ends by itself");
                        self.outcome(*node, &plan)?
                    }
                }
            }
            Effect::Import { node, request } => {
                let path = &self.observer.node(*node)?.path;
                let failure = Failure { cause: FailureCause::Input, message: "there is nothing".to_owned() };
                let result = match self.case.world.import_fails(path) {
                    true => ImportResult::Failed(failure),
                    false => ImportResult::Imported(Box::new(request.artifact.clone())),
                };
                Event::ImportAnswered { node: *node, result }
            }
            Effect::SetTimer { timer, at } => {
                self.now = self.now.max(*at);
                Event::TimerDue { timer: *timer }
            }
        })
    }

    fn cache_hit(&self, node: NodeId) -> Result<Option<CacheHit>, String> {
        let plan = self.state.plan(node).ok_or("the cache is asked for a task without a plan")?;
        let source = CacheSource { run_id: Uuid::from_u128(7), task_path: plan.task.path.clone() };
        let hit = self.case.world.is_cached(&plan.task.path);
        Ok(hit.then(|| CacheHit { source, outputs: self.outputs(&plan) }))
    }

    fn outputs(&self, plan: &Plan) -> TaskOutputs {
        let inputs = inputs_of(&plan.inputs, &plan.defaults);
        let mut all = comparable(&inputs.defaults);
        all.extend(inputs.parameters);
        let parameters = plan.output_parameters.keys().map(|name| (name.clone(), OutputParameter::default()));
        let declared = OutputDefinitions { parameters: parameters.collect(), artifacts: plan.output_artifacts.clone() };
        self.case.world.outputs(&plan.task.path, &all, &inputs.artifacts, &declared)
    }

    /// What an attempt comes to, told by it or by who found it gone.
    fn outcome(&mut self, node: NodeId, plan: &Plan) -> Result<Event, String> {
        let attempt = plan.task.attempt;
        let counted = attempt - self.observer.node(node)?.interrupted;
        Ok(match self.case.world.failure(&plan.task.path, counted) {
            None => self.report(plan, node, Outcome::Succeeded(self.outputs(plan))),
            Some(failure) if failure.cause == FailureCause::Infrastructure && self.tape.next().is_multiple_of(2) => {
                self.note("lost attempt");
                Event::TaskLost { node, attempt, failure, timings: None }
            }
            Some(failure) => self.report(plan, node, Outcome::Failed(failure)),
        })
    }

    fn report(&self, plan: &Plan, node: NodeId, outcome: Outcome) -> Event {
        let double = u32::from(self.broken == Some(Broken::CountsTwice) && plan.task.attempt == 0);
        let attempt = AttemptRef { run_id: plan.run.id, task_id: plan.task.id, attempt: plan.task.attempt + double };
        let log_uri = Some(plan.log_uri());
        let report = Report {
            attempt,
            outcome,
            exit_code: None,
            log_uri,
            manifest_digest: None,
            ran_on_host: false,
            timings: None,
        };
        Event::TaskReported { node, report }
    }
}
