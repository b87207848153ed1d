//! Tokens of a real, small issuer: it serves its keys over HTTP on loopback, and signs with ring.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Request, Response};
use penstock_runtime::server::{self, ServerLimits};
use penstock_runtime::shutdown::Shutdown;
use penstock_spec::Timestamp;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaKeyPair, RsaPublicKeyComponents,
};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpListener;

use super::keys::Pace;
use super::*;

const RSA: &[u8] = include_bytes!("../../../testdata/oidc/rsa.pk8");
const CLIENT: &str = "penstock";

/// Keys are fetched whenever a token names one that is not known.
const RESTLESS: Pace =
    Pace { refresh: Duration::from_secs(3600), expire: Duration::from_secs(7200), rest: Duration::ZERO };

#[derive(Debug)]
struct Issuer {
    url: String,
    /// Answers by path.
    published: Arc<Mutex<HashMap<String, Vec<u8>>>>,
    asked: Arc<AtomicUsize>,
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A key that signs.
enum Signer {
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

impl Signer {
    fn ec() -> Signer {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        Signer::Ec(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap())
    }

    fn ed() -> Signer {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Signer::Ed(Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap())
    }

    fn rsa() -> Signer {
        Signer::Rsa(RsaKeyPair::from_pkcs8(RSA).unwrap())
    }

    fn public(&self, id: &str) -> Value {
        match self {
            Signer::Ec(pair) => {
                let point = pair.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "kid": id, "use": "sig", "x": encode(&point[1..33]), "y": encode(&point[33..])})
            }
            Signer::Ed(pair) => json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": encode(pair.public_key())}),
            Signer::Rsa(pair) => {
                let RsaPublicKeyComponents { n, e } = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({"kty": "RSA", "kid": id, "use": "sig", "n": encode(n), "e": encode(e)})
            }
        }
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Signer::Ec(_) => "ES256",
            Signer::Ed(_) => "EdDSA",
            Signer::Rsa(_) => "RS256",
        }
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        let random = SystemRandom::new();
        let signature = match self {
            Signer::Ec(pair) => pair.sign(&random, message.as_bytes()).unwrap().as_ref().to_vec(),
            Signer::Ed(pair) => pair.sign(message.as_bytes()).as_ref().to_vec(),
            Signer::Rsa(pair) => {
                let padding: &dyn ring::signature::RsaEncoding =
                    if header["alg"] == "PS256" { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(padding, &random, message.as_bytes(), &mut signature).unwrap();
                signature
            }
        };
        format!("{message}.{}", encode(signature))
    }

    /// A token under a key id.
    fn token(&self, id: &str, claims: &Value) -> String {
        self.sign(&json!({"alg": self.algorithm(), "kid": id, "typ": "JWT"}), claims)
    }
}

impl Issuer {
    async fn start() -> Issuer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let published: Arc<Mutex<HashMap<String, Vec<u8>>>> = Arc::default();
        let asked: Arc<AtomicUsize> = Arc::default();
        let (of_server, counter) = (Arc::clone(&published), Arc::clone(&asked));
        tokio::spawn(server::serve(
            listener,
            None,
            ServerLimits::default(),
            Shutdown::new(),
            move |request: Request<hyper::body::Incoming>| {
                counter.fetch_add(1, Ordering::Relaxed);
                let found = of_server.lock().unwrap().get(request.uri().path()).cloned();
                let mut response = Response::new(Full::new(Bytes::from(found.clone().unwrap_or_default())));
                if found.is_none() {
                    *response.status_mut() = hyper::StatusCode::SERVICE_UNAVAILABLE;
                }
                async move { response }
            },
        ));
        let issuer = Issuer { url, published, asked };
        issuer.publish(DISCOVERY, &json!({"issuer": issuer.url, "jwks_uri": format!("{}/keys", issuer.url)}));
        issuer
    }

    fn publish(&self, path: &str, document: &Value) {
        self.published.lock().unwrap().insert(path.to_owned(), document.to_string().into_bytes());
    }

    fn publish_keys(&self, keys: &[Value]) {
        self.publish("/keys", &json!({"keys": keys}));
    }

    fn fail(&self) {
        self.published.lock().unwrap().clear();
    }

    fn settings(&self) -> OidcSettings {
        OidcSettings {
            issuer: self.url.clone(),
            audience: CLIENT.to_owned(),
            user_claim: "email".to_owned(),
            groups_claim: "groups".to_owned(),
            authorities: None,
        }
    }

    fn oidc(&self) -> Oidc {
        Oidc::with_pace(self.settings(), RESTLESS).unwrap()
    }

    /// What a good token says, with something else in it.
    fn claims(&self, change: Value) -> Value {
        let now = Timestamp::now().as_second();
        let mut claims = json!({"iss": self.url, "aud": CLIENT, "sub": "1234", "email": "ann@example.com",
                                "exp": now + 600, "iat": now});
        let Value::Object(change) = change else { panic!("{change} is no object") };
        claims.as_object_mut().unwrap().extend(change);
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        claims
    }
}

