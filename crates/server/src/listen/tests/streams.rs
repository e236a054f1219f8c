//! HTTP/2 frame by frame: streams that are reset, or not read.

use http::Method;
use http_body_util::BodyExt as _;

use super::*;

type Sender = h2::client::SendRequest<Bytes>;

pub(super) async fn dial(addr: SocketAddr) -> Sender {
    let stream = TcpStream::connect(addr).await.unwrap();
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(async move { drop(connection.await) });
    sender.ready().await.unwrap()
}

pub(super) fn head(method: Method) -> Request<()> {
    Request::builder().method(method).uri("http://here/").body(()).unwrap()
}

/// A server that reads each body aside, as a client on its way out does, and says whether it was whole.
async fn reading() -> (SocketAddr, mpsc::UnboundedReceiver<bool>) {
    let listener = bind("listen", any_port()).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (tell, told) = mpsc::unbounded_channel();
    let service = service_fn(move |request: Request<Arriving>| {
        let tell = tell.clone();
        tokio::spawn(async move { tell.send(request.into_body().collect().await.is_ok()) });
        async { Ok::<_, Infallible>(Response::new(Full::new(Bytes::new()))) }
    });
    tokio::spawn(serve(listener, None, service, std::future::pending(), Duration::from_secs(60)));
    (addr, told)
}

#[tokio::test]
async fn a_body_is_whole_only_where_its_end_was_told() {
    let (addr, mut told) = reading().await;
    let mut sender = dial(addr).await;
    for reason in [None, Some(h2::Reason::NO_ERROR), Some(h2::Reason::CANCEL)] {
        let (answer, mut stream) = sender.send_request(head(Method::POST), false).unwrap();
        stream.send_data(Bytes::from_static(b"some"), reason.is_none()).unwrap();
        answer.await.unwrap();
        if let Some(reason) = reason {
            stream.send_reset(reason);
        }
        let whole = timeout(Duration::from_secs(20), told.recv()).await.unwrap().unwrap();
        assert_eq!(whole, reason.is_none(), "{reason:?}");
    }
}
