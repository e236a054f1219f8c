//! Import: a product brings the tokens that it has, and they become connections, or nothing does.

mod verified;

use std::{collections::BTreeMap, time::Duration};

use claviger_engine::{
    connect::{self, Import},
    domain::{
        audit::Actor,
        connection::{Connection, Owner, OwnerKind, Status},
        event::EventKind,
    },
    error::{Error, Result},
    setup::{self, NewWebhook},
};
use http::{Method, Request};
use serde_json::Value;

use crate::support::{
    Browser, Options, Stub, TestApp,
    app::{ALL, at, new_integration},
    encode, on_each, on_each_with,
    sandbox::{CLIENT, SECRET},
    value,
};

/// RFC 7636, Appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Tokens for bob's account, had by the product itself from the sandbox; access and refresh.
async fn had(app: &TestApp) -> (String, String) {
    let to = format!("{}/oauth2/callback", app.origin);
    let query = encode(&[
        ("response_type", "code"),
        ("client_id", CLIENT),
        ("redirect_uri", &to),
        ("scope", "read"),
        ("state", "s"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]);
    let browser = Browser::new();
    let leg = crate::support::Leg::of(&format!("{}/authorize?{query}", app.sandbox.origin));
    let back = browser.consent(&leg, "bob", "allow").await;
    let pairs = crate::support::decode(back.split_once('?').expect("a query").1);
    let form = [
        ("grant_type", "authorization_code"),
        ("code", value(&pairs, "code")),
        ("redirect_uri", &to),
        ("code_verifier", VERIFIER),
        ("client_id", CLIENT),
        ("client_secret", SECRET),
    ];
    let request = Request::builder().method(Method::POST).uri(format!("{}/token", app.sandbox.origin));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let answer = browser.send(request, encode(&form).into()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let text = |json: &Value, name: &str| json[name].as_str().expect("a text").to_owned();
    (text(&answer.json(), "access_token"), text(&answer.json(), "refresh_token"))
}

/// What a product brings for its customer at an integration.
fn brought<'a>(integration: &'a str, access: &str, refresh: Option<&str>) -> Import<'a> {
    Import {
        integration,
        only: None,
        owner: Owner { kind: OwnerKind::External, key: Some("customer-1".into()) },
        access_token: access.to_owned().into(),
        refresh_token: refresh.map(|token| token.to_owned().into()),
        expires_in: None,
        scopes: None,
        inputs: BTreeMap::new(),
        verify: false,
    }
}

async fn import(app: &TestApp, given: Import<'_>) -> Result<Connection> {
    let key = given.integration.to_owned();
    let made =
        connect::import(&app.broker, &app.acme.workspace, given, Actor::ApiKey("key_1".into())).await?;
    // Whoever asked is told its name from here: nothing is looked up after the connection was made.
    assert!(made.integration == key || made.connection.integration_id.as_str() == key);
    Ok(made.connection)
}

/// The field at fault and what is said of it.
fn wrong(done: Result<Connection>) -> (&'static str, String) {
    match done {
        Err(Error::Invalid { field, message }) => (field, message),
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was imported"),
    }
}

#[tokio::test]
async fn tokens_become_a_connection_and_nobody_is_asked() {
    on_each(async |app| {
        let provider = Stub::start().await;
        app.integrate(&app.acme, "stub", &provider.origin).await;
        let hook = NewWebhook {
            name: "product".into(),
            url: "https://hooks.test/".into(),
            events: vec![EventKind::ConnectionCreated],
            format: Default::default(),
            secret: None,
        };
        app.change(async |to| setup::webhook(to, &app.acme.workspace, hook).await).await;
        let given = Import {
            expires_in: Some(600),
            scopes: Some(vec!["read".into()]),
            ..brought("stub", "canary_imported_access", Some("canary_imported_refresh"))
        };
        let made = import(app, given).await.expect("a connection");
        assert_eq!(provider.seen().len(), 0, "nobody is asked");

        let kept = app.connection(&app.acme, made.id.as_str()).await;
        let now = app.broker.clock.now();
        assert_eq!((kept.status, kept.owner.key.as_deref()), (Status::Active, Some("customer-1")));
        assert_eq!((kept.created_at, kept.expires_at), (now, Some(now.plus(Duration::from_secs(600)))));
        assert_eq!(
            (kept.scopes_granted, kept.account.id, kept.refreshed_at),
            (vec!["read".to_owned()], None, None)
        );
        let events = app.events(&app.acme).await;
        assert_eq!(events.iter().map(|event| event.kind).collect::<Vec<_>>(), [EventKind::ConnectionCreated]);
        assert_eq!(events[0].data["external_id"], "customer-1");
        let told = app.read().await.deliveries(&app.acme.workspace, &events[0].id).await.unwrap();
        assert_eq!(told.len(), 1);
        let audits = app.read().await.audits(&app.acme.workspace, &ALL).await.unwrap();
        let row = audits.iter().find(|row| row.verb == "connection.create").expect("an audit row");
        assert_eq!((row.actor.as_str(), row.target.as_str()), ("api_key:key_1", made.id.as_str()));

        app.call(&app.acme.key, made.id.as_str(), "/x").await;
        let call = provider.seen().pop().expect("a call");
        assert_eq!(call.headers["authorization"], "Bearer canary_imported_access");
        app.pass(Duration::from_secs(600));
        app.call(&app.acme.key, made.id.as_str(), "/x").await;
        let seen = provider.seen();
        let refresh = seen.iter().find(|seen| seen.path == "/token").expect("a refresh");
        assert_eq!(value(&refresh.form(), "refresh_token"), "canary_imported_refresh");
        assert_eq!(seen.last().expect("a call").headers["authorization"], "Bearer canary_stub_access");
    })
    .await;
}

