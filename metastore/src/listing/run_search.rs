//! Runs that are narrowed and sorted by their values and tags. Of each such condition the runs that meet it are *found*, but
//! no more of them than tells that they are many. The list is made of those that are found by the first condition that few
//! meet; if many meet each, the page is soon full along the index that has the list's order. Which it is, the statement
//! decides when it is carried out. Finding decides nothing else: all conditions are put to each run.
//!
//! The same is done in both databases. PostgreSQL cannot know better by itself: how often a value is met depends on its name.

use super::predicates::{self, bind};
use super::{Column, Comparison, Cursor, Entity, Listed, Listing, MAX_PAGE, Operand, Page, Predicate, RunField, sql};
use crate::Metastore;
use crate::codec::{Reason, column, identity, listed};
use crate::database::{Dialect, QueryBuilder, Row};
use crate::error::MetastoreError;
use crate::run_records::RunRecord;
use crate::run_values::RunValueName;

mod conditions;

use conditions::{check, push_probe, push_tagged};

/// Most conditions on values and tags of one search.
pub const MAX_VALUE_CONDITIONS: usize = 16;
/// Most texts of one such condition.
pub const MAX_VALUE_TEXTS: usize = 100;
/// Most runs that count as few: those that are found are all looked at.
const MOST_FEW: usize = 5000;
/// Conditions that runs are found by; further ones are only put to each run.
const MOST_FINDERS: usize = 4;

/// Which runs to look for.
#[derive(Debug, Clone, PartialEq)]
pub struct RunSearch {
    /// The list, with its conditions on fields. Where it is sorted by a value, its own order counts for nothing.
    pub listing: Listing<RunField>,
    /// Conditions on values and tags, all of which must hold; at most [`MAX_VALUE_CONDITIONS`].
    pub conditions: Vec<ValueCondition>,
    /// The value that the runs are sorted by: those alone for which it is a number.
    pub sort_value: Option<RunValueName>,
}

/// A condition on what is known of a run beside its fields.
#[derive(Debug, Clone, PartialEq)]
pub enum ValueCondition {
    /// A value is one of some texts, to the letter; numbers are written as they are in JSON.
    OneOf(RunValueName, Vec<String>),
    /// There is a value, and it is none of some texts.
    NoneOf(RunValueName, Vec<String>),
    /// A value is a number that compares so with another one.
    Compares(RunValueName, Comparison, f64),
    /// The version that a run was made from, or the pipeline, has a tag of this key and value.
    Tag(String, String),
}

/// Runs that were found.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundRuns {
    /// The page.
    pub page: Page<RunRecord>,
    /// Whether the total is no more than what is known: the number of those that meet all conditions is at least that.
    pub is_least: bool,
}

const IS_LEAST: &str = "is_least";

impl Metastore {
    /// Runs that meet conditions on their fields, their values and their tags.
    pub async fn search_runs(&self, search: &RunSearch) -> Result<FoundRuns, MetastoreError> {
        if search.conditions.is_empty() && search.sort_value.is_none() {
            return Ok(FoundRuns { page: self.list_run_records(&search.listing).await?, is_least: false });
        }
        let size = search.listing.size.clamp(1, MAX_PAGE) as usize;
        let statements = Statements::new(self.readers.dialect(), search)?;
        let (page, total) = (statements.page(size).build(), statements.total().build());
        let (mut rows, total) = tokio::try_join!(page.fetch_all(&self.readers), total.fetch_optional(&self.readers))
            .map_err(|error| MetastoreError::database("search runs", error))?;
        let next = rows.get(size).and_then(|row| cursor(search, row).ok());
        rows.truncate(size);
        let rows: Vec<Listed<RunRecord>> =
            rows.iter().map(|row| listed(RunRecord::read(row), || identity(row, "id"))).collect();
        let unreadable = |reason| MetastoreError::Unreadable { row: "the number of runs".to_owned(), reason };
        let (total, is_least) = total.as_ref().map_or(Ok((0, false)), counted).map_err(unreadable)?;
        Ok(FoundRuns { page: Page { rows, next, total }, is_least })
    }
}

fn counted(row: &Row) -> Result<(u64, bool), Reason> {
    Ok((crate::codec::count(row, sql::TOTAL)?, column(row, IS_LEAST)?))
}

/// Names a row. A number is a text here, which reads back as the same number.
fn cursor(search: &RunSearch, row: &Row) -> Result<Cursor, Reason> {
    if search.sort_value.is_none() {
        return super::cursor(search.listing.sort, row);
    }
    let number: f64 = column(row, sql::SORTED_BY)?;
    Ok(Cursor { value: Operand::Text(number.to_string()), id: column(row, "id")? })
}

/// See [`super::plans`].
#[doc(hidden)]
pub async fn run_search_plans(store: &Metastore, search: &RunSearch) -> Result<[Vec<String>; 2], MetastoreError> {
    let statements = Statements::new(store.readers.dialect(), search)?;
    let (page, total) = (statements.page(search.listing.size as usize).build(), statements.total().build());
    Ok([store.explain(page).await?, store.explain(total).await?])
}

