use futures_util::stream;
use http_body_util::StreamBody;

use super::*;
use crate::outbound::{FailureKind, full};

fn rule(path: Option<&str>) -> Expired {
    let is = vec!["token_expired".to_owned()];
    Expired { status: 200, path: path.map(str::to_owned), header: None, is }
}

fn json(body: Body) -> Outcome {
    Ok(Response::builder().header("content-type", "application/json; charset=utf-8").body(body).unwrap())
}

/// A body that comes in these pieces, and then nothing more for ever where it is `open`.
fn pieces(pieces: Vec<Vec<u8>>, open: bool) -> Body {
    let sent = pieces.into_iter().map(|piece| Ok(Frame::data(Bytes::from(piece))));
    let sent = stream::iter(sent);
    if open {
        let stuck = stream::pending::<Result<Frame<Bytes>, BoxError>>();
        return Body::new(StreamBody::new(futures_util::StreamExt::chain(sent, stuck)));
    }
    Body::new(StreamBody::new(sent))
}

async fn all(outcome: Outcome) -> Vec<u8> {
    let Ok(answer) = outcome else { panic!("it is an answer") };
    answer.into_body().collect().await.unwrap().to_bytes().to_vec()
}

const OVER: &[u8] = br#"{ "ok":false, "error":"token_expired" }"#;

#[tokio::test]
async fn what_matches_tells_and_what_does_not_passes_as_it_came() {
    let rules = [rule(Some("error"))];
    let cut = OVER.chunks(7).map(<[u8]>::to_vec).collect();
    for body in [full(OVER), pieces(cut, false)] {
        let (outcome, over) = look(&rules, json(body)).await;
        assert!(over);
        assert_eq!(all(outcome).await, OVER, "byte for byte");
    }
    for text in ["", "{\"error\":\"other\"}", "{\"error\":", "\u{feff}x", "[1, 2]"] {
        let (outcome, over) = look(&rules, json(full(text))).await;
        assert!(!over, "{text}");
        assert_eq!(outcome.as_ref().unwrap().body().size_hint().exact(), u64::try_from(text.len()).ok());
        assert_eq!(all(outcome).await, text.as_bytes());
    }
}

#[tokio::test]
async fn a_long_body_is_not_held_back_and_loses_nothing() {
    let rules = [rule(Some("error"))];
    let mut long = br#"{"error":"token_expired","pad":""#.to_vec();
    long.resize(MOST + 10, b'x');
    long.extend(b"\"}");
    for body in [
        full(long.clone()),
        pieces(long.chunks(1000).map(<[u8]>::to_vec).collect(), false),
        pieces(vec![long.clone()], false),
    ] {
        let (outcome, over) = look(&rules, json(body)).await;
        assert!(!over);
        assert!(all(outcome).await == long, "byte for byte");
    }
    let mut fits = br#"{"error":"token_expired","pad":""#.to_vec();
    fits.resize(MOST - 2, b'x');
    fits.extend(b"\"}");
    assert!(look(&rules, json(full(fits))).await.1, "as long as may be");
}

#[tokio::test]
async fn a_slow_body_is_let_go_and_what_was_read_of_it_comes_first() {
    let rules = [rule(Some("error"))];
    let slow = json(pieces(vec![OVER.to_vec()], true));
    let (outcome, over) = look_for(Duration::from_millis(20), &rules, slow).await;
    assert!(!over);
    let mut body = outcome.unwrap().into_body();
    assert!(!body.is_end_stream());
    let frame = body.frame().await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), OVER);
}

#[tokio::test]
async fn a_broken_body_breaks_where_it_broke() {
    let broken: Vec<Result<Frame<Bytes>, BoxError>> =
        vec![Ok(Frame::data(Bytes::from_static(OVER))), Err("gone".into())];
    let (outcome, over) =
        look(&[rule(Some("error"))], json(Body::new(StreamBody::new(stream::iter(broken))))).await;
    assert!(!over, "not all of it came");
    let mut body = outcome.unwrap().into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), OVER);
    assert!(body.frame().await.unwrap().is_err());
}

#[tokio::test]
async fn only_what_can_tell_is_looked_into() {
    let answer = |headers: &[(&str, &str)], status: u16| {
        let mut answer = Response::builder().status(status);
        for (name, value) in headers {
            answer = answer.header(*name, *value);
        }
        Ok(answer.body(full(OVER)).unwrap())
    };
    let (by_path, by_text) = ([rule(Some("error"))], [Expired { is: vec![as_text(OVER)], ..rule(None) }]);
    let typed = ("content-type", "application/json");
    for (rules, headers, status, want) in [
        (&by_path, &[typed][..], 200, true),
        (&by_path, &[("content-type", "application/problem+JSON")], 200, true),
        (&by_path, &[typed], 201, false),
        (&by_path, &[("content-type", "text/plain")], 200, false),
        (&by_path, &[], 200, false),
        (&by_path, &[typed, ("content-encoding", "gzip")], 200, false),
        (&by_path, &[typed], 401, true),
        (&by_text, &[("content-type", "text/html")], 200, true),
        (&by_text, &[("content-type", "text/html"), ("content-encoding", "br")], 200, false),
    ] {
        let (outcome, over) = look(rules, answer(headers, status)).await;
        assert_eq!(over, want, "{headers:?} {status}");
        assert_eq!(all(outcome).await, OVER);
    }
    let (outcome, over) = look(&[], answer(&[typed], 200)).await;
    assert!(!over && outcome.is_ok());
    let failure = Failure { kind: FailureKind::Broken, nothing_sent: true, message: String::new() };
    assert!(!look(&by_path, Err(failure)).await.1);
}

fn as_text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn an_answer_is_asked_for_plainly_only_where_its_body_is_read() {
    let asked = |rules: &[Expired]| {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip, br"));
        ask_plain(rules, &mut headers);
        headers[header::ACCEPT_ENCODING].to_str().unwrap().to_owned()
    };
    let by_header = Expired { header: Some("x".into()), ..rule(None) };
    assert_eq!(asked(&[]), "gzip, br");
    assert_eq!(asked(&[by_header]), "gzip, br");
    assert_eq!(asked(&[rule(Some("error"))]), "identity");
}
