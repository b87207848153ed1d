use penstock_metastore::{Operand, RunField};
use serde_json::json;
use uuid::Uuid;

use super::*;

const FILTER: &str = r#"{"predicates":[{"operation":"EQUALS","key":"name","string_value":"x"}]}"#;

fn ask(query: &str, key: &TokenKey) -> Result<Asked<RunField>, ApiError> {
    ListRequest::read(&Query::parse(query).unwrap()).and_then(|request| request.ask(key, Vec::new()))
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn cursor() -> Cursor {
    Cursor { value: Operand::Integer(5), id: Uuid::from_u128(1) }
}

#[test]
fn page_sizes_have_a_default_and_a_limit() {
    let key = TokenKey::random();
    let size = |query: &str| ask(query, &key).map(|asked| asked.listing.size);
    assert_eq!(size("").unwrap(), 20);
    assert_eq!(size("page_size=0").unwrap(), 20);
    assert_eq!(size("page_size=7").unwrap(), 7);
    assert_eq!(size("page_size=2147483647").unwrap(), 200);
    let error = size("page_size=-1").unwrap_err();
    assert_eq!(error.short_text(), "The page size should be greater than 0. Got -1");
}

#[test]
fn a_token_carries_order_and_filter() {
    let key = TokenKey::random();
    let first = ask(&format!("sort_by=name desc&page_size=2&filter={}", encoded(FILTER)), &key).unwrap();
    let token = first.next_token(&key, cursor()).unwrap();
    let second = ask(&format!("page_token={token}&page_size=3"), &key).unwrap();
    let expected = Listing { from: Some(cursor()), size: 3, ..first.listing.clone() };
    assert_eq!(second.listing, expected);
    // Saying the same again is fine, in other words too.
    let spaced = encoded(&FILTER.replace(':', ": "));
    let again = ask(&format!("page_token={token}&sort_by=display_name DESC&filter={spaced}"), &key).unwrap();
    assert_eq!(again.listing.from, Some(cursor()));
}

#[test]
fn i22_a_token_does_not_serve_another_list() {
    let key = TokenKey::random();
    let token = ask("sort_by=name", &key).unwrap().next_token(&key, cursor()).unwrap();
    for other in ["sort_by=name desc", "sort_by=id", &format!("filter={}", encoded(FILTER))] {
        let error = ask(&format!("page_token={token}&{other}"), &key).unwrap_err();
        assert!(error.short_text().starts_with("page token does not match the supplied sort by"), "{other}");
    }
    let error = ask(&format!("page_token={token}"), &TokenKey::random()).unwrap_err();
    assert_eq!(error.short_text(), "Invalid page token");
}

#[test]
fn an_empty_list_is_an_empty_reply() {
    let key = TokenKey::random();
    let asked = ask("", &key).unwrap();
    let page = Page { rows: Vec::<Listed<Value>>::new(), next: None, total: 0 };
    let reply = asked.reply(&key, page, ("runs", "run_id"), |row| row).unwrap();
    assert_eq!(Value::from(reply), json!({}));
}

#[test]
fn i30_a_row_that_cannot_be_read_leaves_the_rest_alone() {
    let key = TokenKey::random();
    let asked = ask("", &key).unwrap();
    let unreadable = penstock_metastore::Unreadable { row: "abc".to_owned(), reason: "no state".to_owned() };
    let rows = vec![Listed::Unreadable(unreadable), Listed::Readable(json!({"run_id": "1"}))];
    let page = Page { rows, next: Some(cursor()), total: 2 };
    let reply = Value::from(asked.reply(&key, page, ("runs", "run_id"), |row| row).unwrap());
    assert_eq!(reply["runs"][0]["run_id"], "abc");
    assert_eq!(reply["runs"][0]["error"]["code"], 13);
    assert_eq!(reply["runs"][1], json!({"run_id": "1"}));
    assert_eq!(reply["total_size"], 2);
    assert!(reply["next_page_token"].is_string());
}
