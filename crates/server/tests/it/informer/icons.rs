//! Icons: uploaded, shown so that they can do nothing, and those of providers.

use bytes::Bytes;
use claviger_engine::domain::{share::Principal, user::Permission};
use http::Method;
use serde_json::json;

use super::{Someone, ask, assert_problem, send, someone};
use crate::support::{Answer, Browser, TestApp, on_each};

const ICON: &str = "/api/integrations/sandbox/icon";
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";
const SVG: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" onload="evil()"><script>evil()</script><image href="https://evil.test/"/><path d="M0 0"/></svg>"##;

fn chunk(kind: &[u8], data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len()).expect("a chunk").to_be_bytes();
    [&length, kind, data, &[0; 4]].concat()
}

fn png(padding: usize) -> Vec<u8> {
    let head = chunk(b"IHDR", &[0, 0, 0, 8, 0, 0, 0, 8, 8, 6, 0, 0, 0]);
    let parts = [head, chunk(b"IDAT", &vec![7; padding]), chunk(b"IEND", &[])];
    [b"\x89PNG\r\n\x1a\n".to_vec(), parts.concat()].concat()
}

async fn alice(app: &TestApp) -> Someone {
    let alice = someone(app, &app.acme, "alice", &Permission::ALL).await;
    let (ws, id) = (&app.acme.workspace, &app.acme.integration);
    let owner = Principal::User(alice.user.id.clone());
    app.change(async |to| to.conn.set_integration_owner(ws, id, Some(&owner)).await).await;
    alice
}

async fn put(app: &TestApp, who: &Someone, kind: &str, body: impl Into<Bytes>) -> Answer {
    send(app, &who.token, Method::PUT, ICON, kind, body.into()).await
}

