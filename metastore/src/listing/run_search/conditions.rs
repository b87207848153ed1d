//! Conditions on values and tags as SQL, and which of them are refused.

use super::{MAX_VALUE_CONDITIONS, MAX_VALUE_TEXTS, RunSearch, ValueCondition};
use crate::database::{Dialect, QueryBuilder};
use crate::error::MetastoreError;
use crate::listing::{Listing, Operand, sql};
use crate::run_values::{RunValueName, canonical};

/// Appends the condition that a run has a value that meets a condition: a scalar, so that it is looked up for the run.
pub(super) fn push_probe(sql: &mut QueryBuilder<'_>, name: &RunValueName, condition: impl Fn(&mut QueryBuilder<'_>)) {
    sql.push(" AND COALESCE((SELECT ");
    condition(sql);
    let none = match sql.dialect() {
        Dialect::Sqlite => "0",
        Dialect::Postgres => "FALSE",
    };
    sql.push(" FROM run_values WHERE run_id = runs.id AND value_key = ").push_bind(name.key());
    sql.push(format_args!("), {none})"));
}

/// Appends the condition that what a run was made from has a tag.
pub(super) fn push_tagged(sql: &mut QueryBuilder<'_>, entity: &str, key: &str, value: &str) {
    let dialect = sql.dialect();
    sql.push(format_args!("{entity}_id IN (SELECT {entity}_id FROM {entity}_tags WHERE tag_key = "));
    sql.push_bind(key.to_owned()).push(format_args!(" AND {} = ", dialect.folded("tag_value")));
    sql.push_bind(dialect.fold(value).into_owned()).push(")");
}

impl ValueCondition {
    pub(super) fn name(&self) -> Option<&RunValueName> {
        match self {
            Self::OneOf(name, _) | Self::NoneOf(name, _) | Self::Compares(name, ..) => Some(name),
            Self::Tag(..) => None,
        }
    }

    /// Appends the condition on a row of values.
    pub(super) fn push(&self, sql: &mut QueryBuilder<'_>) {
        match self {
            Self::OneOf(_, texts) => push_texts(sql, ONE_OF, texts),
            Self::NoneOf(_, texts) => push_texts(sql, NONE_OF, texts),
            Self::Compares(_, comparison, number) => {
                sql.push("number").push(comparison.operator()).push_bind(*number);
            }
            Self::Tag(..) => {}
        }
    }
}

const ONE_OF: &str = "text IN (";
const NONE_OF: &str = "text NOT IN (";

/// Appends texts as they are, and those that are numbers as these are written too.
fn push_texts(sql: &mut QueryBuilder<'_>, before: &str, texts: &[String]) {
    if texts.is_empty() {
        // None is one of none.
        sql.push(format_args!("{} = 1", u8::from(before == NONE_OF)));
        return;
    }
    sql.push(before);
    let mut written: Vec<String> = texts.to_vec();
    written.extend(texts.iter().filter_map(|text| canonical(text)));
    written.sort_unstable();
    written.dedup();
    for (index, text) in written.into_iter().enumerate() {
        sql.push(if index > 0 { ", " } else { "" }).push_bind(text);
    }
    sql.push(")");
}

/// Refuses what the database would not carry out; returns the number that the page starts at.
pub(super) fn check(search: &RunSearch) -> Result<Option<f64>, MetastoreError> {
    let refuse = |reason: String| Err(MetastoreError::TooManyConditions { reason });
    let conditions = search.conditions.len();
    if conditions > MAX_VALUE_CONDITIONS {
        return refuse(format!(
            "there are {conditions} conditions on values and tags, and at most {MAX_VALUE_CONDITIONS} are possible"
        ));
    }
    for condition in &search.conditions {
        match condition {
            ValueCondition::OneOf(_, texts) | ValueCondition::NoneOf(_, texts) if texts.len() > MAX_VALUE_TEXTS => {
                return refuse(format!(
                    "a value is compared with {} texts, and at most {MAX_VALUE_TEXTS} are possible",
                    texts.len()
                ));
            }
            _ => {}
        }
    }
    match (&search.sort_value, &search.listing.from) {
        (Some(_), Some(cursor)) => match &cursor.value {
            Operand::Text(text) if text.parse::<f64>().is_ok() => {
                sql::check(&Listing { from: None, ..search.listing.clone() })?;
                Ok(text.parse().ok())
            }
            _ => Err(MetastoreError::PageToken { token: format!("{cursor:?}") }),
        },
        _ => sql::check(&search.listing).map(|()| None),
    }
}
