//! Token exchange (RFC 8693): of a token that somebody types in, and of the one that a first grant gives, again after each
//! refresh.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{body::Body, response::Response};
use claviger_engine::domain::{connection::Status, integration::Config};
use http_body_util::BodyExt as _;
use serde_json::json;

use crate::support::{
    Browser, Options, TestApp, Upstream,
    app::new_integration,
    decode, on_each_with,
    upstream::{Head, json as says, say},
    value,
};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

#[derive(Default)]
struct State {
    /// The forms of the token requests.
    forms: Vec<Vec<(String, String)>>,
    given: usize,
    /// What an exchange answers instead.
    odd: Option<(u16, &'static str)>,
}

struct Server {
    up: Upstream,
    state: Arc<Mutex<State>>,
}

impl Server {
    async fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let held = state.clone();
        let up = Upstream::whole(move |head: Head, body: Body| {
            let state = held.clone();
            async move {
                let body = body.collect().await.expect("a whole body").to_bytes();
                answer(&mut state.lock().unwrap(), &head, std::str::from_utf8(&body).expect("text"))
            }
        });
        Self { up: up.await, state }
    }

    /// Which grants were asked for since the last look, each with what was shown.
    fn asked(&self) -> Vec<String> {
        let forms = std::mem::take(&mut self.state.lock().unwrap().forms);
        let shown = |form: &Vec<(String, String)>| {
            let names = ["subject_token", "refresh_token", "code"];
            let found = names.iter().find_map(|name| form.iter().find(|(known, _)| known == name));
            format!("{} {}", value(form, "grant_type"), found.map_or("", |(_, value)| value))
        };
        forms.iter().map(|form| shown(form).replace(GRANT, "exchange")).collect()
    }

