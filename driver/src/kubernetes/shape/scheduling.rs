//! On which nodes the Pod may run.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use k8s_openapi::api::core::v1::{
    Affinity, NodeAffinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PodAffinity, PodAffinityTerm,
    PodAntiAffinity, PreferredSchedulingTerm, Toleration, WeightedPodAffinityTerm,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use penstock_spec::platform;
use penstock_spec::platform::SelectorRequirement;
use penstock_spec::value::kind;
use serde_json::Value;

use super::values::{Known, decode};
use super::{Shaper, listed, stated};

/// Weights that the scheduler takes.
const WEIGHTS: RangeInclusive<i32> = 1..=100;
const NODE_OPERATORS: &[&str] = &["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"];
const LABEL_OPERATORS: &[&str] = &["In", "NotIn", "Exists", "DoesNotExist"];
const EFFECTS: &[&str] = &["", "NoSchedule", "PreferNoSchedule", "NoExecute"];
const TOLERATION_FIELDS: &[&str] = &["key", "operator", "value", "effect", "tolerationSeconds"];
const AFFINITY_FIELDS: &[&str] = &[
    "requiredDuringSchedulingIgnoredDuringExecution",
    "preferredDuringSchedulingIgnoredDuringExecution",
    "nodeSelectorTerms",
    "preference",
    "weight",
    "matchExpressions",
    "matchFields",
    "key",
    "operator",
    "values",
];

