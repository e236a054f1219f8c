//! Bodies: framed as they were, their bytes untouched, and what comes before and after them.

use crate::support::{Line, Recorder, on_each};

const FINE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

fn post(headers: &str) -> String {
    format!("POST /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{headers}")
}

/// The body of a message that was sent whole, as it stood on the wire.
fn body(message: &str) -> &str {
    message.split_once("\r\n\r\n").expect("a head").1
}

#[tokio::test]
async fn a_body_is_framed_as_it_came() {
    on_each(async |app| {
        let up = Recorder::saying(FINE).await;
        let id = up.connect(app).await;
        for method in ["POST", "PUT", "DELETE", "GET", "OPTIONS", "QUERY"] {
            for (headers, sent, framed) in [
                ("Content-Length: 5", "hello", "\r\ncontent-length: 5\r\n"),
                (
                    "Transfer-Encoding: chunked",
                    "5\r\nhello\r\n0\r\n\r\n",
                    "\r\ntransfer-encoding: chunked\r\n",
                ),
            ] {
                let line = format!("{method} /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{headers}");
                let answer = Line::ask(app, &id, &line, sent).await.rest().await;
                assert!(answer.ends_with("\r\n\r\nok"), "{method} {headers}: {answer}");
                let seen = up.last();
                assert_eq!(body(&seen), sent, "{method} {headers}");
                assert!(seen.to_ascii_lowercase().contains(framed), "{seen}");
            }
        }
        for method in ["POST", "GET"] {
            let line = format!("{method} /x HTTP/1.1\r\nHost: h\r\nConnection: close");
            Line::ask(app, &id, &line, "").await.rest().await;
            let seen = up.last().to_ascii_lowercase();
            assert!(!seen.contains("content-length") && !seen.contains("transfer-encoding"), "{seen}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_compressed_stays_so_both_ways() {
    on_each(async |app| {
        // No valid gzip: whoever looked into it would fail.
        let up = Recorder::saying(
            "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nVary: Accept-Encoding\r\nContent-Length: 6\r\n\
             Connection: close\r\n\r\n\u{1f}no\u{8}gz",
        )
        .await;
        let id = up.connect(app).await;
        let line = post("Accept-Encoding: br, gzip;q=0.5\r\nContent-Encoding: br\r\nContent-Length: 5");
        let answer = Line::ask(app, &id, &line, "nobr\u{b}").await.rest().await;
        assert_eq!(body(&answer), "\u{1f}no\u{8}gz");
        assert!(answer.contains("\r\nContent-Encoding: gzip\r\n"), "{answer}");
        let seen = up.last();
        assert_eq!(body(&seen), "nobr\u{b}");
        assert!(seen.contains("\r\nAccept-Encoding: br, gzip;q=0.5\r\n"), "{seen}");
        assert!(seen.contains("\r\nContent-Encoding: br\r\n"), "{seen}");
    })
    .await;
}

#[tokio::test]
async fn announced_trailers_pass_both_ways() {
    on_each(async |app| {
        let up = Recorder::saying(
            "HTTP/1.1 200 OK\r\nTrailer: X-Sum, X-Echo\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
             2\r\nok\r\n0\r\nX-Sum: 7\r\nX-Echo: canary_stub_access\r\n\r\n",
        )
        .await;
        let id = up.connect(app).await;
        let line = post("TE: trailers\r\nTrailer: X-Sum, Cookie\r\nTransfer-Encoding: chunked");
        let sent = "3\r\nabc\r\n0\r\nX-Sum: 9\r\nCookie: canary\r\n\r\n";
        let answer = Line::ask(app, &id, &line, sent).await.rest().await;
        let lower = answer.to_ascii_lowercase();
        assert!(lower.contains("\r\ntrailer: x-sum, x-echo\r\n"), "{answer}");
        assert!(lower.ends_with("2\r\nok\r\n0\r\nx-sum: 7\r\n\r\n"), "{answer}");
        let seen = up.last().to_ascii_lowercase();
        assert!(seen.contains("\r\nte: trailers\r\n"), "{seen}");
        assert!(seen.ends_with("3\r\nabc\r\n0\r\nx-sum: 9\r\n\r\n"), "{seen}");
    })
    .await;
}

#[tokio::test]
async fn who_waits_to_be_told_to_go_on_is_told_once_the_provider_takes_the_body() {
    on_each(async |app| {
        let up = Recorder::saying(FINE).await;
        let id = up.connect(app).await;
        let line = post("Expect: 100-continue\r\nContent-Length: 4");
        let mut caller = Line::ask(app, &id, &line, "").await;
        assert_eq!(caller.until("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
        caller.say("body").await;
        assert!(caller.rest().await.ends_with("\r\n\r\nok"));
        let seen = up.last();
        assert_eq!(body(&seen), "body");
        assert!(!seen.to_ascii_lowercase().contains("expect"), "the promise was ours: {seen}");
        // A call that goes nowhere is refused before its body is sent.
        let line = post("Expect: 100-continue\r\nContent-Length: 4");
        let answer = Line::ask(app, "conn_nobodys", &line, "").await.rest().await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    })
    .await;
}

#[tokio::test]
async fn an_answer_may_come_before_the_body_has_ended() {
    on_each(async |app| {
        let up = Recorder::start(|mut wire| async move {
            wire.until("\r\n\r\n").await;
            wire.until("first").await;
            wire.say("HTTP/1.1 413 Too Much\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno!").await;
            wire.closed().await;
        })
        .await;
        let id = up.connect(app).await;
        let line = "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked";
        let mut caller = Line::ask(app, &id, line, "5\r\nfirst\r\n").await;
        let head = caller.until("\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 413 Too Much\r\n"), "{head}");
        assert_eq!(caller.until("no!").await, "no!");
    })
    .await;
}

#[tokio::test]
async fn interim_answers_end_here_and_the_real_one_passes() {
    on_each(async |app| {
        let interim =
            "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n";
        let up = Recorder::saying(format!("{interim}{FINE}")).await;
        let id = up.connect(app).await;
        let answer =
            Line::ask(app, &id, "GET /x HTTP/1.1\r\nHost: h\r\nConnection: close", "").await.rest().await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nok"), "{answer}");
    })
    .await;
}

#[tokio::test]
async fn each_event_of_a_stream_comes_as_it_is_sent() {
    on_each(async |app| {
        let (tell, told) = tokio::sync::mpsc::channel::<String>(1);
        let told = std::sync::Arc::new(tokio::sync::Mutex::new(told));
        let up = Recorder::start(move |mut wire| {
            let told = told.clone();
            async move {
                wire.request().await;
                wire.say("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n").await;
                while let Some(event) = told.lock().await.recv().await {
                    wire.say(event).await;
                }
            }
        })
        .await;
        let id = up.connect(app).await;
        let mut caller = Line::ask(app, &id, "GET /x HTTP/1.1\r\nHost: h\r\nConnection: close", "").await;
        caller.until("\r\n\r\n").await;
        for event in ["id: 1\ndata: a\n\n", ": still here\n\n", "data: b\ndata: c\n\n"] {
            tell.send(event.to_owned()).await.unwrap();
            assert!(caller.until("\n\n").await.ends_with(event));
        }
        drop(tell);
        assert!(caller.rest().await.ends_with("0\r\n\r\n"));
    })
    .await;
}
