//! A request's body that can be sent again as long as little of it was read.
//!
//! The first [`KEPT`] bytes are kept while they stream. Only the latest reader gets anything: an attempt that
//! was given up can't take bytes from the next one. An attempt that sent nothing has read nothing, so the next
//! one begins where it did, however long the body is.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as _, Frame, SizeHint};

use super::headers;
use crate::{
    error::Error,
    outbound::{Body, BoxError, Failure, empty},
};

/// How many bytes are kept.
pub(super) const KEPT: usize = 64 * 1024;

/// The body, and what was kept of it.
pub(super) struct Replay {
    /// None where there is no body.
    shared: Option<Arc<Mutex<Shared>>>,
    hint: SizeHint,
    read: Option<Arc<AtomicU64>>,
}

struct Shared {
    source: Body,
    kept: Vec<Bytes>,
    kept_bytes: usize,
    trailers: Option<HeaderMap>,
    state: State,
    /// The reader that may read; earlier ones are refused.
    reader: u64,
    /// Whether the source failed.
    broken: bool,
    /// How many bytes were read from the source.
    read: Arc<AtomicU64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// All that was read is kept.
    Kept,
    /// The source ended, and all of it is kept.
    Whole,
    /// More was read than is kept, or reading failed: no second time.
    Gone,
}

impl Replay {
    /// Wraps a body.
    pub fn new(source: Body) -> Self {
        let hint = source.size_hint();
        if source.is_end_stream() {
            return Self { shared: None, hint, read: None };
        }
        let read = Arc::new(AtomicU64::new(0));
        let shared = Shared {
            source,
            kept: Vec::new(),
            kept_bytes: 0,
            trailers: None,
            state: State::Kept,
            reader: 0,
            broken: false,
            read: Arc::clone(&read),
        };
        Self { shared: Some(Arc::new(Mutex::new(shared))), hint, read: Some(read) }
    }

    /// The counter of bytes read from it; none where there is no body.
    pub fn read(&self) -> Option<Arc<AtomicU64>> {
        self.read.clone()
    }

    /// The size of the whole body, as far as it is known.
    pub fn size_hint(&self) -> SizeHint {
        self.hint
    }

    /// Whether the body can be read from its beginning again.
    pub fn replayable(&self) -> bool {
        self.shared.as_ref().is_none_or(|shared| lock(shared).state != State::Gone)
    }

    /// The outcome of the last attempt. That it failed for the caller's body is not the provider's fault.
    ///
    /// # Errors
    /// `Invalid` when the caller's body broke off, else the failure as it is.
    pub fn blame<T>(&self, outcome: Result<T, Failure>) -> Result<T, Error> {
        if outcome.is_err() && self.shared.as_ref().is_some_and(|shared| lock(shared).broken) {
            return Err(Error::invalid("body", "The body broke off, or is not framed as its headers say"));
        }
        outcome.map_err(Into::into)
    }

    /// The body from its beginning, `None` when that is gone. Ends all earlier readers.
    pub fn restart(&self) -> Option<Body> {
        let Some(handle) = &self.shared else { return Some(empty()) };
        let mut shared = lock(handle);
        if shared.state == State::Gone {
            return None;
        }
        shared.reader += 1;
        if shared.state == State::Whole && shared.kept.is_empty() && shared.trailers.is_none() {
            return Some(empty());
        }
        let reader = Reader {
            shared: Arc::clone(handle),
            id: shared.reader,
            next: 0,
            trailers_read: false,
            left: self.hint,
        };
        drop(shared);
        Some(Body::new(reader))
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Reader {
    shared: Arc<Mutex<Shared>>,
    id: u64,
    /// The next of the kept pieces to give.
    next: usize,
    trailers_read: bool,
    left: SizeHint,
}

impl Reader {
    fn note(&mut self, given: usize) {
        let given = u64::try_from(given).unwrap_or(u64::MAX);
        match self.left.exact() {
            Some(exact) => self.left = SizeHint::with_exact(exact.saturating_sub(given)),
            None => self.left = SizeHint::default(),
        }
    }
}

impl http_body::Body for Reader {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let handle = Arc::clone(&this.shared);
        let mut shared = lock(&handle);
        if shared.reader != this.id {
            return Poll::Ready(Some(Err("the body is being sent again".into())));
        }
        if let Some(piece) = shared.kept.get(this.next).cloned() {
            this.next += 1;
            this.note(piece.len());
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        if shared.state == State::Whole {
            let trailers = if this.trailers_read { None } else { shared.trailers.clone() };
            this.trailers_read = true;
            return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))));
        }
        let frame = ready!(shared.poll_source(cx));
        if let Some(Ok(frame)) = &frame {
            match frame.data_ref() {
                Some(data) => {
                    this.next = shared.kept.len();
                    this.note(data.len());
                }
                None => this.trailers_read = true,
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        let shared = lock(&self.shared);
        shared.reader == self.id
            && shared.state == State::Whole
            && self.next >= shared.kept.len()
            && (self.trailers_read || shared.trailers.is_none())
    }

    fn size_hint(&self) -> SizeHint {
        self.left
    }
}

/// Trailers are headers that come late: what stops there stops here too.
fn clean(frame: Frame<Bytes>) -> Frame<Bytes> {
    match frame.into_trailers() {
        Ok(trailers) => Frame::trailers(headers::inward_trailers(&trailers)),
        Err(data) => data,
    }
}

impl Shared {
    /// Reads on, keeping what still fits.
    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.source).poll_frame(cx));
        let frame = frame.map(|frame| frame.map(clean));
        match &frame {
            None if self.state == State::Kept => self.state = State::Whole,
            None => {}
            Some(Err(_)) => {
                self.broken = true;
                self.let_go();
            }
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    self.read.fetch_add(u64::try_from(data.len()).unwrap_or(u64::MAX), Ordering::Relaxed);
                    self.keep(data);
                } else if let Some(trailers) = frame.trailers_ref() {
                    self.trailers = Some(trailers.clone());
                }
            }
        }
        if self.state == State::Kept && self.source.is_end_stream() {
            self.state = State::Whole;
        }
        Poll::Ready(frame)
    }

    fn keep(&mut self, data: &Bytes) {
        if self.state != State::Kept || self.kept_bytes + data.len() > KEPT {
            return self.let_go();
        }
        self.kept_bytes += data.len();
        // A copy of its own: a slice would hold on to the whole buffer that it was read into.
        self.kept.push(Bytes::copy_from_slice(data));
    }

    fn let_go(&mut self) {
        self.state = State::Gone;
        self.kept = Vec::new();
        self.trailers = None;
    }
}

#[cfg(test)]
#[path = "replay_tests.rs"]
mod tests;
