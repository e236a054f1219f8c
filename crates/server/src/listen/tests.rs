//! A taken port, and an end that is orderly but not endless.

mod streams;
mod waiting;

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::Full;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::{Notify, mpsc, oneshot},
};

use super::*;

fn any_port() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

/// A server whose one service tells when a request arrives and answers when told to.
struct Stage {
    addr: SocketAddr,
    arrived: mpsc::UnboundedReceiver<PeerAddr>,
    answer: Arc<Notify>,
    stop: oneshot::Sender<()>,
    ended: tokio::task::JoinHandle<Ended>,
}

async fn stage(limit: impl Into<Limits> + Send + 'static, tls: Option<Arc<ServerConfig>>) -> Stage {
    let listener = bind("listen", any_port()).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (arrive, arrived) = mpsc::unbounded_channel();
    let answer = Arc::new(Notify::new());
    let told = answer.clone();
    let service = service_fn(move |request: Request<Arriving>| {
        let (arrive, told) = (arrive.clone(), told.clone());
        async move {
            arrive.send(*request.extensions().get::<PeerAddr>().unwrap()).unwrap();
            told.notified().await;
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"done"))))
        }
    });
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async move { drop(stopped.await) };
    let ended = tokio::spawn(serve(listener, tls, service, shutdown, limit));
    Stage { addr, arrived, answer, stop, ended }
}

async fn ask(addr: SocketAddr) -> TcpStream {
    let mut client = TcpStream::connect(addr).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").await.unwrap();
    client
}

#[tokio::test]
async fn a_taken_port_says_which_setting_to_change() {
    let first = bind("listen", any_port()).await.unwrap();
    let addr = first.local_addr().unwrap();
    let text = bind("proxy_listen", addr).await.unwrap_err().to_string();
    for part in
        [addr.to_string().as_str(), "taken", "proxy_listen", "--proxy-listen", "CLAVIGER_PROXY_LISTEN"]
    {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
}

#[tokio::test]
async fn a_request_in_flight_finishes_and_new_connections_are_refused() {
    let mut stage = stage(Duration::from_secs(60), None).await;
    let mut client = ask(stage.addr).await;
    let from = stage.arrived.recv().await.unwrap();
    assert_eq!(from, PeerAddr(client.local_addr().unwrap()));
    stage.stop.send(()).unwrap();
    // The port closes while the request is still open.
    while TcpStream::connect(stage.addr).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!stage.ended.is_finished());
    stage.answer.notify_one();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("done"), "{answer}");
    assert_eq!(stage.ended.await.unwrap(), Ended { cut: 0 });
}

#[tokio::test]
async fn a_stuck_request_is_cut_at_the_limit() {
    let mut stage = stage(Duration::from_millis(20), None).await;
    let mut client = ask(stage.addr).await;
    stage.arrived.recv().await.unwrap();
    stage.stop.send(()).unwrap();
    assert_eq!(stage.ended.await.unwrap(), Ended { cut: 1 });
    let mut answer = Vec::new();
    let _reset = client.read_to_end(&mut answer).await;
    assert!(answer.is_empty());
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_the_end_up() {
    let mut stage = stage(Duration::from_secs(60), None).await;
    let mut client = ask(stage.addr).await;
    stage.arrived.recv().await.unwrap();
    stage.answer.notify_one();
    let mut answer = [0_u8; 12];
    client.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    stage.stop.send(()).unwrap();
    assert_eq!(stage.ended.await.unwrap(), Ended { cut: 0 });
}

#[test]
fn a_missing_or_wrong_pem_file_names_its_setting() {
    let dir = tempfile::tempdir().unwrap();
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    let text = tls(&cert, &key).unwrap_err().to_string();
    assert!(text.contains("tls_cert") && text.contains("cert.pem"), "{text}");
    std::fs::write(&cert, "nothing").unwrap();
    let text = tls(&cert, &key).unwrap_err().to_string();
    assert!(text.contains("tls_cert"), "{text}");
}
