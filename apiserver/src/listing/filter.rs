//! Filters: predicates in protobuf's JSON, all of which must hold.
//!
//! The interface counts time in whole seconds and the store in nanoseconds: a stored time equals a second when it lies
//! within it.

pub(super) mod value;

use std::cmp::Ordering;

use penstock_metastore::{Comparison, Field, FieldKind, MAX_PREDICATES, Operand, Predicate};
use uuid::Uuid;

use self::value::FilterValue;
use super::fields::{Listable, Words};
use crate::error::ApiError;
use crate::wire::read::read_message;
use crate::wire::{Enumeration, Fields, WireError};

/// Longest filter, in bytes (I-23).
const LONGEST: usize = 64 << 10;
/// Most values in a filter; operands are counted among them.
const MOST_VALUES: usize = 4096;
const NANOSECONDS: i64 = 1_000_000_000;
pub(super) const TAG_PREFIX: &str = "tags.";

pub(super) const EQUALS: i64 = 1;
pub(super) const NOT_EQUALS: i64 = 2;
pub(super) const GREATER_THAN: i64 = 3;
pub(super) const GREATER_THAN_EQUALS: i64 = 5;
pub(super) const LESS_THAN: i64 = 6;
pub(super) const LESS_THAN_EQUALS: i64 = 7;
pub(super) const IN: i64 = 8;
pub(super) const IS_SUBSTRING: i64 = 9;
const OPERATIONS: &Enumeration = &[
    ("OPERATION_UNSPECIFIED", 0),
    ("EQUALS", EQUALS),
    ("NOT_EQUALS", NOT_EQUALS),
    ("GREATER_THAN", GREATER_THAN),
    ("GREATER_THAN_EQUALS", GREATER_THAN_EQUALS),
    ("LESS_THAN", LESS_THAN),
    ("LESS_THAN_EQUALS", LESS_THAN_EQUALS),
    ("IN", IN),
    ("IS_SUBSTRING", IS_SUBSTRING),
];

/// One predicate as it was sent.
pub(super) struct Condition {
    pub(super) operation: i64,
    pub(super) key: String,
    pub(super) value: Option<FilterValue>,
}

/// Reads a filter. An empty text is none.
pub(super) fn parse<F: Listable>(filter: &str) -> Result<Vec<Predicate<F>>, ApiError> {
    conditions(filter)?.into_iter().try_fold(Vec::new(), |mut predicates, condition| {
        predicates.extend(predicates_of(condition, F::shown_words)?);
        bounded(predicates)
    })
}

/// A condition or two are kept for what the request is about.
pub(super) fn bounded<F>(predicates: Vec<Predicate<F>>) -> Result<Vec<Predicate<F>>, ApiError> {
    if predicates.len() > MAX_PREDICATES - 4 {
        return Err(ApiError::invalid(format!("the filter has more than {} predicates", MAX_PREDICATES - 4)));
    }
    Ok(predicates)
}

/// The predicates of a filter as they were sent.
pub(super) fn conditions(filter: &str) -> Result<Vec<Condition>, ApiError> {
    if filter.is_empty() {
        return Ok(Vec::new());
    }
    if filter.len() > LONGEST {
        return Err(ApiError::invalid(format!("the filter has more than the {LONGEST} bytes that are allowed")));
    }
    let decoded = decode(filter);
    read_message(decoded.as_bytes(), MOST_VALUES, |fields| fields.messages("predicates", read_condition))
        .map_err(|error| ApiError::invalid(format!("failed to parse valid filter from {decoded:?}: {error}")))
}

/// Some clients encode a filter twice.
fn decode(filter: &str) -> String {
    if serde_json::from_str::<serde::de::IgnoredAny>(filter).is_ok() {
        return filter.to_owned();
    }
    let spaces = filter.replace('+', " ");
    match percent_encoding::percent_decode_str(&spaces).decode_utf8() {
        Ok(decoded) if serde_json::from_str::<serde::de::IgnoredAny>(&decoded).is_ok() => decoded.into_owned(),
        _ => filter.to_owned(),
    }
}

fn read_condition(fields: &mut Fields) -> Result<Condition, WireError> {
    Ok(Condition {
        operation: fields.enumeration("operation", OPERATIONS)?,
        key: fields.text("key")?,
        value: FilterValue::read(fields)?,
    })
}

pub(super) fn operation_name(operation: i64) -> String {
    let known = OPERATIONS.iter().find(|(_, number)| *number == operation);
    known.map_or_else(|| operation.to_string(), |(name, _)| (*name).to_owned())
}

