//! Object stores that do not answer, or are not the ones that launchers use.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use penstock_driver::RunControl;
use penstock_spec::run::RunStatus;
use penstock_spec::settings::{NamespaceSettings, StoreSetting};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::kubelet::Act;
use crate::world::{World, chain, drive, pipeline};

/// Longest time until the driver asks.
const LIMIT: Duration = Duration::from_secs(30);

/// What a store does with reads and writes of objects.
#[derive(Clone, Copy, PartialEq)]
enum Objects {
    /// There are none.
    Absent,
    /// It never answers.
    Hang,
}

/// An S3 server that passes the check of a run's root: its address, and whether an object was asked for.
async fn store(objects: Objects) -> (String, watch::Receiver<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    let (sender, asked) = watch::channel(false);
    let sender = Arc::new(sender);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let sender = Arc::clone(&sender);
            let service = service_fn(move |request| answer(request, objects, Arc::clone(&sender)));
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    (endpoint, asked)
}

async fn answer(
    request: Request<Incoming>,
    objects: Objects,
    asked: Arc<watch::Sender<bool>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let query = request.uri().query().unwrap_or_default();
    let (code, text) = match *request.method() {
        Method::GET if query.contains("list-type=") => (200, "<ListBucketResult></ListBucketResult>"),
        Method::POST if query.contains("uploads") => (
            200,
            "<InitiateMultipartUploadResult><Bucket>bucket</Bucket><Key>k</Key><UploadId>u</UploadId>\
             </InitiateMultipartUploadResult>",
        ),
        Method::DELETE => (204, ""),
        _ => {
            asked.send_replace(true);
            if objects == Objects::Hang {
                std::future::pending::<()>().await;
            }
            (404, "<Error><Code>NoSuchKey</Code><Message>there is nothing</Message></Error>")
        }
    };
    let mut answer = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *answer.status_mut() = StatusCode::from_u16(code).expect("a code");
    Ok(answer)
}

/// Cancels a run whose driver waits for an object store; that must not take as long as the store does.
async fn canceled_while_the_store_hangs(act: Act, pipeline: &str) -> World {
    let mut world = World::new(move |_, _| act.clone()).await;
    let (endpoint, mut asked) = store(Objects::Hang).await;
    world.s3 = Some((endpoint, "s3://bucket/root".to_owned()));
    let driver = world.driver().await;
    let run = world.create(&driver, pipeline).await;
    let control = RunControl::new();
    let cancel = async {
        let asked = tokio::time::timeout(LIMIT, asked.wait_for(|asked| *asked)).await;
        asked.expect("an object is asked for in time").expect("the store works");
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
    let (endpoint, _) = store(Objects::Absent).await;
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
