//! WebSockets (RFC 6455) through the proxy: the handshake is a call, what follows is bytes.

use std::time::Duration;

use claviger_engine::domain::request_log::RequestLog;

use crate::support::{Line, Recorder, TestApp, Wire, app::ALL, on_each, recorder::soon};

const ASK: &str = "GET /ws?room=a%2Fb HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                   Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Extensions: permessage-deflate";
const AGREE: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                     Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\
                     Set-Cookie: sid=canary\r\nX-Echo: canary_stub_access\r\n\r\n";

/// A provider that agrees, says back each line in capitals, and ends at `bye`.
async fn shouting() -> Recorder {
    Recorder::start(|mut wire| async move {
        wire.until("\r\n\r\n").await;
        wire.say(AGREE).await;
        while let Some(line) = wire.until("\n").await {
            wire.say(line.to_uppercase()).await;
            if line == "bye\n" {
                return;
            }
        }
    })
    .await
}

/// The row of the one call, once it is written.
async fn row(app: &TestApp) -> RequestLog {
    let written = async {
        loop {
            app.broker.logs.flush().await;
            if let Some(row) = app.read().await.request_logs(&app.acme.workspace, &ALL).await.unwrap().pop() {
                return row;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon("the row", written).await
}

#[tokio::test]
async fn both_sides_agree_and_bytes_pass_both_ways() {
    on_each(async |app| {
        let up = shouting().await;
        let id = up.connect(app).await;
        // The first bytes may come right behind the handshake.
        let mut caller = Line::ask(app, &id, ASK, "early\n").await;
        let head = caller.until("\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{head}");
        for line in [
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
            "Sec-WebSocket-Protocol: chat",
        ] {
            assert_eq!(head.matches(&format!("\r\n{line}\r\n")).count(), 1, "{line}: {head}");
        }
        assert!(!head.contains("canary") && head.contains("laviger-"), "{head}");
        assert_eq!(caller.until("\n").await, "EARLY\n");
        caller.say("one\n").await;
        assert_eq!(caller.until("\n").await, "ONE\n");
        caller.say("bye\n").await;
        assert_eq!(caller.rest().await, "BYE\n");
        let seen = up.last();
        let (head, _) = seen.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("GET /api/ws?room=a%2Fb HTTP/1.1\r\n"), "{head}");
        for line in [
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Protocol: chat, superchat",
            "Sec-WebSocket-Extensions: permessage-deflate",
            "Authorization: Bearer canary_stub_access",
        ] {
            assert_eq!(
                format!("{head}\r\n").matches(&format!("\r\n{line}\r\n")).count(),
                1,
                "{line}: {head}"
            );
        }
        let row = row(app).await;
        assert_eq!((row.status, row.error.as_deref(), row.attempts), (101, None, 1));
        assert_eq!((row.bytes_in, row.bytes_out), (14, 14));
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_does_not_agree_is_an_answer() {
    on_each(async |app| {
        let up = Recorder::saying(
            "HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 7\r\nContent-Length: 2\r\n\r\nno",
        )
        .await;
        let id = up.connect(app).await;
        let mut caller = Line::ask(app, &id, ASK, "").await;
        let head = caller.until("\r\n\r\n").await;
        assert!(
            head.starts_with("HTTP/1.1 426 Upgrade Required\r\n")
                && head.contains("Sec-WebSocket-Version: 7"),
            "{head}"
        );
        assert_eq!(caller.until("no").await, "no");
        let row = row(app).await;
        assert_eq!((row.status, row.bytes_out), (426, 2));
    })
    .await;
}

#[tokio::test]
async fn a_handshake_that_is_refused_for_its_token_is_made_again_with_a_new_one() {
    on_each(async |app| {
        let up = Recorder::start(|mut wire: Wire| async move {
            if wire.nth() == 0 {
                wire.until("\r\n\r\n").await;
                wire.say("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n").await;
                return;
            }
            wire.until("\r\n\r\n").await;
            wire.say(AGREE).await;
            wire.say("hello\n").await;
        })
        .await;
        let id = up.connect(app).await;
        app.pass(Duration::from_secs(120));
        let mut caller = Line::ask(app, &id, ASK, "").await;
        assert!(caller.until("\r\n\r\n").await.starts_with("HTTP/1.1 101 "));
        assert_eq!(caller.until("\n").await, "hello\n");
        assert_eq!(up.seen().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn nothing_else_is_switched_to() {
    on_each(async |app| {
        let up = shouting().await;
        let id = up.connect(app).await;
        for (lines, what) in [
            ("GET /x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: tls/1.2", "another protocol"),
            ("GET /x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket, irc", "a choice"),
            ("POST /x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0", "another method"),
        ] {
            let mut caller = Line::ask(app, &id, lines, "").await;
            let head = caller.until("\r\n\r\n").await;
            assert!(head.starts_with("HTTP/1.1 501 "), "{what}: {head}");
            assert!(caller.until("}").await.contains("\"not_supported\""), "{what}");
        }
        assert_eq!(up.seen().len(), 0);
        // What clients offer unasked is not taken up.
        let fine = Recorder::saying("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
        let id = fine.connect(app).await;
        let lines = "GET /x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk";
        let mut caller = Line::ask(app, &id, lines, "").await;
        assert!(caller.until("\r\n\r\nok").await.starts_with("HTTP/1.1 200 "));
        let seen = fine.last().to_ascii_lowercase();
        assert!(!seen.contains("upgrade") && !seen.contains("http2-settings"), "{seen}");
    })
    .await;
}

#[tokio::test]
async fn a_switch_that_was_not_asked_for_is_an_error() {
    on_each(async |app| {
        for (lines, agree) in [
            ("GET /x HTTP/1.1\r\nHost: h", AGREE),
            (ASK, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"),
            (ASK, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n"),
        ] {
            let up = Recorder::saying(agree).await;
            let id = up.connect(app).await;
            let mut caller = Line::ask(app, &id, lines, "").await;
            let head = caller.until("\r\n\r\n").await;
            assert!(head.starts_with("HTTP/1.1 502 "), "{lines}: {head}");
        }
    })
    .await;
}

#[tokio::test]
async fn who_goes_is_missed_at_the_other_end() {
    on_each(async |app| {
        let (gone, mut is_gone) = tokio::sync::mpsc::channel(1);
        let up = Recorder::start(move |mut wire| {
            let gone = gone.clone();
            async move {
                wire.until("\r\n\r\n").await;
                wire.say(AGREE).await;
                wire.closed().await;
                gone.send(()).await.unwrap();
            }
        })
        .await;
        let id = up.connect(app).await;
        let mut caller = Line::ask(app, &id, ASK, "").await;
        caller.until("\r\n\r\n").await;
        caller.hang_up();
        soon("the end at the provider", is_gone.recv()).await.unwrap();
        assert_eq!(row(app).await.status, 101);
    })
    .await;
}

#[tokio::test]
async fn a_key_that_is_revoked_and_a_process_that_ends_cut_it() {
    on_each(async |app| {
        let up = shouting().await;
        let id = up.connect(app).await;
        let mut caller = Line::ask(app, &id, ASK, "").await;
        caller.until("\r\n\r\n").await;
        caller.say("one\n").await;
        assert_eq!(caller.until("\n").await, "ONE\n");
        assert_eq!(app.broker.watch.len(), 1, "it is under way");
        soon("the end", app.broker.watch.leave(Duration::from_millis(50))).await;
        assert_eq!(caller.rest().await, "");
        let row = row(app).await;
        assert_eq!((row.status, row.error.as_deref(), row.bytes_out), (101, Some("access_ended"), 4));
        assert!(app.broker.watch.is_empty());
    })
    .await;
}

#[tokio::test]
async fn who_reads_slowly_is_written_to_slowly() {
    on_each(async |app| {
        let sent = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let count = sent.clone();
        let up = Recorder::start(move |mut wire| {
            let count = count.clone();
            async move {
                wire.until("\r\n\r\n").await;
                wire.say(AGREE).await;
                let piece = vec![b'x'; 64 * 1024];
                for _ in 0..1024 {
                    wire.say(&piece).await;
                    count.fetch_add(piece.len(), std::sync::atomic::Ordering::SeqCst);
                }
                wire.say("end\n").await;
            }
        })
        .await;
        let id = up.connect(app).await;
        let mut caller = Line::ask(app, &id, ASK, "").await;
        caller.until("\r\n\r\n").await;
        // Until nothing moves any more: what is under way is what sockets hold.
        let still = async {
            let mut before = usize::MAX;
            while before != sent.load(std::sync::atomic::Ordering::SeqCst) {
                before = sent.load(std::sync::atomic::Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            before
        };
        let held = soon("a stop", still).await;
        assert!(held < 32 * 1024 * 1024, "{held} bytes are under way");
        assert_eq!(caller.rest().await.len(), 64 * 1024 * 1024 + 4);
    })
    .await;
}
