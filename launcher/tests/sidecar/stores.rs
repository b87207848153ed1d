//! Stores that need more than a URL and keys.

use penstock_spec::keys;
use penstock_spec::report::FailureCause;
use serde_json::json;

use crate::world::{World, declare, failed, shared_server, succeeded};

#[tokio::test]
async fn store_of_an_authority_of_ones_own_is_trusted_when_the_settings_name_it() {
    let Some(server) = shared_server() else { return };
    let world = World::new(&server, []).await;
    let settings = json!({ "storeCa": { "name": "corporate", "key": "root.pem" } });
    world.write_settings(&server.https_endpoint(), &settings);
    let authority = std::fs::read_to_string(server.ca_file()).expect("a certificate");
    world.pod_file(keys::POD_STORE_CA_FILE, &authority);
    let mut plan = world.plan("echo x > \"$0\"", &["{{$.outputs.artifacts['o'].path}}"]);
    declare(&mut plan, &json!({}), &json!({ "o": {} }));
    let (report, code) = world.run(&plan).await;
    succeeded(&report);
    assert_eq!(code, Some(0), "{}", world.log());
}

#[tokio::test]
async fn f27_authority_that_is_not_there_is_named() {
    let Some(server) = shared_server() else { return };
    for (authority, reason) in [("", "the ConfigMap \"corporate\" has no key \"root.pem\""), ("text", "no certificate")]
    {
        let world = World::new(&server, []).await;
        let settings = json!({ "storeCa": { "name": "corporate", "key": "root.pem" } });
        world.write_settings(&server.https_endpoint(), &settings);
        world.pod_file(keys::POD_STORE_CA_FILE, authority);
        let (report, code) = world.run(&world.plan("true", &[])).await;
        let failure = failed(&report);
        assert_eq!((failure.cause, code), (FailureCause::Refused, Some(125)), "{failure:?}");
        assert!(failure.message.contains(reason) && failure.message.contains("storeCa"), "{failure:?}");
    }
}
