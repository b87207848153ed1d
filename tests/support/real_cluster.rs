//! A real cluster, where one is given: `make test` gives one.

use std::io::Write as _;
use std::path::PathBuf;

/// Only where this names an image is `KUBECONFIG` used: nobody's tests run on a cluster by accident.
const IMAGE: &str = "PENSTOCK_TEST_IMAGE";

/// The administrator's kubeconfig; `None` after saying that the test is skipped.
///
/// # Panics
/// In CI when there is none.
pub(crate) fn kubeconfig(test: &str) -> Option<PathBuf> {
    if std::env::var_os(IMAGE).is_none_or(|image| image.is_empty()) {
        assert!(std::env::var_os("CI").is_none(), "{IMAGE} is not set, and in CI nothing is skipped");
        // Past the capture of the test's output. If standard error is gone, nobody is there to be told.
        let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {IMAGE} is not set; `make test` sets it");
        return None;
    }
    Some(std::env::var_os("KUBECONFIG").unwrap_or_else(|| panic!("{IMAGE} is set and KUBECONFIG is not")).into())
}
