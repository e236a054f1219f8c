//! Bodies stream: nothing waits for an end, nothing is held whole, and who hangs up is heard on the other side.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::Method;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::support::{
    TestApp, Upstream,
    app::ALL,
    on_each,
    upstream::say,
    wire::{Outgoing, begin, call, nothing, open},
};

/// Longer than anything here takes; only a failing story waits for it.
const PATIENCE: Duration = Duration::from_secs(20);
const PIECE: usize = 64 * 1024;
const LARGE: usize = 64 * 1024 * 1024;

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what} did not happen"))
}

/// Says so when dropped.
struct Gone(Option<oneshot::Sender<()>>);

impl Gone {
    fn watch() -> (Self, oneshot::Receiver<()>) {
        let (tell, told) = oneshot::channel();
        (Self(Some(tell)), told)
    }
}

impl Drop for Gone {
    fn drop(&mut self) {
        if let Some(tell) = self.0.take() {
            let _nobody = tell.send(());
        }
    }
}

/// A channel's pieces as a body of an answer.
fn answered(pieces: mpsc::Receiver<Bytes>) -> Body {
    Body::from_stream(whole(pieces))
}

fn whole(pieces: mpsc::Receiver<Bytes>) -> impl futures_util::Stream<Item = std::io::Result<Bytes>> {
    stream::unfold(pieces, |mut pieces| async {
        let piece = pieces.recv().await?;
        Some((Ok(piece), pieces))
    })
}

#[tokio::test]
async fn a_piece_of_an_answer_comes_before_the_next_is_sent() {
    on_each(async |app| {
        let (send, pieces) = mpsc::channel(1);
        let pieces = Arc::new(Mutex::new(Some(pieces)));
        let up = Upstream::start(move |_, _| {
            let pieces = pieces.clone();
            async move {
                say(
                    200,
                    &[("content-type", "text/event-stream")],
                    answered(pieces.lock().await.take().unwrap()),
                )
            }
        });
        let up = up.await;
        let id = up.connect(app).await;
        let mut open =
            soon("the head", open(call(app, Method::GET, &id, "/x").body(nothing()).unwrap())).await;
        assert_eq!(open.answer.headers()["content-type"], "text/event-stream");
        for piece in ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"] {
            send.send(Bytes::from(piece)).await.unwrap();
            assert_eq!(soon("the piece", open.next()).await.unwrap(), piece);
        }
        drop(send);
        assert!(soon("the end", open.next()).await.is_none());
    })
    .await;
}

#[tokio::test]
async fn a_piece_of_a_request_arrives_before_the_next_is_sent() {
    on_each(async |app| {
        let (arrived, mut seen) = mpsc::channel(1);
        let up = Upstream::start(move |_, mut body: Body| {
            let arrived = arrived.clone();
            async move {
                while let Some(Ok(frame)) = body.frame().await {
                    arrived.send(frame.into_data().unwrap_or_default()).await.unwrap();
                }
                say(200, &[], "done")
            }
        });
        let up = up.await;
        let id = up.connect(app).await;
        let (send, pieces) = mpsc::channel::<Bytes>(1);
        let body = stream::unfold(pieces, |mut pieces| async {
            let piece = pieces.recv().await?;
            Some((Ok(Frame::data(piece)), pieces))
        });
        let request = call(app, Method::POST, &id, "/x").body(Outgoing::new(StreamBody::new(body))).unwrap();
        let waiting = tokio::spawn(open(request));
        for piece in ["one", "two", "three"] {
            send.send(Bytes::from(piece)).await.unwrap();
            assert_eq!(soon("the piece", seen.recv()).await.unwrap(), piece);
        }
        drop(send);
        let mut open = soon("the answer", waiting).await.unwrap();
        assert_eq!(open.next().await.unwrap(), "done");
        assert!(up.calls()[0].headers.contains_key("transfer-encoding"), "an unknown length stays unknown");
    })
    .await;
}

