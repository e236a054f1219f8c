//! The header table, in and out.

use http::{HeaderMap, Method};
use serde_json::json;

use crate::support::{
    Browser, Upstream, on_each, raw,
    upstream::{Head, say},
    value,
    wire::{call, send},
};

/// Headers that a client on the way adds by itself.
const FRAMING: [&str; 5] = ["host", "content-length", "transfer-encoding", "user-agent", "accept"];

fn names(headers: &HeaderMap) -> Vec<&str> {
    let mut names: Vec<&str> = headers.keys().map(http::HeaderName::as_str).collect();
    names.retain(|name| !FRAMING.contains(name));
    names.sort_unstable();
    names
}

#[tokio::test]
async fn what_is_not_for_the_provider_stops_here() {
    on_each(async |app| {
        let up = Upstream::start(super::echo).await;
        let id = up.connect(app).await;
        let address = app.proxy.trim_start_matches("http://");
        let request = format!(
            "POST /x HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\nBU-Connection-Id: {id}\r\n\
             BU-Max-Retries: 0\r\nBU-Anything: canary\r\nCookie: sid=canary\r\nCOOKIE: b=canary\r\n\
             Proxy-Authorization: Basic canary\r\nProxy-Connection: keep-alive\r\nProxy-Anything: canary\r\n\
             Forwarded: for=1.2.3.4\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Host: canary\r\n\
             X-Forwarded-Proto: https\r\nX-Forwarded-Anything: canary\r\n\
             Keep-Alive: timeout=5\r\nTE: gzip, trailers\r\nUpgrade: websocket\r\nHTTP2-Settings: AAMAAABkAAQ\r\n\
             Connection: close, X-Hop, x-HOP-two\r\nConnection: x-third\r\n\
             X-Hop: canary\r\nX-Hop-Two: canary\r\nX-Third: canary\r\n\
             X-Kept: 1\r\nx-kept: 2\r\nX-Kept: 1\r\nAccept-Language: de\r\nUser-Agent: theirs/1.0\r\nAccept: text/x\r\n\
             Via: 1.1 mine\r\nOrigin: https://app.test\r\nReferer: https://app.test/p\r\nRange: bytes=0-1\r\n\
             Idempotency-Key: k\r\nX-Real-Ip: 5.6.7.8\r\nContent-Length: 4\r\n\r\nbody",
            key = app.acme.key,
        );
        let answer = raw(&app.proxy, request.as_bytes()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let seen = up.calls().pop().unwrap();
        assert_eq!(
            names(&seen.headers),
            [
                "accept-language",
                "authorization",
                "idempotency-key",
                "origin",
                "range",
                "referer",
                "te",
                "via",
                "x-kept",
                "x-real-ip"
            ]
        );
        assert_eq!(seen.all("authorization"), ["Bearer canary_stub_access"], "the caller's is replaced");
        assert_eq!(seen.all("x-kept"), ["1", "2", "1"], "in order, each");
        assert_eq!(seen.all("te"), ["trailers"], "made anew");
        assert_eq!(seen.all("user-agent"), ["theirs/1.0"]);
        assert_eq!(seen.all("accept"), ["text/x"]);
        assert_eq!(seen.all("host"), [up.origin.trim_start_matches("http://")]);
        assert_eq!(seen.all("content-length"), ["4"]);
        assert!(!format!("{:?}", seen.headers).contains(&app.acme.key));
    })
    .await;
}

#[tokio::test]
async fn a_connection_header_can_not_take_away_what_frames_or_authenticates() {
    on_each(async |app| {
        let up = Upstream::start(super::echo).await;
        let id = up.connect(app).await;
        for named in ["content-length", "authorization", "host", "content-type, authorization"] {
            let request = call(app, Method::POST, &id, "/x").header("connection", named);
            let request = request.header("content-type", "text/plain");
            let answer = Browser::new().send(request, "four".into()).await;
            assert_eq!((answer.status.as_u16(), answer.text()), (200, "four"), "{named}");
            let seen = up.calls().pop().unwrap();
            assert_eq!(seen.all("authorization"), ["Bearer canary_stub_access"], "{named}");
            assert_eq!(seen.all("host"), [up.origin.trim_start_matches("http://")], "{named}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_not_for_the_caller_stops_here() {
    on_each(async |app| {
        let up = Upstream::start(|_, _| async {
            say(
                200,
                &[
                    ("set-cookie", "sid=canary; HttpOnly"),
                    ("set-cookie", "b=canary"),
                    ("set-cookie2", "c=canary"),
                    ("keep-alive", "timeout=5"),
                    ("proxy-authenticate", "Basic"),
                    ("proxy-connection", "close"),
                    ("upgrade", "h2c"),
                    ("connection", "x-hop, keep-alive"),
                    ("x-hop", "canary"),
                    ("x-echo", "canary_stub_access"),
                    ("x-echo-long", "you sent Bearer canary_stub_access, thanks"),
                    ("x-echo-twice", "fine"),
                    ("x-echo-twice", "token=canary_stub_access"),
                    ("claviger-request-id", "theirs"),
                    ("x-kept", "1"),
                    ("x-kept", "2"),
                    ("link", "<https://up.test/?page=2>; rel=next"),
                    ("link", "<https://up.test/?page=9>; rel=last"),
                    ("www-authenticate", "Bearer realm=x"),
                    ("retry-after", "7"),
                    ("strict-transport-security", "max-age=1"),
                    ("content-security-policy", "default-src 'self'"),
                    ("access-control-allow-origin", "*"),
                    ("date", "Sat, 21 Nov 2026 00:00:00 GMT"),
                    ("server", "theirs"),
                ],
                "{}",
            )
        });
        let up = up.await;
        let id = up.connect(app).await;
        let answer = send(call(app, Method::GET, &id, "/x")).await;
        assert_eq!(
            names(&answer.headers),
            [
                "access-control-allow-origin",
                "claviger-request-id",
                "content-security-policy",
                "date",
                "link",
                "retry-after",
                "server",
                "strict-transport-security",
                "www-authenticate",
                "x-echo-twice",
                "x-kept"
            ]
        );
        let all = |name: &str| answer.headers.get_all(name).iter().collect::<Vec<_>>();
        assert_eq!(all("x-kept"), ["1", "2"]);
        assert_eq!(all("link").len(), 2);
        assert_eq!(all("x-echo-twice"), ["fine"], "only what repeats the secret goes");
        assert_eq!(all("date"), ["Sat, 21 Nov 2026 00:00:00 GMT"], "the provider's, once");
        let id = answer.header("claviger-request-id").unwrap();
        assert!(id.starts_with("req_"), "{id}");
        assert!(!format!("{:?}", answer.headers).contains("canary"));
    })
    .await;
}

#[tokio::test]
async fn the_sandboxes_cookie_stays_at_the_sandbox() {
    on_each(async |app| {
        let (_, pairs) = Browser::new().connect(app, &app.acme, &[]).await.redirect();
        let id = value(&pairs, "connection_id");
        app.sandbox.faults(json!({ "api_headers": { "set-cookie": "sid=1", "x-theirs": "1" } })).await;
        let answer = app.call(&app.acme.key, id, "/me").await;
        assert_eq!((answer.header("set-cookie"), answer.header("x-theirs")), (None, Some("1")));
    })
    .await;
}

#[tokio::test]
async fn an_integrations_headers_are_added_and_can_not_be_overruled() {
    on_each(async |app| {
        let up = Upstream::start(super::echo).await;
        let mut config = crate::support::app::at(&up.origin);
        config.headers.insert("X-Api-Version".into(), "2026-01-01".into());
        app.integrate_as(&app.acme, crate::support::app::new_integration("versioned", "oauth2", config))
            .await;
        let browser = Browser::new();
        let leg = browser.set_out(app, &app.acme, &[("integration_id", "versioned")]).await;
        let (_, pairs) = browser.get(&leg.back(&[("code", "c")])).await.redirect();
        let id = value(&pairs, "connection_id").to_owned();
        for given in [None, Some("1999-01-01")] {
            let mut request = call(app, Method::GET, &id, "/x");
            if let Some(given) = given {
                request = request.header("x-api-version", given);
            }
            assert_eq!(send(request).await.status, 200);
            let seen: Head = up.calls().pop().unwrap();
            assert_eq!(seen.all("x-api-version"), ["2026-01-01"], "{given:?}");
        }
    })
    .await;
}