fn form(fields: &[(&str, &[u8])]) -> (String, Vec<u8>) {
    let mut body = Vec::new();
    for (name, value) in fields {
        let head = format!(
            "--XX\r\ncontent-disposition: form-data; name=\"{name}\"; filename=\"x.html\"\r\n\
                            content-type: text/html\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(value);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--XX--\r\n");
    ("multipart/form-data; boundary=XX".to_owned(), body)
}

fn assert_harmless(answer: &Answer, kind: &str) {
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    assert_eq!(answer.header("content-type"), Some(kind));
    assert_eq!(answer.header("content-security-policy"), Some(POLICY));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
}

#[tokio::test]
async fn an_icon_comes_back_as_what_it_is_however_it_was_sent() {
    on_each(async |app| {
        let alice = alice(app).await;
        let id = &app.acme.integration;
        let none = ask(app, &alice.token, Method::GET, ICON, None).await;
        assert_problem(&none, 404, "icon not found");
        assert_eq!(none.header("cache-control"), Some("no-store"));

        let kept = put(app, &alice, "text/html", png(3)).await;
        assert_eq!(kept.status, 200, "{}", kept.text());
        assert_eq!(kept.header("cache-control"), Some("no-store"));
        let (hash, url) = (kept.json(), kept.json()["imageUrl"].as_str().expect("a URL").to_owned());
        assert_eq!(
            hash,
            json!({ "integrationId": id.as_str(), "contentType": "image/png", "size": png(3).len(), "imageUrl": url })
        );
        assert!(url.starts_with(&format!("/api/integrations/{id}/icon?v=")), "{url}");
        let shown = ask(app, &alice.token, Method::GET, &url, None).await;
        assert_harmless(&shown, "image/png");
        assert_eq!(shown.body, png(3));
        assert_eq!(shown.header("cache-control"), Some("private, max-age=300"));
        assert_eq!(shown.header("content-disposition"), Some("inline; filename=\"sandbox.png\""));
        let tag = shown.header("etag").expect("a tag").to_owned();

        for (known, status) in [(tag.clone(), 304), (format!("\"x\", W/{tag}"), 304), ("\"x\"".to_owned(), 200)] {
            let request = http::Request::builder().uri(format!("{}{ICON}", app.origin));
            let request = request.header("authorization", format!("Bearer {}", alice.token));
            let answer = Browser::new().send(request.header("if-none-match", &known), Bytes::new()).await;
            assert_eq!(answer.status, status, "{known}");
            assert_eq!(answer.body.is_empty(), status == 304);
            assert_eq!(answer.header("etag"), Some(tag.as_str()));
        }

        let (kind, body) = form(&[("file", SVG.as_bytes())]);
        let kept = send(app, &alice.token, Method::POST, ICON, &kind, body.into()).await;
        assert_eq!(kept.status, 200, "{}", kept.text());
        assert_ne!(kept.json()["imageUrl"], url.as_str());
        let shown = ask(app, &alice.token, Method::GET, ICON, None).await;
        assert_harmless(&shown, "image/svg+xml");
        assert!(shown.text().contains("M0 0") && !shown.text().contains("evil"), "{}", shown.text());
        assert_eq!(shown.header("content-disposition"), Some("inline; filename=\"sandbox.svg\""));
        assert_ne!(shown.header("etag"), Some(tag.as_str()));

        let gone = ask(app, &alice.token, Method::DELETE, ICON, None).await;
        assert_eq!(gone.status, 204);
        for method in [Method::GET, Method::DELETE] {
            assert_problem(&ask(app, &alice.token, method, ICON, None).await, 404, "icon not found");
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_no_icon_is_refused_and_leaves_the_one_that_is_there() {
    on_each(async |app| {
        let alice = alice(app).await;
        assert_eq!(put(app, &alice, "image/png", png(3)).await.status, 200);
        let most = 256 * 1024;
        let whole = most - png(0).len();
        assert_eq!(put(app, &alice, "image/png", png(whole)).await.status, 200, "as much as there may be");
        let (kind, body) = form(&[("file", &png(whole))]);
        assert_eq!(put(app, &alice, &kind, body).await.status, 200, "also in a form");
        for much in [whole + 1, most + 100_000] {
            assert_problem(&put(app, &alice, "image/png", png(much)).await, 413, "too large");
            let (kind, body) = form(&[("file", &png(much))]);
            assert_problem(&put(app, &alice, &kind, body).await, 413, "too large");
        }
        for wrong in ["", "<html><script>evil()</script></html>", "GIF89a", "<svg>", "\u{89}PNG"] {
            assert_problem(&put(app, &alice, "image/svg+xml", wrong).await, 400, "file");
        }
        let good = png(3);
        for fields in [&[][..], &[("icon", &good[..])], &[("file", &good), ("file", &good)]] {
            let (kind, body) = form(fields);
            assert_problem(&put(app, &alice, &kind, body).await, 400, "file");
        }
        let (kind, body) = form(&[("file", &good)]);
        assert_problem(&put(app, &alice, &kind, body[..40].to_vec()).await, 400, "");
        assert_problem(&put(app, &alice, "multipart/form-data", body).await, 400, "");
        let shown = ask(app, &alice.token, Method::GET, ICON, None).await;
        assert_eq!(shown.body, png(whole));
    })
    .await;
}

#[tokio::test]
async fn every_provider_has_an_icon_that_the_registry_names() {
    on_each(async |app| {
        let bob = someone(app, &app.acme, "bob", &[]).await;
        let path = "/api/integration-icon-registry";
        assert_problem(&ask(app, "", Method::GET, path, None).await, 401, "");
        let all = ask(app, &bob.token, Method::GET, path, None).await.json();
        let all = all.as_array().expect("a bare array");
        assert_eq!(all.len(), app.broker.catalog.iter().count());
        for entry in all {
            let aliases = entry["aliases"].as_array().expect("aliases");
            let lower = |alias: &serde_json::Value| alias.as_str().is_some_and(|a| a == a.to_lowercase());
            assert!(!aliases.is_empty() && aliases.iter().all(lower), "{entry}");
            assert!(aliases.contains(&json!(entry["name"].as_str().expect("a name").to_lowercase())), "{entry}");
        }
        let github = all.iter().find(|entry| entry["name"] == "GitHub").expect("GitHub");
        assert_eq!(github, &json!({ "name": "GitHub", "aliases": ["github"], "imageUrl": "/images/icons/integrations/github.svg" }));
        for entry in all {
            // A page shows it before anybody signed in.
            let url = format!("{}{}", app.origin, entry["imageUrl"].as_str().expect("a URL"));
            let icon = Browser::new().get(&url).await;
            assert_harmless(&icon, "image/svg+xml");
            assert_eq!(icon.header("cache-control"), Some("public, max-age=86400"));
            assert!(icon.text().starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""), "{}", icon.text());
        }
        for wrong in ["none.svg", "github", "github.png", "..%2fgithub.svg", "%3Cscript%3E.svg"] {
            let missing = Browser::new().get(&format!("{}/images/icons/integrations/{wrong}", app.origin)).await;
            assert_eq!(missing.status, 404, "{wrong}");
        }
    })
    .await;
}
