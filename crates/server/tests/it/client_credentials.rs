//! OAuth 2 client credentials (RFC 6749 §4.4): a client that somebody types in, and the integration's own, with which
//! nobody is asked for anything. A token is fetched, and fetched again.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{body::Body, response::Response};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use claviger_engine::{
    domain::{
        connection::Status,
        event::EventKind,
        integration::Config,
        share::{Level, Principal},
        workspace::Completion,
    },
    id::IntegrationId,
    secret::Secret,
    setup::NewIntegration,
};
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use crate::{
    informer::{Someone, ask, assert_problem, someone},
    support::{
        Answer, Browser, CB, Options, TestApp, Upstream,
        app::new_integration,
        decode, names, on_each_with,
        upstream::{Head, json as says, say},
        value,
    },
};

const CLIENT: &str = "machine:1";
const SECRET: &str = "canary+machine/secret";

/// A provider that gives numbered tokens to one client, for an hour.
struct Machines {
    up: Upstream,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// The forms of its token requests, those that it refused too.
    forms: Vec<Vec<(String, String)>>,
    given: usize,
    /// No expiry is told.
    silent: bool,
    /// The client is not known any more.
    closed: bool,
    /// What the API answers 401 to.
    refused: Vec<String>,
    /// What the call that shows whether a token works answers.
    check: u16,
}

impl Machines {
    async fn start() -> Self {
        let state = Arc::new(Mutex::new(State { check: 200, ..State::default() }));
        let held = state.clone();
        let up = Upstream::whole(move |head: Head, body: Body| {
            let state = held.clone();
            async move {
                let body = body.collect().await.expect("a whole body").to_bytes();
                answer(&mut state.lock().unwrap(), &head, &body)
            }
        });
        Self { up: up.await, state }
    }

    fn fetches(&self) -> usize {
        self.state.lock().unwrap().forms.len()
    }

    fn used(&self) -> Vec<String> {
        let calls = self.up.calls();
        calls
            .iter()
            .filter(|head| !head.target.ends_with("/check"))
            .map(|head| head.all("authorization")[0].to_owned())
            .collect()
    }
}

fn answer(state: &mut State, head: &Head, body: &[u8]) -> Response {
    match head.target.as_str() {
        "/token" => {
            state.forms.push(decode(std::str::from_utf8(body).expect("a form")));
            let known = format!("Basic {}", BASE64_STANDARD.encode("machine%3A1:canary%2Bmachine%2Fsecret"));
            if state.closed || head.all("authorization") != [known] {
                let shown = head.all("authorization")[0].trim_start_matches("Basic ").to_owned();
                let shown = String::from_utf8(BASE64_STANDARD.decode(shown).expect("Base64")).expect("text");
                let said = json!({ "error": "invalid_client", "error_description": format!("not {shown}") });
                return say(401, &[("content-type", "application/json")], said.to_string());
            }
            state.given += 1;
            let token = format!("canary-fetched-{}", state.given);
            let mut tokens = json!({ "access_token": token, "token_type": "Bearer", "expires_in": 3600 });
            if state.silent {
                tokens.as_object_mut().expect("an object").remove("expires_in");
            }
            says(&tokens.to_string())
        }
        "/api/check" => {
            say(state.check, &[("content-type", "application/json")], r#"{"message":"no such tenant"}"#)
        }
        _ => {
            let token = head.all("authorization")[0].to_owned();
            say(if state.refused.contains(&token) { 401 } else { 200 }, &[("x-echo", &token)], "ok")
        }
    }
}

/// Two providers: one whose client is typed in, one whose client is the integration's.
fn providers() -> Options {
    let file = |key: &str, more: &str| {
        format!(
            "key = \"{key}\"\nname = \"Machines\"\n[oauth2]\ngrant = \"client_credentials\"\nclient_auth = \"basic\"\n\
             {more}[oauth2.scopes]\ndefault = [\"read\", \"write\"]\n[oauth2.endpoints]\nsource = \"integration\"\n\
             [[verify.calls]]\nurl = \"/check\"\n"
        )
    };
    Options {
        providers: vec![
            ("typed.toml", file("typed", "client = \"connection\"\n")),
            ("own.toml", file("own", "")),
        ],
        ..Options::default()
    }
}

fn wish(provider: &str, at: &Machines) -> NewIntegration {
    let config = Config {
        token_url: Some(format!("{}/token", at.up.origin)),
        base_url: Some(format!("{}/api", at.up.origin)),
        ..Config::default()
    };
    let own = provider == "own";
    NewIntegration {
        client_id: own.then(|| CLIENT.to_owned()),
        client_secret: own.then(|| Secret::new(SECRET)),
        ..new_integration("it", provider, config)
    }
}

async fn share(app: &TestApp, id: &IntegrationId, name: &str) -> Someone {
    let one = someone(app, &app.acme, name, &[]).await;
    let (ws, to) = (&app.acme.workspace, Principal::User(one.user.id.clone()));
    app.change(async |change| change.conn.set_share(ws, id, &to, Level::Use).await.map(drop)).await;
    one
}

fn url(app: &TestApp) -> String {
    app.authorize_url(&app.acme, &[("integration_id", "it"), ("external_id", "u"), ("state", "s")])
}

fn typed<'a>(id: &'a str, secret: &'a str) -> Vec<(&'static str, &'a str)> {
    vec![("decision", "continue"), ("credential-client_id", id), ("credential-client_secret", secret)]
}

