//! The resources.

mod health;

use crate::router::Routes;

/// Every route there is.
pub(crate) fn all() -> Routes {
    health::routes(Routes::default())
}
