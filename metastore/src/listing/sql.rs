//! The two statements of a list.

use std::borrow::Cow;

use uuid::Uuid;

use super::branches::{Beginning, Branch, Branches};
use super::predicates::{self, begins, bind, follows, is_narrow};
use super::search::{self, Finding, MOST_FEW};
use super::{Column, Counts, Entity, Listing, MAX_CONTAINED_BYTES, MAX_OPERANDS, MAX_PREDICATES, Operand, Predicate};
use crate::database::{Dialect, QueryBuilder};
use crate::error::MetastoreError;

/// Name of the column that a page is sorted by.
pub(super) const SORTED_BY: &str = "sorted_by";
/// Name of the column that rows are sorted by that have the same there.
pub(super) const THEN_BY: &str = "then_by";
/// Name of the column with the number of rows.
pub(super) const TOTAL: &str = "total";
/// Name of the column that says whether the number may be greater.
pub(super) const IS_LEAST: &str = "is_least";
/// Name of the column with the id of a row that is listed.
pub(super) const LISTED_ID: &str = "listed_id";

/// What stands in place of the total where there is nothing that rows could be of.
pub(super) const NO_EXPERIMENT: i64 = -1;

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
    let columns = E::columns(dialect);
    let rows = i64::try_from(size).unwrap_or(i64::MAX).saturating_add(1);
    let (finding, branches) = (Finding::<E>::of(dialect, listing), Branches::of(listing));
    if finding.is_none() && branches.is_none() && listing.sort.is_always_in_order() {
        let head = format!(
            "SELECT {columns}, {} FROM {} WHERE {}",
            sorted_by(dialect, listing.sort, None),
            E::TABLE,
            E::VISIBLE
        );
        let mut sql = QueryBuilder::new(dialect, head);
        push_page::<E>(&mut sql, listing, within, None, rows);
        return Ok(sql);
    }
    let mut sql = QueryBuilder::new(dialect, String::new());
    if let Some(finding) = &finding {
        finding.push_found(&mut sql);
    }
    // Each branch goes along an index of its own, and at most a page of each is put in order. Where there is no such index,
    // it is the ids that are put in order, and only the page is read whole.
    let outer = outer_order(dialect, listing.sort);
    sql.push(format_args!("SELECT {columns}, {} FROM (SELECT * FROM (", kept(&outer)));
    let head = |from: &str, condition: &str, all_have: Option<&str>| {
        let sorted_by = sorted_by(dialect, listing.sort, all_have);
        format!("SELECT * FROM (SELECT id AS {LISTED_ID}, {sorted_by} FROM {from} WHERE {condition}")
    };
    let mut only_if = String::new();
    if let Some(finding) = &finding {
        let many = search::found_many();
        sql.push(format_args!("SELECT * FROM ({}", head(&finding.rows(listing), "1 = 1", None)));
        push_page::<E>(&mut sql, listing, within, None, rows);
        sql.push(format_args!(") AS found_rows {}) AS few UNION ALL ", search::only_if(&format!("NOT {many}"))));
        only_if = search::only_if(&many);
    }
    let Branches { instead_of, branches } = branches.unwrap_or_else(Branches::whole);
    for (index, branch) in branches.iter().enumerate() {
        sql.push(if index > 0 { " UNION ALL SELECT * FROM (" } else { "SELECT * FROM (" });
        sql.push(head(E::TABLE, &format!("{} AND {}", E::VISIBLE, branch.condition), branch.all_have));
        push_page::<E>(&mut sql, listing, within, Some((instead_of, branch)), rows);
        sql.push(format_args!(") AS rows_{index} {only_if}) AS branch_{index}"));
    }
    let order = in_order(listing, outer.iter().map(|(_, key)| key.as_str()));
    sql.push(format_args!(") AS branches {order} LIMIT ")).push_bind(rows);
    let join = dialect.join_in_order();
    sql.push(format_args!(") AS listed {join} {table} ON {table}.id = {LISTED_ID} {order}", table = E::TABLE));
    Ok(sql)
}

