//! Certificates that are made, rotated, shared and repaired, while clients call.

mod support;

use std::collections::HashSet;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hyper::Method;
use penstock_webhook::certificates::{CertificateSettings, CertificateTimes};
use rcgen::{CertifiedKey, KeyPair};
use support::client::Hook;
use support::fake_api::FakeApi;
use support::{HOST, eventually, golden, review, self_managed, start};
use tokio::time::sleep;

/// Lives of seconds, so that a test sees several.
fn quick() -> CertificateTimes {
    CertificateTimes {
        authority: Duration::from_secs(12),
        leaf: Duration::from_secs(5),
        settle: Duration::from_secs(2),
        backdate: Duration::from_secs(1),
        check: Duration::from_millis(250),
    }
}

/// When this process last stood still for longer than a renewal may be late: the webhook is a part of it.
#[derive(Debug, Clone, Default)]
struct Pauses {
    last: Arc<Mutex<Option<Instant>>>,
}

impl Pauses {
    fn watch() -> Pauses {
        let pauses = Pauses::default();
        let watching = pauses.clone();
        tokio::spawn(async move {
            loop {
                let before = Instant::now();
                sleep(Duration::from_millis(50)).await;
                if before.elapsed() > quick().settle / 2 {
                    watching.last.lock().expect("no one panics with it").replace(Instant::now());
                }
            }
        });
        pauses
    }

