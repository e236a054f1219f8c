//! A caller's path can't lead anywhere but below the base URL.

use http::Method;

use crate::support::{Answer, TestApp, Upstream, app::ALL, on_each, raw, wire::call, wire::send};

async fn ask(app: &TestApp, connection: &str, line: &str, host: &str) -> Answer {
    let key = &app.acme.key;
    let request = format!(
        "{line} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\nBU-Connection-Id: {connection}\r\n\
         Connection: close\r\n\r\n"
    );
    raw(&app.proxy, request.as_bytes()).await
}

#[tokio::test]
async fn no_spelling_of_another_place_is_called() {
    on_each(async |app| {
        let up = Upstream::start(super::echo).await;
        let elsewhere = Upstream::start(super::echo).await;
        let id = up.connect(app).await;
        let other = elsewhere.origin.trim_start_matches("http://");
        let paths: Vec<String> = [
            "/..",
            "/../",
            "/../admin",
            "/a/../../admin",
            "/./x",
            "/a/.",
            "/a/./b",
            "/%2e%2e/admin",
            "/%2E%2E/admin",
            "/.%2e/admin",
            "/%2e./admin",
            "/%252e%252e/admin",
            "/%25252e%25252e/x",
            "/..%2fadmin",
            "/..%2Fadmin",
            "/a%2f..%2f..%2fadmin",
            "/..%5cadmin",
            "/..%255cadmin",
            "/%2e%2e%2fadmin",
            "/..;/admin",
            "/..;x=1/admin",
            "/%2e%2e;/admin",
            "/a/..?x=1",
            "/\\admin",
            "/a\\b",
            "/..\\admin",
            "/%00",
            "/a%0d%0aHost:%20evil.test",
            "/a%09b",
            "/%7f",
        ]
        .map(str::to_owned)
        .into();
        let absolute = [
            format!("http://{other}/x"),
            format!("{}/api/x", up.origin),
            format!("{}/x", app.proxy),
            format!("http://user:pass@{other}/x"),
            format!("https://{other}/x"),
            "ftp://evil.test/x".to_owned(),
        ];
        for target in paths.iter().chain(&absolute) {
            let answer = ask(app, &id, &format!("GET {target}"), "proxy.test").await;
            answer.assert_problem(400, "target_not_allowed");
            assert!(answer.header("claviger-request-id").is_some(), "{target}");
        }
        for line in [format!("CONNECT {other}"), "CONNECT evil.test:443".to_owned()] {
            let answer = ask(app, &id, &line, other).await;
            assert!(answer.status.is_client_error(), "{line}: {}", answer.status);
        }
        // What is no URL at all, the listener itself refuses.
        for line in [format!("GET @{other}/x"), "GET x".to_owned(), "GET /a b".to_owned(), "GET *".to_owned()]
        {
            let answer = ask(app, &id, &line, "proxy.test").await;
            assert!(answer.status.is_client_error(), "{line}: {}", answer.status);
        }
        assert_eq!(up.calls().len(), 0, "nothing arrived");
        assert_eq!(elsewhere.seen().len(), 0, "nothing arrived elsewhere");
        app.broker.logs.flush().await;
        let rows = app.read().await.request_logs(&app.acme.workspace, &ALL).await.unwrap();
        assert!(rows.len() >= paths.len() + absolute.len());
        for row in rows {
            assert_eq!((row.status, row.attempts), (400, 0));
            assert_eq!(row.error.as_deref(), Some("target_not_allowed"));
        }
    })
    .await;
}

#[tokio::test]
async fn what_only_looks_like_another_place_stays_below_the_base() {
    on_each(async |app| {
        let up = Upstream::start(super::echo).await;
        let elsewhere = Upstream::start(super::echo).await;
        let id = up.connect(app).await;
        let other = elsewhere.origin.trim_start_matches("http://");
        for target in [
            format!("//{other}/x"),
            format!("///{other}/x"),
            format!("/@{other}/x"),
            format!("/:{other}/x"),
            format!("/http://{other}/x"),
            format!("/%2f%2f{other}/x"),
            format!("/.{other}/x"),
            format!("/x?@{other}/"),
        ] {
            let answer = ask(app, &id, &format!("GET {target}"), other).await;
            assert_eq!(answer.status, 200, "{target}: {}", answer.text());
            let seen = up.calls().pop().unwrap();
            assert_eq!(seen.target, format!("/api{target}"));
            assert_eq!(
                seen.all("host"),
                [up.origin.trim_start_matches("http://")],
                "the caller's Host says nothing"
            );
        }
        assert_eq!(elsewhere.seen().len(), 0, "nothing arrived elsewhere");
    })
    .await;
}

#[tokio::test]
async fn two_opinions_of_where_a_body_ends_are_one_at_most() {
    on_each(async |app| {
        let up = Upstream::start(super::echo).await;
        let id = up.connect(app).await;
        let key = &app.acme.key;
        let head = format!(
            "POST /x HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {key}\r\nBU-Connection-Id: {id}\r\nConnection: close\r\n"
        );
        let smuggled = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";
        for framing in [
            format!("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}"),
            format!("Transfer-Encoding: chunked\r\nContent-Length: {}\r\n\r\n0\r\n\r\n{smuggled}", smuggled.len() + 5),
            format!("Content-Length: 0\r\nContent-Length: {}\r\n\r\n{smuggled}", smuggled.len()),
            format!("Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{smuggled}"),
            format!("Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n{smuggled}"),
            format!("Content-Length: +4\r\n\r\nbody{smuggled}"),
        ] {
            let before = up.calls().len();
            let answer = raw(&app.proxy, format!("{head}{framing}").as_bytes()).await;
            let calls = up.calls().split_off(before);
            assert!(calls.iter().all(|call| call.target == "/api/x"), "{framing:?}");
            if answer.status == 200 {
                assert_eq!((calls.len(), answer.body.len()), (1, 0), "{framing:?}");
            } else {
                assert_eq!((answer.status.as_u16(), calls.len()), (400, 0), "{framing:?}");
            }
        }
        let fine = send(call(app, Method::GET, &id, "/fine")).await;
        assert_eq!(fine.status, 200);
        assert_eq!(up.calls().pop().unwrap().target, "/api/fine", "no rest of a body is ahead of it");
    })
    .await;
}
