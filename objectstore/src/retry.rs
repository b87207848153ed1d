//! Retries of whole-object operations: exponential back-off with full jitter, a number of tries and a time budget.

use std::{future::Future, time::Duration};

use rand::RngExt;
use tokio::time::Instant;

use crate::error::StoreError;

/// When to try again.
#[derive(Debug, Clone)]
pub struct RetrySettings {
    /// Tries in all, at least one.
    pub tries: u32,
    /// Longest wait before the second try; doubles for each further one.
    pub base: Duration,
    /// Longest wait of all.
    pub cap: Duration,
    /// No new try starts later than this after the first.
    pub budget: Duration,
}

impl Default for RetrySettings {
    fn default() -> Self {
        RetrySettings {
            tries: 8,
            base: Duration::from_millis(200),
            cap: Duration::from_secs(15),
            budget: Duration::from_secs(120),
        }
    }
}

/// Runs `operation` until it succeeds, fails for good, or the budget is used up; then the last error is returned.
pub async fn retry<T, F>(settings: &RetrySettings, mut operation: impl FnMut() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let started = Instant::now();
    let mut tries = 0_u32;
    loop {
        let error = match operation().await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        tries += 1;
        let longest = settings.base.saturating_mul(1 << (tries - 1).min(16)).min(settings.cap);
        let wait = longest.mul_f64(rand::rng().random_range(0.0..=1.0));
        if !error.is_retryable() || tries >= settings.tries || started.elapsed() + wait > settings.budget {
            return Err(error.after_tries(tries));
        }
        tracing::debug!(%error, tries, wait_ms = wait.as_millis(), "store operation failed, trying again");
        tokio::time::sleep(wait).await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::error::ErrorKind;

    fn failure(kind: ErrorKind) -> StoreError {
        StoreError::new(kind, "read", "x", "because")
    }

    #[tokio::test(start_paused = true)]
    async fn f22_unavailable_is_tried_again_within_the_budget_and_the_count_is_told() {
        let calls = Cell::new(0);
        let settings = RetrySettings::default();
        let result: Result<(), _> = retry(&settings, || async {
            calls.set(calls.get() + 1);
            Err(failure(ErrorKind::Unavailable))
        })
        .await;
        assert_eq!(calls.get(), settings.tries);
        assert!(result.expect_err("never works").to_string().contains("after 8 tries"));
    }

    #[tokio::test(start_paused = true)]
    async fn denied_is_not_tried_again() {
        let calls = Cell::new(0);
        let result: Result<(), _> = retry(&RetrySettings::default(), || async {
            calls.set(calls.get() + 1);
            Err(failure(ErrorKind::Denied))
        })
        .await;
        assert_eq!((calls.get(), result.expect_err("denied").kind()), (1, ErrorKind::Denied));
    }

    #[tokio::test(start_paused = true)]
    async fn budget_of_time_ends_the_tries() {
        let settings = RetrySettings { tries: 1_000_000, budget: Duration::from_secs(60), ..RetrySettings::default() };
        let started = Instant::now();
        let result: Result<(), _> = retry(&settings, || async { Err(failure(ErrorKind::Incomplete)) }).await;
        assert!(result.is_err());
        assert!(started.elapsed() <= Duration::from_secs(60));
    }
}
