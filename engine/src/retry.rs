//! What follows a failed attempt.
//!
//! - `User`, `Timeout`, `Output`: the author's retry policy, its own or that of the nearest group around the task. The
//!   delay before retry n (from 0) is `backoffDuration × backoffFactor^n`, at most `backoffMaxDuration`.
//! - `Infrastructure`: three more attempts whatever the policy says, after about 1, 4 and 16 s. The delay varies by a
//!   quarter, from the attempt's identity, so that tasks that failed together do not come back together.
//! - `Interrupted`: at once, and nobody pays. There is an end nevertheless, for a task that takes the machine with it.
//! - `Input`, `Refused`, `Canceled`, `Upstream`: none; another attempt would meet the same.

use std::time::Duration;

use penstock_spec::ir::RetryPolicy;
use penstock_spec::report::FailureCause;
use uuid::Uuid;

use crate::node::Spent;

/// Attempts that infrastructure may cost.
pub const INFRASTRUCTURE_RETRIES: u32 = 3;
/// Attempts that may be interrupted.
pub const INTERRUPTED_RETRIES: u32 = 100;
/// Greatest delay where the policy names none: the SDK's own default.
const DEFAULT_MAX_BACKOFF: Duration = Duration::from_secs(3600);
/// The SDK's default for a factor that is not given.
const DEFAULT_FACTOR: f64 = 2.0;
const INFRASTRUCTURE_BACKOFF: Duration = Duration::from_secs(1);
const INFRASTRUCTURE_FACTOR: f64 = 4.0;

/// The delay before the next attempt; nothing if there is none.
pub(crate) fn next_attempt(
    cause: FailureCause,
    spent: Spent,
    policy: Option<&RetryPolicy>,
    attempt_id: Uuid,
) -> Option<Duration> {
    match cause {
        FailureCause::User | FailureCause::Timeout | FailureCause::Output => {
            policy.filter(|policy| spent.user < policy.max_retry_count).map(|policy| backoff(policy, spent.user))
        }
        FailureCause::Infrastructure if spent.infrastructure < INFRASTRUCTURE_RETRIES => {
            let delay = grown(INFRASTRUCTURE_BACKOFF, INFRASTRUCTURE_FACTOR, spent.infrastructure, DEFAULT_MAX_BACKOFF);
            Some(delay.mul_f64(0.75 + 0.5 * fraction(attempt_id)))
        }
        FailureCause::Interrupted if spent.interrupted < INTERRUPTED_RETRIES => Some(Duration::ZERO),
        FailureCause::Infrastructure
        | FailureCause::Interrupted
        | FailureCause::Input
        | FailureCause::Refused
        | FailureCause::Canceled
        | FailureCause::Upstream => None,
    }
}

/// Delay before retry `n` (from 0).
fn backoff(policy: &RetryPolicy, n: u32) -> Duration {
    let first = policy.backoff_duration.map_or(Duration::ZERO, |duration| duration.0);
    let max = policy.backoff_max_duration.map(|duration| duration.0).filter(|max| !max.is_zero());
    let factor = if policy.backoff_factor > 0.0 { policy.backoff_factor } else { DEFAULT_FACTOR };
    grown(first, factor, n, max.unwrap_or(DEFAULT_MAX_BACKOFF))
}

fn grown(first: Duration, factor: f64, n: u32, max: Duration) -> Duration {
    let power = factor.powi(i32::try_from(n).unwrap_or(i32::MAX));
    let seconds = first.as_secs_f64() * power;
    // Not a number only for zero times infinity.
    if seconds.is_nan() {
        return Duration::ZERO;
    }
    Duration::try_from_secs_f64(seconds).map_or(max, |delay| delay.min(max))
}

/// A number from 0 to 1 that follows from an identity.
fn fraction(id: Uuid) -> f64 {
    let (high, _) = id.as_u64_pair();
    (high >> 32) as f64 / f64::from(u32::MAX)
}
