//! What is logged of requests that fail. One test, in a process of its own: what others log at the same time decides what
//! is listened to at all.

mod support;

use std::sync::Arc;

use penstock_webhook::certificates::CertificateTimes;
use support::fake_api::FakeApi;
use support::{eventually, self_managed, start};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;

/// Everything that is logged in this thread with a filter, `as_penstock` with what Penstock's logs allow.
fn capture(filter: &str, as_penstock: bool) -> (tracing::subscriber::DefaultGuard, tempfile::NamedTempFile) {
    let (written, filter) = (tempfile::NamedTempFile::new().expect("a file"), EnvFilter::new(filter));
    let allowed = as_penstock.then(|| penstock_runtime::logs::allowed(&filter));
    let file = Arc::new(written.reopen().expect("the same file"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(file).with_ansi(false);
    (tracing::subscriber::set_default(lines.finish().with(allowed)), written)
}

#[tokio::test]
async fn f08_request_that_failed_is_logged_by_whoever_made_it_and_by_nobody_else() {
    let clients_own = "kube_client::client::builder: failed with status 503";
    // The first shows that the client would say so; the last that it does where somebody asks for details.
    for (filter, as_penstock, is_twice) in [("info", false, true), ("info", true, false), ("debug", true, true)] {
        let (_guard, written) = capture(filter, as_penstock);
        let api = FakeApi::start().await;
        api.fail(u32::MAX, 503);
        let _webhook = start(api.client(), self_managed(CertificateTimes::default())).await;
        eventually("both parts have said so", || async {
            let text = std::fs::read_to_string(written.path()).expect("a log");
            let told = text.contains("cannot watch ConfigMaps") && text.contains("certificates are not looked after");
            let client = text.contains(clients_own);
            if told && client == is_twice { Ok(()) } else { Err(format!("{filter}, {as_penstock}: {text}")) }
        })
        .await;
    }
}
