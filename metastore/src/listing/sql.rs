//! The two statements of a list.

use std::borrow::Cow;

use uuid::Uuid;

use super::predicates::{self, bind, fits};
use super::search::{self, Finding};
use super::{
    Branch, Column, Comparison, Counts, Entity, Listing, MAX_CONTAINED_BYTES, MAX_OPERANDS, MAX_PREDICATES, Predicate,
};
use crate::database::{Dialect, QueryBuilder};
use crate::error::MetastoreError;

/// Name of the column that a page is sorted by.
pub(super) const SORTED_BY: &str = "sorted_by";
/// Name of the column with the number of rows.
pub(super) const TOTAL: &str = "total";

/// Rows that have so few beside them in their namespace or experiment are read faster than all of the copies.
const FEW_OF_SCOPE: u32 = 20_000;

/// What a list is part of, whatever else it asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Within {
    pub(crate) column: &'static str,
    pub(crate) id: Uuid,
}

/// All that can be seen, for conditions to follow.
pub(crate) fn select<E: Entity>(dialect: Dialect) -> String {
    format!("SELECT {} FROM {} WHERE {}", E::columns(dialect), E::TABLE, E::VISIBLE)
}

/// What has a name in a namespace.
pub(crate) fn by_name<'q, E: Entity>(dialect: Dialect, namespace: &'q str, name: &'q str) -> QueryBuilder<'q> {
    let mut sql = QueryBuilder::new(dialect, select::<E>(dialect));
    sql.push(" AND namespace = ").push_bind(namespace);
    sql.push(format_args!(" AND {} = ", dialect.folded("name"))).push_bind(dialect.fold(name));
    sql
}

/// A page, and one row more if there is any.
pub(super) fn page<E: Entity>(
    dialect: Dialect,
    listing: &Listing<E::Field>,
    within: Option<Within>,
    size: usize,
) -> Result<QueryBuilder<'static>, MetastoreError> {
    check(listing)?;
    let (sort, columns) = (listing.sort.key(dialect), E::columns(dialect));
    let rows = i64::try_from(size).unwrap_or(i64::MAX).saturating_add(1);
    let (finding, branches) = (Finding::<E>::of(dialect, listing), branches(listing));
    if finding.is_none() && branches.is_none() {
        let head = format!("SELECT {columns}, {sort} AS {SORTED_BY} FROM {} WHERE {}", E::TABLE, E::VISIBLE);
        let mut sql = QueryBuilder::new(dialect, head);
        push_page::<E>(&mut sql, listing, within, None, rows);
        return Ok(sql);
    }
    let mut sql = QueryBuilder::new(dialect, String::new());
    if let Some(finding) = &finding {
        finding.push_found(&mut sql);
    }
    // Each branch goes along an index of its own, and at most a page of each is put in order.
    sql.push(format_args!("SELECT {columns}, {SORTED_BY} FROM (SELECT * FROM ("));
    let head = |from: &str, condition: &str| {
        format!("SELECT * FROM (SELECT id AS listed_id, {sort} AS {SORTED_BY} FROM {from} WHERE {condition}")
    };
    let mut only_if = String::new();
    if let Some(finding) = &finding {
        let many = search::found_many();
        sql.push(format_args!("SELECT * FROM ({}", head(&finding.rows(listing), "1 = 1")));
        push_page::<E>(&mut sql, listing, within, None, rows);
        sql.push(format_args!(") AS found_rows {}) AS few UNION ALL ", search::only_if(&format!("NOT {many}"))));
        only_if = search::only_if(&many);
    }
    let all = || vec![Branch { condition: "1 = 1".to_owned(), is_few: false }];
    let (split, branches) = branches.map_or_else(|| (None, all()), |(split, branches)| (Some(split), branches));
    for (index, branch) in branches.iter().enumerate() {
        sql.push(if index > 0 { " UNION ALL SELECT * FROM (" } else { "SELECT * FROM (" });
        sql.push(head(E::TABLE, &format!("{} AND {}", E::VISIBLE, branch.condition)));
        push_page::<E>(&mut sql, listing, within, split.map(|split| (split, branch)), rows);
        sql.push(format_args!(") AS rows_{index} {only_if}) AS branch_{index}"));
    }
    let direction = direction(listing);
    let sorted_by = if listing.sort.is_folded() { dialect.kept_folded(SORTED_BY) } else { Cow::Borrowed(SORTED_BY) };
    let order = format!("ORDER BY {sorted_by} {direction}, listed_id {direction}");
    sql.push(format_args!(") AS branches {order} LIMIT ")).push_bind(rows);
    let join = dialect.join_in_order();
    sql.push(format_args!(") AS listed {join} {table} ON {table}.id = listed_id {order}", table = E::TABLE));
    Ok(sql)
}

