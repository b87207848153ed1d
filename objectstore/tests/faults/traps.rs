//! Trees that user code laid as traps, and keys that lead elsewhere.

use std::{
    fs,
    os::unix::{ffi::OsStrExt, fs::symlink, net::UnixListener},
    path::Path,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use penstock_objectstore::{
    ErrorKind, ObjectStore, TransferError, TransferSettings, UploadSource, memory::MemoryStore,
};
use tempfile::TempDir;

use crate::{MIB, engine, local_engine, quick, sample};

#[tokio::test(flavor = "multi_thread")]
async fn t04_i16_traps_in_output_directories_are_refused_by_name() {
    type Trap = fn(&Path);
    let traps: &[(&str, Trap)] = &[
        ("leads out of the directory", |trap| symlink("../secret", trap).expect("linked")),
        ("leads out of the directory", |trap| symlink("/etc/passwd", trap).expect("linked")),
        ("leads out of the directory", |trap| symlink("below/../../secret", trap).expect("linked")),
        ("leads nowhere", |trap| symlink("absent", trap).expect("linked")),
        ("leads to a directory", |trap| symlink("below", trap).expect("linked")),
        ("symbolic link", |trap| symlink("trap", trap).expect("linked")),
        ("symbolic link", |trap| symlink("/proc/self/environ", trap).expect("linked")),
        ("a FIFO", |trap| {
            let mode = rustix::fs::Mode::from_raw_mode(0o600);
            rustix::fs::mknodat(rustix::fs::CWD, trap, rustix::fs::FileType::Fifo, mode, 0).expect("made");
        }),
        ("a socket", |trap| drop(UnixListener::bind(trap).expect("bound"))),
        ("not UTF-8", |trap| {
            let name = std::ffi::OsStr::from_bytes(b"trap\xff");
            fs::write(trap.with_file_name(name), b"x").expect("written");
        }),
    ];
    for (reason, trap) in traps {
        let home = TempDir::new().expect("temporary directory");
        fs::write(home.path().join("secret"), b"secret").expect("written");
        let tree = sample(home.path());
        trap(&tree.join("trap"));
        let memory: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new("bucket"));
        let store = format!("file://{}/store", home.path().display());
        for (transfer, uri) in [(engine(memory, quick()), "s3://bucket/x"), (local_engine(), store.as_str())] {
            let limit = Duration::from_secs(20);
            let upload = tokio::time::timeout(limit, transfer.upload(&tree, uri)).await.expect("never blocks");
            let error = upload.expect_err(reason).to_string();
            assert!(error.contains(reason) && error.contains("trap"), "{reason}: {error}");
            // The trap as the output itself.
            if *reason != "not UTF-8" && *reason != "leads to a directory" {
                let upload = tokio::time::timeout(limit, transfer.upload(&tree.join("trap"), uri)).await;
                let error = upload.expect("never blocks").expect_err(reason).to_string();
                assert!(error.contains("trap"), "{reason}: {error}");
            }
        }
    }
}

#[tokio::test]
async fn i16_links_inside_and_sparse_files_are_uploaded_as_their_bytes() {
    let home = TempDir::new().expect("temporary directory");
    let tree = sample(home.path());
    symlink("below/large", tree.join("relative")).expect("linked");
    symlink(tree.join("small"), tree.join("absolute")).expect("linked");
    fs::hard_link(tree.join("small"), tree.join("hard")).expect("linked");
    fs::File::create(tree.join("sparse")).and_then(|file| file.set_len(MIB)).expect("made");
    let transfer = engine(Arc::new(MemoryStore::new("bucket")), quick());
    let content = transfer.upload(&tree, "s3://bucket/x").await.expect("uploads");
    let target = home.path().join("target");
    transfer.download("s3://bucket/x", Some(&content), &target).await.expect("downloads");
    for (link, file) in [("relative", "below/large"), ("absolute", "small"), ("hard", "small")] {
        assert_eq!(fs::read(target.join(link)).expect("readable"), fs::read(tree.join(file)).expect("readable"));
        assert!(!target.join(link).is_symlink());
    }
    assert_eq!(fs::metadata(target.join("sparse")).expect("is there").len(), MIB);
}

#[tokio::test]
async fn i16_file_count_is_capped_both_ways() {
    let home = TempDir::new().expect("temporary directory");
    let tree = sample(home.path());
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new("bucket"));
    let capped = engine(Arc::clone(&store), TransferSettings { max_files: 1, ..quick() });
    let error = capped.upload(&tree, "s3://bucket/x").await.expect_err("two files");
    assert!(matches!(error, TransferError::TooManyFiles { limit: 1, .. }), "{error}");
    engine(Arc::clone(&store), quick()).upload(&tree, "s3://bucket/x").await.expect("uploads");
    let error = capped.download("s3://bucket/x", None, &home.path().join("target")).await.expect_err("two files");
    assert!(matches!(error, TransferError::TooManyFiles { limit: 1, .. }), "{error}");
}

