//! A product's front end: it sends browsers to `/connection-popup` with a token of its product, as its SDKs do.

use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use claviger_engine::{
    connect,
    domain::{
        audit::Actor,
        connection::{Connection, Owner, OwnerKind},
        integration::Config,
    },
    setup::NewIntegration,
};
use http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};

use super::customer;
use crate::support::{
    Answer, Browser, CB, Leg, Options, TestApp, Upstream, app::new_integration, encode, names,
    upstream::Head, value,
};

/// A key that the keyed provider takes, and one that it does not.
pub const KEY: &str = "canary-key-4711";
pub const WRONG_KEY: &str = "canary-key-0000";
/// An id by which somebody listens.
pub const REQUEST: &str = "abcdefghij0123456789xy";

/// A provider whose key is typed in, and one that has to be told a subdomain too.
pub fn providers() -> Options {
    let file = |key: &str, inputs: &str| {
        format!(
            "key = \"{key}\"\nname = \"Keyed\"\n{inputs}\n[api_key.key]\npattern = \"^canary-key-[0-9]{{4}}$\"\n\
             [api]\nbase_url = \"https://keyed.test/api\"\nplace = {{ header = \"X-Api-Key\" }}\n\
             [[verify.calls]]\nurl = \"/check\"\n"
        )
    };
    let inputs = "[[inputs]]\nkey = \"sub_domain\"\ntitle = \"Subdomain\"\npattern = \"^[a-z]{1,20}$\"\n";
    Options {
        providers: vec![("keyed.toml", file("keyed", "")), ("asking.toml", file("asking", inputs))],
        ..Options::default()
    }
}

/// A provider that takes [`KEY`].
pub async fn provider() -> Upstream {
    Upstream::whole(|head: Head, _| async move { taken(&head) }).await
}

fn taken(head: &Head) -> Response {
    match head.all("x-api-key") {
        keys if keys == [KEY] => axum::Json(json!({ "ok": true })).into_response(),
        keys => {
            let said = json!({ "message": format!("no: {keys:?}") });
            (StatusCode::UNAUTHORIZED, axum::Json(said)).into_response()
        }
    }
}

/// An integration at one of them, with this key.
pub async fn keyed(app: &TestApp, key: &str, provider: &str, at: &Upstream) {
    let config = Config { base_url: Some(format!("{}/api", at.origin)), ..Config::default() };
    let input =
        NewIntegration { client_id: None, client_secret: None, ..new_integration(key, provider, config) };
    app.integrate_as(&app.acme, input).await;
}

/// The front end of the first tenant's product, for one of its customers.
pub struct Front<'a> {
    pub app: &'a TestApp,
    pub key: String,
    pub token: String,
}

impl<'a> Front<'a> {
    pub async fn new(app: &'a TestApp, key: &str) -> Self {
        Self { app, key: key.to_owned(), token: customer(app, &app.acme, key).await }
    }

    /// The same with another token.
    pub fn with(&self, token: &str) -> Self {
        Self { app: self.app, key: self.key.clone(), token: token.to_owned() }
    }

    /// `/connection-popup` to the sandbox integration and back to the product; `extra` replaces or adds parameters, an
    /// empty value removes.
    pub fn url(&self, extra: &[(&str, &str)]) -> String {
        let mut pairs =
            vec![("token", self.token.as_str()), ("integrationKey", "sandbox"), ("redirectUri", CB)];
        for (name, value) in extra {
            pairs.retain(|(known, _)| known != name);
            pairs.push((name, value));
        }
        pairs.retain(|(_, value)| !value.is_empty());
        format!("{}/connection-popup?{}", self.app.origin, encode(&pairs))
    }

    /// A page that is left for it.
    pub async fn open(&self, browser: &Browser, extra: &[(&str, &str)]) -> Answer {
        browser.get(&self.url(extra)).await
    }

    /// The payload that a form sends.
    pub fn payload(&self, extra: Value) -> Value {
        let mut all = json!({ "token": self.token, "integrationKey": "sandbox", "redirectUri": CB });
        let Value::Object(extra) = extra else { panic!("parameters are an object") };
        for (name, value) in extra {
            all[name] = value;
        }
        all.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
        all
    }

    /// A form on a page of the product's own site is submitted: our cookies don't come along.
    pub async fn submit(&self, browser: &Browser, extra: Value) -> Answer {
        self.submit_with(browser, "/connection-popup", &self.payload(extra), &[]).await
    }

