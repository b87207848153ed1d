//! A request to stop an attempt, handed to everything that waits.

use tokio::sync::watch;

/// The end that asks for the stop. Dropping it asks for nothing.
#[derive(Debug, Clone)]
pub struct CancelHandle {
    sender: watch::Sender<bool>,
}

/// The end that is asked.
#[derive(Debug, Clone)]
pub struct CancelToken {
    receiver: watch::Receiver<bool>,
}

/// A handle and its token.
pub fn cancel_pair() -> (CancelHandle, CancelToken) {
    let (sender, receiver) = watch::channel(false);
    (CancelHandle { sender }, CancelToken { receiver })
}

impl CancelHandle {
    /// Asks for the stop. Asking twice changes nothing.
    pub fn cancel(&self) {
        self.sender.send_replace(true);
    }

    /// One more token.
    pub fn token(&self) -> CancelToken {
        CancelToken { receiver: self.sender.subscribe() }
    }
}

impl CancelToken {
    /// Whether the stop was asked for.
    pub fn is_canceled(&self) -> bool {
        *self.receiver.borrow()
    }

    /// Returns once the stop is asked for; never, if the handle goes away without asking.
    pub async fn canceled(&self) {
        let mut receiver = self.receiver.clone();
        if receiver.wait_for(|asked| *asked).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn token_is_woken_and_stays_canceled() {
        let (handle, token) = cancel_pair();
        let waiting = tokio::spawn({
            let token = token.clone();
            async move { token.canceled().await }
        });
        assert!(!token.is_canceled());
        handle.cancel();
        handle.cancel();
        waiting.await.expect("the waiter ends");
        assert!(handle.token().is_canceled());
    }
}
