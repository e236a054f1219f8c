//! Calls that are signed with a secret key (AWS Signature Version 4): what arrives is what was signed, and nobody else's
//! signature gets through.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_lc_rs::{
    digest::{SHA256, digest},
    hmac,
};
use axum::{body::Body, response::Response};
use bytes::Bytes;
use claviger_engine::{domain::integration::Config, setup::NewIntegration};
use http::{Method, Request};
use http_body_util::BodyExt as _;

use crate::support::{
    Answer, Browser, Options, TestApp, Upstream,
    app::new_integration,
    on_each_with,
    upstream::{Head, say},
    value,
};

const ID: &str = "AKIDEXAMPLE";
const SECRET: &str = "canary/secret+key";
const SESSION: &str = "canary/session==";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The signature that the other side computes of what arrived: its own words for the public description.
fn expected(head: &Head, body: &[u8], secret: &str) -> String {
    let authorization = head.all("authorization")[0];
    let part = |name: &str| {
        let rest = authorization.split(&format!("{name}=")).nth(1).expect("a part");
        rest.split(',').next().expect("its value").to_owned()
    };
    let (credential, signed) = (part("Credential"), part("SignedHeaders"));
    let (path, query) = head.target.split_once('?').unwrap_or((&head.target, ""));
    let mut canonical =
        format!("{}\n{}\n{query}\n", head.method, path.replace("//", "/").replace('%', "%25"));
    for name in signed.split(';') {
        canonical.push_str(&format!("{name}:{}\n", head.all(name).join(",")));
    }
    canonical.push_str(&format!("\n{signed}\n{}", hex(digest(&SHA256, body).as_ref())));
    let (_, scope) = credential.split_once('/').expect("a scope");
    let hashed = hex(digest(&SHA256, canonical.as_bytes()).as_ref());
    let text = format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{hashed}", head.all("x-amz-date")[0]);
    let mut key = format!("AWS4{secret}").into_bytes();
    for piece in scope.split('/').chain([text.as_str()]) {
        key = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), piece.as_bytes()).as_ref().to_vec();
    }
    hex(&key)
}

/// A provider that takes only what is signed with the key, and says back what it got.
async fn provider() -> (Upstream, Arc<Mutex<Vec<Bytes>>>) {
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let held = bodies.clone();
    let at = Upstream::whole(move |head: Head, body: Body| {
        let bodies = held.clone();
        async move {
            let body = body.collect().await.expect("a whole body").to_bytes();
            bodies.lock().unwrap().push(body.clone());
            let authorization = head.all("authorization")[0].to_owned();
            let right = authorization.ends_with(&format!("Signature={}", expected(&head, &body, SECRET)))
                && authorization.starts_with(&format!("AWS4-HMAC-SHA256 Credential={ID}/"));
            reply(right, &authorization)
        }
    });
    (at.await, bodies)
}

fn reply(right: bool, authorization: &str) -> Response {
    let echo = [("x-echo", authorization), ("x-session", SESSION), ("x-plain", "plain")];
    say(if right { 200 } else { 403 }, &echo, "{\"message\":\"no such signature\"}")
}

fn options() -> Options {
    let file = "key = \"signed\"\nname = \"Signed\"\n[[inputs]]\nkey = \"region\"\ntitle = \"Region\"\n\
        pattern = \"^[a-z0-9-]{1,20}$\"\n[sigv4]\nservice = \"things\"\nregion = \"{region}\"\n\
        [verify]\nrefused = [403]\n[[verify.calls]]\nurl = \"/check?b=2\"\n[api.headers]\nX-Amz-Version = \"7\"\n";
    Options { providers: vec![("signed.toml", file.to_owned())], ..Options::default() }
}

async fn submit(app: &TestApp, at: &Upstream, secret: &str, session: &str) -> Answer {
    let config = Config { base_url: Some(format!("{}/api", at.origin)), ..Config::default() };
    let wish = new_integration("it", "signed", config);
    if app.read().await.integration_by_selector(&app.acme.workspace, "it").await.expect("read").is_none() {
        app.integrate_as(&app.acme, NewIntegration { client_id: None, client_secret: None, ..wish }).await;
    }
    let wish = [("integration_id", "it"), ("external_id", "u"), ("state", "s")];
    let browser = Browser::new();
    let page =
        format!("{}{}", app.origin, browser.get(&app.authorize_url(&app.acme, &wish)).await.location());
    let pairs = [
        ("decision", "continue"),
        ("region", "eu-1"),
        ("input-region", "eu-1"),
        ("credential-access_key_id", ID),
        ("credential-secret_access_key", secret),
        ("credential-session_token", session),
    ];
    browser.submit(&page, &pairs).await
}

