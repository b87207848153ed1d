//! The search for runs: what lists of runs are narrowed and sorted by, and tags, parameters and metrics besides.

use penstock_metastore::{
    FoundRuns, Listing, Predicate, RunField, RunRecord, RunSearch, RunValueKind, RunValueName, ValueCondition,
};
use serde_json::Value;

use super::fields::searched_words;
use super::filter::value::FilterValue;
use super::filter::{self, Condition};
use super::{ListRequest, TokenKey, page_size, shown, sort, token};
use crate::error::ApiError;
use crate::wire::Reply;

/// What tokens of this list are for.
const LIST: &str = "RunSearch";

const KINDS: [(&str, RunValueKind); 2] = [("parameters.", RunValueKind::Parameter), ("metrics.", RunValueKind::Metric)];

/// What the store is asked, and what a token of the next page has to say.
#[derive(Debug, Clone, PartialEq)]
pub struct AskedSearch {
    /// The question.
    pub search: RunSearch,
    sort_by: String,
    filter: String,
}

/// What runs are sorted by, and whether the greatest comes first.
#[derive(Debug, Clone, PartialEq)]
struct Order {
    field: RunField,
    value: Option<RunValueName>,
    descending: bool,
}

impl ListRequest {
    /// Which runs to search for. `scope` is added to what the request filters by; it is no part of tokens.
    pub fn search(self, key: &TokenKey, scope: Vec<Predicate<RunField>>) -> Result<AskedSearch, ApiError> {
        let size = page_size(self.page_size)?;
        let (mut sort_by, mut filter, mut from) = (self.sort_by, self.filter, None);
        if !self.page_token.is_empty() {
            let token = token::open(&self.page_token, LIST, key)?;
            let same_sort = sort_by.is_empty() || order(&sort_by)? == order(&token.sort_by)?;
            if !same_sort || !(filter.is_empty() || parse(&filter)? == parse(&token.filter)?) {
                return Err(ApiError::invalid(
                    "the page token is of a search that was narrowed or sorted otherwise; ask the same again, or leave \
                     filter and sort_by empty",
                ));
            }
            (sort_by, filter, from) = (token.sort_by, token.filter, Some(token.cursor));
        }
        let Order { field: sort, value: sort_value, descending } = order(&sort_by)?;
        let (found, conditions) = parse(&filter)?;
        let predicates = scope.into_iter().chain(found).collect();
        let listing = Listing { predicates, sort, descending, from, size };
        Ok(AskedSearch { search: RunSearch { listing, conditions, sort_value }, sort_by, filter })
    }
}

impl AskedSearch {
    /// The reply that shows a page.
    pub fn reply(
        &self,
        key: &TokenKey,
        found: FoundRuns,
        show: impl Fn(RunRecord) -> Value,
    ) -> Result<Reply, ApiError> {
        let FoundRuns { page, is_least } = found;
        let token = page.next.map(|cursor| token::seal(LIST, &self.sort_by, &self.filter, cursor, key)).transpose()?;
        Ok(Reply::new()
            .list("runs", shown(page.rows, "run_id", show))
            .count("total_size", page.total)
            .boolean("total_is_least", is_least)
            .text("next_page_token", token.unwrap_or_default()))
    }
}

fn order(sort_by: &str) -> Result<Order, ApiError> {
    let text = sort_by.trim();
    let (name, descending) = match text.rsplit_once(' ') {
        Some((name, direction)) if direction.eq_ignore_ascii_case("desc") => (name.trim_end(), true),
        Some((name, direction)) if direction.eq_ignore_ascii_case("asc") => (name.trim_end(), false),
        _ => (text, false),
    };
    // Names of values may have spaces, and cases.
    if let Some(value) = value_name(name) {
        return Ok(Order { field: RunField::CreatedAt, value: Some(value), descending });
    }
    let (field, descending) = sort::parse(sort_by)?;
    Ok(Order { field, value: None, descending })
}

fn value_name(key: &str) -> Option<RunValueName> {
    KINDS.iter().find_map(|(prefix, kind)| {
        let name = key.strip_prefix(prefix).filter(|name| !name.is_empty())?;
        Some(RunValueName { kind: *kind, name: name.to_owned() })
    })
}

type Conditions = (Vec<Predicate<RunField>>, Vec<ValueCondition>);

