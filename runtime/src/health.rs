//! Whether the process is ready, and what it waits for if it is not.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What must hold before the process is ready. Clones share the list. Without conditions it is not ready: no part of it
/// has said yet what it waits for.
#[derive(Debug, Clone, Default)]
pub struct Health {
    conditions: Arc<Mutex<Vec<State>>>,
}

#[derive(Debug)]
struct State {
    name: &'static str,
    /// Why not yet; `None` when it holds.
    waiting: Option<String>,
}

impl Health {
    /// Adds something that must hold. It does not yet.
    pub fn condition(&self, name: &'static str) -> Condition {
        let mut conditions = self.lock();
        conditions.push(State { name, waiting: Some("not started yet".to_owned()) });
        Condition { health: self.clone(), index: conditions.len() - 1 }
    }

    /// What does not hold, each with its reason.
    pub fn waiting(&self) -> Vec<(&'static str, String)> {
        let conditions = self.lock();
        if conditions.is_empty() {
            return vec![("start", "no part has started yet".to_owned())];
        }
        conditions.iter().filter_map(|state| state.waiting.clone().map(|reason| (state.name, reason))).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<State>> {
        self.conditions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of the things that must hold.
#[derive(Debug, Clone)]
pub struct Condition {
    health: Health,
    index: usize,
}

impl Condition {
    /// It holds.
    pub fn set_ready(&self) {
        self.set(None);
    }

    /// It does not hold, and why.
    pub fn set_waiting(&self, reason: impl Into<String>) {
        self.set(Some(reason.into()));
    }

    fn set(&self, waiting: Option<String>) {
        if let Some(state) = self.health.lock().get_mut(self.index) {
            state.waiting = waiting;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_says_what_it_waits_for() {
        let health = Health::default();
        assert_eq!(health.waiting(), [("start", "no part has started yet".to_owned())]);
        let (certificate, settings) = (health.condition("certificate"), health.condition("settings"));
        certificate.set_ready();
        assert_eq!(health.waiting(), [("settings", "not started yet".to_owned())]);
        settings.set_ready();
        assert_eq!(health.waiting(), []);
        certificate.set_waiting("it has expired");
        assert_eq!(health.waiting(), [("certificate", "it has expired".to_owned())]);
    }
}