fn direction<F>(listing: &Listing<F>) -> &'static str {
    if listing.descending { "DESC" } else { "ASC" }
}

/// The condition that is better carried out in branches, by its place, and the branches.
fn branches<F: Column>(listing: &Listing<F>) -> Option<(usize, Vec<Branch>)> {
    if listing.predicates.iter().any(is_narrow) {
        return None;
    }
    listing.predicates.iter().enumerate().find_map(|(place, predicate)| {
        let (field, words) = predicates::words(predicate)?;
        if words.is_empty() || words.len() == field.words().len() {
            return None;
        }
        Some((place, field.branches(&words, listing.sort)?))
    })
}

/// Whether few rows meet a condition, and they are found by an index of their own.
fn is_narrow<F: Column>(predicate: &Predicate<F>) -> bool {
    match predicate {
        Predicate::Compare { field, comparison: Comparison::Equal, .. } | Predicate::In { field, .. } => {
            field.is_narrow()
        }
        _ => false,
    }
}

/// The rows of a page: all conditions but one that a branch stands for, where they start, their order and number.
fn push_page<E: Entity>(
    sql: &mut QueryBuilder<'_>,
    listing: &Listing<E::Field>,
    within: Option<Within>,
    branch: Option<(usize, &Branch)>,
    rows: i64,
) {
    if let Some(Within { column, id }) = within {
        sql.push(format_args!(" AND {column} = ")).push_bind(id);
    }
    let is_few = branch.is_some_and(|(_, branch)| branch.is_few);
    let others = |place: usize| branch.is_none_or(|(split, _)| split != place);
    push_where(sql, listing, is_few, others, predicates::push::<E>);
    let (sort, direction) = (listing.sort.key(sql.dialect()), direction(listing));
    if let Some(cursor) = &listing.from {
        // Compared as a pair, which an index of both is entered by at the very row.
        sql.push(format_args!(" AND ({sort}, id) {} (", if listing.descending { "<=" } else { ">=" }));
        bind(sql, listing.sort, &cursor.value);
        sql.push(", ").push_bind(cursor.id).push(")");
    }
    sql.push(format_args!(" ORDER BY {sort} {direction}, id {direction} LIMIT ")).push_bind(rows);
}

/// The number of rows on all pages.
pub(super) fn total<E: Entity>(
    dialect: Dialect,
    listing: &Listing<E::Field>,
    within: Option<Within>,
) -> QueryBuilder<'static> {
    let all_counted = within.is_none() && listing.predicates.iter().all(is_counted);
    if let Some(counts) = E::COUNTS.filter(|_| all_counted) {
        return counted_total::<E>(dialect, listing, &counts);
    }
    let mut sql = QueryBuilder::new(dialect, String::new());
    if let Some(finding) = Finding::<E>::of(dialect, listing) {
        finding.push_found(&mut sql);
        sql.push(format_args!("SELECT CASE WHEN {} THEN (", search::found_many()));
        push_count::<E>(&mut sql, listing, within);
        sql.push(") ELSE (");
        push_count_of::<E>(&mut sql, listing, within, &finding.rows(listing), "1 = 1");
        sql.push(format_args!(") END AS {TOTAL}"));
    } else {
        push_count::<E>(&mut sql, listing, within);
    }
    sql
}

