//! What the server is, who asks it, and how the system stands that it is of.

use std::collections::BTreeSet;

use futures::{StreamExt as _, stream};
use serde_json::Value;

use crate::api::Api;
use crate::error::ApiError;
use crate::openapi::Description;
use crate::openapi::schema::{Kind, Message, always, shown};
use crate::router::{Access, Public, Requires, Resource, Routes, Verb};
use crate::system::{Check, CheckStatus};
use crate::wire::{Query, Reply};

/// Namespaces that are looked at for a caller.
const MOST_NAMESPACES: usize = 200;
/// Of these, at a time.
const AT_A_TIME: usize = 8;
const MODES: [&str; 2] = ["local", "kubernetes"];

const SYSTEM: Message = Message {
    name: "System",
    fields: &[
        always("version", Kind::Text),
        shown("commit", Kind::Text),
        always("mode", Kind::Words(&MODES)),
        always("multi_user", Kind::Boolean),
        shown("time_zone", Kind::Text),
        shown("user", Kind::Text),
        shown("namespaces", Kind::List(&Kind::Text)),
        always("store", Kind::Message(&STORE)),
        shown("checks", Kind::List(&Kind::Message(&CHECK))),
    ],
};

const STORE: Message =
    Message { name: "SystemStore", fields: &[always("kind", Kind::Words(&["sqlite", "postgresql"]))] };

const CHECK: Message = Message {
    name: "SystemCheck",
    fields: &[
        always("name", Kind::Text),
        always("status", Kind::Words(&CheckStatus::WORDS)),
        always("detail", Kind::Text),
        shown("remedy", Kind::Text),
    ],
};

pub(super) fn routes(routes: Routes) -> Routes {
    routes.get("/apis/penstock/v1/system", Requires::Caller, system).describe(
        Description::new("get_system", "What the server is, who asks, and how the system stands")
            .query("namespace", Kind::Text, "A namespace that is looked at though no run is of it, in multi-user mode.")
            .reply(&SYSTEM),
    )
}

/// `GET /system`
async fn system(access: Access, Public(api): Public, query: Query) -> Result<Reply, ApiError> {
    let failed = |error: ApiError| error.within("Failed to tell how the system stands");
    let seen = Seen::of(&api, &access, query.text("namespace").map_err(failed)?).await.map_err(failed)?;
    let settings = api.settings();
    let [local, kubernetes] = MODES;
    let mode = if api.own_namespace().is_empty() { local } else { kubernetes };
    let mut reply = Reply::new()
        .message("version", settings.version.as_str())
        .text("commit", &settings.commit)
        .text("mode", mode)
        .message("multi_user", Value::from(access.is_multi_user()))
        .text("time_zone", api.schedule_zone().iana_name().unwrap_or_default())
        .text("user", access.user().unwrap_or_default())
        .list("namespaces", seen.namespaces)
        .message("store", Reply::new().text("kind", api.metastore().database()));
    if seen.runs {
        reply = reply.list("checks", api.checks().await.iter().map(shown_check));
    }
    Ok(reply)
}

fn shown_check(check: &Check) -> Reply {
    let Check { name, status, detail, remedy } = check;
    let remedy = remedy.as_deref().unwrap_or_default();
    Reply::new().text("name", name).text("status", status.word()).text("detail", detail).text("remedy", remedy)
}

/// What a caller may look at.
struct Seen {
    /// Namespaces whose runs they may list, where there are any.
    namespaces: Vec<String>,
    /// Whether they may list runs anywhere.
    runs: bool,
}

impl Seen {
    async fn of(api: &Api, access: &Access, asked: &str) -> Result<Seen, ApiError> {
        let access = access.needing(Resource::Runs, Verb::List);
        if !access.is_multi_user() {
            let own = api.own_namespace().to_owned();
            let runs = access.namespace("", "").await.is_ok();
            return Ok(Seen {
                namespaces: Some(own).filter(|own| runs && !own.is_empty()).into_iter().collect(),
                runs,
            });
        }
        let (of_runs, of_experiments) =
            tokio::try_join!(api.metastore().namespaces(), api.metastore().namespaces_of_experiments())?;
        let known: BTreeSet<String> =
            of_runs.into_iter().chain(of_experiments).filter(|name| !name.is_empty()).take(MOST_NAMESPACES).collect();
        let asked = Some(asked.to_owned()).filter(|asked| !asked.is_empty());
        let candidates: BTreeSet<String> = known.into_iter().chain(asked).collect();
        let looks = candidates.into_iter().map(|namespace| {
            let access = &access;
            async move { access.namespace(&namespace, "").await.is_ok().then_some(namespace) }
        });
        let namespaces: Vec<String> =
            stream::iter(looks).buffered(AT_A_TIME).filter_map(|found| async { found }).collect().await;
        Ok(Seen { runs: !namespaces.is_empty(), namespaces })
    }
}