/// The bytes of the pattern from a place on: they differ by place, and a piece repeats after 251.
fn pattern(at: usize, len: usize) -> Bytes {
    (at..at + len).map(|i| u8::try_from(i % 251).unwrap()).collect::<Vec<_>>().into()
}

/// Compares a body with the pattern, piece by piece.
struct Check {
    whole: Bytes,
    at: usize,
}

impl Check {
    fn new() -> Self {
        Self { whole: pattern(0, 251 * 5000), at: 0 }
    }

    fn take(&mut self, mut piece: &[u8]) {
        while !piece.is_empty() {
            let from = self.at % 251;
            let now = piece.len().min(self.whole.len() - from);
            assert!(piece[..now] == self.whole[from..from + now], "other bytes behind {}", self.at);
            self.at += now;
            piece = &piece[now..];
        }
    }
}

/// As many pieces of the pattern as are large; counts those that were taken.
fn large(taken: Arc<AtomicUsize>) -> impl futures_util::Stream<Item = Bytes> + Send + 'static {
    let ring = pattern(0, 251 + PIECE);
    stream::iter((0..LARGE / PIECE).map(move |n| {
        taken.fetch_add(PIECE, Ordering::SeqCst);
        let from = (n * PIECE) % 251;
        ring.slice(from..from + PIECE)
    }))
}

#[tokio::test]
async fn a_large_answer_comes_whole_and_is_never_held_whole() {
    on_each(async |app| {
        let made = Arc::new(AtomicUsize::new(0));
        let count = made.clone();
        let up = Upstream::start(move |_, _| {
            let body = Body::from_stream(large(count.clone()).map(Ok::<_, std::io::Error>));
            async move { say(200, &[], body) }
        });
        let up = up.await;
        let id = up.connect(app).await;
        let mut open = open(call(app, Method::GET, &id, "/x").body(nothing()).unwrap()).await;
        let (mut check, mut most) = (Check::new(), 0);
        while let Some(piece) = soon("the next piece", open.next()).await {
            check.take(&piece);
            // The provider and the proxy get every chance to run ahead of a caller who takes its time.
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            most = most.max(made.load(Ordering::SeqCst) - check.at);
        }
        assert_eq!(check.at, LARGE);
        assert!(most < LARGE / 2, "{most} bytes were under way at once");
    })
    .await;
}

#[tokio::test]
async fn a_large_request_arrives_whole_and_is_never_held_whole() {
    on_each(async |app| {
        let made = Arc::new(AtomicUsize::new(0));
        let count = made.clone();
        let up = Upstream::start(move |_, mut body: Body| {
            let count = count.clone();
            async move {
                let (mut check, mut most) = (Check::new(), 0);
                while let Some(frame) = body.frame().await {
                    check.take(&frame.expect("a whole body").into_data().unwrap_or_default());
                    for _ in 0..20 {
                        tokio::task::yield_now().await;
                    }
                    most = most.max(count.load(Ordering::SeqCst) - check.at);
                }
                say(200, &[], format!("{} {}", check.at, most < LARGE / 2))
            }
        });
        let up = up.await;
        let id = up.connect(app).await;
        for known in [true, false] {
            made.store(0, Ordering::SeqCst);
            let body = StreamBody::new(large(made.clone()).map(|piece| Ok(Frame::data(piece))));
            let mut request = call(app, Method::PUT, &id, "/x");
            if known {
                request = request.header("content-length", LARGE);
            }
            let mut open = soon("the answer", open(request.body(Outgoing::new(body)).unwrap())).await;
            assert_eq!(open.next().await.unwrap(), format!("{LARGE} true"), "known length: {known}");
            let seen = up.calls().pop().unwrap();
            assert_eq!(seen.headers.contains_key("content-length"), known);
        }
    })
    .await;
}

