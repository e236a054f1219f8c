//! Pushed authorization requests (RFC 9126): what a browser would carry is sent to the provider first; the browser carries
//! a reference.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use claviger_engine::domain::integration::Config;
use serde_json::{Value, json};

use crate::support::{
    Answer, Browser, CB, Reply, Stub, TestApp,
    app::{at, new_integration},
    decode, names, on_each, value,
};

const PUSHED: &str = r#"{"request_uri":"urn:example:pushed:1","expires_in":60}"#;

async fn provider() -> Stub {
    let stub = Stub::start().await;
    stub.reply("/par", Reply::Say(201, "application/json", PUSHED.to_owned()));
    stub
}

/// An integration `it` with hand-entered endpoints.
async fn integrate(app: &TestApp, stub: &Stub, edit: impl FnOnce(&mut Config)) {
    let mut config = Config { par_url: Some(format!("{}/par", stub.origin)), ..at(&stub.origin) };
    edit(&mut config);
    app.integrate_as(&app.acme, new_integration("it", "oauth2", config)).await;
}

async fn begin(app: &TestApp, browser: &Browser) -> Answer {
    let wish = [("integration_id", "it"), ("external_id", "u"), ("state", "s")];
    browser.get(&app.authorize_url(&app.acme, &wish)).await
}

fn pushed(stub: &Stub) -> Vec<Vec<(String, String)>> {
    let seen = stub.seen().into_iter().filter(|seen| seen.path == "/par");
    seen.map(|seen| decode(std::str::from_utf8(&seen.body).expect("a form"))).collect()
}

/// The browser is back with what the provider was pushed.
async fn back(browser: &Browser, sent: &[(String, String)]) -> Answer {
    let query = crate::support::encode(&[("code", "c"), ("state", value(sent, "state"))]);
    browser.get(&format!("{}?{query}", value(sent, "redirect_uri"))).await
}

#[tokio::test]
async fn the_browser_carries_a_reference_and_nothing_else() {
    on_each(async |app| {
        let (stub, browser) = (provider().await, Browser::new());
        integrate(app, &stub, |config| {
            config.par = Some(true);
            config.authorize_params.insert("prompt".into(), "login".into());
        })
        .await;
        let away = begin(app, &browser).await;
        let (target, pairs) = away.redirect();
        assert_eq!(target, format!("{}/authorize", stub.origin));
        assert_eq!(names(&pairs), ["client_id", "request_uri"]);
        assert_eq!(value(&pairs, "request_uri"), "urn:example:pushed:1");
        let sent = pushed(&stub).remove(0);
        for name in ["response_type", "client_id", "redirect_uri", "state", "code_challenge", "prompt"] {
            assert!(!value(&sent, name).is_empty(), "{name}");
        }
        assert_eq!(value(&sent, "client_id"), value(&pairs, "client_id"));
        let auth = stub.seen()[0].headers["authorization"].to_str().expect("text").to_owned();
        assert!(auth.starts_with("Basic "), "the client authenticates: {auth}");

        let done = back(&browser, &sent).await;
        assert_eq!(done.redirect().0, CB);
        let exchanged = stub.seen().into_iter().find(|seen| seen.path == "/token").expect("an exchange");
        let exchanged = decode(std::str::from_utf8(&exchanged.body).expect("a form"));
        let verifier = value(&exchanged, "code_verifier").as_bytes();
        let challenge =
            BASE64_URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier));
        assert_eq!(challenge, value(&sent, "code_challenge"));
        assert_eq!(app.connections(&app.acme).await.len(), 1);

        // Every flow pushes anew.
        begin(app, &browser).await;
        let all = pushed(&stub);
        assert_ne!(value(&all[0], "state"), value(&all[1], "state"));
    })
    .await;
}

#[tokio::test]
async fn nothing_is_pushed_where_nobody_asks_for_it() {
    on_each(async |app| {
        let (stub, browser) = (provider().await, Browser::new());
        integrate(app, &stub, |_| {}).await;
        let (_, pairs) = begin(app, &browser).await.redirect();
        assert!(names(&pairs).contains(&"redirect_uri") && stub.seen().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_provider_can_require_it() {
    on_each(async |app| {
        for (required, here) in [(true, true), (false, true), (true, false)] {
            let (stub, browser) = (provider().await, Browser::new());
            let mut metadata = json!({
                "issuer": stub.origin,
                "authorization_endpoint": format!("{}/authorize", stub.origin),
                "token_endpoint": format!("{}/token", stub.origin),
                "userinfo_endpoint": format!("{}/userinfo", stub.origin),
                "require_pushed_authorization_requests": required,
            });
            if here {
                metadata["pushed_authorization_request_endpoint"] = json!(format!("{}/par", stub.origin));
            }
            stub.reply("/.well-known/oauth-authorization-server", Reply::json(&metadata.to_string()));
            let config = Config { issuer: Some(stub.origin.clone()), ..Config::default() };
            let key = format!("it-{required}-{here}");
            app.integrate_as(&app.acme, new_integration(&key, "oidc", config)).await;
            let wish = [("integration_id", key.as_str()), ("external_id", "u")];
            let away = browser.get(&app.authorize_url(&app.acme, &wish)).await;
            let (target, pairs) = away.redirect();
            if !here {
                assert_eq!((target.as_str(), value(&pairs, "error")), (CB, "server_error"));
                continue;
            }
            assert_eq!(names(&pairs) == ["client_id", "request_uri"], required);
            assert_eq!(pushed(&stub).len(), usize::from(required));
            let sent = if required { pushed(&stub).remove(0) } else { pairs };
            assert!(back(&browser, &sent).await.location().contains("connection_id="));
        }
    })
    .await;
}

#[tokio::test]
async fn without_a_reference_the_flow_does_not_begin() {
    on_each(async |app| {
        let (stub, browser) = (provider().await, Browser::new());
        integrate(app, &stub, |config| config.par = Some(true)).await;
        let json = |value: Value| Reply::Say(201, "application/json", value.to_string());
        for reply in [
            Reply::oauth_error(400, "invalid_request"),
            Reply::oauth_error(401, "invalid_client"),
            Reply::Say(503, "text/plain", String::new()),
            Reply::Break,
            Reply::Huge(1024 * 1024),
            Reply::Redirect(302, "https://evil.test/".to_owned()),
            json(json!({ "expires_in": 60 })),
            json(json!({ "request_uri": "urn:x:1" })),
            json(json!({ "request_uri": "urn:x:1", "expires_in": 0 })),
            json(json!({ "request_uri": "", "expires_in": 60 })),
        ] {
            stub.reply("/par", reply);
            let (target, pairs) = begin(app, &browser).await.redirect();
            assert_eq!(target, CB);
            assert_eq!((value(&pairs, "error"), value(&pairs, "state")), ("temporarily_unavailable", "s"));
        }
        assert_eq!(stub.token_requests(), 0);
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}
