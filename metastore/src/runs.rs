//! Runs: creating, reading, listing, finding one by what a user types, and their facts.

use std::fmt::Write as _;

use penstock_spec::run::RunStatus;
use uuid::Uuid;

use crate::Metastore;
use crate::codec::{
    Reason, column, count, encode_count, encode_json, encode_time, encode_word, identity, json, listed, optional_time,
    time, word,
};
use crate::database::{Dialect, Query, QueryBuilder, Row, Value, query};
use crate::error::MetastoreError;
use crate::rows::{Listed, NewRun, RunRow, RunSpec, StoredFact};
use crate::run_records::history_line;
use crate::run_values;
use crate::statements::{EncodedRun, Operation};

/// Most rows that one call returns, whatever the caller asks for.
pub const MAX_PAGE: u32 = 10_000;
/// Runs that are named when a user's word fits several.
const CANDIDATES: usize = 10;

/// Which runs to list. Parts that are absent match everything.
#[derive(Debug, Clone, Default)]
pub struct RunQuery {
    /// Namespace.
    pub namespace: Option<String>,
    /// Name of the pipeline.
    pub pipeline_name: Option<String>,
    /// Only runs that have not ended.
    pub unfinished: bool,
    /// Where the page before ended ([`RunPage::next`]).
    pub page_token: Option<String>,
    /// Most runs on the page; 0 means 20.
    pub page_size: u32,
}

/// Some runs, the newest first.
#[derive(Debug, Clone)]
pub struct RunPage {
    /// The runs.
    pub runs: Vec<Listed<RunRow>>,
    /// Where the next page starts; absent on the last.
    pub next: Option<String>,
}

const DEFAULT_PAGE: u32 = 20;

const COLUMNS: &str = "SELECT id, created_at, info_json, options_json, status, error, started_at, finished_at, epoch, fact_count FROM runs";

/// Each namespace is the least one after the one before.
const NAMESPACES: &str = "WITH RECURSIVE found (namespace) AS (
    SELECT MIN(namespace) FROM runs
    UNION ALL
    SELECT (SELECT MIN(runs.namespace) FROM runs WHERE runs.namespace > found.namespace) FROM found
    WHERE found.namespace IS NOT NULL
) SELECT namespace FROM found WHERE namespace IS NOT NULL";

impl Metastore {
    /// Creates a run without facts. Creating the same run again changes nothing.
    pub async fn create_run(&self, run: NewRun) -> Result<(), MetastoreError> {
        let NewRun { info, pipeline_text, parameters, options, registration } = run;
        let encoded = EncodedRun {
            id: info.id,
            created_at: encode_time(info.created_at),
            scheduled_at: encode_time(info.scheduled_at),
            history: history_line(info.created_at, RunStatus::Pending, None),
            plugins_input_json: encode_json(info.id, "the input for plugins", &registration.plugins_input)?,
            registration,
            info_json: encode_json(info.id, "the settings", &info)?,
            options_json: encode_json(info.id, "the options", &options)?,
            parameters_json: encode_json(info.id, "the parameters", &parameters)?,
            values: run_values::of_parameters(&parameters),
            status: encode_word(RunStatus::Pending),
            name: info.name,
            display_name: info.display_name,
            pipeline_name: info.pipeline_name,
            namespace: info.namespace,
            pipeline_text,
        };
        self.writer.submit(Operation::CreateRun(Box::new(encoded))).await?;
        Ok(())
    }

    /// A run.
    pub async fn run(&self, run: Uuid) -> Result<RunRow, MetastoreError> {
        let row = self.fetch_run(run).await?;
        run_row(&row).map_err(|reason| MetastoreError::Unreadable { row: format!("run {run}"), reason })
    }

    async fn fetch_run(&self, run: Uuid) -> Result<Row, MetastoreError> {
        query(format!("{COLUMNS} WHERE id = $1"))
            .bind(run)
            .fetch_optional(&self.readers)
            .await
            .map_err(|error| MetastoreError::database(format!("read run {run}"), error))?
            .ok_or(MetastoreError::NoSuchRun { run })
    }

