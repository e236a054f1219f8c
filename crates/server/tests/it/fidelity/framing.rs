//! Framing: whatever came in, what leaves says once where it ends (RFC 9112 §6, §11.2).

use crate::support::{Line, Recorder, TestApp, on_each};

/// What an attacker would have taken for a request of its own.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";
const HEAD: &str = "POST /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n";

/// A provider that reads one request by a strict reader, answers, and then hears whatever else there is.
async fn listening() -> Recorder {
    Recorder::start(|mut wire| async move {
        if wire.request().await.is_some() {
            wire.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok").await;
        }
        wire.closed().await;
    })
    .await
}

/// Sends these bytes behind the credentials; gives what came back, and what arrived at the provider.
async fn told(app: &TestApp, up: &Recorder, id: &str, head: &str, rest: &str) -> (String, Vec<String>) {
    let before = up.seen().len();
    let mut line = Line::open(app).await;
    let key = &app.acme.key;
    let first = head.split_inclusive('\n').next().unwrap();
    let others = &head[first.len()..];
    line.say(format!("{first}Authorization: Bearer {key}\r\nBU-Connection-Id: {id}\r\n{others}{rest}")).await;
    (line.rest().await, up.seen().split_off(before))
}

#[tokio::test]
async fn forms_that_are_understood_leave_in_the_one_plain_form() {
    on_each(async |app| {
        let up = listening().await;
        let id = up.connect(app).await;
        let chunked = ("transfer-encoding: chunked", "content-length");
        let sized = ("content-length: 4", "transfer-encoding");
        for (rest, (framed, not), body) in [
            // What is said by chunks is stronger than a length.
            (
                format!("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}"),
                chunked,
                "0\r\n\r\n",
            ),
            (
                format!("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n{SMUGGLED}"),
                chunked,
                "0\r\n\r\n",
            ),
            (format!("Content-Length: 4\r\nContent-Length: 4\r\n\r\nbody{SMUGGLED}"), sized, "body"),
            ("Content-Length:4\r\n\r\nbody".to_owned(), sized, "body"),
            ("Content-Length: \t 4 \t\r\n\r\nbody".to_owned(), sized, "body"),
            ("Content-Length: 4\n\nbody".to_owned(), sized, "body"),
            ("Content-Length: 4\r\nX-A: b\nX-C: d\r\n\r\nbody".to_owned(), sized, "body"),
            (
                "Transfer-Encoding: \tChunKed \r\n\r\n4\r\nbody\r\n0\r\n\r\n".to_owned(),
                chunked,
                "4\r\nbody\r\n0\r\n\r\n",
            ),
            (
                "Transfer-Encoding: chunked\r\n\r\n0004;a=b;c=\"d\"\r\nbody\r\n0;e\r\n\r\n".to_owned(),
                chunked,
                "4\r\nbody\r\n0\r\n\r\n",
            ),
            (
                "Transfer-Encoding: chunked\r\n\r\n4 \r\nbody\r\n00\r\nX-Not: announced\r\n\r\n".to_owned(),
                chunked,
                "4\r\nbody\r\n0\r\n\r\n",
            ),
        ] {
            let (answer, seen) = told(app, &up, &id, HEAD, &rest).await;
            assert!(answer.ends_with("\r\n\r\nok"), "{rest:?}: {answer}");
            let [seen] = &seen[..] else { panic!("{rest:?}: {} connections", seen.len()) };
            let (head, sent) = seen.split_once("\r\n\r\n").unwrap();
            let head = head.to_ascii_lowercase();
            assert_eq!(head.matches(framed).count(), 1, "{rest:?}: {head}");
            assert!(!head.contains(not), "{rest:?}: {head}");
            assert!(!head.replace("\r\n", "").contains(['\r', '\n']), "{rest:?}: {head:?}");
            assert_eq!(sent, body, "{rest:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn every_other_form_is_refused_and_nothing_leaves() {
    on_each(async |app| {
        let up = listening().await;
        let id = up.connect(app).await;
        let chunks = format!("0\r\n\r\n{SMUGGLED}");
        let mut forms: Vec<(String, String)> = [
            "Content-Length: 0\r\nContent-Length: 4",
            "Content-Length: 4\r\nContent-Length: 0",
            "Content-Length: 4, 4",
            "Content-Length: 4, 5",
            "Content-Length: +4",
            "Content-Length: -4",
            "Content-Length: 4 4",
            "Content-Length: 0x4",
            "Content-Length: 4.0",
            "Content-Length: \"4\"",
            "Content-Length: four",
            "Content-Length:",
            "Content-Length: 18446744073709551616",
            "Content-Length : 4",
            "Content-Length\t: 4",
            "Content-Length: 4\r\n 5",
            "Content-Length: 4\u{0}",
            "Content-Length: 4\rX: y",
            "Transfer-Encoding: xchunked",
            "Transfer-Encoding: chunkedx",
            "Transfer-Encoding: x chunked",
            "Transfer-Encoding: \"chunked\"",
            "Transfer-Encoding: chunked;q=1",
            "Transfer-Encoding: identity",
            "Transfer-Encoding: gzip",
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: chunked, chunked",
            "Transfer-Encoding: chunked, gzip",
            "Transfer-Encoding: chunked, identity",
            "Transfer-Encoding: identity, chunked",
            "Transfer-Encoding: , chunked",
            "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
            "Transfer-Encoding : chunked",
            "Transfer-Encoding\u{b}: chunked",
            "Transfer-Encoding: \u{b}chunked",
            "Transfer-Encoding: chunked\u{0}",
            "Transfer-Encoding:\r\n chunked",
            "Transfer-Encoding:\r\n\tchunked",
            "X: y\r\n folded",
            " X: y",
            ": nameless",
            "no colon",
            "X\u{0}: y",
            "X: y\u{7f}",
        ]
        .map(|framing| (HEAD.to_owned(), format!("{framing}\r\n\r\n{chunks}")))
        .into();
        let old = "POST /x HTTP/1.0\r\nHost: h\r\n";
        forms.push((old.into(), format!("Transfer-Encoding: chunked\r\n\r\n{chunks}")));
        for line in [
            "POST /x HTTP/1.2",
            "POST /x HTTP/2",
            "POST  /x HTTP/1.1",
            "POST /x  HTTP/1.1",
            "POST /x",
            "POST /x\tHTTP/1.1",
            "P(ST /x HTTP/1.1",
        ] {
            forms.push((
                format!("{line}\r\nHost: h\r\nConnection: close\r\n"),
                format!("Content-Length: 0\r\n\r\n{SMUGGLED}"),
            ));
        }
        for (head, rest) in &forms {
            let (answer, seen) = told(app, &up, &id, head, rest).await;
            let refused = answer.starts_with("HTTP/1.1 400 ")
                || answer.starts_with("HTTP/1.0 400 ")
                || answer.is_empty();
            assert!(refused, "{head:?} {rest:?}: {answer}");
            assert_eq!(
                answer.matches("HTTP/1.").count(),
                usize::from(!answer.is_empty()),
                "{rest:?}: {answer}"
            );
            assert_eq!(seen.len(), 0, "{head:?} {rest:?}: {seen:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn chunks_that_are_none_never_make_a_whole_request() {
    on_each(async |app| {
        let up = listening().await;
        let id = up.connect(app).await;
        for chunks in [
            "x\r\nbody\r\n0\r\n\r\n",
            "-4\r\nbody\r\n0\r\n\r\n",
            "+4\r\nbody\r\n0\r\n\r\n",
            "0x4\r\nbody\r\n0\r\n\r\n",
            "\r\nbody\r\n0\r\n\r\n",
            "4\nbody\n0\n\n",
            "4\r\nbody\n0\r\n\r\n",
            "4\r\nbody0\r\n\r\n",
            "4\r\nbodybody\r\n0\r\n\r\n",
            "4;a\nb\r\nbody\r\n0\r\n\r\n",
            "ffffffffffffffff1\r\nbody\r\n0\r\n\r\n",
            "4\r\nbody\r\n0\r\nno trailer\r\n\r\n",
        ] {
            let rest = format!("Transfer-Encoding: chunked\r\n\r\n{chunks}{SMUGGLED}");
            let (answer, seen) = told(app, &up, &id, HEAD, &rest).await;
            assert!(answer.starts_with("HTTP/1.1 400 "), "{chunks:?}: {answer}");
            assert_eq!(answer.matches("HTTP/1.").count(), 1, "{chunks:?}: {answer}");
            assert!(seen.len() <= 1, "{chunks:?}: {seen:?}");
            assert!(
                seen.iter().all(|seen| !seen.contains("0\r\n\r\n") && !seen.contains("smuggled")),
                "{seen:?}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn an_answer_leaves_with_one_framing_too() {
    on_each(async |app| {
        for (head, sent, framed, body) in [
            (
                "Content-Length: 9\r\nTransfer-Encoding: chunked",
                "2\r\nok\r\n0\r\n\r\n",
                Some("transfer-encoding: chunked"),
                "2\r\nok\r\n0\r\n\r\n",
            ),
            ("Content-Length: 2\r\nContent-Length: 2", "ok", Some("content-length: 2"), "ok"),
            ("Content-Length: 2, 2", "ok", Some("content-length: 2"), "ok"),
            ("Transfer-Encoding: identity", "ok", Some("transfer-encoding: chunked"), "2\r\nok\r\n0\r\n\r\n"),
            ("X: to the end", "ok", Some("transfer-encoding: chunked"), "2\r\nok\r\n0\r\n\r\n"),
            ("Content-Length: 2\r\nContent-Length: 3", "ok!", None, ""),
            ("Content-Length: -2", "ok", None, ""),
            ("Transfer-Encoding: gzip, chunked", "2\r\nok\r\n0\r\n\r\n", None, ""),
            ("Transfer-Encoding: gzip", "ok", None, ""),
            ("Transfer-Encoding: chunked, chunked", "2\r\nok\r\n0\r\n\r\n", None, ""),
            ("X: y\r\n folded", "", None, ""),
            ("X : y\r\nContent-Length: 2", "ok", None, ""),
        ] {
            let up =
                Recorder::saying(format!("HTTP/1.1 200 OK\r\nConnection: close\r\n{head}\r\n\r\n{sent}"))
                    .await;
            let id = up.connect(app).await;
            let (answer, _) =
                told(app, &up, &id, HEAD, "BU-Max-Retries: 0\r\nContent-Length: 0\r\n\r\n").await;
            let Some(framed) = framed else {
                assert!(answer.starts_with("HTTP/1.1 502 "), "{head}: {answer}");
                continue;
            };
            let (head_came, came) = answer.split_once("\r\n\r\n").unwrap();
            let lower = head_came.to_ascii_lowercase();
            assert!(lower.contains(framed), "{head}: {answer}");
            let said = lower.matches("content-length:").count() + lower.matches("transfer-encoding:").count();
            assert_eq!((said, came), (1, body), "{head}: {answer}");
        }
    })
    .await;
}
