//! Proxied calls: what a caller sends arrives at the provider, and what the provider answers comes back.

mod headers;
mod refusals;
mod streams;
mod targets;

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderValue, Method, header};
use http_body_util::BodyExt as _;
use serde_json::json;

use crate::support::{
    Browser, TestApp, Upstream,
    app::ALL,
    on_each,
    upstream::{Head, say},
    wire::{call, send},
};

/// Says back the body that came, with its type.
async fn echo(head: Head, body: Body) -> Response {
    let body = body.collect().await.expect("a whole body").to_bytes();
    let kind = head.headers.get(header::CONTENT_TYPE).cloned();
    let mut response = say(200, &[], body);
    if let Some(kind) = kind {
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    response
}

/// A provider that echoes, and a connection to it.
async fn echoing(app: &TestApp) -> (Upstream, String) {
    let up = Upstream::start(echo).await;
    let connection = up.connect(app).await;
    (up, connection)
}

#[tokio::test]
async fn every_method_arrives_as_it_is() {
    on_each(async |app| {
        let (up, id) = echoing(app).await;
        for method in
            ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "PROPFIND", "QUERY", "M-SEARCH"]
        {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let answer = send(call(app, method.clone(), &id, "/x")).await;
            assert_eq!(answer.status, 200, "{method}: {}", answer.text());
            let seen = up.calls().pop().unwrap();
            assert_eq!((&seen.method, seen.target.as_str()), (&method, "/api/x"));
            assert_eq!(seen.all("authorization"), ["Bearer canary_stub_access"]);
        }
        assert_eq!(up.calls().len(), 10, "each is sent once");
    })
    .await;
}

#[tokio::test]
async fn path_and_query_arrive_byte_for_byte() {
    on_each(async |app| {
        let (up, id) = echoing(app).await;
        for target in [
            "/",
            "/a/",
            "/a//b",
            "/a%2Fb",
            "/a%2fb",
            "/%41%7e",
            "/a+b%20c",
            "/%E2%9C%93",
            "/%ff%FE",
            "/100%25",
            "/a;b=c,d",
            "/~!$&'()*,;=:@-._",
            "/...",
            "/.hidden/x..y",
            "/a?",
            "/a?b",
            "/a?b=",
            "/a?=",
            "/a?b=&b=1&b&a=2",
            "/a?q=%2F%2f+%20&x[]=1&y[a]=2",
            "/a?url=https://other.test/../x?y=z",
            "/a?q=a?b/c&&&",
            "/a?%ff=%00",
            "/a?../..",
            "/?client_id=x&access_token=mine",
        ] {
            let answer = send(call(app, Method::GET, &id, target)).await;
            assert_eq!(answer.status, 200, "{target}: {}", answer.text());
            assert_eq!(up.calls().pop().unwrap().target, format!("/api{target}"));
        }
        let long = format!("/a?q={}", "x".repeat(8000));
        assert_eq!(send(call(app, Method::GET, &id, &long)).await.status, 200);
        assert_eq!(up.calls().pop().unwrap().target, format!("/api{long}"));
    })
    .await;
}

#[tokio::test]
async fn a_base_url_of_any_shape_is_joined_by_writing_the_path_behind_it() {
    on_each(async |app| {
        let up = Upstream::start(echo).await;
        for (n, (base, asked, want)) in [
            ("", "/x", "/x"),
            ("/", "/x", "/x"),
            ("/v1", "/x?y", "/v1/x?y"),
            ("/v1/", "/x/", "/v1/x/"),
            ("/a%2Fb/v1", "/", "/a%2Fb/v1/"),
        ]
        .into_iter()
        .enumerate()
        {
            let mut config = crate::support::app::at(&up.origin);
            config.base_url = Some(format!("{}{base}", up.origin));
            let key = format!("base-{n}");
            app.integrate_as(&app.acme, crate::support::app::new_integration(&key, "oauth2", config)).await;
            let browser = Browser::new();
            let leg = browser.set_out(app, &app.acme, &[("integration_id", &key)]).await;
            let (_, pairs) = browser.get(&leg.back(&[("code", "c")])).await.redirect();
            let id = crate::support::value(&pairs, "connection_id").to_owned();
            let answer = send(call(app, Method::GET, &id, asked)).await;
            assert_eq!(answer.status, 200, "{base}: {}", answer.text());
            assert_eq!(up.seen().pop().unwrap().target, want, "{base}");
        }
    })
    .await;
}