fn parse(filter: &str) -> Result<Conditions, ApiError> {
    let (mut predicates, mut conditions) = (Vec::new(), Vec::new());
    for condition in filter::conditions(filter)? {
        match value_name(&condition.key) {
            Some(name) => conditions.push(on_value(name, &condition)?),
            None if condition.key.starts_with(filter::TAG_PREFIX) => conditions.push(on_tag(&condition)?),
            None => {
                let found = filter::predicates_of(condition, searched_words)?;
                predicates = filter::bounded([predicates, found].concat())?;
            }
        }
    }
    Ok((predicates, conditions))
}

fn on_value(name: RunValueName, condition: &Condition) -> Result<ValueCondition, ApiError> {
    let Condition { operation, key, value } = condition;
    let word = filter::operation_name(*operation);
    let refused = |reason: &str| Err(ApiError::invalid(format!("cannot compare {key:?} by {word}: {reason}")));
    let texts = match value {
        None | Some(FilterValue::Time(_)) => {
            return refused("its value is a string_value, int_value or long_value, or a list of these");
        }
        Some(list) if list.items().is_some() => {
            list.items().unwrap_or_default().iter().map(FilterValue::to_string).collect()
        }
        Some(scalar) => vec![scalar.to_string()],
    };
    let is_list = value.as_ref().is_some_and(|value| value.items().is_some());
    match *operation {
        filter::IN if is_list => Ok(ValueCondition::OneOf(name, texts)),
        filter::IN => refused("its value is a list, such as string_values"),
        _ if is_list => refused("a list goes with IN"),
        filter::EQUALS => Ok(ValueCondition::OneOf(name, texts)),
        filter::NOT_EQUALS => Ok(ValueCondition::NoneOf(name, texts)),
        filter::GREATER_THAN | filter::GREATER_THAN_EQUALS | filter::LESS_THAN | filter::LESS_THAN_EQUALS => {
            let number = texts.first().and_then(|text| text.trim().parse::<f64>().ok());
            match number.filter(|number| number.is_finite()) {
                Some(number) => Ok(ValueCondition::Compares(name, filter::comparison(*operation), number)),
                None => refused("only numbers are less or greater, such as \"0.5\""),
            }
        }
        _ => refused("use EQUALS, NOT_EQUALS, IN, or with numbers GREATER_THAN, LESS_THAN and so on"),
    }
}

fn on_tag(condition: &Condition) -> Result<ValueCondition, ApiError> {
    let Condition { operation, key, value } = condition;
    let tag = key.strip_prefix(filter::TAG_PREFIX).filter(|tag| !tag.is_empty());
    match (tag, *operation, value) {
        (Some(tag), filter::EQUALS, Some(FilterValue::Text(value))) => {
            Ok(ValueCondition::Tag(tag.to_owned(), value.clone()))
        }
        _ => Err(ApiError::invalid(format!(
            "a tag is compared by EQUALS with a string_value, and has a name, as in \"tags.team\"; got {} for key {key:?}",
            filter::operation_name(*operation)
        ))),
    }
}

#[cfg(test)]
mod tests {
    use penstock_metastore::{Comparison, Cursor, Operand};
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn parameter(name: &str) -> RunValueName {
        RunValueName { kind: RunValueKind::Parameter, name: name.to_owned() }
    }

    fn metric(name: &str) -> RunValueName {
        RunValueName { kind: RunValueKind::Metric, name: name.to_owned() }
    }

    fn one(predicate: &Value) -> Result<Conditions, ApiError> {
        parse(&json!({"predicates": [predicate]}).to_string())
    }

    fn refusal(predicate: &Value) -> String {
        one(predicate).unwrap_err().short_text().to_owned()
    }

    #[test]
    fn values_and_tags_stand_beside_fields() {
        let filter = json!({"predicates": [
            {"key": "parameters.lr", "operation": "EQUALS", "string_value": "0.1"},
            {"key": "metrics.val loss", "operation": "LESS_THAN_EQUALS", "string_value": "1e-3"},
            {"key": "parameters.rows", "operation": "GREATER_THAN", "int_value": 5},
            {"key": "parameters.name", "operation": "IN", "string_values": {"values": ["a", "b"]}},
            {"key": "parameters.name", "operation": "NOT_EQUALS", "string_value": "c"},
            {"key": "tags.team", "operation": "EQUALS", "string_value": "ml"},
            {"key": "pipeline_id", "operation": "EQUALS", "string_value": Uuid::from_u128(7)},
        ]});
        let (predicates, conditions) = parse(&filter.to_string()).unwrap();
        let (comparison, operand) = (Comparison::Equal, Operand::Id(Uuid::from_u128(7)));
        assert_eq!(predicates, [Predicate::Compare { field: RunField::Pipeline, comparison, operand }]);
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let expected = [
            ValueCondition::OneOf(parameter("lr"), texts(&["0.1"])),
            ValueCondition::Compares(metric("val loss"), Comparison::LessOrEqual, 1e-3),
            ValueCondition::Compares(parameter("rows"), Comparison::Greater, 5.0),
            ValueCondition::OneOf(parameter("name"), texts(&["a", "b"])),
            ValueCondition::NoneOf(parameter("name"), texts(&["c"])),
            ValueCondition::Tag("team".to_owned(), "ml".to_owned()),
        ];
        assert_eq!(conditions, expected);
    }

