//! Signs of life of watches (F-05). A watch of a quiet namespace has no events, but it is renewed again and again: each
//! answer of the API server to it is a sign of life.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::{Request, Response};
use kube::Client;
use kube::client::Body;
use tokio::time::Instant;
use tower_service::Service;

use super::metrics::KubernetesMetrics;

/// When each watch of a process was alive last.
pub(crate) struct Signs {
    metrics: Arc<KubernetesMetrics>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    next: u64,
    last: HashMap<u64, Instant>,
}

/// The signs of one watch, until it is dropped.
pub(crate) struct Sign {
    signs: Arc<Signs>,
    id: u64,
}

impl Signs {
    pub(crate) fn new(metrics: Arc<KubernetesMetrics>) -> Arc<Signs> {
        Arc::new(Signs { metrics, seen: Mutex::default() })
    }

    /// A watch begins.
    pub(crate) fn begin(self: &Arc<Signs>) -> Arc<Sign> {
        let mut seen = self.seen();
        let id = seen.next;
        seen.next += 1;
        seen.last.insert(id, Instant::now());
        Arc::new(Sign { signs: Arc::clone(self), id })
    }

    /// Time since the watch that was alive last was so, if there is any watch: all are silent for at least this long.
    pub(crate) fn silence(&self) -> Option<Duration> {
        self.seen().last.values().map(Instant::elapsed).min()
    }

    /// Shows the age of the oldest of the last signs.
    pub(crate) fn publish(&self) {
        let oldest = self.seen().last.values().map(Instant::elapsed).max();
        self.metrics.watch_age(oldest.unwrap_or_default());
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sign {
    /// The watch is alive.
    pub(crate) fn give(&self) {
        if let Some(last) = self.signs.seen().last.get_mut(&self.id) {
            *last = Instant::now();
        }
    }

    /// Shows the figures of all watches.
    pub(crate) fn publish(&self) {
        self.signs.publish();
    }
}

impl Drop for Sign {
    fn drop(&mut self) {
        self.signs.seen().last.remove(&self.id);
        self.signs.publish();
    }
}

/// A client each of whose answers is a sign of life.
pub(crate) fn heard(client: Client, sign: Arc<Sign>) -> Client {
    let namespace = client.default_namespace().to_owned();
    Client::new(Heard { client, sign }, namespace)
}

struct Heard {
    client: Client,
    sign: Arc<Sign>,
}

impl Service<Request<Body>> for Heard {
    type Response = Response<Body>;
    type Error = kube::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, kube::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), kube::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (client, sign) = (self.client.clone(), Arc::clone(&self.sign));
        Box::pin(async move {
            let response = client.send(request).await?;
            if response.status().is_success() {
                sign.give();
            }
            Ok(response)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn f05_oldest_sign_is_shown_and_the_youngest_tells_whether_all_are_silent() {
        let signs = Signs::new(Arc::new(KubernetesMetrics::unregistered().expect("metrics")));
        assert_eq!(signs.silence(), None, "nothing is watched");
        let (silent, alive) = (signs.begin(), signs.begin());
        tokio::time::advance(Duration::from_secs(40)).await;
        alive.give();
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(signs.silence(), Some(Duration::from_secs(2)));
        let shown = || {
            signs.publish();
            signs.metrics.watch_age_shown()
        };
        assert_eq!(shown(), 42.0);
        drop(silent);
        assert_eq!(shown(), 2.0);
        drop(alive);
        assert_eq!((shown(), signs.silence()), (0.0, None));
    }
}
