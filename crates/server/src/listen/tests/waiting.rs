//! Who keeps a listener waiting is let go, and who is merely quiet is not.

use futures_util::stream;
use http_body::Frame;
use http_body_util::StreamBody;

use super::*;

const SHORT: Duration = Duration::from_millis(150);
const LONG: Duration = Duration::from_secs(60);

fn limits(header: Duration, idle: Duration) -> Limits {
    Limits { shutdown: LONG, header: Some(header), idle: Some(idle), read: Some(LONG), ..Limits::default() }
}

/// All that comes until the other side hangs up.
async fn rest(client: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let _reset = tokio::time::timeout(Duration::from_secs(20), client.read_to_end(&mut text)).await.unwrap();
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn a_head_that_does_not_end_is_told_by_which_limit() {
    let stage = stage(limits(SHORT, LONG), None).await;
    let mut client = TcpStream::connect(stage.addr).await.unwrap();
    // Byte by byte, so that none of them takes long.
    let (mut read, mut write) = client.split();
    let drip = async {
        for byte in
            b"GET / HTTP/1.1\r\nHost: here\r\nX-Slow: yes yes yes yes yes yes\r\n".iter().cycle().take(500)
        {
            if write.write_all(&[*byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let mut answer = Vec::new();
    tokio::select! {
        () = drip => {}
        _ended = read.read_to_end(&mut answer) => {}
    }
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
    assert!(head.starts_with("HTTP/1.1 408 ") && head.contains(&format!("length: {}", body.len())), "{head}");
    assert!(body.contains("client_header_timeout") && body.ends_with('}'), "{body}");
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed_without_a_word() {
    let stage = stage(limits(SHORT, LONG), None).await;
    let mut client = TcpStream::connect(stage.addr).await.unwrap();
    assert_eq!(rest(&mut client).await, "");
}

#[tokio::test]
async fn a_connection_without_a_further_request_is_closed_when_it_was_idle_for_long() {
    let mut stage = stage(limits(LONG, SHORT), None).await;
    let mut client = ask(stage.addr).await;
    stage.arrived.recv().await.unwrap();
    stage.answer.notify_one();
    let answer = rest(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("done"), "{answer}");
}

#[tokio::test]
async fn a_request_that_is_merely_quiet_is_waited_for() {
    let mut stage = stage(limits(SHORT, SHORT), None).await;
    let mut client = ask(stage.addr).await;
    stage.arrived.recv().await.unwrap();
    tokio::time::sleep(SHORT * 4).await;
    stage.answer.notify_one();
    let mut answer = [0_u8; 12];
    client.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
}

#[tokio::test]
async fn a_connection_that_speaks_something_else_is_left_alone() {
    let listener = bind("listen", any_port()).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let service = service_fn(|mut request: Request<Arriving>| async move {
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let mut io = TokioIo::new(upgrade.await.unwrap());
            let mut said = [0_u8; 4];
            io.read_exact(&mut said).await.unwrap();
            io.write_all(&said).await.unwrap();
        });
        let answer =
            Response::builder().status(101).header("connection", "upgrade").header("upgrade", "echo");
        Ok::<_, Infallible>(answer.body(Full::new(Bytes::new())).unwrap())
    });
    tokio::spawn(serve(listener, None, service, std::future::pending(), limits(SHORT, SHORT)));
    let mut client = TcpStream::connect(addr).await.unwrap();
    let ask = b"GET / HTTP/1.1\r\nHost: here\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
    client.write_all(ask).await.unwrap();
    let mut head = [0_u8; 12];
    client.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 101");
    tokio::time::sleep(SHORT * 4).await;
    client.write_all(b"ping").await.unwrap();
    assert!(rest(&mut client).await.ends_with("ping"));
}

/// Told when it is dropped.
struct Dropped(Option<oneshot::Sender<()>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _told = self.0.take().map(|told| told.send(()));
    }
}

#[tokio::test]
async fn who_takes_nothing_of_an_endless_answer_is_let_go() {
    let listener = bind("listen", any_port()).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (told, dropped) = oneshot::channel();
    let held = Arc::new(std::sync::Mutex::new(Some(Dropped(Some(told)))));
    let service = service_fn(move |_: Request<Arriving>| {
        let held = held.lock().unwrap().take().expect("one request");
        let endless = stream::repeat_with(move || {
            let _held = &held;
            Ok::<_, Infallible>(Frame::data(Bytes::from_static(&[b'x'; 65_536])))
        });
        async move { Ok::<_, Infallible>(Response::new(StreamBody::new(endless))) }
    });
    let limits = Limits { read: Some(SHORT), ..limits(LONG, LONG) };
    tokio::spawn(serve(listener, None, service, std::future::pending(), limits));
    let client = ask(addr).await;
    let ended = tokio::time::timeout(Duration::from_secs(20), dropped).await;
    assert!(ended.is_ok(), "it is no longer asked for more");
    drop(client);
}

#[tokio::test]
async fn a_connection_too_many_is_told_so_until_another_one_ends() {
    let most = Limits { connections: Some(1), ..limits(LONG, LONG) };
    let mut stage = stage(most, None).await;
    let first = ask(stage.addr).await;
    stage.arrived.recv().await.unwrap();
    let mut second = TcpStream::connect(stage.addr).await.unwrap();
    let answer = rest(&mut second).await;
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
    assert!(head.starts_with("HTTP/1.1 503 ") && head.contains(&format!("length: {}", body.len())), "{head}");
    assert!(body.contains("client_connections") && head.contains("retry-after"), "{answer}");
    stage.answer.notify_one();
    drop(first);
    // It is noticed a moment later.
    for _ in 0..200 {
        let _third = ask(stage.addr).await;
        if tokio::time::timeout(Duration::from_millis(50), stage.arrived.recv()).await.is_ok() {
            return;
        }
    }
    panic!("the place is not free again");
}

/// A WebSocket's sockets are there for as long as it lasts, though HTTP has let go of them.
#[tokio::test]
async fn a_connection_that_was_handed_over_keeps_its_place() {
    let listener = bind("listen", any_port()).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let over = Arc::new(Notify::new());
    let told = over.clone();
    let service = service_fn(move |mut request: Request<Arriving>| {
        let (side, told) = (hyper::upgrade::on(&mut request), told.clone());
        tokio::spawn(async move {
            let side = side.await.unwrap();
            told.notified().await;
            drop(side);
        });
        let answer =
            Response::builder().status(101).header("connection", "upgrade").header("upgrade", "else");
        async move { Ok::<_, Infallible>(answer.body(Full::new(Bytes::new())).unwrap()) }
    });
    let most = Limits { connections: Some(1), ..limits(LONG, LONG) };
    let serving = tokio::spawn(serve(listener, None, service, std::future::pending(), most));
    let mut first = TcpStream::connect(addr).await.unwrap();
    first
        .write_all(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: upgrade\r\nUpgrade: else\r\n\r\n")
        .await
        .unwrap();
    let mut head = [0; 12];
    first.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 101");
    let second = async || rest(&mut TcpStream::connect(addr).await.unwrap()).await;
    assert!(second().await.contains("client_connections"));
    over.notify_one();
    first.read_to_end(&mut Vec::new()).await.unwrap();
    // It is noticed a moment later.
    for _ in 0..200 {
        let mut third = ask(addr).await;
        if third.read_exact(&mut head).await.is_ok() && &head == b"HTTP/1.1 101" {
            serving.abort();
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the place is not free again");
}