async fn send(app: &TestApp, id: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut request = Request::builder().method(Method::POST).uri(format!("{}{path}", app.proxy));
    request =
        request.header("authorization", format!("Bearer {}", app.acme.key)).header("bu-connection-id", id);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Browser::new().send(request, Bytes::copy_from_slice(body)).await
}

#[tokio::test]
async fn every_call_is_signed_with_the_typed_key() {
    on_each_with(options, async |app| {
        let (at, bodies) = provider().await;
        let wrong = submit(app, &at, "canary-other", "").await;
        assert_eq!(wrong.status, 422, "{}", wrong.text());
        assert!(wrong.text().contains("id=\"error-credential-secret_access_key\""), "{}", wrong.text());
        assert!(wrong.text().contains(&format!("value=\"{ID}\"")) && !wrong.text().contains("canary"));
        app.assert_nothing_connected(&app.acme).await;

        let done = submit(app, &at, SECRET, SESSION).await;
        let id = value(&done.redirect().1, "connection_id").to_owned();
        let made = app.connection(&app.acme, &id).await;
        assert_eq!((made.inputs["region"].as_str(), made.expires_at), ("eu-1", None));
        assert!(!format!("{made:?}").contains("canary"));

        let theirs = [
            ("x-amz-date", "20000101T000000Z"),
            ("x-amz-security-token", "theirs"),
            ("x-amz-content-sha256", "theirs"),
            ("x-amz-target", "Do.It"),
            ("content-type", "application/json"),
        ];
        let body = "{\"a\": \"\u{e9}\", \"b\":1}\n".as_bytes();
        let path = "/a%20b//c?a=%7B1&b=2";
        let got = send(app, &id, path, &theirs, body).await;
        assert_eq!(got.status, 200, "{}", got.text());
        let kept = ["x-echo", "x-session", "x-plain"].map(|name| got.header(name).is_some());
        assert_eq!(kept, [false, false, true], "no header says a secret or a signature back");
        let head = at.calls().last().expect("a call").clone();
        assert_eq!(head.target, format!("/api{path}"), "byte for byte");
        assert_eq!(bodies.lock().unwrap().last().expect("a body"), body);
        assert_eq!(head.all("x-amz-security-token"), [SESSION]);
        assert!(head.all("x-amz-content-sha256").is_empty());
        let signed =
            "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target;x-amz-version,";
        let authorization = head.all("authorization");
        assert!(authorization.len() == 1 && authorization[0].contains(signed), "{authorization:?}");
        assert!(authorization[0].contains("/eu-1/things/aws4_request,"), "{authorization:?}");

        app.pass(Duration::from_secs(3600));
        assert_eq!(send(app, &id, path, &[], body).await.status, 200);
        let later = at.calls().last().expect("a call").clone();
        assert_ne!(later.all("x-amz-date"), head.all("x-amz-date"), "the broker's time, anew");
        assert_eq!(app.call(&app.acme.key, &id, "/x").await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn what_can_not_be_signed_is_not_sent() {
    on_each_with(options, async |app| {
        let (at, _) = provider().await;
        let done = submit(app, &at, SECRET, "").await;
        let id = value(&done.redirect().1, "connection_id").to_owned();
        let before = at.seen().len();
        let most = vec![b'x'; 1024 * 1024];
        assert_eq!(send(app, &id, "/x", &[], &most).await.status, 200);
        let long = vec![b'x'; 1024 * 1024 + 1];
        let refused = send(app, &id, "/x", &[], &long).await;
        assert!(
            refused.status == 400 && refused.text().contains("too long to be signed"),
            "{}",
            refused.text()
        );
        for pieces in [
            ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
            ("content-encoding", "gzip, aws-chunked"),
        ] {
            let refused = send(app, &id, "/x", &[pieces], b"10;chunk-signature=x").await;
            assert!(refused.status == 400 && refused.text().contains("in pieces"), "{}", refused.text());
        }
        assert_eq!(at.seen().len(), before + 1, "only the first was sent");
    })
    .await;
}