/// What runs are found by.
enum Finder<'s> {
    Condition(&'s ValueCondition),
    /// There is a number to sort by.
    Sorted(&'s RunValueName),
}

/// The two statements of a search.
struct Statements<'s> {
    dialect: Dialect,
    search: &'s RunSearch,
    finders: Vec<Finder<'s>>,
    namespace: Option<&'s str>,
    /// Where the page starts, of a list that is sorted by a value.
    from_number: Option<f64>,
}

impl<'s> Statements<'s> {
    fn new(dialect: Dialect, search: &'s RunSearch) -> Result<Self, MetastoreError> {
        let from_number = check(search)?;
        let sorted = search.sort_value.iter().map(Finder::Sorted);
        let finders = search.conditions.iter().map(Finder::Condition).chain(sorted).take(MOST_FINDERS).collect();
        let namespace = search.listing.predicates.iter().find_map(|predicate| match predicate {
            Predicate::Compare {
                field: RunField::Namespace,
                comparison: Comparison::Equal,
                operand: Operand::Text(namespace),
            } => Some(namespace.as_str()),
            _ => None,
        });
        Ok(Self { dialect, search, finders, namespace, from_number })
    }

    /// A page, and one row more if there is any.
    fn page(&self, size: usize) -> QueryBuilder<'static> {
        let rows = i64::try_from(size).unwrap_or(i64::MAX).saturating_add(1);
        let mut sql = QueryBuilder::new(self.dialect, String::new());
        self.push_found(&mut sql);
        let columns = RunRecord::columns(self.dialect);
        sql.push(format_args!("SELECT {columns}, {} FROM (SELECT * FROM (", sql::SORTED_BY));
        for place in 0..self.finders.len() {
            sql.push("SELECT * FROM (");
            self.push_branch(&mut sql, Some(place), rows);
            sql.push(format_args!(") AS branch_{place} UNION ALL "));
        }
        sql.push("SELECT * FROM (");
        self.push_branch(&mut sql, None, rows);
        let direction = self.direction();
        let sorted_by = match self.search.sort_value {
            None if self.search.listing.sort.is_folded() => self.dialect.kept_folded(sql::SORTED_BY).into_owned(),
            _ => sql::SORTED_BY.to_owned(),
        };
        let order = format!("ORDER BY {sorted_by} {direction}, listed_id {direction}");
        sql.push(format_args!(") AS branch_many) AS branches {order} LIMIT ")).push_bind(rows);
        let join = self.dialect.join_in_order();
        sql.push(format_args!(") AS listed {join} runs ON runs.id = listed_id {order}"));
        sql
    }

    /// The number of runs on all pages: exact where few meet one of the conditions.
    fn total(&self) -> QueryBuilder<'static> {
        let mut sql = QueryBuilder::new(self.dialect, String::new());
        self.push_found(&mut sql);
        sql.push("SELECT CASE");
        for place in 0..self.finders.len() {
            sql.push(format_args!(" WHEN {} THEN (", few(place)));
            self.push_count(&mut sql, place);
            sql.push(")");
        }
        sql.push(" ELSE (");
        self.push_count(&mut sql, 0);
        let any = (0..self.finders.len()).map(few).collect::<Vec<_>>().join(" OR ");
        let (total, least) = (sql::TOTAL, IS_LEAST);
        sql.push(format_args!(") END AS {total}, CAST(CASE WHEN {any} THEN 0 ELSE 1 END AS BIGINT) AS {least}"));
        sql
    }

    /// Appends what a statement begins with: the runs that are found by each condition, and no more than tells that they are
    /// many.
    fn push_found(&self, sql: &mut QueryBuilder<'_>) {
        for (place, finder) in self.finders.iter().enumerate() {
            sql.push(if place == 0 { "WITH " } else { ", " });
            sql.push(format_args!("found_{place} (found_id) AS MATERIALIZED ("));
            match finder {
                Finder::Condition(ValueCondition::Tag(key, value)) => {
                    sql.push("SELECT id FROM runs WHERE ");
                    push_tagged(sql, "version", key, value);
                    sql.push(" UNION ALL SELECT id FROM runs WHERE ");
                    push_tagged(sql, "pipeline", key, value);
                    sql.push(" AND NOT ");
                    push_tagged(sql, "version", key, value);
                }
                Finder::Condition(condition) => {
                    self.push_values_where(sql, condition.name(), |sql| condition.push(sql));
                }
                Finder::Sorted(name) => self.push_values_where(sql, Some(name), |sql| {
                    sql.push("number IS NOT NULL");
                }),
            }
            sql.push(format_args!(" LIMIT {}) ", MOST_FEW + 1));
        }
    }

    fn push_values_where(
        &self,
        sql: &mut QueryBuilder<'_>,
        name: Option<&RunValueName>,
        condition: impl Fn(&mut QueryBuilder<'_>),
    ) {
        let key = name.map(RunValueName::key).unwrap_or_default();
        sql.push("SELECT run_id FROM run_values WHERE value_key = ").push_bind(key).push(" AND ");
        condition(sql);
        if let Some(namespace) = self.namespace {
            sql.push(" AND run_namespace = ").push_bind(namespace.to_owned());
        }
    }

    /// Appends a branch of the page: of what a condition finds, if few meet it and no condition before it; or along the
    /// order of the list, if many meet each.
    fn push_branch(&self, sql: &mut QueryBuilder<'_>, place: Option<usize>, rows: i64) {
        let sort = match self.search.sort_value {
            Some(_) => "sorting.number".to_owned(),
            None => self.search.listing.sort.key(self.dialect).into_owned(),
        };
        sql.push(format_args!("SELECT * FROM (SELECT runs.id AS listed_id, {sort} AS {} FROM ", sql::SORTED_BY));
        let join = self.dialect.join_in_order();
        match (place, &self.search.sort_value) {
            (Some(place), None) => sql.push(format_args!("found_{place} {join} runs ON runs.id = found_id WHERE ")),
            (Some(place), Some(name)) => {
                sql.push(format_args!("found_{place} {join} runs ON runs.id = found_id {join} run_values AS sorting "));
                sql.push("ON sorting.run_id = runs.id AND sorting.value_key = ").push_bind(name.key());
                sql.push(" WHERE sorting.number IS NOT NULL AND ")
            }
            (None, None) => sql.push("runs WHERE "),
            (None, Some(name)) => self.push_sorting(sql, name),
        };
        self.push_conditions(sql, place.is_some());
        let (direction, id) = (
            self.direction(),
            if place.is_none() && self.search.sort_value.is_some() { "sorting.run_id" } else { "runs.id" },
        );
        if let Some(cursor) = &self.search.listing.from {
            let operator = if self.search.listing.descending { "<=" } else { ">=" };
            sql.push(format_args!(" AND ({sort}, {id}) {operator} ("));
            match self.from_number {
                Some(number) => {
                    sql.push_bind(number);
                }
                None => bind(sql, self.search.listing.sort, &cursor.value),
            }
            sql.push(", ").push_bind(cursor.id).push(")");
        }
        sql.push(format_args!(" ORDER BY {sort} {direction}, {id} {direction} LIMIT ")).push_bind(rows);
        let before = 0..place.unwrap_or(self.finders.len());
        let conditions = before.map(|place| format!("NOT {}", few(place))).chain(place.map(few));
        let only_if = super::search::only_if(&conditions.collect::<Vec<_>>().join(" AND "));
        sql.push(format_args!(") AS rows_in_order {only_if}"));
    }

    /// Appends where to go along the numbers of a value, and no further than other conditions on it allow.
    fn push_sorting<'a, 'q>(&self, sql: &'a mut QueryBuilder<'q>, name: &RunValueName) -> &'a mut QueryBuilder<'q> {
        let join = self.dialect.join_in_order();
        sql.push(format_args!(
            "run_values AS sorting {join} runs ON runs.id = sorting.run_id WHERE sorting.value_key = "
        ));
        sql.push_bind(name.key()).push(" AND sorting.number IS NOT NULL");
        for condition in &self.search.conditions {
            if let ValueCondition::Compares(compared, comparison, number) = condition
                && compared == name
            {
                sql.push(" AND sorting.number").push(comparison.operator()).push_bind(*number);
            }
        }
        if let Some(namespace) = self.namespace {
            sql.push(" AND sorting.run_namespace = ").push_bind(namespace.to_owned());
        }
        sql.push(" AND ")
    }

    fn push_count(&self, sql: &mut QueryBuilder<'_>, place: usize) {
        let join = self.dialect.join_in_order();
        sql.push(format_args!("SELECT COUNT(*) FROM found_{place} {join} runs ON runs.id = found_id WHERE "));
        self.push_conditions(sql, true);
        if let Some(name) = &self.search.sort_value {
            push_probe(sql, name, |sql| {
                sql.push("number IS NOT NULL");
            });
        }
    }

    /// Appends all conditions, as they are put to each run.
    fn push_conditions(&self, sql: &mut QueryBuilder<'_>, are_found: bool) {
        sql.push(RunRecord::VISIBLE);
        sql::push_where(sql, &self.search.listing, are_found, |_| true, predicates::push::<RunRecord>);
        for condition in &self.search.conditions {
            match condition {
                ValueCondition::Tag(key, value) => {
                    sql.push(" AND (");
                    push_tagged(sql, "version", key, value);
                    sql.push(" OR ");
                    push_tagged(sql, "pipeline", key, value);
                    sql.push(")");
                }
                ValueCondition::OneOf(name, _)
                | ValueCondition::NoneOf(name, _)
                | ValueCondition::Compares(name, ..) => {
                    push_probe(sql, name, |sql| condition.push(sql));
                }
            }
        }
    }

    fn direction(&self) -> &'static str {
        if self.search.listing.descending { "DESC" } else { "ASC" }
    }
}

/// The condition that few runs are found by one of the conditions.
fn few(place: usize) -> String {
    format!("(SELECT COUNT(*) FROM found_{place}) <= {MOST_FEW}")
}