/// Appends the query for the number of rows that meet all conditions.
fn push_count<E: Entity>(sql: &mut QueryBuilder<'_>, listing: &Listing<E::Field>, within: Option<Within>) {
    let Some((copies, scopes)) = search::copies::<E>(sql.dialect(), listing) else {
        push_count_of::<E>(sql, listing, within, E::TABLE, E::VISIBLE);
        return;
    };
    let scopes: Vec<_> = search::narrowing(listing, scopes).collect();
    let Some(Counts { table, count, .. }) = E::COUNTS.filter(|_| !scopes.is_empty()) else {
        push_count_of::<E>(sql, listing, within, copies, "1 = 1");
        return;
    };
    sql.push(format_args!("SELECT CASE WHEN (SELECT COALESCE(SUM({count}), 0) FROM {table} WHERE 1 = 1"));
    for scope in scopes {
        sql.push(" AND ");
        predicates::push_counted::<E>(sql, scope);
    }
    sql.push(format_args!(") < {FEW_OF_SCOPE} THEN ("));
    push_count_of::<E>(sql, listing, within, E::TABLE, E::VISIBLE);
    sql.push(") ELSE (");
    push_count_of::<E>(sql, listing, within, copies, "1 = 1");
    sql.push(format_args!(") END AS {TOTAL}"));
}

/// Appends the query for the number of rows of a table that meet all conditions and one more.
fn push_count_of<E: Entity>(
    sql: &mut QueryBuilder<'_>,
    listing: &Listing<E::Field>,
    within: Option<Within>,
    from: &str,
    condition: &str,
) {
    sql.push(format_args!("SELECT COUNT(*) AS {TOTAL} FROM {from} WHERE {condition}"));
    if let Some(Within { column, id }) = within {
        sql.push(format_args!(" AND {column} = ")).push_bind(id);
    }
    push_all(sql, listing, predicates::push::<E>);
}

/// The total by the table of counts. Rows that are unsettled are few: those are taken out as they were counted, and put
/// back as what they count as.
fn counted_total<E: Entity>(dialect: Dialect, listing: &Listing<E::Field>, counts: &Counts) -> QueryBuilder<'static> {
    let Counts { table, count, unsettled, key } = counts;
    let mut sql = QueryBuilder::new(dialect, format!("SELECT CAST(COALESCE(SUM({count}), 0) AS BIGINT)"));
    let derived = |predicate: &Predicate<E::Field>| predicate.field().is_some_and(Column::is_derived);
    if listing.predicates.iter().any(derived) {
        let (join, rows) = (dialect.join_in_order(), E::TABLE);
        let head = format!("(SELECT COUNT(*) FROM {unsettled} {join} {rows} ON {rows}.id = {key} WHERE {}", E::VISIBLE);
        sql.push(format_args!(" - {head}"));
        push_all(&mut sql, listing, predicates::push_counted::<E>);
        sql.push(format_args!(") + {head}"));
        push_all(&mut sql, listing, predicates::push::<E>);
        sql.push(")");
    }
    sql.push(format_args!(" AS {TOTAL} FROM {table} WHERE 1 = 1"));
    push_all(&mut sql, listing, predicates::push_counted::<E>);
    sql
}

fn push_all<F: Column>(
    sql: &mut QueryBuilder<'_>,
    listing: &Listing<F>,
    push: impl Fn(&mut QueryBuilder<'_>, &Predicate<F>),
) {
    push_where(sql, listing, false, |_| true, push);
}

/// Appends the conditions of some places. Where few rows are left by something else, no index is chosen for them.
pub(super) fn push_where<F: Column>(
    sql: &mut QueryBuilder<'_>,
    listing: &Listing<F>,
    is_few: bool,
    is_meant: impl Fn(usize) -> bool,
    push: impl Fn(&mut QueryBuilder<'_>, &Predicate<F>),
) {
    let is_few = is_few || listing.predicates.iter().any(is_narrow);
    for (place, predicate) in listing.predicates.iter().enumerate() {
        if is_meant(place) {
            let (before, after) = if is_few && !is_narrow(predicate) { sql.dialect().usual() } else { ("", "") };
            sql.push(" AND ").push(before);
            push(sql, predicate);
            sql.push(after);
        }
    }
}

/// Whether a condition can be put to the table of counts. What a field is derived from contains other texts than it does.
fn is_counted<F: Column>(predicate: &Predicate<F>) -> bool {
    let contains = matches!(predicate, Predicate::Contains { .. });
    predicate.field().is_some_and(|field| field.counted().is_some() && !(contains && field.is_derived()))
}

/// Refuses a start of another order, and what the database would not carry out, or not in a reasonable time.
pub(super) fn check<F: Column>(listing: &Listing<F>) -> Result<(), MetastoreError> {
    if let Some(cursor) = &listing.from
        && !fits(listing.sort.kind(), &cursor.value)
    {
        return Err(MetastoreError::PageToken { token: format!("{cursor:?}") });
    }
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
