//! Streams that are reset: what was cut off never looks whole, who left is missed, and what nobody looked at is sent again.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use h2::Reason;
use http::{Method, Request, Response, Version};
use http_body_util::BodyExt as _;
use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::mpsc,
};

use crate::support::{
    Names, Recorder, Speaker, Way,
    frame::{GOAWAY, HEADERS, PREFACE, SETTINGS, frame, next},
    on_each, on_each_with,
    recorder::soon,
    speaker::{NAME, Talker, body, frames, head},
};

const CUTS: [Reason; 3] = [Reason::NO_ERROR, Reason::CANCEL, Reason::INTERNAL_ERROR];

#[tokio::test]
async fn an_answer_that_its_provider_resets_never_looks_whole() {
    let names = Names::new(&[NAME]);
    on_each_with(
        || names.options(),
        async |app| {
            for reason in CUTS {
                let up = Speaker::frames(&names, 100, move |_, mut respond| async move {
                    let mut stream = respond.send_response(Response::new(()), false).unwrap();
                    stream.send_data(Bytes::from_static(b"half"), false).unwrap();
                    // So that the answer has begun by the time it is cut.
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                    stream.send_reset(reason);
                });
                let up = up.await;
                let id = up.connect(app).await;
                for version in [Version::HTTP_11, Version::HTTP_2] {
                    let mut talker = Talker::dial(app, version).await;
                    let call = Request::builder().method("POST");
                    let answer = talker.call(app, &id, call, "/x", body(&[], &[])).await.unwrap();
                    assert_eq!(answer.status(), 200);
                    let came = soon("an end", answer.into_body().collect()).await;
                    assert!(came.is_err(), "{reason:?} looks whole over {version:?}");
                }
            }
        },
    )
    .await;
}

