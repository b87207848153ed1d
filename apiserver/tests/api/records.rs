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
    // What the store itself would take is no token of this server.
    let unsigned = format!("1700000000000000.{}", recorded.run.simple());
    for token in [unsigned, "A".repeat(30_000)] {
        recorded.get(&format!("{RUNS}?page_token={token}")).await.refused(400);
    }
    recorded.get(&format!("{RUNS}?page_size=-1")).await.refused(400);
}

/// T-13: a token is of one list.
#[tokio::test]
async fn t13_pages_go_on_by_tokens_that_the_server_has_signed() {
    let recorded = Recorded::start().await;
    for number in 0..4_u128 {
        let mut info = recorded.store.run(recorded.run).await.expect("the run").info;
        info.id = uuid::Uuid::from_u128(100 + number);
        info.name = format!("run-{number}");
        let new = penstock_metastore::NewRun {
            info,
            pipeline_text: crate::fixture::PIPELINE.to_owned(),
            parameters: serde_json::Map::new(),
            options: serde_json::json!({}),
            registration: penstock_metastore::RunRegistration::default(),
        };
        recorded.store.create_run(new).await.expect("a run");
    }
    let (mut seen, mut token, mut tokens) = (Vec::new(), String::new(), Vec::new());
    loop {
        let page = recorded.get(&format!("{RUNS}?page_size=2&page_token={token}")).await.ok();
        let page: RunList = serde_json::from_value(page).expect("a list");
        seen.extend(page.runs.iter().map(|run| match run {
            ListedRun::Readable(run) => run.info.id,
            ListedRun::Unreadable { .. } => panic!("{run:?}"),
        }));
        let Some(next) = page.next_page_token else { break };
        token = next;
        tokens.push(token.clone());
    }
    assert_eq!((seen.len(), tokens.len()), (5, 2));
    seen.dedup();
    assert_eq!(seen.len(), 5, "{seen:?}");
    for place in [0, tokens[0].len() / 2, tokens[0].len() - 1] {
        let mut forged = tokens[0].clone().into_bytes();
        forged[place] = if forged[place] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).expect("text");
        let text = recorded.get(&format!("{RUNS}?page_token={forged}")).await.refused(400);
        assert!(text.contains("list from the start"), "{text}");
    }
    // Those of other lists are of no use here, nor the other way round.
    let other = recorded.get("/apis/v2beta1/runs?page_size=1").await.ok();
    let other = other["next_page_token"].as_str().expect("a token").to_owned();
    recorded.get(&format!("{RUNS}?page_token={other}")).await.refused(400);
    recorded.get(&format!("/apis/v2beta1/runs?page_token={}", tokens[0])).await.refused(400);
}
