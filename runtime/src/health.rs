//! Whether the process is ready, and what it waits for if it is not.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What must hold before the process is ready. Clones share the list. Without conditions it is not ready: no part of it
/// has said yet what it waits for.
#[derive(Debug, Clone, Default)]
pub struct Health {
    conditions: Arc<Mutex<Vec<State>>>,
    /// Whose conditions are added.
    part: &'static str,
}

#[derive(Debug)]
struct State {
    part: &'static str,
    name: &'static str,
    /// Why not yet; `None` when it holds.
    waiting: Option<String>,
}

impl Health {
    /// The same list for a part of the process that can be asked about alone.
    pub fn part(&self, part: &'static str) -> Health {
        Health { conditions: Arc::clone(&self.conditions), part }
    }

    /// Adds something that must hold. It does not yet.
    pub fn condition(&self, name: &'static str) -> Condition {
        let mut conditions = self.lock();
        conditions.push(State { part: self.part, name, waiting: Some("not started yet".to_owned()) });
        Condition { health: self.clone(), index: conditions.len() - 1 }
    }

    /// What does not hold, each with its reason.
    pub fn waiting(&self) -> Vec<(&'static str, String)> {
        self.waiting_among(|_| true)
    }

    /// What does not hold of a part.
    pub fn waiting_of(&self, part: &str) -> Vec<(&'static str, String)> {
        self.waiting_among(|state| state.part == part)
    }

    fn waiting_among(&self, is_asked_for: impl Fn(&State) -> bool) -> Vec<(&'static str, String)> {
        let conditions = self.lock();
        let mut asked_for = conditions.iter().filter(|state| is_asked_for(state)).peekable();
        if asked_for.peek().is_none() {
            return vec![("start", "no part has started yet".to_owned())];
        }
        asked_for.filter_map(|state| state.waiting.clone().map(|reason| (state.name, reason))).collect()
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

    #[test]
    fn a_part_is_ready_whatever_others_wait_for() {
        let health = Health::default();
        let store = health.condition("store");
        assert_eq!(health.waiting_of("webhook"), [("start", "no part has started yet".to_owned())]);
        let certificate = health.part("webhook").condition("certificate");
        assert_eq!(health.waiting_of("webhook"), [("certificate", "not started yet".to_owned())]);
        certificate.set_ready();
        assert_eq!(health.waiting_of("webhook"), []);
        assert_eq!(health.waiting(), [("store", "not started yet".to_owned())]);
        store.set_ready();
        assert_eq!(health.waiting(), []);
    }
}
