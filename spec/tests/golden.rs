//! Documents and what they are read as, as pairs of files in `tests/golden`.

use penstock_spec::ir::{ParameterSource, PipelineSpec};
use penstock_spec::limits::Limits;
use penstock_spec::parse::parse;
use serde_json::{Map, Value, json};

fn read(text: &str) -> PipelineSpec {
    parse(text, &Limits::default()).expect("the document is valid").pipeline
}

#[test]
fn i05_scalars_mean_what_they_mean_to_kfp() {
    let pipeline = read(include_str!("golden/i05_scalars.yaml"));
    let task = &pipeline.root.dag.as_ref().expect("the root is a dag").tasks["t"];
    let constants: Map<String, Value> = task
        .inputs
        .parameters
        .iter()
        .map(|(name, input)| match &input.source {
            ParameterSource::Constant(value) => (name.clone(), value.clone()),
            other => panic!("{name} is {other:?}"),
        })
        .collect();
    let expected: Map<String, Value> = serde_json::from_str(include_str!("golden/i05_scalars.json")).expect("JSON");
    for (name, value) in &expected {
        assert_eq!(constants.get(name), Some(value), "{name}");
    }
    assert_eq!(constants.len(), expected.len());
}

#[test]
fn i05_numbers_that_json_lacks_are_refused() {
    for scalar in [".nan", ".inf", "-.INF"] {
        let text = include_str!("golden/i05_scalars.yaml").replace("0x1F", scalar);
        let error = parse(&text, &Limits::default()).expect_err("no JSON number").to_string();
        assert!(error.contains(scalar) && error.contains("line 27"), "{error}");
    }
}

/// Deprecated fields, `snake_case`, numbers for enums and text for integers lead to the same typed document.
#[test]
fn old_spellings_are_read_and_the_new_ones_written() {
    let pipeline = read(include_str!("golden/old_spellings.yaml"));
    let written = serde_json::to_value(&pipeline).expect("a document");
    let expected: Value = serde_json::from_str(include_str!("golden/old_spellings.json")).expect("JSON");
    assert_eq!(written, expected, "{written:#}");
    assert_eq!(read(&expected.to_string()), pipeline);
}

/// Every field of the platform document, in the old spelling and with its deprecated companions.
#[test]
fn every_platform_field_is_read_in_both_spellings() {
    let old = parse(include_str!("golden/platform.yaml"), &Limits::default()).expect("the document is valid");
    assert_eq!(old.warnings, Vec::<String>::new());
    let kubernetes = old.platform.expect("a platform").kubernetes;
    let written = serde_json::to_value(&kubernetes).expect("a document");
    let expected: Value = serde_json::from_str(include_str!("golden/platform.json")).expect("JSON");
    assert_eq!(written, expected, "{written:#}");
    let pair = json!({"pipelineSpec": {"root": {}}, "platformSpec": {"platforms": {"kubernetes": expected}}});
    let new = parse(&pair.to_string(), &Limits::default()).expect("the document is valid");
    assert_eq!((new.platform.expect("a platform").kubernetes, new.warnings), (kubernetes, Vec::new()));
}