    /// The same with any payload, to any path, with headers besides.
    pub async fn submit_with(
        &self,
        browser: &Browser,
        path: &str,
        payload: &Value,
        headers: &[(&str, &str)],
    ) -> Answer {
        let request = Request::builder().method(Method::POST).uri(format!("{}{path}", self.app.origin));
        let request = request.header("sec-fetch-site", "cross-site");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        browser.form(request, &[("payload", &payload.to_string())]).await
    }

    /// Sends any body.
    pub async fn send(&self, path: &str, kind: &str, body: &str) -> Answer {
        let request = Request::builder().method(Method::POST).uri(format!("{}{path}", self.app.origin));
        let request = request.header(header::CONTENT_TYPE, kind);
        Browser::new().send(request, Bytes::from(body.to_owned())).await
    }

    /// Follows a redirect to a place of ours.
    pub async fn follow(&self, browser: &Browser, answer: &Answer) -> Answer {
        let to = answer.location();
        assert!(to.starts_with('/'), "{to}");
        browser.get(&format!("{}{to}", self.app.origin)).await
    }

    /// A form begins, the browser takes over, and stands before the provider.
    pub async fn set_out(&self, browser: &Browser, extra: Value) -> Leg {
        let began = self.submit(browser, extra).await;
        assert_eq!(began.status, 303, "{}", began.text());
        let answer = self.follow(browser, &began).await;
        assert_eq!(answer.status, 302, "{}", answer.text());
        Leg::of(answer.location())
    }

    /// A whole flow at the sandbox; gives the answer to the callback.
    pub async fn connect(&self, browser: &Browser, account: &str, extra: Value) -> Answer {
        let leg = self.set_out(browser, extra).await;
        let back = browser.consent(&leg, account, "allow").await;
        browser.get(&back).await
    }

    /// The customer's connections, newest first.
    pub async fn connections(&self) -> Vec<Connection> {
        let owner = Owner { kind: OwnerKind::Customer, key: Some(self.key.clone()) };
        let all = self.app.connections(&self.app.acme).await;
        all.into_iter().filter(|connection| connection.owner == owner).collect()
    }
}

/// Ends one of the first tenant's connections.
pub async fn end(app: &TestApp, id: &str) {
    let connection = app.connection(&app.acme, id).await;
    connect::end(&app.broker, &app.acme.workspace, &connection.id, Actor::Cli).await.expect("it ends");
}

/// Asserts that a browser came back to the product with a connection, and gives its id.
#[track_caller]
pub fn connected(answer: &Answer) -> String {
    assert!(answer.status == 302 || answer.status == 303, "{} {}", answer.status, answer.text());
    let (target, pairs) = answer.redirect();
    assert_eq!((target.as_str(), names(&pairs)), (CB, vec!["connectionId"]));
    value(&pairs, "connectionId").to_owned()
}

/// Asserts that a browser came back to the product with an error, and gives its message and its data.
#[track_caller]
pub fn failed(answer: &Answer) -> (String, Value) {
    assert!(answer.status == 302 || answer.status == 303, "{} {}", answer.status, answer.text());
    let (target, pairs) = answer.redirect();
    assert_eq!((target.as_str(), names(&pairs)), (CB, vec!["error", "errorData"]), "{}", answer.location());
    let data: Value = serde_json::from_str(value(&pairs, "errorData")).expect("JSON");
    assert_eq!(data["message"], value(&pairs, "error"));
    assert!(!answer.location().contains("canary"), "{}", answer.location());
    (value(&pairs, "error").to_owned(), data)
}

/// The message that a page posts, and to whom.
#[track_caller]
pub fn posted(page: &Answer) -> (Value, Option<String>) {
    let attribute = |name: &str| {
        let text = page.text().split(&format!("{name}=\"")).nth(1)?.split('"').next()?;
        let named = [
            ("&quot;", "\""),
            ("&#x27;", "'"),
            ("&#x2f;", "/"),
            ("&lt;", "<"),
            ("&gt;", ">"),
            ("&amp;", "&"),
        ];
        Some(named.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to)))
    };
    let message = attribute("data-message").unwrap_or_else(|| panic!("no message: {}", page.text()));
    (serde_json::from_str(&message).expect("JSON"), attribute("data-target"))
}