impl Shaper<'_> {
    pub(super) fn node_selector(&mut self) -> Option<BTreeMap<String, String>> {
        let selector = self.config.node_selector.as_ref()?;
        let Some(input) = &selector.node_selector_json else {
            self.check_labels("nodeSelector.labels", &selector.labels);
            return (!selector.labels.is_empty()).then(|| selector.labels.clone());
        };
        let field = "nodeSelector.nodeSelectorJson";
        match self.value(field, input) {
            Ok(Known::Null | Known::Later) => None,
            Ok(Known::Value(value @ Value::Object(_))) => match decode::<BTreeMap<String, String>>(value, &[]) {
                Ok(labels) => {
                    self.check_labels(field, &labels);
                    (!labels.is_empty()).then_some(labels)
                }
                Err(reason) => {
                    self.error(field, format!("the labels of nodes have to be strings: {reason}"));
                    None
                }
            },
            Ok(Known::Value(other)) => {
                // As in KFP.
                self.warnings.push(format!("{field}: a value of type {} selects no nodes", kind(&other)));
                None
            }
            Err(reason) => {
                self.error(field, reason);
                None
            }
        }
    }

    pub(super) fn tolerations(&mut self) -> Vec<Toleration> {
        let mut tolerations = Vec::new();
        for (index, entry) in self.config.tolerations.iter().enumerate() {
            let (field, found) = match &entry.toleration_json {
                None => (format!("tolerations[{index}]"), Ok(vec![explicit_toleration(entry)])),
                Some(input) => {
                    let field = format!("tolerations[{index}].tolerationJson");
                    let found = self.value(&field, input).and_then(tolerations_in);
                    (field, found)
                }
            };
            match found {
                Ok(found) => {
                    found.iter().for_each(|toleration| self.check_toleration(&field, toleration));
                    tolerations.extend(found);
                }
                Err(reason) => self.error(field, reason),
            }
        }
        tolerations
    }

    fn check_toleration(&mut self, field: &str, toleration: &Toleration) {
        let effect = toleration.effect.as_deref().unwrap_or_default();
        if !EFFECTS.contains(&effect) {
            self.error(
                field,
                format!("the effect {effect:?} is none of {}", EFFECTS.join(", ").trim_start_matches(", ")),
            );
        }
        let has_key = toleration.key.as_deref().is_some_and(|key| !key.is_empty());
        if !has_key && toleration.operator.as_deref() != Some("Exists") {
            self.error(field, "without a key, the operator has to be Exists");
        }
    }

    pub(super) fn affinity(&mut self) -> Option<Affinity> {
        let node_affinity = self.node_affinity();
        let (pod_affinity, pod_anti_affinity) = self.pod_affinity();
        let affinity = Affinity { node_affinity, pod_affinity, pod_anti_affinity };
        (affinity != Affinity::default()).then_some(affinity)
    }

    /// Required terms of several entries are alternatives.
    fn node_affinity(&mut self) -> Option<NodeAffinity> {
        let (mut required, mut preferred) = (Vec::new(), Vec::new());
        for (index, entry) in self.config.node_affinity.iter().enumerate() {
            if let Some(input) = &entry.node_affinity_json {
                let field = format!("nodeAffinity[{index}].nodeAffinityJson");
                match self.value(&field, input).and_then(node_affinity_in) {
                    Ok(Some(found)) => {
                        let terms = found.required_during_scheduling_ignored_during_execution;
                        required.extend(terms.into_iter().flat_map(|selector| selector.node_selector_terms));
                        let terms = found.preferred_during_scheduling_ignored_during_execution.unwrap_or_default();
                        terms.iter().for_each(|term| self.check_weight(&field, term.weight));
                        preferred.extend(terms);
                    }
                    Ok(None) => {}
                    Err(reason) => self.error(field, reason),
                }
                continue;
            }
            let field = format!("nodeAffinity[{index}]");
            if entry.match_expressions.is_empty() && entry.match_fields.is_empty() {
                self.warnings.push(format!("{field}: it says nothing of nodes, and is passed over"));
                continue;
            }
            self.check_requirements(&format!("{field}.matchExpressions"), &entry.match_expressions, NODE_OPERATORS);
            self.check_requirements(&format!("{field}.matchFields"), &entry.match_fields, NODE_OPERATORS);
            let term = NodeSelectorTerm {
                match_expressions: listed(node_requirements(&entry.match_expressions)),
                match_fields: listed(node_requirements(&entry.match_fields)),
            };
            match entry.weight {
                Some(weight) => {
                    self.check_weight(&field, weight);
                    preferred.push(PreferredSchedulingTerm { preference: term, weight });
                }
                None => required.push(term),
            }
        }
        let affinity = NodeAffinity {
            preferred_during_scheduling_ignored_during_execution: listed(preferred),
            required_during_scheduling_ignored_during_execution: listed(required)
                .map(|node_selector_terms| NodeSelector { node_selector_terms }),
        };
        (affinity != NodeAffinity::default()).then_some(affinity)
    }

    /// What KFP has in its schema only.
    fn pod_affinity(&mut self) -> (Option<PodAffinity>, Option<PodAntiAffinity>) {
        let (mut near, mut apart) = (PodAffinity::default(), PodAntiAffinity::default());
        for (index, entry) in self.config.pod_affinity.iter().enumerate() {
            let field = format!("podAffinity[{index}]");
            let term = self.pod_affinity_term(&field, entry);
            let is_anti = entry.anti == Some(true);
            let (required, preferred) = match is_anti {
                true => (
                    &mut apart.required_during_scheduling_ignored_during_execution,
                    &mut apart.preferred_during_scheduling_ignored_during_execution,
                ),
                false => (
                    &mut near.required_during_scheduling_ignored_during_execution,
                    &mut near.preferred_during_scheduling_ignored_during_execution,
                ),
            };
            match entry.weight {
                Some(weight) => {
                    let weighted = WeightedPodAffinityTerm { pod_affinity_term: term, weight };
                    preferred.get_or_insert_default().push(weighted);
                    self.check_weight(&field, weight);
                }
                None => required.get_or_insert_default().push(term),
            }
        }
        ((near != PodAffinity::default()).then_some(near), (apart != PodAntiAffinity::default()).then_some(apart))
    }

    fn pod_affinity_term(&mut self, field: &str, entry: &platform::PodAffinityTerm) -> PodAffinityTerm {
        if entry.topology_key.is_empty() {
            let reason = "it is empty: name a label of nodes, such as kubernetes.io/hostname";
            self.error(format!("{field}.topologyKey"), reason);
        }
        self.check_labels(&format!("{field}.matchPodLabels"), &entry.match_pod_labels);
        self.check_labels(&format!("{field}.matchNamespaceLabels"), &entry.match_namespace_labels);
        let expressions = &entry.match_pod_expressions;
        self.check_requirements(&format!("{field}.matchPodExpressions"), expressions, LABEL_OPERATORS);
        let expressions = &entry.match_namespace_expressions;
        self.check_requirements(&format!("{field}.matchNamespaceExpressions"), expressions, LABEL_OPERATORS);
        PodAffinityTerm {
            label_selector: label_selector(&entry.match_pod_labels, &entry.match_pod_expressions),
            namespace_selector: label_selector(&entry.match_namespace_labels, &entry.match_namespace_expressions),
            namespaces: listed(entry.namespaces.clone()),
            topology_key: entry.topology_key.clone(),
            ..PodAffinityTerm::default()
        }
    }

    fn check_weight(&mut self, field: &str, weight: i32) {
        if !WEIGHTS.contains(&weight) {
            let (least, most) = (WEIGHTS.start(), WEIGHTS.end());
            self.error(field, format!("the weight {weight} is not between {least} and {most}"));
        }
    }

    fn check_requirements(&mut self, field: &str, requirements: &[SelectorRequirement], operators: &[&str]) {
        for (index, requirement) in requirements.iter().enumerate() {
            if !operators.contains(&requirement.operator.as_str()) {
                let reason = format!("{:?} is none of {}", requirement.operator, operators.join(", "));
                self.error(format!("{field}[{index}].operator"), reason);
            }
        }
    }
}

