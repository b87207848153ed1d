//! The same suite over every store: a directory, memory, a real S3 server, and each of them behind the generic path
//! that a remote store takes.

use std::{fs, os::unix::fs::symlink, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::StreamExt;
use penstock_objectstore::{
    Downloaded, ErrorKind, LinkSettings, ObjectStore, StoreSettings, Stores, Transfer, TransferError, TransferSettings,
    failing::{FailingStore, Fault},
    local::LocalStore,
    memory::MemoryStore,
    retry::RetrySettings,
    testing::seaweed::S3Server,
};
use tempfile::TempDir;

const MIB: usize = 1024 * 1024;

/// Waits are short; tries are as in production.
fn quick() -> TransferSettings {
    let retry = RetrySettings { base: Duration::from_millis(1), cap: Duration::from_millis(5), ..Default::default() };
    TransferSettings { retry, ..TransferSettings::default() }
}

/// An engine for which `s3://bucket/…` leads into `store`.
fn engine(store: Arc<dyn ObjectStore>, settings: TransferSettings) -> Transfer {
    let stores = Stores::new(StoreSettings::default()).expect("good settings");
    stores.insert("s3", "bucket", store);
    Transfer::new(Arc::new(stores), settings)
}

/// A store that hides that it is local.
fn remote(store: Arc<dyn ObjectStore>) -> Arc<FailingStore> {
    Arc::new(FailingStore::new(store, Fault::Unreached, u64::MAX, 0))
}

fn noise(size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

fn write(path: impl AsRef<Path>, bytes: &[u8]) {
    let path = path.as_ref();
    fs::create_dir_all(path.parent().expect("has a parent")).expect("made");
    fs::write(path, bytes).expect("written");
}

/// Everything that any store must do.
async fn conforms(store: Arc<dyn ObjectStore>, odd_keys: &[&str]) {
    keys_hold_what_was_put(&store, odd_keys).await;
    listings_are_complete_and_by_prefix(&store).await;
    multipart_appears_whole_or_not_at_all(&store).await;
    files_of_all_sizes_come_back(&store).await;
    directory_comes_back_as_it_was(&store).await;
    absence_is_told(&store).await;
}

async fn read(store: &Arc<dyn ObjectStore>, key: &str, range: Option<std::ops::Range<u64>>) -> Vec<u8> {
    let mut stream = store.get(key, range).await.expect("readable").stream;
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        bytes.extend_from_slice(&chunk.expect("whole"));
    }
    bytes
}

/// Keys that tempt somebody to decode, trim or fold them (I-12, I-14).
const ODD_KEYS: &[&str] = &[
    "plain",
    "with space",
    " leading and trailing ",
    "hash#mark",
    "question?mark=1&x=2",
    "%2e%2e",
    "%252e",
    "100%",
    "plus+plus",
    "semi;colon,comma",
    "quote\"apostrophe'",
    "<tag>&amp;",
    "trailing dot.",
    "...",
    "~tilde",
    "ünï/cödé-\u{1f980}",
    "e\u{301} and \u{e9}",
    "bidi\u{202e}cba",
    "colon:at@dollar$star*",
    "deep/er/and/deeper",
];

/// SeaweedFS takes it for a slash. A file of such a name does not come back from there, and its digest tells.
const BACKSLASH: &str = "back\\slash";

async fn keys_hold_what_was_put(store: &Arc<dyn ObjectStore>, odd_keys: &[&str]) {
    for odd in odd_keys {
        let key = format!("odd/{odd}");
        store.put(&key, Bytes::from(key.clone())).await.unwrap_or_else(|error| panic!("{key:?}: {error}"));
        assert_eq!(read(store, &key, None).await, key.as_bytes(), "{key:?}");
        let meta = store.head(&key).await.expect("answers").expect("is there");
        assert_eq!((meta.key.as_str(), meta.size), (key.as_str(), key.len() as u64));
    }
    let mut expected: Vec<String> = odd_keys.iter().map(|odd| format!("odd/{odd}")).collect();
    expected.sort_unstable();
    let listed = store.list("odd/", None).await.expect("lists");
    assert_eq!(listed.objects.iter().map(|object| object.key.clone()).collect::<Vec<_>>(), expected);
    store.put("odd/plain", Bytes::from_static(b"second")).await.expect("replaced");
    assert_eq!(read(store, "odd/plain", None).await, b"second");
    assert_eq!(read(store, "odd/plain", Some(1..4)).await, b"eco");
    store.delete("odd/plain").await.expect("deleted");
    store.delete("odd/plain").await.expect("nothing to delete is fine");
    assert_eq!(store.head("odd/plain").await.expect("answers"), None);
    let gone = store.get("odd/plain", None).await.expect_err("gone");
    assert_eq!(gone.kind(), ErrorKind::NotFound, "{gone}");
}

async fn listings_are_complete_and_by_prefix(store: &Arc<dyn ObjectStore>) {
    let puts = (0..1205).map(|index| {
        let store = Arc::clone(store);
        async move { store.put(&format!("many/{index:05}"), Bytes::from_static(b"x")).await.expect("put") }
    });
    futures::stream::iter(puts).buffer_unordered(32).collect::<Vec<_>>().await;
    store.put("many-more/x", Bytes::from_static(b"x")).await.expect("put");
    let (mut keys, mut page) = (Vec::new(), None);
    loop {
        let listed = store.list("many/", page.as_deref()).await.expect("lists");
        keys.extend(listed.objects.into_iter().map(|object| object.key));
        match listed.next {
            Some(next) => page = Some(next),
            None => break,
        }
    }
    assert_eq!(keys, (0..1205).map(|index| format!("many/{index:05}")).collect::<Vec<_>>());
    assert!(store.list("nothing/", None).await.expect("lists").objects.is_empty());
}

async fn multipart_appears_whole_or_not_at_all(store: &Arc<dyn ObjectStore>) {
    let upload = store.create_multipart("parts/done").await.expect("starts");
    let (first, second) = (noise(5 * MIB, 1), noise(1000, 2));
    // Parts may come in any order.
    let two = store.put_part("parts/done", &upload, 2, 5 * MIB as u64, second.clone().into()).await.expect("part");
    let one = store.put_part("parts/done", &upload, 1, 0, first.clone().into()).await.expect("part");
    assert_eq!(store.head("parts/done").await.expect("answers"), None);
    store.complete_multipart("parts/done", &upload, &[one, two]).await.expect("completes");
    assert_eq!(read(store, "parts/done", None).await, [first, second].concat());

    let upload = store.create_multipart("parts/aborted").await.expect("starts");
    store.put_part("parts/aborted", &upload, 1, 0, Bytes::from_static(b"x")).await.expect("part");
    store.abort_multipart("parts/aborted", &upload).await.expect("aborts");
    store.abort_multipart("parts/aborted", &upload).await.expect("nothing to abort is fine");
    assert_eq!(store.head("parts/aborted").await.expect("answers"), None);
    let listed = store.list("parts/", None).await.expect("lists");
    assert_eq!(listed.objects.len(), 1, "{listed:?}");
}

async fn files_of_all_sizes_come_back(store: &Arc<dyn ObjectStore>) {
    let home = TempDir::new().expect("temporary directory");
    let settings = TransferSettings { part_size: 5 * MIB as u64, ..quick() };
    let transfer = engine(Arc::clone(store), settings);
    for (index, size) in [0, 1, 5 * MIB - 1, 5 * MIB, 5 * MIB + 1, 17 * MIB + 3].into_iter().enumerate() {
        let (source, target) = (home.path().join("source"), home.path().join("below/target"));
        let bytes = noise(size, index as u64);
        write(&source, &bytes);
        let uri = format!("s3://bucket/sizes/{index}");
        let content = transfer.upload(&source, &uri).await.expect("uploads");
        assert_eq!((content.directory, content.files, content.size), (false, 1, size as u64));
        assert!(transfer.exists(&uri, &content).await.expect("answers"));
        let downloaded = transfer.download(&uri, Some(&content), &target).await.expect("downloads");
        assert_eq!(downloaded, Downloaded::File(content));
        assert!(fs::read(&target).expect("readable") == bytes, "{size} bytes");
        assert_eq!(fs::read_dir(home.path().join("below")).expect("lists").count(), 1, "nothing temporary is left");
    }
}

async fn directory_comes_back_as_it_was(store: &Arc<dyn ObjectStore>) {
    let home = TempDir::new().expect("temporary directory");
    let settings = TransferSettings { part_size: 5 * MIB as u64, ..quick() };
    let transfer = engine(Arc::clone(store), settings);
    let tree = home.path().join("tree");
    for index in 0..300 {
        write(tree.join(format!("d{}/f{index}", index % 7)), &noise(index * 3, index as u64));
    }
    write(tree.join("large"), &noise(11 * MIB, 9));
    write(tree.join("a b/#?%2e%2e/ü"), b"odd");
    fs::create_dir_all(tree.join("empty/below")).expect("made");
    symlink("d1/f1", tree.join("link")).expect("linked");
    let content = transfer.upload(&tree, "s3://bucket/trees/one").await.expect("uploads");
    assert_eq!((content.directory, content.files), (true, 303));
    // T-03: a neighbour whose name begins alike is not part of it.
    transfer.put_bytes("s3://bucket/trees/one-more/x", "x").await.expect("put");
    assert!(transfer.exists("s3://bucket/trees/one", &content).await.expect("answers"));

    let target = home.path().join("target");
    let downloaded = transfer.download("s3://bucket/trees/one", Some(&content), &target).await.expect("downloads");
    assert_eq!(downloaded, Downloaded::Directory(content.clone()));
    assert_eq!(fs::read(target.join("a b/#?%2e%2e/ü")).expect("readable"), b"odd");
    assert_eq!(fs::read(target.join("link")).expect("readable"), fs::read(tree.join("d1/f1")).expect("readable"));
    assert!(!target.join("empty").exists(), "empty directories are lost");
    // The digest of what came back is that of what went in, whatever it passed through.
    fs::create_dir_all(target.join("empty again")).expect("made");
    assert_eq!(transfer.upload(&target, "s3://bucket/trees/two").await.expect("uploads"), content);
    let taken = transfer.download("s3://bucket/trees/one", None, &target).await.expect_err("is there already");
    assert!(matches!(taken, TransferError::TargetExists { .. }), "{taken}");
}

async fn absence_is_told(store: &Arc<dyn ObjectStore>) {
    let home = TempDir::new().expect("temporary directory");
    let transfer = engine(Arc::clone(store), quick());
    let target = home.path().join("not/made");
    let nothing = transfer.download("s3://bucket/absent/key", None, &target).await.expect("is no error");
    assert_eq!(nothing, Downloaded::Nothing);
    assert!(!home.path().join("not").exists());
    assert_eq!(transfer.get_bytes("s3://bucket/absent/key", 10).await.expect("is no error"), None);
    write(home.path().join("file"), b"12345");
    let content = transfer.upload(&home.path().join("file"), "s3://bucket/absent/file").await.expect("uploads");
    let missing = transfer.download("s3://bucket/absent/key", Some(&content), &target).await.expect_err("expected");
    assert!(matches!(missing, TransferError::Missing { .. }), "{missing}");
    assert!(!transfer.exists("s3://bucket/absent/key", &content).await.expect("answers"));
    assert_eq!(transfer.get_bytes("s3://bucket/absent/file", 5).await.expect("reads").as_deref(), Some(&b"12345"[..]));
    let large = transfer.get_bytes("s3://bucket/absent/file", 4).await.expect_err("above the cap");
    assert!(matches!(large, TransferError::TooLarge { .. }), "{large}");
    // An output directory without files is nothing in the store, and a directory again for who expects it.
    fs::create_dir(home.path().join("hollow")).expect("made");
    let hollow = transfer.upload(&home.path().join("hollow"), "s3://bucket/absent/hollow").await.expect("uploads");
    assert_eq!((hollow.directory, hollow.files), (true, 0));
    let target = home.path().join("hollow again");
    transfer.download("s3://bucket/absent/hollow", Some(&hollow), &target).await.expect("downloads");
    assert!(target.is_dir());
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_store_conforms() {
    let store = Arc::new(MemoryStore::new("bucket"));
    conforms(Arc::clone(&store) as Arc<dyn ObjectStore>, &with_backslash()).await;
    assert_eq!(store.open_uploads(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn local_store_conforms() {
    let home = TempDir::new().expect("temporary directory");
    conforms(Arc::new(LocalStore::new(home.path())), &with_backslash()).await;
    assert_no_temporary_files(home.path());
}

#[tokio::test(flavor = "multi_thread")]
async fn local_store_conforms_through_the_generic_path() {
    let home = TempDir::new().expect("temporary directory");
    conforms(remote(Arc::new(LocalStore::new(home.path()))), &with_backslash()).await;
    assert_no_temporary_files(home.path());
}

#[tokio::test(flavor = "multi_thread")]
async fn f28_real_s3_server_conforms() {
    let Some(server) = S3Server::start_or_skip() else { return };
    conforms(server.create_bucket("conformance").await, ODD_KEYS).await;
}

/// Whoever has the link reads the object, as the link says it, and nobody without it.
#[tokio::test(flavor = "multi_thread")]
async fn a_real_s3_server_honours_links() {
    let Some(server) = S3Server::start_or_skip() else { return };
    let store = server.create_bucket("links").await;
    store.put("a b/page.html", Bytes::from_static(b"<script>")).await.expect("written");
    let settings = LinkSettings {
        lifetime: Duration::from_secs(60),
        content_type: "application/octet-stream".to_owned(),
        content_disposition: "attachment; filename=\"page.html\"".to_owned(),
        endpoint: None,
    };
    let link = store.link("a b/page.html", &settings).await.expect("signs").expect("a link");
    let answer = get(&link);
    let head = answer.to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 200 ") && answer.ends_with("<script>"), "{answer}");
    assert!(head.contains("content-type: application/octet-stream\r\n"), "{answer}");
    assert!(head.contains("content-disposition: attachment; filename=\"page.html\"\r\n"), "{answer}");
    let altered = link.replace("octet-stream", "xhtml");
    assert!(get(&altered).starts_with("HTTP/1.1 403 "), "{altered}");
    let (unsigned, _) = link.split_once('?').expect("a query");
    assert!(get(unsigned).starts_with("HTTP/1.1 403 "), "{unsigned}");
    // Through what stands in front of the store for others: it passes on what it is asked.
    let front = front_of(&link);
    let elsewhere = LinkSettings { endpoint: Some(front.parse().expect("a URL")), ..settings.clone() };
    let outside = store.link("a b/page.html", &elsewhere).await.expect("signs").expect("a link");
    assert!(outside.starts_with(&front), "{outside}");
    let answer = get(&outside);
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("<script>"), "{answer}");
    let (host, _) = link.split_once("/links/").expect("the bucket in the path");
    let misled = outside.replacen(&front, host, 1);
    assert!(get(&misled).starts_with("HTTP/1.1 403 "), "a signature is for one host: {misled}");
    let too_long = LinkSettings { lifetime: Duration::from_secs(8 * 24 * 3600), ..settings };
    assert!(store.link("x", &too_long).await.is_err());
}

/// Another address of the server that a link leads to.
fn front_of(link: &str) -> String {
    let (host, _) = link.strip_prefix("http://").and_then(|rest| rest.split_once('/')).expect("a URL");
    let host = host.to_owned();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (Ok(mut client), Ok(mut server)) = (client, std::net::TcpStream::connect(&host)) else { return };
            let (mut from, mut to) = (client.try_clone().expect("a handle"), server.try_clone().expect("a handle"));
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            let _ = std::io::copy(&mut server, &mut client);
            let _ = client.shutdown(std::net::Shutdown::Both);
        }
    });
    format!("http://{address}")
}

/// The whole answer to a GET of a URL.
fn get(url: &str) -> String {
    use std::io::{Read as _, Write as _};

    let (host, path) = url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).expect("a URL");
    let mut stream = std::net::TcpStream::connect(host).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a limit");
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

fn with_backslash() -> Vec<&'static str> {
    ODD_KEYS.iter().copied().chain([BACKSLASH]).collect()
}

fn assert_no_temporary_files(directory: &Path) {
    for entry in fs::read_dir(directory).expect("lists") {
        let entry = entry.expect("readable");
        assert!(!entry.file_name().to_string_lossy().starts_with(".penstock-tmp-"), "{entry:?} is left");
        if entry.file_type().expect("known").is_dir() {
            assert_no_temporary_files(&entry.path());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stores_and_part_sizes_agree_on_digests() {
    let home = TempDir::new().expect("temporary directory");
    write(home.path().join("tree/x/y"), &noise(3 * MIB, 4));
    write(home.path().join("tree/z"), b"z");
    let local = engine(Arc::new(LocalStore::new(home.path().join("store"))), quick());
    let other = engine(Arc::new(MemoryStore::new("bucket")), TransferSettings { part_size: 1024, ..quick() });
    let tree = home.path().join("tree");
    let first = local.upload(&tree, "s3://bucket/t").await.expect("uploads");
    assert_eq!(first, other.upload(&tree, "s3://bucket/t").await.expect("uploads"));
}