#[track_caller]
fn connected(done: &Answer) -> String {
    let (target, pairs) = done.redirect();
    assert_eq!((target.as_str(), value(&pairs, "state")), (CB, "s"));
    value(&pairs, "connection_id").to_owned()
}

/// A connection with the typed client, made in a browser.
async fn connect(app: &TestApp) -> String {
    let browser = Browser::new();
    let page = format!("{}{}", app.origin, browser.get(&url(app)).await.location());
    connected(&browser.submit(&page, &typed(CLIENT, SECRET)).await)
}

async fn bring(app: &TestApp, who: &Someone, body: &Value) -> Answer {
    ask(app, &who.token, Method::POST, "/api/integrations/it/connect", Some(body)).await
}

#[tokio::test]
async fn a_client_is_typed_in_and_tried_by_a_token_for_it() {
    on_each_with(providers, async |app| {
        let at = Machines::start().await;
        app.integrate_as(&app.acme, wish("typed", &at)).await;
        let browser = Browser::new();
        let page = format!("{}{}", app.origin, browser.get(&url(app)).await.location());
        let shown = browser.get(&page).await;
        for words in [">Client ID</label>", ">Client secret</label>", ">Connect</button>"] {
            assert!(shown.text().contains(words), "{words}: {}", shown.text());
        }
        let wrong = browser.submit(&page, &typed(CLIENT, "canary-wrong")).await;
        assert_eq!(wrong.status, 422);
        let text = wrong.text();
        assert!(
            text.contains("id=\"error-credential-client_secret\"") && text.contains("invalid_client"),
            "{text}"
        );
        assert!(text.contains(CLIENT) && !text.contains("canary"), "{text}");
        // The token works at the token endpoint alone: the file's call says otherwise.
        at.state.lock().unwrap().check = 401;
        let refused = browser.submit(&page, &typed(CLIENT, SECRET)).await;
        assert_eq!(refused.status, 422);
        assert!(
            refused.text().contains("no such tenant") && !refused.text().contains("canary"),
            "{}",
            refused.text()
        );
        app.assert_nothing_connected(&app.acme).await;

        at.state.lock().unwrap().check = 200;
        let id = connected(&browser.submit(&page, &typed(CLIENT, SECRET)).await);
        let made = app.connection(&app.acme, &id).await;
        assert_eq!(made.expires_at, Some(app.broker.clock.now().plus(Duration::from_secs(3600))));
        let form = at.state.lock().unwrap().forms.last().cloned().unwrap();
        assert_eq!(names(&form), ["grant_type", "scope"], "{form:?}");
        assert_eq!((value(&form, "grant_type"), value(&form, "scope")), ("client_credentials", "read write"));
        let got = app.call(&app.acme.key, &id, "/x").await;
        assert_eq!((got.status, got.header("x-echo")), (StatusCode::OK, None));
        assert_eq!(at.used(), ["Bearer canary-fetched-2"]);
    })
    .await;
}

