//! When a call is made again, and when it is not. Waits are named as zero seconds by the provider.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::response::Response;
use bytes::Bytes;
use claviger_engine::domain::request_log::RequestLog;
use http::Method;
use http_body_util::BodyExt as _;
use tokio::{net::TcpSocket, sync::Notify};

use crate::support::{
    Browser, TestApp, Upstream,
    app::{ALL, at, new_integration},
    on_each,
    upstream::{Head, say},
    value,
    wire::{begin, call, nothing, send},
};

const SAFE: [Method; 3] = [Method::GET, Method::HEAD, Method::OPTIONS];
const AT_ONCE: &[(&str, &str)] = &[("retry-after", "0")];

/// A provider that answers its first calls with `status` and the next ones with 200; each answer says its number.
async fn failing(status: u16, times: usize, headers: &'static [(&'static str, &'static str)]) -> Upstream {
    let count = Arc::new(AtomicUsize::new(0));
    Upstream::start(move |_, _| {
        let n = count.fetch_add(1, Ordering::SeqCst) + 1;
        async move { if n <= times { say(status, headers, n.to_string()) } else { say(200, &[], n.to_string()) } }
    })
    .await
}

async fn rows(app: &TestApp) -> Vec<RequestLog> {
    app.broker.logs.flush().await;
    app.read().await.request_logs(&app.acme.workspace, &ALL).await.unwrap()
}

