//! Names and ids of the runs that a recurring run makes. They follow from the recurring run and the number of the slot, so
//! that a slot has one run whoever makes it, and however often.

use penstock_spec::Timestamp;
use rand::seq::IndexedRandom as _;
use serde_json::{Map, Value};
use uuid::Uuid;

/// The space of the ids of runs that belong to a recurring run.
const RUNS: Uuid = Uuid::from_u128(0xc2f3_a9d4_1e6b_4c8a_9f7d_0b5e_3a1c_2d4f);
const LONGEST_PREFIX: usize = 25;
const SUFFIX: usize = 5;
/// Letters and digits that make no words and are not taken for each other.
const SUFFIX_CHARACTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
const INDEX: &str = "[[Index]]";

/// What the names of the runs begin with: what a resource of Kubernetes could be called, and something that tells it from
/// other recurring runs of the same name.
pub(crate) fn run_name(display_name: &str) -> String {
    let kept = display_name.chars().flat_map(char::to_lowercase);
    let kept = kept.filter(|character| matches!(character, 'a'..='z' | '0'..='9' | '-'));
    let mut name: String = kept.take(LONGEST_PREFIX).collect();
    if name.is_empty() {
        name.push_str("job-");
    }
    let mut random = rand::rng();
    let suffix = (0..SUFFIX).filter_map(|_| SUFFIX_CHARACTERS.choose(&mut random).copied().map(char::from));
    name.extend(suffix);
    name
}

/// The name of the run of a slot; slots are numbered from 1.
pub(crate) fn display_name(run_name: &str, index: u64) -> String {
    let name = format!("{run_name}-{index}");
    let hash = fnv1a(&name);
    format!("{name}-{hash}")
}

/// The name of the run of a slot that passed without one. It follows from the time of the slot: it has no number.
pub(crate) fn backfill_name(run_name: &str, slot: Timestamp) -> String {
    format!("{run_name}-backfill-{}", slot.strftime("%Y%m%d%H%M%S"))
}

/// The id of the run of this name.
pub(crate) fn run_id(recurring: Uuid, display_name: &str) -> Uuid {
    Uuid::new_v5(&RUNS, format!("{recurring}/{display_name}").as_bytes())
}

/// Parameters with the number of the slot put in. Only texts at the top have macros.
pub(crate) fn with_index(mut parameters: Map<String, Value>, index: u64) -> Map<String, Value> {
    for value in parameters.values_mut() {
        if let Value::String(text) = value
            && text.contains(INDEX)
        {
            *text = text.replace(INDEX, &index.to_string());
        }
    }
    parameters
}

/// The FNV-1a hash of 32 bits.
fn fnv1a(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_those_of_resources() {
        for (display_name, expected) in [
            ("hello world", "helloworld"),
            ("Argument_Parameter 1-x", "argumentparameter1-x"),
            ("日本", "job-"),
            ("a-very-long-name-of-a-recurring-run", "a-very-long-name-of-a-rec"),
        ] {
            let name = run_name(display_name);
            let (prefix, suffix) = name.split_at(name.len() - SUFFIX);
            assert_eq!(prefix, expected);
            assert!(suffix.bytes().all(|byte| SUFFIX_CHARACTERS.contains(&byte)), "{name}");
            assert_ne!(run_name(display_name), name);
        }
    }

    #[test]
    fn runs_are_named_by_their_slot() {
        // The hash's own test values.
        assert_eq!((fnv1a(""), fnv1a("a"), fnv1a("foobar")), (0x811c_9dc5, 0xe40c_292c, 0xbf9c_f968));
        let name = display_name("helloworldbcdfg", 12);
        assert_eq!(name, format!("helloworldbcdfg-12-{}", fnv1a("helloworldbcdfg-12")));
        let recurring = Uuid::from_u128(1);
        assert_eq!(run_id(recurring, &name), run_id(recurring, &name));
        assert_ne!(run_id(recurring, &name), run_id(Uuid::from_u128(2), &name));
        assert_eq!(run_id(recurring, &name).get_version_num(), 5);
    }

    #[test]
    fn the_index_is_put_into_texts_at_the_top() {
        let given = json!({"a": "run-[[Index]]/[[Index]]", "b": ["[[Index]]"], "c": 1, "d": "[[ScheduledTime]]"});
        let expected = json!({"a": "run-7/7", "b": ["[[Index]]"], "c": 1, "d": "[[ScheduledTime]]"});
        let Value::Object(given) = given else { unreachable!("it is written above") };
        assert_eq!(Value::Object(with_index(given, 7)), expected);
    }
}
