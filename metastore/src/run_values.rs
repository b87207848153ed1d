//! Values of runs that lists are narrowed and sorted by and that they show: parameters, and the scalars of metrics. They are
//! stored as far as they are short, with what they follow from.

use std::collections::{BTreeMap, HashMap};

use penstock_engine::{Fact, NodeId};
use penstock_spec::artifact::Artifact;
use serde_json::{Map, Number, Value};
use uuid::Uuid;

use crate::Metastore;
use crate::codec::{Reason, column, json};
use crate::database::{Connection, QueryBuilder, Row, RowValues, query};
use crate::error::MetastoreError;
use crate::rows::ArtifactRow;
use crate::statements::{Answer, Insert, Operation, encode_node, insert};

/// Values of a run that are stored, about: no more are added once there are so many.
pub const MAX_RUN_VALUES: usize = 200;
/// Longest name of a value, in bytes.
const LONGEST_NAME: usize = 200;
/// Longest text of a value, in bytes. An index has it whole.
const LONGEST_TEXT: usize = 256;
/// Numbers up to here are written without a fraction if they have none.
const LARGEST_WHOLE: f64 = 1e15;
/// The type of artifacts whose metadata are scalars.
const METRICS: &str = "system.Metrics";

/// What a value is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RunValueKind {
    /// A parameter of the run.
    Parameter,
    /// A scalar of a metrics artifact of one of its tasks.
    Metric,
}

/// Names a value of a run.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RunValueName {
    /// What it is of.
    pub kind: RunValueKind,
    /// Its name.
    pub name: String,
}

impl RunValueName {
    pub(crate) fn key(&self) -> String {
        key(self.kind, &self.name)
    }
}

fn key(kind: RunValueKind, name: &str) -> String {
    let prefix = match kind {
        RunValueKind::Parameter => PARAMETER,
        RunValueKind::Metric => METRIC,
    };
    format!("{prefix}{name}")
}

const PARAMETER: &str = "p.";
const METRIC: &str = "m.";

/// The values that are stored of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunValues {
    /// Parameters: those it started with, before that those that were given. Lists and objects are their JSON text.
    pub parameters: Map<String, Value>,
    /// Metrics: of a name that several tasks put out the last.
    pub metrics: BTreeMap<String, f64>,
}

/// A value as columns.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EncodedValue {
    pub(crate) key: String,
    text: String,
    number: Option<f64>,
    node: Option<NodeId>,
}

/// Parameters, as far as they are short.
pub(crate) fn of_parameters(parameters: &Map<String, Value>) -> Vec<EncodedValue> {
    let values = parameters.iter().filter_map(|(name, value)| encoded(RunValueKind::Parameter, name, value, None));
    values.take(MAX_RUN_VALUES).collect()
}

/// The scalars of an artifact, if it is one of metrics.
pub(crate) fn of_artifact(node: NodeId, artifact: &Artifact) -> Vec<EncodedValue> {
    if artifact.artifact_type.schema_title != METRICS {
        return Vec::new();
    }
    let numbers = artifact.metadata.iter().filter(|(_, value)| value.is_number());
    let values = numbers.filter_map(|(name, value)| encoded(RunValueKind::Metric, name, value, Some(node)));
    values.take(MAX_RUN_VALUES).collect()
}

/// What follows from the facts and artifacts of an append.
pub(crate) fn of_append<'a>(
    facts: impl IntoIterator<Item = &'a Fact>,
    artifacts: impl IntoIterator<Item = &'a ArtifactRow>,
) -> Vec<EncodedValue> {
    let parameters = facts.into_iter().filter_map(|fact| match fact {
        Fact::RunStarted { parameters, .. } => Some(of_parameters(parameters)),
        _ => None,
    });
    let metrics = artifacts.into_iter().map(|row| of_artifact(row.node, &row.artifact));
    parameters.chain(metrics).flatten().collect()
}

fn encoded(kind: RunValueKind, name: &str, value: &Value, node: Option<NodeId>) -> Option<EncodedValue> {
    let (text, number) = match value {
        Value::Null => return None,
        Value::String(text) => (text.clone(), None),
        Value::Number(number) => (number_text(number), number.as_f64().filter(|number| number.is_finite())),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => (value.to_string(), None),
    };
    let is_short = name.len() <= LONGEST_NAME && text.len() <= LONGEST_TEXT;
    is_short.then(|| EncodedValue { key: key(kind, name), text, number, node })
}

/// The same text for the same number, however it was written.
fn number_text(number: &Number) -> String {
    match number.as_f64() {
        Some(value) if number.is_f64() && value.fract() == 0.0 && value.abs() < LARGEST_WHOLE => {
            format!("{value:.0}")
        }
        _ => number.to_string(),
    }
}

/// A text that is a number, as numbers are stored.
pub(crate) fn canonical(text: &str) -> Option<String> {
    if let Ok(whole) = text.parse::<i64>() {
        return Some(whole.to_string());
    }
    let number = text.parse::<f64>().ok().and_then(Number::from_f64)?;
    Some(number_text(&number))
}

