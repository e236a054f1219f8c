//! No secret is found where it must not be: not in the database, not in the log, not on a page, not in an error.
//!
//! A whole life is lived in every completion mode, at a provider that repeats in its errors whatever it was shown;
//! then all that was kept, logged and answered is searched for every secret that anybody knew.

mod blabber;
mod customers;
mod managed;
mod sweep;

use std::{
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use claviger_engine::{
    access, connect,
    domain::{
        api_key::Scope, audit::Actor, connection::Status, event::EventKind, webhook::Attempt,
        workspace::Completion,
    },
    error::Error,
    id::{AttemptId, ConnectionId},
    secret::Secret,
    setup::{self, NewApiKey, NewUser, NewWebhook, NewWorkspace},
    store::{Kind, Store, trial},
    vault::KeyRing,
};
use http::{Method, Request};
use serde_json::json;

use self::{
    blabber::Blabber,
    sweep::{Log, Secrets},
};
use crate::support::{
    Answer, Browser, CB, Options, TestApp,
    app::{at, new_integration},
    decode, on_each_with, sandbox, value,
};

/// One story: what is secret in it, and what was answered.
struct Life<'a> {
    app: &'a TestApp,
    secrets: Arc<Secrets>,
    answers: Mutex<Vec<(String, Answer)>>,
    texts: Mutex<Vec<(&'static str, String)>>,
}

impl Life<'_> {
    fn note(&self, place: &str, answer: Answer) -> Answer {
        self.answers.lock().unwrap().push((place.to_owned(), answer.clone()));
        answer
    }

    fn note_error(&self, error: &Error) {
        self.note_text("an error", format!("{error:?} {error:#?} {error}"));
    }

    fn note_text(&self, place: &'static str, text: String) {
        self.texts.lock().unwrap().push((place, text));
    }

    /// To the provider's door; our state and the browser's id are secrets from there on.
    async fn set_out(&self, browser: &Browser, extra: &[(&str, &str)]) -> crate::support::Leg {
        let mut wish = vec![("integration_id", "blabber"), ("state", "theirs")];
        wish.extend_from_slice(extra);
        let leg = browser.set_out(self.app, &self.app.acme, &wish).await;
        self.secrets.add("our state", leg.state());
        let host = self.app.origin.trim_start_matches("http://").split(':').next().unwrap();
        for id in browser.cookies(host).values() {
            self.secrets.add("a browser's id", id);
        }
        leg
    }

    /// The callback with a code that nobody else has.
    async fn back(&self, browser: &Browser, leg: &crate::support::Leg, code: &str) -> Answer {
        self.secrets.add("the provider's code", code);
        let done = browser.get(&leg.back(&[("code", code)])).await;
        for (name, value) in done.headers.get("location").map(query).unwrap_or_default() {
            if name == "code" {
                self.secrets.add("our code", &value);
            }
        }
        self.note("the callback", done)
    }

    async fn call(&self, method: Method, connection: &str, path: &str, key: &str) -> Answer {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.app.proxy));
        let request =
            request.header("authorization", format!("Bearer {key}")).header("bu-connection-id", connection);
        let answer = Browser::new().send(request, Bytes::from_static(b"{}")).await;
        self.note("a proxied call", answer)
    }

    async fn exchange(&self, code: &str, redirect_uri: &str) -> Answer {
        let body = json!({ "code": code, "redirect_uri": redirect_uri, "external_id": "u" });
        self.note("an exchange", self.app.exchange(&self.app.acme.key, &body).await)
    }

    /// All places where something is that should not be.
    async fn sweep(&self, log: &Log) -> Vec<String> {
        let mut found = self.secrets.found_in_store(&self.app.broker.store).await;
        found.extend(self.secrets.found_in("the log", &log.bytes(), &[]));
        for (place, answer) in self.answers.lock().unwrap().iter() {
            found.extend(self.secrets.found_in_answer(place, answer));
        }
        for (place, text) in self.texts.lock().unwrap().iter() {
            found.extend(self.secrets.found_in(place, text.as_bytes(), &[]));
        }
        found.extend(self.secrets.found_in(
            "the metrics",
            self.app.broker.metrics.text().unwrap().as_bytes(),
            &[],
        ));
        found.extend(self.secrets.found_in("a backup", &backup(&self.app.broker.store).await, &[]));
        found.sort();
        found.dedup();
        found
    }
}

