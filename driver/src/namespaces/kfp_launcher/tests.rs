//! What KFP's ConfigMap means, case by case.

#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

use rstest::rstest;
use serde_json::{Value, json};

use super::*;

const ENDPOINT: &str = "http://minio-service.kubeflow:9000";

fn read(data: &[(&str, &str)], prefixes: Option<&str>) -> Result<ReadSettings, LauncherConfigError> {
    let data = data.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    read_settings(&NamespaceConfig {
        kfp_launcher: Some(&data),
        allowed_prefixes: prefixes,
        run_as: RunAsConfig::default(),
        store_ca: None,
        default_endpoint: ENDPOINT,
        default_store_ca: None,
    })
}

fn providers(yaml: &str) -> ReadSettings {
    read(&[("providers", yaml)], None).unwrap()
}

fn stores(read: &ReadSettings) -> Value {
    serde_json::to_value(&read.settings.stores).unwrap()
}

fn secret(name: &str) -> Value {
    json!({"secret": {"name": name, "accessKey": "a", "secretKey": "s"}})
}

#[test]
fn absent_and_empty_config_mean_kfps_own_defaults() {
    let absent = read_settings(&NamespaceConfig {
        kfp_launcher: None,
        allowed_prefixes: None,
        run_as: RunAsConfig::default(),
        store_ca: None,
        default_endpoint: ENDPOINT,
        default_store_ca: None,
    })
    .unwrap();
    assert_eq!(absent.settings, NamespaceSettings::kfp_default(ENDPOINT));
    assert_eq!(absent, read(&[], None).unwrap());
    assert_eq!(absent, read(&[("defaultPipelineRoot", ""), ("providers", "  \n")], None).unwrap());
    assert_eq!(absent, providers("minio: {}\ns3: null\n"));
    assert_eq!((absent.problems.len(), absent.warnings.len()), (0, 0));
}

#[test]
fn one_scheme_is_configured_and_the_other_keeps_its_default() {
    let read = providers(
        "s3:\n  default:\n    endpoint: seaweed.store:8333\n    region: here\n    disableSSL: true\n    forcePathStyle: \
         false\n    maxRetries: 7\n    credentials: {secretRef: {secretName: keys, accessKeyKey: a, secretKeyKey: s}}\n",
    );
    assert_eq!(read.problems, [""; 0]);
    assert_eq!(read.warnings, [""; 0]);
    let expected = json!([
        {"scheme": "minio", "endpoint": ENDPOINT, "pathStyle": true, "credentials": {"secret": {
            "name": "mlpipeline-minio-artifact", "accessKey": "accesskey", "secretKey": "secretkey"}}},
        {"scheme": "s3", "endpoint": "http://seaweed.store:8333", "region": "here", "pathStyle": false,
         "requestTries": 7, "credentials": secret("keys")},
    ]);
    assert_eq!(stores(&read), expected);
}

/// What an override does not say is the default's; its credentials are its own. The first that matches is taken, so the
/// order stands.
#[test]
fn overrides_come_first_in_their_order_and_inherit() {
    let read = providers(
        "minio:\n  default:\n    endpoint: minio.one:9000\n    region: one\n    disableSSL: true\n    maxRetries: 0\n    \
         credentials: {fromEnv: false, secretRef: {secretName: d, accessKeyKey: a, secretKeyKey: s}}\n  Overrides:\n  - \
         bucketName: team\n    keyPrefix: /some/path/\n    credentials: {fromEnv: true}\n  - bucketName: team\n    \
         keyPrefix: 2024\n    endpoint: minio.two\n    disableSSL: false\n    maxRetries: 2\n    credentials: {secretRef: \
         {secretName: o, accessKeyKey: a, secretKeyKey: s}}\n  - keyPrefix: nowhere\n    credentials: {fromEnv: true}\n",
    );
    assert_eq!(read.problems, [""; 0]);
    assert_eq!(
        read.warnings,
        ["ConfigMap kfp-launcher: providers.minio.overrides[2] is ignored: it names no bucketName"]
    );
    let minio: Vec<Value> = stores(&read).as_array().unwrap()[..3].to_vec();
    let expected = json!([
        {"scheme": "minio", "bucket": "team", "keyPrefix": "some/path", "endpoint": "http://minio.one:9000",
         "region": "one", "pathStyle": true, "credentials": "environment"},
        {"scheme": "minio", "bucket": "team", "keyPrefix": "2024", "endpoint": "https://minio.two",
         "region": "one", "pathStyle": true, "requestTries": 2, "credentials": secret("o")},
        {"scheme": "minio", "endpoint": "http://minio.one:9000", "region": "one", "pathStyle": true,
         "credentials": secret("d")},
    ]);
    assert_eq!(Value::from(minio), expected);
}