#[tokio::test]
async fn a_token_is_fetched_again_when_it_ends_and_when_it_is_refused() {
    on_each_with(providers, async |app| {
        let at = Machines::start().await;
        app.integrate_as(&app.acme, wish("typed", &at)).await;
        let id = connect(app).await;
        let call = async || app.call(&app.acme.key, &id, "/x").await.status;
        assert_eq!(call().await, 200);
        app.pass(Duration::from_secs(3600));
        let (one, two) = tokio::join!(call(), call());
        assert_eq!((one, two, at.fetches()), (StatusCode::OK, StatusCode::OK, 2), "one fetch for both");
        // Ended before its time: one more fetch, and the call is made again.
        at.state.lock().unwrap().refused.push("Bearer canary-fetched-2".to_owned());
        assert_eq!(call().await, 401, "a fresh token is not to blame");
        app.pass(Duration::from_secs(61));
        assert_eq!((call().await, at.fetches()), (StatusCode::OK, 3));
        // An expiry that is not told any more is taken to be as far off as the last one that was.
        at.state.lock().unwrap().silent = true;
        app.pass(Duration::from_secs(3600));
        assert_eq!((call().await, at.fetches()), (StatusCode::OK, 4));
        assert!(app.connection(&app.acme, &id).await.expires_at.is_some());
        app.pass(Duration::from_secs(3600));
        assert_eq!((call().await, at.fetches()), (StatusCode::OK, 5));
        // A client that is gone is its owner's to give anew.
        at.state.lock().unwrap().closed = true;
        at.state.lock().unwrap().refused.push("Bearer canary-fetched-5".to_owned());
        app.pass(Duration::from_secs(61));
        app.call(&app.acme.key, &id, "/x").await.assert_problem(401, "connection_refresh_failed");
        let now = app.connection(&app.acme, &id).await;
        assert_eq!(now.status, Status::NeedsReauth);
        assert!(
            now.status_reason.is_some_and(|why| why.contains("invalid_client") && !why.contains("canary"))
        );
        assert_eq!(app.events(&app.acme).await[0].kind, EventKind::ConnectionExpired);
    })
    .await;
}

#[tokio::test]
async fn with_the_integrations_client_nobody_is_asked() {
    on_each_with(providers, async |app| {
        let at = Machines::start().await;
        app.integrate_as(&app.acme, wish("own", &at)).await;
        let done = Browser::new().get(&url(app)).await;
        assert_eq!(done.status, 302);
        let id = connected(&done);
        assert_eq!(app.connection(&app.acme, &id).await.owner.key.as_deref(), Some("u"));
        assert_eq!(app.call(&app.acme.key, &id, "/x").await.status, 200);

        app.complete(&app.acme, Completion::Confirm).await;
        let browser = Browser::new();
        let page = format!("{}{}", app.origin, browser.get(&url(app)).await.location());
        let shown = browser.get(&page).await;
        assert!(shown.text().contains("id=\"owner\">u<") && shown.text().contains(">Connect</button>"));
        let fetched = at.fetches();
        let (one, two) = tokio::join!(
            browser.submit(&page, &[("decision", "continue")]),
            browser.submit(&page, &[("decision", "continue")])
        );
        assert_eq!((connected(&one), at.fetches() > fetched), (connected(&two), true));
        assert_eq!(app.connections(&app.acme).await.len(), 2);

        app.complete(&app.acme, Completion::Server).await;
        let done = Browser::new().get(&url(app)).await;
        let (_, pairs) = done.redirect();
        assert_eq!(names(&pairs), ["code", "state"]);
        assert_eq!(app.connections(&app.acme).await.len(), 2);
        let body = json!({ "code": value(&pairs, "code"), "redirect_uri": CB, "external_id": "u" });
        assert_eq!(app.exchange(&app.acme.key, &body).await.status, 200);
        assert_eq!(app.connections(&app.acme).await.len(), 3);
    })
    .await;
}

