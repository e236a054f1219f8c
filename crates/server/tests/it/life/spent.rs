//! A refresh token that several connections have, and what a refresh leaves behind that comes to nothing.

use std::{collections::BTreeMap, time::Duration};

use claviger_engine::{
    connect::{self, Import, Place},
    domain::{
        audit::Actor,
        connection::{Onto, Owner, OwnerKind, Status},
        integration::Config,
    },
    error::{Error, Result},
    id::ConnectionId,
    refresh,
};
use http_body_util::BodyExt as _;
use serde_json::json;

use super::core::{HOUR, LOST, connected, subject, told, unknown};
use crate::{
    refresh::mint::Mint,
    support::{
        Browser, TestApp, Upstream,
        app::{at, new_integration},
        decode,
        upstream::{json as says, say},
        value,
    },
};

/// An answer that leaves the refresh token as it is.
const KEPT: (u16, &str) = (200, r#"{"access_token":"kept","token_type":"bearer","expires_in":3600}"#);

/// Tokens that a product had.
fn given<'a>(integration: &'a str, refresh: &str, verify: bool) -> Import<'a> {
    Import {
        integration,
        only: None,
        owner: Owner { kind: OwnerKind::External, key: Some("customer".into()) },
        access_token: "access-0".to_owned().into(),
        refresh_token: Some(refresh.to_owned().into()),
        expires_in: Some(HOUR.as_secs()),
        scopes: None,
        inputs: BTreeMap::new(),
        verify,
    }
}

/// A connection of them.
async fn import(app: &TestApp, integration: &str, refresh: &str, verify: bool) -> Result<String> {
    let given = given(integration, refresh, verify);
    let made = connect::import(&app.broker, &app.acme.workspace, given, Actor::Cli).await?;
    Ok(made.connection.id.to_string())
}

/// Two connections of one token.
async fn twins(app: &TestApp, integration: &str, refresh: &str) -> (String, String) {
    let one = import(app, integration, refresh, false).await.expect("a connection");
    (one, import(app, integration, refresh, false).await.expect("another"))
}

async fn integrate(app: &TestApp, mint: &Mint, provider: &str) {
    app.integrate_as(&app.acme, new_integration(provider, provider, at(&mint.up.origin))).await;
}

#[tokio::test]
async fn a_token_that_another_connection_spent_is_not_sent_again() {
    told(async |app, _| {
        let mint = Mint::start().await;
        integrate(app, &mint, "oauth2").await;
        let (one, two) = twins(app, "oauth2", "shared").await;
        app.pass(HOUR);
        assert_eq!(app.call(&app.acme.key, &one, "/x").await.status, 200);
        app.call(&app.acme.key, &two, "/x").await.assert_problem(401, "connection_refresh_failed");
        assert_eq!(mint.spent(), ["shared"]);
        let ended = app.connection(&app.acme, &two).await;
        let reason = ended.status_reason.expect("a reason");
        assert_eq!(ended.status, Status::NeedsReauth);
        assert!(reason.contains(&format!("another connection, {one}, that has the same one")), "{reason}");
        let of = ConnectionId::parse(&two).unwrap();
        let state = app.read().await.refresh_state(&app.acme.workspace, &of).await.unwrap().unwrap();
        assert_eq!(state.owner, None, "its lease is given up");
        app.pass(HOUR);
        assert_eq!(app.call(&app.acme.key, &one, "/x").await.status, 200, "the first one lives");
        assert_eq!(mint.spent().len(), 2);

        // Nobody knows what became of it.
        let (one, two) = twins(app, "oauth2", "lost").await;
        mint.instead.lock().unwrap().push_back(LOST);
        app.pass(HOUR);
        for id in [&one, &two] {
            app.call(&app.acme.key, id, "/x").await.assert_problem(401, "connection_refresh_failed");
        }
        assert_eq!(mint.spent()[2..], ["lost"]);
        let reason = app.connection(&app.acme, &two).await.status_reason.expect("a reason");
        assert!(reason.contains(&one), "{reason}");
    })
    .await;
}

/// Only what another connection did says something of a token that its owner brings again.
#[tokio::test]
async fn a_token_that_its_own_connection_gave_up_is_sent_once_it_is_brought_again() {
    told(async |app, _| {
        let mint = Mint::start().await;
        integrate(app, &mint, "oauth2").await;
        let id = import(app, "oauth2", "lost", false).await.expect("a connection");
        mint.instead.lock().unwrap().push_back(LOST);
        app.pass(HOUR);
        app.call(&app.acme.key, &id, "/x").await.assert_problem(401, "connection_refresh_failed");
        let place = Place { onto: Onto::This(ConnectionId::parse(&id).unwrap()), ..Place::default() };
        let again = given("oauth2", "lost", false);
        let again = connect::import_as(&app.broker, &app.acme.workspace, again, place, Actor::Cli).await;
        assert_eq!(again.expect("the same connection").connection.id.as_str(), id);
        app.pass(HOUR);
        assert_eq!(app.call(&app.acme.key, &id, "/x").await.status, 200);
        assert_eq!(mint.spent(), ["lost", "lost"]);
    })
    .await;
}

#[tokio::test]
async fn a_token_that_its_provider_does_not_spend_serves_all_its_connections() {
    told(async |app, _| {
        let mint = Mint::start().await;
        for (provider, answer) in [("oauth2", Some(KEPT)), ("always", None)] {
            integrate(app, &mint, provider).await;
            let before = mint.spent().len();
            let (one, two) = twins(app, provider, provider).await;
            mint.instead.lock().unwrap().extend([answer, answer].into_iter().flatten());
            app.pass(HOUR);
            for id in [&one, &two] {
                let answer = app.call(&app.acme.key, id, "/x").await;
                assert_eq!(answer.status, 200, "{provider}: {}", answer.text());
            }
            assert_eq!(mint.spent()[before..], [provider, provider]);
        }
    })
    .await;
}