/// What a row of a page has beside its columns: what it is sorted by. `all_have`: what that is for all rows.
pub(super) fn sorted_by<F: Column>(dialect: Dialect, sort: F, all_have: Option<&str>) -> String {
    let value = all_have.map_or_else(|| sort.key(dialect).into_owned(), |word| format!("'{word}'"));
    match sort.then() {
        Some(then) => format!("{value} AS {SORTED_BY}, {then} AS {THEN_BY}"),
        None => format!("{value} AS {SORTED_BY}"),
    }
}

/// The order of a list around its parts: the columns, and how each is compared.
pub(super) fn outer_order<F: Column>(dialect: Dialect, sort: F) -> Vec<(&'static str, String)> {
    let key = if sort.is_folded() { dialect.kept_folded(SORTED_BY) } else { Cow::Borrowed(SORTED_BY) };
    let mut order = vec![(SORTED_BY, key.into_owned())];
    order.extend(sort.then().map(|_| (THEN_BY, THEN_BY.to_owned())));
    order.push((LISTED_ID, LISTED_ID.to_owned()));
    order
}

/// Those of its columns that a row of a page has beside its own.
pub(super) fn kept(order: &[(&'static str, String)]) -> String {
    let names: Vec<&str> = order.iter().map(|(name, _)| *name).filter(|name| *name != LISTED_ID).collect();
    names.join(", ")
}

/// `ORDER BY` of some keys.
pub(super) fn in_order<'k, F>(listing: &Listing<F>, keys: impl Iterator<Item = &'k str>) -> String {
    let direction = if listing.descending { "DESC" } else { "ASC" };
    let keys: Vec<String> = keys.map(|key| format!("{key} {direction}")).collect();
    format!("ORDER BY {}", keys.join(", "))
}

/// The rows of a page: all conditions but one that a branch stands for, where they start, their order and number.
fn push_page<E: Entity>(
    sql: &mut QueryBuilder<'_>,
    listing: &Listing<E::Field>,
    within: Option<Within>,
    branch: Option<(Option<usize>, &Branch)>,
    rows: i64,
) {
    if let Some(Within { column, id }) = within {
        sql.push(format_args!(" AND {column} = ")).push_bind(id);
    }
    let is_few = branch.is_some_and(|(_, branch)| branch.is_few);
    let others = |place: usize| branch.is_none_or(|(instead_of, _)| instead_of != Some(place));
    push_where::<E>(sql, listing, is_few, others);
    push_beginning(sql, listing, branch.and_then(|(_, branch)| branch.all_have), "id", rows);
}

/// Where rows start, their order and number. `all_have`: what is the same for all of them in the field that they are sorted
/// by, so that they need not be.
pub(super) fn push_beginning<F: Column>(
    sql: &mut QueryBuilder<'_>,
    listing: &Listing<F>,
    all_have: Option<&str>,
    id: &str,
    rows: i64,
) {
    let key = all_have.is_none().then(|| listing.sort.key(sql.dialect()));
    let keys: Vec<&str> = key.as_deref().into_iter().chain(listing.sort.then()).chain([id]).collect();
    let beginning = all_have.map_or(Beginning::Among, |word| Beginning::of(listing, word));
    match (&listing.from, beginning) {
        (Some(cursor), Beginning::Among) => {
            // Compared as one, which an index of all is entered by at the very row.
            sql.push(format_args!(" AND ({}) {} (", keys.join(", "), if listing.descending { "<=" } else { ">=" }));
            match (&cursor.value, all_have) {
                (Operand::WordAt(_, at), Some(_)) => {
                    sql.push_bind(*at);
                }
                (value, _) => bind(sql, listing.sort, value),
            }
            sql.push(", ").push_bind(cursor.id).push(")");
        }
        (_, Beginning::Behind) => {
            sql.push(" AND 0 = 1");
        }
        _ => {}
    }
    let order = in_order(listing, keys.iter().copied());
    sql.push(format_args!(" {order} LIMIT ")).push_bind(rows);
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

/// The same of a list that is part of an experiment; [`NO_EXPERIMENT`] if that is not there.
pub(super) fn total_of_experiment<E: Entity>(
    dialect: Dialect,
    listing: &Listing<E::Field>,
    experiment: Uuid,
) -> QueryBuilder<'static> {
    let mut sql = total::<E>(dialect, listing, None);
    sql.put_before(&format!("SELECT COALESCE((SELECT {TOTAL} FROM ("));
    sql.push(") AS counted WHERE EXISTS (SELECT 1 FROM experiments WHERE id = ").push_bind(experiment);
    sql.push(format_args!(")), {NO_EXPERIMENT}) AS {TOTAL}"));
    sql
}

/// The number of rows on all pages as far as few rows tell, and whether that is the least that there are; `None` if somebody
/// keeps count of all.
pub(super) fn known_total<E: Entity>(dialect: Dialect, listing: &Listing<E::Field>) -> Option<QueryBuilder<'static>> {
    if E::COUNTS.is_some() && listing.predicates.iter().all(is_counted) {
        return None;
    }
    let mut sql = QueryBuilder::new(dialect, String::new());
    if let Some(finding) = Finding::<E>::of(dialect, listing) {
        finding.push_found(&mut sql);
        sql.push("SELECT (");
        push_count_of::<E>(&mut sql, listing, None, &finding.rows(listing), "1 = 1");
        sql.push(format_args!(") AS {TOTAL}, {} AS {IS_LEAST}", search::found_many()));
        return Some(sql);
    }
    let (from, condition) = match search::copies::<E>(dialect, listing) {
        Some((copies, _)) => (copies, "1 = 1"),
        None => (E::TABLE, E::VISIBLE),
    };
    sql.push(format_args!(
        "SELECT counted AS {TOTAL}, CAST(CASE WHEN counted < {MOST_FEW} THEN 0 ELSE 1 END AS BIGINT) "
    ));
    sql.push(format_args!(
        "AS {IS_LEAST} FROM (SELECT COUNT(*) AS counted FROM (SELECT 1 FROM {from} WHERE {condition}"
    ));
    push_all::<E>(&mut sql, listing);
    sql.push(format_args!(" LIMIT {MOST_FEW}) AS met) AS counts"));
    Some(sql)
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
    push_all::<E>(sql, listing);
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
        push_each(&mut sql, listing, predicates::push_counted::<E>);
        sql.push(format_args!(") + {head}"));
        push_each(&mut sql, listing, predicates::push::<E>);
        sql.push(")");
    }
    sql.push(format_args!(" AS {TOTAL} FROM {table} WHERE 1 = 1"));
    push_each(&mut sql, listing, predicates::push_counted::<E>);
    sql
}

