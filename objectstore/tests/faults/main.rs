//! What goes wrong: calls that fail, bodies that are altered, servers that stop, trees that user code laid as traps.

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use penstock_objectstore::{
    ErrorKind, KeyFiles, LocalAccess, ObjectStore, S3Credentials, S3Settings, StoreSettings, Stores, Transfer,
    TransferError, TransferSettings,
    failing::{FailingStore, Fault},
    memory::MemoryStore,
    retry::RetrySettings,
    testing::seaweed::{ACCESS_KEY, S3Server, SECRET_KEY},
};
use tempfile::TempDir;

mod traps;

const MIB: u64 = 1024 * 1024;

fn quick() -> TransferSettings {
    let retry = RetrySettings { base: Duration::from_millis(1), cap: Duration::from_millis(5), ..Default::default() };
    TransferSettings { retry, part_size: 1000, parallel_parts: 3, ..TransferSettings::default() }
}

fn without_retries() -> TransferSettings {
    TransferSettings { retry: RetrySettings { tries: 1, ..RetrySettings::default() }, ..quick() }
}

fn engine(store: Arc<dyn ObjectStore>, settings: TransferSettings) -> Transfer {
    let stores = Stores::new(StoreSettings::default()).expect("good settings");
    stores.insert("s3", "bucket", store);
    Transfer::new(Arc::new(stores), settings)
}

fn s3_engine(s3: S3Settings, settings: TransferSettings) -> Transfer {
    let stores = Stores::new(StoreSettings { s3, ..StoreSettings::default() }).expect("good settings");
    Transfer::new(Arc::new(stores), settings)
}

fn local_engine() -> Transfer {
    let settings = StoreSettings { local: LocalAccess::Anywhere, ..StoreSettings::default() };
    Transfer::new(Arc::new(Stores::new(settings).expect("good settings")), quick())
}

/// A tree with small files and one of several parts.
fn sample(home: &Path) -> std::path::PathBuf {
    let tree = home.join("tree");
    fs::create_dir_all(tree.join("below")).expect("made");
    fs::write(tree.join("small"), b"small").expect("written");
    fs::write(tree.join("below/large"), (0..4500_u32).map(|n| (n % 251) as u8).collect::<Vec<_>>()).expect("written");
    tree
}

fn left_behind(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).expect("lists").map(|entry| entry.expect("readable").file_name());
    names.map(|name| name.to_string_lossy().into_owned()).filter(|name| name.starts_with(".penstock")).collect()
}

/// Upload, then download, over a store whose call number n fails.
async fn round_trip(fault: Fault, call: u64, settings: TransferSettings) -> (Result<(), TransferError>, u64, usize) {
    let home = TempDir::new().expect("temporary directory");
    let tree = sample(home.path());
    let memory = Arc::new(MemoryStore::new("bucket"));
    let failing = Arc::new(FailingStore::new(Arc::clone(&memory) as Arc<dyn ObjectStore>, fault, call, 1));
    let transfer = engine(Arc::clone(&failing) as Arc<dyn ObjectStore>, settings);
    let target = home.path().join("target");
    let result = async {
        let content = transfer.upload(&tree, "s3://bucket/tree").await?;
        transfer.download("s3://bucket/tree", Some(&content), &target).await?;
        Ok(())
    }
    .await;
    transfer.settle(Duration::from_secs(10)).await;
    if result.is_ok() {
        assert_eq!(fs::read(target.join("below/large")).expect("readable").len(), 4500);
    } else {
        assert!(!target.exists(), "what failed is not to be seen");
    }
    assert_eq!(left_behind(home.path()), Vec::<String>::new());
    (result, failing.faults(), memory.open_uploads())
}

