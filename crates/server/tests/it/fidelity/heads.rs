//! Heads: targets, names, values and reason phrases as they were written.

use crate::support::{Line, Recorder, on_each};

const FINE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

#[tokio::test]
async fn a_target_arrives_byte_for_byte() {
    on_each(async |app| {
        let up = Recorder::saying(FINE).await;
        let id = up.connect_at(app, "/base%2Fv2").await;
        for target in [
            "/",
            "//",
            "/a//b///",
            "/a%2Fb%2f/%41%7e",
            "/a+b%20c;p=1;q,r",
            "/%E2%82%AC/%ff%FE%80",
            "/100%25/%/%zz",
            "/~!$&'()*,;=:@-._",
            "/a\"b|d^e{g}",
            "/...;x/.hidden",
            "/?",
            "/??&&",
            "/a?=&b=&c&c=1&c=2",
            "/a?q=a+b%20c%2B&x[]=1&y{z}=|^`",
            "/a?u=https://other.test:8/..//x?y",
            "/caf\u{e9}?\u{20ac}=\u{20ac}",
        ] {
            let line = format!("GET {target} HTTP/1.1\r\nHost: h\r\nConnection: close");
            let answer = Line::ask(app, &id, &line, "").await.rest().await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{target}: {answer}");
            let seen = up.last();
            assert_eq!(seen.split("\r\n").next().unwrap(), format!("GET /base%2Fv2{target} HTTP/1.1"));
        }
    })
    .await;
}

#[tokio::test]
async fn names_keep_their_spelling_and_lines_their_order_both_ways() {
    on_each(async |app| {
        let up = Recorder::saying(
            "HTTP/1.1 207 Quite Odd\r\nX-eTAG-ish: 1\r\nETag: W/\"x\"\r\nx-etag-ISH: 2\r\nX-ETAG-ISH: 3\r\n\
             cOntent-lEngth: 2\r\nx-Echo: canary_stub_access\r\nConnection: close\r\n\r\nok",
        )
        .await;
        let id = up.connect(app).await;
        let line = "POST /x HTTP/1.1\r\nhOST: h\r\nX-oDD: 1\r\nAccept-LANGUAGE: de\r\nx-Odd: 2\r\nX-ODD: 3\r\n\
                    CONTENT-length: 0\r\nConnection: close";
        let answer = Line::ask(app, &id, line, "").await.rest().await;
        let lines: Vec<&str> = answer.split("\r\n").collect();
        assert_eq!(lines[0], "HTTP/1.1 207 Quite Odd");
        let of = |lines: &[&str], name: &str| -> Vec<String> {
            let known = |line: &&&str| line.to_ascii_lowercase().starts_with(&format!("{name}: "));
            lines.iter().filter(known).map(ToString::to_string).collect()
        };
        assert_eq!(of(&lines, "x-etag-ish"), ["X-eTAG-ish: 1", "x-etag-ISH: 2", "X-ETAG-ISH: 3"]);
        assert_eq!(of(&lines, "etag"), ["ETag: W/\"x\""]);
        assert_eq!(of(&lines, "content-length"), ["cOntent-lEngth: 2"]);
        assert!(!answer.contains("canary"), "{answer}");
        let seen = up.last();
        let lines: Vec<&str> = seen.split("\r\n").collect();
        assert_eq!(of(&lines, "x-odd"), ["X-oDD: 1", "x-Odd: 2", "X-ODD: 3"]);
        assert_eq!(of(&lines, "accept-language"), ["Accept-LANGUAGE: de"]);
        assert_eq!(of(&lines, "content-length"), ["CONTENT-length: 0"]);
        assert_eq!(of(&lines, "authorization"), ["Authorization: Bearer canary_stub_access"]);
        assert_eq!(of(&lines, "host").len(), 1);
    })
    .await;
}

#[tokio::test]
async fn values_keep_their_bytes() {
    on_each(async |app| {
        let up = Recorder::start(|mut wire| async move {
            wire.request().await;
            wire.say(b"HTTP/1.1 200 OK\r\nX-Latin: caf\xe9 \xff\r\nX-Empty:\r\nContent-Length: 0\r\n\r\n")
                .await;
            wire.closed().await;
        })
        .await;
        let id = up.connect(app).await;
        let key = &app.acme.key;
        let mut line = Line::open(app).await;
        line.say(format!(
            "GET /x HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {key}\r\nBU-Connection-Id: {id}\r\n\
             Connection: close\r\nX-Quoted: \"a, b\"; c=\"\\\"\"\r\nX-Tab: a\tb\r\nX-Empty:\r\n\
             Range: bytes=0-1, -5\r\nIf-Match: \"a\", W/\"b\"\r\nX-Latin: "
        ))
        .await;
        line.say(b"caf\xe9 \xff\r\n\r\n").await;
        let answer = line.rest().await;
        assert!(
            answer.contains("X-Latin: caf\u{fffd} \u{fffd}\r\n") && answer.contains("\r\nX-Empty:"),
            "{answer}"
        );
        let seen = up.last();
        for kept in [
            "X-Quoted: \"a, b\"; c=\"\\\"\"\r\n",
            "X-Tab: a\tb\r\n",
            "X-Empty:\r\n",
            "Range: bytes=0-1, -5\r\n",
            "If-Match: \"a\", W/\"b\"\r\n",
            "X-Latin: caf\u{fffd} \u{fffd}\r\n",
        ] {
            assert!(seen.contains(kept), "{kept:?} is not in {seen:?}");
        }
    })
    .await;
}
