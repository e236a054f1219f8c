//! Guard: until when a request may leave, and what became of it.
//!
//! For a request that nobody may send any more once somebody else may have taken the task over: it is refused when its
//! time is over by the monotonic or the wall clock, before it is begun as well as at the moment when its body is to
//! be written. So a process that was stopped for a while, or a machine that slept, sends nothing when it goes on. It goes
//! with a request among its extensions.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::{
    body::{Body, BoxError},
    failure::{Failure, FailureKind},
};
use crate::time::{Millis, system_now};

/// Until when a request may leave, and what became of it. Cloning shares it.
#[derive(Clone)]
pub struct Guard(Arc<Mutex<Inner>>);

struct Inner {
    until: Instant,
    wall_until: Millis,
    left: bool,
    status: Option<u16>,
}

/// A moment by both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    monotonic: Instant,
    wall: Millis,
}

impl Moment {
    /// Now.
    pub fn now() -> Self {
        Self { monotonic: Instant::now(), wall: system_now() }
    }
}

impl Guard {
    /// Requests may leave for so long after a moment.
    pub fn new(since: Moment, time: Duration) -> Self {
        let (until, wall_until) = (since.monotonic + time, since.wall.plus(time));
        Self(Arc::new(Mutex::new(Inner { until, wall_until, left: false, status: None })))
    }

    /// Requests may leave for so long after a moment, and no longer than before.
    pub fn shorten(&self, since: Moment, time: Duration) {
        let mut inner = self.inner();
        inner.until = inner.until.min(since.monotonic + time);
        inner.wall_until = inner.wall_until.min(since.wall.plus(time));
    }

    /// Whether the time is over.
    pub fn is_over(&self) -> bool {
        let inner = self.inner();
        Instant::now() >= inner.until || system_now() >= inner.wall_until
    }

    /// Whether a byte of a request may have left.
    pub fn left(&self) -> bool {
        self.inner().left
    }

    /// The status of the last answer, where there was one.
    pub fn status(&self) -> Option<u16> {
        self.inner().status
    }

    /// Ends the time now.
    #[cfg(test)]
    pub fn end(&self) {
        self.inner().until = Instant::now();
    }

    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.is_over() {
            return Err(Failure::unsent(FailureKind::TimedOut, "the time in which it might be sent is over"));
        }
        Ok(())
    }

    /// Notes that a byte may leave from here on, and that what was answered before was answered to another request.
    pub(super) fn leaves(&self) {
        let mut inner = self.inner();
        (inner.left, inner.status) = (true, None);
    }

    pub(super) fn answered(&self, status: u16) {
        let mut inner = self.inner();
        (inner.left, inner.status) = (true, Some(status));
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request's body that is not handed on once the time is over.
pub(super) struct Guarded {
    body: Body,
    guard: Guard,
    begun: bool,
}

impl Guarded {
    pub fn new(body: Body, guard: Guard) -> Self {
        Self { body, guard, begun: false }
    }
}

impl http_body::Body for Guarded {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if !self.begun {
            if let Err(over) = self.guard.check() {
                return Poll::Ready(Some(Err(over.into())));
            }
            self.begun = true;
            self.guard.leaves();
        }
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
