//! Credentials that are typed in: a page asks for them, the provider says whether it takes them, and calls carry them
//! where the provider looks for them.

use std::time::Duration;

use axum::response::{IntoResponse as _, Response};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use claviger_engine::{
    connect,
    domain::{
        audit::Actor,
        event::EventKind,
        integration::{Config, KeyLocation, KeyPlace},
        workspace::Completion,
    },
    id::{ConnectionId, FlowId},
    setup::NewIntegration,
};
use http::StatusCode;
use serde_json::json;

use crate::support::{
    Answer, Browser, CB, Options, TestApp, Upstream, app::ALL, app::new_integration, names, on_each_with,
    upstream::Head, value,
};

const KEY: &str = "canary-key-4711";
const USER: &str = "ärmel@example.com";
const PASSWORD: &str = " canary: p4ss+word ";
const TOKEN: &str = "canary.token/4711=";

/// A provider's file: how it authenticates, and where calls carry that.
fn file(key: &str, auth: &str, place: &str) -> String {
    format!(
        "key = \"{key}\"\nname = \"Keyed\"\n{auth}\n[api]\nbase_url = \"https://keyed.test/api\"\n{place}\n\
         [identity]\nsource = \"call\"\nid = \"id\"\nname = [\"name\"]\n\
         [identity.call]\nurl = \"/me\"\n\
         [[verify.calls]]\nurl = \"/check\"\n"
    )
}

fn providers() -> Options {
    let header = "[api_key.key]\ndescription = \"Forty letters\"\nplaceholder = \"canary-key-…\"\n\
                  pattern = \"^canary-key-[0-9]{4}$\"\nhelp = \"https://keyed.test/my-keys\"\n";
    let in_header = "place = { header = \"X-Api-Key\", format = \"Key {token}\" }\n";
    Options {
        providers: vec![
            ("key-header.toml", file("key-header", header, in_header)),
            ("key-query.toml", file("key-query", "[api_key]\n", "place = { query = \"api_key\" }\n")),
            ("user.toml", file("user", "[basic]\n", "")),
            ("token.toml", file("token", "[bearer]\n", "")),
        ],
        ..Options::default()
    }
}

/// A provider that takes the four credentials above, each in its place only, and says what it thinks of others.
async fn provider() -> Upstream {
    let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("{USER}:{PASSWORD}")));
    Upstream::whole(move |head: Head, _| {
        let basic = basic.clone();
        async move {
            let is = |name: &str, value: &str| head.all(name) == [value];
            let query = head.target.split_once('?').is_some_and(|(_, q)| q == format!("api_key={KEY}"));
            let shown = [
                is("x-api-key", &format!("Key {KEY}")),
                query,
                is("authorization", &basic),
                is("authorization", &format!("Bearer {TOKEN}")),
            ];
            if shown.iter().filter(|it| **it).count() == 1 {
                return axum::Json(json!({ "id": "acc-1", "name": "Ada" })).into_response();
            }
            let said =
                format!("no: {:?} {:?} {}", head.all("x-api-key"), head.all("authorization"), head.target);
            (StatusCode::UNAUTHORIZED, axum::Json(json!({ "message": said }))).into_response()
        }
    })
    .await
}

/// An integration `it` at one of them.
async fn integrate(app: &TestApp, provider: &str, at: &Upstream, edit: impl FnOnce(&mut Config)) {
    let mut config = Config { base_url: Some(format!("{}/api", at.origin)), ..Config::default() };
    edit(&mut config);
    let input =
        NewIntegration { client_id: None, client_secret: None, ..new_integration("it", provider, config) };
    app.integrate_as(&app.acme, input).await;
}

/// Opens the page of a new flow; gives its URL.
async fn open(app: &TestApp, browser: &Browser, extra: &[(&str, &str)]) -> String {
    let mut wish = vec![("integration_id", "it"), ("external_id", "u"), ("state", "s")];
    wish.extend_from_slice(extra);
    let began = browser.get(&app.authorize_url(&app.acme, &wish)).await;
    assert_eq!(began.status, 302, "{}", began.text());
    assert!(began.location().starts_with("/connect/flow_"), "a page asks: {}", began.location());
    format!("{}{}", app.origin, began.location())
}