fn explicit_toleration(entry: &platform::Toleration) -> Toleration {
    Toleration {
        key: stated(&entry.key),
        operator: stated(&entry.operator),
        value: stated(&entry.value),
        effect: stated(&entry.effect),
        toleration_seconds: entry.toleration_seconds,
    }
}

fn tolerations_in(known: Known) -> Result<Vec<Toleration>, String> {
    let value = match known {
        Known::Null | Known::Later => return Ok(Vec::new()),
        Known::Value(Value::Object(members)) if members.is_empty() => return Ok(Vec::new()),
        Known::Value(Value::Object(members)) => Value::Array(vec![Value::Object(members)]),
        Known::Value(value @ Value::Array(_)) => value,
        Known::Value(other) => {
            let reason = "it has to be a struct or a list of them";
            return Err(format!("a value of type {} is no toleration: {reason}", kind(&other)));
        }
    };
    decode(value, TOLERATION_FIELDS).map_err(|reason| format!("this is no toleration: {reason}"))
}

/// Anything but a struct says nothing, as in KFP.
fn node_affinity_in(known: Known) -> Result<Option<NodeAffinity>, String> {
    match known {
        Known::Value(value @ Value::Object(_)) => {
            decode(value, AFFINITY_FIELDS).map(Some).map_err(|reason| format!("this is no NodeAffinity: {reason}"))
        }
        Known::Null | Known::Later | Known::Value(_) => Ok(None),
    }
}

fn node_requirements(requirements: &[SelectorRequirement]) -> Vec<NodeSelectorRequirement> {
    let requirements = requirements.iter().map(|requirement| NodeSelectorRequirement {
        key: requirement.key.clone(),
        operator: requirement.operator.clone(),
        values: listed(requirement.values.clone()),
    });
    requirements.collect()
}

/// Nothing where nothing is said: an empty selector would take everything.
fn label_selector(labels: &BTreeMap<String, String>, expressions: &[SelectorRequirement]) -> Option<LabelSelector> {
    let expressions = expressions.iter().map(|requirement| LabelSelectorRequirement {
        key: requirement.key.clone(),
        operator: requirement.operator.clone(),
        values: listed(requirement.values.clone()),
    });
    let selector = LabelSelector {
        match_expressions: listed(expressions.collect()),
        match_labels: (!labels.is_empty()).then(|| labels.clone()),
    };
    (selector != LabelSelector::default()).then_some(selector)
}
