use serde_json::{Value, json};

use crate::fixture::{Server, filter};

const EPOCH: &str = "1970-01-01T00:00:00Z";

async fn create(server: &Server, name: &str) -> String {
    let reply = server.post("/experiments", json!({"display_name": name})).await.ok();
    reply["experiment_id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn the_default_experiment_is_there_and_stays() {
    let server = Server::start().await;
    let list = server.get("/experiments?page_token=&page_size=10&sort_by=&namespace=&filter=").await.ok();
    let default = &list["experiments"][0];
    assert_eq!(list["total_size"], 1);
    assert_eq!(default["display_name"], "Default");
    assert_eq!(default["description"], "All runs created without specifying an experiment will be grouped here.");
    let id = default["experiment_id"].as_str().unwrap();
    let refused = server.delete(&format!("/experiments/{id}")).await.refused(409);
    assert_eq!(refused, format!("Failed to delete experiment {id}. The default experiment cannot be deleted"));
}

#[tokio::test]
async fn an_experiment_lives_and_ends() {
    let server = Server::start().await;
    // As clients in Go say it: output-only fields and unset times included.
    let request = json!({
        "display_name": "mnist", "description": "d", "namespace": "", "experiment_id": "",
        "created_at": "0001-01-01T00:00:00.000Z", "last_run_created_at": "0001-01-01T00:00:00.000Z",
        "storage_state": "ARCHIVED",
    });
    let created = server.post("/experiments", request).await.ok();
    let id = created["experiment_id"].as_str().unwrap().to_owned();
    let at = &created["created_at"];
    let expected = json!({
        "experiment_id": id, "display_name": "mnist", "description": "d", "created_at": at,
        "storage_state": "AVAILABLE", "last_run_created_at": EPOCH,
    });
    assert_eq!(created, expected);
    assert_eq!(server.get(&format!("/experiments/{id}")).await.ok(), expected);
    for (verb, state) in [("archive", "ARCHIVED"), ("archive", "ARCHIVED"), ("unarchive", "AVAILABLE")] {
        assert_eq!(server.act(&format!("/experiments/{id}:{verb}")).await.ok(), json!({}));
        assert_eq!(server.get(&format!("/experiments/{id}")).await.ok()["storage_state"], state);
    }
    assert_eq!(server.delete(&format!("/experiments/{id}")).await.ok(), json!({}));
    let gone = server.get(&format!("/experiments/{id}")).await;
    assert_eq!(gone.refused(404), format!("Experiment {id} not found"));
    assert_eq!(
        gone.json()["message"],
        format!("Failed to get an experiment: ResourceNotFoundError: Experiment {id} not found")
    );
    assert_eq!(server.delete(&format!("/experiments/{id}")).await.status, 404);
}

#[tokio::test]
async fn names_are_required_unique_and_bounded() {
    let server = Server::start().await;
    create(&server, "Mnist").await;
    let taken = server.post("/experiments", json!({"displayName": "mNIST"})).await.refused(409);
    assert_eq!(taken, "Failed to create a new experiment. The name mNIST already exists. Please specify a new name");
    let unnamed = server.post("/experiments", json!({"display_name": null})).await.refused(400);
    assert_eq!(unnamed, "Experiment must have a non-empty name");
    let long = server.post("/experiments", json!({"display_name": "x".repeat(129)})).await.refused(400);
    assert_eq!(long, "Experiment.Name length cannot exceed 128");
    let unknown = server.post("/experiments", json!({"display_name": "x", "foo": 1})).await;
    assert_eq!(unknown.refused(400), r#"Failed to create a new experiment: proto: unknown field "foo""#);
    assert_eq!(unknown.json()["details"], Value::Null);
}

#[tokio::test]
async fn pages_neither_overlap_nor_leave_out() {
    let server = Server::start().await;
    for name in ["moonshot", "alpha", "Beta", "gamma"] {
        create(&server, name).await;
    }
    let (first, token) = server.names("/experiments?sort_by=name&page_size=2", "experiments").await;
    assert_eq!(first, ["alpha", "Beta"]);
    let token = token.unwrap();
    let (second, end) = server.names(&format!("/experiments?page_token={token}&page_size=3"), "experiments").await;
    assert_eq!((second, end), (vec!["Default".to_owned(), "gamma".to_owned(), "moonshot".to_owned()], None));
    let (last, _) = server.names("/experiments?sort_by=display_name%20desc&page_size=1", "experiments").await;
    assert_eq!(last, ["moonshot"]);
    let (oldest, _) = server.names("/experiments", "experiments").await;
    assert_eq!(oldest, ["Default", "moonshot", "alpha", "Beta", "gamma"]);
    let forged = server.get("/experiments?page_token=eyJ4IjoxfQ").await.refused(400);
    assert_eq!(forged, "Invalid page token");
    let other = server.get(&format!("/pipelines?page_token={token}")).await.refused(400);
    assert_eq!(other, "Invalid page token");
    assert_eq!(server.get("/experiments?page_size=-1").await.status, 400);
    assert_eq!(server.get("/experiments?sort_by=unknownfield").await.status, 400);
}

#[tokio::test]
async fn lists_are_narrowed() {
    let server = Server::start().await;
    let archived = create(&server, "archived one").await;
    create(&server, "100% sure").await;
    server.act(&format!("/experiments/{archived}:archive")).await.ok();
    let cases = [
        (filter("NOT_EQUALS", "storage_state", &json!({"string_value": "ARCHIVED"})), vec!["Default", "100% sure"]),
        (filter("EQUALS", "storage_state", &json!({"stringValue": "ARCHIVED"})), vec!["archived one"]),
        (filter("EQUALS", "display_name", &json!({"stringValue": "default"})), vec!["Default"]),
        (filter("IS_SUBSTRING", "name", &json!({"string_value": "ONE"})), vec!["archived one"]),
        (filter("IS_SUBSTRING", "name", &json!({"string_value": "0% s"})), vec!["100% sure"]),
        (filter("IN", "experiment_id", &json!({"string_values": {"values": [archived, "x"]}})), vec!["archived one"]),
        (filter("EQUALS", "experiment_id", &json!({"string_value": "x"})), vec![]),
        (filter("LESS_THAN", "created_at", &json!({"string_value": "1000"})), vec![]),
        (
            filter("GREATER_THAN", "created_at", &json!({"string_value": "2000-01-01T00:00:00Z"})),
            vec!["Default", "archived one", "100% sure"],
        ),
        (
            filter("EQUALS", "last_run_created_at", &json!({"long_value": 0})),
            vec!["Default", "archived one", "100% sure"],
        ),
    ];
    for (filter, expected) in cases {
        assert_eq!(server.names(&format!("/experiments?{filter}"), "experiments").await.0, expected, "{filter}");
    }
    let none = server.get(&format!("/experiments?{}", filter("EQUALS", "name", &json!({"string_value": "-"})))).await;
    assert_eq!(none.ok(), json!({}));
}

/// The seconds of clients and the nanoseconds of the store agree on every comparison.
#[tokio::test]
async fn a_time_equals_its_second() {
    let server = Server::start().await;
    let created = server.post("/experiments", json!({"display_name": "x"})).await.ok();
    let second = created["created_at"].as_str().unwrap().to_owned();
    let found = async |operation: &str| {
        let filter = filter(operation, "created_at", &json!({"timestamp_value": second}));
        server.names(&format!("/experiments?{filter}"), "experiments").await.0.contains(&"x".to_owned())
    };
    for operation in ["EQUALS", "GREATER_THAN_EQUALS", "LESS_THAN_EQUALS"] {
        assert!(found(operation).await, "{operation}");
    }
    for operation in ["NOT_EQUALS", "GREATER_THAN", "LESS_THAN"] {
        assert!(!found(operation).await, "{operation}");
    }
}
