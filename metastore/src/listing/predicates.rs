//! Conditions as SQL. Every combination of field and operand has a meaning, so that none can fail in the database.

use std::cmp::Ordering;

use super::fields::is_one_of;
use crate::database::{Dialect, QueryBuilder};

use super::{Column, Comparison, Entity, FieldKind, Operand, Predicate};

/// Appends a condition on the rows themselves.
pub(super) fn push<E: Entity>(sql: &mut QueryBuilder<'_>, predicate: &Predicate<E::Field>) {
    if let Some((field, words)) = words(predicate) {
        push_words(sql, field, &words, |words| field.among(words));
        return;
    }
    match predicate {
        Predicate::Compare { field, comparison, operand } => push_comparison(sql, *field, *comparison, operand),
        Predicate::In { field, operands } => push_in(sql, *field, operands),
        Predicate::Contains { field, text } => {
            let (dialect, pattern) = (sql.dialect(), format!("%{text}%"));
            let text = as_text(dialect, *field);
            match dialect.findable(&pattern) {
                Some((findable, apart)) => {
                    push_like(sql, &text, &findable);
                    push_like(sql.push(" AND "), &format!("({text}{apart})"), &pattern);
                }
                None => push_like(sql, &text, &pattern),
            }
        }
        Predicate::Outside { field, from, to } => {
            let field = field.expression();
            sql.push(format_args!("({field} < ")).push_bind(*from);
            sql.push(format_args!(" OR {field} >= ")).push_bind(*to).push(")");
        }
        Predicate::Tag { key, value } => match E::TAGS {
            Some((table, reference)) => {
                sql.push(format_args!("EXISTS (SELECT 1 FROM {table} WHERE {reference} = {}.id", E::TABLE));
                let dialect = sql.dialect();
                sql.push(" AND tag_key = ").push_bind(key.clone());
                sql.push(format_args!(" AND {} = ", dialect.folded("tag_value")));
                sql.push_bind(dialect.fold(value).into_owned()).push(")");
            }
            None => {
                sql.push(NEVER);
            }
        },
    }
}

/// Appends a condition on the table of counts.
pub(super) fn push_counted<E: Entity>(sql: &mut QueryBuilder<'_>, predicate: &Predicate<E::Field>) {
    match words(predicate) {
        Some((field, words)) => {
            let column = field.counted().unwrap_or_else(|| field.expression());
            push_words(sql, field, &words, |words| is_one_of(column, words));
        }
        None => push::<E>(sql, predicate),
    }
}

const NEVER: &str = "0 = 1";
const ALWAYS: &str = "1 = 1";

fn push_comparison<F: Column>(sql: &mut QueryBuilder<'_>, field: F, comparison: Comparison, operand: &Operand) {
    let dialect = sql.dialect();
    if fits(field.kind(), operand) {
        sql.push(field.key(dialect)).push(comparison.operator());
        bind(sql, field, operand);
    } else {
        sql.push(dialect.folded_expression(&as_text(dialect, field))).push(comparison.operator());
        sql.push_bind(dialect.fold(&text_of(operand)).into_owned());
    }
}

fn push_like(sql: &mut QueryBuilder<'_>, text: &str, pattern: &str) {
    let dialect = sql.dialect();
    let (before, after) = dialect.like(text);
    sql.push(before).push_bind(dialect.fold(pattern).into_owned()).push(after);
}

fn push_in<F: Column>(sql: &mut QueryBuilder<'_>, field: F, operands: &[Operand]) {
    if operands.is_empty() {
        sql.push(NEVER);
        return;
    }
    let dialect = sql.dialect();
    let native = operands.iter().all(|operand| fits(field.kind(), operand));
    if native {
        sql.push(field.key(dialect));
    } else {
        sql.push(dialect.folded_expression(&as_text(dialect, field)));
    }
    sql.push(" IN (");
    for (index, operand) in operands.iter().enumerate() {
        if index > 0 {
            sql.push(", ");
        }
        if native {
            bind(sql, field, operand);
        } else {
            sql.push_bind(dialect.fold(&text_of(operand)).into_owned());
        }
    }
    sql.push(")");
}