/// Appends all conditions as they are, for an index that is not chosen among others.
fn push_each<F: Column>(
    sql: &mut QueryBuilder<'_>,
    listing: &Listing<F>,
    push: impl Fn(&mut QueryBuilder<'_>, &Predicate<F>),
) {
    for predicate in &listing.predicates {
        push(sql.push(" AND "), predicate);
    }
}

fn push_all<E: Entity>(sql: &mut QueryBuilder<'_>, listing: &Listing<E::Field>) {
    push_where::<E>(sql, listing, false, |_| true);
}

/// Appends the conditions of some places. Where few rows are left by something else, no index is chosen for them, nor for one
/// that follows from another.
pub(super) fn push_where<E: Entity>(
    sql: &mut QueryBuilder<'_>,
    listing: &Listing<E::Field>,
    is_few: bool,
    is_meant: impl Fn(usize) -> bool,
) {
    let is_few = is_few || listing.predicates.iter().any(is_narrow);
    for (place, predicate) in listing.predicates.iter().enumerate() {
        if is_meant(place) {
            let is_usual = is_few && !is_narrow(predicate) || follows(predicate, &listing.predicates);
            let (before, after) = if is_usual { sql.dialect().usual() } else { ("", "") };
            sql.push(" AND ").push(before);
            predicates::push::<E>(sql, predicate);
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
        && !begins(listing.sort, &cursor.value)
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
