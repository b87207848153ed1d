//! Answers whose bytes come over time: a log that is being written, events as they happen, a file that is too large to
//! hold.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::Response;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::CONTENT_LENGTH;
use tokio::sync::watch;

use super::Mood;
use super::activity::{Activity, Stage};

pub(super) type BoxError = Box<dyn Error + Send + Sync>;

/// The body of any answer, as a connection writes it.
pub(super) type AnswerBody = UnsyncBoxBody<Bytes, BoxError>;

/// Takes the handler's answer for writing. A body that is not there yet as a whole makes the connection one that
/// streams until it ends.
pub(super) fn prepare<B>(answer: Response<B>, activity: &Activity, mood: &watch::Receiver<Mood>) -> Response<AnswerBody>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let is_whole = answer.body().size_hint().exact().is_some();
    let has_length = answer.headers().contains_key(CONTENT_LENGTH);
    let (head, body) = answer.into_parts();
    let body = body.map_err(Into::into).boxed_unsync();
    if is_whole {
        activity.enter(Stage::Idle);
        return Response::from_parts(head, body);
    }
    activity.enter(Stage::Flowing);
    // Nobody could tell the part of a file from the whole, so what has a length goes on while there is time.
    let ending = (!has_length).then(|| draining(mood.clone()));
    Response::from_parts(head, Streamed { body, activity: activity.clone(), ending }.boxed_unsync())
}

pub(super) type Ending = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Waits until connections are to end.
pub(super) fn draining(mut mood: watch::Receiver<Mood>) -> Ending {
    Box::pin(async move {
        // The sender goes when the listener is given up, and that is an end too.
        let _ = mood.wait_for(|mood| *mood == Mood::Draining).await;
    })
}

/// A body that comes over time.
struct Streamed {
    body: AnswerBody,
    activity: Activity,
    /// Ends a body without a length, which may have no end of its own.
    ending: Option<Ending>,
}

impl Body for Streamed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(ending) = &mut self.ending
            && ending.as_mut().poll(context).is_ready()
        {
            self.ending = None;
            self.body = AnswerBody::default();
        }
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Streamed {
    fn drop(&mut self) {
        self.activity.enter(Stage::Idle);
    }
}
