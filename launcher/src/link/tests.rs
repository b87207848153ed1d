use penstock_entry::protocol;
use penstock_spec::keys;

#[test]
fn the_entry_and_the_keys_agree_on_names() {
    assert_eq!(protocol::SOCKET, keys::ENTRY_SOCKET);
    // What the user's program does not see must be named as ours.
    for name in protocol::ENV_OF_ENTRY {
        assert!(name.starts_with("PENSTOCK_ENTRY_"), "{name} could be a variable of the user's");
    }
}
