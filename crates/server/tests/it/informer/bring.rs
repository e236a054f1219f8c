//! `POST …/connect`: a user brings a code, a refresh token or a key, and connecting anew keeps the connection.

mod again;

use std::time::Duration;

use claviger_engine::{
    domain::{
        connection::{Connection, Owner, Status},
        event::EventKind,
        integration::{Config, Integration, KeyLocation, KeyPlace, Mode},
        share::{Level, Principal},
    },
    id::IntegrationId,
    setup::NewIntegration,
    store::trial,
};
use http::Method;
use serde_json::{Value, json};

use super::{Someone, ask, assert_problem, someone};
use crate::{
    refresh::mint::Mint,
    support::{
        Answer, Options, Stub, TestApp,
        app::{ALL, at, new_integration},
        names, on_each, on_each_with,
        stub::Reply,
        value,
    },
};

const HOUR: Duration = Duration::from_secs(3600);
const VERIFIER: &str = "canary-verifier-0123456789-0123456789-0123456789";

/// A provider of which it is known that it revokes the token that it is shown and no other.
fn single() -> Options {
    let file = "key = \"single\"\nname = \"Single\"\ncategory = \"testing\"\n\
                [oauth2]\nrevocation_scope = \"token\"\n[oauth2.endpoints]\nsource = \"integration\"\n\
                [identity]\nsource = \"userinfo\"\nid = \"sub\"\n";
    Options { providers: vec![("single.toml", file.to_owned())], ..Options::default() }
}

/// An integration `it` that is shared with these.
async fn integrate(app: &TestApp, input: NewIntegration, with: &[&Someone]) -> IntegrationId {
    let id = app.integrate_as(&app.acme, input).await;
    for one in with {
        let (ws, to) = (&app.acme.workspace, Principal::User(one.user.id.clone()));
        app.change(async |change| change.conn.set_share(ws, &id, &to, Level::Use).await.map(drop)).await;
    }
    id
}

fn it(provider: &str, origin: &str) -> NewIntegration {
    new_integration("it", provider, at(origin))
}

async fn bring(app: &TestApp, who: &Someone, body: &Value) -> Answer {
    ask(app, &who.token, Method::POST, "/api/integrations/it/connect", Some(body)).await
}

/// Brings a code that has to be taken; gives the connection as the answer has it.
async fn connected(app: &TestApp, who: &Someone) -> Value {
    let answer = bring(app, who, &json!({ "code": "canary-code" })).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()
}

async fn request(app: &TestApp, who: &Someone) -> Answer {
    ask(app, &who.token, Method::GET, "/api/integrations/it/request/x", None).await
}

async fn kept(app: &TestApp, integration: &Integration, name: &str) -> Connection {
    let owner = Owner::member(integration.mode, name);
    let mut conn = app.read().await;
    conn.connection_of(&app.acme.workspace, &integration.id, &owner).await.unwrap().expect("a connection")
}

async fn version(app: &TestApp, of: &Connection) -> i64 {
    app.read().await.credential(&app.acme.workspace, &of.id).await.unwrap().expect("a credential").version
}

async fn kinds(app: &TestApp) -> Vec<EventKind> {
    app.events(&app.acme).await.into_iter().map(|event| event.kind).collect()
}

fn revoked(mint: &Mint) -> usize {
    mint.up.seen().iter().filter(|seen| seen.target == "/revoke").count()
}

#[tokio::test]
async fn a_code_is_redeemed_with_what_it_was_asked_for() {
    on_each(async |app| {
        let (alice, provider) = (someone(app, &app.acme, "alice", &[]).await, Stub::start().await);
        let id = integrate(app, it("oauth2", &provider.origin), &[&alice]).await;
        let given = json!({
            "code": "canary-code", "redirectUri": "https://tool.test/back?x=1", "codeVerifier": VERIFIER,
        });
        let answer = bring(app, &alice, &given).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        assert_eq!(answer.header("location"), Some(format!("/api/integrations/{id}/connection").as_str()));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let now = app.broker.clock.now();
        let hour = now.plus(HOUR).rfc3339();
        let shown = answer.json();
        let want = json!({
            "id": shown["id"], "integrationId": id.as_str(), "ownerId": "alice", "isShared": false,
            "tokenExpiresAt": hour, "refreshTokenExpiresAt": null, "lastAuthorizedAt": now.rfc3339(),
            "apiBaseUri": format!("{}/api", provider.origin), "data": {},
            "createdAt": now.rfc3339(), "updatedAt": now.rfc3339(),
        });
        assert_eq!(shown, want);
        assert!(!answer.text().contains("canary"), "{}", answer.text());
        let seen = provider.seen();
        let asked = seen.iter().find(|seen| seen.path == "/token").expect("a token request").form();
        let of = |name| value(&asked, name).to_owned();
        assert_eq!((of("grant_type"), of("code")), ("authorization_code".into(), "canary-code".into()));
        assert_eq!(
            (of("redirect_uri"), of("code_verifier")),
            ("https://tool.test/back?x=1".into(), VERIFIER.into())
        );
        assert!(!names(&asked).contains(&"state"));
        request(app, &alice).await;
        let seen = provider.seen();
        assert_eq!(seen.last().expect("a call").headers["authorization"], "Bearer canary_stub_access");

        // What is not said is the integration's own callback, and no challenge.
        connected(app, &alice).await;
        let seen = provider.seen();
        let asked = seen.iter().rfind(|seen| seen.path == "/token").expect("another").form();
        assert_eq!(value(&asked, "redirect_uri"), format!("{}/oauth2/callback/{id}", app.origin));
        assert!(!names(&asked).contains(&"code_verifier"), "{asked:?}");
    })
    .await;
}