#[tokio::test]
async fn bodies_of_every_kind_pass_both_ways() {
    on_each(async |app| {
        let (up, id) = echoing(app).await;
        let binary: Vec<u8> = (0..=255).cycle().take(70_000).collect();
        for (method, kind, body) in [
            (Method::POST, Some("application/json"), br#"{"a":  1, "a":2,"e":1e2}"#.to_vec()),
            (Method::POST, Some("application/x-www-form-urlencoded"), b"a=b&c=%20+".to_vec()),
            (Method::PUT, Some("multipart/form-data; boundary=x"), b"--x\r\n\r\n1\r\n--x--\r\n".to_vec()),
            (Method::PATCH, Some("application/octet-stream"), binary),
            (Method::DELETE, Some("text/plain"), b"reason".to_vec()),
            (Method::GET, Some("application/json"), b"{\"query\":1}".to_vec()),
            (Method::POST, None, b"no type".to_vec()),
            (Method::POST, Some("application/json"), Vec::new()),
            (Method::GET, Some("application/json"), Vec::new()),
            (Method::DELETE, Some("application/json"), Vec::new()),
        ] {
            let mut request = call(app, method.clone(), &id, "/x");
            if let Some(kind) = kind {
                request = request.header("content-type", kind);
            }
            let answer = Browser::new().send(request, Bytes::from(body.clone())).await;
            assert_eq!(answer.status, 200, "{method} {kind:?}");
            assert_eq!(answer.body, body, "{method} {kind:?}");
            assert_eq!(answer.header("content-type"), kind);
            let seen = up.calls().pop().unwrap();
            assert_eq!(seen.all("content-type"), kind.into_iter().collect::<Vec<_>>());
            assert!(!seen.headers.contains_key("transfer-encoding"), "a known length stays known");
            let length = seen.all("content-length");
            let want = body.len().to_string();
            if body.is_empty() {
                assert!(length.is_empty() || length == ["0"], "{method}: {length:?}");
            } else {
                assert_eq!(length, [want.as_str()], "{method} {kind:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn encoded_bodies_are_not_looked_into() {
    on_each(async |app| {
        let bytes = [0x1f, 0x8b, 8, 0, 0, 0xff, 0x00, 0x01];
        let up =
            Upstream::start(
                move |_, _| async move { say(200, &[("content-encoding", "gzip")], bytes.to_vec()) },
            );
        let up = up.await;
        let id = up.connect(app).await;
        let request = call(app, Method::POST, &id, "/x").header("content-encoding", "gzip");
        let answer = Browser::new().send(request, Bytes::copy_from_slice(&bytes)).await;
        assert_eq!(&answer.body[..], bytes);
        assert_eq!(answer.header("content-encoding"), Some("gzip"));
        let seen = up.calls().pop().unwrap();
        assert_eq!(seen.all("content-encoding"), ["gzip"]);
        assert!(
            !seen.headers.contains_key("accept-encoding"),
            "nothing is asked for that the caller did not"
        );
    })
    .await;
}

#[tokio::test]
async fn what_the_provider_says_is_not_masked() {
    on_each(async |app| {
        let up = Upstream::start(|head: Head, _| async move {
            let status: u16 = head.target.trim_start_matches("/api/").parse().unwrap();
            let body = if matches!(status, 204 | 304) { "" } else { "theirs: <b>no</b>" };
            say(
                status,
                &[("location", "https://elsewhere.test/?a=b"), ("content-type", "text/x-theirs")],
                body,
            )
        });
        let up = up.await;
        let id = up.connect(app).await;
        let statuses = [
            200, 201, 202, 203, 204, 206, 207, 300, 301, 302, 303, 304, 307, 308, 400, 401, 402, 403, 404,
            405, 407, 409, 410, 418, 422, 426, 429, 451, 499, 500, 501, 502, 503, 504, 520, 599,
        ];
        for (n, status) in statuses.into_iter().enumerate() {
            let answer = send(call(app, Method::POST, &id, &format!("/{status}"))).await;
            assert_eq!(answer.status, status);
            let body = if matches!(status, 204 | 304) { "" } else { "theirs: <b>no</b>" };
            assert_eq!(answer.text(), body, "{status}");
            assert_eq!(answer.header("location"), Some("https://elsewhere.test/?a=b"), "not followed");
            assert_eq!(answer.header("content-type"), Some("text/x-theirs"));
            assert_eq!(up.calls().len(), n + 1, "{status} is asked for once");
        }
    })
    .await;
}

#[tokio::test]
async fn head_and_not_modified_keep_the_length_they_name() {
    on_each(async |app| {
        let up = Upstream::start(|head: Head, _| async move {
            let status = if head.headers.contains_key("if-none-match") { 304 } else { 200 };
            say(status, &[("content-length", "1234"), ("etag", "\"x\"")], Body::empty())
        });
        let up = up.await;
        let id = up.connect(app).await;
        let answer = send(call(app, Method::HEAD, &id, "/x")).await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0));
        assert_eq!(answer.header("content-length"), Some("1234"));
        let answer = send(call(app, Method::GET, &id, "/x").header("if-none-match", "\"x\"")).await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (304, 0));
        assert_eq!(answer.header("etag"), Some("\"x\""));
    })
    .await;
}

#[tokio::test]
async fn a_call_leaves_a_row_with_its_numbers_and_without_its_query() {
    on_each(async |app| {
        let up = Upstream::start(|_, _| async { say(207, &[], "12345678") }).await;
        let id = up.connect(app).await;
        let request = call(app, Method::PUT, &id, "/a%2Fb/c?q=canary_query");
        let answer = Browser::new().send(request, Bytes::from_static(b"12345")).await;
        assert_eq!(answer.status, 207);
        app.broker.logs.flush().await;
        let rows = app.read().await.request_logs(&app.acme.workspace, &ALL).await.unwrap();
        let [row] = &rows[..] else { panic!("{} rows", rows.len()) };
        assert_eq!(Some(row.request_id.as_str()), answer.header("claviger-request-id"));
        assert_eq!((row.method.as_str(), row.path.as_str()), ("PUT", "/a%2Fb/c"));
        assert_eq!((row.status, row.error.as_deref(), row.attempts), (207, None, 1));
        assert_eq!((row.bytes_in, row.bytes_out), (5, 8));
        assert!(row.waited_ms.unwrap() + row.first_byte_ms.unwrap() <= row.duration_ms);
        assert_eq!((row.connection_id.as_str(), row.at), (id.as_str(), app.broker.clock.now()));
        let keys = app.read().await.api_keys(&app.acme.workspace).await.unwrap();
        assert_eq!(row.api_key_id.as_ref(), Some(&keys[0].id));
        assert!(!format!("{rows:?}").contains("canary_query"));
        assert_eq!(app.broker.logs.dropped(), 0);
    })
    .await;
}

#[tokio::test]
async fn the_contracts_own_sample_of_a_connection_header_works() {
    on_each(async |app| {
        let (up, id) = echoing(app).await;
        let request = http::Request::get(format!("{}/x", app.proxy))
            .header("authorization", format!("bearer {}", app.acme.key))
            .header("bu-connection-id", format!("Bearer {id}"));
        assert_eq!(send(request).await.status, 200);
        assert_eq!(up.calls().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_header_value_of_any_bytes_passes() {
    on_each(async |app| {
        let up = Upstream::start(|head: Head, _| async move {
            let mut response = say(200, &[], "");
            for value in head.headers.get_all("x-odd") {
                response.headers_mut().append("x-odd", value.clone());
            }
            response
        });
        let up = up.await;
        let id = up.connect(app).await;
        let odd = [&b"caf\xe9"[..], b"\"quoted\", \t tab", b"", b"\xff\xfe", b"Bearer nothing"];
        let mut request = call(app, Method::GET, &id, "/x");
        for value in odd {
            request = request.header("x-odd", HeaderValue::from_bytes(value).unwrap());
        }
        let answer = send(request).await;
        let seen = up.calls().pop().unwrap();
        let arrived: Vec<&[u8]> = seen.headers.get_all("x-odd").iter().map(HeaderValue::as_bytes).collect();
        assert_eq!(arrived, odd);
        let came: Vec<&[u8]> = answer.headers.get_all("x-odd").iter().map(HeaderValue::as_bytes).collect();
        assert_eq!(came, odd);
    })
    .await;
}

#[tokio::test]
async fn the_sandboxes_echo_agrees() {
    on_each(async |app| {
        let (_, pairs) = Browser::new().connect(app, &app.acme, &[]).await.redirect();
        let id = crate::support::value(&pairs, "connection_id");
        let request = call(app, Method::PATCH, id, "/some%2Fpath?x=1&x=2").header("content-type", "text/x");
        let answer = Browser::new().send(request, Bytes::from_static(b"hello")).await;
        let said = answer.json();
        assert_eq!((&said["method"], &said["path"]), (&json!("PATCH"), &json!("/api/some%2Fpath")));
        assert_eq!((&said["query"], &said["body"]), (&json!("x=1&x=2"), &json!("hello")));
        assert_eq!(said["headers"]["content-type"], json!(["text/x"]));
    })
    .await;
}