/// A section that cannot be used takes its scheme away and nothing else.
#[rstest]
#[case("s3: {Overrides: []}", "providers.s3.default.credentials is missing")]
#[case("s3: {default: {endpoint: host}}", "providers.s3.default.credentials is missing")]
#[case(
    "s3: {default: {credentials: {}}}",
    "providers.s3.default.credentials has neither fromEnv: true nor a secretRef"
)]
#[case(
    "s3: {default: {credentials: {secretRef: {}}}}",
    "providers.s3.default.credentials.secretRef.secretName is missing"
)]
#[case(
    "s3: {default: {credentials: {fromEnv: true}}, overrides: [{bucketName: bucket}]}",
    "providers.s3.overrides[0].credentials is missing"
)]
#[case(
    "s3: {default: {credentials: {fromEnv: 'yes'}}}",
    "providers.s3.default.credentials.fromEnv is neither true nor false"
)]
#[case("s3: {default: [1]}", "providers.s3.default is not a mapping of fields")]
#[case("s3: 7", "providers.s3 is not a mapping of fields")]
#[case("s3: {}\nS3: {}", "providers.s3 is given twice")]
#[case(
    "s3: {default: {maxRetries: -1, credentials: {fromEnv: true}}}",
    "providers.s3.default.maxRetries is not a number from 0"
)]
#[case(
    "s3: {default: {endpoint: 'http://user:secret@host', credentials: {fromEnv: true}}}",
    "providers.s3.default.endpoint"
)]
#[case("s3: {default: {endpoint: 'ftp://host', credentials: {fromEnv: true}}}", "is neither a host and port nor")]
#[case(
    "s3: {default: {credentials: {fromEnv: true}}, overrides: [{bucketName: b, credentials: {fromEnv: true}}]}",
    "names no usable place"
)]
#[case(
    "s3: {default: {credentials: {fromEnv: true}}, overrides: [{bucketName: bucket, keyPrefix: a/../b, credentials: {fromEnv: true}}]}",
    "names no usable place"
)]
#[case(
    "s3: {default: {credentials: {secretRef: {secretName: ../x, accessKeyKey: a, secretKeyKey: s}}}}",
    "secretName \"../x\" is not a name"
)]
#[case(
    "s3: {default: {credentials: {secretRef: {secretName: x, accessKeyKey: '..', secretKeyKey: s}}}}",
    "accessKeyKey \"..\" is not a name"
)]
fn r10_a_section_that_cannot_be_used_is_named_and_its_scheme_refused(#[case] yaml: &str, #[case] expected: &str) {
    let read = providers(yaml);
    assert_eq!(read.problems.len(), 1, "{:?}", read.problems);
    assert!(read.problems[0].contains(expected), "{:?}", read.problems);
    let schemes: Vec<_> = read.settings.stores.iter().map(|store| store.scheme.as_str()).collect();
    assert_eq!(schemes, ["minio"]);
}