#[tokio::test]
async fn a_refresh_token_is_used_once_and_the_new_one_is_kept() {
    on_each(async |app| {
        let (alice, mint) = (someone(app, &app.acme, "alice", &[]).await, Mint::start().await);
        integrate(app, it("oauth2", &mint.up.origin), &[&alice]).await;
        let answer = bring(app, &alice, &json!({ "refreshToken": "refresh-0" })).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        assert_eq!(mint.spent(), ["refresh-0"]);
        assert_eq!(request(app, &alice).await.status, 200);
        app.pass(HOUR);
        assert_eq!(request(app, &alice).await.status, 200);
        assert_eq!(mint.spent(), ["refresh-0", "refresh-1"]);
        assert_eq!(mint.used(), ["Bearer access-1", "Bearer access-2"]);
    })
    .await;
}

#[tokio::test]
async fn each_kind_of_key_is_brought_and_carried() {
    on_each(async |app| {
        let alice = someone(app, &app.acme, "alice", &[]).await;
        let place = KeyPlace { location: KeyLocation::Query, name: "key".into(), prefix: String::new() };
        for (provider, body, header) in [
            ("apikey", json!({ "apiKey": "canary_key" }), None),
            ("basic", json!({ "username": "ada", "password": "canary_p" }), Some("Basic YWRhOmNhbmFyeV9w")),
            ("bearer", json!({ "token": "canary_t" }), Some("Bearer canary_t")),
        ] {
            let up = Stub::start().await;
            let api_key = (provider == "apikey").then(|| place.clone());
            let config =
                Config { base_url: Some(format!("{}/api", up.origin)), api_key, ..Config::default() };
            let input = NewIntegration {
                client_id: None,
                client_secret: None,
                ..new_integration(provider, provider, config)
            };
            integrate(app, input, &[&alice]).await;
            let path = format!("/api/integrations/{provider}/connect");
            let answer = ask(app, &alice.token, Method::POST, &path, Some(&body)).await;
            assert_eq!(answer.status, 201, "{}", answer.text());
            let shown = answer.json();
            assert_eq!((&shown["tokenExpiresAt"], &shown["data"]), (&Value::Null, &json!({})));
            assert!(!answer.text().contains("canary"), "{}", answer.text());
            up.reply("/api/x", Reply::json("{}"));
            let path = format!("/api/integrations/{provider}/request/x");
            assert_eq!(ask(app, &alice.token, Method::GET, &path, None).await.status, 200, "{provider}");
            let seen = up.seen().pop().expect("a call");
            assert_eq!(
                seen.headers.get("authorization").map(|it| it.to_str().unwrap()),
                header,
                "{provider}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn what_does_not_fit_is_said_at_its_field_and_nobody_is_asked() {
    on_each(async |app| {
        let (alice, provider) = (someone(app, &app.acme, "alice", &[]).await, Stub::start().await);
        integrate(app, it("oauth2", &provider.origin), &[&alice]).await;
        let keyed = NewIntegration {
            client_id: None,
            client_secret: None,
            ..new_integration(
                "keyed",
                "basic",
                Config { base_url: Some(provider.origin.clone()), ..Config::default() },
            )
        };
        integrate(app, keyed, &[&alice]).await;
        let other = integrate(app, new_integration("unseen", "oauth2", at(&provider.origin)), &[]).await;
        for (key, body, words) in [
            ("it", json!({}), "body: Brings nothing"),
            ("it", json!({ "inputs": {} }), "body: Brings nothing"),
            ("it", json!({ "code": "canary", "refreshToken": "canary" }), "body: Brings more than one"),
            ("it", json!({ "code": "canary", "apiKey": "canary" }), "body: Brings more than one"),
            ("it", json!({ "code": "" }), "code: Is empty"),
            ("it", json!({ "code": 7 }), "code: Must be a string"),
            ("it", json!({ "code": "canary\r\nx: y" }), "code: Is no token"),
            ("it", json!({ "code": "canary", "redirectUri": "/back" }), "redirectUri: Is no absolute URL"),
            (
                "it",
                json!({ "code": "canary", "codeVerifier": "canary" }),
                "codeVerifier: Is no PKCE verifier",
            ),
            ("it", json!({ "codeVerifier": VERIFIER }), "codeVerifier: Goes with a `code`"),
            (
                "it",
                json!({ "refreshToken": "canary", "redirectUri": "https://a.test" }),
                "redirectUri: Goes with",
            ),
            ("it", json!({ "refreshToken": " canary" }), "refreshToken: Is no token"),
            (
                "it",
                json!({ "apiKey": "canary" }),
                "apiKey: This integration takes no such thing, but an authorization code",
            ),
            ("it", json!({ "code": "canary", "inputs": { "nope": "canary" } }), "inputs: OAuth"),
            ("it", json!({ "code": "canary", "state": "canary" }), "Unknown field \"state\""),
            (
                "keyed",
                json!({ "code": "canary" }),
                "code: This integration takes no such thing, but: User name, Password",
            ),
            ("keyed", json!({ "refreshToken": "canary" }), "refreshToken: This integration takes"),
            ("keyed", json!({ "apiKey": "canary" }), "apiKey: This integration takes"),
            ("keyed", json!({ "username": "canary" }), "password: "),
            ("keyed", json!({ "username": "can:ary", "password": "canary" }), "username: "),
        ] {
            let path = format!("/api/integrations/{key}/connect");
            let answer = ask(app, &alice.token, Method::POST, &path, Some(&body)).await;
            assert_eq!(answer.status, 400, "{body}: {}", answer.text());
            assert_problem(&answer, 400, words);
            assert!(!answer.text().contains("canary"), "{}", answer.text());
        }
        let path = format!("/api/integrations/{other}/connect");
        let answer = ask(app, &alice.token, Method::POST, &path, Some(&json!({ "code": "c" }))).await;
        assert_problem(&answer, 404, "integration not found");
        let reader = super::token(app, &app.acme, &alice.user.id, true).await;
        let (path, body) = ("/api/integrations/it/connect", json!({ "code": "c" }));
        let answer = ask(app, &reader, Method::POST, path, Some(&body)).await;
        assert_problem(&answer, 403, "only reads");
        assert_eq!(provider.seen().len(), 0, "nobody is asked");
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}

#[tokio::test]
async fn what_the_provider_refuses_is_told_in_its_words_and_leaves_nothing() {
    on_each(async |app| {
        let (alice, provider) = (someone(app, &app.acme, "alice", &[]).await, Stub::start().await);
        let id = integrate(app, it("oauth2", &provider.origin), &[&alice]).await;
        let (code, refresh) =
            (json!({ "code": "canary-brought" }), json!({ "refreshToken": "canary-brought" }));
        let say = |status, text: &str| Reply::Say(status, "application/json", text.to_owned());
        let grant = r#"{"error":"invalid_grant","error_description":"not canary-brought"}"#;
        let client = r#"{"error":"invalid_client"}"#;
        for (reply, status, words) in [
            (
                say(400, grant),
                400,
                [
                    "code: the provider refused: invalid_grant",
                    "refreshToken: the provider refused: invalid_grant",
                ],
            ),
            (say(401, client), 409, ["client id and secret"; 2]),
            (say(503, "{}"), 502, ["provider"; 2]),
            (say(200, "no JSON"), 502, ["provider"; 2]),
            (Reply::Break, 502, ["provider"; 2]),
        ] {
            provider.reply("/token", reply);
            for (body, words) in [&code, &refresh].into_iter().zip(words) {
                let answer = bring(app, &alice, body).await;
                assert_problem(&answer, status, words);
                assert!(!answer.text().contains("canary"), "{}", answer.text());
            }
        }
        let asked = provider.token_requests();
        assert_eq!(asked, 10, "each once");
        let mut off = app.integration(&app.acme, &id).await;
        off.disabled_at = Some(app.broker.clock.now());
        app.change(async |to| to.conn.update_integration(&app.acme.workspace, &off).await).await;
        assert_problem(&bring(app, &alice, &code).await, 409, "switched off");
        assert_eq!(provider.token_requests(), asked);
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}