#[tokio::test]
async fn an_expiry_that_is_not_told_is_found_where_a_token_answers_would_be() {
    let file = |lifetime: &str| {
        format!(
            "key = \"timed\"\nname = \"Timed\"\ncategory = \"testing\"\n[oauth2]\n{lifetime}\n\
             [oauth2.endpoints]\nsource = \"integration\"\n"
        )
    };
    // {"exp":1800000000}
    let jwt = "eyJhbGciOiJub25lIn0.eyJleHAiOjE4MDAwMDAwMDB9.x";
    let exp = Some(1_800_000_000_000);
    for (lifetime, token, want) in [
        ("", "opaque", None),
        ("", jwt, exp),
        ("lifetime = 7200", "opaque", Some(1_790_007_200_000)),
        ("lifetime = 7200", jwt, exp),
        ("lifetime = \"never\"", jwt, None),
    ] {
        let options = || Options { providers: vec![("timed.toml", file(lifetime))], ..Options::default() };
        on_each_with(options, async |app| {
            app.integrate_as(&app.acme, new_integration("timed", "timed", at("https://timed.test"))).await;
            let made = import(app, brought("timed", token, None)).await.expect("a connection");
            assert_eq!(made.expires_at.map(|at| at.0), want, "{lifetime} {token}");
            let credential =
                app.read().await.credential(&app.acme.workspace, &made.id).await.unwrap().unwrap();
            assert_eq!(credential.expires_at, made.expires_at);
        })
        .await;
    }
}

#[tokio::test]
async fn an_integration_is_found_only_by_who_may_use_it() {
    on_each(async |app| {
        let own = app.acme.integration.clone();
        let other = app.integrate(&app.acme, "other", "https://other.test").await;
        let stranger = app.tenant("Stranger").await;
        assert!(import(app, brought(own.as_str(), "a", None)).await.is_ok(), "by id");
        assert!(
            import(app, Import { only: Some(own.clone()), ..brought("sandbox", "a", None) }).await.is_ok()
        );
        for (selector, only) in [
            ("nothing", None),
            ("", None),
            (stranger.integration.as_str(), None),
            ("sandbox", Some(other.clone())),
            (own.as_str(), Some(other.clone())),
        ] {
            let done = import(app, Import { only, ..brought(selector, "a", None) }).await;
            assert!(matches!(done, Err(Error::NotFound { what: "integration" })), "{selector}");
        }
        let mut off = app.integration(&app.acme, &other).await;
        off.disabled_at = Some(app.broker.clock.now());
        app.change(async |to| to.conn.update_integration(&app.acme.workspace, &off).await).await;
        let done = import(app, brought("other", "a", None)).await;
        assert!(matches!(done, Err(Error::Conflict { .. })), "{done:?}");
        assert_eq!(app.connections(&app.acme).await.len(), 2);
        assert_eq!(app.connections(&stranger).await.len(), 0);
    })
    .await;
}

#[tokio::test]
async fn what_is_not_fit_leaves_nothing_behind() {
    on_each(async |app| {
        let provider = Stub::start().await;
        app.integrate(&app.acme, "stub", &provider.origin).await;
        let fits = || Import { verify: true, ..brought("stub", "canary_a", Some("canary_r")) };
        let nobody = Owner { kind: OwnerKind::External, key: Some("x".repeat(513)) };
        let inputs = BTreeMap::from([("token_url".to_owned(), "https://evil.test".to_owned())]);
        for (given, field) in [
            (Import { access_token: "canary_a\r\nX: y".to_owned().into(), ..fits() }, "access_token"),
            (Import { refresh_token: Some("canary\0r".to_owned().into()), ..fits() }, "refresh_token"),
            (Import { expires_in: Some(u64::MAX), ..fits() }, "expires_in"),
            (Import { scopes: Some(vec!["a b".into()]), ..fits() }, "scopes"),
            (Import { owner: nobody, ..fits() }, "external_id"),
            (Import { inputs, ..fits() }, "inputs"),
        ] {
            let (at, message) = wrong(import(app, given).await);
            assert_eq!(at, field);
            assert!(!message.contains("canary") && !message.contains("evil"), "{message}");
        }
        assert_eq!(provider.seen().len(), 0, "nobody is asked about it");
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}