pub(crate) const VALUES: Insert = Insert {
    before: "INSERT INTO run_values (run_id, value_key, text, number, node, run_namespace) ",
    after: " ON CONFLICT (run_id, value_key) DO UPDATE SET text = excluded.text, number = excluded.number, \
            node = excluded.node",
};

/// A value with its run and the namespace of that.
pub(crate) type ValueRow<'a> = (Uuid, &'a str, &'a EncodedValue);

pub(crate) fn bind_value<'q>(values: &mut RowValues<'_, 'q>, (run, namespace, value): &'q ValueRow<'_>) {
    values
        .push_bind(*run)
        .push_bind(value.key.as_str())
        .push_bind(value.text.as_str())
        .push_bind(value.number)
        .push_bind(value.node.map(encode_node))
        .push_bind(*namespace);
}

/// Whether a run may have more values.
pub(crate) async fn has_room(connection: &mut Connection, run: Uuid) -> Result<bool, sqlx::Error> {
    let stored: Option<i64> = query("SELECT COUNT(*) AS stored FROM run_values WHERE run_id = $1")
        .bind(run)
        .fetch_value(connection, "stored")
        .await?;
    Ok(stored.and_then(|stored| usize::try_from(stored).ok()).is_none_or(|stored| stored < MAX_RUN_VALUES))
}

/// The values of a run that was made before values were recorded.
#[derive(Debug)]
pub(crate) struct FilledRun {
    run: Uuid,
    namespace: String,
    values: Vec<EncodedValue>,
}

const FILLED: Insert = Insert { before: VALUES.before, after: " ON CONFLICT (run_id, value_key) DO NOTHING" };

/// Stores values of such runs. What was recorded meanwhile stays.
pub(crate) async fn fill(connection: &mut Connection, runs: &[FilledRun]) -> Result<Answer, sqlx::Error> {
    let mut filled = 0;
    let mut rows: Vec<ValueRow<'_>> = Vec::new();
    for run in runs {
        // Its row refers to the run: without it, the run is gone, or somebody else was faster.
        let waits =
            query("DELETE FROM unrecorded_values WHERE run_id = $1").bind(run.run).execute(&mut *connection).await?;
        if waits > 0 {
            filled += waits;
            rows.extend(run.values.iter().map(|value| (run.run, run.namespace.as_str(), value)));
        }
    }
    insert(connection, &FILLED, &rows, bind_value).await?;
    Ok(filled)
}

impl Metastore {
    /// The values of some runs, those of a page say.
    pub async fn run_values(&self, runs: &[Uuid]) -> Result<HashMap<Uuid, RunValues>, MetastoreError> {
        let mut found: HashMap<Uuid, RunValues> = HashMap::new();
        if runs.is_empty() {
            return Ok(found);
        }
        let mut sql = QueryBuilder::new(
            self.readers.dialect(),
            "SELECT run_id, value_key, text, number FROM run_values WHERE run_id IN (",
        );
        for (index, run) in runs.iter().enumerate() {
            sql.push(if index > 0 { ", " } else { "" }).push_bind(*run);
        }
        sql.push(")");
        let rows = sql.build().fetch_all(&self.readers).await;
        for row in &rows.map_err(|error| MetastoreError::database("read values of runs", error))? {
            let unreadable = |reason| MetastoreError::Unreadable { row: "a value of a run".to_owned(), reason };
            let (run, key, value) = value(row).map_err(unreadable)?;
            let values = found.entry(run).or_default();
            if let Some(name) = key.strip_prefix(PARAMETER) {
                values.parameters.insert(name.to_owned(), value);
            } else if let (Some(name), Some(number)) = (key.strip_prefix(METRIC), value.as_f64()) {
                values.metrics.insert(name.to_owned(), number);
            }
        }
        Ok(found)
    }

    /// Whether there are runs whose values are not recorded yet.
    pub async fn has_unrecorded_values(&self) -> Result<bool, MetastoreError> {
        let run: Option<Uuid> = query("SELECT run_id FROM unrecorded_values LIMIT 1")
            .fetch_value(&self.readers, "run_id")
            .await
            .map_err(|error| MetastoreError::database("look for runs without recorded values", error))?;
        Ok(run.is_some())
    }

