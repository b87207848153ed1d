//! What the server tells of itself and of the system that it is of.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use penstock_apiserver::{ApiSettings, Check, CheckStatus, SystemChecks};
use serde_json::{Value, json};

use crate::fixture::Server;
use crate::shared::Shared;

const SYSTEM: &str = "/apis/penstock/v1/system";

/// Counts how often it is asked.
#[derive(Debug, Default)]
struct Looks(AtomicUsize);

#[async_trait::async_trait]
impl SystemChecks for Looks {
    async fn examine(&self) -> Vec<Check> {
        let count = self.0.fetch_add(1, Ordering::Relaxed);
        let check = |name: &str, status, remedy: Option<&str>| Check {
            name: name.to_owned(),
            status,
            detail: format!("look {count}"),
            remedy: remedy.map(str::to_owned),
        };
        vec![
            check("webhook", CheckStatus::Warning, Some("renew it")),
            check("object store", CheckStatus::Failed, Some("start it")),
        ]
    }
}

#[tokio::test]
async fn a_server_tells_what_it_is_and_how_it_stands() {
    let looks = Arc::new(Looks::default());
    let system: Option<Arc<dyn SystemChecks>> = Some(looks.clone());
    let schedule_zone = jiff::tz::TimeZone::get("Europe/Berlin").ok();
    let (api, directory) = Server::api_with(|settings| ApiSettings { system, schedule_zone, ..settings }).await;
    let server = Server::over(api, directory);
    let mut reply = server.get_whole(SYSTEM).await.ok();
    let store = reply["checks"][0].take();
    assert_eq!((&store["name"], &store["status"]), (&json!("metastore"), &json!("OK")), "{store}");
    assert!(store["detail"].as_str().is_some_and(|detail| detail.starts_with("it answers within ")), "{store}");
    let expected = json!({
        "version": "1.2.3", "commit": "abcdef", "mode": "local", "multi_user": false, "time_zone": "Europe/Berlin",
        "store": {"kind": "sqlite"},
        "checks": [
            Value::Null,
            {"name": "webhook", "status": "WARNING", "detail": "look 0", "remedy": "renew it"},
            {"name": "object store", "status": "FAILED", "detail": "look 0", "remedy": "start it"},
        ],
    });
    assert_eq!(reply, expected);
    // Whoever asks at once is told the same: looking is not for each of them.
    let again = server.get_whole(SYSTEM).await.ok();
    assert_eq!((&again["checks"][1]["detail"], looks.0.load(Ordering::Relaxed)), (&json!("look 0"), 1));
}

/// T-10: who asks is told who they are and what they may look at; what is wrong is for those who may look at runs.
#[tokio::test]
async fn t10_callers_are_told_of_their_namespaces() {
    let shared = Shared::start().await;
    let of = async |user: &str, query: &str| shared.get(&format!("{SYSTEM}{query}"), Some(user)).await.ok();
    let seen = of("viewer", "").await;
    assert_eq!((&seen["user"], &seen["namespaces"]), (&json!("viewer"), &json!(["team-a"])), "{seen}");
    assert_eq!((&seen["mode"], &seen["multi_user"]), (&json!("kubernetes"), &json!(true)));
    assert_eq!(seen["checks"][0]["name"], "metastore");
    // Of the operator's namespace there is no run, until it is named.
    let nowhere = of("operator", "").await;
    assert_eq!((nowhere.get("namespaces"), nowhere.get("checks")), (None, None), "{nowhere}");
    let named = of("operator", "?namespace=penstock-system").await;
    assert_eq!(named["namespaces"], json!(["penstock-system"]), "{named}");
    assert!(named["checks"].is_array(), "{named}");
    assert!(of("operator", "?namespace=team-a").await.get("namespaces").is_none());
    shared.get(SYSTEM, None).await.refused(401);
}
