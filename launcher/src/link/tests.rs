use penstock_entry::protocol;
use penstock_spec::keys;

#[test]
fn the_entry_and_the_keys_agree_on_names() {
    assert_eq!(protocol::SOCKET, keys::ENTRY_SOCKET);
    assert_eq!(protocol::ENV_HOLD_SECONDS, keys::ENV_ENTRY_HOLD);
    for name in
        [keys::ENV_LAUNCHER_POD_NAME, keys::ENV_LAUNCHER_POD_UID, keys::ENV_LAUNCHER_NAMESPACE, keys::ENV_ATTEMPT]
    {
        assert!(name.starts_with(protocol::ENV_PREFIX), "{name} would reach the user's program");
    }
}
