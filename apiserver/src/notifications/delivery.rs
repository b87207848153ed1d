//! Delivering one message: attempts until it is taken or the patience of its rule is over.

use std::time::Duration;

use penstock_runtime::logs::chain;
use penstock_spec::Timestamp;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Response};
use tokio::time::Instant;

use super::message::Message;
use super::metrics::NotificationMetrics;
use super::rules::Rule;

/// Longest time of one attempt.
const ATTEMPT: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(5);
/// Pause after the first attempt; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// Calls receivers: they lead nowhere else, and no proxy of the surroundings stands between.
pub(super) fn client(ca: Option<&[u8]>) -> Result<Client, String> {
    // Another part of the process may have done so.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .user_agent(concat!("penstock/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .no_proxy()
        .timeout(ATTEMPT)
        .connect_timeout(CONNECT);
    if let Some(pem) = ca {
        let certificates = Certificate::from_pem_bundle(pem).map_err(|error| format!("ca_file: {}", chain(&error)))?;
        if certificates.is_empty() {
            return Err("ca_file: it holds no certificate (PEM)".to_owned());
        }
        builder = builder.tls_certs_only(certificates);
    }
    builder.build().map_err(|error| format!("cannot set up a client: {}", chain(&error)))
}

/// A message on its way.
pub(crate) struct Delivery<'a> {
    pub(super) rule: &'a Rule,
    pub(super) message: &'a Message,
    pub(super) metrics: &'a NotificationMetrics,
}

/// A message that was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct GivenUp {
    pub(crate) attempts: u64,
    pub(crate) error: String,
}

/// An attempt that failed.
#[derive(Debug, PartialEq, Eq)]
struct Refused {
    error: String,
    /// When the receiver wants to be asked again.
    again_after: Option<Duration>,
}

impl Delivery<'_> {
    /// Tries until it is taken or given up.
    pub(crate) async fn carry_out(&self) -> Result<(), GivenUp> {
        let started = Instant::now();
        let mut attempts = 0;
        loop {
            attempts += 1;
            let Refused { error, again_after } = match self.attempt().await {
                Ok(()) => {
                    self.metrics.delivered(&self.rule.name);
                    self.rule.standing.clear();
                    return Ok(());
                }
                Err(refused) => refused,
            };
            self.metrics.refused(&self.rule.name);
            let pause = pause(attempts, rand::random_range(0.5..=1.0)).max(again_after.unwrap_or_default());
            if started.elapsed() + pause > self.rule.give_up_after {
                self.metrics.given_up(&self.rule.name);
                return Err(GivenUp { attempts, error });
            }
            tracing::debug!(rule = self.rule.name, attempts, error, "a notification was not taken; trying again");
            self.rule.standing.set(attempts, error);
            tokio::time::sleep(pause).await;
        }
    }

    async fn attempt(&self) -> Result<(), Refused> {
        let now = crate::wire::time::second(Timestamp::now());
        let refused = |error: String| Refused { error, again_after: None };
        let signature = self.message.signature(&self.rule.secret, now).map_err(refused)?;
        let request = self
            .rule
            .client
            .post(self.rule.url.clone())
            .header(CONTENT_TYPE, "application/cloudevents+json; charset=utf-8")
            .header("webhook-id", &self.message.id)
            .header("webhook-timestamp", now)
            .header("webhook-signature", signature)
            .body(self.message.body.clone());
        // The URL may be a secret.
        let answer = request.send().await.map_err(|error| refused(chain(&error.without_url())))?;
        judge(&answer)
    }
}

/// Only a success is one. What else is said is not read.
fn judge(answer: &Response) -> Result<(), Refused> {
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let seconds = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let again_after = seconds.map(|seconds| Duration::from_secs(seconds).min(LONGEST_PAUSE));
    let error = match status.is_redirection() {
        true => format!("the receiver answers {status}; a redirect is not followed, so name its target in the rule"),
        false => format!("the receiver answers {status}"),
    };
    Err(Refused { error, again_after })
}

/// The pause after so many attempts, made shorter at random so that those who failed together do not come together.
fn pause(attempts: u64, share: f64) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(u32::MAX).min(16);
    FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE).mul_f64(share.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_limit() {
        let seconds = |attempts| pause(attempts, 1.0).as_secs();
        assert_eq!([1, 2, 3, 9, 10, u64::MAX].map(seconds), [1, 2, 4, 256, 300, 300]);
        assert_eq!(pause(1, 0.5), Duration::from_millis(500));
    }

    #[test]
    fn a_receiver_says_when_to_come_again_within_reason() {
        let refused = |status: u16, after: Option<&str>| {
            let answer = axum::http::Response::builder().status(status);
            let answer = after.into_iter().fold(answer, |answer, after| answer.header(RETRY_AFTER, after));
            judge(&Response::from(answer.body("").unwrap()))
        };
        let seconds = |after| refused(503, after).unwrap_err().again_after.map(|after| after.as_secs());
        assert_eq!([seconds(Some("7")), seconds(Some(" 0 ")), seconds(Some("86400"))], [Some(7), Some(0), Some(300)]);
        for unknown in [None, Some("Wed, 21 Oct 2026 07:28:00 GMT"), Some("-1"), Some("1.5"), Some("")] {
            assert_eq!(seconds(unknown), None, "{unknown:?}");
        }
        assert_eq!(refused(429, Some("3")).unwrap_err().again_after, Some(Duration::from_secs(3)));
        assert_eq!(refused(204, Some("3")), Ok(()));
    }
}