#[tokio::test]
async fn a_token_without_an_answer_is_not_sent_to_try_it() {
    told(async |app, _| {
        let mint = Mint::start().await;
        integrate(app, &mint, "oauth2").await;
        let one = import(app, "oauth2", "lost", false).await.expect("a connection");
        mint.instead.lock().unwrap().push_back(LOST);
        app.pass(HOUR - Duration::from_secs(200));
        assert_eq!(app.call(&app.acme.key, &one, "/x").await.status, 200, "the old one is good");
        assert_eq!(unknown(app).await, 1);
        let tried = import(app, "oauth2", "lost", true).await;
        assert!(matches!(tried, Err(Error::Conflict { .. })), "{tried:?}");
        app.pass(Duration::from_secs(200));
        app.call(&app.acme.key, &one, "/x").await.assert_problem(401, "connection_refresh_failed");
        assert_eq!(unknown(app).await, 0, "it is given up");
        let tried = import(app, "oauth2", "lost", true).await;
        assert!(matches!(tried, Err(Error::Conflict { .. })), "{tried:?}");
        assert_eq!(mint.spent(), ["lost"]);
        import(app, "oauth2", "another", true).await.expect("a connection");
        assert_eq!(mint.spent(), ["lost", "another"]);
    })
    .await;
}

#[tokio::test]
async fn a_lease_is_given_up_where_its_second_claim_comes_to_nothing() {
    told(async |app, _| {
        let mut mint = Mint::start().await;
        let id = connected(app, &mint, "always").await;
        let of = ConnectionId::parse(&id).unwrap();
        let ws = &app.acme.workspace;
        mint.instead.lock().unwrap().push_back(LOST);
        app.pass(HOUR);
        mint.hold();
        let freezing = async {
            mint.waiting.recv().await.unwrap();
            let now = app.broker.clock.now();
            app.change(async |to| to.conn.freeze_connection(ws, &of, Some(now)).await).await;
            mint.permits.add_permits(1);
        };
        let (answer, ()) = tokio::join!(app.call(&app.acme.key, &id, "/x"), freezing);
        assert_ne!(answer.status, 200);
        assert_eq!(mint.spent().len(), 1);
        let state = app.read().await.refresh_state(ws, &of).await.unwrap().unwrap();
        assert_eq!(state.owner, None, "nobody has to wait for it");
    })
    .await;
}

/// Whoever calls a provider in trouble does not cost the database a write each time.
#[tokio::test]
async fn a_connection_that_rests_is_looked_at_without_a_write() {
    told(async |app, _| {
        let mint = Mint::start().await;
        let id = mint.up.connect(app).await;
        app.pass(HOUR);
        mint.instead.lock().unwrap().push_back((503, "{}"));
        app.call(&app.acme.key, &id, "/x").await.assert_problem(502, "upstream_unreachable");
        let (subject, ws) = (subject(app, &id).await, &app.acme.workspace);
        let mut conn = app.broker.store.begin(Actor::Cli, app.broker.clock.now()).await.unwrap();
        assert!(conn.lock_refresh(ws, &subject.connection.id).await.unwrap());
        for _ in 0..100 {
            let told = tokio::time::timeout(Duration::from_secs(3), refresh::fresh(&app.broker, &subject));
            let told = told.await.expect("it waits for no lock");
            assert!(matches!(told, Err(Error::Provider { .. })), "{:?}", told.err());
        }
        drop(conn);
        assert_eq!(mint.spent().len(), 1);
    })
    .await;
}

/// An issuer that nobody can ask is not said to have answered.
#[tokio::test]
async fn an_issuer_without_an_introspection_endpoint_is_not_said_to_have_been_asked() {
    told(async |app, _| {
        let up = Upstream::whole(|head, body: axum::body::Body| async move {
            let origin = format!("http://{}", head.all("host")[0]);
            let form = body.collect().await.expect("a body").to_bytes();
            let form = decode(std::str::from_utf8(&form).unwrap_or_default());
            match head.target.as_str() {
                "/token" if form.iter().any(|(_, value)| value == "refresh_token") => {
                    say(200, &[("content-type", "application/json")], "{")
                }
                "/token" => says(crate::support::stub::TOKENS),
                "/userinfo" => says(r#"{"sub":"u"}"#),
                "/.well-known/oauth-authorization-server" => says(
                    &json!({
                        "issuer": origin, "authorization_endpoint": format!("{origin}/authorize"),
                        "token_endpoint": format!("{origin}/token"),
                        "userinfo_endpoint": format!("{origin}/userinfo"),
                        "code_challenge_methods_supported": ["S256"],
                    })
                    .to_string(),
                ),
                _ => say(404, &[], "{}"),
            }
        })
        .await;
        let (issuer, base_url) = (Some(up.origin.clone()), Some(up.origin.clone()));
        let config = Config { issuer, base_url, ..Config::default() };
        app.integrate_as(&app.acme, new_integration("issuer", "oidc", config)).await;
        let browser = Browser::new();
        let leg = browser.set_out(app, &app.acme, &[("integration_id", "issuer")]).await;
        let (_, pairs) = browser.get(&leg.back(&[("code", "c")])).await.redirect();
        let id = value(&pairs, "connection_id").to_owned();
        app.pass(HOUR);
        let answer = app.call(&app.acme.key, &id, "/x").await;
        let ended = app.connection(&app.acme, &id).await;
        assert_eq!(ended.status, Status::NeedsReauth, "{}", answer.text());
        let reason = ended.status_reason.expect("a reason");
        assert!(reason.contains("does not say whether it is still good"), "{reason}");
    })
    .await;
}
