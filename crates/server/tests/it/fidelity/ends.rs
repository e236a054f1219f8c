//! Who goes is missed: at the provider when a caller leaves, at the caller when a provider does.

use tokio::sync::mpsc;

use crate::support::{Line, Recorder, on_each, recorder::soon};

/// A provider that tells when a call's connection was closed, after doing this.
async fn telling(answer: &'static str) -> (Recorder, mpsc::Receiver<()>, mpsc::Receiver<()>) {
    let (begun, has_begun) = mpsc::channel(1);
    let (gone, is_gone) = mpsc::channel(1);
    let up = Recorder::start(move |mut wire| {
        let (begun, gone) = (begun.clone(), gone.clone());
        async move {
            wire.until("\r\n\r\n").await;
            wire.say(answer).await;
            begun.send(()).await.unwrap();
            wire.closed().await;
            gone.send(()).await.unwrap();
        }
    });
    (up.await, has_begun, is_gone)
}

#[tokio::test]
async fn a_caller_who_leaves_at_any_moment_ends_the_call_at_the_provider() {
    on_each(async |app| {
        for (answer, line, sent) in [
            ("", "GET /x HTTP/1.1\r\nHost: h", ""),
            ("", "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 100", "half"),
            ("", "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked", "4\r\nhalf\r\n"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", "GET /x HTTP/1.1\r\nHost: h", ""),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
                "GET /x HTTP/1.1\r\nHost: h",
                "",
            ),
        ] {
            let (up, mut begun, mut gone) = telling(answer).await;
            let id = up.connect(app).await;
            let mut caller = Line::ask(app, &id, line, sent).await;
            soon("the call", begun.recv()).await.unwrap();
            if !answer.is_empty() {
                caller.until("half").await;
            }
            caller.hang_up();
            soon("the end at the provider", gone.recv()).await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn a_provider_who_leaves_never_makes_a_whole_answer() {
    on_each(async |app| {
        for (answer, whole) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", "Content-Length: 100"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", "0\r\n\r\n"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf", "0\r\n\r\n"),
        ] {
            let up = Recorder::saying(answer).await;
            let id = up.connect(app).await;
            let came = Line::ask(app, &id, "GET /x HTTP/1.1\r\nHost: h", "").await.rest().await;
            assert!(came.starts_with("HTTP/1.1 200 OK\r\n") && came.contains("half"), "{came}");
            if whole.starts_with('C') {
                assert!(came.contains(whole) && came.ends_with("half"), "{came}");
            } else {
                assert!(!came.ends_with(whole), "{came}");
            }
        }
    })
    .await;
}