    #[test]
    fn a_run_that_was_stopped_is_told_from_one_that_failed() {
        let words = |operation: &str, word: &str| {
            let found = one(&json!({"key": "state", "operation": operation, "string_value": word})).unwrap().0;
            let [Predicate::In { field: RunField::State, operands }] = found.as_slice() else { panic!("{found:?}") };
            operands.clone()
        };
        assert_eq!(words("EQUALS", "canceled"), [Operand::Text("CANCELED".to_owned())]);
        assert_eq!(words("EQUALS", "FAILED"), [Operand::Text("FAILED".to_owned())]);
        assert_eq!(words("NOT_EQUALS", "FAILED").len(), 7);
    }

    #[test]
    fn i23_what_cannot_be_compared_is_refused_by_name() {
        let less = refusal(&json!({"key": "parameters.lr", "operation": "LESS_THAN", "string_value": "low"}));
        assert_eq!(
            less,
            r#"cannot compare "parameters.lr" by LESS_THAN: only numbers are less or greater, such as "0.5""#
        );
        for predicate in [
            json!({"key": "parameters.lr", "operation": "LESS_THAN", "string_value": "inf"}),
            json!({"key": "parameters.lr", "operation": "IS_SUBSTRING", "string_value": "x"}),
            json!({"key": "parameters.lr", "operation": "IN", "string_value": "x"}),
            json!({"key": "parameters.lr", "operation": "EQUALS", "string_values": {"values": ["x"]}}),
            json!({"key": "parameters.lr", "operation": "EQUALS"}),
            json!({"key": "parameters.lr", "string_value": "x"}),
            json!({"key": "metrics.a", "operation": "EQUALS", "timestamp_value": "2001-09-09T01:46:40Z"}),
            json!({"key": "tags.team", "operation": "NOT_EQUALS", "string_value": "x"}),
            json!({"key": "tags.", "operation": "EQUALS", "string_value": "x"}),
            json!({"key": "parameters.", "operation": "EQUALS", "string_value": "x"}),
        ] {
            let refused = refusal(&predicate);
            assert!(refused.contains(predicate["key"].as_str().unwrap()), "{refused}");
        }
    }

    #[test]
    fn runs_are_sorted_by_values_whose_names_have_spaces_and_cases() {
        let by = |value| Order { field: RunField::CreatedAt, value: Some(value), descending: true };
        assert_eq!(order("metrics.Val loss DESC").unwrap(), by(metric("Val loss")));
        assert_eq!(order("parameters.lr").unwrap(), Order { descending: false, ..by(parameter("lr")) });
        assert_eq!(order("Name desc").unwrap(), Order { field: RunField::Name, value: None, descending: true });
        for wrong in ["metrics. desc", "tags.team", "name sideways"] {
            assert!(order(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn i22_a_token_is_good_for_its_own_search() {
        let key = TokenKey::random();
        let filter =
            json!({"predicates": [{"key": "parameters.a", "operation": "EQUALS", "string_value": "1"}]}).to_string();
        let cursor = Cursor { value: Operand::Text("0.5".to_owned()), id: Uuid::from_u128(7) };
        let token = token::seal(LIST, "metrics.b desc", &filter, cursor.clone(), &key).unwrap();
        let ask = |sort_by: &str, filter: &str| {
            let request = ListRequest {
                page_token: token.clone(),
                page_size: 5,
                sort_by: sort_by.to_owned(),
                filter: filter.to_owned(),
            };
            request.search(&key, Vec::new())
        };
        let asked = ask("", "").unwrap();
        assert_eq!(asked.search.listing.from, Some(cursor));
        assert_eq!(asked.search.sort_value, Some(metric("b")));
        assert_eq!(ask("metrics.b DESC", &filter).unwrap(), asked);
        assert!(ask("metrics.b", "").is_err());
        assert!(ask("", r#"{"predicates": []}"#).is_err());
        // Nor is it for the other list of runs.
        let request = ListRequest { page_token: token.clone(), ..ListRequest::default() };
        assert!(request.ask::<RunField>(&key, Vec::new()).is_err());
    }
}
