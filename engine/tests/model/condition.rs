//! Conditions of the kinds that the SDK writes, as values: the naive interpreter reads no CEL.

use std::collections::BTreeMap;

use serde_json::Value;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Condition {
    /// `input == literal`, without a conversion.
    Equals {
        input: String,
        literal: Value,
    },
    /// `int(input) > literal`.
    Greater {
        input: String,
        literal: i64,
    },
    Not(Box<Condition>),
    And(Box<Condition>, Box<Condition>),
}

impl Condition {
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Equals { input, literal: Value::String(text) } => {
                format!("inputs.parameter_values['{input}'] == '{text}'")
            }
            Self::Equals { input, literal } => format!("inputs.parameter_values['{input}'] == {literal}"),
            Self::Greater { input, literal } => format!("int(inputs.parameter_values['{input}']) > {literal}"),
            Self::Not(inner) => format!("!({})", inner.text()),
            Self::And(left, right) => format!("{} && {}", left.text(), right.text()),
        }
    }

    /// Nothing if it cannot be evaluated.
    pub(crate) fn evaluate(&self, inputs: &BTreeMap<String, Value>) -> Option<bool> {
        match self {
            Self::Equals { input, literal } => Some(inputs.get(input)? == literal),
            Self::Greater { input, literal } => Some(inputs.get(input)?.as_i64()? > *literal),
            Self::Not(inner) => Some(!inner.evaluate(inputs)?),
            Self::And(left, right) => Some(left.evaluate(inputs)? & right.evaluate(inputs)?),
        }
    }
}
