//! A provider that says in its own way that a token is over: its file tells how, and the call is made again with a
//! fresh one. Everything else passes as it came.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use claviger_engine::{domain::integration::Config, store::trial};
use http::{Method, Request};

use crate::{
    refresh::mint::Mint,
    support::{
        Browser, Options, TestApp, Upstream, app::new_integration, upstream::Head, upstream::say, value,
    },
};

const HOUR: Duration = Duration::from_secs(3600);
const OVER: &str = r#"{ "ok": false,  "error": "token_expired" }"#;
const OTHER: &str = r#"{ "ok":false , "error":"channel_not_found" }"#;

/// A provider that answers 200 with a code where others answer 401; its API is at `api`, its tokens are the mint's.
fn file(tokens: &str, api: &str) -> String {
    format!(
        r#"
        key = "coded"
        name = "Coded"
        [oauth2.endpoints]
        authorize_url = "{tokens}/authorize"
        token_url = "{tokens}/token"
        [api]
        base_url = "{api}/api"
        [[api.expired]]
        status = 200
        path = "error"
        is = ["token_expired"]
        [[api.expired]]
        status = 403
        header = "www-authenticate"
        is = ["invalid_token"]
        "#
    )
}

/// Runs a story on each database, with a mint and an API of its own.
async fn on_each(story: impl AsyncFn(&TestApp, &Mint, &Upstream)) {
    trial::on_each(async |store| {
        let (mint, api) = (Mint::start().await, api().await);
        let providers = vec![("coded.toml", file(&mint.up.origin, &api.origin))];
        let app = TestApp::start(store, Options { providers, ..Options::default() }).await;
        story(&app, &mint, &api).await;
        app.stop().await;
    })
    .await;
}

/// An API that takes all tokens but the first, and says so in a body, or at `/challenge` in a header.
async fn api() -> Upstream {
    Upstream::whole(|head: Head, body: Body| async move {
        let first = head.all("authorization")[0].ends_with("-1");
        let json = [("content-type", "application/json")];
        match head.target.as_str() {
            "/api/never" => say(200, &json, OVER),
            "/api/other" => say(200, &json, OTHER),
            "/api/challenge" if first => {
                say(403, &[("www-authenticate", "Bearer error=\"invalid_token\"")], "")
            }
            _ if first => say(200, &json, OVER),
            _ => say(200, &json, body),
        }
    })
    .await
}

async fn connected(app: &TestApp) -> String {
    let id = app.integrate_as(&app.acme, new_integration("coded", "coded", Config::default())).await;
    let browser = Browser::new();
    let leg = browser.set_out(app, &app.acme, &[("integration_id", id.as_str())]).await;
    let done = browser.get(&leg.back(&[("code", "c")])).await;
    assert_eq!(done.status, 302, "{}", done.text());
    value(&done.redirect().1, "connection_id").to_owned()
}

fn tokens(api: &Upstream) -> Vec<String> {
    api.calls().iter().map(|call| call.all("authorization")[0].to_owned()).collect()
}

#[tokio::test]
async fn a_code_in_a_success_refreshes_once_and_the_call_is_made_again() {
    on_each(async |app, mint, api| {
        let id = connected(app).await;
        app.pass(HOUR / 2);
        let request = Request::builder().method(Method::POST).uri(format!("{}/things", app.proxy));
        let request = request.header("authorization", format!("Bearer {}", app.acme.key));
        let request = request.header("bu-connection-id", &id).header("accept-encoding", "gzip, br");
        let body = r#"{ "text" : "hello"}"#;
        let answer = Browser::new().send(request, Bytes::from_static(body.as_bytes())).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (200, body), "the call was made again, whole");
        assert_eq!(tokens(api), ["Bearer access-1", "Bearer access-2"]);
        assert_eq!(mint.spent(), ["refresh-1"]);
        assert_eq!(api.calls()[0].all("accept-encoding"), ["identity"], "its body has to be read");
    })
    .await;
}

#[tokio::test]
async fn a_header_tells_it_too() {
    on_each(async |app, mint, _| {
        let id = connected(app).await;
        app.pass(HOUR / 2);
        assert_eq!(app.call(&app.acme.key, &id, "/challenge").await.status, 200);
        assert_eq!(mint.spent(), ["refresh-1"]);
    })
    .await;
}

#[tokio::test]
async fn where_a_refresh_does_not_help_the_answer_stands_and_nothing_more_is_spent() {
    on_each(async |app, mint, _| {
        let id = connected(app).await;
        let young = app.call(&app.acme.key, &id, "/never").await;
        assert_eq!((young.text(), mint.spent().len()), (OVER, 0), "a token just obtained is not to blame");
        app.pass(HOUR / 2);
        for _ in 0..3 {
            let answer = app.call(&app.acme.key, &id, "/never").await;
            assert_eq!((answer.status.as_u16(), answer.text()), (200, OVER), "byte for byte");
            app.pass(Duration::from_secs(61));
        }
        assert_eq!(mint.spent().len(), 1);
        let other = app.call(&app.acme.key, &id, "/other").await;
        assert_eq!(other.text(), OTHER, "byte for byte");
        assert_eq!(mint.spent().len(), 1);
    })
    .await;
}
