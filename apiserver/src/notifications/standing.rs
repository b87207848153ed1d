//! How a rule stands at the moment, for people.

use std::sync::{Mutex, PoisonError};

use penstock_spec::Timestamp;

/// The trouble that a rule has, if it has any.
#[derive(Debug, Default)]
pub(crate) struct Standing(Mutex<Option<Trouble>>);

/// Why a rule does not come on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// How often the message at hand was tried.
    pub(crate) attempts: u64,
    /// Why it was not taken.
    pub(crate) error: String,
    /// When it was tried last.
    pub(crate) at: Timestamp,
}

impl Standing {
    pub(super) fn set(&self, attempts: u64, error: String) {
        self.replace(Some(Trouble { attempts, error, at: Timestamp::now() }));
    }

    pub(super) fn clear(&self) {
        self.replace(None);
    }

    fn replace(&self, trouble: Option<Trouble>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    pub(crate) fn trouble(&self) -> Option<Trouble> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
