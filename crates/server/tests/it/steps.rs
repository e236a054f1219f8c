//! Steps: a user name and a password are exchanged for a session, in two requests of the provider's own making; and again
//! when it ends.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{body::Body, response::Response};
use claviger_engine::{
    domain::{connection::Status, event::EventKind, integration::Config},
    setup::NewIntegration,
};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use crate::support::{
    Answer, Browser, CB, Options, TestApp, Upstream,
    app::new_integration,
    decode, on_each_with,
    upstream::{Head, json as says, say},
    value,
};

/// Nothing that it holds may end the text that it stands in.
const PASSWORD: &str = "canary\"} {user} \u{e9}\\";

#[derive(Default)]
struct State {
    /// How often each request was made.
    asked: [usize; 2],
    sessions: usize,
    closed: bool,
    /// What the second request answers instead.
    odd: Option<(u16, &'static str)>,
}

struct Logins {
    up: Upstream,
    state: Arc<Mutex<State>>,
}

impl Logins {
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

    fn asked(&self) -> [usize; 2] {
        self.state.lock().unwrap().asked
    }

    fn options(&self) -> Options {
        let at = &self.up.origin;
        let file = format!(
            "key = \"login\"\nname = \"Login\"\n\
             [steps]\n[steps.fields.user]\ntitle = \"User\"\nsecret = false\npattern = \"^[a-z]+$\"\n\
             [steps.fields.pass]\ntitle = \"Pass\"\n\
             [[steps.request]]\nurl = \"{at}/one\"\nformat = \"json\"\n\
             body = '{{\"who\":{{\"u\":\"{{user}}\",\"p\":\"{{pass}}\"}}}}'\nsave = {{ ticket = {{ path = \"ticket\" }} }}\n\
             [[steps.request]]\nurl = \"{at}/two/{{user}}\"\nparams = {{ ticket = \"{{ticket}}\" }}\n\
             save = {{ csrf = {{ path = \"csrf\" }} }}\n\
             [steps.answer]\naccess_token = \"session.id\"\nexpires = {{ path = \"session.seconds\" }}\n\
             error = {{ path = \"ok\", is = [\"false\"], code = \"why\", \
             description = \"message\", invalid_grant = [\"locked\"] }}\n\
             [api]\nbase_url = \"{at}/api\"\nplace = {{ header = \"X-Session\", format = \"{{token}}\" }}\n\
             [api.headers]\nX-Csrf = \"{{csrf}}\"\n[[verify.calls]]\nurl = \"/check\"\n"
        );
        Options { providers: vec![("login.toml", file)], ..Options::default() }
    }
}

fn answer(state: &mut State, head: &Head, body: &str) -> Response {
    let json = [("content-type", "application/json")];
    match head.target.as_str() {
        "/one" => {
            state.asked[0] += 1;
            let given: Value = serde_json::from_str(body).expect("JSON");
            if state.closed || given != json!({ "who": { "u": "ann", "p": PASSWORD } }) {
                let said = format!("not {}", given["who"]["p"].as_str().unwrap_or_default());
                return say(401, &json, json!({ "message": said }).to_string());
            }
            says(r#"{"ok":true,"ticket":"canary-ticket"}"#)
        }
        "/two/ann" => {
            state.asked[1] += 1;
            assert_eq!(decode(body), [("ticket".to_owned(), "canary-ticket".to_owned())]);
            if let Some((status, said)) = state.odd {
                return say(status, &json, said);
            }
            state.sessions += 1;
            let n = state.sessions;
            let session = json!({ "id": format!("canary-session-{n}"), "seconds": 600 });
            let csrf = format!("canary-csrf-{n}");
            says(&json!({ "ok": true, "session": session, "csrf": csrf }).to_string())
        }
        _ => {
            let n = state.sessions;
            let good = head.all("x-session") == [format!("canary-session-{n}")]
                && head.all("x-csrf") == [format!("canary-csrf-{n}")];
            say(if good { 200 } else { 401 }, &[("x-echo", head.all("x-csrf")[0])], "ok")
        }
    }
}

async fn open(app: &TestApp, browser: &Browser) -> String {
    let config = Config::default();
    let wish = new_integration("it", "login", config);
    app.integrate_as(&app.acme, NewIntegration { client_id: None, client_secret: None, ..wish }).await;
    let wish = [("integration_id", "it"), ("external_id", "u"), ("state", "s")];
    format!("{}{}", app.origin, browser.get(&app.authorize_url(&app.acme, &wish)).await.location())
}

fn typed<'a>(user: &'a str, pass: &'a str) -> Vec<(&'static str, &'a str)> {
    vec![("decision", "continue"), ("credential-user", user), ("credential-pass", pass)]
}

#[track_caller]
fn connected(done: &Answer) -> String {
    let (target, pairs) = done.redirect();
    assert_eq!(target, CB, "{}", done.text());
    value(&pairs, "connection_id").to_owned()
}

#[tokio::test]
async fn a_login_becomes_a_session_and_another_when_it_ends() {
    let at = Logins::start().await;
    on_each_with(
        || at.options(),
        async |app| {
            *at.state.lock().unwrap() = State::default();
            let browser = Browser::new();
            let page = open(app, &browser).await;
            let wrong = browser.submit(&page, &typed("ann", "canary-wrong")).await;
            assert_eq!((wrong.status.as_u16(), at.asked()), (422, [1, 0]), "no second request");
            let text = wrong.text();
            assert!(
                text.contains("id=\"error-credential-pass\"") && text.contains("value=\"ann\""),
                "{text}"
            );
            assert!(!text.contains("canary"), "{text}");
            let unlike = browser.submit(&page, &typed("Ann", PASSWORD)).await;
            assert_eq!((unlike.status.as_u16(), at.asked()), (422, [1, 0]), "nobody is asked");
            app.assert_nothing_connected(&app.acme).await;

            let id = connected(&browser.submit(&page, &typed("ann", PASSWORD)).await);
            let made = app.connection(&app.acme, &id).await;
            assert_eq!(made.expires_at, Some(app.broker.clock.now().plus(Duration::from_secs(600))));
            assert_eq!(made.inputs, [("user".to_owned(), "ann".to_owned())].into());
            assert!(!format!("{made:?}").contains("canary"));
            let call = async || app.call(&app.acme.key, &id, "/x").await;
            let got = call().await;
            assert_eq!(
                (got.status.as_u16(), got.header("x-echo")),
                (200, None),
                "no header says a secret back"
            );
            assert_eq!(at.asked(), [2, 1]);

            app.pass(Duration::from_secs(601));
            let (one, two) = tokio::join!(call(), call());
            assert_eq!((one.status.as_u16(), two.status.as_u16(), at.asked()), (200, 200, [3, 2]));
            // Ended before its time: the steps are made again, once, and the call after them.
            app.pass(Duration::from_secs(61));
            at.state.lock().unwrap().sessions = 9;
            assert_eq!((call().await.status.as_u16(), at.asked()), (200, [4, 3]));
        },
    )
    .await;
}

#[tokio::test]
async fn trouble_passes_and_a_changed_password_needs_its_owner() {
    let at = Logins::start().await;
    on_each_with(
        || at.options(),
        async |app| {
            *at.state.lock().unwrap() = State::default();
            let browser = Browser::new();
            let page = open(app, &browser).await;
            for (status, said) in [(200, r#"{"ok":true}"#), (503, "{}"), (200, "<html>"), (403, "{}")] {
                at.state.lock().unwrap().odd = Some((status, said));
                let odd = browser.submit(&page, &typed("ann", PASSWORD)).await;
                assert!(!odd.status.is_redirection(), "{status} {said}: {}", odd.text());
                assert!(!odd.text().contains("canary"), "{}", odd.text());
            }
            at.state.lock().unwrap().odd = Some((200, r#"{"ok":false,"why":"locked"}"#));
            let locked = browser.submit(&page, &typed("ann", PASSWORD)).await;
            assert!(
                locked.status == 422 && locked.text().contains("error-credential-pass"),
                "{}",
                locked.text()
            );
            app.assert_nothing_connected(&app.acme).await;
            at.state.lock().unwrap().odd = None;
            let id = connected(&browser.submit(&page, &typed("ann", PASSWORD)).await);

            app.pass(Duration::from_secs(601));
            at.state.lock().unwrap().odd = Some((503, "{}"));
            assert!(app.call(&app.acme.key, &id, "/x").await.status.is_server_error());
            assert_eq!(app.connection(&app.acme, &id).await.status, Status::Active);
            at.state.lock().unwrap().odd = None;
            app.pass(Duration::from_secs(2));
            assert_eq!(app.call(&app.acme.key, &id, "/x").await.status, 200);

            app.pass(Duration::from_secs(601));
            at.state.lock().unwrap().closed = true;
            app.call(&app.acme.key, &id, "/x").await.assert_problem(401, "connection_refresh_failed");
            let now = app.connection(&app.acme, &id).await;
            assert_eq!(now.status, Status::NeedsReauth);
            let why = now.status_reason.expect("a reason");
            assert!(why.contains("invalid_grant: not ") && !why.contains("canary"), "{why}");
            assert_eq!(app.events(&app.acme).await[0].kind, EventKind::ConnectionExpired);
        },
    )
    .await;
}
