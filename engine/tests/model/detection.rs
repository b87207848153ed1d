//! Tests of the tests: wrong interpreters and broken hosts are found out, each within few cases. What is not found here
//! would not be found in the engine either.

use std::cell::RefCell;

use proptest::strategy::{Strategy, ValueTree};

use crate::features::Features;
use crate::genome::genome;
use crate::host::Broken;
use crate::naive::Wrong;
use crate::{judge, runner};

const MOST_CASES: u64 = 4_000;

/// Number of cases until something is found wrong.
fn found_after(wrong: Option<Wrong>, broken: Option<Broken>) -> Option<u64> {
    let features = RefCell::new(Features::default());
    (1..MOST_CASES).find(|seed| {
        let tree = genome().new_tree(&mut runner(*seed)).unwrap();
        judge(&tree.current(), &features, wrong, broken).is_err()
    })
}

#[test]
fn wrong_interpreters_are_found_out() {
    let all = [
        Wrong::SkippedIsSuccess,
        Wrong::StrategyIsIgnored,
        Wrong::OneMoreRetry,
        Wrong::CollectedBackwards,
        Wrong::CollectedWithGaps,
        Wrong::LastOfOneOf,
        Wrong::BrokenConditionIsFalse,
        Wrong::ConditionIsIgnored,
        Wrong::NullIsMissing,
        Wrong::SelectorIsIgnored,
        Wrong::ExitTaskHidesFailure,
        Wrong::FailedIterationIsForgiven,
        Wrong::FailureSkipsDag,
        Wrong::StatusOfFailedIsSuccess,
        Wrong::PolicyIsNotInherited,
        Wrong::RerunKeepsDependants,
        Wrong::RerunForgetsEverything,
        Wrong::RerunForgetsSkips,
        Wrong::RerunKeepsNamed,
        Wrong::NamedAskTheCache,
        Wrong::CacheIsIgnored,
        Wrong::DefaultIsForgotten,
    ];
    let found: Vec<_> = all.iter().map(|wrong| (*wrong, found_after(Some(*wrong), None))).collect();
    println!("cases until found: {found:?}");
    let missed: Vec<_> = found.iter().filter(|(_, after)| after.is_none()).collect();
    assert!(missed.is_empty(), "not found in {MOST_CASES} cases: {missed:?}");
}

#[test]
fn broken_hosts_are_found_out() {
    let all = [
        Broken::LosesEffects,
        Broken::LosesFacts,
        Broken::LowerCapacity,
        Broken::LowerParallelism,
        Broken::DoesNotResume,
        Broken::CountsTwice,
    ];
    let found: Vec<_> = all.iter().map(|broken| (*broken, found_after(None, Some(*broken)))).collect();
    println!("cases until found: {found:?}");
    let missed: Vec<_> = found.iter().filter(|(_, after)| after.is_none()).collect();
    assert!(missed.is_empty(), "not found in {MOST_CASES} cases: {missed:?}");
}
