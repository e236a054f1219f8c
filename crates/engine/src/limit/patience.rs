//! Patience: a request's body that fails when its sender stalls.
//!
//! Only time in which somebody waits for the sender counts: a provider that reads slowly makes no caller late. A body that
//! comes byte by byte goes on for as long as it likes, in constant memory; what it holds is one place among
//! [`super::at_once`].

use std::{
    error::Error as StdError,
    fmt,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use tokio::time::Instant;

use super::timer::Timer;
use crate::outbound::{Body, BoxError};

/// What a body fails with whose sender stalled.
#[derive(Debug, Clone, Copy)]
pub struct Stalled;

impl fmt::Display for Stalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request's body stalled (client_body_timeout)")
    }
}

impl StdError for Stalled {}

/// Whether a body failed because its sender stalled.
#[derive(Debug, Clone, Default)]
pub struct Late(Option<Arc<AtomicBool>>);

impl Late {
    /// Whether it did.
    pub fn is_set(&self) -> bool {
        self.0.as_ref().is_some_and(|late| late.load(Ordering::Acquire))
    }
}

/// The body, failing with [`Stalled`] once nothing of it came for `limit` while somebody waited. One that is all there is
/// handed back as it is.
pub fn patient(body: Body, limit: Option<Duration>) -> (Body, Late) {
    match limit {
        Some(limit) if !body.is_end_stream() => {
            let late = Arc::new(AtomicBool::new(false));
            let patient =
                Patient { body, limit, timer: Timer::default(), waiting_since: None, late: late.clone() };
            (Body::new(patient), Late(Some(late)))
        }
        _ => (body, Late(None)),
    }
}

struct Patient {
    body: Body,
    limit: Duration,
    timer: Timer,
    waiting_since: Option<Instant>,
    late: Arc<AtomicBool>,
}

impl http_body::Body for Patient {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            this.waiting_since = None;
            return Poll::Ready(frame);
        }
        let since = *this.waiting_since.get_or_insert_with(Instant::now);
        ready!(this.timer.poll(cx, since + this.limit));
        this.late.store(true, Ordering::Release);
        Poll::Ready(Some(Err(Box::new(Stalled))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt as _, stream};
    use http_body_util::{BodyExt as _, StreamBody};

    use super::*;
    use crate::outbound::{empty, full};

    const LIMIT: Duration = Duration::from_millis(300);

    /// Pieces, each after so many milliseconds.
    fn slow(pauses: &'static [u64]) -> Body {
        let pieces = stream::iter(pauses).then(async |millis| {
            tokio::time::sleep(Duration::from_millis(*millis)).await;
            Ok::<_, BoxError>(Frame::data(Bytes::from_static(b"x")))
        });
        Body::new(StreamBody::new(Box::pin(pieces)))
    }

    #[tokio::test]
    async fn a_slow_body_goes_on_and_one_that_stalls_fails() {
        let (body, late) = patient(slow(&[100, 100, 100, 100]), Some(LIMIT));
        assert_eq!(body.collect().await.unwrap().to_bytes().len(), 4);
        assert!(!late.is_set());
        let (mut body, late) = patient(slow(&[1, 60_000]), Some(LIMIT));
        assert!(body.frame().await.unwrap().is_ok());
        let error = body.frame().await.unwrap().unwrap_err();
        assert!(error.is::<Stalled>() && late.is_set());
    }

    #[tokio::test]
    async fn who_reads_slowly_makes_nobody_late() {
        let (mut body, late) = patient(slow(&[1, 1]), Some(LIMIT));
        while let Some(frame) = body.frame().await {
            frame.unwrap();
            tokio::time::sleep(LIMIT + LIMIT / 4).await;
        }
        assert!(!late.is_set());
    }

    #[tokio::test]
    async fn what_is_all_there_and_what_has_no_limit_is_left_alone() {
        for (body, limit) in [(empty(), Some(LIMIT)), (full("x"), None), (slow(&[1]), None)] {
            assert!(patient(body, limit).0.collect().await.is_ok());
        }
    }
}