fn form<'a>(fields: &[(&'static str, &'a str)]) -> Vec<(&'static str, &'a str)> {
    [&[("decision", "continue")][..], fields].concat()
}

#[track_caller]
fn assert_connected(done: &Answer) -> String {
    assert_eq!(done.status, 303, "{}", done.text());
    let (target, pairs) = done.redirect();
    assert_eq!(target, CB);
    assert_eq!(names(&pairs), ["connection_id", "integration_id", "external_id", "code", "state"]);
    value(&pairs, "connection_id").to_owned()
}

#[tokio::test]
async fn each_kind_is_typed_in_and_carried_where_the_provider_looks() {
    on_each_with(providers, async |app| {
        let upstream = provider().await;
        let one = |name: &'static str, text: &'static str| vec![(name, text)];
        let (place_header, place_query) = (
            KeyPlace { location: KeyLocation::Header, name: "X-Api-Key".into(), prefix: "Key ".into() },
            KeyPlace { location: KeyLocation::Query, name: "api_key".into(), prefix: String::new() },
        );
        for (n, (provider, place, labels, fields)) in [
            ("key-header", None, vec!["API key"], one("credential-api_key", KEY)),
            ("key-query", None, vec!["API key"], one("credential-api_key", KEY)),
            (
                "user",
                None,
                vec!["User name", "Password"],
                vec![("credential-username", USER), ("credential-password", PASSWORD)],
            ),
            ("token", None, vec!["Access token"], one("credential-token", TOKEN)),
            ("apikey", Some(place_header), vec!["API key"], one("credential-api_key", KEY)),
            ("apikey", Some(place_query), vec!["API key"], one("credential-api_key", KEY)),
            (
                "basic",
                None,
                vec!["User name", "Password"],
                vec![("credential-username", USER), ("credential-password", PASSWORD)],
            ),
            ("bearer", None, vec!["Access token"], one("credential-token", TOKEN)),
        ]
        .into_iter()
        .enumerate()
        {
            let key = format!("it-{n}");
            let config = Config {
                base_url: Some(format!("{}/api", upstream.origin)),
                api_key: place,
                ..Config::default()
            };
            let input = NewIntegration {
                client_id: None,
                client_secret: None,
                ..new_integration(&key, provider, config)
            };
            app.integrate_as(&app.acme, input).await;
            let browser = Browser::new();
            let url = open(app, &browser, &[("integration_id", &key)]).await;
            let page = browser.get(&url).await;
            assert_eq!(page.status, 200);
            for label in labels {
                assert!(page.text().contains(&format!(">{label}</label>")), "{label}: {}", page.text());
            }
            let before = upstream.seen().len();
            let id = assert_connected(&browser.submit(&url, &form(&fields)).await);
            let connection = app.connection(&app.acme, &id).await;
            assert_eq!(connection.owner.key.as_deref(), Some("u"));
            assert_eq!((connection.expires_at, connection.scopes_granted.len()), (None, 0));
            if n < 4 {
                assert_eq!(connection.account.id.as_deref(), Some("acc-1"));
                assert_eq!(upstream.seen().len(), before + 2, "verified, and asked for the account");
            } else {
                assert_eq!(upstream.seen().len(), before, "any API is asked nothing");
            }
            let answer = app.call(&app.acme.key, &id, "/thing").await;
            assert_eq!(answer.status, 200, "{provider}: {}", answer.text());
            browser.get(&url).await.assert_page(400, "used already");
        }
    })
    .await;
}

