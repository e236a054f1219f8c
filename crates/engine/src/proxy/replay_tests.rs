use futures_util::stream;
use http_body_util::{BodyExt as _, StreamBody};

use super::*;
use crate::outbound::{empty, full};

fn pieces(of: &[&[u8]]) -> Body {
    let frames: Vec<Result<Frame<Bytes>, BoxError>> =
        of.iter().map(|piece| Ok(Frame::data(Bytes::copy_from_slice(piece)))).collect();
    Body::new(StreamBody::new(stream::iter(frames)))
}

async fn whole(body: Body) -> Vec<u8> {
    body.collect().await.unwrap().to_bytes().to_vec()
}

#[tokio::test]
async fn a_short_body_can_be_sent_again_whole_or_half_read() {
    let replay = Replay::new(pieces(&[b"one ", b"two ", b"three"]));
    let mut first = replay.restart().unwrap();
    assert_eq!(first.frame().await.unwrap().unwrap().into_data().unwrap(), "one ");
    for _ in 0..3 {
        assert!(replay.replayable());
        assert_eq!(whole(replay.restart().unwrap()).await, b"one two three");
    }
    assert_eq!(replay.read().unwrap().load(Ordering::Relaxed), 13, "the source is read once");
}

#[tokio::test]
async fn only_the_latest_reader_reads() {
    let replay = Replay::new(pieces(&[b"one", b"two"]));
    let mut first = replay.restart().unwrap();
    let second = replay.restart().unwrap();
    assert!(first.frame().await.unwrap().is_err());
    assert!(!first.is_end_stream());
    assert_eq!(whole(second).await, b"onetwo");
}

#[tokio::test]
async fn beyond_the_buffer_there_is_no_second_time() {
    let piece = vec![b'x'; KEPT];
    let exact = Replay::new(pieces(&[&piece]));
    assert_eq!(whole(exact.restart().unwrap()).await.len(), KEPT);
    assert!(exact.replayable());

    let long = Replay::new(pieces(&[&piece, b"y", b"z"]));
    let mut first = long.restart().unwrap();
    first.frame().await.unwrap().unwrap();
    assert!(long.replayable());
    first.frame().await.unwrap().unwrap();
    assert!(!long.replayable());
    assert!(long.restart().is_none());
    assert_eq!(whole(first).await, b"z", "the reader at work reads on");
}

#[tokio::test]
async fn a_long_body_of_which_nothing_was_read_is_still_whole() {
    let piece = vec![b'x'; KEPT];
    let replay = Replay::new(pieces(&[&piece, &piece, &piece]));
    drop(replay.restart().unwrap());
    assert_eq!(whole(replay.restart().unwrap()).await.len(), 3 * KEPT);
}

#[tokio::test]
async fn a_source_that_fails_is_not_read_again() {
    let frames: Vec<Result<Frame<Bytes>, BoxError>> = vec![Ok(Frame::data("one".into())), Err("gone".into())];
    let replay = Replay::new(Body::new(StreamBody::new(stream::iter(frames))));
    assert!(replay.restart().unwrap().collect().await.is_err());
    assert!(!replay.replayable());
}

#[tokio::test]
async fn sizes_and_ends_are_told_as_they_are() {
    let none = Replay::new(empty());
    let body = none.restart().unwrap();
    assert!(body.is_end_stream());
    assert_eq!(body.size_hint().exact(), Some(0));

    let known = Replay::new(full("12345"));
    let mut body = known.restart().unwrap();
    assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(5), false));
    body.frame().await.unwrap().unwrap();
    assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(0), true));
    let again = known.restart().unwrap();
    assert_eq!((again.size_hint().exact(), again.is_end_stream()), (Some(5), false));

    let unknown = Replay::new(pieces(&[b"1"]));
    assert_eq!(unknown.restart().unwrap().size_hint().exact(), None);
}

#[tokio::test]
async fn trailers_are_replayed() {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", "1".parse().unwrap());
    let sent = trailers.clone();
    let replay = Replay::new(Body::new(full("data").with_trailers(async move { Some(Ok(sent)) })));
    for _ in 0..2 {
        let got = replay.restart().unwrap().collect().await.unwrap();
        assert_eq!(got.trailers(), Some(&trailers));
        assert_eq!(got.to_bytes(), "data");
    }
}

#[tokio::test]
async fn trailers_are_cleaned_like_headers_the_first_time_and_again() {
    let mut trailers = HeaderMap::new();
    for name in [
        "authorization",
        "cookie",
        "bu-connection-id",
        "x-forwarded-for",
        "forwarded",
        "proxy-authorization",
        "connection",
        "transfer-encoding",
        "te",
        "host",
        "content-length",
        "trailer",
        "x-hop",
        "x-sum",
    ] {
        trailers.insert(name, "1".parse().unwrap());
    }
    trailers.insert("connection", "x-hop".parse().unwrap());
    let replay = Replay::new(Body::new(full("data").with_trailers(async move { Some(Ok(trailers)) })));
    for _ in 0..2 {
        let got = replay.restart().unwrap().collect().await.unwrap();
        let names: Vec<_> = got.trailers().unwrap().keys().map(http::HeaderName::as_str).collect();
        assert_eq!(names, ["x-sum"]);
    }
}
