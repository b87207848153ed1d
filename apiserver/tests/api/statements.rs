//! How many statements a list takes: one for the page and one for the total, whatever else has to be known.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::fixture::{PIPELINE, Server, shown};

/// Counts the statements that this thread puts to the store.
#[derive(Debug, Clone, Default)]
struct Statements(Arc<AtomicUsize>);

impl Subscriber for Statements {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "penstock_metastore::statements"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn a_list_takes_two_statements() {
    let server = Server::start().await;
    let pipeline = server.upload("/upload?name=p", "p.yaml", PIPELINE.as_bytes()).await.ok()["pipeline_id"].clone();
    let pipeline = pipeline.as_str().expect("an id");
    let experiment = server.get("/experiments").await.ok()["experiments"][0]["experiment_id"].clone();
    let experiment = experiment.as_str().expect("an id");
    let recurring = json!({"display_name": "x", "max_concurrency": 1, "pipeline_spec": shown()});
    server.post("/recurringruns", recurring).await.ok();
    let versions = format!("/pipelines/{pipeline}/versions");
    let (runs, recurring) =
        (format!("/runs?experiment_id={experiment}"), format!("/recurringruns?experiment_id={experiment}"));
    for (path, items) in [
        ("/experiments", 1),
        ("/pipelines", 1),
        (versions.as_str(), 1),
        ("/runs", 0),
        (runs.as_str(), 0),
        ("/recurringruns", 1),
        (recurring.as_str(), 1),
    ] {
        let statements = Statements::default();
        let listed = {
            let _counting = tracing::subscriber::set_default(statements.clone());
            server.get(path).await.ok()
        };
        assert_eq!(listed["total_size"].as_u64().unwrap_or(0), items, "{path}");
        assert_eq!(statements.0.load(Ordering::Relaxed), 2, "{path}");
    }
}

/// What is listed without being looked for first is missed all the same, also where something is left of it.
#[tokio::test]
async fn a_list_of_what_is_not_there_is_refused() {
    let server = Server::start().await;
    let experiment = server.post("/experiments", json!({"display_name": "gone"})).await.ok()["experiment_id"].clone();
    let id = experiment.as_str().expect("an id");
    let recurring =
        json!({"display_name": "x", "max_concurrency": 1, "pipeline_spec": shown(), "experiment_id": experiment});
    server.post("/recurringruns", recurring).await.ok();
    assert_eq!(server.get(&format!("/recurringruns?experiment_id={id}")).await.ok()["total_size"], 1);
    server.delete(&format!("/experiments/{id}")).await.ok();
    for list in ["runs", "recurringruns"] {
        for query in ["", "&page_size=1&sort_by=name", "&filter=%7B%7D"] {
            let text = server.get(&format!("/{list}?experiment_id={id}{query}")).await.refused(404);
            assert_eq!(text, format!("Experiment {id} not found"));
        }
        assert_eq!(server.get(&format!("/{list}?experiment_id=x")).await.refused(404), "Experiment x not found");
    }
    let search = server.get_whole(&format!("/apis/penstock/v1/runs:search?experiment_id={id}")).await.refused(404);
    assert_eq!(search, format!("Experiment {id} not found"));
    let versions = server.get(&format!("/pipelines/{id}/versions")).await.refused(404);
    assert_eq!(versions, format!("Pipeline {id} not found"));
}
