//! Requests that may leave for a while only.

use std::time::Duration;

use super::{
    super::guard::Guarded,
    server::{Does, Server},
    *,
};

const LONG: Duration = Duration::from_secs(60);

fn answering() -> Does {
    Does::KeepAlive("HTTP/1.1 204 No Content\r\n\r\n".to_owned())
}

fn post(server: &Server, guard: &Guard) -> Request<Bytes> {
    let request = Request::post(format!("http://{}/token", server.addr)).extension(guard.clone());
    request.body(Bytes::from_static(b"refresh_token=x")).unwrap()
}

#[tokio::test]
async fn a_request_whose_time_is_over_is_not_begun() {
    let server = Server::start(answering()).await;
    let (outbound, _) = scripted(Script::default());
    for guard in [Guard::new(Moment::now(), Duration::ZERO), Guard::new(Moment::now(), LONG)] {
        guard.shorten(Moment::now(), Duration::ZERO);
        guard.shorten(Moment::now(), LONG);
        assert!(guard.is_over());
        let failure = outbound.fetch(post(&server, &guard), 10).await.unwrap_err();
        assert!(failure.nothing_sent && !guard.left(), "{failure:?}");
    }
    assert_eq!(server.connections(), 0);
}

/// The server may have closed a connection that waited, and it would not be known whether the request arrived.
#[tokio::test]
async fn what_may_leave_once_leaves_over_a_connection_of_its_own() {
    let server = Server::start(answering()).await;
    let (outbound, _) = scripted(Script::default());
    let plain = || Request::get(format!("http://{}/", server.addr)).body(Bytes::new()).unwrap();
    for _ in 0..3 {
        outbound.fetch(plain(), 10).await.unwrap();
    }
    assert_eq!(server.connections(), 1, "others share one");
    for _ in 0..2 {
        outbound.fetch(post(&server, &Guard::new(Moment::now(), LONG)), 10).await.unwrap();
    }
    assert_eq!(server.connections(), 3);
    outbound.fetch(plain(), 10).await.unwrap();
    assert_eq!(server.connections(), 3, "nor does anybody else use theirs");
}

/// The process stood still after it was looked at, before its body was to be written.
#[tokio::test]
async fn a_body_whose_time_is_over_is_not_written() {
    let server = Server::start(answering()).await;
    let (outbound, _) = scripted(Script::default());
    let guard = Guard::new(Moment::now(), LONG);
    guard.end();
    let body = Body::new(Guarded::new(full("refresh_token=x"), guard.clone()));
    let request = Request::post(format!("http://{}/token", server.addr)).body(body).unwrap();
    let failure = outbound.send(request).await.unwrap_err();
    assert!(failure.nothing_sent && !guard.left(), "{failure:?}");
    assert_eq!(server.heads().len(), 0);
}

#[tokio::test]
async fn what_left_is_known_and_how_it_was_answered() {
    let server = Server::start(answering()).await;
    let (outbound, _) = scripted(Script::default());
    let guard = Guard::new(Moment::now(), LONG);
    assert_eq!((guard.left(), guard.status()), (false, None));
    outbound.fetch(post(&server, &guard), 10).await.unwrap();
    assert_eq!((guard.left(), guard.status()), (true, Some(204)));
    let silent = Server::start(Does::Stall(String::new())).await;
    let outbound = Outbound::new(Config { header_timeout: Duration::from_millis(50), ..config() }).unwrap();
    outbound.fetch(post(&silent, &guard), 10).await.unwrap_err();
    assert_eq!((guard.left(), guard.status()), (true, None), "the answer before was another's");

    let unborn = Guard::new(Moment::now(), LONG);
    let nobody = Request::post("http://127.0.0.1:1/token").extension(unborn.clone());
    let failure = outbound.fetch(nobody.body(Bytes::from_static(b"x")).unwrap(), 10).await.unwrap_err();
    assert!(failure.nothing_sent && !unborn.left(), "{failure:?}");
}
