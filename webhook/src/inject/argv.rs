//! The entry before the user's program. The user's strings become arguments of the entry as they are, so that the
//! kubelet still expands `$(VARIABLES)` in them.

use penstock_spec::keys;
use serde_json::{Value, json};

use super::pod::ContainerView;

/// Stands between the entry and the user's program.
const SEPARATOR: &str = "--";

/// Whether the container starts with the entry.
pub(super) fn is_wrapped(container: &ContainerView<'_>) -> bool {
    matches!(container.command, [program] if program == keys::ENTRY_PATH)
        && container.args.first().is_some_and(|first| first == SEPARATOR)
}

/// Whether there is no program to start, with the entry before it or without.
pub(super) fn is_empty(container: &ContainerView<'_>) -> bool {
    match is_wrapped(container) {
        true => container.args.len() == 1,
        false => container.command.is_empty() && container.args.is_empty(),
    }
}

/// Arguments of the entry. `was_wrapped` is known when the sidecar is there: then somebody put another program before
/// the entry, which must stay the outermost, and there once.
pub(super) fn wrap(container: &ContainerView<'_>, was_wrapped: bool) -> Vec<Value> {
    let mut argv: Vec<Value> = container.command.iter().chain(container.args).cloned().collect();
    if was_wrapped {
        let inner = argv.windows(2).position(|pair| pair[0] == keys::ENTRY_PATH && pair[1] == SEPARATOR);
        if let Some(inner) = inner {
            argv.drain(inner..inner + 2);
        }
    }
    argv.insert(0, json!(SEPARATOR));
    argv
}
