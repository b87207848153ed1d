//! Node selectors, tolerations and affinity (checks 2, 4, 5 and 17).

use rstest::rstest;

use super::*;

const SELECTOR: &str = "nodeSelector.nodeSelectorJson";
const TOLERATION: &str = "tolerations[0].tolerationJson";
const AFFINITY: &str = "nodeAffinity[0].nodeAffinityJson";

fn selecting(value: Value) -> Result<PodShape, String> {
    let settings = json!({"nodeSelector": {"labels": {"disk": "slow"}, "nodeSelectorJson": input("selector")}});
    shaped_with(&settings, &[(SELECTOR, value)])
}

#[test]
fn node_selector_by_value_wins_over_labels() {
    assert_eq!(shown(&json!({"nodeSelector": {"labels": {"disk": "fast"}}}))["nodeSelector"], json!({"disk": "fast"}));
    let shape = selecting(json!({"disk": "fast", "zone": "a"})).expect("a selector");
    assert_eq!(json!(shape.node_selector), json!({"disk": "fast", "zone": "a"}));
    assert_eq!(selecting(Value::Null).expect("passed over"), PodShape::default(), "the labels too");
    assert_eq!(selecting(json!({})).expect("nothing").node_selector, None);
    let other = selecting(json!("disk=fast")).expect("as in KFP");
    assert_eq!((other.node_selector, other.warnings.len()), (None, 1));
    let error = selecting(json!({"disk": 1})).expect_err("no text");
    assert!(error.starts_with("nodeSelector.nodeSelectorJson: the labels of nodes have to be strings"), "{error}");
    let error = selecting(json!({"disk": "a b"})).expect_err("no label");
    assert!(error.contains("\"a b\" is no value of a label"), "{error}");
}

fn tolerating(value: Value) -> Result<Value, String> {
    let settings = json!({"tolerations": [{"key": "ignored", "tolerationJson": input("toleration")}]});
    shaped_with(&settings, &[(TOLERATION, value)]).map(|shape| json!(shape.tolerations))
}

#[rstest]
#[case(json!({"key": "gpu", "operator": "Exists", "tolerationSeconds": 300.0}), json!([{"key": "gpu", "operator": "Exists", "tolerationSeconds": 300}]))]
#[case(json!({"Key": "gpu", "OPERATOR": "Equal", "value": "a", "tolerationseconds": 5, "unknown": 1}), json!([{"key": "gpu", "operator": "Equal", "value": "a", "tolerationSeconds": 5}]))]
#[case(json!([{"key": "a"}, {"key": "b", "effect": "NoSchedule"}]), json!([{"key": "a"}, {"key": "b", "effect": "NoSchedule"}]))]
#[case(json!({}), json!([]))]
#[case(json!([]), json!([]))]
#[case(Value::Null, json!([]))]
fn tolerations_by_value(#[case] value: Value, #[case] expected: Value) {
    assert_eq!(tolerating(value), Ok(expected));
}

#[rstest]
#[case(json!("gpu"), "a value of type string is no toleration")]
#[case(json!(["gpu"]), "this is no toleration")]
#[case(json!({"key": "gpu", "tolerationSeconds": "soon"}), "this is no toleration")]
#[case(json!({"key": "gpu", "effect": "Never"}), "the effect \"Never\" is none of NoSchedule, PreferNoSchedule, NoExecute")]
#[case(json!({"value": "a"}), "without a key, the operator has to be Exists")]
fn values_that_are_no_tolerations(#[case] value: Value, #[case] reason: &str) {
    let error = tolerating(value).expect_err("no toleration");
    assert!(error.starts_with(&format!("{TOLERATION}: {reason}")), "{error}");
}

#[test]
fn tolerations_come_in_order() {
    let settings = json!({"tolerations": [
        {"key": "key1", "operator": "Equal", "value": "value1", "effect": "NoExecute", "tolerationSeconds": "10"},
        {"tolerationJson": constant(&json!([{"key": "a"}, {"key": "b"}]))},
        {"operator": "Exists"},
    ]});
    let expected = json!([
        {"key": "key1", "operator": "Equal", "value": "value1", "effect": "NoExecute", "tolerationSeconds": 10},
        {"key": "a"}, {"key": "b"}, {"operator": "Exists"},
    ]);
    assert_eq!(shown(&settings)["tolerations"], expected);
}

fn attracted(value: Value) -> Result<Value, String> {
    let settings = json!({"nodeAffinity": [{"nodeAffinityJson": input("affinity")}]});
    shaped_with(&settings, &[(AFFINITY, value)]).map(|shape| json!(shape)["affinity"].clone())
}

