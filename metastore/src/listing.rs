//! Lists that users narrow, sort and page through: what can be asked, and carrying it out. Each list is two statements,
//! one for the page and one for the total, whatever is listed. The latter also tells whether there is the experiment that
//! a list is of.
//!
//! A page starts at a row that is named by what it is sorted by and its id (keyset paging), so that rows which come and go
//! before it move nothing, and finding it costs the same wherever it is.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Metastore;
use crate::codec::{Reason, column, identity, listed};
use crate::database::{Dialect, QueryBuilder, Row};
use crate::error::MetastoreError;
use crate::experiments::{self, Experiment};
use crate::pipelines::StoredPipeline;
use crate::recurring::RecurringRun;
use crate::rows::Listed;
use crate::run_records::RunRecord;
use crate::runs::MAX_PAGE;
use crate::versions::{self, PipelineVersion};

mod branches;
mod fields;
mod predicates;
mod run_search;
mod search;
mod sql;

pub(crate) use fields::Column;
pub use fields::{ExperimentField, Field, FieldKind, PipelineField, RecurringRunField, RunField, VersionField};
#[doc(hidden)]
pub use run_search::run_search_plans;
pub use run_search::{FoundRuns, MAX_VALUE_CONDITIONS, MAX_VALUE_TEXTS, RunSearch, ValueCondition};
pub(crate) use search::Search;
pub(crate) use sql::{Within, by_name, select};

/// Most conditions of one list.
pub const MAX_PREDICATES: usize = 64;
/// Most operands of one list.
pub const MAX_OPERANDS: usize = 1000;
/// Longest text, in bytes, to look for in others.
pub const MAX_CONTAINED_BYTES: usize = 10_000;

/// What to list: the rows that meet all conditions, in the order of one field and then of their ids, both in one
/// direction. Runs in the same state are in the order of their creation.
///
/// Text and words are compared without regard to the case of ASCII letters, namespaces to the letter. A time that is
/// absent counts as 0, the beginning of 1970. An operand of another kind than the field's is compared as text, a time being
/// whole seconds then.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing<F> {
    /// Conditions, all of which must hold; at most [`MAX_PREDICATES`].
    pub predicates: Vec<Predicate<F>>,
    /// What the rows are sorted by.
    pub sort: F,
    /// Whether the greatest comes first.
    pub descending: bool,
    /// The first row of the page; absent for the first page.
    pub from: Option<Cursor>,
    /// Most rows of the page.
    pub size: u32,
}

impl<F> Listing<F> {
    /// Everything, the least first.
    pub fn by(sort: F, size: u32) -> Self {
        Self { predicates: Vec::new(), sort, descending: false, from: None, size }
    }
}

/// A condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Predicate<F> {
    /// The field compares so with the operand.
    Compare {
        /// The field.
        field: F,
        /// How.
        comparison: Comparison,
        /// With what.
        operand: Operand,
    },
    /// The field equals one of the operands.
    In {
        /// The field.
        field: F,
        /// The operands.
        operands: Vec<Operand>,
    },
    /// The field contains a text, in which `%` stands for any text and `_` for any character.
    Contains {
        /// The field.
        field: F,
        /// The text.
        text: String,
    },
    /// A time lies before `from`, or at or after `to`.
    Outside {
        /// The field.
        field: F,
        /// Nanoseconds since 1970.
        from: i64,
        /// Nanoseconds since 1970.
        to: i64,
    },
    /// There is a tag of this key and value.
    Tag {
        /// The key, to the letter.
        key: String,
        /// The value, without regard to case.
        value: String,
    },
}

impl<F: Copy> Predicate<F> {
    fn field(&self) -> Option<F> {
        match self {
            Self::Compare { field, .. }
            | Self::In { field, .. }
            | Self::Contains { field, .. }
            | Self::Outside { field, .. } => Some(*field),
            Self::Tag { .. } => None,
        }
    }
}

/// How to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Comparison {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// What a field is compared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Operand {
    /// A time, in nanoseconds since 1970.
    Integer(i64),
    /// A text or a word.
    Text(String),
    /// An id. All zeros for a reference that is absent.
    Id(Uuid),
    /// A word that many rows have, and when one of these was made, in nanoseconds since 1970: where a page begins that is
    /// sorted by words. Anywhere else it is the word.
    WordAt(String, i64),
}

