//! A caller of the proxy that sees the wire: bodies that stream, answers that are read piece by piece or not at all.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Method, Request, Response, header};
use http_body_util::{BodyExt as _, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinHandle};

use super::{Answer, Browser, TestApp};

/// A body as it is sent here.
pub type Outgoing = UnsyncBoxBody<Bytes, Infallible>;

/// An answer whose body is still to come. Dropped, it hangs up.
pub struct Open {
    pub answer: Response<Incoming>,
    driver: JoinHandle<()>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Open {
    /// The next piece of the body.
    pub async fn next(&mut self) -> Option<Bytes> {
        let frame = self.answer.body_mut().frame().await?.expect("a whole body");
        Some(frame.into_data().unwrap_or_default())
    }

    /// Whether the rest of the body broke off.
    pub async fn broke(mut self) -> bool {
        while let Some(frame) = self.answer.body_mut().frame().await {
            if frame.is_err() {
                return true;
            }
        }
        false
    }
}

/// A call with the first tenant's key, to be completed.
pub fn call(app: &TestApp, method: Method, connection: &str, target: &str) -> http::request::Builder {
    Request::builder()
        .method(method)
        .uri(format!("{}{target}", app.proxy))
        .header("authorization", format!("Bearer {}", app.acme.key))
        .header("bu-connection-id", connection)
}

/// Sends a call without a body and reads the answer.
pub async fn send(request: http::request::Builder) -> Answer {
    Browser::new().send(request, Bytes::new()).await
}

/// Sends a call and hands back its answer with the body still streaming.
pub async fn open(request: Request<Outgoing>) -> Open {
    let (mut sender, driver) = dial(authority(&request)).await;
    let answer = sender.send_request(local(request)).await.expect("an answer");
    Open { answer, driver }
}

/// Sends a call that nobody waits for: dropping what comes back hangs up.
pub async fn begin(request: Request<Outgoing>) -> Hold {
    let (mut sender, driver) = dial(authority(&request)).await;
    let waiting = tokio::spawn(async move {
        let _gone = sender.send_request(local(request)).await;
        std::future::pending::<()>().await;
    });
    Hold { tasks: [waiting, driver] }
}

/// A call under way.
pub struct Hold {
    tasks: [JoinHandle<()>; 2],
}

impl Hold {
    /// Hangs up, and returns once the socket is closed.
    pub async fn hang_up(self) {
        for task in self.tasks {
            task.abort();
            let _aborted = task.await;
        }
    }
}

fn authority(request: &Request<Outgoing>) -> String {
    request.uri().authority().expect("an absolute URL").to_string()
}

async fn dial(authority: String) -> (hyper::client::conn::http1::SendRequest<Outgoing>, JoinHandle<()>) {
    let io = TokioIo::new(TcpStream::connect(authority).await.expect("a listener"));
    let (sender, connection) = hyper::client::conn::http1::handshake(io).await.expect("HTTP/1.1");
    (sender, tokio::spawn(async move { drop(connection.await) }))
}

fn local(mut request: Request<Outgoing>) -> Request<Outgoing> {
    let host = request.uri().authority().expect("an absolute URL").as_str().parse().expect("a host");
    request.headers_mut().entry(header::HOST).or_insert(host);
    *request.uri_mut() = request.uri().path_and_query().expect("a path").as_str().parse().expect("a path");
    request
}

/// A body that is not there.
pub fn nothing() -> Outgoing {
    Outgoing::new(http_body_util::Empty::new())
}