    /// What a run was made from.
    pub async fn run_spec(&self, run: Uuid) -> Result<RunSpec, MetastoreError> {
        let row = query("SELECT pipeline_text, parameters_json FROM run_specs WHERE run_id = $1")
            .bind(run)
            .fetch_optional(&self.readers)
            .await
            .map_err(|error| MetastoreError::database(format!("read the pipeline of run {run}"), error))?
            .ok_or(MetastoreError::NoSuchRun { run })?;
        let spec = || {
            Ok(RunSpec { pipeline_text: column(&row, "pipeline_text")?, parameters: json(&row, "parameters_json")? })
        };
        spec()
            .map_err(|reason: Reason| MetastoreError::Unreadable { row: format!("the pipeline of run {run}"), reason })
    }

    /// Runs, the newest first. The cost does not grow with the number of runs before the page.
    pub async fn list_runs(&self, wanted: &RunQuery) -> Result<RunPage, MetastoreError> {
        let size = if wanted.page_size == 0 { DEFAULT_PAGE } else { wanted.page_size.min(MAX_PAGE) };
        let dialect = self.readers.dialect();
        let mut sql = QueryBuilder::new(dialect, COLUMNS);
        sql.push(" WHERE deleted_at IS NULL");
        if let Some(namespace) = &wanted.namespace {
            sql.push(" AND namespace = ").push_bind(namespace);
        }
        if let Some(pipeline_name) = &wanted.pipeline_name {
            sql.push(" AND pipeline_name = ").push_bind(pipeline_name);
        }
        if wanted.unfinished {
            sql.push(" AND finished_at IS NULL");
        }
        if let Some(token) = &wanted.page_token {
            let (created_at, id) = parse_token(token)
                .and_then(|(created_at, id)| Some((created_at, position(dialect, id)?)))
                .ok_or_else(|| MetastoreError::PageToken { token: token.clone() })?;
            sql.push(" AND (created_at, id) < (").push_bind(created_at).push(", ").push_bind(id).push(")");
        }
        sql.push(" ORDER BY created_at DESC, id DESC LIMIT ").push_bind(i64::from(size) + 1);
        let mut rows =
            sql.build().fetch_all(&self.readers).await.map_err(|error| MetastoreError::database("list runs", error))?;
        let more = rows.len() > size as usize;
        rows.truncate(size as usize);
        let next = rows.last().filter(|_| more).and_then(token_of);
        let runs = rows.iter().map(|row| listed(run_row(row), || identity(row, "id"))).collect();
        Ok(RunPage { runs, next })
    }

    /// The namespaces that runs are of, in order. The cost grows with their number, not with that of runs: each is found
    /// by one step along the index.
    pub async fn namespaces(&self) -> Result<Vec<String>, MetastoreError> {
        query(NAMESPACES)
            .fetch_values(&self.readers, "namespace")
            .await
            .map_err(|error| MetastoreError::database("list the namespaces of runs", error))
    }

    /// Facts after number `after` (0 for all), at most `limit`. A fact that this build does not know is an error: a run
    /// cannot be folded around it.
    pub async fn facts(&self, run: Uuid, after: u64, limit: u32) -> Result<Vec<StoredFact>, MetastoreError> {
        let rows = self.fetch_facts(run, after, limit).await?;
        let mut facts = Vec::with_capacity(rows.len());
        for (row, wanted) in rows.iter().zip(after.saturating_add(1)..) {
            let fact = stored_fact(row)
                .map_err(|reason| MetastoreError::Unreadable { row: format!("fact {wanted} of run {run}"), reason })?;
            if fact.seq != wanted {
                let reason = format!("it is missing; the next is fact {}", fact.seq);
                return Err(MetastoreError::Unreadable { row: format!("fact {wanted} of run {run}"), reason });
            }
            facts.push(fact);
        }
        Ok(facts)
    }

    /// The rows of [`Metastore::facts`], for whoever reads them otherwise.
    pub(crate) async fn fetch_facts(&self, run: Uuid, after: u64, limit: u32) -> Result<Vec<Row>, MetastoreError> {
        query("SELECT seq, at, fact_json FROM facts WHERE run_id = $1 AND seq > $2 ORDER BY seq LIMIT $3")
            .bind(run)
            .bind(encode_count(after))
            .bind(i64::from(limit.min(MAX_PAGE)))
            .fetch_all(&self.readers)
            .await
            .map_err(|error| MetastoreError::database(format!("read facts of run {run}"), error))
    }

