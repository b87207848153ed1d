use penstock_entry::protocol;
use penstock_spec::keys;

#[test]
fn the_entry_and_the_keys_agree_on_names() {
    assert_eq!(protocol::SOCKET, keys::ENTRY_SOCKET);
    assert_eq!(protocol::ENV_HOLD_SECONDS, keys::ENV_ENTRY_HOLD);
    assert_eq!(protocol::ENV_CA_BUNDLE, keys::ENV_ENTRY_CA_BUNDLE);
    assert_eq!(protocol::CA_BUNDLE, keys::POD_CA_BUNDLE);
    for name in
        [keys::ENV_LAUNCHER_POD_NAME, keys::ENV_LAUNCHER_POD_UID, keys::ENV_LAUNCHER_NAMESPACE, keys::ENV_ATTEMPT]
    {
        assert!(name.starts_with(protocol::ENV_PREFIX), "{name} would reach the user's program");
    }
}