/// The predicates that a condition comes to. `words`: of fields that clients see in other words than the store keeps.
pub(super) fn predicates_of<F: Listable>(
    condition: Condition,
    words: fn(F) -> Words,
) -> Result<Vec<Predicate<F>>, ApiError> {
    let Condition { operation, key, value } = condition;
    let name = operation_name(operation);
    let known = operation != 0 && OPERATIONS.iter().any(|(_, number)| *number == operation);
    let Some(value) = value else {
        return Err(ApiError::invalid("Error using Filter.Predicate.Value with <nil>"));
    };
    if !known {
        return Err(ApiError::invalid(format!("Error using Filter.Predicate.Operation with {name}")));
    }
    if key.is_empty() {
        let message = format!("Predicate key cannot be empty for operation {name} and value {value}");
        return Err(ApiError::invalid(message));
    }
    if let Some(tag) = key.strip_prefix(TAG_PREFIX).filter(|_| F::HAS_TAGS) {
        return tag_predicate(tag, operation, &name, value);
    }
    let Some(field) = F::by_key(&key) else {
        return Err(ApiError::invalid(format!("no support for filtering on unrecognized field {key:?}")));
    };
    let words = words(field);
    match operation {
        IN => {
            let Some(values) = value.items() else {
                return Err(ApiError::invalid(format!(
                    "cannot use IN operator with scalar type {}",
                    value.type_name()
                )));
            };
            if !words.is_empty() {
                let is_meant = |shown: &str| values.iter().any(|item| shown.eq_ignore_ascii_case(&item.to_string()));
                return Ok(vec![words_where(field, words, is_meant)]);
            }
            let operands = values.iter().map(|item| list_operand(field, &key, item)).collect::<Result<_, _>>()?;
            Ok(vec![Predicate::In { field, operands }])
        }
        _ if value.items().is_some() => {
            Err(ApiError::invalid(format!("cannot use scalar operator {name} on array type {}", value.type_name())))
        }
        IS_SUBSTRING => match value {
            FilterValue::Text(text) if !words.is_empty() => {
                let text = text.to_ascii_uppercase();
                Ok(vec![words_where(field, words, |shown| shown.contains(&text))])
            }
            FilterValue::Text(text) => Ok(vec![Predicate::Contains { field, text }]),
            other => Err(ApiError::invalid(format!(
                "cannot use non string value type {} with operator IS_SUBSTRING",
                other.type_name()
            ))),
        },
        _ if field.kind() == FieldKind::Time => Ok(time_predicates(field, comparison(operation), value.seconds(&key)?)),
        _ if !words.is_empty() => {
            let (comparison, wanted) = (comparison(operation), value.to_string().to_ascii_uppercase());
            Ok(vec![words_where(field, words, |shown| holds(comparison, shown.cmp(&wanted)))])
        }
        _ => {
            let operand = operand(field, &value);
            Ok(vec![Predicate::Compare { field, comparison: comparison(operation), operand }])
        }
    }
}

fn tag_predicate<F>(tag: &str, operation: i64, name: &str, value: FilterValue) -> Result<Vec<Predicate<F>>, ApiError> {
    let key = format!("{TAG_PREFIX}{tag}");
    if operation != EQUALS {
        let message = format!("only EQUALS operation is supported for tag filtering, got {name} for key {key:?}");
        return Err(ApiError::invalid(message));
    }
    match value {
        FilterValue::Text(value) => Ok(vec![Predicate::Tag { key: tag.to_owned(), value }]),
        _ => Err(ApiError::invalid(format!("tag filter value must be a string for key {key:?}"))),
    }
}

pub(super) fn comparison(operation: i64) -> Comparison {
    match operation {
        NOT_EQUALS => Comparison::NotEqual,
        GREATER_THAN => Comparison::Greater,
        GREATER_THAN_EQUALS => Comparison::GreaterOrEqual,
        LESS_THAN => Comparison::Less,
        LESS_THAN_EQUALS => Comparison::LessOrEqual,
        _ => Comparison::Equal,
    }
}

/// Whether a comparison holds between what is so ordered.
fn holds(comparison: Comparison, ordering: Ordering) -> bool {
    match comparison {
        Comparison::Equal => ordering.is_eq(),
        Comparison::NotEqual => ordering.is_ne(),
        Comparison::Greater => ordering.is_gt(),
        Comparison::GreaterOrEqual => ordering.is_ge(),
        Comparison::Less => ordering.is_lt(),
        Comparison::LessOrEqual => ordering.is_le(),
    }
}

/// The words of the store that clients see as one that is meant.
fn words_where<F>(field: F, words: Words, is_meant: impl Fn(&str) -> bool) -> Predicate<F> {
    let meant = words.iter().filter(|(_, shown)| is_meant(shown));
    Predicate::In { field, operands: meant.map(|(stored, _)| Operand::Text((*stored).to_owned())).collect() }
}

/// What a field that is no time is compared with.
fn operand<F: Field>(field: F, value: &FilterValue) -> Operand {
    let text = value.to_string();
    match field.kind() {
        // What is no id at all is still compared, as text.
        FieldKind::Id => Uuid::try_parse(&text).map_or(Operand::Text(text), Operand::Id),
        _ => Operand::Text(text),
    }
}

/// An item of the list of `IN`. Times are compared as text, which the store takes for whole seconds.
fn list_operand<F: Field>(field: F, key: &str, value: &FilterValue) -> Result<Operand, ApiError> {
    match field.kind() {
        FieldKind::Time => Ok(Operand::Text(value.seconds(key)?.to_string())),
        _ => Ok(operand(field, value)),
    }
}

/// A comparison with a second as one with nanoseconds.
fn time_predicates<F: Copy>(field: F, comparison: Comparison, second: i64) -> Vec<Predicate<F>> {
    let from = second.saturating_mul(NANOSECONDS);
    let to = second.saturating_add(1).saturating_mul(NANOSECONDS);
    let compare = |comparison, nanoseconds| {
        vec![Predicate::Compare { field, comparison, operand: Operand::Integer(nanoseconds) }]
    };
    match comparison {
        Comparison::Equal => [compare(Comparison::GreaterOrEqual, from), compare(Comparison::Less, to)].concat(),
        Comparison::NotEqual => vec![Predicate::Outside { field, from, to }],
        Comparison::Greater => compare(Comparison::GreaterOrEqual, to),
        Comparison::GreaterOrEqual => compare(Comparison::GreaterOrEqual, from),
        Comparison::Less => compare(Comparison::Less, from),
        Comparison::LessOrEqual => compare(Comparison::Less, to),
    }
}

#[cfg(test)]
mod tests;