    /// Records the values of some runs that were made before values were recorded, at most `limit`; returns how many there
    /// were. What cannot be read of one has no values.
    pub async fn record_values(&self, limit: u32) -> Result<u64, MetastoreError> {
        let failed = |error| MetastoreError::database("read runs without recorded values", error);
        let rows = query(
            "SELECT runs.id, runs.namespace, \
               (SELECT fact_json FROM facts WHERE facts.run_id = runs.id AND seq = 1) AS fact_json, \
               (SELECT parameters_json FROM run_specs WHERE run_specs.run_id = runs.id) AS parameters_json \
             FROM (SELECT run_id FROM unrecorded_values ORDER BY run_id LIMIT $1) AS waiting \
             JOIN runs ON runs.id = waiting.run_id",
        )
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await
        .map_err(failed)?;
        let mut runs = Vec::with_capacity(rows.len());
        for row in &rows {
            let unreadable = |reason| MetastoreError::Unreadable { row: "a run without values".to_owned(), reason };
            let run: Uuid = column(row, "id").map_err(unreadable)?;
            let artifacts =
                query("SELECT node, record_json FROM artifacts WHERE run_id = $1 AND type_title = $2 ORDER BY node")
                    .bind(run)
                    .bind(METRICS)
                    .fetch_all(&self.readers)
                    .await
                    .map_err(failed)?;
            let namespace = column(row, "namespace").map_err(unreadable)?;
            runs.push(FilledRun { run, namespace, values: filled(row, &artifacts) });
        }
        if runs.is_empty() {
            return Ok(0);
        }
        self.writer.submit(Operation::FillValues { runs }).await
    }
}

/// The values of a run as far as they can be read, each once.
fn filled(run: &Row, artifacts: &[Row]) -> Vec<EncodedValue> {
    let mut values: BTreeMap<String, EncodedValue> = BTreeMap::new();
    let mut add = |found: Vec<EncodedValue>| {
        for value in found {
            if values.len() < MAX_RUN_VALUES {
                values.insert(value.key.clone(), value);
            }
        }
    };
    let parameters = match json(run, "fact_json") {
        Ok(Fact::RunStarted { parameters, .. }) => Some(parameters),
        _ => json(run, "parameters_json").ok(),
    };
    add(parameters.as_ref().map(of_parameters).unwrap_or_default());
    for row in artifacts {
        if let (Ok(node), Ok(artifact)) = (crate::codec::number(row, "node"), json::<Artifact>(row, "record_json")) {
            add(of_artifact(NodeId(node), &artifact));
        }
    }
    values.into_values().collect()
}

fn value(row: &Row) -> Result<(Uuid, String, Value), Reason> {
    let text: String = column(row, "text")?;
    let number: Option<f64> = column(row, "number")?;
    let value = match number {
        // As it was written, as far as that is a number.
        Some(number) => serde_json::from_str(&text).ok().filter(Value::is_number).unwrap_or_else(|| number.into()),
        None => Value::String(text),
    };
    Ok((column(row, "run_id")?, column(row, "value_key")?, value))
}

#[cfg(test)]
mod tests {
    use penstock_spec::ir::ArtifactType;
    use serde_json::json;

    use super::*;

    fn parameters(value: &Value) -> Vec<(String, String, Option<f64>)> {
        let values = of_parameters(value.as_object().unwrap());
        values.into_iter().map(|value| (value.key, value.text, value.number)).collect()
    }

    #[test]
    fn numbers_have_one_text_however_they_are_written() {
        let found =
            parameters(&json!({"a": 5, "b": 5.0, "c": 0.10, "d": 1e-7, "e": 9_007_199_254_740_993_i64, "f": -0.5}));
        let texts: Vec<&str> = found.iter().map(|(_, text, _)| text.as_str()).collect();
        assert_eq!(texts, ["5", "5", "0.1", "1e-7", "9007199254740993", "-0.5"]);
        for (typed, stored) in [("5.00", "5"), ("0.10", "0.1"), ("1E-7", "1e-7"), ("+5", "5"), ("1e3", "1000")] {
            assert_eq!(canonical(typed).as_deref(), Some(stored), "{typed}");
        }
        for typed in ["", "five", "nan", "inf", "1e999"] {
            assert_eq!(canonical(typed), None, "{typed}");
        }
    }

    #[test]
    fn texts_are_no_numbers_and_long_values_are_left_out() {
        let found =
            parameters(&json!({"a": "5", "b": true, "c": [1, 2], "d": null, "e": "x".repeat(257), "f": {"k": 1}}));
        let expected = [("p.a", "5"), ("p.b", "true"), ("p.c", "[1,2]"), ("p.f", "{\"k\":1}")];
        let expected = expected.map(|(key, text)| (key.to_owned(), text.to_owned(), None));
        assert_eq!(found, expected);
    }

    #[test]
    fn metrics_are_the_numbers_of_metrics_alone() {
        let artifact = |title: &str| Artifact {
            id: Uuid::nil(),
            name: "metrics".to_owned(),
            artifact_type: ArtifactType { schema_title: title.to_owned(), ..ArtifactType::default() },
            uri: String::new(),
            metadata: json!({"accuracy": 0.5, "display_name": "metrics", "done": true}).as_object().unwrap().clone(),
            content: None,
        };
        let keys = |title: &str| {
            of_artifact(NodeId(1), &artifact(title)).into_iter().map(|value| value.key).collect::<Vec<_>>()
        };
        assert_eq!(keys("system.Metrics"), ["m.accuracy"]);
        assert!(keys("system.ClassificationMetrics").is_empty());
    }
}