#[tokio::test]
async fn t02_keys_that_leave_the_directory_are_refused() {
    for key in ["tree/../../escaped", "tree//etc/passwd", "tree/a/./b", "tree/\0"] {
        let home = TempDir::new().expect("temporary directory");
        let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new("bucket"));
        store.put("tree/good", Bytes::from_static(b"x")).await.expect("put");
        store.put(key, Bytes::from_static(b"x")).await.expect("put");
        let target = home.path().join("a/b/target");
        let error = engine(store, quick()).download("s3://bucket/tree", None, &target).await.expect_err(key);
        assert!(matches!(error, TransferError::BadKey { .. }), "{error}");
        assert!(!home.path().join("a").exists());
    }
}

#[tokio::test]
async fn f28_object_that_is_also_a_directory_is_refused_and_markers_are_not_files() {
    let home = TempDir::new().expect("temporary directory");
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new("bucket"));
    for key in ["both", "both/x", "nested/a", "nested/a/b", "marked/", "marked/x"] {
        let bytes: &[u8] = if key.ends_with('/') { b"" } else { b"x" };
        store.put(key, Bytes::from_static(bytes)).await.expect("put");
    }
    let transfer = engine(store, quick());
    for uri in ["s3://bucket/both", "s3://bucket/nested"] {
        let error = transfer.download(uri, None, &home.path().join("target")).await.expect_err(uri);
        assert!(matches!(error, TransferError::Ambiguous { .. }), "{error}");
    }
    transfer.download("s3://bucket/marked", None, &home.path().join("marked")).await.expect("downloads");
    assert_eq!(fs::read_dir(home.path().join("marked")).expect("lists").count(), 1);
    // A local directory cannot hold both, and says so.
    let local = local_engine();
    let root = format!("file://{}/store", home.path().display());
    local.put_bytes(&format!("{root}/a"), "x").await.expect("put");
    for key in ["a/b", "a/b/c"] {
        let error = local.put_bytes(&format!("{root}/{key}"), "x").await.expect_err("a is a file");
        assert!(matches!(&error, TransferError::Store(error) if error.kind() == ErrorKind::Conflict), "{error}");
    }
}

/// Opens in place of a process that may not: with a look at what was asked for.
#[derive(Debug, Default)]
struct Helper(std::sync::Mutex<Vec<std::path::PathBuf>>);

impl penstock_objectstore::Opener for Helper {
    fn open(&self, path: &Path) -> std::io::Result<std::os::fd::OwnedFd> {
        self.0.lock().expect("not poisoned").push(path.to_owned());
        let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        Ok(rustix::fs::openat(rustix::fs::CWD, path, flags, rustix::fs::Mode::empty())?)
    }
}

#[tokio::test]
async fn t04_without_links_no_directory_above_may_be_a_link() {
    let home = tempfile::tempdir().expect("temporary directory");
    let at = |path: &str| home.path().join(path);
    fs::create_dir_all(at("real/tree")).expect("made");
    fs::write(at("real/file"), b"x").expect("written");
    fs::write(at("real/tree/a"), b"a").expect("written");
    symlink("real", at("link")).expect("linked");
    symlink("a", at("real/tree/inside")).expect("linked");
    symlink(at("real/file"), at("real/tree/outside")).expect("linked");
    let transfer = engine(Arc::new(MemoryStore::new("x")), quick());
    let upload = |path| transfer.upload_from(UploadSource::without_links(path), "s3://bucket/x");
    upload(at("real/file")).await.expect("uploads");
    assert!(matches!(upload(at("link/file")).await, Err(TransferError::BadLink { .. })));
    assert!(matches!(upload(at("none/file")).await, Err(TransferError::NoSource { .. })));
    assert!(matches!(upload(at("real/none")).await, Err(TransferError::NoSource { .. })));
    assert!(matches!(upload("real/file".into()).await, Err(TransferError::NotBelow { .. })));
    assert!(matches!(upload(at("real/tree")).await, Err(TransferError::BadLink { .. })), "one leads out");
    fs::remove_file(at("real/tree/outside")).expect("removed");
    assert_eq!(upload(at("real/tree")).await.expect("uploads").files, 2);
}

#[tokio::test]
async fn opener_reaches_what_this_process_cannot_and_is_held_to_the_same_rules() {
    let home = tempfile::tempdir().expect("temporary directory");
    let at = |path: &str| home.path().join(path);
    fs::create_dir_all(at("tree/sub")).expect("made");
    fs::write(at("tree/sub/a"), b"a").expect("written");
    fs::write(at("file"), b"xyz").expect("written");
    symlink("file", at("link")).expect("linked");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        at("fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .expect("made");
    let helper = Arc::new(Helper::default());
    let transfer = engine(Arc::new(MemoryStore::new("x")), quick());
    let upload =
        |path| transfer.upload_from(UploadSource::by_opener(path, Arc::clone(&helper) as Arc<_>), "s3://bucket/x");
    assert_eq!(upload(at("file")).await.expect("uploads").size, 3);
    assert_eq!(upload(at("tree")).await.expect("uploads").files, 1);
    assert_eq!(*helper.0.lock().expect("not poisoned"), [at("file"), at("tree")], "files below are opened here");
    assert!(matches!(upload(at("link")).await, Err(TransferError::BadLink { .. })));
    assert!(matches!(upload(at("fifo")).await, Err(TransferError::NotRegular { .. })));
    assert!(matches!(upload(at("none")).await, Err(TransferError::NoSource { .. })));
}
