//! What tasks do that are not made of others.

use penstock_spec::ir::ExecutorSpec;
use penstock_spec::report::FailureCause;
use serde_json::{Map, Value};

use super::{Body, Naive, Scope, Wrong};
use crate::expected::{End, Expected, Inputs, Outputs};

impl Naive<'_> {
    pub(super) fn body(&self, scope: &Scope, body: Body<'_>) -> Expected {
        if let Some(dag) = &body.component.dag {
            return self.dag(scope, body, dag);
        }
        let label = body.component.executor_label.as_deref().unwrap_or_default();
        match &self.case.spec.deployment_spec.executors[label] {
            ExecutorSpec::Importer(importer) => {
                let uri = match (&importer.artifact_uri.constant, &importer.artifact_uri.runtime_parameter) {
                    (Some(uri), _) => uri.clone(),
                    (None, name) => scope.parameters[name.as_ref().unwrap()].as_str().unwrap().to_owned(),
                };
                if uri.is_empty() || self.case.world.import_fails(body.path) {
                    self.note("import failed");
                    return Expected::ended(body.path, End::Failed);
                }
                self.note("import");
                let mut expected = Expected::ended(body.path, End::Succeeded);
                expected.outputs.artifacts.insert("artifact".to_owned(), vec![uri]);
                expected
            }
            _ => self.container(scope, body),
        }
    }

    fn container(&self, scope: &Scope, body: Body<'_>) -> Expected {
        let parameters: Map<String, Value> =
            scope.parameters.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let declared = &body.component.input_definitions.parameters;
        let left_out = declared.iter().filter(|(name, _)| !parameters.contains_key(*name));
        let defaults: Map<String, Value> = left_out
            .filter_map(|(name, input)| Some((name.clone(), input.default_value.clone()?)))
            .filter(|_| !self.is(Wrong::DefaultIsForgotten))
            .collect();
        if !defaults.is_empty() {
            self.note("default of a task");
        }
        let mut all = defaults.clone();
        all.extend(parameters.clone());
        let mut expected = Expected::ended(body.path, End::Succeeded);
        let outputs = self.case.world.outputs(body.path, &all, &scope.artifacts, &body.component.output_definitions);
        expected.inputs = Some(Inputs { parameters, defaults, artifacts: scope.artifacts.clone() });
        expected.attempts = self.prior(body.path).map_or(0, |prior| prior.attempts);
        if outputs.parameters.values().any(Value::is_null) {
            self.note("null output");
        }
        let mut cached = body.task.caching_options.enable_cache && self.case.world.is_cached(body.path);
        if cached && self.is_uncached(body.path) {
            self.note("cached result that nobody wants");
            cached = false;
        }
        if cached && !self.is(Wrong::CacheIsIgnored) {
            self.note("cached task");
            expected.cached = true;
        } else if !self.attempts(&mut expected, body) {
            self.note("failed task");
            expected.end = End::Failed;
            return expected;
        }
        expected.outputs = Outputs::from(&outputs);
        expected
    }

    /// Tries until one attempt succeeds or nobody pays for another.
    fn attempts(&self, expected: &mut Expected, body: Body<'_>) -> bool {
        let Body { policy, task, .. } = body;
        let own_policy = policy.is_none() || task.retry_policy.is_some();
        let mut of_user = policy.map_or(0, |policy| policy.max_retry_count);
        if self.is(Wrong::OneMoreRetry) {
            of_user += 1;
        }
        let mut of_machine = 3;
        loop {
            let failure = self.case.world.failure(&expected.path, expected.attempts);
            expected.attempts += 1;
            let budget = match failure.map(|it| it.cause) {
                None => return true,
                Some(FailureCause::User | FailureCause::Timeout | FailureCause::Output) => &mut of_user,
                Some(FailureCause::Infrastructure) => &mut of_machine,
                Some(_) => return false,
            };
            if *budget == 0 {
                return false;
            }
            *budget -= 1;
            self.note("retry");
            if !own_policy {
                self.note("retry by the policy of a group");
            }
        }
    }
}