#[tokio::test]
async fn an_integration_that_is_refused_connects_nobody_and_ends_nothing() {
    on_each_with(providers, async |app| {
        let at = Machines::start().await;
        let own = app.integrate_as(&app.acme, wish("own", &at)).await;
        let id = connected(&Browser::new().get(&url(app)).await);
        at.state.lock().unwrap().closed = true;
        let done = Browser::new().get(&url(app)).await;
        let (target, pairs) = done.redirect();
        assert_eq!(
            (target.as_str(), value(&pairs, "error"), value(&pairs, "state")),
            (CB, "server_error", "s")
        );
        assert!(!done.location().contains("canary"), "{}", done.location());
        app.complete(&app.acme, Completion::Confirm).await;
        let browser = Browser::new();
        let page = format!("{}{}", app.origin, browser.get(&url(app)).await.location());
        let done = browser.submit(&page, &[("decision", "continue")]).await;
        assert_eq!(value(&done.redirect().1, "error"), "server_error");
        browser.get(&page).await.assert_page(400, "used already");
        let alice = share(app, &own, "alice").await;
        let refused = bring(app, &alice, &json!({})).await;
        assert_problem(&refused, 409, "check the client");
        assert!(!refused.text().contains("canary"), "{}", refused.text());
        assert_eq!(app.connections(&app.acme).await.len(), 1);
        // Its operator's to mend: the connection waits.
        app.pass(Duration::from_secs(3601));
        assert_eq!(app.call(&app.acme.key, &id, "/x").await.status, 401);
        assert_eq!(app.connection(&app.acme, &id).await.status, Status::Active);
    })
    .await;
}

#[tokio::test]
async fn users_bring_a_client_or_nothing() {
    on_each_with(providers, async |app| {
        let at = Machines::start().await;
        let id = app.integrate_as(&app.acme, wish("typed", &at)).await;
        let alice = share(app, &id, "alice").await;
        for (body, words) in [
            (json!({}), "body: Brings nothing; this integration takes: Client ID, Client secret"),
            (json!({ "clientId": CLIENT }), "clientSecret: Is missing"),
            (
                json!({ "clientId": CLIENT, "clientSecret": "canary-wrong" }),
                "clientSecret: The provider does not accept it",
            ),
            (json!({ "apiKey": "canary" }), "apiKey: This integration takes no such thing, but: Client ID"),
            (json!({ "code": "canary" }), "code: This integration takes no such thing"),
            (json!({ "fields": { "region": "x" } }), "fields: This integration takes no such thing"),
        ] {
            let refused = bring(app, &alice, &body).await;
            assert_problem(&refused, 400, words);
            assert!(!refused.text().contains("canary"), "{}", refused.text());
        }
        app.assert_nothing_connected(&app.acme).await;
        for body in [
            json!({ "clientId": CLIENT, "clientSecret": SECRET }),
            json!({ "fields": { "client_id": CLIENT, "client_secret": SECRET } }),
        ] {
            let made = bring(app, &alice, &body).await;
            assert_eq!(made.status, 201, "{}", made.text());
        }
        assert_eq!(app.connections(&app.acme).await.len(), 1, "the second time it is authorized anew");
        let got = ask(app, &alice.token, Method::GET, "/api/integrations/it/request/x", None).await;
        assert_eq!(got.status, 200);

        let own = app.integrate_as(&app.acme, NewIntegration { key: "own".into(), ..wish("own", &at) }).await;
        let bob = share(app, &own, "bob").await;
        let path = "/api/integrations/own/connect";
        let refused = ask(app, &bob.token, Method::POST, path, Some(&json!({ "apiKey": "k" }))).await;
        assert_problem(&refused, 400, "takes no such thing, but nothing");
        let made = ask(app, &bob.token, Method::POST, path, Some(&json!({}))).await;
        assert_eq!(made.status, 201, "{}", made.text());
        let browser = Browser::new();
        let request = browser.request(Method::GET, &format!("{}{path}", app.origin));
        let request = request.header("authorization", format!("Bearer {}", bob.token));
        let done = browser.send(request, Bytes::new()).await;
        assert!(done.status == 302 && !done.location().contains(&at.up.origin), "{:?}", done.headers);
        let shown = ask(app, &bob.token, Method::GET, "/api/integrations/own", None).await.json();
        assert_eq!((&shown["authType"], &shown["callbackUri"]), (&json!("client-credentials"), &Value::Null));
    })
    .await;
}