/// Names the first row of a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// What the list is sorted by.
    pub value: Operand,
    /// The row.
    pub id: Uuid,
}

/// Some rows of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<Listed<T>>,
    /// The first row of the next page; absent on the last.
    pub next: Option<Cursor>,
    /// Number of rows of the whole list.
    pub total: u64,
}

/// Something that can be listed: where its rows are, and how one is read.
pub(crate) trait Entity: Sized {
    /// What it can be narrowed and sorted by.
    type Field: Column + 'static;
    /// For error texts.
    const KIND: &'static str;
    const TABLE: &'static str;
    /// What `read` needs.
    fn columns(dialect: Dialect) -> Cow<'static, str>;
    /// What every row must meet to be seen at all.
    const VISIBLE: &'static str = "1 = 1";
    /// Table of tags, and its reference to this one.
    const TAGS: Option<(&'static str, &'static str)> = None;
    /// How many visible rows there are, where somebody keeps count of them.
    const COUNTS: Option<Counts> = None;
    /// Where rows are found by a part of a name.
    const SEARCH: Option<Search<Self::Field>> = None;

    fn read(row: &Row) -> Result<Self, Reason>;
}

/// A table of how many visible rows there are by the fields that are [`Column::counted`].
pub(crate) struct Counts {
    pub(crate) table: &'static str,
    /// Its column with the number.
    pub(crate) count: &'static str,
    /// The rows that may count as something else than what was counted, for a statement to go through.
    pub(crate) unsettled: &'static str,
    /// Their ids.
    pub(crate) key: &'static str,
}

impl Metastore {
    pub(crate) async fn list<E: Entity>(
        &self,
        listing: &Listing<E::Field>,
        within: Option<Within>,
    ) -> Result<Page<E>, MetastoreError> {
        let total = sql::total::<E>(self.readers.dialect(), listing, within);
        self.list_with(listing, within, total).await.map(|(page, _)| page)
    }

    /// What is of an experiment, which must exist; `listing` says that it is.
    pub(crate) async fn list_of_experiment<E: Entity>(
        &self,
        experiment: Uuid,
        listing: &Listing<E::Field>,
    ) -> Result<Page<E>, MetastoreError> {
        let total = sql::total_of_experiment::<E>(self.readers.dialect(), listing, experiment);
        match self.list_with(listing, None, total).await? {
            (_, sql::NO_EXPERIMENT) => Err(MetastoreError::not_found(experiments::KIND, &experiment)),
            (page, _) => Ok(page),
        }
    }

    /// A page, and what the statement for the total says.
    async fn list_with<E: Entity>(
        &self,
        listing: &Listing<E::Field>,
        within: Option<Within>,
        total: QueryBuilder<'_>,
    ) -> Result<(Page<E>, i64), MetastoreError> {
        let total = total.build();
        let total = async {
            let total = total.fetch_value::<i64>(&self.readers, sql::TOTAL).await;
            total.map_err(|error| MetastoreError::database(format!("count {}s", E::KIND), error))
        };
        let ((rows, next), total) = tokio::try_join!(self.page::<E>(listing, within), total)?;
        let total = total.unwrap_or(0);
        Ok((Page { rows, next, total: u64::try_from(total).unwrap_or(0) }, total))
    }

    /// The rows of a page, and where the next one begins.
    async fn page<E: Entity>(
        &self,
        listing: &Listing<E::Field>,
        within: Option<Within>,
    ) -> Result<(Vec<Listed<E>>, Option<Cursor>), MetastoreError> {
        let size = listing.size.clamp(1, MAX_PAGE) as usize;
        let page = sql::page::<E>(self.readers.dialect(), listing, within, size)?.build();
        let rows = page.fetch_all(&self.readers).await;
        let mut rows = rows.map_err(|error| MetastoreError::database(format!("list {}s", E::KIND), error))?;
        let next = rows.get(size).and_then(|row| cursor(listing.sort, row).ok());
        rows.truncate(size);
        Ok((rows.iter().map(|row| listed(E::read(row), || identity(row, "id"))).collect(), next))
    }