const DISCOVERY: &str = "/.well-known/openid-configuration";

async fn identify(oidc: &Oidc, token: &str) -> Result<Option<Caller>, IdentityError> {
    let value = format!("Bearer {token}").parse().unwrap();
    let headers: HeaderMap = [(header::AUTHORIZATION, value)].into_iter().collect();
    oidc.identify(Presented { headers: &headers, peer: None, on_loopback: false }).await
}

/// Why a token is refused.
async fn refusal(oidc: &Oidc, token: &str) -> String {
    match identify(oidc, token).await {
        Err(IdentityError::Refused(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_token_says_who_it_is_about() {
    let (issuer, ec, ed, rsa) = (Issuer::start().await, Signer::ec(), Signer::ed(), Signer::rsa());
    issuer.publish_keys(&[ec.public("ec"), ed.public("ed"), rsa.public("rsa"), json!({"kty": "?"})]);
    let oidc = issuer.oidc();
    let claims = issuer.claims(json!({"groups": ["team-a", "system:masters", 7], "aud": ["other", CLIENT]}));
    let expected = Caller { user: "ann@example.com".to_owned(), groups: vec!["team-a".to_owned()] };
    let pss = rsa.sign(&json!({"alg": "PS256", "kid": "rsa"}), &claims);
    let unnamed = ed.sign(&json!({"alg": "EdDSA"}), &claims);
    for token in [ec.token("ec", &claims), ed.token("ed", &claims), rsa.token("rsa", &claims), pss, unnamed] {
        assert_eq!(identify(&oidc, &token).await, Ok(Some(expected.clone())), "{token}");
    }
    // Discovery, and the keys, once.
    assert_eq!(issuer.asked.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn tokens_that_say_the_wrong_thing_are_refused() {
    let (issuer, key) = (Issuer::start().await, Signer::ec());
    issuer.publish_keys(&[key.public("k")]);
    let oidc = issuer.oidc();
    let now = Timestamp::now().as_second();
    for (change, reason) in [
        (json!({"aud": "other"}), "not meant for \"penstock\""),
        (json!({"aud": ["other"]}), "not meant for \"penstock\""),
        (json!({"aud": null}), "no claim aud"),
        (json!({"exp": now - 120}), "expired"),
        (json!({"exp": null}), "no claim exp"),
        (json!({"exp": "tomorrow"}), "no claim exp"),
        (json!({"exp": 5}), "expired"),
        (json!({"nbf": now + 600}), "not valid yet"),
        (json!({"email": null}), "no claim email"),
        (json!({"email": ["ann"]}), "no claim email"),
        (json!({"email": "a\nb"}), "no claim email"),
        (json!({"email": "system:serviceaccount:kube-system:admin"}), "Kubernetes' own"),
        (json!({"email_verified": false}), "not verified"),
        (json!({"groups": vec!["g"; 513]}), "513 groups"),
    ] {
        let text = refusal(&oidc, &key.token("k", &issuer.claims(change.clone()))).await;
        assert!(text.contains(reason), "{change}: {text}");
    }
}

#[tokio::test]
async fn tokens_of_other_issuers_are_left_to_others() {
    let (issuer, key) = (Issuer::start().await, Signer::ec());
    issuer.publish_keys(&[key.public("k")]);
    let oidc = issuer.oidc();
    for change in [json!({"iss": "https://other.example"}), json!({"iss": null}), json!({"iss": [issuer.url]})] {
        assert_eq!(identify(&oidc, &key.token("k", &issuer.claims(change))).await, Ok(None));
    }
    for token in ["x", "a.b.c", "..", "e30.e30.e30"] {
        assert_eq!(identify(&oidc, token).await, Ok(None), "{token}");
    }
    assert_eq!(issuer.asked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn signatures_that_are_not_the_issuers_are_refused() {
    let (issuer, key, rsa) = (Issuer::start().await, Signer::ec(), Signer::rsa());
    issuer.publish_keys(&[
        key.public("k"),
        rsa.public("rsa"),
        json!({"kty": "oct", "kid": "oct", "k": encode("secret")}),
    ]);
    let (oidc, claims) = (issuer.oidc(), issuer.claims(json!({})));
    let body = |header: &Value| format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
    // Without a signature.
    for alg in ["none", "None", "NONE"] {
        let unsigned = body(&json!({"alg": alg, "kid": "k"}));
        for token in [format!("{unsigned}."), format!("{unsigned}.{}", encode("x"))] {
            assert!(refusal(&oidc, &token).await.contains("no known algorithm"), "{alg}");
        }
    }
    // With a secret that everybody knows: a published key.
    let public = rsa.public("rsa");
    let Signer::Rsa(pair) = &rsa else { panic!("it is RSA") };
    for secret in [public.to_string().into_bytes(), pair.public_key().as_ref().to_vec(), b"secret".to_vec()] {
        for id in ["rsa", "oct", "k"] {
            let message = body(&json!({"alg": "HS256", "kid": id}));
            let mut mac = Hmac::<Sha256>::new_from_slice(&secret).unwrap();
            mac.update(message.as_bytes());
            let token = format!("{message}.{}", encode(mac.finalize().into_bytes()));
            assert!(refusal(&oidc, &token).await.contains("shared secret"), "{id}");
        }
    }
    // By another key, under the name of one that there is; and by one that comes with the token.
    let other = Signer::ec();
    let with_key = json!({"alg": "ES256", "kid": "k", "jwk": other.public("k"), "jku": format!("{}/evil", issuer.url)});
    for token in
        [other.token("k", &claims), other.sign(&with_key, &claims), other.sign(&json!({"alg": "ES256"}), &claims)]
    {
        assert!(refusal(&oidc, &token).await.contains("none of the issuer's keys"));
    }
    // A key of one kind with an algorithm of another.
    let crossed = key.sign(&json!({"alg": "RS256", "kid": "k"}), &claims);
    assert!(refusal(&oidc, &crossed).await.contains("none of the issuer's keys"));
    let critical = key.sign(&json!({"alg": "ES256", "kid": "k", "crit": ["x"], "x": 1}), &claims);
    assert!(refusal(&oidc, &critical).await.contains("extensions"));
    // What was changed after it was signed.
    let good = key.token("k", &claims);
    let (head, rest) = good.split_once('.').unwrap();
    let signature = rest.rsplit_once('.').unwrap().1;
    let forged = issuer.claims(json!({"email": "root@example.com"})).to_string();
    let forged = format!("{head}.{}.{signature}", encode(forged));
    assert!(refusal(&oidc, &forged).await.contains("none of the issuer's keys"));
    assert!(identify(&oidc, &good).await.unwrap().is_some());
}

#[tokio::test]
async fn keys_of_the_issuer_change() {
    let (issuer, first, second) = (Issuer::start().await, Signer::ec(), Signer::ec());
    issuer.publish_keys(&[first.public("1")]);
    let (oidc, claims) = (issuer.oidc(), issuer.claims(json!({})));
    assert!(identify(&oidc, &first.token("1", &claims)).await.unwrap().is_some());
    issuer.publish_keys(&[second.public("2")]);
    assert!(identify(&oidc, &second.token("2", &claims)).await.unwrap().is_some());
    assert!(refusal(&oidc, &first.token("1", &claims)).await.contains("none of the issuer's keys"));
    // An issuer that is away takes nothing from the keys that are known.
    issuer.fail();
    assert!(identify(&oidc, &second.token("2", &claims)).await.unwrap().is_some());
}

#[tokio::test]
async fn t20_whatever_tokens_name_the_issuer_is_asked_at_its_pace() {
    let (issuer, key) = (Issuer::start().await, Signer::ec());
    issuer.publish_keys(&[key.public("k")]);
    let oidc = Oidc::new(issuer.settings()).unwrap();
    let claims = issuer.claims(json!({}));
    for number in 0..20 {
        refusal(&oidc, &key.token(&format!("unknown-{number}"), &claims)).await;
    }
    assert_eq!(issuer.asked.load(Ordering::Relaxed), 2);
    assert!(identify(&oidc, &key.token("k", &claims)).await.unwrap().is_some());
}

#[tokio::test]
async fn keys_that_could_not_be_fetched_for_long_no_longer_count() {
    let (issuer, key) = (Issuer::start().await, Signer::ec());
    issuer.publish_keys(&[key.public("k")]);
    let pace = Pace { refresh: Duration::ZERO, expire: Duration::from_millis(300), rest: Duration::ZERO };
    let oidc = Oidc::with_pace(issuer.settings(), pace).unwrap();
    let token = key.token("k", &issuer.claims(json!({})));
    assert!(identify(&oidc, &token).await.unwrap().is_some());
    issuer.fail();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        match identify(&oidc, &token).await {
            Ok(Some(_)) => assert!(tokio::time::Instant::now() < deadline, "old keys count for ever"),
            Err(IdentityError::Unavailable(text)) => {
                assert!(text.contains("answers 503"), "{text}");
                break;
            }
            other => panic!("{other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// R10: no keys, nobody is let in, and it is not called the caller's fault.
#[tokio::test]
async fn an_issuer_that_answers_nothing_of_use_lets_nobody_in() {
    let key = Signer::ec();
    for (path, document, reason) in [
        (
            DISCOVERY,
            json!({"issuer": "https://other.example", "jwks_uri": "https://other.example/k"}),
            "is of the issuer",
        ),
        (DISCOVERY, json!({"jwks_uri": 7}), "something else"),
        ("/keys", json!({"keys": "none"}), "something else"),
        ("/keys", json!({"keys": [], "padding": "x".repeat(600 << 10)}), "more than 524288 bytes"),
    ] {
        let issuer = Issuer::start().await;
        issuer.publish_keys(&[key.public("k")]);
        issuer.publish(path, &document);
        let oidc = issuer.oidc();
        match identify(&oidc, &key.token("k", &issuer.claims(json!({})))).await {
            Err(IdentityError::Unavailable(text)) => assert!(text.contains(reason), "{text}"),
            other => panic!("{reason}: {other:?}"),
        }
    }
    let issuer = Issuer::start().await;
    issuer.publish(DISCOVERY, &json!({"issuer": issuer.url, "jwks_uri": "http://keys.example/"}));
    let refused = identify(&issuer.oidc(), &key.token("k", &issuer.claims(json!({})))).await.unwrap_err();
    assert!(refused.to_string().contains("no https URL"), "{refused}");
}

#[test]
fn i31_an_issuer_that_anybody_could_be_is_refused() {
    for issuer in ["http://issuer.example", "issuer.example", "https://issuer.example?x=1", "file:///keys", ""] {
        let settings = OidcSettings {
            issuer: issuer.to_owned(),
            audience: CLIENT.to_owned(),
            user_claim: "sub".to_owned(),
            groups_claim: "groups".to_owned(),
            authorities: None,
        };
        assert_eq!(Oidc::new(settings).unwrap_err(), OidcError::Issuer(issuer.to_owned()));
    }
    let settings = OidcSettings {
        issuer: "https://issuer.example".to_owned(),
        audience: CLIENT.to_owned(),
        user_claim: "sub".to_owned(),
        groups_claim: "groups".to_owned(),
        authorities: Some(b"-----BEGIN CERTIFICATE-----\n???".to_vec()),
    };
    assert!(matches!(Oidc::new(settings), Err(OidcError::Client(_))));
}