    fn within(&self, time: Duration) -> bool {
        self.last.lock().expect("no one panics with it").is_some_and(|last| last.elapsed() < time)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f20_rotation_of_leaf_and_authority_under_load_drops_no_call() {
    let api = FakeApi::start().await;
    let webhook = start(api.client(), self_managed(quick())).await;
    webhook.ready().await;
    let (is_over, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let pauses = Pauses::watch();
    let body = review(&golden("task"), "team-a").to_string();
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let (api, address, body) = (api.clone(), webhook.address, body.clone());
        let (is_over, calls, pauses) = (Arc::clone(&is_over), Arc::clone(&calls), pauses.clone());
        clients.spawn(async move {
            let mut leaves = HashSet::new();
            while !is_over.load(Ordering::Relaxed) {
                // What an API server trusts is a little old.
                let (bundle, read) = (api.bundle(), Instant::now());
                sleep(Duration::from_millis(150)).await;
                let hook = Hook::connect(address, &bundle).await;
                // A machine that stands still for longer than the settling time proves nothing.
                let is_late = read.elapsed() > quick().settle / 2;
                if hook.is_err() && (is_late || pauses.within(quick().leaf)) {
                    continue;
                }
                let mut hook = hook.expect("trusts what is served");
                let reply = hook.post(body.as_bytes()).await.expect("is answered");
                assert_eq!(reply.status, 200);
                leaves.insert(hook.certificate());
                calls.fetch_add(1, Ordering::Relaxed);
            }
            leaves
        });
    }
    let mut bundles = HashSet::new();
    for _ in 0..230 {
        sleep(Duration::from_millis(100)).await;
        bundles.insert(api.bundle());
    }
    is_over.store(true, Ordering::Relaxed);
    let mut leaves = HashSet::new();
    while let Some(ended) = clients.join_next().await {
        leaves.extend(ended.expect("no call failed"));
    }
    // Faults that never happen prove nothing.
    assert!(leaves.len() >= 5, "{} leaves", leaves.len());
    assert!(bundles.len() >= 4, "{} bundles", bundles.len());
    assert!(calls.load(Ordering::Relaxed) >= 150, "{calls:?} calls");
    assert_eq!(webhook.health.waiting(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn f20_a_wiped_ca_bundle_is_put_back_and_foreign_entries_stay() {
    let api = FakeApi::start().await;
    let webhook = start(api.client(), self_managed(CertificateTimes::default())).await;
    webhook.ready().await;
    let bundle = api.bundle();
    for _ in 0..2 {
        api.wipe_bundle();
        assert_eq!(api.bundle(), "");
        eventually("the bundle is back", || async {
            if api.bundle() == bundle { Ok(()) } else { Err("it is not".to_owned()) }
        })
        .await;
    }
    let configuration = api.configuration();
    assert_eq!(configuration["webhooks"][0]["clientConfig"]["caBundle"], "Zm9yZWlnbg==");
    assert_eq!(configuration["webhooks"][1]["fieldOfTomorrow"], 7);
    // Counted once the API has answered, which is after others see it.
    eventually("each write is counted", || async {
        let writes = webhook.metric("penstock_webhook_ca_bundle_writes_total");
        if writes == 3.0 { Ok(()) } else { Err(format!("{writes} writes")) }
    })
    .await;
    Hook::connect(webhook.address, &bundle).await.expect("connects");
}

#[tokio::test(flavor = "multi_thread")]
async fn f20_a_certificate_that_nobody_trusts_yet_is_not_served() {
    let api = FakeApi::start().await;
    let times = CertificateTimes { check: Duration::from_millis(100), ..CertificateTimes::default() };
    let webhook = start(api.client(), self_managed(times)).await;
    webhook.ready().await;
    let before = api.bundle();
    // The Secret is lost, and the configuration cannot be written.
    api.forbid(&[Method::PATCH]);
    api.delete_certificates();
    eventually("others are made, and cannot be published", || async {
        if api.refused() > 1 { Ok(()) } else { Err("not yet".to_owned()) }
    })
    .await;
    assert_eq!((api.writes("POST"), api.bundle() == before), (2, true));
    Hook::connect(webhook.address, &before).await.expect("the one that is trusted is served");
    api.forbid(&[]);
    eventually("the new authority is trusted", || async {
        if api.bundle() == before { Err("not yet".to_owned()) } else { Ok(()) }
    })
    .await;
    let bundle = api.bundle();
    eventually("and serves", || async { Hook::connect(webhook.address, &bundle).await.map(drop) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_only_the_installation_may_make_is_told_with_the_remedy() {
    let api = FakeApi::start().await;
    api.forbid(&[Method::POST]);
    let webhook = start(api.client(), self_managed(CertificateTimes::default())).await;
    eventually("it says what to do", || async {
        let waiting = format!("{:?}", webhook.health.waiting());
        let is_told = ["cannot create Secret penstock-system/penstock-webhook-certificate", "kubectl apply -k"];
        if is_told.iter().all(|part| waiting.contains(part)) { Ok(()) } else { Err(waiting) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f36_replicas_share_one_authority_and_do_not_fight() {
    let api = FakeApi::start().await;
    let mut replicas = Vec::new();
    for _ in 0..3 {
        replicas.push(start(api.client(), self_managed(CertificateTimes::default())).await);
    }
    let mut leaves = HashSet::new();
    for replica in &replicas {
        replica.ready().await;
        let hook = Hook::connect(replica.address, &api.bundle()).await.expect("trusts each replica");
        leaves.insert(hook.certificate());
    }
    assert_eq!(leaves.len(), 1);
    assert_eq!((api.writes("POST"), api.writes("PUT")), (1, 0));
    // Nobody writes when nothing is due.
    let patches = api.writes("PATCH");
    sleep(Duration::from_secs(1)).await;
    assert_eq!((api.writes("PATCH"), api.writes("PUT")), (patches, 0));
    // One that starts later takes what is there.
    let late = start(api.client(), self_managed(CertificateTimes::default())).await;
    late.ready().await;
    let hook = Hook::connect(late.address, &api.bundle()).await.expect("trusts it");
    assert!(leaves.contains(&hook.certificate()));
}

/// A Secret as the kubelet mounts it: files are links into `..data`, and that is a link which is swapped.
struct MountedSecret(tempfile::TempDir);

impl MountedSecret {
    fn empty() -> MountedSecret {
        MountedSecret(tempfile::tempdir().expect("a directory"))
    }

    fn directory(&self) -> PathBuf {
        self.0.path().to_owned()
    }

    fn put(&self, revision: &str, pair: &CertifiedKey<KeyPair>) {
        let (root, there) = (self.0.path(), self.0.path().join(format!("..{revision}")));
        std::fs::create_dir(&there).expect("creates");
        std::fs::write(there.join("tls.crt"), pair.cert.pem()).expect("writes");
        std::fs::write(there.join("tls.key"), pair.signing_key.serialize_pem()).expect("writes");
        let (old, new) = (std::fs::canonicalize(root.join("..data")), root.join("..data_tmp"));
        symlink(format!("..{revision}"), &new).expect("links");
        std::fs::rename(&new, root.join("..data")).expect("renames");
        for name in ["tls.crt", "tls.key"] {
            if old.is_err() {
                symlink(Path::new("..data").join(name), root.join(name)).expect("links");
            }
        }
        if let Ok(old) = old {
            std::fs::remove_dir_all(old).expect("removes");
        }
    }
}

fn pair() -> CertifiedKey<KeyPair> {
    rcgen::generate_simple_self_signed(vec![HOST.to_owned()]).expect("generates")
}

#[tokio::test(flavor = "multi_thread")]
async fn f20_certificates_from_files_are_swapped_with_their_directory() {
    let api = FakeApi::start().await;
    let secret = MountedSecret::empty();
    let settings = CertificateSettings::Files { directory: secret.directory(), poll: Duration::from_millis(50) };
    let webhook = start(api.client(), settings).await;
    eventually("it says what it waits for", || async {
        let waiting = webhook.health.waiting();
        let told = waiting.iter().any(|(name, reason)| *name == "webhook certificate" && reason.contains("tls.crt"));
        if told { Ok(()) } else { Err(format!("{waiting:?}")) }
    })
    .await;
    let (first, second) = (pair(), pair());
    secret.put("1", &first);
    webhook.ready().await;
    Hook::connect(webhook.address, &first.cert.pem()).await.expect("trusts the first");
    secret.put("2", &second);
    let second = second.cert.pem();
    eventually("the second is served", || async { Hook::connect(webhook.address, &second).await.map(|_| ()) }).await;
    assert!(Hook::connect(webhook.address, &first.cert.pem()).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn f20_certificates_from_files_are_renewed_under_load_and_no_call_is_dropped() {
    const REVISIONS: usize = 6;
    let api = FakeApi::start().await;
    let secret = MountedSecret::empty();
    let pairs: Vec<_> = (0..REVISIONS).map(|_| pair()).collect();
    // Whoever renews them sees to it that all are trusted: cert-manager has them signed by one authority.
    let bundle: String = pairs.iter().map(|pair| pair.cert.pem()).collect();
    secret.put("0", &pairs[0]);
    let settings = CertificateSettings::Files { directory: secret.directory(), poll: Duration::from_millis(5) };
    let webhook = start(api.client(), settings).await;
    webhook.ready().await;

    let (is_over, body) = (Arc::new(AtomicBool::new(false)), review(&golden("task"), "team-a").to_string());
    let shown = Arc::new(Mutex::new(HashSet::new()));
    let mut clients = tokio::task::JoinSet::new();
    for keeps_its_connection in [true, false, false] {
        let (is_over, body, bundle, address) = (Arc::clone(&is_over), body.clone(), bundle.clone(), webhook.address);
        let shown = Arc::clone(&shown);
        clients.spawn(async move {
            let mut calls = 0_u32;
            let mut hook = Hook::connect(address, &bundle).await.expect("trusts what is served");
            while !is_over.load(Ordering::Relaxed) {
                if !keeps_its_connection {
                    hook = Hook::connect(address, &bundle).await.expect("trusts what is served");
                }
                assert_eq!(hook.post(body.as_bytes()).await.expect("is answered").status, 200);
                shown.lock().expect("certificates").insert(hook.certificate());
                calls += 1;
            }
            assert!(calls > 0, "a client that never called proves nothing");
        });
    }
    for (revision, pair) in pairs.iter().enumerate() {
        if revision > 0 {
            secret.put(&revision.to_string(), pair);
        }
        eventually("clients are shown this one", || async {
            let is_shown = shown.lock().expect("certificates").contains(&pair.cert.der().to_vec());
            if is_shown { Ok(()) } else { Err(format!("revision {revision} is not")) }
        })
        .await;
    }
    is_over.store(true, Ordering::Relaxed);
    while let Some(ended) = clients.join_next().await {
        ended.expect("no call failed");
    }
    assert_eq!(shown.lock().expect("certificates").len(), REVISIONS);
    assert_eq!(webhook.health.waiting(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_configuration_is_named() {
    let api = FakeApi::start().await;
    let CertificateSettings::SelfManaged(mut settings) = self_managed(CertificateTimes::default()) else {
        panic!("self-managed")
    };
    settings.configuration = "absent".to_owned();
    let webhook = start(api.client(), CertificateSettings::SelfManaged(settings)).await;
    eventually("it says what is missing", || async {
        let waiting = webhook.health.waiting();
        let told = waiting.iter().any(|(_, reason)| reason.contains("no MutatingWebhookConfiguration absent"));
        if told && waiting.len() == 1 { Ok(()) } else { Err(format!("{waiting:?}")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f09_writes_that_are_refused_as_late_are_made_again_on_what_is_there() {
    let api = FakeApi::start().await;
    api.fail(3, 409);
    let webhook = start(api.client(), self_managed(CertificateTimes::default())).await;
    webhook.ready().await;
    assert_eq!(api.left_to_fail(), 0);
    Hook::connect(webhook.address, &api.bundle()).await.expect("trusts it");
}

#[tokio::test(flavor = "multi_thread")]
async fn f08_while_the_api_fails_it_says_so_and_then_goes_on() {
    let api = FakeApi::start().await;
    api.fail(u32::MAX, 500);
    let times = CertificateTimes { check: Duration::from_millis(250), ..CertificateTimes::default() };
    let webhook = start(api.client(), self_managed(times)).await;
    for (name, reason) in [
        ("webhook certificate", "cannot read Secret penstock-system/penstock-webhook-certificate"),
        ("webhook caBundle", "cannot read Secret"),
        ("settings of namespaces", "cannot list ConfigMaps penstock-settings"),
    ] {
        eventually("it says what it waits for", || async {
            let waiting = webhook.health.waiting();
            let told = waiting.iter().any(|(told, text)| *told == name && text.contains(reason));
            if told { Ok(()) } else { Err(format!("{waiting:?}")) }
        })
        .await;
    }
    api.fail(0, 500);
    webhook.ready().await;
    let bundle = api.bundle();
    // A ready webhook stays ready while the API is gone: it has all it needs.
    api.fail(u32::MAX, 500);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(webhook.health.waiting(), []);
    let mut hook = Hook::connect(webhook.address, &bundle).await.expect("connects");
    let body = review(&golden("task"), "team-a").to_string();
    assert_eq!(hook.post(body.as_bytes()).await.expect("answers").status, 200);
}
