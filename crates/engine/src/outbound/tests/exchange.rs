//! Exchanges that go wrong, each in its own way.

use std::time::Duration;

use super::{
    server::{Does, Server},
    *,
};

const SHORT: Duration = Duration::from_millis(50);

fn url(server: &Server) -> String {
    format!("http://{}/path?query=1", server.addr)
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let to = "http://169.254.169.254/latest/meta-data/";
    let answer = format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
    let server = Server::start(Does::Answer(answer)).await;
    let (outbound, script) = scripted(Script::default());
    let answer = outbound.fetch(get(url(&server)), 10).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["location"].to_str().unwrap()), (302, to));
    assert_eq!((server.connections(), script.asked()), (1, 0));
}

#[tokio::test]
async fn what_is_sent_is_what_was_asked_for() {
    let server = Server::start(Does::KeepAlive("HTTP/1.1 204 No Content\r\n\r\n".to_owned())).await;
    let (outbound, _) = scripted(Script::default());
    let url = format!("http://{}/a%2Fb//c;d?x=%20&y", server.addr);
    for agent in [None, Some("theirs")] {
        let mut request = get(&url);
        if let Some(agent) = agent {
            request.headers_mut().insert("user-agent", agent.parse().unwrap());
        }
        *request.version_mut() = Version::HTTP_2;
        outbound.fetch(request, 10).await.unwrap();
    }
    let heads = server.heads();
    assert!(heads[0].starts_with("GET /a%2Fb//c;d?x=%20&y HTTP/1.1\r\n"), "{}", heads[0]);
    assert!(heads[0].contains("user-agent: claviger\r\n"), "{}", heads[0]);
    assert!(heads[1].contains("user-agent: theirs\r\n"), "{}", heads[1]);
}

#[tokio::test]
async fn headers_that_do_not_come_time_out() {
    let server = Server::start(Does::Stall("HTTP/1.1 200 OK\r\n".to_owned())).await;
    let outbound = Outbound::new(Config { header_timeout: SHORT, ..config() }).unwrap();
    let failure = outbound.fetch(get(url(&server)), 10).await.unwrap_err();
    assert_eq!((failure.kind, failure.nothing_sent), (FailureKind::TimedOut, false));
}

#[tokio::test]
async fn a_body_that_stalls_times_out() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf".to_owned();
    let server = Server::start(Does::Stall(head)).await;
    let outbound = Outbound::new(Config { idle_timeout: SHORT, ..config() }).unwrap();
    let mut body = outbound.send(streamed(get(url(&server)))).await.unwrap().into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "half");
    let error = body.frame().await.unwrap().unwrap_err();
    assert_eq!(error.downcast::<Failure>().unwrap().kind, FailureKind::TimedOut);

    let failure = outbound.fetch(get(url(&server)), 10).await.unwrap_err();
    assert_eq!((failure.kind, failure.nothing_sent), (FailureKind::TimedOut, false));
}

#[tokio::test]
async fn a_fetch_ends_within_its_total_timeout() {
    let server = Server::start(Does::Stall(String::new())).await;
    let outbound = Outbound::new(Config { total_timeout: SHORT, ..config() }).unwrap();
    assert_eq!(outbound.fetch(get(url(&server)), 10).await.unwrap_err().kind, FailureKind::TimedOut);
}

#[tokio::test]
async fn a_huge_answer_is_cut_off() {
    let server = Server::start(Does::Endless).await;
    let (outbound, _) = scripted(Script::default());
    let failure = outbound.fetch(get(url(&server)), 100_000).await.unwrap_err();
    assert_eq!((failure.kind, failure.nothing_sent), (FailureKind::TooLarge, false));

    let exact = Server::start(Does::Answer(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nfour".to_owned(),
    ))
    .await;
    assert_eq!(outbound.fetch(get(url(&exact)), 4).await.unwrap().body(), "four");
    assert_eq!(outbound.fetch(get(url(&exact)), 3).await.unwrap_err().kind, FailureKind::TooLarge);
}

#[tokio::test]
async fn a_connection_closed_mid_way_is_broken() {
    let (outbound, _) = scripted(Script::default());
    for bytes in
        ["", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "SSH-2.0-x\r\n\r\n"]
    {
        let server = Server::start(Does::Answer(bytes.to_owned())).await;
        let failure = outbound.fetch(get(url(&server)), 100).await.unwrap_err();
        assert_eq!((failure.kind, failure.nothing_sent), (FailureKind::Broken, false), "{bytes:?}");
    }
}

#[tokio::test]
async fn a_refused_connection_sent_nothing() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    let (outbound, _) = scripted(Script::default());
    let failure = outbound.fetch(get(format!("http://{addr}/")), 10).await.unwrap_err();
    assert_eq!((failure.kind, failure.nothing_sent), (FailureKind::Connect, true));
}

#[tokio::test]
async fn the_next_address_is_tried_when_one_refuses() {
    let server =
        Server::start(Does::Answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_owned())).await;
    // Nothing listens on this port at 127.0.0.2.
    let allow = vec!["127.0.0.0/8".parse().unwrap()];
    let script = Arc::new(Script::default().answer("two.test", &[ip("127.0.0.2"), ip("127.0.0.1")]));
    let config = Config { policy: Policy { allow }, ..config() };
    let outbound = Outbound::with_resolver(config, Resolver::Scripted(script)).unwrap();
    let url = format!("http://two.test:{}/", server.addr.port());
    assert_eq!(outbound.fetch(get(url), 10).await.unwrap().body(), "ok");
}
