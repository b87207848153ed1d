//! Runs for those who follow them by their events.

use penstock_apiserver::records::{ListedRun, RunDetails, RunList};

use crate::recorded::Recorded;

const RUNS: &str = "/apis/penstock/v1/runs";

#[tokio::test]
async fn a_run_is_found_by_what_somebody_types() {
    let recorded = Recorded::start().await;
    let run = recorded.run.to_string();
    let whole = recorded.get(&format!("{RUNS}/{run}")).await.ok();
    for word in ["latest", &run, &run[..35], "hello-abcde", "hello"] {
        assert_eq!(recorded.get(&format!("{RUNS}:resolve?run={word}")).await.ok(), whole, "{word}");
    }
    let details: RunDetails = serde_json::from_value(whole).expect("the document");
    assert_eq!((details.run.info.id, details.run.fact_count), (recorded.run, 1));
    assert_eq!(details.pipeline, crate::fixture::PIPELINE);
    let text = recorded.get(&format!("{RUNS}:resolve?run=nobody")).await.refused(404);
    assert!(text.contains("nobody"), "{text}");
    recorded.get(&format!("{RUNS}:resolve")).await;
    assert_eq!(recorded.get(&format!("{RUNS}/x")).await.refused(404), "Run x not found");
}

#[tokio::test]
async fn runs_are_listed_in_pages() {
    let recorded = Recorded::start().await;
    let list: RunList = serde_json::from_value(recorded.get(RUNS).await.ok()).expect("a list");
    assert!(matches!(list.runs.as_slice(), [ListedRun::Readable(run)] if run.info.id == recorded.run), "{list:?}");
    assert_eq!(list.next_page_token, None);
    let text = recorded.get(&format!("{RUNS}?page_token=forged")).await.refused(400);
    assert!(text.contains("forged"), "{text}");
    recorded.get(&format!("{RUNS}?page_size=-1")).await.refused(400);
}