/// The row of the one call, once it is written.
async fn row(app: &TestApp) -> claviger_engine::domain::request_log::RequestLog {
    let written = async {
        loop {
            app.broker.logs.flush().await;
            let mut rows = app.read().await.request_logs(&app.acme.workspace, &ALL).await.unwrap();
            if let Some(row) = rows.pop() {
                return row;
            }
            tokio::task::yield_now().await;
        }
    };
    soon("the row", written).await
}

#[tokio::test]
async fn a_caller_who_hangs_up_while_waiting_ends_the_providers_work() {
    on_each(async |app| {
        let (asked, mut was_asked) = mpsc::channel(1);
        let up = Upstream::start(move |_, _| {
            let asked = asked.clone();
            async move {
                let (gone, told) = Gone::watch();
                asked.send(told).await.unwrap();
                std::future::pending::<()>().await;
                drop(gone);
                say(200, &[], "")
            }
        });
        let up = up.await;
        let id = up.connect(app).await;
        let held = begin(call(app, Method::POST, &id, "/x").body(nothing()).unwrap()).await;
        let told = soon("the call", was_asked.recv()).await.unwrap();
        held.hang_up().await;
        soon("the provider's end", told).await.unwrap();
        let row = row(app).await;
        assert_eq!((row.status, row.error.as_deref(), row.attempts), (499, Some("caller_gone"), 1));
    })
    .await;
}

#[tokio::test]
async fn a_caller_who_hangs_up_while_reading_ends_the_providers_answer() {
    on_each(async |app| {
        let (begun, mut has_begun) = mpsc::channel(1);
        let up = Upstream::start(move |_, _| {
            let begun = begun.clone();
            async move {
                let (gone, told) = Gone::watch();
                begun.send(told).await.unwrap();
                let pieces = stream::unfold((gone, true), |(gone, first)| async move {
                    if !first {
                        std::future::pending::<()>().await;
                    }
                    Some((Ok::<_, std::io::Error>(Bytes::from_static(b"first")), (gone, false)))
                });
                say(200, &[], Body::from_stream(pieces))
            }
        });
        let up = up.await;
        let id = up.connect(app).await;
        let mut open = open(call(app, Method::GET, &id, "/x").body(nothing()).unwrap()).await;
        let told = has_begun.recv().await.unwrap();
        assert_eq!(soon("the first piece", open.next()).await.unwrap(), "first");
        drop(open);
        soon("the provider's end", told).await.unwrap();
        let row = row(app).await;
        assert_eq!((row.status, row.error.as_deref(), row.bytes_out), (200, Some("caller_gone"), 5));
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_breaks_off_for_the_caller_too() {
    on_each(async |app| {
        for length in [None, Some("1000")] {
            let (send, pieces) = mpsc::channel(1);
            let pieces = Arc::new(Mutex::new(Some(pieces)));
            let up = Upstream::start(move |_, _| {
                let pieces = pieces.clone();
                async move {
                    let pieces = pieces.lock().await.take().unwrap();
                    let broken = stream::once(async { Err(std::io::Error::other("broken")) });
                    let headers: Vec<(&str, &str)> =
                        length.map(|n| ("content-length", n)).into_iter().collect();
                    say(200, &headers, Body::from_stream(whole(pieces).chain(broken)))
                }
            });
            let up = up.await;
            let id = up.connect(app).await;
            let mut open = open(call(app, Method::GET, &id, "/x").body(nothing()).unwrap()).await;
            assert_eq!(open.answer.status(), 200);
            send.send(Bytes::from_static(b"first")).await.unwrap();
            assert_eq!(soon("the first piece", open.next()).await.unwrap(), "first");
            drop(send);
            assert!(soon("the end", open.broke()).await, "a cut answer never looks whole");
            assert_eq!(up.calls().len(), 1, "never again after the head");
        }
        let row = row(app).await;
        assert_eq!((row.status, row.error.as_deref(), row.attempts), (200, Some("upstream_broken"), 1));
    })
    .await;
}