/// The words that a comparison with a field of words means. They are compared here, so that what is asked of the database
/// is which words are meant: `NOT_EQUALS "ARCHIVED"` goes along the index of what is available.
pub(super) fn words<F: Column>(predicate: &Predicate<F>) -> Option<(F, Vec<&'static str>)> {
    let (field, operands, comparison) = match predicate {
        Predicate::Compare { field, comparison, operand } => (*field, std::slice::from_ref(operand), *comparison),
        Predicate::In { field, operands } => (*field, operands.as_slice(), Comparison::Equal),
        Predicate::Contains { .. } | Predicate::Outside { .. } | Predicate::Tag { .. } => return None,
    };
    if field.kind() != FieldKind::Word {
        return None;
    }
    let operands: Vec<String> = operands.iter().map(text_of).collect();
    let is_meant = |word: &&&str| operands.iter().any(|operand| comparison.holds(compare_words(word, operand)));
    Some((field, field.words().iter().filter(is_meant).copied().collect()))
}

fn push_words<F: Column>(
    sql: &mut QueryBuilder<'_>,
    field: F,
    words: &[&'static str],
    condition: impl Fn(&[&'static str]) -> String,
) {
    if words.is_empty() {
        sql.push(NEVER);
    } else if words.len() == field.words().len() {
        sql.push(ALWAYS);
    } else {
        sql.push(condition(words));
    }
}

fn compare_words(word: &str, operand: &str) -> Ordering {
    word.to_ascii_lowercase().cmp(&operand.to_ascii_lowercase())
}

impl Comparison {
    pub(super) fn operator(self) -> &'static str {
        match self {
            Self::Equal => " = ",
            Self::NotEqual => " <> ",
            Self::Greater => " > ",
            Self::GreaterOrEqual => " >= ",
            Self::Less => " < ",
            Self::LessOrEqual => " <= ",
        }
    }

    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::NotEqual => ordering.is_ne(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
        }
    }
}

/// Whether few rows meet a condition, and they are found by an index of their own.
pub(super) fn is_narrow<F: Column>(predicate: &Predicate<F>) -> bool {
    let by_index = |field: F, operands: &[Operand]| {
        field.is_narrow() && operands.iter().all(|operand| fits(field.kind(), operand))
    };
    match predicate {
        Predicate::Compare { field, comparison: Comparison::Equal, operand } => {
            by_index(*field, std::slice::from_ref(operand))
        }
        Predicate::In { field, operands } => by_index(*field, operands),
        _ => false,
    }
}

/// Whether a condition follows from another one, and is left to that one's index.
pub(super) fn follows<F: Column>(predicate: &Predicate<F>, others: &[Predicate<F>]) -> bool {
    let Some(field) = predicate.field() else { return false };
    others.iter().any(|other| match other {
        Predicate::Compare { field: other, comparison: Comparison::Equal, operand } => {
            field.follows_from(*other) && fits(other.kind(), operand)
        }
        _ => false,
    })
}

/// Whether an operand can be where a page begins.
pub(super) fn begins<F: Column>(sort: F, operand: &Operand) -> bool {
    match sort.then() {
        Some(_) => matches!(operand, Operand::WordAt(..)),
        None => fits(sort.kind(), operand),
    }
}

/// Whether an operand can be compared with the column itself.
pub(super) fn fits(kind: FieldKind, operand: &Operand) -> bool {
    matches!(
        (kind, operand),
        (FieldKind::Time, Operand::Integer(_))
            | (FieldKind::Id, Operand::Id(_))
            | (FieldKind::Text | FieldKind::Word, Operand::Text(_))
    )
}

/// Appends an operand that fits the field, to be compared with its key.
pub(super) fn bind<F: Column>(sql: &mut QueryBuilder<'_>, field: F, operand: &Operand) {
    match operand {
        Operand::Integer(value) => sql.push_bind(*value),
        Operand::Text(text) if field.is_folded() => sql.push_bind(sql.dialect().fold(text).into_owned()),
        Operand::Text(text) => sql.push_bind(text.clone()),
        Operand::Id(id) => sql.push_bind(*id),
        Operand::WordAt(word, at) => sql.push_bind(word.clone()).push(", ").push_bind(*at),
    };
}

/// A column as its users know it: times as whole seconds, ids as they are written, absent references as nothing.
fn as_text<F: Column>(dialect: Dialect, field: F) -> String {
    let column = field.expression();
    match field.kind() {
        FieldKind::Text | FieldKind::Word => column.to_owned(),
        FieldKind::Time => format!("CAST({column} / 1000000000 AS TEXT)"),
        FieldKind::Id => dialect.written_id(column),
    }
}

fn text_of(operand: &Operand) -> String {
    match operand {
        Operand::Integer(value) => value.to_string(),
        Operand::Text(text) | Operand::WordAt(text, _) => text.clone(),
        Operand::Id(id) => id.to_string(),
    }
}