#[test]
fn node_affinity_by_value() {
    let term = json!({"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]});
    let required = json!({"nodeSelectorTerms": [term]});
    let preferred = |weight: Value| json!([{"weight": weight, "preference": term}]);
    for (value, expected) in [
        (
            json!({"requiredDuringSchedulingIgnoredDuringExecution": required}),
            json!({"requiredDuringSchedulingIgnoredDuringExecution": required}),
        ),
        (
            json!({"preferredDuringSchedulingIgnoredDuringExecution": preferred(json!(100.0))}),
            json!({"preferredDuringSchedulingIgnoredDuringExecution": preferred(json!(100))}),
        ),
        (
            json!({"requiredduringschedulingignoredduringexecution": required, "preferredDuringSchedulingIgnoredDuringExecution": preferred(json!(1)), "x": 1}),
            json!({"requiredDuringSchedulingIgnoredDuringExecution": required, "preferredDuringSchedulingIgnoredDuringExecution": preferred(json!(1))}),
        ),
    ] {
        assert_eq!(attracted(value), Ok(json!({ "nodeAffinity": expected })));
    }
    for nothing in [json!({}), json!("zone"), json!([]), Value::Null] {
        assert_eq!(attracted(nothing), Ok(Value::Null), "no terms, no error");
    }
    let error = attracted(json!({"requiredDuringSchedulingIgnoredDuringExecution": 5})).expect_err("of a wrong type");
    assert!(error.starts_with(&format!("{AFFINITY}: this is no NodeAffinity")), "{error}");
    let error = attracted(json!({"preferredDuringSchedulingIgnoredDuringExecution": preferred(json!(101))}));
    assert!(error.expect_err("too much").contains("the weight 101 is not between 1 and 100"));
}

#[test]
fn required_node_affinities_are_alternatives() {
    let expression = |key: &str| json!({"key": key, "operator": "Exists"});
    let term = |key: &str| json!({"matchExpressions": [expression(key)]});
    let settings = json!({"nodeAffinity": [
        term("a"),
        {"nodeAffinityJson": constant(&json!({"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term("b")]}}))},
        {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]},
        {"matchExpressions": [expression("c")], "weight": 50.0},
        {},
    ]});
    let shape = shaped(&settings);
    let fields = json!({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]});
    assert_eq!(
        json!(shape.affinity),
        json!({"nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term("a"), term("b"), fields]},
            "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 50, "preference": term("c")}],
        }})
    );
    assert_eq!(shape.warnings.len(), 1, "an entry that says nothing: {:?}", shape.warnings);
}

#[test]
fn affinity_between_pods() {
    let settings = json!({"podAffinity": [
        {"topologyKey": "zone", "matchPodLabels": {"app": "db"}, "namespaces": ["other"]},
        {"topologyKey": "host", "weight": 10, "anti": false, "matchNamespaceLabels": {"team": "a"},
            "matchNamespaceExpressions": [{"key": "x", "operator": "Exists"}]},
        {"topologyKey": "host", "anti": true, "matchPodExpressions": [{"key": "app", "operator": "In", "values": ["db"]}]},
        {"topologyKey": "host", "anti": true, "weight": 1},
    ]});
    let expression = json!({"key": "app", "operator": "In", "values": ["db"]});
    let near = json!({
        "requiredDuringSchedulingIgnoredDuringExecution": [
            {"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "db"}}, "namespaces": ["other"]},
        ],
        "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 10, "podAffinityTerm": {
            "topologyKey": "host",
            "namespaceSelector": {"matchLabels": {"team": "a"}, "matchExpressions": [{"key": "x", "operator": "Exists"}]},
        }}],
    });
    let apart = json!({
        "requiredDuringSchedulingIgnoredDuringExecution": [
            {"topologyKey": "host", "labelSelector": {"matchExpressions": [expression]}},
        ],
        "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": {"topologyKey": "host"}}],
    });
    assert_eq!(shown(&settings)["affinity"], json!({"podAffinity": near, "podAntiAffinity": apart}));
}

#[rstest]
#[case(json!({"podAffinity": [{}]}), "podAffinity[0].topologyKey: it is empty")]
#[case(json!({"nodeAffinity": [{"matchExpressions": [{"key": "a", "operator": "in"}]}]}), "nodeAffinity[0].matchExpressions[0].operator: \"in\" is none of In")]
#[case(json!({"nodeAffinity": [{"weight": 0, "matchFields": [{"key": "a", "operator": "In"}]}]}), "nodeAffinity[0]: the weight 0 is not between 1 and 100")]
#[case(json!({"nodeSelector": {"labels": {"a b": "c"}}}), "nodeSelector.labels[\"a b\"]: this is no key of a label")]
#[case(json!({"tolerations": [{"key": "a", "effect": "noschedule"}]}), "tolerations[0]: the effect \"noschedule\"")]
fn what_no_scheduler_takes_is_named_on_submission(#[case] settings: Value, #[case] expected: &str) {
    let error = submitted(&settings).expect_err("it is refused");
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn values_that_the_run_will_tell_are_left_for_later() {
    for settings in [
        json!({"nodeSelector": {"nodeSelectorJson": input("x")}}),
        json!({"tolerations": [{"tolerationJson": input("x")}]}),
        json!({"nodeAffinity": [{"nodeAffinityJson": constant(&json!({"{{$.pipeline_job_uuid}}": 1}))}]}),
    ] {
        assert_eq!(submitted(&settings), Ok(PodShape::default()), "{settings}");
    }
    let wrong = json!({"tolerations": [{"tolerationJson": constant(&json!("gpu"))}]});
    assert!(submitted(&wrong).is_err(), "a constant is known");
    let never = json!({"tolerations": [{"tolerationJson": {"taskFinalStatus": {"producerTask": "a"}}}]});
    assert!(submitted(&never).is_err());
}