    /// All facts of a run.
    pub async fn all_facts(&self, run: Uuid) -> Result<Vec<StoredFact>, MetastoreError> {
        let mut facts = self.facts(run, 0, MAX_PAGE).await?;
        let mut page = facts.len();
        while page == MAX_PAGE as usize {
            let after = facts.last().map_or(0, |fact| fact.seq);
            let next = self.facts(run, after, MAX_PAGE).await?;
            page = next.len();
            facts.extend(next);
        }
        Ok(facts)
    }

    /// The run that a user means: `latest`, an id, a name, or the beginning of either if it fits only one run; or the
    /// whole name that somebody gave it. Of a namespace, if one is said; an id is known wherever it is.
    pub async fn resolve_run(&self, namespace: Option<&str>, selector: &str) -> Result<Uuid, MetastoreError> {
        if selector == "latest" {
            return self.latest_run(namespace).await;
        }
        if let Ok(id) = selector.parse::<Uuid>() {
            return self.visible_run(id).await;
        }
        let failed = |error| MetastoreError::database(format!("look for run {selector:?}"), error);
        let dialect = self.readers.dialect();
        // A full name wins over longer names that begin with it; names repeat only if somebody chose them.
        for names in [(selector.to_owned(), selector.to_owned()), name_range(selector)] {
            let rows = look_for(dialect, namespace, selector, &names).fetch_all(&self.readers).await;
            let rows = rows.map_err(failed)?;
            match rows.as_slice() {
                [] => {}
                [row] => {
                    return column(row, "id")
                        .map_err(|reason| MetastoreError::Unreadable { row: format!("run {selector:?}"), reason });
                }
                rows => {
                    return Err(MetastoreError::AmbiguousRun {
                        selector: selector.to_owned(),
                        candidates: candidates(rows),
                    });
                }
            }
        }
        Err(MetastoreError::UnknownRun { selector: selector.to_owned() })
    }

    async fn visible_run(&self, run: Uuid) -> Result<Uuid, MetastoreError> {
        query("SELECT id FROM runs WHERE id = $1 AND deleted_at IS NULL")
            .bind(run)
            .fetch_value(&self.readers, "id")
            .await
            .map_err(|error| MetastoreError::database(format!("read run {run}"), error))?
            .ok_or(MetastoreError::NoSuchRun { run })
    }

    async fn latest_run(&self, namespace: Option<&str>) -> Result<Uuid, MetastoreError> {
        let mut sql = QueryBuilder::new(self.readers.dialect(), "SELECT id FROM runs WHERE deleted_at IS NULL");
        if let Some(namespace) = namespace {
            sql.push(" AND namespace = ").push_bind(namespace);
        }
        sql.push(" ORDER BY created_at DESC, id DESC LIMIT 1");
        sql.build()
            .fetch_value(&self.readers, "id")
            .await
            .map_err(|error| MetastoreError::database("look for the latest run", error))?
            .ok_or(MetastoreError::NoRuns)
    }
}

/// Runs with such names or ids, or with the name that somebody gave them, in a namespace if one is said. That is found by the
/// index of lists, which takes it without regard to case.
fn look_for<'q>(
    dialect: Dialect,
    namespace: Option<&'q str>,
    selector: &'q str,
    (first, last): &'q (String, String),
) -> Query<'q> {
    let (id_first, id_last) = id_range(selector).unzip();
    let asked = query(format!(
        "SELECT id, name FROM runs WHERE (name BETWEEN $1 AND $2 OR id BETWEEN $3 AND $4 \
           OR (storage_state IN ('AVAILABLE', 'ARCHIVED') AND {} = $6 AND display_name = $7)) \
         AND deleted_at IS NULL{} ORDER BY created_at DESC, id DESC LIMIT $5",
        dialect.folded("listed_name"),
        if namespace.is_some() { " AND namespace = $8" } else { "" }
    ))
    .bind(first)
    .bind(last)
    .bind(id_first)
    .bind(id_last)
    .bind(encode_count(CANDIDATES as u64 + 1))
    .bind(dialect.fold(selector))
    .bind(selector);
    match namespace {
        Some(namespace) => asked.bind(namespace),
        None => asked,
    }
}