#[tokio::test]
async fn a_wrong_key_is_said_at_its_field_and_can_be_put_right() {
    on_each_with(providers, async |app| {
        let upstream = provider().await;
        integrate(app, "user", &upstream, |_| {}).await;
        let browser = Browser::new();
        let url = open(app, &browser, &[]).await;
        let wrong = [("credential-username", USER), ("credential-password", "canary-wrong-1")];
        let page = browser.submit(&url, &form(&wrong)).await;
        assert_eq!(page.status, 422, "{}", page.text());
        let text = page.text();
        assert!(
            text.contains("id=\"error-credential-password\"") && text.contains("it answered 401"),
            "{text}"
        );
        assert!(!text.contains("error-credential-username"), "{text}");
        assert!(text.contains(USER), "the user name is kept: {text}");
        let basic = BASE64_STANDARD.encode(format!("{USER}:canary-wrong-1"));
        for secret in ["canary-wrong-1", basic.as_str()] {
            assert!(!text.contains(secret), "the provider repeated it, the page does not: {text}");
        }
        app.assert_nothing_connected(&app.acme).await;
        assert_eq!(browser.get(&url).await.status, 200, "the page is as it was");
        let right = [("credential-username", USER), ("credential-password", PASSWORD)];
        assert_connected(&browser.submit(&url, &form(&right)).await);
        assert_eq!(app.events(&app.acme).await[0].kind, EventKind::ConnectionCreated);
    })
    .await;
}

