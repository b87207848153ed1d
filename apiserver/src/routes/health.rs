//! Whether the server is there, and what it is. Clients ask this first.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use crate::api::Api;
use crate::metrics;
use crate::openapi::schema::{Kind, Message, always, shown};
use crate::openapi::{Description, Reply};
use crate::router::{Public, Requires, Routes};
use crate::wire::write::json_response;

pub(super) fn routes(routes: Routes) -> Routes {
    let about = |name| Description::new(name, "Whether the server is there, and what it is").reply(&IDENTITY);
    routes
        .get("/apis/v2beta1/healthz", Requires::Nothing, health)
        .describe(about("get_health"))
        .get("/apis/v1beta1/healthz", Requires::Nothing, health_of_version_1)
        .describe(about("old_get_health"))
        .get("/metrics", Requires::Nothing, metrics::exposition)
        .describe(
            Description::new("get_metrics", "Numbers, as Prometheus reads them")
                .replies(Reply::Text(prometheus::TEXT_FORMAT)),
        )
}

const IDENTITY: Message = Message {
    name: "Identity",
    fields: &[
        always("commit_sha", Kind::Text),
        always("tag_name", Kind::Text),
        always("multi_user", Kind::Boolean),
        shown("pipeline_store", Kind::Text),
    ],
};

/// Unlike all other replies this one shows its defaults.
fn identity(api: &Api) -> Value {
    let settings = api.settings();
    let is_multi_user = settings.access.is_multi_user();
    let known = |text: &str| Value::from(if text.is_empty() { "unknown" } else { text });
    json!({"commit_sha": known(&settings.commit), "tag_name": known(&settings.version), "multi_user": is_multi_user})
}

async fn health(Public(api): Public) -> Response {
    let mut identity = identity(&api);
    identity["pipeline_store"] = Value::from("database");
    json_response(StatusCode::OK, &identity)
}

async fn health_of_version_1(Public(api): Public) -> Response {
    json_response(StatusCode::OK, &identity(&api))
}
