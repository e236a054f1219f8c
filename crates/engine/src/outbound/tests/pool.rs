//! Connections that are used again.

use super::{
    server::{Does, Server},
    *,
};

const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfour";

#[tokio::test]
async fn a_connection_is_used_again_once_its_answer_was_read() {
    let server = Server::start(Does::KeepAlive(ANSWER.to_owned())).await;
    let (outbound, _) = scripted(Script::default());
    let url = format!("http://{}/", server.addr);
    for _ in 0..3 {
        assert_eq!(outbound.fetch(get(&url), 10).await.unwrap().body(), "four");
    }
    assert_eq!(server.connections(), 1);
    let unread = outbound.send(streamed(get(&url))).await.unwrap();
    assert_eq!(outbound.fetch(get(&url), 10).await.unwrap().body(), "four");
    assert_eq!(server.connections(), 2, "the first is busy");
    drop(unread);
    // All of it had come: what nobody read is thrown away, and the connection is as good as before.
    let to = outbound.destination(&url.parse().unwrap()).unwrap();
    while outbound.pool.waiting(&to) < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(outbound.fetch(get(&url), 10).await.unwrap().body(), "four");
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn an_answer_that_is_given_up_half_way_takes_its_connection_along() {
    let half = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nfour".to_owned();
    let server = Server::start(Does::Stall(half)).await;
    let (outbound, _) = scripted(Script::default());
    let url = format!("http://{}/", server.addr);
    drop(outbound.send(streamed(get(&url))).await.unwrap());
    let again = outbound.send(streamed(get(&url))).await.unwrap();
    assert_eq!(server.connections(), 2);
    drop(again);
}

#[tokio::test]
async fn an_answer_without_a_body_has_ended_at_once() {
    let server = Server::start(Does::KeepAlive("HTTP/1.1 204 No Content\r\n\r\n".to_owned())).await;
    let (outbound, _) = scripted(Script::default());
    let url = format!("http://{}/", server.addr);
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(outbound.send(streamed(get(&url))).await.unwrap());
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn what_never_left_goes_over_another_connection() {
    // It says nothing of closing, and closes.
    let server = Server::start(Does::Answer(ANSWER.to_owned())).await;
    let (outbound, _) = scripted(Script::default());
    let url = format!("http://{}/", server.addr);
    for _ in 0..50 {
        let posted = Request::post(&url).body(Bytes::new()).unwrap();
        assert_eq!(outbound.fetch(posted, 10).await.unwrap().body(), "four");
    }
    assert_eq!(server.heads().len(), 50, "each came once");
}

#[tokio::test]
async fn a_destination_is_for_its_place_alone() {
    let server = Server::start(Does::KeepAlive(ANSWER.to_owned())).await;
    let (outbound, _) = scripted(Script::default());
    let to = outbound.destination(&format!("http://{}/", server.addr).parse().unwrap()).unwrap();
    let elsewhere = streamed(get("http://127.0.0.1:9/"));
    let failure = outbound.send_to(&to, elsewhere).await.unwrap_err();
    assert_eq!((failure.kind, failure.nothing_sent), (FailureKind::BadUrl, true));
    assert_eq!(server.connections(), 0);
}