#[rstest]
#[case("minio: [", "line")]
#[case("just text", "not a mapping of providers")]
#[case("s3: {}\n---\nminio: {}", "2 YAML documents")]
#[case("s3: {}\ns3: {}", "duplicate key")]
fn r10_providers_that_cannot_be_read_are_an_error(#[case] yaml: &str, #[case] expected: &str) {
    let error = read(&[("providers", yaml)], None).unwrap_err().to_string();
    assert!(error.starts_with("ConfigMap kfp-launcher, key providers: "), "{error}");
    assert!(error.contains(expected), "{error}");
}

#[test]
fn nothing_is_dropped_silently() {
    let data = [
        (
            "providers",
            "gs: {default: {credentials: {fromEnv: true}}}\nazure: {}\nminio:\n  default:\n    overrides: \
          []\n    credentials: {fromEnv: true, tokenKey: t}\n",
        ),
        ("clusterDomain", "x"),
    ];
    let read = read(&data, None).unwrap();
    assert_eq!(read.problems, [""; 0]);
    for expected in [
        "unknown key clusterDomain",
        "providers.gs is ignored: Google Cloud Storage is not supported",
        "unknown provider providers.azure",
        "unknown field providers.minio.default.overrides",
        "unknown field providers.minio.default.credentials.tokenKey",
    ] {
        assert!(read.warnings.iter().any(|warning| warning.contains(expected)), "{expected}: {:?}", read.warnings);
    }
    assert_eq!(read.warnings.len(), 5);
}

#[rstest]
#[case("host:9000", true, Some("http://host:9000"))]
#[case("host:9000", false, Some("https://host:9000"))]
#[case("http://host/", false, Some("http://host"))]
#[case("HTTPS://host/path", true, Some("https://host/path"))]
#[case("[::1]:9000", true, Some("http://[::1]:9000"))]
#[case("s3.amazonaws.com", false, None)]
#[case("https://S3.amazonaws.com", false, None)]
#[case("s3.eu-west-1.amazonaws.com", false, Some("https://s3.eu-west-1.amazonaws.com"))]
#[case("s3.amazonaws.com.example", false, Some("https://s3.amazonaws.com.example"))]
fn endpoints_become_urls(#[case] endpoint: &str, #[case] disable_ssl: bool, #[case] expected: Option<&str>) {
    assert_eq!(provider::endpoint_url(endpoint, disable_ssl).unwrap().as_deref(), expected);
}

/// T-08: what stands in a root never receives the keys of a Secret.
#[test]
fn t08_query_of_the_root_is_a_store_without_our_keys() {
    let root =
        "s3://team/runs/x?endpoint=seaweed.store%3A8333&region=here&disableSSL=true&s3ForcePathStyle=true&profile=p";
    let read = read(&[("defaultPipelineRoot", root)], None).unwrap();
    assert_eq!(read.settings.default_root, root);
    assert_eq!(
        stores(&read)[0],
        json!({"scheme": "s3", "bucket": "team", "keyPrefix": "runs/x", "endpoint": "http://seaweed.store:8333",
               "region": "here", "pathStyle": true, "credentials": "environment"})
    );
    assert_eq!(read.settings.allowed_prefixes, ["s3://team"]);
    assert_eq!(read.warnings, ["ConfigMap kfp-launcher: unknown parameter profile of defaultPipelineRoot is ignored"]);
}

#[rstest]
#[case("gs://bucket/x", "Google Cloud Storage is not supported")]
#[case("file:///data", "not file://")]
#[case("bucket/x", "is not a URI")]
#[case("s3://bucket/a/../b", "cannot be used")]
#[case("s3://bucket/x?disableSSL=maybe", "disableSSL is neither true nor false")]
#[case("s3://bucket/x?endpoint=user:secret@host", "its endpoint holds something")]
fn root_that_cannot_be_used_is_named(#[case] root: &str, #[case] expected: &str) {
    let read = read(&[("defaultPipelineRoot", root)], None).unwrap();
    assert_eq!(read.problems.len(), 1, "{:?}", read.problems);
    assert!(read.problems[0].contains(expected), "{:?}", read.problems);
    assert!(!read.problems[0].contains("secret@"), "T-07: {:?}", read.problems);
    assert_eq!(read.settings.default_root, root, "runs are refused under this root, by its name");
}

