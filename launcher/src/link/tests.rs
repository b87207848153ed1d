use penstock_entry::protocol;
use penstock_spec::keys;

#[test]
fn the_entry_and_the_keys_agree_on_names() {
    assert_eq!(protocol::SOCKET, keys::ENTRY_SOCKET);
    assert_eq!(protocol::ENV_HOLD_SECONDS, keys::ENV_ENTRY_HOLD);
    assert_eq!(protocol::ENV_CA_BUNDLE, keys::ENV_ENTRY_CA_BUNDLE);
    assert_eq!(protocol::CA_BUNDLE, keys::POD_CA_BUNDLE);
    // What the user's program does not see must be named as ours.
    for name in protocol::ENV_OF_ENTRY {
        assert!(name.starts_with("PENSTOCK_ENTRY_"), "{name} could be a variable of the user's");
    }
}