#[tokio::test]
async fn a_secret_is_never_in_the_page() {
    on_each_with(providers, async |app| {
        let upstream = provider().await;
        integrate(app, "key-header", &upstream, |_| {}).await;
        let browser = Browser::new();
        let url = open(app, &browser, &[]).await;
        let page = browser.get(&url).await;
        let text = page.text();
        for words in [
            "type=\"password\"",
            "autocomplete=\"off\"",
            "Forty letters",
            "canary-key-…",
            "rel=\"noopener noreferrer\"",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
        assert_eq!(page.header("referrer-policy"), Some("same-origin"));
        assert!(page.header("content-security-policy").is_some_and(|p| p.contains("frame-ancestors 'none'")));

        let long = "canary-".repeat(500);
        for wrong in ["", "   ", "canary-wrong-2", "canary key 1", "canary\u{e4}", "<script>canary", &long] {
            let page = browser.submit(&url, &form(&[("credential-api_key", wrong)])).await;
            assert_eq!(page.status, 422, "{wrong}: {}", page.text());
            assert!(page.text().contains("id=\"error-credential-api_key\""), "{wrong}: {}", page.text());
            let typed = wrong.trim();
            assert!(typed.is_empty() || !page.text().contains(typed), "{wrong}: {}", page.text());
            assert!(!page.text().contains("<script>"), "{}", page.text());
        }
        assert_eq!(upstream.seen().len(), 0, "what can't be a key is not tried");
        let right = format!(" \t{KEY}\r\n");
        let done = browser.submit(&url, &form(&[("credential-api_key", &right)])).await;
        assert_connected(&done);
        assert!(!format!("{:?}", done.headers).contains(KEY));
    })
    .await;
}

#[tokio::test]
async fn with_server_completion_a_typed_key_waits_for_the_products_word() {
    on_each_with(providers, async |app| {
        let upstream = provider().await;
        integrate(app, "key-header", &upstream, |_| {}).await;
        app.complete(&app.acme, Completion::Server).await;
        for owner in ["mallory", "u"] {
            let browser = Browser::new();
            let url = open(app, &browser, &[]).await;
            let wrong = browser.submit(&url, &form(&[("credential-api_key", "canary-key-0000")])).await;
            assert_eq!(wrong.status, 422, "it is tried before the browser goes back");
            let done = browser.submit(&url, &form(&[("credential-api_key", KEY)])).await;
            let (target, pairs) = done.redirect();
            assert_eq!((target.as_str(), names(&pairs)), (CB, vec!["code", "state"]));
            app.assert_nothing_connected(&app.acme).await;
            let flow = FlowId::parse(url.rsplit('/').next().unwrap()).unwrap();
            let kept = async || app.read().await.any_flow(&flow).await.unwrap().unwrap().provider_code;
            assert!(kept().await.is_some_and(|sealed| !sealed.as_str().contains(KEY)), "kept, sealed");
            let seen = upstream.seen().len();
            let body = json!({ "code": value(&pairs, "code"), "redirect_uri": CB, "external_id": owner });
            let answer = app.exchange(&app.acme.key, &body).await;
            assert!(kept().await.is_none(), "whatever came of it");
            assert_eq!(upstream.seen().len(), seen, "it is not asked again");
            if owner == "mallory" {
                answer.assert_field("external_id");
                let right = json!({ "code": value(&pairs, "code"), "redirect_uri": CB, "external_id": "u" });
                app.exchange(&app.acme.key, &right).await.assert_field("code");
                app.assert_nothing_connected(&app.acme).await;
                continue;
            }
            assert_eq!(answer.status, 200, "{}", answer.text());
            let id = answer.json()["connection_id"].as_str().unwrap().to_owned();
            assert_eq!(app.connection(&app.acme, &id).await.account.name.as_deref(), Some("Ada"));
            assert_eq!(app.call(&app.acme.key, &id, "/thing").await.status, 200);
        }
    })
    .await;
}

#[tokio::test]
async fn with_a_confirmation_the_fields_are_on_its_page() {
    on_each_with(providers, async |app| {
        let upstream = provider().await;
        integrate(app, "token", &upstream, |_| {}).await;
        app.complete(&app.acme, Completion::Confirm).await;
        let browser = Browser::new();
        let url = open(app, &browser, &[]).await;
        let page = browser.get(&url).await;
        for words in ["id=\"owner\">u<", "Go on only if you began this yourself", "credential-token"] {
            assert!(page.text().contains(words), "{words}: {}", page.text());
        }
        let cancelled = browser.submit(&url, &[("decision", "cancel")]).await;
        assert_eq!(value(&cancelled.redirect().1, "error"), "access_denied");
        let late = browser.submit(&url, &form(&[("credential-token", TOKEN)])).await;
        late.assert_page(400, "used already");
        assert_eq!(upstream.seen().len(), 0);
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}

#[tokio::test]
async fn a_form_sent_twice_connects_once_and_ends_at_the_same_place() {
    on_each_with(providers, async |app| {
        let upstream = provider().await;
        integrate(app, "token", &upstream, |_| {}).await;
        for completion in [Completion::Redirect, Completion::Server] {
            app.complete(&app.acme, completion).await;
            let before = app.connections(&app.acme).await.len();
            let browser = Browser::new();
            let url = open(app, &browser, &[]).await;
            let pairs = form(&[("credential-token", TOKEN)]);
            let (one, two) = tokio::join!(browser.submit(&url, &pairs), browser.submit(&url, &pairs));
            let three = browser.submit(&url, &pairs).await;
            for done in [&one, &two, &three] {
                assert_eq!((done.status, done.location()), (StatusCode::SEE_OTHER, one.location()));
            }
            let made = usize::from(completion == Completion::Redirect);
            assert_eq!(app.connections(&app.acme).await.len(), before + made);
            // Not for another browser, and not for long.
            Browser::new().submit(&url, &pairs).await.assert_page(400, "belongs to another browser");
            app.pass(Duration::from_secs(61));
            browser.submit(&url, &pairs).await.assert_page(400, "used already");
            assert_eq!(app.connections(&app.acme).await.len(), before + made);
        }
    })
    .await;
}

#[tokio::test]
async fn whoever_guesses_too_often_begins_anew() {
    on_each_with(providers, async |app| {
        let upstream = provider().await;
        integrate(app, "token", &upstream, |_| {}).await;
        let browser = Browser::new();
        let url = open(app, &browser, &[]).await;
        for n in 0..20 {
            let guess = format!("guess-{n}");
            let page = browser.submit(&url, &form(&[("credential-token", &guess)])).await;
            assert_eq!(page.status, 422, "{n}");
        }
        let done = browser.submit(&url, &form(&[("credential-token", TOKEN)])).await;
        let (target, pairs) = done.redirect();
        assert_eq!((target.as_str(), value(&pairs, "error")), (CB, "access_denied"));
        assert_eq!(upstream.seen().len(), 20, "the last one was not tried");
        browser.submit(&url, &form(&[("credential-token", TOKEN)])).await.assert_page(400, "used already");
        app.assert_nothing_connected(&app.acme).await;
        let url = open(app, &browser, &[]).await;
        assert_connected(&browser.submit(&url, &form(&[("credential-token", TOKEN)])).await);
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_can_not_say_leaves_the_page_as_it_was() {
    on_each_with(providers, async |app| {
        let answers = |status: u16| async move {
            Upstream::whole(move |_, _| async move {
                Response::builder().status(status).body(axum::body::Body::empty()).unwrap()
            })
            .await
        };
        for status in [500, 503, 429, 302] {
            let upstream = answers(status).await;
            let config = Config { base_url: Some(format!("{}/api", upstream.origin)), ..Config::default() };
            let key = format!("at-{status}");
            let input = NewIntegration {
                client_id: None,
                client_secret: None,
                ..new_integration(&key, "token", config)
            };
            app.integrate_as(&app.acme, input).await;
            let browser = Browser::new();
            let url = open(app, &browser, &[("integration_id", &key)]).await;
            let page = browser.submit(&url, &form(&[("credential-token", TOKEN)])).await;
            assert_eq!(page.status, 503, "{status}: {}", page.text());
            assert!(page.text().contains("could not be reached"), "{status}: {}", page.text());
            drop(upstream);
            let page = browser.submit(&url, &form(&[("credential-token", TOKEN)])).await;
            assert_eq!(page.status, 503, "gone: {}", page.text());
        }
        // A key that may do little is refused by such calls, and is taken.
        let upstream = answers(403).await;
        integrate(app, "token", &upstream, |_| {}).await;
        let browser = Browser::new();
        let url = open(app, &browser, &[]).await;
        assert_connected(&browser.submit(&url, &form(&[("credential-token", TOKEN)])).await);
    })
    .await;
}

#[tokio::test]
async fn an_integration_that_changes_meanwhile_is_not_connected() {
    on_each_with(providers, async |app| {
        let upstream = provider().await;
        integrate(app, "token", &upstream, |_| {}).await;
        let browser = Browser::new();
        let url = open(app, &browser, &[]).await;
        let mut conn = app.read().await;
        let mut it = conn.integration_by_selector(&app.acme.workspace, "it").await.unwrap().unwrap();
        drop(conn);
        it.config.base_url = Some("https://elsewhere.test/api".to_owned());
        app.change(async |to| to.conn.update_integration(&app.acme.workspace, &it).await).await;
        let late = browser.submit(&url, &form(&[("credential-token", TOKEN)])).await;
        late.assert_page(409, "integration was changed");
        assert_eq!(upstream.seen().len(), 0);
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}

#[tokio::test]
async fn a_typed_key_ends_without_a_word_to_the_provider() {
    on_each_with(providers, async |app| {
        let upstream = provider().await;
        integrate(app, "token", &upstream, |_| {}).await;
        let browser = Browser::new();
        let url = open(app, &browser, &[]).await;
        let id = assert_connected(&browser.submit(&url, &form(&[("credential-token", TOKEN)])).await);
        let seen = upstream.seen().len();
        let ended = ConnectionId::parse(&id).unwrap();
        connect::end(&app.broker, &app.acme.workspace, &ended, Actor::Cli).await.unwrap();
        assert_eq!(upstream.seen().len(), seen);
        let rows = app.read().await.revocations(&app.acme.workspace, &ALL).await.unwrap();
        assert_eq!(rows[0].outcome, "unsupported", "{}", rows[0].detail);
    })
    .await;
}
