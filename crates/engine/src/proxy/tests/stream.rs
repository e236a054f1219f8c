//! Bodies on their way: piece by piece in both directions, and what happens when somebody leaves.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderName};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use tokio::sync::mpsc;

use super::{
    super::{echoes::Echoes, *},
    world::{status, world},
};
use crate::{
    outbound::{BoxError, empty, full},
    watch::Ended,
};

type Piece = std::result::Result<Frame<Bytes>, BoxError>;

/// A body whose pieces come from a channel.
fn channel() -> (mpsc::Sender<Piece>, Body) {
    let (sender, receiver) = mpsc::channel::<Piece>(1);
    let pieces = stream::unfold(receiver, |mut receiver| async { Some((receiver.recv().await?, receiver)) });
    (sender, Body::new(StreamBody::new(pieces)))
}

fn piece(text: &'static str) -> Piece {
    Ok(Frame::data(Bytes::from_static(text.as_bytes())))
}

#[tokio::test]
async fn both_directions_stream_at_once() {
    let world = world(|_, _| status(500)).await;
    let (sender, body) = channel();
    sender.send(piece("one")).await.unwrap();
    let call = world.call(Request::post("/echo").body(body).unwrap());
    let mut answer = forward(&world.broker, call).await.unwrap().into_body();
    // Each piece is sent only after the one before has come back.
    for (got, next) in [("one", Some("two")), ("two", Some("three")), ("three", None)] {
        assert_eq!(answer.frame().await.unwrap().unwrap().into_data().unwrap(), got);
        if let Some(next) = next {
            sender.send(piece(next)).await.unwrap();
        }
    }
    drop(sender);
    assert!(answer.frame().await.is_none());
    drop(answer);
    let row = &world.log().await[0];
    assert_eq!((row.status, row.error.as_deref(), row.bytes_in, row.bytes_out), (200, None, 11, 11));
}

#[tokio::test]
async fn a_caller_who_leaves_ends_the_call_at_the_provider() {
    let (sender, body) = channel();
    let once = std::sync::Mutex::new(Some(body));
    let world = world(move |_, _| Response::new(once.lock().unwrap().take().unwrap())).await;
    sender.send(piece("first")).await.unwrap();
    let mut answer = world.send("GET", "/x", "").await.unwrap().into_body();
    assert_eq!(answer.frame().await.unwrap().unwrap().into_data().unwrap(), "first");
    drop(answer);
    // The provider's server drops its body when the connection is gone.
    while sender.send(piece("more")).await.is_ok() {}
    let row = &world.log().await[0];
    assert_eq!((row.status, row.error.as_deref(), row.bytes_out), (200, Some("caller_gone"), 5));
}

#[tokio::test]
async fn a_call_given_up_before_its_answer_is_on_record() {
    let world = world(|_, _| status(200)).await;
    let (sender, body) = channel();
    let call = world.call(Request::post("/x").body(body).unwrap());
    let broker = world.broker.clone();
    let waiting = tokio::spawn(async move { forward(&broker, call).await.map(drop) });
    // The second piece finds room only once the first is on its way.
    sender.send(piece("first")).await.unwrap();
    sender.send(piece("second")).await.unwrap();
    waiting.abort();
    let _aborted = waiting.await;
    sender.closed().await;
    let row = &world.log().await[0];
    assert_eq!((row.status, row.error.as_deref(), row.attempts), (499, Some("caller_gone"), 1));
}

#[tokio::test]
async fn an_answer_that_breaks_off_breaks_off_for_the_caller() {
    let (sender, body) = channel();
    let once = std::sync::Mutex::new(Some(body));
    let world = world(move |_, _| Response::new(once.lock().unwrap().take().unwrap())).await;
    sender.send(piece("first")).await.unwrap();
    let mut answer = world.send("GET", "/x", "").await.unwrap().into_body();
    assert_eq!(answer.frame().await.unwrap().unwrap().into_data().unwrap(), "first");
    sender.send(Err("the provider fell over".into())).await.unwrap();
    assert!(answer.frame().await.unwrap().is_err());
    drop(answer);
    let row = &world.log().await[0];
    assert_eq!((row.status, row.error.as_deref()), (200, Some("upstream_broken")));
}

#[tokio::test]
async fn an_answer_whose_call_is_cut_fails_at_once_and_lets_go_of_its_source() {
    let (sender, body) = channel();
    let once = std::sync::Mutex::new(Some(body));
    let world = world(move |_, _| Response::new(once.lock().unwrap().take().unwrap())).await;
    sender.send(piece("first")).await.unwrap();
    let mut answer = world.send("GET", "/x", "").await.unwrap().into_body();
    assert_eq!(answer.frame().await.unwrap().unwrap().into_data().unwrap(), "first");
    let reading = tokio::spawn(async move { (answer.frame().await, answer) });
    tokio::task::yield_now().await;
    world.broker.watch.leave(Duration::ZERO).await;
    let (last, mut answer) = reading.await.unwrap();
    assert!(last.unwrap().unwrap_err().is::<Ended>());
    assert!(world.broker.watch.is_empty(), "the place is free");
    while sender.send(piece("more")).await.is_ok() {}
    assert!(answer.frame().await.is_none());
    drop(answer);
    let row = &world.log().await[0];
    assert_eq!((row.status, row.error.as_deref()), (200, Some("access_ended")));
}

#[tokio::test]
async fn trailers_are_cleaned_like_headers() {
    let world = world(|_, _| status(200)).await;
    let (call, turn) = (world.call(Request::new(empty())), world.broker.watch.turn());
    let subject = resolve::subject(&world.broker, &call.caller).await.unwrap();
    let entry = Entry::open(&world.broker, &call, &subject);
    let ticket = world.broker.watch.enter(turn, standing(&subject, &call.caller));
    let mut trailers = HeaderMap::new();
    for (name, value) in [("x-sum", "1"), ("x-echo", "tok_canary_1"), ("set-cookie", "a=b")] {
        trailers.insert(name, value.parse().unwrap());
    }
    let body = full("body").with_trailers(async move { Some(Ok(trailers)) });
    let answer = relay::pass(Response::new(Body::new(body)), Echoes::new(&["tok_canary_1"]), ticket, entry);
    let mut body = answer.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "body");
    let trailers = body.frame().await.unwrap().unwrap().into_trailers().unwrap();
    assert_eq!(trailers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-sum"]);
    // Whoever had them does not ask for more.
    drop(body);
    let row = &world.log().await[0];
    assert_eq!((row.bytes_out, row.error.as_deref()), (4, None));
}

#[tokio::test]
async fn a_full_queue_drops_rows_and_holds_nobody_up() {
    let world = world(|_, _| status(200)).await;
    world.send("GET", "/x", "").await.unwrap();
    let row = world.log().await.remove(0);
    let (recorder, _waiting) = Recorder::without_writer(1);
    for _ in 0..3 {
        recorder.add(row.clone());
    }
    assert_eq!(recorder.dropped(), 2);
}