#[tokio::test(flavor = "multi_thread")]
async fn f22_any_single_failing_call_is_survived() {
    for fault in [Fault::Unreached, Fault::AnswerLost, Fault::Truncated] {
        let mut call = 1;
        loop {
            let (result, faults, uploads) = round_trip(fault, call, quick()).await;
            result.unwrap_or_else(|error| panic!("{fault:?} at call {call}: {error}"));
            // F-25: a create whose answer was lost leaves an upload that nobody knows the name of.
            assert!(uploads == 0 || fault == Fault::AnswerLost, "{fault:?} at call {call}: an upload is left");
            if faults == 0 {
                break;
            }
            call += 1;
        }
        assert!(call > 10, "the job has more calls than {call}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f25_without_retries_any_failing_call_fails_cleanly() {
    for fault in [Fault::Unreached, Fault::Denied] {
        for call in 1.. {
            let (result, faults, uploads) = round_trip(fault, call, without_retries()).await;
            assert_eq!(result.is_ok(), faults == 0, "{fault:?} at call {call}");
            if faults == 0 {
                break;
            }
            let aborting = matches!(&result, Err(error) if error.to_string().contains("abort"));
            assert!(uploads == 0 || aborting, "{fault:?} at call {call}: an upload is left");
        }
    }
}

#[tokio::test]
async fn f24_altered_body_never_gets_its_name() {
    let home = TempDir::new().expect("temporary directory");
    let tree = sample(home.path());
    for source in [tree.clone(), tree.join("small"), tree.join("below/large")] {
        let memory: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new("bucket"));
        let content = engine(Arc::clone(&memory), quick()).upload(&source, "s3://bucket/x").await.expect("uploads");
        for fault in [Fault::Altered, Fault::Truncated] {
            let failing = Arc::new(FailingStore::new(Arc::clone(&memory), fault, 1, u64::MAX));
            let store = Arc::clone(&failing) as Arc<dyn ObjectStore>;
            // Heads and lists must work for the body to be asked for.
            let transfer = engine(Arc::new(OnlyReads(store, Arc::clone(&memory))), quick());
            let target = home.path().join("target");
            let error = transfer.download("s3://bucket/x", Some(&content), &target).await.expect_err("altered");
            assert!(failing.faults() > 0 && error.is_infrastructure(), "{fault:?}: {error}");
            assert!(!target.exists());
            assert_eq!(left_behind(home.path()), Vec::<String>::new());
        }
        // Once altered, and whole at the second try.
        let failing = Arc::new(FailingStore::new(Arc::clone(&memory), Fault::Altered, 1, 1));
        let store = Arc::new(OnlyReads(Arc::clone(&failing) as Arc<dyn ObjectStore>, memory));
        let target = home.path().join("target");
        engine(store, quick()).download("s3://bucket/x", Some(&content), &target).await.expect("second try");
        assert_eq!(failing.faults(), 1);
        if target.is_dir() { fs::remove_dir_all(&target) } else { fs::remove_file(&target) }.expect("removed");
    }
}

/// Reads bodies from the first store and everything else from the second.
#[derive(Debug)]
struct OnlyReads(Arc<dyn ObjectStore>, Arc<dyn ObjectStore>);

#[async_trait::async_trait]
impl ObjectStore for OnlyReads {
    async fn head(
        &self,
        key: &str,
    ) -> Result<Option<penstock_objectstore::ObjectMeta>, penstock_objectstore::StoreError> {
        self.1.head(key).await
    }
    async fn get(
        &self,
        key: &str,
        range: Option<std::ops::Range<u64>>,
    ) -> Result<penstock_objectstore::Body, penstock_objectstore::StoreError> {
        self.0.get(key, range).await
    }
    async fn put(&self, key: &str, body: Bytes) -> Result<(), penstock_objectstore::StoreError> {
        self.1.put(key, body).await
    }
    async fn list(
        &self,
        prefix: &str,
        page: Option<&str>,
    ) -> Result<penstock_objectstore::ListPage, penstock_objectstore::StoreError> {
        self.1.list(prefix, page).await
    }
    async fn delete(&self, key: &str) -> Result<(), penstock_objectstore::StoreError> {
        self.1.delete(key).await
    }
    async fn create_multipart(
        &self,
        key: &str,
    ) -> Result<penstock_objectstore::MultipartUpload, penstock_objectstore::StoreError> {
        self.1.create_multipart(key).await
    }
    async fn put_part(
        &self,
        key: &str,
        upload: &penstock_objectstore::MultipartUpload,
        number: u32,
        offset: u64,
        body: Bytes,
    ) -> Result<penstock_objectstore::Part, penstock_objectstore::StoreError> {
        self.1.put_part(key, upload, number, offset, body).await
    }
    async fn complete_multipart(
        &self,
        key: &str,
        upload: &penstock_objectstore::MultipartUpload,
        parts: &[penstock_objectstore::Part],
    ) -> Result<(), penstock_objectstore::StoreError> {
        self.1.complete_multipart(key, upload, parts).await
    }
    async fn abort_multipart(
        &self,
        key: &str,
        upload: &penstock_objectstore::MultipartUpload,
    ) -> Result<(), penstock_objectstore::StoreError> {
        self.1.abort_multipart(key, upload).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f37_dropped_upload_is_aborted() {
    let home = TempDir::new().expect("temporary directory");
    let tree = sample(home.path());
    let memory = Arc::new(MemoryStore::new("bucket"));
    // Every call after the first is unreached, so the upload goes on trying.
    let failing = FailingStore::new(Arc::clone(&memory) as Arc<dyn ObjectStore>, Fault::Unreached, 2, 6);
    let retry = RetrySettings { base: Duration::from_millis(50), ..RetrySettings::default() };
    let transfer = engine(Arc::new(failing), TransferSettings { retry, ..quick() });
    let file = tree.join("below/large");
    let upload = transfer.upload(&file, "s3://bucket/x");
    let created = async {
        while memory.open_uploads() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        result = upload => panic!("cannot end before the upload is seen: {result:?}"),
        () = created => {}
    }
    transfer.settle(Duration::from_secs(10)).await;
    assert_eq!(memory.open_uploads(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn f26_keys_that_are_replaced_during_a_transfer_do_not_fail_it() {
    let Some(mut server) = S3Server::start_or_skip() else { return };
    server.create_bucket("bucket").await;
    let home = TempDir::new().expect("temporary directory");
    let files =
        KeyFiles { access_key_id: home.path().join("accesskey"), secret_access_key: home.path().join("secretkey") };
    let hold = |access_key: &str, secret_key: &str| {
        fs::write(&files.access_key_id, access_key).expect("written");
        fs::write(&files.secret_access_key, secret_key).expect("written");
    };
    hold(ACCESS_KEY, SECRET_KEY);
    let settings = S3Settings { credentials: S3Credentials::Files(files.clone()), ..server.settings() };
    let stores = Stores::new(StoreSettings { s3: settings.clone(), ..StoreSettings::default() });
    let stores = Arc::new(stores.expect("good settings"));
    let once = Transfer::new(Arc::clone(&stores), without_retries());
    let retry = RetrySettings { tries: u32::MAX, cap: Duration::from_millis(200), ..RetrySettings::default() };
    let patient = Transfer::new(stores, TransferSettings { retry, ..quick() });
    once.put_bytes("s3://bucket/x", &b"before"[..]).await.expect("the keys count");

    server.replace_keys("second", "second-secret").expect("starts again");
    // The new pair has not arrived: that is no denial, whether the answer has a body or not.
    let error = once.put_bytes("s3://bucket/x", &b"never"[..]).await.expect_err("other keys count now");
    assert!(error.is_infrastructure() && error.to_string().contains("worked before"), "{error}");
    let (store, key) = once.stores().open("s3://bucket/x").expect("opens");
    assert_eq!(store.head(&key).await.expect_err("other keys count now").kind(), ErrorKind::Unavailable);
    // Keys that never worked fail at once.
    let error = s3_engine(settings, quick()).put_bytes("s3://bucket/x", &b"never"[..]).await.expect_err("wrong keys");
    assert!(!error.is_infrastructure(), "{error}");

    let upload = tokio::spawn(async move { patient.put_bytes("s3://bucket/x", &b"after"[..]).await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!upload.is_finished(), "it waits for the keys");
    hold("second", "second-secret");
    upload.await.expect("ends").expect("the new keys count");
    let read = once.get_bytes("s3://bucket/x", 100).await.expect("the new keys count").expect("is there");
    assert_eq!(&read[..], b"after");
}

#[tokio::test(flavor = "multi_thread")]
async fn f26_a_file_of_profiles_may_be_replaced() {
    let Some(mut server) = S3Server::start_or_skip() else { return };
    server.create_bucket("bucket").await;
    let home = TempDir::new().expect("temporary directory");
    let file = home.path().join("credentials");
    let settings = S3Settings { credentials: S3Credentials::Profile(file.clone()), ..server.settings() };
    let hold = |access_key: &str, secret_key: &str| {
        let text = format!("[default]\naws_access_key_id={access_key}\naws_secret_access_key={secret_key}\n");
        fs::write(&file, text).expect("written");
    };
    hold(ACCESS_KEY, SECRET_KEY);
    let transfer = s3_engine(settings, without_retries());
    transfer.put_bytes("s3://bucket/x", &b"before"[..]).await.expect("the keys count");
    server.replace_keys("second", "second-secret").expect("starts again");
    let error = transfer.put_bytes("s3://bucket/x", &b"never"[..]).await.expect_err("other keys count now");
    assert!(error.is_infrastructure() && !error.to_string().contains(SECRET_KEY), "{error}");
    hold("second", "second-secret");
    transfer.put_bytes("s3://bucket/x", &b"after"[..]).await.expect("the new keys count");
}

#[tokio::test(flavor = "multi_thread")]
async fn f27_missing_bucket_and_denied_key_are_named_without_secrets() {
    let Some(server) = S3Server::start_or_skip() else { return };
    server.create_bucket("bucket").await;
    let home = TempDir::new().expect("temporary directory");
    let tree = sample(home.path());
    let all = s3_engine(server.settings(), without_retries());
    let powerless = s3_engine(server.powerless_settings(), without_retries());
    let nobody = S3Settings { credentials: S3Credentials::Anonymous, ..server.settings() };
    let anonymous = s3_engine(nobody, without_retries());
    let reader = s3_engine(server.reader_settings(), without_retries());
    all.probe("s3://bucket/x").await.expect("may do everything");
    let objects = all.get_bytes("s3://bucket/x/.penstock-probe", 1).await.expect("is asked");
    assert_eq!(objects, None, "a probe stores nothing");
    let error = reader.probe("s3://bucket/x").await.expect_err("may only read").to_string();
    assert!(error.contains("AccessDenied") && error.contains("s3://bucket/x"), "{error}");
    for (transfer, uri, code) in [
        (&all, "s3://no-such-bucket/x", "NoSuchBucket"),
        (&powerless, "s3://bucket/x", "AccessDenied"),
        (&anonymous, "s3://bucket/x", "AccessDenied"),
    ] {
        let started = Instant::now();
        let error = transfer.download(uri, None, &home.path().join("target")).await.expect_err(uri).to_string();
        let name = uri.rsplit_once('/').map(|(name, _)| name).expect("has a key");
        for part in [name, &server.endpoint()] {
            assert!(error.contains(part), "{error}");
        }
        assert!(error.contains(code) || error.contains("status 403"), "{error}");
        let error = match code {
            // SeaweedFS makes the bucket for whoever may, so an upload would work.
            "NoSuchBucket" => transfer.probe(uri).await,
            _ => transfer.upload(&tree.join("small"), uri).await.map(drop),
        };
        let error = error.expect_err(uri).to_string();
        assert!(error.contains(code) && error.contains(name), "{error}");
        assert!(!error.contains("-secret"), "{error}");
        assert!(started.elapsed() < Duration::from_secs(10), "refusals are not repeated");
    }
    // F-22: nobody listens.
    let nowhere = S3Settings { endpoint: Some("http://127.0.0.1:1".into()), ..server.settings() };
    let error = s3_engine(nowhere, without_retries()).get_bytes("s3://bucket/x", 1).await.expect_err("unreached");
    assert!(error.is_infrastructure() && error.to_string().contains("127.0.0.1:1"), "{error}");
}

/// As a balancer does whose servers are away.
#[tokio::test(flavor = "multi_thread")]
async fn f22_a_connection_that_ends_without_an_answer_may_be_tried_again() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("its address"));
    let server = tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            // The request has arrived; what else is there is not waited for.
            let _ = tokio::io::AsyncReadExt::read(&mut client, &mut [0; 64 << 10]).await;
        }
    });
    let settings = S3Settings {
        endpoint: Some(endpoint.clone()),
        credentials: S3Credentials::Static {
            access_key_id: ACCESS_KEY.to_owned(),
            secret_access_key: penstock_objectstore::Secret::new(SECRET_KEY),
            session_token: None,
        },
        ..S3Settings::default()
    };
    let error = s3_engine(settings, without_retries()).get_bytes("s3://bucket/x", 1).await.expect_err("no answer");
    assert!(error.is_infrastructure() && error.to_string().contains(&endpoint), "{error}");
    server.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn f22_server_that_stops_in_the_middle_and_comes_back_is_outlived() {
    let Some(mut server) = S3Server::start_or_skip() else { return };
    // Nothing is made to fail: it counts the calls.
    let counted = FailingStore::new(server.create_bucket("bucket").await, Fault::Unreached, u64::MAX, 0);
    let counted = Arc::new(counted);
    let home = TempDir::new().expect("temporary directory");
    let file = home.path().join("file");
    let bytes: Vec<u8> = (0..40 * MIB).map(|n| (n % 249) as u8).collect();
    fs::write(&file, &bytes).expect("written");
    let retry = RetrySettings { tries: 1000, cap: Duration::from_millis(500), ..RetrySettings::default() };
    let settings = TransferSettings { part_size: 5 * MIB, parallel_parts: 1, retry, ..TransferSettings::default() };
    let transfer = engine(Arc::clone(&counted) as Arc<dyn ObjectStore>, settings);
    let upload = tokio::spawn({
        let (transfer, file) = (transfer.clone(), file.clone());
        async move { transfer.upload(&file, "s3://bucket/x").await }
    });
    let begun = async {
        while counted.calls() < 3 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), begun).await.expect("parts are being sent");
    assert!(!upload.is_finished(), "the file is large enough for the server to stop in the middle");
    let server = tokio::task::spawn_blocking(move || {
        server.stop();
        server.restart().expect("comes back");
        server
    })
    .await
    .expect("no panic");
    let content = upload.await.expect("no panic").expect("outlives the stop");
    // Create, eight parts, complete; everything above was a second try.
    assert!(counted.calls() > 10, "{} calls: the stop was not felt", counted.calls());
    let target = home.path().join("target");
    transfer.download("s3://bucket/x", Some(&content), &target).await.expect("downloads");
    assert!(fs::read(&target).expect("readable") == bytes);
    drop(server);
}