/// How runs are looked for by what users name them by, for tests.
#[doc(hidden)]
pub async fn resolve_run_plan(store: &Metastore, selector: &str) -> Result<Vec<String>, MetastoreError> {
    store.explain(look_for(store.readers.dialect(), None, selector, &name_range(selector))).await
}

pub(crate) fn run_row(row: &Row) -> Result<RunRow, Reason> {
    Ok(RunRow {
        info: json(row, "info_json")?,
        options: json(row, "options_json")?,
        status: word(row, "status")?,
        error: column(row, "error")?,
        started_at: optional_time(row, "started_at")?,
        finished_at: optional_time(row, "finished_at")?,
        epoch: count(row, "epoch")?,
        fact_count: count(row, "fact_count")?,
    })
}

fn stored_fact(row: &Row) -> Result<StoredFact, Reason> {
    Ok(StoredFact { seq: count(row, "seq")?, at: time(row, "at")?, fact: json(row, "fact_json")? })
}

fn token_of(row: &Row) -> Option<String> {
    let created_at: i64 = column(row, "created_at").ok()?;
    let id = match column::<Uuid>(row, "id") {
        Ok(id) => id.as_bytes().to_vec(),
        Err(_) => column(row, "id").ok()?,
    };
    let mut token = format!("{created_at}.");
    for byte in id {
        // Writing to a string cannot fail.
        let _ = write!(token, "{byte:02x}");
    }
    Some(token)
}

fn parse_token(token: &str) -> Option<(i64, Vec<u8>)> {
    let (created_at, id) = token.split_once('.')?;
    let bytes = id.as_bytes();
    if bytes.len() > 64 || !bytes.len().is_multiple_of(2) {
        return None;
    }
    let byte = |pair: &[u8]| {
        let [high, low] = pair else { return None };
        Some((hex_digit(*high)? << 4) | hex_digit(*low)?)
    };
    Some((created_at.parse().ok()?, bytes.chunks(2).map(byte).collect::<Option<_>>()?))
}

/// The id of a token, to compare rows with. SQLite also has rows whose ids are damaged.
fn position(dialect: Dialect, id: Vec<u8>) -> Option<Value<'static>> {
    match (Uuid::from_slice(&id), dialect) {
        (Ok(id), _) => Some(Value::Id(Some(id))),
        (Err(_), Dialect::Sqlite) => Some(Value::Bytes(id)),
        (Err(_), Dialect::Postgres) => None,
    }
}

fn hex_digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// First and last name that begin with a text.
fn name_range(prefix: &str) -> (String, String) {
    (prefix.to_owned(), format!("{prefix}{}", char::MAX))
}

/// First and last id that begin with these hexadecimal digits.
fn id_range(prefix: &str) -> Option<(Uuid, Uuid)> {
    let digits: String = prefix.chars().filter(|character| *character != '-').collect();
    if digits.is_empty() || digits.len() > 32 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let first = format!("{digits:0<32}").parse().ok()?;
    let last = format!("{digits:f<32}").parse().ok()?;
    Some((first, last))
}

fn candidates(rows: &[Row]) -> Vec<String> {
    let mut names: Vec<String> = rows
        .iter()
        .take(CANDIDATES)
        .map(|row| {
            let name: String = column(row, "name").unwrap_or_else(|_| "?".to_owned());
            format!("{name} ({})", identity(row, "id"))
        })
        .collect();
    if rows.len() > CANDIDATES {
        names.push("and more".to_owned());
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_tokens_read_back() {
        let id = Uuid::from_u128(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff);
        let token = format!("-5.{}", id.simple());
        assert_eq!(parse_token(&token), Some((-5, id.as_bytes().to_vec())));
    }

    #[test]
    fn damaged_page_tokens_are_refused() {
        for token in ["", ".", "1", "1.0", "1.0g", "x.00", "1.+1", "99999999999999999999.00", "1.éé"] {
            assert_eq!(parse_token(token), None, "{token}");
        }
        assert_eq!(parse_token(&format!("1.{}", "00".repeat(33))), None);
    }

    #[test]
    fn id_range_of_an_odd_number_of_digits_covers_the_half_byte() {
        let (first, last) = id_range("abc").unwrap();
        assert!(first.simple().to_string().starts_with("abc0"));
        assert!(last.simple().to_string().starts_with("abcf"));
        assert_eq!(id_range("xyz"), None);
        assert_eq!(id_range("--"), None);
    }
}
