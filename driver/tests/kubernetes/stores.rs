//! Object stores that do not answer, or are not the ones that launchers use.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use penstock_driver::RunControl;
use penstock_spec::run::RunStatus;
use penstock_spec::settings::{NamespaceSettings, StoreSetting};
use tokio::net::TcpListener;

use crate::kubelet::Act;
use crate::world::{World, chain, drive, pipeline};

/// An S3 server that takes requests and never answers: its address, and when the first comes.
async fn black_hole() -> (String, impl Future<Output = ()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    let (sender, mut asked) = tokio::sync::watch::channel(false);
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
            sender.send_replace(true);
        }
    });
    (endpoint, async move { drop(asked.wait_for(|asked| *asked).await) })
}

/// An S3 server with nothing in it: its address.
async fn empty_store() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = service_fn(|_| async {
                let text = "<Error><Code>NoSuchKey</Code><Message>there is nothing</Message></Error>";
                let mut answer = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
                *answer.status_mut() = StatusCode::NOT_FOUND;
                Ok::<_, Infallible>(answer)
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
        }
    });
    endpoint
}

/// Cancels a run whose driver waits for an object store; that must not take as long as the store does.
async fn canceled_while_the_store_hangs(act: Act, pipeline: &str) -> World {
    let mut world = World::new(move |_, _| act.clone()).await;
    let (endpoint, asked) = black_hole().await;
    world.s3 = Some((endpoint, "s3://bucket/root".to_owned()));
    let driver = world.driver().await;
    let run = world.create(&driver, pipeline).await;
    let control = RunControl::new();
    let cancel = async {
        asked.await;
        control.cancel("by a user");
        Instant::now()
    };
    let (canceled, end) = tokio::join!(cancel, drive(&driver, run, &control));
    assert_eq!(end.expect("the run is driven").status, RunStatus::Canceled);
    assert!(canceled.elapsed() < Duration::from_secs(20), "{:?}", canceled.elapsed());
    assert!(driver.waiting_reasons(run).is_empty());
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn f37_stop_is_heard_while_a_plan_is_stored() {
    let task = "      t1: {componentRef: {name: comp}, taskInfo: {name: t1}}\n";
    let large = pipeline(task, "").replace("'{{$}}'", &format!("'{}'", "x".repeat(30_000)));
    let world = canceled_while_the_store_hangs(Act::Succeed, &large).await;
    assert!(world.api.calls("create").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn f37_stop_is_heard_while_a_manifest_is_waited_for() {
    let world = canceled_while_the_store_hangs(Act::Claim, &chain(1)).await;
    assert_eq!(world.api.calls("create").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn manifest_that_is_not_there_names_the_stores_that_may_differ() {
    let mut world = World::new(|_, _| Act::Claim).await;
    let endpoint = empty_store().await;
    world.s3 = Some((endpoint.clone(), "s3://bucket/root".to_owned()));
    let mut settings = NamespaceSettings::kfp_default("http://minio-service.kubeflow:9000");
    settings.stores.insert(
        0,
        StoreSetting { endpoint: Some("http://theirs:9000".to_owned()), ..StoreSetting::from_surroundings("s3") },
    );
    world.api.set_settings(Some(serde_json::to_string(&settings).expect("JSON")));
    let end = world.run(&chain(1)).await;
    let message = end.failure.expect("a failure").message;
    assert!(message.contains("it is not there") && message.contains("s3://bucket at http://theirs:9000"), "{message}");
    assert!(message.contains(&format!("at {endpoint}")) && message.contains("--s3-endpoint"), "{message}");
}