    fn odd(&self, odd: Option<(u16, &'static str)>) {
        self.state.lock().unwrap().odd = odd;
    }

    fn options(&self) -> Options {
        let at = &self.up.origin;
        let swap = format!(
            "key = \"swap\"\nname = \"Swap\"\n[oauth2]\ngrant = \"token_exchange\"\n\
             exchange = {{ subject_token = \"theirs\", audience = [\"api-{{site}}\"], requested_token_type = \"urn:x\" }}\n\
             [oauth2.fields.doc]\ntitle = \"Key file\"\nform = \"json\"\n\
             parts.theirs = {{ path = \"cred.token\" }}\n\
             parts.site = {{ path = \"site\", secret = false, pattern = \"^[a-z]+$\" }}\n\
             [oauth2.endpoints]\ntoken_url = \"{at}/token\"\n[api]\nbase_url = \"{at}/api\"\n"
        );
        let chain = format!(
            "key = \"chain\"\nname = \"Chain\"\n[oauth2]\npkce = \"unsupported\"\n[oauth2.endpoints]\n\
             authorize_url = \"{at}/authorize\"\ntoken_url = \"{at}/token\"\n\
             [oauth2.upgrade]\nurl = \"{at}/token\"\ngrant_type = \"{GRANT}\"\nwith = \"access_token\"\neach = true\n\
             param_names = {{ refresh_token = \"subject_token\" }}\n\
             params = {{ subject_token_type = \"urn:ietf:params:oauth:token-type:access_token\" }}\n\
             [api]\nbase_url = \"{at}/api\"\n"
        );
        let providers = vec![("swap.toml", swap), ("chain.toml", chain)];
        Options { providers, ..Options::default() }
    }
}

fn answer(state: &mut State, head: &Head, body: &str) -> Response {
    if head.target != "/token" {
        return say(200, &[("x-seen", &head.all("authorization")[0].replace("canary", "seen"))], "ok");
    }
    let form = decode(body);
    let exchange = value(&form, "grant_type") == GRANT;
    state.forms.push(form);
    if let Some((status, said)) = state.odd.filter(|_| exchange) {
        return say(status, &[("content-type", "application/json")], said);
    }
    state.given += 1;
    let n = state.given;
    says(&if exchange {
        let token = format!("canary-swapped-{n}");
        json!({ "access_token": token, "issued_token_type": "urn:x", "token_type": "Bearer", "expires_in": 300 })
    } else {
        let (first, refresh) = (format!("canary-first-{n}"), format!("canary-refresh-{n}"));
        json!({ "access_token": first, "refresh_token": refresh, "token_type": "Bearer", "expires_in": 3600 })
    }
    .to_string())
}

/// What the API saw of the last call.
async fn seen(app: &TestApp, id: &str) -> String {
    let got = app.call(&app.acme.key, id, "/x").await;
    assert_eq!(got.status, 200, "{}", got.text());
    got.header("x-seen").unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_token_in_a_document_is_exchanged_and_exchanged_again() {
    let at = Server::start().await;
    on_each_with(
        || at.options(),
        async |app| {
            *at.state.lock().unwrap() = State::default();
            app.integrate_as(&app.acme, new_integration("it", "swap", Config::default())).await;
            let wish = [("integration_id", "it"), ("external_id", "u"), ("state", "s")];
            let browser = Browser::new();
            let began = browser.get(&app.authorize_url(&app.acme, &wish)).await;
            let page = format!("{}{}", app.origin, began.location());
            let submit = async |doc: &str| {
                browser.submit(&page, &[("decision", "continue"), ("credential-doc", doc)]).await
            };
            let document = r#"{"cred":{"token":"canary-theirs"},"site":"eu","other":"canary-other"}"#;
            for doc in [
                "",
                "canary",
                "[]",
                r#"{"site":"eu","x":"canary"}"#,
                r#"{"cred":{"token":"canary"},"site":"E!"}"#,
            ] {
                let wrong = submit(doc).await;
                assert_eq!(wrong.status, 422, "{doc}");
                assert!(wrong.text().contains("id=\"error-credential-doc\""), "{}", wrong.text());
                assert!(!wrong.text().contains("canary"), "{}", wrong.text());
            }
            assert!(at.asked().is_empty(), "nobody was asked");
            at.odd(Some((400, r#"{"error":"invalid_request","error_description":"not canary-theirs"}"#)));
            let refused = submit(document).await;
            assert!(
                refused.status == 422 && refused.text().contains("invalid_request"),
                "{}",
                refused.text()
            );
            assert!(!refused.text().contains("canary"), "{}", refused.text());
            app.assert_nothing_connected(&app.acme).await;
            at.odd(None);
            let done = submit(document).await;
            let id = value(&done.redirect().1, "connection_id").to_owned();
            let form = at.state.lock().unwrap().forms.last().cloned().expect("a form");
            for (name, want) in [
                ("audience", "api-eu"),
                ("subject_token", "canary-theirs"),
                ("requested_token_type", "urn:x"),
            ] {
                assert_eq!(value(&form, name), want);
            }
            let made = app.connection(&app.acme, &id).await;
            assert_eq!(made.inputs["site"], "eu");
            assert!(!format!("{made:?}").contains("canary"));
            assert_eq!(seen(app, &id).await, "Bearer seen-swapped-1");
            at.asked();
            app.pass(Duration::from_secs(301));
            assert_eq!(seen(app, &id).await, "Bearer seen-swapped-2");
            assert_eq!(at.asked(), ["exchange canary-theirs"]);
            // What is exchanged has ended.
            app.pass(Duration::from_secs(301));
            at.odd(Some((400, r#"{"error":"invalid_request"}"#)));
            app.call(&app.acme.key, &id, "/x").await.assert_problem(401, "connection_refresh_failed");
            let now = app.connection(&app.acme, &id).await;
            assert_eq!(now.status, Status::NeedsReauth);
            assert!(!now.status_reason.unwrap_or_default().contains("canary"));
        },
    )
    .await;
}

#[tokio::test]
async fn a_first_grants_token_is_exchanged_after_each_refresh() {
    let at = Server::start().await;
    on_each_with(
        || at.options(),
        async |app| {
            *at.state.lock().unwrap() = State::default();
            app.integrate_as(&app.acme, new_integration("it", "chain", Config::default())).await;
            let browser = Browser::new();
            let leg = browser.set_out(app, &app.acme, &[("integration_id", "it")]).await;
            let done = browser.get(&leg.back(&[("code", "canary-code")])).await;
            let id = value(&done.redirect().1, "connection_id").to_owned();
            assert_eq!(seen(app, &id).await, "Bearer seen-swapped-2");
            assert_eq!(at.asked(), ["authorization_code canary-code", "exchange canary-first-1"]);
            app.pass(Duration::from_secs(301));
            assert_eq!(seen(app, &id).await, "Bearer seen-swapped-4");
            assert_eq!(at.asked(), ["refresh_token canary-refresh-1", "exchange canary-first-3"]);
            // The exchange fails once the first grant is refreshed: its new refresh token is not lost, and not spent.
            app.pass(Duration::from_secs(301));
            at.odd(Some((503, "{}")));
            assert!(app.call(&app.acme.key, &id, "/x").await.status.is_server_error());
            assert_eq!(at.asked(), ["refresh_token canary-refresh-3", "exchange canary-first-5"]);
            assert_eq!(app.connection(&app.acme, &id).await.status, Status::Active);
            at.odd(None);
            app.pass(Duration::from_secs(30));
            assert_eq!(seen(app, &id).await, "Bearer seen-swapped-6");
            assert_eq!(at.asked(), ["exchange canary-first-5"]);
            app.pass(Duration::from_secs(301));
            assert_eq!(seen(app, &id).await, "Bearer seen-swapped-8");
            assert_eq!(at.asked(), ["refresh_token canary-refresh-5", "exchange canary-first-7"]);
        },
    )
    .await;
}

/// Each refresh takes the place of a refresh token: not every call may cost one.
#[tokio::test]
async fn an_exchange_that_keeps_failing_does_not_refresh_with_every_call() {
    let at = Server::start().await;
    on_each_with(
        || at.options(),
        async |app| {
            *at.state.lock().unwrap() = State::default();
            app.integrate_as(&app.acme, new_integration("it", "chain", Config::default())).await;
            let browser = Browser::new();
            let leg = browser.set_out(app, &app.acme, &[("integration_id", "it")]).await;
            let done = browser.get(&leg.back(&[("code", "canary-code")])).await;
            let id = value(&done.redirect().1, "connection_id").to_owned();
            app.pass(Duration::from_secs(301));
            at.asked();
            let fails = async || {
                let answer = app.call(&app.acme.key, &id, "/x").await;
                assert!(!answer.status.is_success(), "{}", answer.text());
            };
            at.odd(Some((400, r#"{"error":"invalid_target"}"#)));
            fails().await;
            assert_eq!(at.asked(), ["refresh_token canary-refresh-1", "exchange canary-first-3"]);
            for _ in 0..3 {
                fails().await;
            }
            app.pass(Duration::from_secs(29));
            fails().await;
            assert_eq!(at.asked(), [""; 0], "calls fail at once meanwhile");
            // Not the fault of the token that is shown: it stays.
            for error in ["invalid_target", "invalid_scope", "invalid_client", "unauthorized_client"] {
                at.odd(Some((400, Box::leak(format!(r#"{{"error":"{error}"}}"#).into_boxed_str()))));
                app.pass(Duration::from_secs(30));
                fails().await;
                fails().await;
                assert_eq!(at.asked(), ["exchange canary-first-3"], "{error}");
            }
            // It is the token: another is had for it, and for another one only after a while.
            for (n, error) in (3..).zip(["invalid_request", "invalid_grant", "invalid_token"]) {
                at.odd(Some((400, Box::leak(format!(r#"{{"error":"{error}"}}"#).into_boxed_str()))));
                app.pass(Duration::from_secs(30));
                fails().await;
                fails().await;
                let [old, refresh, new] = [
                    format!("exchange canary-first-{n}"),
                    format!("refresh_token canary-refresh-{n}"),
                    format!("exchange canary-first-{}", n + 1),
                ];
                assert_eq!(at.asked(), [old, refresh, new], "{error}");
            }
            assert_eq!(app.connection(&app.acme, &id).await.status, Status::Active);
            at.odd(None);
            app.pass(Duration::from_secs(30));
            assert_eq!(seen(app, &id).await, "Bearer seen-swapped-7");
            assert_eq!(at.asked(), ["exchange canary-first-6"], "its last refresh token was kept");
            app.pass(Duration::from_secs(301));
            assert_eq!(seen(app, &id).await, "Bearer seen-swapped-9");
            assert_eq!(at.asked(), ["refresh_token canary-refresh-6", "exchange canary-first-8"]);
        },
    )
    .await;
}

/// An exchange spends no refresh token: an answer to it that says nothing leaves nothing unknown.
#[tokio::test]
async fn an_exchange_whose_answer_cannot_be_read_spends_nothing() {
    let at = Server::start().await;
    on_each_with(
        || at.options(),
        async |app| {
            *at.state.lock().unwrap() = State::default();
            app.integrate_as(&app.acme, new_integration("it", "chain", Config::default())).await;
            let browser = Browser::new();
            let leg = browser.set_out(app, &app.acme, &[("integration_id", "it")]).await;
            let done = browser.get(&leg.back(&[("code", "canary-code")])).await;
            let id = value(&done.redirect().1, "connection_id").to_owned();
            at.asked();
            app.pass(Duration::from_secs(301));
            at.odd(Some((403, "no")));
            for asked in [
                &["refresh_token canary-refresh-1", "exchange canary-first-3"][..],
                &["exchange canary-first-3"],
            ] {
                assert_ne!(app.call(&app.acme.key, &id, "/x").await.status, 200);
                assert_eq!(at.asked(), asked);
                app.pass(Duration::from_secs(31));
            }
            assert_eq!(app.connection(&app.acme, &id).await.status, Status::Active);
            assert_eq!(app.read().await.any_count_unknown_refreshes().await.expect("a count"), 0);
            at.odd(None);
            assert_eq!(seen(app, &id).await, "Bearer seen-swapped-4");
            assert_eq!(at.asked(), ["exchange canary-first-3"]);
        },
    )
    .await;
}