#[tokio::test]
async fn a_safe_call_is_made_three_times_and_the_last_answer_handed_back() {
    on_each(async |app| {
        for status in [429, 500, 501, 502, 503, 504, 599] {
            for method in SAFE {
                let up = failing(status, usize::MAX, AT_ONCE).await;
                let id = up.connect(app).await;
                let answer = send(call(app, method.clone(), &id, "/x?y")).await;
                assert_eq!(answer.status, status, "{method}");
                let body = if method == Method::HEAD { "" } else { "3" };
                assert_eq!(answer.text(), body, "{method} {status}: the last answer");
                let calls = up.calls();
                assert_eq!(calls.len(), 3, "{method} {status}");
                assert!(calls.iter().all(|call| call.target == "/api/x?y" && call.method == method));
                assert_eq!(rows(app).await[0].attempts, 3, "the row counts them");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_safe_call_that_works_again_is_not_made_once_more() {
    on_each(async |app| {
        for (failures, want) in [(0, 1), (1, 2), (2, 3)] {
            let up = failing(503, failures, AT_ONCE).await;
            let id = up.connect(app).await;
            let answer = send(call(app, Method::GET, &id, "/x")).await;
            assert_eq!((answer.status.as_u16(), answer.text()), (200, want.to_string().as_str()));
            assert_eq!(up.calls().len(), want);
        }
    })
    .await;
}

#[tokio::test]
async fn what_may_have_changed_something_is_never_made_again() {
    on_each(async |app| {
        for method in ["POST", "PUT", "PATCH", "DELETE", "PROPFIND", "get"] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            for status in [429, 500, 503] {
                let up = failing(status, usize::MAX, AT_ONCE).await;
                let id = up.connect(app).await;
                let answer = send(call(app, method.clone(), &id, "/x").header("bu-max-retries", "5")).await;
                assert_eq!((answer.status.as_u16(), answer.text()), (status, "1"), "{method}");
                assert_eq!(up.calls().len(), 1, "{method} {status}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_will_not_change_is_handed_back_at_once() {
    on_each(async |app| {
        for status in [200, 204, 301, 304, 400, 401, 403, 404, 408, 409, 425] {
            let up = failing(status, usize::MAX, AT_ONCE).await;
            let id = up.connect(app).await;
            assert_eq!(send(call(app, Method::GET, &id, "/x")).await.status, status);
            assert_eq!(up.calls().len(), 1, "{status}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_caller_says_how_often_up_to_five_times() {
    on_each(async |app| {
        for (wanted, attempts) in [
            ("0", 1),
            ("1", 2),
            ("2", 3),
            ("5", 6),
            ("6", 6),
            ("99", 6),
            ("256", 6),
            ("4294967295", 6),
            (" 1 ", 2),
        ] {
            let up = failing(503, usize::MAX, AT_ONCE).await;
            let id = up.connect(app).await;
            let answer = send(call(app, Method::GET, &id, "/x").header("bu-max-retries", wanted)).await;
            assert_eq!(answer.status, 503, "{wanted}");
            assert_eq!(up.calls().len(), attempts, "{wanted}");
        }
        let up = failing(503, usize::MAX, AT_ONCE).await;
        let id = up.connect(app).await;
        for wanted in ["", "x", "-1", "1.5", "1e1", "0x1", "99999999999999999999", "1,2"] {
            let answer = send(call(app, Method::GET, &id, "/x").header("bu-max-retries", wanted)).await;
            answer.assert_problem(400, "invalid_request");
            assert!(answer.text().contains("BU-Max-Retries"), "{wanted:?}: {}", answer.text());
        }
        assert_eq!(up.calls().len(), 0, "nothing is sent");
    })
    .await;
}

#[tokio::test]
async fn a_wait_beyond_ten_seconds_is_the_callers() {
    on_each(async |app| {
        // The clock stands at 2026-09-21T14:13:20Z.
        for later in
            ["11", "3600", "99999999999", "Mon, 21 Sep 2026 14:13:31 GMT", "Fri, 31 Dec 2027 00:00:00 GMT"]
        {
            let headers: &'static [_] = Box::leak(Box::new([("retry-after", &*later.to_owned().leak())]));
            for status in [429, 503] {
                let up = failing(status, 1, headers).await;
                let id = up.connect(app).await;
                let answer = send(call(app, Method::GET, &id, "/x")).await;
                assert_eq!(answer.status, status, "{later}");
                assert_eq!(answer.header("retry-after"), Some(later), "the caller learns of it");
                assert_eq!(up.calls().len(), 1, "{later}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_time_that_has_come_is_no_wait() {
    on_each(async |app| {
        for past in ["0", "Mon, 21 Sep 2026 14:13:20 GMT", "Fri, 31 Dec 1999 23:59:59 GMT"] {
            let headers: &'static [_] = Box::leak(Box::new([("retry-after", &*past.to_owned().leak())]));
            let up = failing(503, 1, headers).await;
            let id = up.connect(app).await;
            assert_eq!(send(call(app, Method::GET, &id, "/x")).await.status, 200, "{past}");
            assert_eq!(up.calls().len(), 2);
        }
    })
    .await;
}

#[tokio::test]
async fn a_wait_of_up_to_ten_seconds_is_waited_for() {
    on_each(async |app| {
        let asked = Arc::new(Notify::new());
        let tell = asked.clone();
        let up = Upstream::start(move |_, _| {
            tell.notify_one();
            async { say(503, &[("retry-after", "10")], "") }
        });
        let up = up.await;
        let id = up.connect(app).await;
        let held = begin(call(app, Method::GET, &id, "/x").body(nothing()).unwrap()).await;
        asked.notified().await;
        // An answer handed back at once would be in the log at once.
        for _ in 0..20 {
            assert_eq!(rows(app).await.len(), 0, "it is still waiting");
        }
        held.hang_up().await;
        assert_eq!(up.calls().len(), 1, "and has not called again in the meantime");
    })
    .await;
}

#[tokio::test]
async fn a_body_is_sent_again_as_it_was() {
    on_each(async |app| {
        let bodies = Arc::new(std::sync::Mutex::new(Vec::new()));
        let seen = bodies.clone();
        let up = Upstream::start(move |_: Head, body: axum::body::Body| {
            let seen = seen.clone();
            async move {
                let body = body.collect().await.unwrap().to_bytes();
                seen.lock().unwrap().push(body);
                say(503, AT_ONCE, "")
            }
        });
        let up = up.await;
        let id = up.connect(app).await;
        let small = Bytes::from_static(b"{\"query\":\"{a}\"}");
        let answer = Browser::new().send(call(app, Method::GET, &id, "/x"), small.clone()).await;
        assert_eq!(answer.status, 503);
        assert_eq!(*bodies.lock().unwrap(), [small.clone(), small.clone(), small], "three times the same");

        bodies.lock().unwrap().clear();
        let large = Bytes::from(vec![b'x'; 300_000]);
        let answer = Browser::new().send(call(app, Method::GET, &id, "/x"), large.clone()).await;
        assert_eq!(answer.status, 503);
        assert_eq!(*bodies.lock().unwrap(), [large], "what was not kept is not sent again");
    })
    .await;
}

/// A connection whose API is at a port that is taken and where nobody listens.
async fn deaf(app: &TestApp, up: &Upstream) -> (TcpSocket, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let config = claviger_engine::domain::integration::Config {
        base_url: Some(format!("http://{}", socket.local_addr().unwrap())),
        ..at(&up.origin)
    };
    app.integrate_as(&app.acme, new_integration("deaf", "oauth2", config)).await;
    let browser = Browser::new();
    let leg = browser.set_out(app, &app.acme, &[("integration_id", "deaf")]).await;
    let (_, pairs) = browser.get(&leg.back(&[("code", "c")])).await.redirect();
    (socket, value(&pairs, "connection_id").to_owned())
}

async fn nobody(_: Head, _: axum::body::Body) -> Response {
    say(500, &[], "")
}

#[tokio::test]
async fn a_refused_connection_is_tried_again_whatever_the_method() {
    on_each(async |app| {
        let up = Upstream::start(nobody).await;
        let (_socket, id) = deaf(app, &up).await;
        for (method, retries, attempts) in
            [(Method::GET, "1", 2), (Method::POST, "1", 2), (Method::DELETE, "2", 3), (Method::POST, "0", 1)]
        {
            let request = call(app, method.clone(), &id, "/x").header("bu-max-retries", retries);
            let answer = Browser::new().send(request, Bytes::from_static(b"{}")).await;
            answer.assert_problem(502, "upstream_unreachable");
            let rows = rows(app).await;
            let row =
                rows.iter().find(|row| Some(row.request_id.as_str()) == answer.header("claviger-request-id"));
            let row = row.expect("a row");
            assert_eq!((row.attempts, row.bytes_in), (attempts, 0), "{method} {retries}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_breaks_behind_the_request_is_tried_again_only_for_a_safe_method() {
    on_each(async |app| {
        for (method, attempts) in [(Method::GET, 2), (Method::POST, 1), (Method::PUT, 1)] {
            let up = Upstream::start(|_, _| async { panic!("the provider breaks, as it is meant to") }).await;
            let id = up.connect(app).await;
            let request = call(app, method.clone(), &id, "/x").header("bu-max-retries", "1");
            let within =
                tokio::time::timeout(Duration::from_secs(20), send(request)).await.expect("an answer");
            within.assert_problem(502, "upstream_unreachable");
            assert_eq!(up.calls().len(), attempts, "{method}");
        }
    })
    .await;
}