#[tokio::test]
async fn a_body_that_its_caller_resets_never_looks_whole() {
    on_each(async |app| {
        for reason in CUTS {
            let (gone, mut is_gone) = mpsc::channel(1);
            let up = Recorder::start(move |mut wire| {
                let gone = gone.clone();
                async move {
                    wire.until("half").await;
                    gone.send(()).await.unwrap();
                    wire.closed().await;
                    gone.send(()).await.unwrap();
                }
            });
            let up = up.await;
            let id = up.connect(app).await;
            let mut sender = frames(app).await.ready().await.unwrap();
            let (_answer, mut stream) =
                sender.send_request(head(app, Method::POST, &id, "/x"), false).unwrap();
            stream.send_data(Bytes::from_static(b"half"), false).unwrap();
            soon("the body", is_gone.recv()).await.unwrap();
            stream.send_reset(reason);
            soon("the end at the provider", is_gone.recv()).await.unwrap();
            let seen = up.last();
            assert!(seen.ends_with("\r\n\r\n4\r\nhalf\r\n"), "{reason:?}: {seen}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_caller_who_resets_a_stream_ends_that_one_at_the_provider_and_no_other() {
    let names = Names::new(&[NAME]);
    on_each_with(
        || names.options(),
        async |app| {
            let (tell, mut told) = mpsc::channel(4);
            let up = Speaker::frames(&names, 100, move |request, mut respond| {
                let tell = tell.clone();
                async move {
                    if request.uri().path() == "/api/quick" {
                        respond.send_response(Response::new(()), true).unwrap();
                        return;
                    }
                    let mut stream = respond.send_response(Response::new(()), false).unwrap();
                    stream.send_data(Bytes::from_static(b"half"), false).unwrap();
                    let reason = std::future::poll_fn(|cx| stream.poll_reset(cx)).await;
                    tell.send(reason.unwrap()).await.unwrap();
                }
            });
            let up = up.await;
            let id = up.connect(app).await;
            let mut sender = frames(app).await.ready().await.unwrap();
            for upload in [false, true] {
                let (answer, mut stream) =
                    sender.send_request(head(app, Method::POST, &id, "/slow"), !upload).unwrap();
                let answer = soon("an answer", answer).await.unwrap();
                let mut coming = answer.into_body();
                assert_eq!(soon("a piece", coming.data()).await.unwrap().unwrap(), "half");
                stream.send_reset(Reason::CANCEL);
                assert_eq!(soon("the end at the provider", told.recv()).await, Some(Reason::CANCEL));
                let (answer, _) = sender.send_request(head(app, Method::GET, &id, "/quick"), true).unwrap();
                assert_eq!(soon("an answer", answer).await.unwrap().status(), 200);
            }
        },
    )
    .await;
}

/// A provider that does this with its first request and answers each further one; the count of those that it got. Without a
/// reason it closes the connection and says that it has looked at nothing.
async fn refusing(names: &Names, how: Option<Reason>) -> (Speaker, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let up = Speaker::on(Way::Http2, names, move |mut io| {
        let count = counted.clone();
        async move {
            if how.is_none() && count.load(Ordering::SeqCst) == 0 {
                let _gone = io.write_all(&frame(SETTINGS, 0, 0, &[])).await;
                let mut preface = [0; PREFACE.len()];
                let _gone = io.read_exact(&mut preface).await;
                while next(&mut io).await.is_some_and(|frame| frame.kind != HEADERS) {}
                count.fetch_add(1, Ordering::SeqCst);
                let _gone = io.write_all(&frame(GOAWAY, 0, 0, &[0; 8])).await;
                return;
            }
            let Ok(mut connection) = h2::server::handshake(io).await else { return };
            while let Some(Ok((mut request, mut respond))) = connection.accept().await {
                if count.fetch_add(1, Ordering::SeqCst) == 0 {
                    respond.send_reset(how.unwrap());
                    continue;
                }
                tokio::spawn(async move {
                    let mut said = Vec::new();
                    while let Some(Ok(piece)) = request.body_mut().data().await {
                        said.extend_from_slice(&piece);
                    }
                    let mut stream = respond.send_response(Response::new(()), false).unwrap();
                    stream.send_data(said.into(), true).unwrap();
                });
            }
        }
    });
    (up.await, count)
}

#[tokio::test]
async fn what_nobody_looked_at_is_sent_again_and_nothing_else_is() {
    let names = Names::new(&[NAME]);
    on_each_with(
        || names.options(),
        async |app| {
            for (how, status, asked) in [
                (None, 200, 2),
                (Some(Reason::REFUSED_STREAM), 200, 2),
                (Some(Reason::INTERNAL_ERROR), 502, 1),
                (Some(Reason::CANCEL), 502, 1),
            ] {
                let (up, count) = refusing(&names, how).await;
                let id = up.connect(app).await;
                let mut talker = Talker::dial(app, Version::HTTP_11).await;
                let call = Request::builder().method("POST");
                let answer = talker.call(app, &id, call, "/x", body(&["once"], &[])).await.unwrap();
                assert_eq!(answer.status(), status, "{how:?}");
                let said = answer.into_body().collect().await.unwrap().to_bytes();
                assert_eq!(said == "once", status == 200, "{said:?}");
                assert_eq!(count.load(Ordering::SeqCst), asked, "{how:?}");
            }
        },
    )
    .await;
}

#[tokio::test]
async fn who_wants_http_1_is_asked_in_it_from_then_on() {
    let names = Names::new(&[NAME]);
    on_each_with(
        || names.options(),
        async |app| {
            let count = Arc::new(AtomicUsize::new(0));
            let counted = count.clone();
            let up = Speaker::on(Way::Http2, &names, move |io| {
                let count = counted.clone();
                let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                    count.fetch_add(1, Ordering::SeqCst);
                    async move {
                        if request.version() == Version::HTTP_2 {
                            return Err(h2::Error::from(Reason::HTTP_1_1_REQUIRED));
                        }
                        Ok(Response::new(body(&["ok"], &[])))
                    }
                });
                async move {
                    let builder = auto::Builder::new(TokioExecutor::new());
                    drop(builder.serve_connection(TokioIo::new(io), service).await);
                }
            });
            let up = up.await;
            let id = up.connect(app).await;
            let mut talker = Talker::dial(app, Version::HTTP_2).await;
            for asked in [2, 3] {
                let call = Request::builder().method("POST");
                let answer = talker.call(app, &id, call, "/x", body(&["x"], &[])).await.unwrap();
                assert_eq!(answer.status(), 200);
                assert_eq!(count.load(Ordering::SeqCst), asked);
            }
        },
    )
    .await;
}