    /// The visible row of an id.
    pub(crate) async fn find<E: Entity>(&self, id: Uuid) -> Result<Option<E>, MetastoreError> {
        let dialect = self.readers.dialect();
        let mut sql = QueryBuilder::new(dialect, sql::select::<E>(dialect));
        sql.push(" AND id = ").push_bind(id);
        self.find_by(sql, || id.to_string()).await
    }

    /// The first row of a query, if it has any.
    pub(crate) async fn find_by<E: Entity>(
        &self,
        sql: QueryBuilder<'_>,
        name: impl Fn() -> String,
    ) -> Result<Option<E>, MetastoreError> {
        let row = sql
            .build()
            .fetch_optional(&self.readers)
            .await
            .map_err(|error| MetastoreError::database(format!("read {} {}", E::KIND, name()), error))?;
        let read = |reason| MetastoreError::Unreadable { row: format!("{} {}", E::KIND, name()), reason };
        row.map(|row| E::read(&row)).transpose().map_err(read)
    }
}

/// Names a row. One of which not even this can be read ends the list.
fn cursor<F: Column>(sort: F, row: &Row) -> Result<Cursor, Reason> {
    let value = match sort.kind() {
        _ if sort.then().is_some() => Operand::WordAt(column(row, sql::SORTED_BY)?, column(row, sql::THEN_BY)?),
        FieldKind::Time => Operand::Integer(column(row, sql::SORTED_BY)?),
        FieldKind::Text | FieldKind::Word => Operand::Text(column(row, sql::SORTED_BY)?),
        FieldKind::Id => Operand::Id(column(row, sql::SORTED_BY)?),
    };
    Ok(Cursor { value, id: column(row, "id")? })
}

/// How the page and the total of a list are carried out, for tests.
async fn plans<E: Entity>(
    store: &Metastore,
    listing: &Listing<E::Field>,
    within: Option<Within>,
) -> Result<[Vec<String>; 2], MetastoreError> {
    let dialect = store.readers.dialect();
    let page = sql::page::<E>(dialect, listing, within, listing.size as usize)?.build();
    let total = sql::total::<E>(dialect, listing, within).build();
    Ok([store.explain(page).await?, store.explain(total).await?])
}

/// See [`plans`].
#[doc(hidden)]
pub async fn experiment_list_plans(
    store: &Metastore,
    listing: &Listing<ExperimentField>,
) -> Result<[Vec<String>; 2], MetastoreError> {
    plans::<Experiment>(store, listing, None).await
}

/// See [`plans`].
#[doc(hidden)]
pub async fn pipeline_list_plans(
    store: &Metastore,
    listing: &Listing<PipelineField>,
) -> Result<[Vec<String>; 2], MetastoreError> {
    plans::<StoredPipeline>(store, listing, None).await
}

/// See [`plans`].
#[doc(hidden)]
pub async fn version_list_plans(
    store: &Metastore,
    pipeline: Uuid,
    listing: &Listing<VersionField>,
) -> Result<[Vec<String>; 2], MetastoreError> {
    plans::<PipelineVersion>(store, listing, Some(versions::within(pipeline))).await
}

/// See [`plans`].
#[doc(hidden)]
pub async fn run_list_plans(
    store: &Metastore,
    listing: &Listing<RunField>,
) -> Result<[Vec<String>; 2], MetastoreError> {
    plans::<RunRecord>(store, listing, None).await
}

/// How the total of a search for runs is counted, for tests; `None` if it is counted already.
#[doc(hidden)]
pub async fn known_total_plan(
    store: &Metastore,
    listing: &Listing<RunField>,
) -> Result<Option<Vec<String>>, MetastoreError> {
    match sql::known_total::<RunRecord>(store.readers.dialect(), listing) {
        Some(total) => store.explain(total.build()).await.map(Some),
        None => Ok(None),
    }
}

/// See [`plans`].
#[doc(hidden)]
pub async fn recurring_run_list_plans(
    store: &Metastore,
    listing: &Listing<RecurringRunField>,
) -> Result<[Vec<String>; 2], MetastoreError> {
    plans::<RecurringRun>(store, listing, None).await
}
