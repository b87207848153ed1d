//! Loops, and what they collect.

use std::rc::Rc;

use penstock_spec::ir::ComponentSpec;
use serde_json::Value;

use super::inputs::Items;
use super::{Body, Naive, Scope, Wrong, kept};
use crate::expected::{End, Expected, Group, Outputs, Prior, Wanted};

impl Naive<'_> {
    pub(super) fn iterations(&self, scope: &Scope, body: Body<'_>, items: &Items) -> Expected {
        let limit = usize::try_from(body.task.iterator_policy.parallelism_limit).ok().filter(|limit| *limit > 0);
        let mut all = Vec::new();
        for index in 0..items.len() {
            let path = format!("{}[{index}]", body.path);
            let mut inner = scope.clone();
            items.give(index, &mut inner);
            let prior = self.prior(&path).filter(|prior| body.reopened && prior.current);
            let prior = prior.filter(|_| !self.is(Wrong::RerunForgetsEverything));
            let stays = |prior: &&Prior| prior.succeeded && self.wanted(prior) == Wanted::Nothing;
            if let Some(prior) = prior.filter(stays) {
                self.note("kept iteration");
                all.push(Rc::new(kept(&path, prior, End::Succeeded)));
                continue;
            }
            let reopened = prior.is_some_and(|prior| prior.begun && self.wanted(prior) != Wanted::Anew);
            all.push(Rc::new(self.body(&inner, Body { path: &path, reopened, ..body })));
        }
        self.note(match (items.len(), body.path.contains('[')) {
            (0, _) => "empty loop",
            (_, true) => "loop in a loop",
            (_, false) => "loop",
        });
        let failed = all.iter().any(|it| it.end == End::Failed && !it.kept);
        let failed = failed && !self.is(Wrong::FailedIterationIsForgiven);
        let mut expected = Expected::ended(body.path, if failed { End::Failed } else { End::Succeeded });
        if failed {
            self.note(if limit.is_some() { "failed loop with a limit" } else { "failed loop" });
        } else {
            expected.outputs = self.collected(body.component, &all);
        }
        expected.group = Some(Group::Loop { limit, iterations: all });
        expected
    }

    fn collected(&self, component: &ComponentSpec, iterations: &[Rc<Expected>]) -> Outputs {
        let mut outputs = Outputs::default();
        let mut iterations: Vec<&Rc<Expected>> = iterations.iter().collect();
        if self.is(Wrong::CollectedBackwards) {
            iterations.reverse();
        }
        for name in component.output_definitions.parameters.keys() {
            let mut list: Vec<Option<Value>> =
                iterations.iter().map(|it| it.outputs.parameters.get(name).cloned()).collect();
            if list.contains(&None) {
                self.note("collected with gaps");
            }
            if !self.is(Wrong::CollectedWithGaps) {
                list.retain(Option::is_some);
            }
            self.note("collected");
            outputs.parameters.insert(name.clone(), list.into_iter().map(Option::unwrap_or_default).collect());
        }
        for name in component.output_definitions.artifacts.keys() {
            let lists = iterations.iter().filter_map(|it| it.outputs.artifacts.get(name));
            outputs.artifacts.insert(name.clone(), lists.flatten().cloned().collect());
            self.note("collected artifacts");
        }
        outputs
    }
}