#[test]
fn allowed_prefixes_are_the_annotations_or_the_roots_bucket() {
    let root = [("defaultPipelineRoot", "s3://team/runs")];
    assert_eq!(read(&root, None).unwrap().settings.allowed_prefixes, ["s3://team"]);
    assert_eq!(read(&root, Some("")).unwrap().settings.allowed_prefixes, [""; 0], "an empty list allows nothing");
    let read =
        read(&root, Some("s3://data/a/,\n minio://models \n, file:///etc, *, gs://bucket, s3://x/../y")).unwrap();
    assert_eq!(read.settings.allowed_prefixes, ["s3://data/a", "minio://models"]);
    assert_eq!(read.problems.len(), 4, "{:?}", read.problems);
    assert!(read.problems[0].starts_with("annotation penstock.dev/allowed-prefixes: \"file:///etc\""));
}

proptest::proptest! {
    /// R9, I-04: whatever somebody writes into the ConfigMap, there is an answer, and what it names can be used.
    #[test]
    fn r9_no_configuration_makes_it_fall_over(
        parts in proptest::collection::vec(proptest::sample::select(WORDS.to_vec()), 0..40),
        root in "(s3|minio|gs|file)?:?/{0,3}[a-z./?=&%]{0,30}",
        prefixes in "[a-z0-9:/.,\n ]{0,40}",
    ) {
        let yaml = parts.concat();
        if let Ok(read) = read(&[("providers", &yaml), ("defaultPipelineRoot", &root)], Some(&prefixes)) {
            for store in &read.settings.stores {
                proptest::prop_assert!(SCHEMES.contains(&store.scheme.as_str()));
                if let Some(endpoint) = &store.endpoint {
                    proptest::prop_assert!(is_endpoint_url(endpoint), "{}", endpoint);
                }
            }
            for prefix in &read.settings.allowed_prefixes {
                proptest::prop_assert!(ObjectUri::parse(prefix).is_ok());
            }
        }
    }
}

/// Pieces of which configurations are made, right and wrong ones.
const WORDS: [&str; 24] = [
    "s3:",
    "minio: ",
    "gs:",
    "{",
    "}",
    "[",
    "]",
    ",",
    "default: ",
    "overrides: ",
    "credentials: ",
    "fromEnv: true",
    "secretRef: ",
    "secretName: x",
    "accessKeyKey: a",
    "secretKeyKey: s",
    "endpoint: host",
    "bucketName: bucket",
    "keyPrefix: a/b",
    "\n",
    "\n  ",
    "\n    ",
    "- ",
    "&a *a",
];

#[test]
fn i31_authorities_of_stores_are_the_namespaces_and_else_the_installations() {
    let corporate = ObjectKey { name: "corporate".to_owned(), key: "ca.crt".to_owned() };
    let read = |store_ca, default_store_ca| {
        let read = read_settings(&NamespaceConfig {
            kfp_launcher: None,
            allowed_prefixes: None,
            run_as: RunAsConfig::default(),
            store_ca,
            default_endpoint: ENDPOINT,
            default_store_ca,
        })
        .unwrap();
        (read.settings.store_ca, read.problems.join("\n"))
    };
    assert_eq!(read(None, None), (None, String::new()));
    assert_eq!(read(None, Some(&corporate)), (Some(corporate.clone()), String::new()));
    let team = ObjectKey { name: "team".to_owned(), key: "root.pem".to_owned() };
    assert_eq!(read(Some(" team:root.pem "), Some(&corporate)), (Some(team), String::new()));
    let (found, problems) = read(Some("team/root"), Some(&corporate));
    assert_eq!(found, Some(corporate));
    assert!(problems.contains("penstock.dev/store-ca-config-map: it is ignored"), "{problems}");
}