/// The bytes of a backup; none of PostgreSQL, which has its own tools.
async fn backup(store: &Store) -> Vec<u8> {
    if store.kind() == Kind::Postgres {
        return Vec::new();
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("backup.db");
    assert!(store.backup(&file).await.unwrap().bytes > 100_000, "there is something in it");
    std::fs::read(file).unwrap()
}

fn query(location: &http::HeaderValue) -> Vec<(String, String)> {
    location.to_str().unwrap().split_once('?').map(|(_, query)| decode(query)).unwrap_or_default()
}

/// Makes everything that has a secret of its own, and notes the secrets.
async fn set_up(app: &TestApp, secrets: &Secrets, blabber: &Blabber) {
    secrets.add("an API key", &app.acme.key);
    secrets.add("the client secret", sandbox::SECRET);
    app.integrate_as(&app.acme, new_integration("blabber", "oauth2", at(&blabber.up.origin))).await;
    let ws = &app.acme.workspace;
    let hook = NewWebhook {
        name: "hook".into(),
        url: "https://hooks.test/in".into(),
        events: vec![EventKind::ConnectionCreated, EventKind::ConnectionExpired],
        format: Default::default(),
        secret: None,
    };
    let made = app.change(async |to| Ok(setup::webhook(to, ws, hook).await?.1)).await;
    secrets.add("a webhook's secret", made.expose());
    let made = app
        .change(async |to| {
            let new = NewWorkspace { name: "Beside".into(), ..NewWorkspace::default() };
            Ok(setup::workspace(to, new).await?.1)
        })
        .await;
    secrets.add("a workspace's JWT secret", made.expose());
    let password = "canary password of a user";
    secrets.add("a password", password);
    let user = NewUser {
        username: "alice".into(),
        display_name: None,
        email: None,
        password: Some(Secret::new(password)),
        superuser: false,
        permissions: Vec::new(),
    };
    app.change(async |to| setup::user(to, ws, user).await).await;
    let key =
        NewApiKey { name: "k".into(), scopes: vec![Scope::ReadOnly], integration_id: None, expires_at: None };
    let made = app.change(async |to| Ok(setup::api_key(to, ws, key).await?.1)).await;
    secrets.add("an API key", made.expose());
}

/// One connection's whole life, with all that can go wrong in it.
async fn live(life: &Life<'_>, blabber: &Blabber, completion: Completion) {
    let app = life.app;
    app.complete(&app.acme, completion).await;
    let tag = format!("{completion:?}");
    let browser = Browser::new();

    // The provider refuses the code; then the wrong browser and a wrong state come by.
    let leg = life.set_out(&browser, &[("external_id", "u")]).await;
    blabber.refuses.store(true, Ordering::SeqCst);
    let refused = life.back(&browser, &leg, &format!("canary_code_refused_{tag}")).await;
    if completion == Completion::Server {
        let code = value(&refused.redirect().1, "code").to_owned();
        life.exchange(&code, CB).await.assert_problem(502, "upstream_refused");
    }
    blabber.refuses.store(false, Ordering::SeqCst);
    let leg = life.set_out(&browser, &[("external_id", "u")]).await;
    life.back(&Browser::new(), &leg, &format!("canary_code_stolen_{tag}")).await;
    life.note(
        "a denial",
        browser.get(&leg.back(&[("error", "access_denied"), ("code", "canary_code_beside_it")])).await,
    );
    life.note(
        "no state",
        browser.get(&format!("{}?state=none&code=canary_code_alone_here", leg.redirect_uri())).await,
    );

    // It works, twice the same callback; wrong and right exchanges.
    let leg = life.set_out(&browser, &[("external_id", "u")]).await;
    let code = format!("canary_code_used_{tag}");
    let done = life.back(&browser, &leg, &code).await;
    life.back(&browser, &leg, &code).await;
    life.back(&browser, &leg, &format!("canary_code_other_{tag}")).await;
    let ours = value(&done.redirect().1, "code").to_owned();
    let exchanged = life.exchange(&ours, CB).await;
    assert_eq!(exchanged.status, 200, "{tag}: {}", exchanged.text());
    life.exchange(&ours, CB).await;
    life.exchange(&ours, "https://elsewhere.test/").await;
    let id = match completion {
        Completion::Server => exchanged.json()["connection_id"].as_str().unwrap().to_owned(),
        _ => value(&done.redirect().1, "connection_id").to_owned(),
    };

    // Calls, good and bad; a provider that repeats the token when it refuses it.
    assert_eq!(
        life.call(Method::POST, &id, "/x?secret=canary_query_of_a_call", &app.acme.key).await.status,
        200
    );
    life.secrets.add("a call's query", "canary_query_of_a_call");
    life.call(Method::GET, &id, "/../x", &app.acme.key).await.assert_problem(400, "target_not_allowed");
    let wrong = format!("{}x", app.acme.key);
    life.call(Method::GET, &id, "/x", &wrong).await.assert_problem(401, "unauthorized");
    blabber.locked.store(true, Ordering::SeqCst);
    assert_eq!(life.call(Method::GET, &id, "/x", &app.acme.key).await.status, 401);
    app.pass(Duration::from_secs(61));
    assert_eq!(
        life.call(Method::GET, &id, "/x", &app.acme.key).await.status,
        401,
        "refreshed, and refused again"
    );
    blabber.locked.store(false, Ordering::SeqCst);

    // Refreshes: one that works, one that fails for now, one that is refused for good.
    app.pass(Duration::from_secs(3600));
    assert_eq!(life.call(Method::GET, &id, "/x", &app.acme.key).await.status, 200);
    app.pass(Duration::from_secs(3600));
    blabber.refuses.store(true, Ordering::SeqCst);
    *blabber.error.lock().unwrap() = "temporarily_unavailable";
    let failed = life.call(Method::GET, &id, "/x", &app.acme.key).await;
    assert_eq!(failed.status, 502, "{}", failed.text());
    *blabber.error.lock().unwrap() = "invalid_grant";
    app.pass(Duration::from_secs(2));
    life.call(Method::GET, &id, "/x", &app.acme.key).await.assert_problem(401, "connection_refresh_failed");
    assert_eq!(app.connection(&app.acme, &id).await.status, Status::NeedsReauth);

    // The end, with a provider that repeats the token that it would not revoke.
    let ended = ConnectionId::parse(&id).unwrap();
    connect::end(&app.broker, &app.acme.workspace, &ended, Actor::Cli).await.unwrap();
    blabber.refuses.store(false, Ordering::SeqCst);
    for error in [
        connect::end(&app.broker, &app.acme.workspace, &ended, Actor::Cli).await.unwrap_err(),
        access::api_key(&app.broker, &wrong).await.map(|_| ()).unwrap_err(),
    ] {
        life.note_error(&error);
    }

    // And one that stays, so that the database has a sealed credential to be looked through.
    let leg = life.set_out(&browser, &[("external_id", "stays")]).await;
    life.back(&browser, &leg, &format!("canary_code_stays_{tag}")).await;
}

#[tokio::test]
async fn no_secret_is_found_where_it_must_not_be() {
    let log = Log::default();
    let listening = log.listen();
    let keys = KeyRing::generate().unwrap();
    let options = || Options { keys: Some(keys.expose().to_owned()), ..customers::providers() };
    on_each_with(options, async |app| {
        let secrets = Arc::new(Secrets::default());
        secrets.add("a root key", keys.expose().split_once(':').unwrap().1);
        let blabber = Blabber::start(&secrets).await;
        set_up(app, &secrets, &blabber).await;
        let life = Life { app, secrets, answers: Mutex::default(), texts: Mutex::default() };
        for completion in crate::support::COMPLETIONS {
            live(&life, &blabber, completion).await;
        }
        managed::manage(&life, &blabber).await;
        customers::connect(&life, &blabber).await;
        managed::deliver(&life).await;
        app.broker.logs.flush().await;
        // First under the key that it was stored with, then under the new one.
        assert_eq!(life.sweep(&log).await, [""; 0]);
        managed::rotate(&life, keys.expose()).await;

        let kinds = life.secrets.kinds();
        for what in [
            "our state",
            "our code",
            "a verifier",
            "a token",
            "the client's credentials",
            "a browser's id",
            "an imported token",
            "a webhook's secret",
            "a workspace token",
            "a popup's handle",
            "a typed key",
            "an option's secret",
            "a lent app's secret",
            "what a product left",
        ] {
            assert!(kinds.get(what).is_some_and(|known| *known >= 1), "the story knows no {what}: {kinds:?}");
        }
        let logged = String::from_utf8(log.bytes()).unwrap();
        assert!(
            logged.contains("WARN") && logged.contains("claviger"),
            "something is logged at all: {logged}"
        );
        let rows = trial::contents(&app.broker.store).await;
        for place in [
            "delivery_attempt.answer",
            "process.key_ids",
            "webhook_endpoint.previous_secret",
            "customer.credentials",
            "auth_option.client_secret",
            "oauth_app.client_secret",
        ] {
            assert!(rows.iter().any(|(there, _)| there == place), "nothing is in {place}");
        }
        let found = life.sweep(&log).await;
        assert!(found.is_empty(), "{found:#?}");
    })
    .await;
    drop(listening);
}

#[tokio::test]
async fn the_sweep_finds_what_is_there() {
    let log = Log::default();
    let listening = log.listen();
    on_each_with(Options::default, async |app| {
        log.clear();
        let secrets = Arc::new(Secrets::default());
        secrets.add("a planted one", "canary+planted/secret==");
        secrets.add("our code", "canary_planted_code_0");
        let blabber = Blabber::start(&secrets).await;
        set_up(app, &secrets, &blabber).await;
        let life = Life { app, secrets, answers: Mutex::default(), texts: Mutex::default() };
        live(&life, &blabber, Completion::Redirect).await;
        assert_eq!(life.sweep(&log).await, [""; 0]);

        let connection = app.connections(&app.acme).await.pop().unwrap();
        let (ws, now) = (&app.acme.workspace, app.broker.clock.now());
        let (id, why) = (&connection.id, "it said canary+planted/secret== to us");
        app.change(async |to| {
            to.conn.set_connection_status(ws, id, Status::NeedsReauth, Some(why), now).await
        })
        .await;
        let event = app.events(&app.acme).await.pop().unwrap().id;
        let delivery = app.read().await.deliveries(ws, &event).await.unwrap().remove(0).id;
        let answer = Some("you sent canary+planted/secret==".to_owned());
        let (number, status, error, duration_ms, at) = (0, Some(500), None, 1, now);
        let attempt = AttemptId::new();
        let attempt =
            Attempt { id: attempt, delivery_id: delivery, number, status, error, answer, duration_ms, at };
        app.change(async |to| to.conn.add_attempt(ws, &attempt).await).await;
        tracing::trace!(target: "claviger_engine", "sent token=canary%2Bplanted%2Fsecret%3D%3D");
        let headers = [("location", "/?code=canary_planted_code_0&token=canary%2Bplanted%2Fsecret%3D%3D")];
        let headers = headers.into_iter().map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap())).collect();
        let body = Bytes::from_static(b"<p>canary_planted_code_0</p>");
        life.note("a page", Answer { status: http::StatusCode::OK, headers, body });
        life.note_error(&Error::internal("canary+planted/secret=="));
        let found = life.sweep(&log).await;
        let mut want = vec![
            "a planted one in an error",
            "a planted one in connection.status_reason",
            "a planted one in delivery_attempt.answer",
            "a planted one in location of a page",
            "a planted one in the log",
            "our code in the body of a page",
        ];
        let postgres = app.broker.store.kind() == Kind::Postgres;
        want.extend((!postgres).then_some("a planted one in a backup"));
        let in_files: Vec<&String> = found.iter().filter(|place| place.contains("claviger.db")).collect();
        assert_eq!(in_files.is_empty(), postgres);
        let rest: Vec<&str> =
            found.iter().map(String::as_str).filter(|place| !place.contains("claviger.db")).collect();
        want.sort_unstable();
        assert_eq!(rest, want);
    })
    .await;
    drop(listening);
}
