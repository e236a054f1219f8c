//! Callers that speak HTTP/2: the same bytes at the provider.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::support::{Recorder, TestApp, on_each};

type Outgoing = UnsyncBoxBody<Bytes, std::convert::Infallible>;

async fn dial(app: &TestApp) -> http2::SendRequest<Outgoing> {
    let stream = TcpStream::connect(app.proxy.trim_start_matches("http://")).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(async move { drop(connection.await) });
    sender
}

fn call(app: &TestApp, id: &str, method: &str, target: &str) -> http::request::Builder {
    Request::builder()
        .method(method)
        .uri(format!("http://elsewhere.test{target}"))
        .header("authorization", format!("Bearer {}", app.acme.key))
        .header("bu-connection-id", id)
}

#[tokio::test]
async fn a_call_over_http_2_arrives_as_one_over_http_1() {
    on_each(async |app| {
        let up = Recorder::start(|mut wire| async move {
            while wire.request().await.is_some() {
                wire.say(
                    "HTTP/1.1 203 Odd\r\nX-Many: 1\r\nX-Other: x\r\nX-Many: 2\r\nTrailer: X-Sum\r\n\
                     Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n",
                )
                .await;
            }
        })
        .await;
        let id = up.connect(app).await;
        let mut sender = dial(app).await;
        for method in ["GET", "POST", "QUERY"] {
            let body = match method {
                "GET" => Outgoing::new(Full::default()),
                _ => Outgoing::new(Full::new(Bytes::from_static(b"hello"))),
            };
            let request = call(app, &id, method, "/a%2Fb//;c?x=+%20&y=&&z")
                .header("x-many", "1")
                .header("x-other", "x")
                .header("x-many", "2")
                .body(body)
                .unwrap();
            let answer = sender.send_request(request).await.unwrap();
            assert_eq!(answer.status(), 203);
            let many: Vec<_> = answer.headers().get_all("x-many").iter().cloned().collect();
            assert_eq!(many, ["1", "2"].map(HeaderValue::from_static));
            let whole = answer.into_body().collect().await.unwrap();
            assert_eq!(whole.trailers().unwrap()["x-sum"], "7");
            assert_eq!(whole.to_bytes(), "ok");
        }
        let seen = up.seen().concat();
        let calls: Vec<&str> = seen.split_inclusive("HTTP/1.1\r\n").collect();
        assert_eq!(calls.len(), 4, "{seen}");
        assert_eq!(calls[0], "GET /api/a%2Fb//;c?x=+%20&y=&&z HTTP/1.1\r\n");
        assert!(
            calls[2].ends_with("hello".to_owned().as_str()) || calls[2].contains("\r\n\r\nhelloQUERY /api/"),
            "{seen}"
        );
        assert!(calls[3].ends_with("\r\n\r\nhello"), "{seen}");
        for call in &calls[1..] {
            let lower = call.to_ascii_lowercase();
            let at = |line: &str| lower.find(line).unwrap_or_else(|| panic!("no {line:?} in {call}"));
            assert!(at("x-many: 1\r\n") < at("x-many: 2\r\n"));
            assert_eq!(
                lower.matches("\r\nhost: 127.0.0.1:").count(),
                1,
                "the authority says nothing: {call}"
            );
        }
        assert!(!calls[1].to_ascii_lowercase().contains("content-length"), "{seen}");
    })
    .await;
}

#[tokio::test]
async fn a_body_of_unknown_length_and_its_trailers_arrive() {
    on_each(async |app| {
        let up =
            Recorder::saying("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok").await;
        let id = up.connect(app).await;
        let mut sender = dial(app).await;
        for method in ["PUT", "GET"] {
            let mut trailers = HeaderMap::new();
            trailers.insert("x-sum", HeaderValue::from_static("9"));
            let frames =
                [http_body::Frame::data(Bytes::from_static(b"abc")), http_body::Frame::trailers(trailers)];
            let frames = futures_util::stream::iter(frames.map(Ok::<_, std::convert::Infallible>));
            let request = call(app, &id, method, "/x").header("trailer", "x-sum").header("te", "trailers");
            let answer =
                sender.send_request(request.body(Outgoing::new(StreamBody::new(frames))).unwrap()).await;
            assert_eq!(answer.unwrap().into_body().collect().await.unwrap().to_bytes(), "ok");
            let seen = up.last().to_ascii_lowercase();
            assert!(seen.ends_with("\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 9\r\n\r\n"), "{method}: {seen}");
        }
    })
    .await;
}
