//! The two statements of a list.

use sqlx::query_builder::QueryBuilder;
use sqlx::sqlite::Sqlite;
use uuid::Uuid;

use super::predicates::{self, bind, fits};
use super::{Column, Entity, Field, Listing, MAX_CONTAINED_BYTES, MAX_OPERANDS, MAX_PREDICATES, Predicate};
use crate::error::MetastoreError;

/// Name of the column that a page is sorted by.
pub(super) const SORTED_BY: &str = "sorted_by";

/// What a list is part of, whatever else it asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Within {
    pub(crate) column: &'static str,
    pub(crate) id: Uuid,
}

/// All that can be seen, for conditions to follow.
pub(crate) fn select<E: Entity>() -> String {
    format!("SELECT {} FROM {} WHERE {}", E::COLUMNS, E::TABLE, E::VISIBLE)
}

/// A page, and one row more if there is any.
pub(super) fn page<E: Entity>(
    listing: &Listing<E::Field>,
    within: Option<Within>,
    size: usize,
) -> Result<QueryBuilder<Sqlite>, MetastoreError> {
    check(listing)?;
    let sort = listing.sort.expression();
    let head = format!("SELECT {}, {sort} AS {SORTED_BY} FROM {} WHERE {}", E::COLUMNS, E::TABLE, E::VISIBLE);
    let mut sql = QueryBuilder::new(head);
    push_conditions::<E>(&mut sql, listing, within);
    let (direction, comparison) = if listing.descending { ("DESC", "<=") } else { ("ASC", ">=") };
    if let Some(cursor) = &listing.from {
        if !fits(listing.sort.kind(), &cursor.value) {
            return Err(MetastoreError::PageToken { token: format!("{cursor:?}") });
        }
        // Compared as a pair, which an index of both is entered by at the very row.
        sql.push(format_args!(" AND ({sort}, id) {comparison} ("));
        bind(&mut sql, &cursor.value);
        sql.push(", ").push_bind(cursor.id).push(")");
    }
    sql.push(format_args!(" ORDER BY {sort} {direction}, id {direction} LIMIT "));
    sql.push_bind(i64::try_from(size).unwrap_or(i64::MAX).saturating_add(1));
    Ok(sql)
}

/// The number of rows on all pages.
pub(super) fn total<E: Entity>(listing: &Listing<E::Field>, within: Option<Within>) -> QueryBuilder<Sqlite> {
    let counted = within.is_none() && listing.predicates.iter().all(is_counted);
    let head = match E::COUNTS.filter(|_| counted) {
        Some(counts) => counts.to_owned(),
        None => format!("SELECT COUNT(*) FROM {} WHERE {}", E::TABLE, E::VISIBLE),
    };
    let mut sql = QueryBuilder::new(head);
    push_conditions::<E>(&mut sql, listing, within);
    sql
}

fn push_conditions<E: Entity>(sql: &mut QueryBuilder<Sqlite>, listing: &Listing<E::Field>, within: Option<Within>) {
    if let Some(Within { column, id }) = within {
        sql.push(format_args!(" AND {column} = ")).push_bind(id);
    }
    for predicate in &listing.predicates {
        sql.push(" AND ");
        predicates::push::<E>(sql, predicate);
    }
}

fn is_counted<F: Column>(predicate: &Predicate<F>) -> bool {
    match predicate {
        Predicate::Compare { field, .. }
        | Predicate::In { field, .. }
        | Predicate::Contains { field, .. }
        | Predicate::Outside { field, .. } => field.is_counted(),
        Predicate::Tag { .. } => false,
    }
}

/// Refuses what the database would not carry out, or not in a reasonable time.
fn check<F>(listing: &Listing<F>) -> Result<(), MetastoreError> {
    let refuse = |reason: String| Err(MetastoreError::TooManyConditions { reason });
    let predicates = listing.predicates.len();
    if predicates > MAX_PREDICATES {
        return refuse(format!("there are {predicates} conditions, and at most {MAX_PREDICATES} are possible"));
    }
    let operands = |predicate: &Predicate<F>| match predicate {
        Predicate::In { operands, .. } => operands.len(),
        _ => 1,
    };
    let operands: usize = listing.predicates.iter().map(operands).sum();
    if operands > MAX_OPERANDS {
        return refuse(format!("there are {operands} values, and at most {MAX_OPERANDS} are possible"));
    }
    let contained = |predicate: &Predicate<F>| match predicate {
        Predicate::Contains { text, .. } => text.len(),
        _ => 0,
    };
    match listing.predicates.iter().map(contained).max() {
        Some(bytes) if bytes > MAX_CONTAINED_BYTES => {
            refuse(format!("a text to look for has {bytes} bytes, and at most {MAX_CONTAINED_BYTES} are possible"))
        }
        _ => Ok(()),
    }
}
