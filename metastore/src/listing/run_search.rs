//! Runs that are narrowed and sorted by their values and tags. Of each such condition the runs that meet it are *found*, but
//! no more of them than tells that they are many. The list is made of those that are found by the first condition that few
//! meet; if many meet each, the page is soon full along the index that has the list's order. Which it is, the statement
//! decides when it is carried out. Finding decides nothing else: all conditions are put to each run.
//!
//! The same is done in both databases. PostgreSQL cannot know better by itself: how often a value is met depends on its name.

use super::branches::{Branch, Branches};
use super::search::MOST_FEW;
use super::{Comparison, Cursor, Entity, Listed, Listing, MAX_PAGE, Operand, Page, Predicate, RunField, sql};
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

impl Metastore {
    /// Runs that meet conditions on their fields, their values and their tags.
    pub async fn search_runs(&self, search: &RunSearch) -> Result<FoundRuns, MetastoreError> {
        if search.conditions.is_empty() && search.sort_value.is_none() {
            return self.search_runs_by_fields(&search.listing).await;
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
        found(&search.listing, (rows, next), total.as_ref())
    }

    /// The same without conditions on values and tags.
    async fn search_runs_by_fields(&self, listing: &Listing<RunField>) -> Result<FoundRuns, MetastoreError> {
        let Some(total) = sql::known_total::<RunRecord>(self.readers.dialect(), listing) else {
            return Ok(FoundRuns { page: self.list_run_records(listing).await?, is_least: false });
        };
        let total = total.build();
        let failed = |error| MetastoreError::database("count runs", error);
        let total = async { total.fetch_optional(&self.readers).await.map_err(failed) };
        let (page, total) = tokio::try_join!(self.page::<RunRecord>(listing, None), total)?;
        found(listing, page, total.as_ref())
    }
}

fn found(
    listing: &Listing<RunField>,
    (rows, next): (Vec<Listed<RunRecord>>, Option<Cursor>),
    total: Option<&Row>,
) -> Result<FoundRuns, MetastoreError> {
    let unreadable = |reason| MetastoreError::Unreadable { row: "the number of runs".to_owned(), reason };
    let (total, is_least) = total.map_or(Ok((0, false)), counted).map_err(unreadable)?;
    // The page may know better: its runs need not be those that were counted.
    let seen = rows.len() as u64 + u64::from(next.is_some());
    let is_all = listing.from.is_none() && next.is_none();
    let (total, is_least) = match is_least {
        true if is_all => (seen, false),
        true => (total.max(seen), true),
        false => (total, false),
    };
    Ok(FoundRuns { page: Page { rows, next, total }, is_least })
}

fn counted(row: &Row) -> Result<(u64, bool), Reason> {
    Ok((crate::codec::count(row, sql::TOTAL)?, column(row, sql::IS_LEAST)?))
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
        let (listing, mut sql) = (&self.search.listing, QueryBuilder::new(self.dialect, String::new()));
        self.push_found(&mut sql);
        let columns = RunRecord::columns(self.dialect);
        let outer = match self.search.sort_value {
            Some(_) => [sql::SORTED_BY, sql::LISTED_ID].map(|name| (name, name.to_owned())).to_vec(),
            None => sql::outer_order(self.dialect, listing.sort),
        };
        let kept = sql::kept(&outer);
        sql.push(format_args!("SELECT {columns}, {kept} FROM (SELECT * FROM ("));
        for place in 0..self.finders.len() {
            sql.push("SELECT * FROM (");
            self.push_found_branch(&mut sql, place, rows);
            sql.push(format_args!(") AS branch_{place} UNION ALL "));
        }
        let Branches { branches, .. } = match self.search.sort_value {
            Some(_) => Branches::whole(),
            None => Branches::of(listing).unwrap_or_else(Branches::whole),
        };
        for (index, branch) in branches.iter().enumerate() {
            sql.push(if index > 0 { " UNION ALL SELECT * FROM (" } else { "SELECT * FROM (" });
            self.push_branch_in_order(&mut sql, branch, rows);
            sql.push(format_args!(") AS branch_many_{index}"));
        }
        let order = sql::in_order(listing, outer.iter().map(|(_, key)| key.as_str()));
        sql.push(format_args!(") AS branches {order} LIMIT ")).push_bind(rows);
        let join = self.dialect.join_in_order();
        sql.push(format_args!(") AS listed {join} runs ON runs.id = {} {order}", sql::LISTED_ID));
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
        let (total, least) = (sql::TOTAL, sql::IS_LEAST);
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

    /// Appends a branch of the page: of what a condition finds, if few meet it and no condition before it.
    fn push_found_branch(&self, sql: &mut QueryBuilder<'_>, place: usize, rows: i64) {
        self.push_head(sql, None);
        let join = self.dialect.join_in_order();
        sql.push(format_args!("found_{place} {join} runs ON runs.id = found_id "));
        if let Some(name) = &self.search.sort_value {
            sql.push(format_args!("{join} run_values AS sorting ON sorting.run_id = runs.id AND sorting.value_key = "));
            sql.push_bind(name.key()).push(" WHERE sorting.number IS NOT NULL AND ");
        } else {
            sql.push("WHERE ");
        }
        self.push_conditions(sql, true);
        self.push_beginning(sql, None, "runs.id", rows);
        push_only_if(sql, (0..place).map(|before| format!("NOT {}", few(before))).chain([few(place)]));
    }

    /// Appends a branch of the page: along the order of the list, if many meet each condition.
    fn push_branch_in_order(&self, sql: &mut QueryBuilder<'_>, branch: &Branch, rows: i64) {
        self.push_head(sql, branch.all_have);
        let id = match &self.search.sort_value {
            Some(name) => {
                self.push_sorting(sql, name);
                "sorting.run_id"
            }
            None => {
                sql.push(format_args!("runs WHERE {} AND ", branch.condition));
                "runs.id"
            }
        };
        self.push_conditions(sql, branch.is_few);
        self.push_beginning(sql, branch.all_have, id, rows);
        push_only_if(sql, (0..self.finders.len()).map(|place| format!("NOT {}", few(place))));
    }

    fn push_head(&self, sql: &mut QueryBuilder<'_>, all_have: Option<&str>) {
        let sorted_by = match self.search.sort_value {
            Some(_) => format!("sorting.number AS {}", sql::SORTED_BY),
            None => sql::sorted_by(self.dialect, self.search.listing.sort, all_have),
        };
        sql.push(format_args!("SELECT * FROM (SELECT runs.id AS {}, {sorted_by} FROM ", sql::LISTED_ID));
    }

    /// Appends where rows start, their order and number.
    fn push_beginning(&self, sql: &mut QueryBuilder<'_>, all_have: Option<&str>, id: &str, rows: i64) {
        let listing = &self.search.listing;
        if self.search.sort_value.is_none() {
            sql::push_beginning(sql, listing, all_have, id, rows);
            return;
        }
        if let (Some(cursor), Some(number)) = (&listing.from, self.from_number) {
            let operator = if listing.descending { "<=" } else { ">=" };
            sql.push(format_args!(" AND (sorting.number, {id}) {operator} (")).push_bind(number);
            sql.push(", ").push_bind(cursor.id).push(")");
        }
        let order = sql::in_order(listing, ["sorting.number", id].into_iter());
        sql.push(format_args!(" {order} LIMIT ")).push_bind(rows);
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
        sql::push_where::<RunRecord>(sql, &self.search.listing, are_found, |_| true);
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
}

/// Appends the end of a branch, which has rows only if all conditions hold.
fn push_only_if(sql: &mut QueryBuilder<'_>, conditions: impl Iterator<Item = String>) {
    let only_if = super::search::only_if(&conditions.collect::<Vec<_>>().join(" AND "));
    sql.push(format_args!(") AS rows_in_order {only_if}"));
}

/// The condition that few runs are found by one of the conditions.
fn few(place: usize) -> String {
    format!("(SELECT COUNT(*) FROM found_{place}) <= {MOST_FEW}")
}
